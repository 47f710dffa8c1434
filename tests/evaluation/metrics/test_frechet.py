"""The Fréchet distance against SciPy, closed forms, and many draws."""

import numpy as np
import pytest
import scipy.linalg
from hypothesis import given, settings
from hypothesis import strategies as st

from gan.evaluation.metrics.frechet import (
    EXTRAPOLATION_SIZES,
    frechet_bias,
    frechet_distance,
    frechet_infinity,
    frechet_of_moments,
)
from support import gaussians


def test_frechet_distance_against_scipys_matrix_root():
    real, fake = gaussians(0) @ gaussians(2, 16), gaussians(1, mean=0.3) @ gaussians(3, 16)
    a, b = np.cov(real, rowvar=False), np.cov(fake, rowvar=False)
    root = scipy.linalg.sqrtm(a @ b).real
    mean = np.sum((real.mean(0) - fake.mean(0)) ** 2)
    expected = mean + np.trace(a) + np.trace(b) - 2 * np.trace(root)
    assert frechet_distance(real, fake) == pytest.approx(expected, rel=1e-9)


def test_frechet_distance_of_gaussians_in_closed_form():
    # Diagonal covariances: |m|^2 + sum (s_a - s_b)^2.
    sa, sb, m = np.array([1.0, 2.0, 0.0]), np.array([3.0, 0.5, 0.0]), np.array([1.0, -2.0, 0.5])
    got = frechet_of_moments(np.zeros(3), np.diag(sa**2), m, np.diag(sb**2))
    assert got == pytest.approx(5.25 + 4 + 2.25, abs=1e-12)


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(2, 12))
def test_frechet_distance_is_symmetric_and_zero_on_itself(seed, dim):
    x, y = gaussians(seed, 50, dim), gaussians(seed + 1, 60, dim, 0.5, 2)
    forth, back = frechet_distance(x, y), frechet_distance(y, x)
    assert forth == pytest.approx(back, rel=1e-9)
    assert forth > 0
    assert frechet_distance(x, x) == pytest.approx(0, abs=1e-7)
    singular = np.concatenate([x, x], axis=1)
    assert frechet_distance(singular, singular) == pytest.approx(0, abs=1e-6)


@pytest.mark.parametrize("spectrum", ["flat", "steep"])
def test_frechet_bias_is_what_gaussians_show(spectrum):
    dim, n, m = 24, 1500, 1000
    scales = np.ones(dim) if spectrum == "flat" else np.geomspace(3, 0.01, dim)
    got = [
        frechet_distance(gaussians(2 * i, n, dim) * scales, gaussians(2 * i + 1, m, dim) * scales)
        for i in range(300)
    ]
    expected = frechet_bias(np.diag(scales**2), n, m)
    error = 3 * np.std(got) / np.sqrt(len(got))
    assert error < 0.07 * expected
    assert np.mean(got) == pytest.approx(expected, abs=error + 0.01 * expected)


def test_frechet_bias_for_unit_covariance_by_hand():
    # (1/n + 1/m) (d + d/4 + d^2/4)
    assert frechet_bias(np.eye(4), 100, 50) == pytest.approx(0.03 * (4 + 1 + 4))


def test_extrapolation_takes_the_bias_off():
    assert EXTRAPOLATION_SIZES >= 10
    truth = 24 * 0.1**2
    distances, extrapolated = [], []
    for i in range(8):
        x, y = gaussians(2 * i, 4000, 24), gaussians(2 * i + 1, 4000, 24, mean=0.1)
        distances.append(frechet_distance(x, y))
        extrapolated.append(frechet_infinity(x, y))
    bias = frechet_bias(np.eye(24), 4000, 4000)
    assert np.mean(distances) == pytest.approx(truth + bias, rel=0.05)
    error = 3 * np.std(extrapolated) / np.sqrt(8)
    assert error < 0.5 * bias
    assert np.mean(extrapolated) == pytest.approx(truth, abs=error)
    assert frechet_infinity(x, y) == extrapolated[-1]
