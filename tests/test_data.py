import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st

from gan.data import (
    SAMPLES,
    TRAINING,
    block_dataset,
    draw_latents,
    shuffled_indices,
    to_float,
    to_uint8,
)
from gan.datasets import Dataset

NUMBERED = np.arange(10, dtype=np.uint8).reshape(10, 1, 1, 1)  # image i is the pixel i


def stream(seed, start, count, size):
    positions = tf.range(start, start + count, dtype=tf.int64)
    return shuffled_indices(positions, size, seed).numpy()


def test_every_byte_survives_the_round_trip():
    byte = np.arange(256, dtype=np.uint8)
    floats = to_float(byte).numpy()
    assert floats.dtype == np.float32
    np.testing.assert_allclose(floats, byte / 127.5 - 1, atol=1e-6)
    assert (floats[0], floats[255]) == (-1.0, 1.0)
    assert np.array_equal(to_uint8(floats), byte)


def test_floats_outside_the_range_are_clipped_and_others_rounded():
    out = to_uint8(tf.constant([-7.0, -1.0, 0.0, 0.999, 1.0, 3.0]))
    assert out.dtype == tf.uint8
    assert out.numpy().tolist() == [0, 0, 128, 255, 255, 255]


@settings(max_examples=30, deadline=None)
@given(size=st.integers(1, 300), epoch=st.integers(0, 10**6), seed=st.integers(0, 2**31 - 1))
def test_every_epoch_is_a_permutation(size, epoch, seed):
    order = stream(seed, epoch * size, size, size)
    assert sorted(order) == list(range(size))


def test_epochs_and_seeds_have_orders_of_their_own():
    first, second = stream(0, 0, 100, 100), stream(0, 100, 100, 100)
    other = stream(1, 0, 100, 100)
    assert len({tuple(first), tuple(second), tuple(other), tuple(range(100))}) == 4


def test_the_order_of_mnist_is_uniform():
    # Mean displacement of a random permutation of n is n/3, its sd about 0.298 n / sqrt(n).
    n = 60000
    displacement = np.abs(stream(0, 0, n, n) - np.arange(n)).mean() / n
    assert displacement == pytest.approx(1 / 3, abs=5 * 0.298 / np.sqrt(n))


def blocks(count, images=NUMBERED, **changes):
    knobs = {"steps_per_call": 3, "d_steps": 2, "batch_size": 4, "latent_dim": 5, "seed": 5}
    taken = block_dataset(Dataset(images), **{**knobs, **changes}).take(count)
    reals, _, latents = zip(*taken.as_numpy_iterator(), strict=True)
    return np.stack(reals), np.stack(latents)


def test_blocks_are_the_stream_in_order():
    reals, latents = blocks(5)
    assert (reals.dtype, latents.dtype) == (np.uint8, np.float32)
    assert reals.shape == (5, 3, 2, 4, 1, 1, 1)
    assert latents.shape == (5, 3, 3, 4, 5)
    assert reals.reshape(-1).tolist() == stream(5, 0, 5 * 24, 10).tolist()
    assert np.bincount(reals.reshape(-1)).tolist() == [12] * 10  # 12 whole epochs


def test_neither_the_start_nor_the_length_of_blocks_changes_a_step():
    whole = [array.reshape(-1, *array.shape[2:]) for array in blocks(7)]  # steps 0 to 20
    for length, first in ((3, 9), (3, 10), (1, 20), (4, 5)):
        again = blocks(1, steps_per_call=length, first_step=first)
        for a, b in zip(whole, again, strict=True):
            assert np.array_equal(a[first : first + length], b[0])


def test_a_start_far_beyond_two_to_the_31_costs_nothing():
    far = 10**10
    reals, _ = blocks(1, first_step=far)
    assert reals.reshape(-1).tolist() == stream(5, far * 8, 24, 10).tolist()


def test_only_uint8_images_and_float32_points_are_taken():
    with pytest.raises(ValueError, match="uint8"):
        blocks(1, images=NUMBERED.astype(np.float32))


def test_latents_are_normal_and_a_function_of_seed_stream_and_step():
    keys = [
        (0, TRAINING, 0),
        (1, TRAINING, 0),
        (0, SAMPLES, 0),
        (0, TRAINING, 1),
        (0, TRAINING, 2**40),
    ]
    draws = [draw_latents([500, 100], *key).numpy() for key in keys]
    assert np.array_equal(draws[0], draw_latents([500, 100], *keys[0]))
    for i, a in enumerate(draws):
        assert a.dtype == np.float32
        assert a.mean() == pytest.approx(0, abs=5 / np.sqrt(a.size))
        assert a.std() == pytest.approx(1, abs=5 / np.sqrt(2 * a.size))
        for b in draws[i + 1 :]:
            assert abs(np.corrcoef(a.ravel(), b.ravel())[0, 1]) < 5 / np.sqrt(a.size)


def test_latents_stay_what_they_are():
    """Old seeds keep their meaning; these are the numbers of TensorFlow 2.21's Philox."""
    np.testing.assert_allclose(
        draw_latents([3], 0, TRAINING, 0), [1.080070, -1.098975, 0.632021], atol=1e-5
    )
