import hashlib
import subprocess
import sys

import numpy as np
import pytest
import tensorflow as tf
from scipy import stats

import gan
from gan.errors import UserError
from gan.rng import EVALUATION, SEEDS, draw_latents
from gan.sampling import latents
from gan.sampling.latents import interpolate, latents_of, truncate
from support import ROOT


def test_the_latents_of_a_seed_depend_on_it_alone():
    few, many = latents_of(range(1001), 5, 3), latents_of(range(2500), 5, 3)
    assert few.shape == (1001, 5)
    assert few.dtype == np.float32
    assert np.array_equal(few, many[:1001])
    assert np.array_equal(latents_of([2400, 7, 7], 5, 3), many[[2400, 7, 7]])
    assert len(np.unique(many)) > 12_400  # no block is the copy of another
    assert not np.array_equal(few, latents_of(range(1001), 5, 4))
    assert many.mean() == pytest.approx(0, abs=0.03)
    assert many.std() == pytest.approx(1, abs=0.03)
    # The very numbers, or seeds would change their meaning.
    assert many[0, :3] == pytest.approx([-0.361026, 1.244152, -0.089804], abs=1e-5)
    assert many[2000, :3] == pytest.approx([-1.542222, -0.270282, -1.108381], abs=1e-5)


def test_a_seed_has_the_same_bits_on_every_machine():
    """Also where a block ends, for odd sizes and for the largest numbers."""
    assert gan.latents_of is latents_of
    drawn = [latents_of(range(900, 2100), 7, 3), latents_of([0, SEEDS - 1], 128, SEEDS - 1)]
    digest = hashlib.sha256(b"".join(one.astype("<f4").tobytes() for one in drawn)).hexdigest()
    assert digest == "675504e026c3f2ecf2c7df76bcfc38b569aecde21b53f8de4e8dc6d3c8a6766f"


@pytest.mark.parametrize(("noise_seed", "block"), [(0, 0), (5, 1), (SEEDS - 1, SEEDS // 1000)])
def test_they_are_the_random_numbers_of_tensorflow(noise_seed, block):
    """Bit for bit before sines and logarithms, and these but for the last bits of float32.

    TensorFlow takes them from the C library, which rounds 1 % of them to the other neighbour, and
    from CUDA on GPUs.
    """
    seed = tf.constant([noise_seed, EVALUATION], tf.int64)
    folded = tf.random.experimental.stateless_fold_in(seed, tf.constant(block, tf.int64), "philox")
    assert latents.block_key(noise_seed) == int(folded[0])
    upper, key = latents.counter_and_key(int(folded[0]), block)
    counters = np.zeros([50, 4], np.uint64)
    counters[:, 0], counters[:, 2:] = np.arange(50), upper
    bits = tf.random.stateless_uniform([200], folded, None, None, tf.uint32, alg="philox")
    np.testing.assert_array_equal(latents.philox(counters, key).ravel(), bits.numpy())
    count = min(1000, SEEDS - 1000 * block)
    ours = latents_of(np.arange(1000 * block, 1000 * block + count), 30, noise_seed)
    theirs = draw_latents([1000, 30], noise_seed, EVALUATION, block).numpy()[:count]
    np.testing.assert_array_max_ulp(ours, theirs, 4)
    assert np.mean(ours == theirs) > 0.97


def test_no_latent_depends_on_the_last_bits_of_float64():
    """All arguments are tried: what is rounded lies at least 16 units from where it would tip."""
    for part in np.split(np.arange(2**23, dtype=np.float32) / np.float32(2**23), 64):
        _, angles = latents.radii_and_angles(part, part)
        exact = {"angle": 2 * np.pi * part.astype(np.float64), "sine": np.sin(angles),
                 "logarithm": np.log(np.maximum(part, np.float32(1e-7)).astype(np.float64)),
                 "cosine": np.cos(angles)}  # fmt: skip
        for name, values in exact.items():
            values = np.abs(values[values != 0])
            rounded = values.astype(np.float32).astype(np.float64)
            bits = 2.0 ** (np.frexp(values)[1] - 24)  # the distance of numbers of float32 there
            tips = np.abs(np.abs(values - rounded) - bits / 2)
            assert (tips / (bits * 2.0**-29)).min() > 16, name


def test_a_program_without_tensorflow_draws_them():
    code = (
        "import sys; sys.modules.update(dict.fromkeys(('tensorflow', 'keras', 'PIL', 'absl')));"
        "import gan; from gan.sampling.latents import truncate;"
        "drawn = gan.latents_of([7, 1007], 100); print(drawn.tolist(), truncate(drawn, 1).max())"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert done.stdout.startswith(str(latents_of([7, 1007], 100).tolist()))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [(([-1], 3), "seeds: must be a list of whole numbers in 0..2147483647"),
     (([2**31], 3), "seeds: must be a list"), (([0.5], 3), "seeds: must be a list"),
     ((3, 3), "seeds: must be a list"), ((["a"], 3), "seeds: must be a list"),
     (([3], 0), "latent_dim=0: must be a whole number in 1..2147483647"),
     (([3], 2.0), "latent_dim=2.0: must be"),
     (([3], 2, -1), "noise_seed=-1: must be a whole number in 0..2147483647")],
)  # fmt: skip
def test_latents_are_for_seeds(arguments, message):
    with pytest.raises(UserError) as error:
        latents_of(*arguments)
    assert str(error.value).startswith(message)
    assert latents_of([], 3).shape == (0, 3)


@pytest.mark.parametrize("bound", [0.3, 1.0, 2.5])
def test_truncated_latents_have_the_truncated_normal_distribution(bound):
    latents = latents_of(range(2000), 10)
    moved = truncate(latents, bound)
    assert moved.dtype == np.float32
    assert np.abs(moved).max() <= bound
    assert stats.kstest(moved.ravel(), stats.truncnorm(-bound, bound).cdf).pvalue > 0.01
    # In the same order: a seed stays the same kind of image.
    assert np.all(np.diff(moved.ravel()[np.argsort(latents.ravel())]) >= 0)


def test_a_wide_bound_moves_nothing():
    latents = latents_of(range(100), 10)
    np.testing.assert_allclose(truncate(latents, 8.0), latents, atol=1e-6)


def test_the_way_between_two_latents_is_a_great_circle():
    first, last = np.array([2.0, 0, 0]), np.array([0, 2.0, 0])
    way = interpolate(first, last, 3)
    np.testing.assert_allclose(way, [[2, 0, 0], [2**0.5, 2**0.5, 0], [0, 2, 0]], atol=1e-6)
    a, b = latents_of([0, 1], 100)
    way = interpolate(a, b, 11)
    assert (way.shape, way.dtype) == ((11, 100), np.float32)
    np.testing.assert_allclose(way[[0, -1]], [a, b], atol=1e-6)
    lengths = np.linalg.norm(way, axis=1)
    assert lengths.min() > 0.95 * min(lengths[0], lengths[-1])  # never near to 0


@pytest.mark.parametrize("factor", [1.0, -1.0])
def test_where_there_is_no_circle_the_way_is_straight(factor):
    first = np.array([1.0, 2.0])
    np.testing.assert_allclose(interpolate(first, factor * first, 3)[1], (1 + factor) / 2 * first)
