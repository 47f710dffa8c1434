"""The tf.data pipeline: what each training step gets."""

import math
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, NamedTuple

import numpy as np
import tensorflow as tf

from gan.data.datasets import Dataset
from gan.rng import TRAINING, draw_latents, draw_part_of_latents, shuffled_indices


class Batch(NamedTuple):
    """What a player learns from in an update; in a block with more dimensions in front."""

    images: tf.Tensor  # [batch, H, W, C] uint8, floats in the step; or points [batch, D] float32
    labels: tf.Tensor  # [batch] int32, of the images and to be drawn; 0 where there are none
    latents: tf.Tensor  # [batch, latent_dim] float32


# There is no control flow on tensors here. AutoGraph would take 0.4 s, and leave files in the
# temporary directory if the process is killed.
plain = tf.autograph.experimental.do_not_convert


def real_examples(data: Dataset, count: int, seed: int) -> np.ndarray:
    """Returns examples to look at, [count, H, W, C] uint8 or [count, D] float32."""
    indices = np.arange(count) % len(data.train_images)
    if data.stack == 1:
        return data.train_images[indices]
    return examples_at(data.train_images, indices, data, seed)[0].numpy()


def examples_at(
    stored: tf.Tensor, positions: tf.Tensor, data: Dataset, seed: int
) -> tuple[tf.Tensor, tf.Tensor]:
    """Returns the examples at positions [n] of the stream of epochs, and their labels [n] int32.

    In a stack every channel goes through the images in an order of its own; the label's first
    digit is that of the first channel. `stored` are the training images, where tf.data finds them.
    """
    images, labels = [], tf.zeros(tf.shape(positions), tf.int32)
    for channel in range(data.stack):
        indices = shuffled_indices(positions, len(data.train_images), seed, channel)
        images.append(tf.gather(stored, indices))
        if data.train_labels is not None:
            of_one = tf.gather(data.train_labels.astype(np.int32), indices)
            labels = labels * (int(data.train_labels.max()) + 1) + of_one
    return tf.concat(images, -1), labels


@plain
def example_dataset(
    data: Dataset, seed: int, first: int, shape: Sequence[int], part: slice
) -> tf.data.Dataset:
    """Returns the endless stream of real examples from position `first` on, in blocks.

    Args:
        data: Images, points or numbers.
        seed: Chooses the order.
        first: Position in the stream.
        shape: Of a block, [K, d_steps, batch].
        part: Of each batch; the other examples are not touched.

    Returns:
        Data set of examples [K, d_steps, part, ...] and labels [K, d_steps, part] int32.
    """
    images, last = data.train_images, np.iinfo(np.int64).max
    if (images.dtype, images.ndim) not in ((np.uint8, 4), (np.float32, 2), (np.int32, 2)):
        raise ValueError(
            "images must be uint8 [N, H, W, C], points float32 [N, D], numbers int32 [N, 1], "
            f"got {images.dtype} {images.shape}"
        )
    with tf.device("CPU"):
        stored = tf.Variable(images, trainable=False)  # tf.data copies a constant twice
    count = math.prod(shape)

    def block_at(start: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """That which starts at a position."""
        positions = tf.reshape(start + tf.range(count, dtype=tf.int64), shape)[..., part]
        examples, labels = examples_at(stored, tf.reshape(positions, [-1]), data, seed)
        leading = positions.shape
        return tf.reshape(examples, [*leading, *data.shape]), tf.reshape(labels, leading)

    return tf.data.Dataset.range(first, last - count, count).map(block_at)


@plain
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
    threads: int = 1,
    worker: int = 0,
    workers: int = 1,
) -> tf.data.Dataset:
    """Returns the endless pipeline of what training consumes, `steps_per_call` = K steps at a time.

    What a step gets is a function of (seed, step): neither K nor where the pipeline started
    changes it, and starting anywhere costs nothing. A worker makes its part of each batch and
    nothing else.

    Args:
        data: Its training part: images [N, H, W, C] uint8, or points [N, D] float32. They are
            copied once.
        steps_per_call: K, steps in a block.
        d_steps: Real batches a step.
        batch_size: Images a batch.
        latent_dim: Entries of a latent vector.
        seed: Chooses the order.
        noise_seed: Chooses the latents; the seed if it is not given.
        first_step: The first block starts with this step.
        threads: So many draw latents, which is most of the work.
        worker: From 0; its part is contiguous, and parts are in the order of workers.
        workers: Into so many equal parts a batch is split.

    Returns:
        Data set of `Batch`: images [K, d_steps, part, ...] as they are stored, labels
        [K, d_steps, part] int32, latents [K, d_steps + 1, part, latent_dim] float32, the last ones
        for G; part is batch_size / workers.
    """
    size, rest = divmod(batch_size, workers)
    if rest:
        raise ValueError(f"a batch of {batch_size} does not split between {workers} workers")
    start = worker * size
    shape = [steps_per_call, d_steps, batch_size]
    of_noise = seed if noise_seed is None else noise_seed
    examples = example_dataset(
        data, seed, first_step * d_steps * batch_size, shape, slice(start, start + size)
    )

    def latents(step: tf.Tensor) -> tf.Tensor:
        """Those of one step."""
        of_all = [d_steps + 1, batch_size, latent_dim]
        if workers == 1:
            return draw_latents(of_all, of_noise, TRAINING, step)
        return draw_part_of_latents(of_all, of_noise, TRAINING, step, start, size)

    steps = tf.data.Dataset.range(first_step, np.iinfo(np.int64).max)
    steps = steps.map(latents, num_parallel_calls=threads, deterministic=True)
    steps = steps.batch(steps_per_call, drop_remainder=True)
    zipped = tf.data.Dataset.zip((examples, steps))
    blocks = zipped.map(lambda seen, drawn: Batch(seen[0], seen[1], drawn)).prefetch(1)
    # Its thread sleeps for up to a minute, and an iterator does not end before it: neither would
    # a run, after its last checkpoint.
    options = tf.data.Options()
    options.autotune.enabled = False
    return blocks.with_options(options)


