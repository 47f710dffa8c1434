"""Trains the network metrics look through: ``python -m experiments.train_features``.

The package's own weights were made by this command, with ``--out=gan/weights``.
"""

from typing import Any

from absl import flags

from gan.commands import cli
from gan.config import DATASETS
from gan.knobs import UserError, knob


def define(values: flags.FlagValues) -> None:
    """Defines the flags."""
    cli.define(
        values,
        dataset=knob("mnist", "a data set with labels", choices=DATASETS),
        network=knob("cnn-a", "which one", choices=("cnn-a", "cnn-b")),
        data_dir=knob("", "directory of the data set; empty: look for it"),
        out=knob("runs/features", "directory to write to"),
    )


def main(values: flags.FlagValues) -> int:
    """Trains, computes floors, writes both and returns the exit status. What exists is kept."""
    with cli.silenced():
        from pathlib import Path

        from gan import datasets, devices, features, real
        from gan.evaluation import LIGHT_IMAGES
        from gan.files import write_json
    dataset, network = values["dataset"].value, values["network"].value
    name, out = features.name_of(dataset, network), Path(values["out"].value)
    weights, floors = out / f"{name}.npz", out / f"{name}.floors.json"
    devices.prepare()
    images = datasets.load_dataset(dataset, values["data_dir"].value, print)
    if images.train_labels is None or images.test_images is None:
        raise UserError(f"--dataset={dataset}: must have labels and test images")
    try:
        out.mkdir(parents=True, exist_ok=True)
        if not weights.exists():
            model, accuracy = features.train(
                network, images, features.RECIPES.get(dataset, features.RECIPE), verbose=2
            )
            features.write(weights, model, accuracy)
        extractor = features.read(weights, name, network, packaged=False)
        if not floors.exists():
            seen = real.RealImages(dataset, images, extractor, print)
            table: dict[str, Any] = {
                "sha256": extractor.provenance["sha256"],
                "thresholds": real.compute_thresholds(seen),
            }
            for count in (10_000, LIGHT_IMAGES):
                against = seen.reference(count=count)
                key = real.floors_key(against, count)
                table[key] = real.compute_floors(against, count)
            write_json(floors, table)
    except OSError as error:
        raise UserError(f"--out={out}: cannot be written ({error.strerror})") from None
    about = extractor.provenance
    print(
        f"{weights}, {floors}: test accuracy {100 * about['test_accuracy']:.2f} %, "
        f'{extractor.model.count_params()} parameters\n    "{name}": "{about["sha256"]}",'
    )
    return cli.DONE


if __name__ == "__main__":
    cli.run("Trains the feature network of a data set and measures its floors.", define, main)
