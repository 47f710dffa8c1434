"""Tells how far D learned its training images by heart, and how well it tells samples from others.

``python -m experiments.discriminator_overfitting runs/small`` prints a row for each run: D's mean
logit of training images, of test images and of samples, what they say of overfitting, and how often
a test image has a higher logit than a sample.

References:
    Karras et al. 2020, arXiv:2006.06676, equation 1: r_v, 0 without overfitting, 1 if D takes test
    images for samples.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import numpy as np
from absl.flags import FlagValues

from gan.cli import command, flags
from gan.errors import UserError
from gan.run.fields import option

if TYPE_CHECKING:
    import keras

COUNT = 10_000  # of each kind of images, or as many as there are test images
AT_ONCE = 500


def define(values: FlagValues) -> None:
    """Defines the flags."""
    flags.define(
        values,
        runs=option("runs/mlp", "a run, or several separated by commas; also as plain arguments"),
        data_dir=option("", "where the data lie, if not where the runs had them", path_after=""),
    )


def logits_of(
    discriminator: keras.Model, images: np.ndarray, labels: np.ndarray, pack: int
) -> np.ndarray:
    """Returns D's logits [N / pack] float32 of images [N, H, W, C] uint8, N a multiple of pack.

    `labels` [N] are looked at where D takes some.
    """
    import keras
    import tensorflow as tf

    from gan.algorithm.objective import pack_images
    from gan.data.images import to_float

    logits = []
    step = AT_ONCE * pack
    for start in range(0, len(images), step):
        part = slice(start, start + step)
        seen = pack_images(to_float(images[part]), pack)
        inputs = [seen, tf.constant(labels[part])] if len(discriminator.inputs) == 2 else seen
        logit, *_ = keras.tree.flatten(discriminator(inputs, training=False))  # a head comes second
        logits.append(np.asarray(logit, np.float32)[:, 0])
    return np.concatenate(logits)


def area_under_curve(positive: np.ndarray, negative: np.ndarray) -> float:
    """Returns how often one of `positive` is above one of `negative`, 0..1; equal ones count half.

    References:
        Hanley and McNeil 1982, Radiology 143: the area under the ROC curve.
    """
    ordered = np.sort(negative)
    below = np.searchsorted(ordered, positive, "left") + np.searchsorted(ordered, positive, "right")
    return float(below.mean() / 2 / len(negative))


def row_of(name: str, train: np.ndarray, test: np.ndarray, samples: np.ndarray) -> str:
    """Returns a row of the table, of the logits of each kind of images."""
    of_train, of_test, of_samples = (float(x.mean()) for x in (train, test, samples))
    gap = of_train - of_samples
    r_v = f"{(of_train - of_test) / gap:.2f}" if gap else "-"
    means = f"{of_train:.2f} | {of_test:.2f} | {of_samples:.2f}"
    return f"| {name} | {means} | {r_v} | {area_under_curve(test, samples):.3f} |"


def main(values: FlagValues) -> int:
    """Prints the table and returns the exit status."""
    run_dirs = flags.paths(values, "runs")
    with command.importing():
        from gan.data.identity import data_of_run
        from gan.data.input_pipeline import examples_at
        from gan.run import saved_config
        from gan.sampling.discriminators import restore_discriminator
        from gan.sampling.drawing import labels_for_evaluation, sample_for_evaluation
        from gan.sampling.generators import restore_generator
    runs = []
    for run_dir in run_dirs:  # a run without test images is found before those before it are drawn
        config = saved_config.read_config(run_dir)
        data = data_of_run(run_dir, config, command.tell, values["data_dir"].value)
        if data.test_images is None or data.train_images.ndim != 4:
            raise UserError(f"--runs={run_dir}: {config.dataset} has no test images to look at")
        if config.conditional and data.test_labels is None:
            raise UserError(f"--runs={run_dir}: D needs labels, those of test images are not known")
        runs.append((run_dir, config, data, data.test_images))
    command.say("| run | training images | test images | samples | r_v ↓ | test above samples |")
    command.say("| --- | --- | --- | --- | --- | --- |")
    for run_dir, config, data, test_images in runs:
        # What D plays against are raw weights.
        generator, step = restore_generator(run_dir, data, "raw", "latest")
        discriminator = restore_discriminator(run_dir, config, data, str(step))
        count = min(COUNT, len(test_images), len(data.train_images)) // config.pack * config.pack
        of_test = data._replace(train_images=test_images, train_labels=data.test_labels)
        logits = []
        for part in (data, of_test):
            stream = examples_at(part.train_images, np.arange(count), part, config.seed)
            images, labels = (x.numpy() for x in stream)
            logits.append(logits_of(discriminator, images, labels, config.pack))
        samples = sample_for_evaluation(generator, data, count)
        labels = labels_for_evaluation(generator, data, count).astype(np.int32)
        logits.append(logits_of(discriminator, samples, labels, config.pack))
        command.say(row_of(f"{run_dir}, step {step:,}", *logits))
    return command.DONE


run = partial(
    command.run,
    "Tells how far D learned its training images by heart.",
    define,
    main,
    positional="runs",
)


if __name__ == "__main__":
    run()