def device_blocks(data: Dataset, device: str = "GPU:0", **settings: Any) -> Iterator[Batch]:
    """Yields the same blocks, with images that stay on the device that trains.

    tf.data says which images a block holds, and the device gathers them: for 50 steps of the
    default that is 10 MB less to copy. Latents come from the CPU, because neither XLA nor a GPU
    draws the same bits.

    Args:
        data: Images or points in memory.
        device: Where they are copied to, once.
        **settings: Of `block_dataset`.
    """
    with tf.device(device):
        stored = tf.constant(data.train_images)

    # TensorFlow itself gathers no uint8 on GPUs.
    @tf.function(jit_compile=True, autograph=False)
    def images_at(indices: tf.Tensor) -> tf.Tensor:
        """Those at [..., stack], one channel on the other."""
        return tf.concat([tf.gather(stored, of_one) for of_one in tf.unstack(indices, axis=-1)], -1)

    for block in number_blocks(data, **settings):
        with tf.device(device):  # not around yield, where it would be its taker's device too
            images = images_at(block.images)
        yield block._replace(images=images)


def host_blocks(data: Dataset, **settings: Any) -> Iterator[Batch]:
    """Yields the same blocks, with images that NumPy gathers from where they are.

    TensorFlow would copy all of them first, also those that are mapped from a file. A thread
    gathers, one block ahead.

    Args:
        data: Images or points, in memory or in an ``np.memmap``.
        **settings: Of `block_dataset`.
    """
    blocks = iter(number_blocks(data, **settings))

    def read() -> Batch:
        block = next(blocks)
        numbers = np.moveaxis(block.images.numpy(), -1, 0)  # of one channel of the stack each
        return block._replace(
            images=tf.constant(
                np.concatenate([data.train_images[of_one] for of_one in numbers], -1)
            )
        )

    with ThreadPoolExecutor(1) as pool:
        coming = pool.submit(read)
        while True:
            block = coming.result()
            coming = pool.submit(read)
            yield block


def number_blocks(data: Dataset, **settings: Any) -> tf.data.Dataset:
    """Returns the blocks with the numbers of images, [..., stack] int32, in place of images."""
    numbers = np.arange(len(data.train_images), dtype=np.int32)[:, None]
    return block_dataset(data._replace(train_images=numbers), **settings)
