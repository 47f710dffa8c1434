"""Trains the network metrics look through: ``python -m experiments.train_features``.

The package's own weights were made by this command, with ``--out=gan/evaluation/weights``.
"""

from pathlib import Path
from typing import Any

from absl.flags import FlagValues

from gan.cli import command, flags
from gan.data.datasets import DATASETS, Parts, load_dataset
from gan.data.digests import array_digest
from gan.errors import UserError
from gan.evaluation.feature_networks import NETWORKS
from gan.evaluation.metrics.table import METRICS
from gan.run.atomic_files import write_json
from gan.run.fields import option


def define(values: FlagValues) -> None:
    """Defines the flags."""
    flags.define(
        values,
        dataset=option("mnist", "a data set with labels", choices=tuple(DATASETS)),
        network=option("cnn-a", "which one", choices=tuple(NETWORKS)),
        data_dir=option("", "directory of the data set; empty: look for it", path_after=""),
        out=option("runs/features", "directory to write to", path_after=""),
    )


def main(values: FlagValues) -> int:
    """Trains, computes floors, writes both and returns the exit status.

    What exists is kept; a table of floors gets the metrics that are younger than it.
    """
    with command.silenced():
        from gan.evaluation import constants, features, reference
        from gan.evaluation.evaluate import LIGHT_IMAGES
        from gan.training import devices
    dataset, network = values["dataset"].value, values["network"].value
    name, out = features.versioned_name(dataset, network), Path(values["out"].value)
    weights, floors = out / f"{name}.npz", out / f"{name}.floors.json"
    devices.prepare()
    data = load_dataset(dataset, values["data_dir"].value, print).labelled
    if data is None:
        raise UserError(f"--dataset={dataset}: must have labels and test images")
    digest = array_digest(*data)
    if weights.exists() and constants.read_table(floors).get("data", digest) != digest:
        raise UserError(f"--out={out}: {floors.name} is of other data, must be another directory")
    try:
        out.mkdir(parents=True, exist_ok=True)
        if not weights.exists():
            model, accuracy = features.train_classifier(
                network, data, features.RECIPES.get(dataset, features.RECIPE), verbose=2
            )
            features.write_weights(weights, model, accuracy)
        extractor = features.read_weights(weights, name, network, packaged=False)
        real = reference.RealFeatures(dataset, Parts(*data), extractor, print)
        table: dict[str, Any] = constants.read_table(floors)
        if table.get("sha256") != extractor.provenance["sha256"]:  # none, or of other weights
            table = {"sha256": extractor.provenance["sha256"], "data": digest}
        if "thresholds" not in table:
            table["thresholds"] = reference.compute_thresholds(real)
        if "dcr share" not in table:
            table["dcr share"] = reference.compute_dcr_share(real)
        for count in (10_000, LIGHT_IMAGES):
            split = real.reference(count=count)
            key = constants.floors_key(count, split.count, split.split)
            rows = table.setdefault(key, {})
            if new := [metric for metric in METRICS if metric not in rows]:
                rows |= reference.compute_floors(split, count, new)
        write_json(floors, table)
    except OSError as error:
        raise UserError(f"--out={out}: cannot be written ({error.strerror})") from None
    about = extractor.provenance
    print(
        f"{weights}, {floors}: test accuracy {100 * about['test_accuracy']:.2f} %, "
        f'{extractor.model.count_params()} parameters\n    "{name}": "{about["sha256"]}",'
    )
    return command.DONE


if __name__ == "__main__":
    command.run("Trains the feature network of a data set and measures its floors.", define, main)
