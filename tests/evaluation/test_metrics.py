"""Metrics against other packages, closed forms and cases whose answer is known."""

import numpy as np
import pytest
import scipy.linalg
import scipy.stats
from hypothesis import given, settings
from hypothesis import strategies as st

from gan.evaluation import metrics


def gaussians(seed, count=2000, dim=16, mean=0.0, scale=1.0):
    return np.random.default_rng(seed).normal(mean, scale, (count, dim))


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
    got = metrics.neighbour_metrics(metrics.real_neighbours(real), fake)
    names = ("precision", "recall", "density", "coverage")
    assert [got[name] for name in names] == pytest.approx(expected, abs=1e-12)


def test_blocks_of_distances_change_nothing(monkeypatch):
    real, fake = gaussians(0, 300), gaussians(1, 200)
    whole = metrics.neighbour_metrics(metrics.real_neighbours(real), fake)
    nearest = metrics.nearest(fake, real)
    own = metrics.own_neighbours(real, 1)[:, 0]
    monkeypatch.setattr(metrics, "CHUNK_BYTES", 8 * 300 * 7)  # 7 rows at a time
    assert [r.stop - r.start for r, _ in metrics.squared_distances(fake, real)][:2] == [7, 7]
    assert metrics.neighbour_metrics(metrics.real_neighbours(real), fake) == whole
    distances, indices = metrics.nearest(fake, real)
    assert distances == pytest.approx(nearest[0], rel=1e-12)
    assert np.array_equal(indices, nearest[1])
    some = np.arange(0, 300, 3)[::-1]
    assert metrics.nearest(real[some], real, some)[0] == pytest.approx(own[some], rel=1e-12)


def test_one_nn_accuracy_by_hand():
    # Real at 0, 1; samples at 1.2, 10. The nearest of 0 is 1: right. Of 1 it is 1.2: wrong.
    # Of 1.2 it is 1: wrong. Of 10 it is 1.2: right. The other points are far from all of these.
    far = [[100.0], [100.1], [100.2], [100.3]]
    real = np.array([[0.0], [1.0], *far])
    fake = np.array([[1.2], [10.0], [200.0], [200.1], [200.2]])
    got = metrics.neighbour_metrics(metrics.real_neighbours(real), fake)["one_nn_accuracy"]
    assert got == pytest.approx((5 / 6 + 4 / 5) / 2)


def test_one_nn_accuracy_of_the_same_distribution_is_a_half():
    real = metrics.real_neighbours(gaussians(0))
    same = metrics.neighbour_metrics(real, gaussians(1))["one_nn_accuracy"]
    assert same == pytest.approx(0.5, abs=0.035)  # 3 standard errors of 4,000 answers are 0.024
    far = metrics.neighbour_metrics(real, gaussians(1, mean=5))["one_nn_accuracy"]
    assert far == 1
    copies = metrics.neighbour_metrics(real, real.features + 1e-9)["one_nn_accuracy"]
    assert copies == 0


def test_coverage_of_the_same_distribution_meets_its_ceiling():
    assert metrics.coverage_ceiling(10_000, 10_000) == pytest.approx(0.9688, abs=5e-5)
    assert metrics.coverage_ceiling(10**9, 10**9) == pytest.approx(1 - 2**-5, abs=1e-8)
    for n, m in ((1500, 1500), (1500, 500)):
        got = [
            metrics.neighbour_metrics(
                metrics.real_neighbours(gaussians(2 * i, n, 8)), gaussians(2 * i + 1, m, 8)
            )["coverage"]
            for i in range(4)
        ]
        assert np.mean(got) == pytest.approx(metrics.coverage_ceiling(n, m), abs=0.012)


def test_collapse_to_one_mode_has_high_precision_and_low_recall():
    rng = np.random.default_rng(0)
    centres = rng.normal(0, 10, (10, 16))
    real = np.concatenate([c + rng.normal(size=(200, 16)) for c in centres])
    collapsed = centres[0] + 0.5 * rng.normal(size=(2000, 16))
    got = metrics.neighbour_metrics(metrics.real_neighbours(real), collapsed)
    assert got["precision"] > 0.99
    assert got["recall"] < 0.05
    assert got["coverage"] < 0.11
    assert got["density"] > 2


