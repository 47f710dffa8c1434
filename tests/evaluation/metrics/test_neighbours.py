"""Precision, recall, density, coverage and 1-NN accuracy, against prdc and by hand."""

import numpy as np
import pytest

from gan.evaluation.metrics import distances
from gan.evaluation.metrics.distances import nearest, own_neighbours, squared_distances
from gan.evaluation.metrics.neighbours import coverage_ceiling, neighbour_metrics, real_neighbours
from support import gaussians


@pytest.mark.parametrize(
    ("counts", "of_fakes", "expected"),
    [
        ((2000, 2000), {"mean": 0.15, "scale": 0.8}, (0.969, 0.406, 2.2131, 0.9775)),
        ((700, 400), {"scale": 1.2}, (0.5075, 664 / 700, 0.407, 440 / 700)),
    ],
)
def test_precision_recall_density_coverage_are_those_of_prdc(counts, of_fakes, expected):
    """What compute_prdc of prdc 0.2 returns, with 3 neighbours for the first two and 5."""
    real, fake = gaussians(0, counts[0]), gaussians(1, counts[1], **of_fakes)
    got = neighbour_metrics(real_neighbours(real), fake)
    names = ("precision", "recall", "density", "coverage")
    assert [got[name] for name in names] == pytest.approx(expected, abs=1e-12)


def test_blocks_of_distances_change_nothing(monkeypatch):
    real, fake = gaussians(0, 300), gaussians(1, 200)
    whole = neighbour_metrics(real_neighbours(real), fake)
    minima, who = nearest(fake, real)
    own = own_neighbours(real, 1)[:, 0]
    monkeypatch.setattr(distances, "CHUNK_BYTES", 8 * 300 * 7)  # 7 rows at a time
    assert [r.stop - r.start for r, _ in squared_distances(fake, real)][:2] == [7, 7]
    assert neighbour_metrics(real_neighbours(real), fake) == whole
    again, indices = nearest(fake, real)
    assert again == pytest.approx(minima, rel=1e-12)
    assert np.array_equal(indices, who)
    some = np.arange(0, 300, 3)[::-1]
    assert nearest(real[some], real, some)[0] == pytest.approx(own[some], rel=1e-12)


def test_one_nn_accuracy_by_hand():
    # Real at 0, 1; samples at 1.2, 10. The nearest of 0 is 1: right. Of 1 it is 1.2: wrong.
    # Of 1.2 it is 1: wrong. Of 10 it is 1.2: right. The other points are far from all of these.
    far = [[100.0], [100.1], [100.2], [100.3]]
    real = np.array([[0.0], [1.0], *far])
    fake = np.array([[1.2], [10.0], [200.0], [200.1], [200.2]])
    got = neighbour_metrics(real_neighbours(real), fake)["one_nn_accuracy"]
    assert got == pytest.approx((5 / 6 + 4 / 5) / 2)


def test_one_nn_accuracy_of_the_same_distribution_is_a_half():
    real = real_neighbours(gaussians(0))
    same = neighbour_metrics(real, gaussians(1))["one_nn_accuracy"]
    assert same == pytest.approx(0.5, abs=0.035)  # 3 standard errors of 4,000 answers are 0.024
    far = neighbour_metrics(real, gaussians(1, mean=5))["one_nn_accuracy"]
    assert far == 1
    copies = neighbour_metrics(real, real.features + 1e-9)["one_nn_accuracy"]
    assert copies == 0


def test_coverage_of_the_same_distribution_meets_its_ceiling():
    assert coverage_ceiling(10_000, 10_000) == pytest.approx(0.9688, abs=5e-5)
    assert coverage_ceiling(10**9, 10**9) == pytest.approx(1 - 2**-5, abs=1e-8)
    for n, m in ((1500, 1500), (1500, 500)):
        got = [
            neighbour_metrics(real_neighbours(gaussians(2 * i, n, 8)), gaussians(2 * i + 1, m, 8))[
                "coverage"
            ]
            for i in range(4)
        ]
        assert np.mean(got) == pytest.approx(coverage_ceiling(n, m), abs=0.012)


def test_collapse_to_one_mode_has_high_precision_and_low_recall():
    rng = np.random.default_rng(0)
    centres = rng.normal(0, 10, (10, 16))
    real = np.concatenate([c + rng.normal(size=(200, 16)) for c in centres])
    collapsed = centres[0] + 0.5 * rng.normal(size=(2000, 16))
    got = neighbour_metrics(real_neighbours(real), collapsed)
    assert got["precision"] > 0.99
    assert got["recall"] < 0.05
    assert got["coverage"] < 0.11
    assert got["density"] > 2
