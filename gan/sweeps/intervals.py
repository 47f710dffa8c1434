"""Means over seeds with 95 % t-intervals, without SciPy."""

import math
from collections.abc import Sequence
from typing import NamedTuple

SHARE = 0.95
HALVINGS = 100  # of an interval between two floats: as near as float64 comes


class Mean(NamedTuple):
    """The mean of some values and how well they tell it."""

    mean: float
    half: float | None  # half the width of the 95 % t-interval; None of one value
    size: int  # how many values


def mean_of(values: Sequence[float]) -> Mean | None:
    """Returns the mean of values with its interval, None of no values."""
    count = len(values)
    if not count:
        return None
    try:
        mean = math.fsum(values) / count
    except OverflowError:  # the mean is finite all the same
        mean = math.fsum(value / count for value in values)
    if count == 1:
        return Mean(mean, None, 1)
    deviation = math.hypot(*(value - mean for value in values)) / math.sqrt(count - 1)
    return Mean(mean, t_quantile(count - 1) * deviation / math.sqrt(count), count)


def t_quantile(freedom: int) -> float:
    """Returns the t that `SHARE` of Student's distribution lies within, on both sides of 0.

    Args:
        freedom: Degrees of freedom, at least 1.
    """
    low, high = 0.0, math.pi / 2
    for _ in range(HALVINGS):
        middle = (low + high) / 2
        low, high = (middle, high) if within(middle, freedom) < SHARE else (low, middle)
    return math.sqrt(freedom) * math.tan(low)


def within(angle: float, freedom: int) -> float:
    """Returns the share of Student's distribution between -t and t.

    Args:
        angle: Of t = sqrt(freedom) tan(angle), in 0..pi/2.
        freedom: Degrees of freedom, at least 1.

    References:
        Abramowitz and Stegun 1964, equations 26.7.3 (odd) and 26.7.4 (even degrees of freedom).
    """
    cosine, odd = math.cos(angle), freedom % 2
    term, total = (cosine if odd else 1.0), 0.0
    for k in range(2 + odd, freedom + 1, 2):  # the term with cos^(k - 2)
        total += term
        term *= cosine**2 * (k - 1) / k
    if odd:
        return (angle + math.sin(angle) * total) * 2 / math.pi
    return math.sin(angle) * total


def overlap(a: Mean, b: Mean) -> bool:
    """Returns whether two intervals overlap, so that the means cannot be told apart by them."""
    return a.half is None or b.half is None or abs(a.mean - b.mean) <= a.half + b.half


def in_words(mean: Mean | None, decimals: int | None = None) -> str:
    """Returns "mean ± half-width", "failed" of no values.

    Args:
        mean: Of `mean_of`.
        decimals: None: so many that the half-width has two digits, or one value four.
    """
    if mean is None:
        return "failed"
    if decimals is None:
        size, digits = (mean.half, 2) if mean.half else (abs(mean.mean), 4)
        whole = not size or size == math.inf or (not mean.half and mean.mean == int(mean.mean))
        decimals = 0 if whole else min(8, max(0, digits - 1 - math.floor(math.log10(size))))
    text = f"{mean.mean:.{decimals}f}"
    return text if mean.half is None else f"{text} ± {mean.half:.{decimals}f}"
