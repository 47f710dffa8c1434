import numpy as np
import pytest
from scipy import stats

from gan.sampling.latents import interpolate, latents_of, truncate


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