def test_frechet_distance_against_scipys_matrix_root():
    real, fake = gaussians(0) @ gaussians(2, 16), gaussians(1, mean=0.3) @ gaussians(3, 16)
    a, b = np.cov(real, rowvar=False), np.cov(fake, rowvar=False)
    root = scipy.linalg.sqrtm(a @ b).real
    mean = np.sum((real.mean(0) - fake.mean(0)) ** 2)
    expected = mean + np.trace(a) + np.trace(b) - 2 * np.trace(root)
    assert metrics.frechet_distance(real, fake) == pytest.approx(expected, rel=1e-9)


def test_frechet_distance_of_gaussians_in_closed_form():
    # Diagonal covariances: |m|^2 + sum (s_a - s_b)^2.
    sa, sb, m = np.array([1.0, 2.0, 0.0]), np.array([3.0, 0.5, 0.0]), np.array([1.0, -2.0, 0.5])
    got = metrics.frechet_of_moments(np.zeros(3), np.diag(sa**2), m, np.diag(sb**2))
    assert got == pytest.approx(5.25 + 4 + 2.25, abs=1e-12)


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(2, 12))
def test_frechet_distance_is_symmetric_and_zero_on_itself(seed, dim):
    x, y = gaussians(seed, 50, dim), gaussians(seed + 1, 60, dim, 0.5, 2)
    forth, back = metrics.frechet_distance(x, y), metrics.frechet_distance(y, x)
    assert forth == pytest.approx(back, rel=1e-9)
    assert forth > 0
    assert metrics.frechet_distance(x, x) == pytest.approx(0, abs=1e-7)
    singular = np.concatenate([x, x], axis=1)
    assert metrics.frechet_distance(singular, singular) == pytest.approx(0, abs=1e-6)


@pytest.mark.parametrize("spectrum", ["flat", "steep"])
def test_frechet_bias_is_what_gaussians_show(spectrum):
    dim, n, m = 24, 1500, 1000
    scales = np.ones(dim) if spectrum == "flat" else np.geomspace(3, 0.01, dim)
    got = [
        metrics.frechet_distance(
            gaussians(2 * i, n, dim) * scales, gaussians(2 * i + 1, m, dim) * scales
        )
        for i in range(300)
    ]
    expected = metrics.frechet_bias(np.diag(scales**2), n, m)
    error = 3 * np.std(got) / np.sqrt(len(got))
    assert error < 0.07 * expected
    assert np.mean(got) == pytest.approx(expected, abs=error + 0.01 * expected)


def test_frechet_bias_for_unit_covariance_by_hand():
    # (1/n + 1/m) (d + d/4 + d^2/4)
    assert metrics.frechet_bias(np.eye(4), 100, 50) == pytest.approx(0.03 * (4 + 1 + 4))


def test_extrapolation_takes_the_bias_off():
    assert metrics.EXTRAPOLATION_SIZES >= 10
    truth = 24 * 0.1**2
    distances, extrapolated = [], []
    for i in range(8):
        x, y = gaussians(2 * i, 4000, 24), gaussians(2 * i + 1, 4000, 24, mean=0.1)
        distances.append(metrics.frechet_distance(x, y))
        extrapolated.append(metrics.frechet_infinity(x, y))
    bias = metrics.frechet_bias(np.eye(24), 4000, 4000)
    assert np.mean(distances) == pytest.approx(truth + bias, rel=0.05)
    error = 3 * np.std(extrapolated) / np.sqrt(8)
    assert error < 0.5 * bias
    assert np.mean(extrapolated) == pytest.approx(truth, abs=error)
    assert metrics.frechet_infinity(x, y) == extrapolated[-1]


def test_squared_mmd_written_out():
    x, y = gaussians(0, 30, 5), gaussians(1, 30, 5, mean=0.5)
    kernel = np.vectorize(lambda a, b: (np.dot(a, b) / 5 + 1) ** 3, signature="(d),(d)->()")
    pairs = [(i, j) for i in range(30) for j in range(30) if i != j]
    within = np.mean([kernel(x[i], x[j]) + kernel(y[i], y[j]) for i, j in pairs])
    between = np.mean([kernel(a, b) for a in x for b in y])
    assert metrics.squared_mmd(x, y) == pytest.approx(within - 2 * between, rel=1e-10)


