"""Trains the network metrics look through: ``python -m experiments.train_features``.

The package's own weights were made by this command, with ``--out=gan/weights``.
"""

from absl import flags

from experiments import cli
from gan.config import DATASETS, UserError


def define(values: flags.FlagValues) -> None:
    """Defines the flags."""
    flags.DEFINE_enum("dataset", "mnist", DATASETS, "a data set with labels", flag_values=values)
    flags.DEFINE_enum("network", "cnn-a", ["cnn-a", "cnn-b"], "which one", flag_values=values)
    flags.DEFINE_string("data_dir", "", "directory of the data set", flag_values=values)
    flags.DEFINE_string("out", "runs/features", "directory to write to", flag_values=values)


def main(values: flags.FlagValues) -> int:
    """Trains, writes the weights and prints accuracy and digest."""
    with cli.silenced():
        from pathlib import Path

        from gan import data, devices, features
    dataset, network = values["dataset"].value, values["network"].value
    name = features.name_of(dataset, network)
    path = Path(values["out"].value) / f"{name}.npz"
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UserError(f"--out={path.parent}: cannot be written ({error.strerror})") from None
    if path.exists():
        raise UserError(f"--out={path.parent}: holds {path.name} already, nothing is overwritten")
    devices.prepare()
    model, accuracy = features.train(
        network, data.DATASETS[dataset](values["data_dir"].value, print), 2
    )
    features.write(path, model, accuracy)
    print(f"{path}: test accuracy {100 * accuracy:.2f} %, {model.count_params()} parameters")
    print(f'    "{name}": "{features.sha256(path)}",')
    return cli.DONE


if __name__ == "__main__":
    cli.run("Trains the feature network of a data set with the fixed recipe.", define, main)
