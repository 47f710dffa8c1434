"""Discriminators of runs and of files."""

from pathlib import Path

import keras

from gan.data.datasets import Dataset, dataset_from_config
from gan.errors import UserError
from gan.models.build import build_discriminator
from gan.models.checks import check_discriminator, check_network
from gan.run import layout, saved_config
from gan.run.config import Config
from gan.run.data_facts import DataFacts, read_data_facts
from gan.run.streams import tell
from gan.sampling import packaged
from gan.sampling.generators import (
    find_checkpoint,
    from_rows,
    read_network,
    restore_networks,
)


def load_discriminator(path: Path, checkpoint: str = "", weights: str = "") -> keras.Model:
    """Returns the discriminator of a run, or the one in a Keras file.

    Args:
        path: A run, or a Keras file.
        checkpoint: Of a run: "latest", "best" or a step; "": the one that it ended with.
        weights: "" or "raw": there is no average of a discriminator.

    Raises:
        UserError: There is none, or it is no discriminator.
    """
    if weights not in ("", "raw"):
        raise UserError(f"--weights={weights}: must be raw, a discriminator has no average")
    if checkpoint and path.is_file():
        raise UserError(f"--checkpoint={checkpoint}: is for runs, {path} is a file")
    if path.is_file():
        return read_discriminator(path)
    if packaged.is_packaged(path):
        raise UserError(f"--run_dir={path}: comes with the package, without a discriminator")
    config = saved_config.read_config(path)
    if checkpoint:
        find_checkpoint(path, checkpoint)  # found missing before data are loaded
        # Runs of older versions do not say what their data are.
        data = read_data_facts(path) or dataset_from_config(config, tell)
        return restore_discriminator(path, config, data, checkpoint)
    if not (path / layout.DISCRIMINATOR_FILE).exists():
        find_checkpoint(path, "latest")
        raise UserError(
            f"--run_dir={path}: has no {layout.DISCRIMINATOR_FILE}, it comes when training "
            "ends (older versions wrote none); its checkpoints have one: --checkpoint=latest"
        )
    return load_saved_discriminator(path, config, read_data_facts(path))


def restore_discriminator(
    run_dir: Path, config: Config, data: Dataset | DataFacts, checkpoint: str = "latest"
) -> keras.Model:
    """Returns the discriminator of a run at a checkpoint: "latest", "best", or a step.

    Raises:
        UserError: There is no such checkpoint, or it cannot be restored.
    """
    discriminator = build_or_load(run_dir, config, data)
    restore_networks(run_dir, {"discriminator": discriminator}, checkpoint, "discriminator")
    return discriminator


def build_or_load(run_dir: Path, config: Config, data: Dataset | DataFacts) -> keras.Model:
    """Returns the discriminator of a run, with any weights; from its file if Python code gave it.

    Raises:
        UserError: Python code gave it, and the run has no file of it.
    """
    if "discriminator" not in saved_config.own_networks(run_dir):
        seen, classes = seen_shape(config, data), data.classes
        return from_rows(run_dir, lambda: build_discriminator(config, seen, classes))
    if not (run_dir / layout.DISCRIMINATOR_FILE).exists():
        raise UserError(
            f"--run_dir={run_dir}: Python code gave its discriminator, and it has no "
            f"{layout.DISCRIMINATOR_FILE}, which comes when training ends"
        )
    return load_saved_discriminator(run_dir, config, data)


def load_saved_discriminator(
    run_dir: Path, config: Config, data: Dataset | DataFacts | None
) -> keras.Model:
    """Returns the network in a run's discriminator.keras; what it sees is checked if known."""
    path = run_dir / layout.DISCRIMINATOR_FILE
    discriminator = read_discriminator(path)
    if data is not None:
        seen = seen_shape(config, data)
        check_discriminator(str(path), discriminator, config, seen, data.classes)
    return discriminator


def read_discriminator(path: Path) -> keras.Model:
    """Returns the discriminator in a Keras file. Runs no code that the file brings."""
    discriminator = read_network(path)
    inputs = getattr(discriminator, "inputs", None) or []
    seen = tuple(inputs[0].shape)[1:] if len(inputs) in (1, 2) else ()
    if len(seen) not in (1, 3) or None in seen:
        takes = [tuple(tensor.shape) for tensor in inputs]
        raise UserError(f"{path}: takes {takes}, must take images [batch, H, W, C], or points")
    outputs = discriminator.outputs
    head = outputs[1].shape[1:] if len(outputs) == 2 else ()  # what it says beside the logit
    check_network(str(path), discriminator, seen, (1,), len(inputs) == 2, *head[:1])
    return discriminator


def seen_shape(config: Config, data: Dataset | DataFacts) -> tuple[int, ...]:
    """Returns the shape of what the discriminator of a run sees at once, see `Config.pack`."""
    *size, channels = data.shape
    return (*size, channels * config.pack)