def test_kid_is_the_mean_of_disjoint_blocks_with_its_standard_error():
    x, y = gaussians(0, 400, 5), gaussians(1, 500, 5, mean=0.5)
    rng = np.random.default_rng(7)
    a, b = rng.permutation(400).reshape(10, 40), rng.permutation(500)[:400].reshape(10, 40)
    values = [metrics.squared_mmd(x[i], y[j]) for i, j in zip(a, b, strict=True)]
    mean, error = metrics.kid(x, y, seed=7)
    assert mean == pytest.approx(np.mean(values), rel=1e-10)
    assert error == pytest.approx(np.std(values, ddof=1) / np.sqrt(10), rel=1e-10)


def test_kid_is_unbiased():
    found = [metrics.kid(gaussians(2 * i, 500, 8), gaussians(2 * i + 1, 500, 8)) for i in range(30)]
    means, errors = np.array(found).T
    assert abs(means.mean()) < 3 * means.std() / np.sqrt(30)
    assert errors.mean() == pytest.approx(means.std(), rel=0.35)  # the error bar is honest


def test_classifier_score_of_known_cases():
    certain = np.eye(10)[np.arange(1000) % 10]
    assert metrics.classifier_score(certain) == pytest.approx(10)
    assert metrics.classifier_score(np.full((50, 10), 0.1)) == pytest.approx(1)
    assert metrics.classifier_score(certain[::10]) == pytest.approx(1)
    two = np.array([[0.9, 0.1], [0.1, 0.9]])
    expected = np.exp(0.9 * np.log(1.8) + 0.1 * np.log(0.2))
    assert metrics.classifier_score(two) == pytest.approx(expected)


def test_score_ceiling():
    counts = [980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009]  # MNIST's test labels
    labels = np.repeat(np.arange(10), counts)
    assert metrics.score_ceiling(labels) == pytest.approx(9.98, abs=0.005)
    assert metrics.score_ceiling(labels) == pytest.approx(
        metrics.classifier_score(np.eye(10)[labels])
    )
    assert metrics.score_ceiling(np.zeros(5, int)) == 1


def test_class_metrics_by_hand():
    labels = np.repeat([0, 1, 2], [50, 25, 25])
    probabilities = np.eye(3)[np.repeat([0, 1, 2], [60, 38, 2])]
    got = metrics.class_metrics(probabilities, labels)
    plug_in = 0.6 * np.log(0.6 / 0.5) + 0.38 * np.log(0.38 / 0.25) + 0.02 * np.log(0.02 / 0.25)
    assert got["class_kl"] == pytest.approx(plug_in - 2 / 200)
    assert got["classes"] == 2  # 2 % is less than a tenth of 25 %
    assert metrics.class_counts(probabilities, labels).tolist() == [60, 38, 2]


def test_classes_without_training_images_do_not_count():
    """Labels 0, 1 and 3. The oracle leaves out what does not exist, and counts the rest anew."""
    labels = np.repeat([0, 1, 3], [50, 30, 20])
    rng = np.random.default_rng(0)
    probabilities = rng.dirichlet([0.3] * 4, 500)
    assert (probabilities.argmax(1) == 2).sum() > 50  # of a class that nobody has seen
    among = probabilities[:, [0, 1, 3]].argmax(1)
    expected = metrics.class_metrics(np.eye(3)[among], np.repeat([0, 1, 2], [50, 30, 20]))
    got = metrics.class_metrics(probabilities, labels)
    assert got == pytest.approx(expected)
    assert got["classes"] == 3
    shares = np.bincount(among) / 500
    kl = scipy.stats.entropy(shares, [0.5, 0.3, 0.2]) - 2 / 1000
    assert got["class_kl"] == pytest.approx(kl)
    counts = metrics.class_counts(probabilities, labels)
    assert counts.tolist() == [(among == 0).sum(), (among == 1).sum(), 0, (among == 2).sum()]
    only = metrics.class_metrics(np.eye(4)[np.zeros(100, int)], labels)
    assert only == {"classes": 1, "class_kl": pytest.approx(np.log(2))}


