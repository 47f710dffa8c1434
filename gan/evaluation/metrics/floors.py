"""Floors: what real examples get, over several draws."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from gan.lazy import np

FLOOR_DRAWS = 20  # of real examples; through Inception there are fewer


class Floor(NamedTuple):
    """What real examples get: mean and standard deviation over draws of as many as the samples."""

    mean: float
    sd: float


def floors_of(draws: Sequence[Mapping[str, float]]) -> dict[str, Floor]:
    """Returns the floors of metrics, from their values in each draw."""
    columns = {name: [values[name] for values in draws] for name in draws[0]}
    return {n: Floor(float(np.mean(c)), float(np.std(c, ddof=1))) for n, c in columns.items()}


def floor_without_copies(share: float, known_of: int, count: int) -> Floor:
    """Returns the floor of a share of `count` images that is known from a number of images.

    Of a few images it may be known as 0 or 1, but not without doubt: one in n + 2 is the rule of
    succession.
    """
    doubtful = 1 / (known_of + 2)
    p = min(max(share, doubtful), 1 - doubtful)
    return Floor(share, float(np.sqrt(p * (1 - p) * (1 / count + 1 / known_of))))
