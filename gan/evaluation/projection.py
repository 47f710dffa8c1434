"""From images to latents: what a generator draws that comes nearest to given images."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import keras
import numpy as np
import tensorflow as tf

from gan.data.images import to_float
from gan.models.checks import classes_of
from gan.sampling.drawing import draw
from gan.sampling.export import in_float32
from gan.sampling.latents import latents_of

CANDIDATES = 1000  # seeds whose images are looked at for a start; of all classes together
LEARNING_RATE = 0.1  # of Adam, falling to 0 by a cosine
SPARE_LENGTH = 2.0  # of latents beyond the root of their number of entries
SHOWN = 5  # images on the way, besides that of the start
ROWS = 64  # ways at once
BATCH = 250  # candidates that are drawn at once


class Judge(NamedTuple):
    """How far images are from each other, in pixels and in features."""

    pixels: float = 1.0  # mean squared distance a pixel of two real images, in -1..1
    features: float = 1.0  # mean squared distance of the features of two real images
    network: keras.Model | None = None  # from images in -1..1 to features and logits

    def features_of(self, images: tf.Tensor) -> tf.Tensor:
        """Returns features [n, D] of images [n, H, W, C] float32 in -1..1; D is 0 without any."""
        if self.network is None:
            return tf.zeros([tf.shape(images)[0], 0])
        return self.network(images, training=False)[0]

    def __call__(
        self, images: tf.Tensor, features: tf.Tensor, targets: tf.Tensor, target_features: tf.Tensor
    ) -> tf.Tensor:
        """Returns distances [n]; two real images have 1, or 2 where there are features."""
        pixels = tf.reduce_mean(tf.square(images - targets), [1, 2, 3]) / self.pixels
        squares = tf.reduce_sum(tf.square(features - target_features), 1)
        return pixels + squares / self.features


class Projection(NamedTuple):
    """What came of each of n images; arrays are in their order."""

    latents: np.ndarray  # [n, D] float32
    labels: np.ndarray  # [n] int64, 0 if the generator is not conditional
    seeds: np.ndarray  # [n] int64, where the best way began
    images: np.ndarray  # [n, shown, H, W, C] uint8, from the start to the result
    pixels: np.ndarray  # [n] root of the mean squared difference, in grey levels
    features: np.ndarray  # [n] distance, that of two real images is 1; NaN without features

    def distances(self, judge: Judge) -> np.ndarray:
        """Returns the distances [n] that the ways were to make small."""
        squares = (self.pixels / 127.5) ** 2 / judge.pixels
        return squares + np.nan_to_num(self.features) ** 2


def judge_of(images: np.ndarray, network: keras.Model | None) -> Judge:
    """Returns a judge whose measure are real images [n, H, W, C] uint8, at least two."""
    floats = np.asarray(to_float(images), np.float64)
    judge = Judge(network=network)
    features = np.concatenate([judge.features_of(part) for part in batches(images)])
    # Two independent numbers differ by twice their variance.
    return Judge(
        pixels=2 * float(floats.var(0).mean()) or 1.0,
        features=2 * float(features.astype(np.float64).var(0).sum()) or 1.0,
        network=network,
    )


def batches(images: np.ndarray) -> list[tf.Tensor]:
    """Returns images [n, H, W, C] uint8 as float32 in -1..1, in batches."""
    return [to_float(images[i : i + BATCH]) for i in range(0, len(images), BATCH)]


def shown_steps(steps: int) -> list[int]:
    """Returns after which steps the way is shown, from 0 to the last one."""
    return [0, *sorted({round(x) for x in np.geomspace(1, steps, SHOWN)})]


def project(
    generator: keras.Model,
    targets: np.ndarray,
    judge: Judge,
    labels: Sequence[int | None],
    starts: int,
    steps: int,
) -> Projection:
    """Returns the latents whose images come nearest to given ones, of several ways the best.

    Each way starts at one of the seeds whose images are nearest, and Adam moves its latents. They
    get no longer than those that training draws: 2 or 3 of 1,000 normal vectors are longer.

    Args:
        generator: From latents, and labels if it is conditional, to images in -1..1.
        targets: [n, H, W, C] uint8.
        judge: What is made small.
        labels: The class of each image; None: any, as the nearest seeds have it.
        starts: Ways an image.
        steps: Of Adam.

    References:
        Karras et al. 2020, arXiv:1912.04958, appendix D (there with noise, and one start).
    """
    network, candidates = in_float32(generator), Candidates(generator, judge)
    chosen = [
        candidates.nearest(target, label, starts)
        for target, label in zip(targets, labels, strict=True)
    ]
    at_once, parts = max(1, ROWS // starts), []
    for start in range(0, len(targets), at_once):
        part = slice(start, start + at_once)
        seeds, classes = (np.concatenate(rows) for rows in zip(*chosen[part], strict=True))
        ways, distances = walk(
            network, targets[part].repeat(starts, 0), judge, seeds, classes, steps
        )
        count = len(targets[part])
        best = distances.reshape(count, starts).argmin(1) + starts * np.arange(count)
        parts.append((ways[:, best], classes[best], seeds[best]))
    ways = np.concatenate([part[0] for part in parts], 1)  # [shown, n, D]
    classes, seeds = (np.concatenate([part[i] for part in parts]) for i in (1, 2))
    images = np.stack([draw(generator, latents, classes) for latents in ways], 1)
    pixels, features = differences(images[:, -1], targets, judge)
    return Projection(ways[-1], classes, seeds, images, pixels, features)


def differences(
    images: np.ndarray, targets: np.ndarray, judge: Judge
) -> tuple[np.ndarray, np.ndarray]:
    """Returns how far images [n, H, W, C] uint8 are from others, as a `Projection` has it."""
    squares = (images.astype(np.float64) - targets) ** 2
    pixels = np.sqrt(squares.mean((1, 2, 3)))
    if judge.network is None:
        return pixels, np.full(len(images), np.nan)
    found, wanted = (
        np.concatenate([judge.features_of(part) for part in batches(some)])
        for some in (images, targets)
    )
    return pixels, np.sqrt(((found - wanted) ** 2).sum(1) / judge.features)


class Candidates:
    """The images of the first seeds, of which the nearest are starts."""

    def __init__(self, generator: keras.Model, judge: Judge) -> None:
        self.generator, self.judge, self.classes = generator, judge, classes_of(generator)
        self.seeds = np.arange(max(CANDIDATES, self.classes))  # each class has one
        self.drawn: dict[int | None, tuple[np.ndarray, np.ndarray, np.ndarray]] = {}

    def of(self, label: int | None) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Returns labels, images in -1..1 and features of the seeds."""
        if label not in self.drawn:
            cycle = self.seeds % max(1, self.classes)
            labels = cycle if label is None else np.full(len(self.seeds), label)
            latents = latents_of(self.seeds, self.generator.inputs[0].shape[-1])
            parts = batches(draw(self.generator, latents, labels))
            features = np.concatenate([self.judge.features_of(part) for part in parts])
            self.drawn[label] = labels, np.concatenate(parts), features
        return self.drawn[label]

    def nearest(
        self, target: np.ndarray, label: int | None, count: int
    ) -> tuple[np.ndarray, np.ndarray]:
        """Returns the seeds and labels [count] of the images nearest to one [H, W, C] uint8."""
        labels, images, features = self.of(label)
        wanted = to_float(target[np.newaxis])
        distances = self.judge(images, features, wanted, self.judge.features_of(wanted))
        chosen = np.argsort(distances, kind="stable")[:count]
        return self.seeds[chosen], labels[chosen]


