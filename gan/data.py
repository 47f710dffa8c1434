"""Data sets as uint8 arrays, pixel range, latents, and the tf.data pipeline.

`to_float` and `to_uint8` are the only two definitions of pixel range.
"""

from collections.abc import Callable, Sequence
from functools import partial
from typing import NamedTuple

import numpy as np
import tensorflow as tf

from gan import sources
from gan.config import row


class Dataset(NamedTuple):
    """Images [N, H, W, C] uint8 and labels [N] uint8; None for what a data set lacks."""

    train_images: np.ndarray
    train_labels: np.ndarray | None = None
    test_images: np.ndarray | None = None
    test_labels: np.ndarray | None = None


# (data_dir, say) -> Dataset; `say` is told in one line what takes time
Loader = Callable[[str, Callable[[str], None]], Dataset]

# Streams of latents; a new one gets the next number, so that old seeds keep their meaning.
TRAINING, SAMPLES, EVALUATION = 0, 1, 2
STEP = 3  # what the step draws itself: points of gradient penalties, augmentations

LATENT_BLOCK = 1000  # images that share a key of evaluation latents; never to be changed

SHUFFLE_ROUNDS = 4  # of the block cipher behind RandomIndexShuffle; TensorFlow's own default


def load_mnist_like(name: str, data_dir: str, say: Callable[[str], None]) -> Dataset:
    """Returns MNIST or Fashion-MNIST: 60,000 and 10,000 images [28, 28, 1] of 10 classes."""
    arrays = sources.load(name, data_dir, say)
    x_train, x_test = (arrays[name][..., np.newaxis] for name in ("x_train", "x_test"))
    return Dataset(x_train, arrays["y_train"], x_test, arrays["y_test"])


DATASETS: dict[str, Loader] = {
    name: partial(load_mnist_like, name) for name in ("mnist", "fashion_mnist")
}


def load_dataset(name: str, data_dir: str, say: Callable[[str], None]) -> Dataset:
    """Returns a data set by its name; see `Loader`.

    Raises:
        UserError: Unknown name, or the data cannot be found.
    """
    loader: Loader = row(DATASETS, "dataset", name)
    return loader(data_dir, say)


def to_float(images: tf.Tensor) -> tf.Tensor:
    """Maps uint8 0..255 to float32 -1..1, of any shape."""
    return tf.cast(images, tf.float32) / 127.5 - 1.0


def to_uint8(images: tf.Tensor) -> tf.Tensor:
    """Maps float32 -1..1 to uint8 0..255, of any shape: rounded, and clipped outside the range."""
    return tf.cast(tf.round(tf.clip_by_value(0.5 * images + 0.5, 0.0, 1.0) * 255.0), tf.uint8)


def shuffled_indices(positions: tf.Tensor, size: int, seed: int) -> tf.Tensor:
    """Returns which image stands at each position of the endless stream of epochs.

    Each epoch is a permutation of its own, keyed by (seed, epoch), and any position is computed
    without those before it, so that a run continues anywhere with nothing to restore.

    Args:
        positions: [n] int64, from 0. Position p lies in epoch p // size.
        size: Number of images.
        seed: The run's seed, 0..2**31-1.

    Returns:
        [n] int64 in 0..size-1.

    References:
        ``tf.raw_ops.RandomIndexShuffle``, with a key for each index. Its wrapper
        ``tf.random.experimental.index_shuffle`` pads a vector of keys wrongly in TensorFlow 2.21.
    """
    epochs = tf.cast(positions // size, tf.int32)
    keys = tf.stack([tf.fill(tf.shape(epochs), tf.constant(seed, tf.int32)), epochs, epochs], 1)
    return tf.raw_ops.RandomIndexShuffle(
        index=positions % size,
        seed=keys,
        max_index=tf.fill(tf.shape(positions), tf.constant(size - 1, tf.int64)),
        rounds=SHUFFLE_ROUNDS,
    )


def draw_latents(shape: Sequence[int], seed: int, stream: int, step: tf.Tensor | int) -> tf.Tensor:
    """Returns float32 ~ N(0, 1), a function of the arguments alone on every kind of device.

    Not to be compiled with XLA, which draws other numbers from the same key; that is why latents
    come through the pipeline and not from inside the compiled step.

    Args:
        shape: Of the result.
        seed: The run's seed, 0..2**31-1.
        stream: `TRAINING` or `SAMPLES`.
        step: int64 scalar from 0.
    """
    key = tf.constant([seed, stream], tf.int64)
    key = tf.random.experimental.stateless_fold_in(key, tf.cast(step, tf.int64), "philox")
    return tf.random.stateless_normal(shape, key, alg="philox")


def evaluation_latents(count: int, latent_dim: int, seed: int) -> np.ndarray:
    """Returns latents [count, latent_dim] float32 ~ N(0, 1) of the images 0 to count - 1.

    What an image gets is a function of (seed, its index): more images begin with the same ones.
    """
    blocks = [
        draw_latents([LATENT_BLOCK, latent_dim], seed, EVALUATION, block).numpy()
        for block in range(-(-count // LATENT_BLOCK))
    ]
    return np.concatenate(blocks)[:count]


def block_dataset(
    images: np.ndarray,
    *,
    steps_per_call: int,
    d_steps: int,
    batch_size: int,
    latent_dim: int,
    seed: int,
    first_step: int = 0,
) -> tf.data.Dataset:
    """Returns the endless pipeline of what training consumes, `steps_per_call` = K steps at a time.

    What a step gets is a function of (seed, step): neither K nor where the pipeline started
    changes it, and starting anywhere costs nothing.

    Args:
        images: [N, H, W, C] uint8.
        steps_per_call: K, steps in a block.
        d_steps: Real batches a step.
        batch_size: Images a batch.
        latent_dim: Entries of a latent vector.
        seed: Chooses order and latents.
        first_step: The first block starts with this step.

    Returns:
        Data set of (images [K, d_steps, batch_size, H, W, C] uint8,
        latents [K, d_steps + 1, batch_size, latent_dim] float32), the last latents for G.
    """
    if images.dtype != np.uint8 or images.ndim != 4:
        raise ValueError(f"images must be uint8 [N, H, W, C], got {images.dtype} {images.shape}")
    with tf.device("CPU"):
        stored = tf.Variable(images, trainable=False)  # tf.data copies a constant twice
    size, step_size = len(images), d_steps * batch_size
    last = np.iinfo(np.int64).max

    def real_images(step: tf.Tensor) -> tf.Tensor:
        """Those of the block that begins with `step`."""
        positions = step * step_size + tf.range(steps_per_call * step_size, dtype=tf.int64)
        found = tf.gather(stored, shuffled_indices(positions, size, seed))
        return tf.reshape(found, [steps_per_call, d_steps, batch_size, *images.shape[1:]])

    def latents(step: tf.Tensor) -> tf.Tensor:
        """Those of one step."""
        return draw_latents([d_steps + 1, batch_size, latent_dim], seed, TRAINING, step)

    blocks = tf.data.Dataset.range(first_step, last, steps_per_call).map(real_images)
    steps = tf.data.Dataset.range(first_step, last).map(latents)
    steps = steps.batch(steps_per_call, drop_remainder=True)
    return tf.data.Dataset.zip((blocks, steps)).prefetch(1)