def test_class_kl_is_zero_on_average_for_the_same_distribution():
    labels = np.repeat(np.arange(10), 100)
    rng = np.random.default_rng(0)
    found = [
        metrics.class_metrics(np.eye(10)[rng.integers(0, 10, 500)], labels)["class_kl"]
        for _ in range(300)
    ]
    error = 3 * np.std(found) / np.sqrt(300)
    assert error < 0.001  # the correction is 0.009
    assert np.mean(found) == pytest.approx(0, abs=error)


def test_nearest_against_scipy():
    x, y = gaussians(0, 200), gaussians(1, 300)
    distances = scipy.spatial.distance.cdist(x, y, "sqeuclidean")
    found, indices = metrics.nearest(x, y)
    assert np.array_equal(indices, distances.argmin(1))
    assert found == pytest.approx(distances.min(1), rel=1e-9)
    own = metrics.own_neighbours(x, 4)
    expected = np.sort(scipy.spatial.distance.cdist(x, x, "sqeuclidean"), axis=1)[:, 1:5]
    assert own == pytest.approx(expected, rel=1e-9)


def test_pixel_distances_of_bytes_are_exact():
    rng = np.random.default_rng(0)
    x, y = (rng.integers(0, 256, (40, 784), np.uint8) for _ in range(2))
    (_, found), *_ = metrics.squared_distances(x, y)
    exact = ((x[:, None].astype(np.int64) - y[None].astype(np.int64)) ** 2).sum(2)
    assert np.array_equal(found, exact)


def test_memorised_shares():
    training, test = gaussians(0, 3000, 4), gaussians(1, 1000, 4)
    threshold = metrics.memorisation_threshold(metrics.nearest(test, training)[0])
    share = lambda x: metrics.memorised_share(metrics.nearest(x, training)[0], threshold)  # noqa: E731
    assert share(test) == pytest.approx(0.01, abs=0.001)
    assert share(gaussians(2, 1000, 4)) == pytest.approx(0.01, abs=0.014)
    assert share(np.concatenate([training[:300], gaussians(3, 700, 4)])) == pytest.approx(
        0.307, abs=0.014
    )
    assert share(gaussians(4, 1000, 4, mean=9)) == 0


def test_the_share_nearer_to_training_images_is_their_part_of_all_images():
    """Where nothing is copied, even of plain samples, which look memorised; ties count half."""
    training, test = gaussians(0, 3000, 4), gaussians(1, 1000, 4)
    threshold = metrics.memorisation_threshold(metrics.nearest(test, training)[0])
    plain = 0.7 * gaussians(3, 2000, 4)
    assert metrics.memorised_share(metrics.nearest(plain, training)[0], threshold) > 0.015
    share = lambda x: metrics.dcr_share(  # noqa: E731
        metrics.nearest(x, training)[0], metrics.nearest(x, test)[0]
    )
    for samples in (gaussians(2, 2000, 4), plain, 1.5 * gaussians(4, 2000, 4)):
        assert share(samples) == pytest.approx(0.75, abs=0.03)
    assert share(np.concatenate([training[:400], gaussians(5, 1600, 4)])) == pytest.approx(
        0.2 + 0.8 * 0.75, abs=0.03
    )
    assert metrics.dcr_share(np.array([1, 2, 3, 3]), np.array([2, 2, 1, 4])) == 0.625


def test_a_point_is_not_its_own_neighbour():
    points = np.array([[0.0], [1.0], [3.0], [3.5]])
    distances, indices = metrics.nearest(points[[3, 0]], points, np.array([3, 0]))
    assert (distances.tolist(), indices.tolist()) == ([0.25, 1.0], [2, 1])
    assert metrics.nearest(points[[3, 0]], points)[1].tolist() == [3, 0]


def test_suspicion_is_on_the_side_that_real_images_do_not_reach():
    suspicious = {name: metrics.METRICS[name].suspicious for name in metrics.METRICS}
    assert suspicious["fcd"](0.7, 1.0, 0.1)
    assert not suspicious["fcd"](0.85, 1.0, 0.1)
    assert not suspicious["fcd"](9.0, 1.0, 0.1)
    assert suspicious["precision"](0.99, 0.95, 0.01)
    assert not suspicious["precision"](0.5, 0.95, 0.01)
    assert suspicious["one_nn_accuracy"](0.4, 0.5, 0.01)
    assert suspicious["memorised_pixels"](0.3, 0.01, 0.001)
    assert not suspicious["memorised_pixels"](0.0, 0.01, 0.001)