def walk(
    network: keras.Model,
    targets: np.ndarray,
    judge: Judge,
    seeds: np.ndarray,
    labels: np.ndarray,
    steps: int,
) -> tuple[np.ndarray, np.ndarray]:
    """Returns latents [shown, n, D] on the ways from seeds, and the last distances [n].

    Args:
        network: A generator in float32.
        targets: [n, H, W, C] uint8, one a way.
        judge: What is made small.
        seeds: [n].
        labels: [n].
        steps: Of Adam.
    """
    entries = network.inputs[0].shape[-1]
    latents = tf.Variable(latents_of(seeds, entries))
    optimizer = keras.optimizers.Adam(keras.optimizers.schedules.CosineDecay(LEARNING_RATE, steps))
    optimizer.build([latents])
    wanted = tf.constant(to_float(targets))
    wanted_features = judge.features_of(wanted)
    classes = tf.constant(labels.astype(np.int32))
    most = float(np.sqrt(entries)) + SPARE_LENGTH

    def distances() -> tf.Tensor:
        inputs: Any = [latents, classes] if len(network.inputs) == 2 else latents
        images = network(inputs, training=False)
        return judge(images, judge.features_of(images), wanted, wanted_features)

    @tf.function(autograph=False, jit_compile=False)  # XLA's convolutions are slower on CPUs
    def step() -> None:
        with tf.GradientTape() as tape:
            # A sum: each way has a gradient of its own.
            total = tf.reduce_sum(distances())
        optimizer.apply([tape.gradient(total, latents)], [latents])
        latents.assign(tf.clip_by_norm(latents, most, 1))

    ways = [latents.numpy()]
    shown = shown_steps(steps)
    for number in range(1, steps + 1):
        step()
        if number in shown:
            ways.append(latents.numpy())
    return np.stack(ways), distances().numpy()
