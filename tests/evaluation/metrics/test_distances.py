"""Distances and nearest neighbours against SciPy."""

import numpy as np
import pytest
import scipy.spatial

from gan.evaluation.metrics.distances import nearest, own_neighbours, squared_distances
from support import gaussians


def test_nearest_against_scipy():
    x, y = gaussians(0, 200), gaussians(1, 300)
    distances = scipy.spatial.distance.cdist(x, y, "sqeuclidean")
    found, indices = nearest(x, y)
    assert np.array_equal(indices, distances.argmin(1))
    assert found == pytest.approx(distances.min(1), rel=1e-9)
    own = own_neighbours(x, 4)
    expected = np.sort(scipy.spatial.distance.cdist(x, x, "sqeuclidean"), axis=1)[:, 1:5]
    assert own == pytest.approx(expected, rel=1e-9)


def test_pixel_distances_of_bytes_are_exact():
    rng = np.random.default_rng(0)
    x, y = (rng.integers(0, 256, (40, 784), np.uint8) for _ in range(2))
    (_, found), *_ = squared_distances(x, y)
    exact = ((x[:, None].astype(np.int64) - y[None].astype(np.int64)) ** 2).sum(2)
    assert np.array_equal(found, exact)


def test_a_point_is_not_its_own_neighbour():
    points = np.array([[0.0], [1.0], [3.0], [3.5]])
    distances, indices = nearest(points[[3, 0]], points, np.array([3, 0]))
    assert (distances.tolist(), indices.tolist()) == ([0.25, 1.0], [2, 1])
    assert nearest(points[[3, 0]], points)[1].tolist() == [3, 0]
