"""Counts the hidden units of D that have one sign for all images, where D is linear.

``python -m experiments.linear_units runs/small`` prints a row for each checkpoint: of the inputs of
each LeakyReLU how many have the same sign, over 500 images that are held out. A D of such units
alone is a linear function, whatever its depth. Runs keep more checkpoints with
``--checkpoint_every=200 --keep_checkpoints=100``.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

from absl.flags import FlagValues

from gan.cli import command, flags
from gan.errors import UserError
from gan.lazy import keras, np
from gan.run.fields import option

MOST_IMAGES = 500
ALMOST_ALL = 0.999  # of images and of places in them


def define(values: FlagValues) -> None:
    """Defines the flags."""
    flags.define(
        values,
        runs=option("runs/mlp", "a run, or several separated by commas; also as plain arguments"),
        data_dir=option("", "where the data lie, if not where the runs had them", path_after=""),
    )


def main(values: FlagValues) -> int:
    """Prints the table and returns the exit status."""
    run_dirs = flags.paths(values, "runs")
    with command.importing():
        import tensorflow as tf

        from gan.data.datasets import dataset_from_config
        from gan.data.images import to_float
        from gan.run import saved_config
        from gan.sampling.discriminators import restore_discriminator
        from gan.sampling.generators import find_checkpoints
    command.say("| run | step | units of one sign, layer by layer |", "| --- | --- | --- |")
    for run_dir in run_dirs:
        config = saved_config.read_config(run_dir)
        steps = sorted(int(path.rpartition("-")[2]) for path in find_checkpoints(run_dir, "latest"))
        data = dataset_from_config(config, command.tell, values["data_dir"].value)
        images, labels = data.test_images, data.test_labels
        if images is None or data.stack > 1 or config.pack > 1:
            raise UserError(f"--runs={run_dir}: must have test images, which D sees one at a time")
        inputs = [to_float(tf.constant(images[:MOST_IMAGES]))]
        if labels is not None and config.conditional and config.auxiliary == "none":
            inputs.append(tf.constant(labels[:MOST_IMAGES], tf.int32))
        for step in steps:
            discriminator = restore_discriminator(run_dir, config, data, str(step))
            counts = units_of_one_sign(discriminator, inputs)
            layers = ", ".join(f"{count} of {units}" for count, units in counts)
            command.say(f"| {run_dir} | {step:,} | {layers} |")
    return command.DONE


def units_of_one_sign(discriminator: keras.Model, inputs: Sequence[Any]) -> list[tuple[int, int]]:
    """Returns of each LeakyReLU how many of its inputs have one sign, and how many it has.

    A unit of a convolution is a channel, at all places. `inputs` are those of the network: images
    [n, H, W, C] float32, and labels [n] int32 if it takes some. One sign is that of at least
    `ALMOST_ALL` of the numbers.
    """
    layers = [x for x in discriminator.layers if isinstance(x, keras.layers.LeakyReLU)]
    before = keras.Model(discriminator.inputs, [layer.input for layer in layers])
    found = keras.tree.flatten(before(list(inputs), training=False))
    counts = []
    for values in found:
        positive = (values.numpy() > 0).reshape(-1, values.shape[-1]).mean(0)
        one_sign = np.maximum(positive, 1 - positive) >= ALMOST_ALL
        counts.append((int(one_sign.sum()), len(one_sign)))
    return counts


run = partial(
    command.run,
    "Counts the hidden units of D that have one sign for all images.",
    define,
    main,
    positional="runs",
)


if __name__ == "__main__":
    run()
