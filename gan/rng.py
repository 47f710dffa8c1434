"""Random numbers, each a function of a seed, a stream and a position."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from gan.lazy import np, tf

# Streams of latents; a new one gets the next number, so that old seeds keep their meaning.
TRAINING, SAMPLES, EVALUATION = 0, 1, 2
STEP = 3  # what the step draws itself: points of penalties, augmentations, flips
BATCH_NORM = 4  # see gan/algorithm/batch_norm_statistics.py

# Streams of initial weights, so that the two networks of a seed share no numbers.
GENERATOR_STREAM, DISCRIMINATOR_STREAM = 0, 1

SEEDS = 2**31  # how many a run can have

CHANNEL_KEYS = 32  # RandomIndexShuffle reads the lowest 8 bits of each part of a key
SHUFFLE_ROUNDS = 4  # of the block cipher behind RandomIndexShuffle; TensorFlow's own default

PHILOX, AT_ONCE = 1, 4  # its number in TensorFlow; normal numbers that come from one counter


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
    seeds_of_all = tf.fill(tf.shape(epochs), tf.constant(seed, tf.int32))
    keys = tf.stack([seeds_of_all, epochs, epochs + channel * CHANNEL_KEYS], 1)
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
    key = fold_in(tf.constant([seed, stream], tf.int64), tf.cast(step, tf.int64))
    return tf.random.stateless_normal(shape, key, alg="philox")


def draw_part_of_latents(
    shape: Sequence[int], seed: int, stream: int, step: tf.Tensor, first: int, count: int
) -> tf.Tensor:
    """Returns ``draw_latents(shape, ...)[:, first : first + count]``, and draws no others.

    Philox is a function of a counter, so it starts at any number. For CPUs: a GPU counts otherwise.

    Args:
        shape: Three numbers, of the whole.
        seed: As for `draw_latents`, as are `stream` and `step`.
        stream: See there.
        step: See there.
        first: Where the part starts in the second dimension.
        count: Its length there.

    References:
        Salmon et al. 2011, "Parallel Random Numbers: As Easy as 1, 2, 3".
    """
    batches, batch, size = shape
    seeds_of_step = fold_in(tf.constant([seed, stream], tf.int64), tf.cast(step, tf.int64))
    key, counter = tf.raw_ops.StatelessRandomGetKeyCounter(seed=seeds_of_step)
    parts = []
    for number in range(batches):
        skipped, before = divmod((number * batch + first) * size, AT_ONCE)
        drawn = tf.raw_ops.StatelessRandomNormalV2(
            shape=[before + count * size],
            key=key,
            counter=counter + tf.constant([skipped, 0], tf.uint64),  # its lower half starts at 0
            alg=PHILOX,
        )
        parts.append(tf.reshape(drawn[before:], [count, size]))
    return tf.stack(parts)


def fold_in(key: tf.Tensor, number: tf.Tensor | int) -> tf.Tensor:
    """Returns the key number `number` that is made from `key` [2]."""
    return tf.random.experimental.stateless_fold_in(key, number, alg="philox")


def seeds(seed: int, stream: int) -> Iterator[int]:
    """Yields a seed for each layer of a network."""
    sequence = np.random.SeedSequence([seed, stream])
    while True:
        (child,) = sequence.spawn(1)
        yield int(child.generate_state(1)[0] >> 1)
