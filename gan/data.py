"""Pixel range, random numbers, and the tf.data pipeline.

`to_float` and `to_uint8` are the only two definitions of pixel range.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import tensorflow as tf

from gan.datasets import Dataset
from gan.image_folder import ImageFiles


class Batch(NamedTuple):
    """What a player learns from in an update; in a block with more dimensions in front."""

    images: tf.Tensor  # [batch, H, W, C] uint8, floats in the step; or points [batch, D] float32
    labels: tf.Tensor  # [batch] int32, of the images and to be drawn; 0 where there are none
    latents: tf.Tensor  # [batch, latent_dim] float32


# Streams of latents; a new one gets the next number, so that old seeds keep their meaning.
TRAINING, SAMPLES, EVALUATION = 0, 1, 2
STEP = 3  # what the step draws itself: points of gradient penalties, augmentations
STANDING = 4  # see gan/standing.py

SEEDS = 2**31  # how many a run can have

CHANNEL_KEYS = 32  # RandomIndexShuffle reads the lowest 8 bits of each part of a key
ORDER_BATCH = 1000  # positions of files that are looked up at once
SHUFFLE_ROUNDS = 4  # of the block cipher behind RandomIndexShuffle; TensorFlow's own default


def to_float(images: tf.Tensor) -> tf.Tensor:
    """Maps uint8 0..255 to float32 -1..1, of any shape; points, float32 already, stay."""
    return images if images.dtype == tf.float32 else tf.cast(images, tf.float32) / 127.5 - 1.0


def to_uint8(images: tf.Tensor) -> tf.Tensor:
    """Maps float32 -1..1 to uint8 0..255, of any shape: rounded, and clipped outside the range."""
    return tf.cast(tf.round(tf.clip_by_value(0.5 * images + 0.5, 0.0, 1.0) * 255.0), tf.uint8)


def to_stored(outputs: tf.Tensor) -> np.ndarray:
    """Returns what a generator made as data sets store it: uint8 images, float32 points."""
    stored: np.ndarray = (to_uint8(outputs) if len(outputs.shape) == 4 else outputs).numpy()
    return stored


def shuffled_indices(positions: tf.Tensor, size: int, seed: int, channel: int = 0) -> tf.Tensor:
    """Returns which image stands at each position of the endless stream of epochs.

    Each epoch is a permutation of its own, keyed by (seed, epoch), and any position is computed
    without those before it, so that a run continues anywhere with nothing to restore.

    Args:
        positions: [n] int64, from 0. Position p lies in epoch p // size.
        size: Number of images.
        seed: The run's seed, 0..2**31-1.
        channel: Each has an order of its own; 0..7.

    Returns:
        [n] int64 in 0..size-1.

    References:
        ``tf.raw_ops.RandomIndexShuffle``, with a key for each index. Its wrapper
        ``tf.random.experimental.index_shuffle`` pads a vector of keys wrongly in TensorFlow 2.21.
    """
    epochs = tf.cast(positions // size, tf.int32)
    of_seed = tf.fill(tf.shape(epochs), tf.constant(seed, tf.int32))
    keys = tf.stack([of_seed, epochs, epochs + channel * CHANNEL_KEYS], 1)
    return tf.raw_ops.RandomIndexShuffle(
        index=positions % size,
        seed=keys,
        max_index=tf.fill(tf.shape(positions), tf.constant(size - 1, tf.int64)),
        rounds=SHUFFLE_ROUNDS,
    )


def noise_seed(seed: int, rollbacks: Any) -> Any:
    """Returns the seed of a run's noise after so many rollbacks: its own, then one that no run has.

    Args:
        seed: The run's, 0..2**31-1.
        rollbacks: From 0; an int or an int64 scalar.
    """
    return seed + SEEDS * rollbacks


def draw_latents(shape: Sequence[int], seed: int, stream: int, step: tf.Tensor | int) -> tf.Tensor:
    """Returns float32 ~ N(0, 1), a function of the arguments alone on every kind of device.

    Not to be compiled with XLA, which draws other numbers from the same key; that is why latents
    come through the pipeline and not from inside the compiled step.

    Args:
        shape: Of the result.
        seed: 0..2**63-1, the run's or `noise_seed`.
        stream: One of the numbers above, as `TRAINING`.
        step: int64 scalar from 0.
    """
    key = tf.constant([seed, stream], tf.int64)
    key = tf.random.experimental.stateless_fold_in(key, tf.cast(step, tf.int64), "philox")
    return tf.random.stateless_normal(shape, key, alg="philox")


def real_examples(data: Dataset, count: int, seed: int) -> np.ndarray:
    """Returns examples to look at, [count, H, W, C] uint8 or [count, D] float32."""
    indices = np.arange(count) % len(data.train_images)
    if isinstance(data.train_images, ImageFiles):
        return data.train_images.read(indices)
    if data.stack == 1:
        return data.train_images[indices]
    return examples_at(data.train_images, indices, data, seed)[0].numpy()


def examples_at(
    stored: tf.Tensor, positions: tf.Tensor, data: Dataset, seed: int
) -> tuple[tf.Tensor, tf.Tensor]:
    """Returns the examples at positions of the stream of epochs, and their labels.

    In a stack every channel goes through the images in an order of its own; the label's first
    digit is that of the first channel.

    Args:
        stored: The training images, where tf.data finds them.
        positions: [n] int64.
        data: The data set.
        seed: The run's.

    Returns:
        ([n, H, W, C] uint8 or [n, D] float32, [n] int32).
    """
    images, labels = [], tf.zeros(tf.shape(positions), tf.int32)
    for channel in range(data.stack):
        indices = shuffled_indices(positions, len(data.train_images), seed, channel)
        images.append(tf.gather(stored, indices))
        if data.train_labels is not None:
            of_one = tf.gather(data.train_labels.astype(np.int32), indices)
            labels = labels * (int(data.train_labels.max()) + 1) + of_one
    return images[0] if data.stack == 1 else tf.concat(images, -1), labels


def example_dataset(data: Dataset, seed: int, first: int, count: int) -> tf.data.Dataset:
    """Returns the endless stream of real examples from position `first` on, `count` at a time.

    Returns:
        Data set of what `examples_at` returns.

    Raises:
        ValueError: The data are neither images nor points.
    """
    images, last = data.train_images, np.iinfo(np.int64).max
    if isinstance(images, ImageFiles):
        positions = tf.data.Dataset.range(first, last).batch(ORDER_BATCH)
        indices = positions.map(lambda p: shuffled_indices(p, len(images), seed)).unbatch()
        labels = np.zeros(len(images)) if data.train_labels is None else data.train_labels
        of_index = tf.constant(labels, tf.int32)
        decoded = (images.dataset(indices), indices.map(lambda i: of_index[i]))
        return tf.data.Dataset.zip(decoded).batch(count, drop_remainder=True)
    if (images.dtype, images.ndim) not in ((np.uint8, 4), (np.float32, 2)):
        raise ValueError(
            "images must be uint8 [N, H, W, C], points float32 [N, D], "
            f"got {images.dtype} {images.shape}"
        )
    with tf.device("CPU"):
        stored = tf.Variable(images, trainable=False)  # tf.data copies a constant twice
    return tf.data.Dataset.range(first, last - count, count).map(
        lambda start: examples_at(stored, start + tf.range(count, dtype=tf.int64), data, seed)
    )


def block_dataset(
    data: Dataset,
    *,
    steps_per_call: int,
    d_steps: int,
    batch_size: int,
    latent_dim: int,
    seed: int,
    noise_seed: int | None = None,
    first_step: int = 0,
) -> tf.data.Dataset:
    """Returns the endless pipeline of what training consumes, `steps_per_call` = K steps at a time.

    What a step gets is a function of (seed, step): neither K nor where the pipeline started
    changes it, and starting anywhere costs nothing.

    Args:
        data: Its training part: images [N, H, W, C] uint8, or points [N, D] float32. Images that
            are in files are decoded as they are needed.
        steps_per_call: K, steps in a block.
        d_steps: Real batches a step.
        batch_size: Images a batch.
        latent_dim: Entries of a latent vector.
        seed: Chooses the order.
        noise_seed: Chooses the latents; the seed if it is not given.
        first_step: The first block starts with this step.

    Returns:
        Data set of `Batch`: images [K, d_steps, batch_size, ...] as they are stored, labels
        [K, d_steps, batch_size] int32, latents [K, d_steps + 1, batch_size, latent_dim] float32,
        the last ones for G.
    """
    step_size = d_steps * batch_size
    last = np.iinfo(np.int64).max
    leading = [steps_per_call, d_steps, batch_size]
    of_noise = seed if noise_seed is None else noise_seed

    def in_block(examples: tf.Tensor, labels: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        return tf.reshape(examples, [*leading, *data.shape]), tf.reshape(labels, leading)

    examples = example_dataset(data, seed, first_step * step_size, steps_per_call * step_size)

    def latents(step: tf.Tensor) -> tf.Tensor:
        """Those of one step."""
        return draw_latents([d_steps + 1, batch_size, latent_dim], of_noise, TRAINING, step)

    steps = tf.data.Dataset.range(first_step, last).map(latents)
    steps = steps.batch(steps_per_call, drop_remainder=True)
    zipped = tf.data.Dataset.zip((examples.map(in_block), steps))
    blocks = zipped.map(lambda seen, drawn: Batch(seen[0], seen[1], drawn)).prefetch(1)
    # Its thread sleeps for up to a minute, and an iterator does not end before it: neither would
    # a run, after its last checkpoint.
    options = tf.data.Options()
    options.autotune.enabled = False
    return blocks.with_options(options)
