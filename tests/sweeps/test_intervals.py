"""Means with t-intervals, beside literal values and SciPy."""

import math

import numpy as np
import pytest
from scipy import stats

from gan.sweeps.intervals import Mean, in_words, mean_of, overlap, t_quantile


@pytest.mark.parametrize(
    ("freedom", "quantile"),
    [(1, 12.7062), (2, 4.3027), (3, 3.1824), (4, 2.7764), (9, 2.2622), (19, 2.0930)],
)
def test_quantiles_are_those_of_printed_tables(freedom, quantile):
    assert t_quantile(freedom) == pytest.approx(quantile, abs=5e-5)


@pytest.mark.parametrize("freedom", [1, 2, 3, 7, 8, 50, 999, 1000])
def test_quantiles_are_those_of_scipy(freedom):
    assert t_quantile(freedom) == pytest.approx(stats.t.ppf(0.975, freedom), rel=1e-9)


def test_the_interval_of_a_mean():
    values = np.random.default_rng(0).normal(3, 2, 12)
    low, high = stats.t.interval(0.95, 11, np.mean(values), stats.sem(values))
    mean = mean_of(list(values))
    assert (mean.mean - mean.half, mean.mean + mean.half) == pytest.approx((low, high), rel=1e-12)
    assert mean.size == 12
    assert mean_of([7.0]) == Mean(7.0, None, 1)
    assert mean_of([]) is None
    assert mean_of([1e300, 1e300]).mean == pytest.approx(1e300)
    assert mean_of([1e308, 1e308]) == Mean(1e308, 0, 2)
    huge = mean_of([1e200, 3e200])  # whose squares are not finite: t(1) = 12.706
    assert (huge.mean, huge.half) == pytest.approx((2e200, 12.706e200), rel=1e-4)
    assert in_words(mean_of([1e308, -1e308])) == "0 ± inf"


@pytest.mark.parametrize(
    ("values", "text"),
    [
        ([1.0, 2.0, 4.5], "2.5 ± 4.5"),  # half 4.48
        ([0.348, 0.352, 0.35], "0.3500 ± 0.0050"),
        ([1000, 2000], "1500 ± 6353"),
        ([0.1234567], "0.1235"),
        ([963.2317], "963.2"),
        ([10, 10, 10], "10 ± 0"),
        ([0.25, 0.25], "0.2500 ± 0.0000"),
        ([0, 0], "0 ± 0"),
        ([-0.8, -0.9], "-0.85 ± 0.64"),
        ([], "failed"),
    ],
)
def test_a_mean_is_printed_with_two_digits_of_its_interval(values, text):
    assert in_words(mean_of(values)) == text


def test_digits_can_be_asked_for():
    assert in_words(mean_of([1.0, 2.0, 4.5]), 2) == "2.50 ± 4.48"


def test_intervals_that_touch_overlap_and_those_of_one_value_are_not_known():
    assert overlap(Mean(1, 0.5, 3), Mean(2, 0.5, 3))
    assert not overlap(Mean(1, 0.5, 3), Mean(2, 0.49, 3))
    assert not overlap(Mean(2, 0.49, 3), Mean(1, 0.5, 3))
    assert overlap(Mean(1, None, 1), Mean(math.inf, 0.1, 3))
