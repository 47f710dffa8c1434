"""Metrics of nearest neighbours: precision, recall, density, coverage, 1-NN accuracy."""

from __future__ import annotations

from typing import NamedTuple

from gan.evaluation.metrics.distances import own_neighbours, squared_distances
from gan.lazy import np

K_PRECISION = 3  # neighbours of improved precision and recall; Kynkäänniemi et al.
K_DENSITY = 5  # neighbours of density and coverage; Naeem et al.


class RealNeighbours(NamedTuple):
    """Real features and what the neighbour metrics need of them alone."""

    features: np.ndarray  # [N, D]
    neighbours: np.ndarray  # [N, K_DENSITY] squared distances, ascending


def real_neighbours(real: np.ndarray) -> RealNeighbours:
    """Returns real features with the distances among themselves, to be used again."""
    return RealNeighbours(real, own_neighbours(real, K_DENSITY))


def neighbour_metrics(real: RealNeighbours, fake: np.ndarray) -> dict[str, float]:
    """Returns precision, recall, density, coverage and 1-nearest-neighbour accuracy.

    One pass over the distances between real and fake gives them all. A ball is open: a point on
    its border is outside. For 1-NN both sides weigh the same, however many images they have.

    Args:
        real: Of `real_neighbours`.
        fake: [M, D].

    References:
        Kynkäänniemi et al. 2019, arXiv:1904.06991, equations 1 and 2 (precision, recall).
        Naeem et al. 2020, arXiv:2002.09797, equations 4 and 5 (density, coverage).
        Lopez-Paz and Oquab 2017, arXiv:1610.06545, section 3 (two-sample test).
    """
    own = own_neighbours(fake, K_PRECISION)
    count, k = len(real.features), K_DENSITY
    ball_3, ball_5 = real.neighbours[:, K_PRECISION - 1], real.neighbours[:, K_DENSITY - 1]
    precise = np.zeros(len(fake), bool)
    balls = np.zeros(len(fake))
    fake_to_real = np.empty(len(fake))
    recalled = np.zeros(count, bool)
    real_to_fake = np.full(count, np.inf)
    for rows, distances in squared_distances(fake, real.features):
        precise[rows] = (distances < ball_3).any(1)
        balls[rows] = (distances < ball_5).sum(1)
        fake_to_real[rows] = distances.min(1)
        recalled |= (distances < own[rows, K_PRECISION - 1 :]).any(0)
        np.minimum(real_to_fake, distances.min(0), out=real_to_fake)
    real_right = np.mean(real.neighbours[:, 0] < real_to_fake)
    fake_right = np.mean(own[:, 0] < fake_to_real)
    return {
        "precision": float(precise.mean()),
        "recall": float(recalled.mean()),
        "density": float(balls.mean() / k),
        "coverage": float(np.mean(real_to_fake < ball_5)),
        "one_nn_accuracy": float((real_right + fake_right) / 2),
    }


def coverage_ceiling(real_count: int, fake_count: int) -> float:
    """Returns the mean coverage when samples and real images come from the same distribution.

    A real image is not covered when its k nearest images, of both kinds together, are all real.
    0.9688 for k = 5 and as many samples as real images.
    """
    i = np.arange(K_DENSITY)
    others = real_count - 1
    return float(1 - np.prod((others - i) / (others + fake_count - i)))
