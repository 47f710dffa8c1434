"""What a classifier says, by hand and where the answer is known."""

import numpy as np
import pytest
import scipy.stats

from gan.evaluation.metrics.classes import (
    class_counts,
    class_metrics,
    classifier_score,
    score_ceiling,
)


def test_classifier_score_of_known_cases():
    certain = np.eye(10)[np.arange(1000) % 10]
    assert classifier_score(certain) == pytest.approx(10)
    assert classifier_score(np.full((50, 10), 0.1)) == pytest.approx(1)
    assert classifier_score(certain[::10]) == pytest.approx(1)
    two = np.array([[0.9, 0.1], [0.1, 0.9]])
    expected = np.exp(0.9 * np.log(1.8) + 0.1 * np.log(0.2))
    assert classifier_score(two) == pytest.approx(expected)


def test_score_ceiling():
    counts = [980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009]  # MNIST's test labels
    labels = np.repeat(np.arange(10), counts)
    assert score_ceiling(labels) == pytest.approx(9.98, abs=0.005)
    assert score_ceiling(labels) == pytest.approx(classifier_score(np.eye(10)[labels]))
    assert score_ceiling(np.zeros(5, int)) == 1


def test_class_metrics_by_hand():
    labels = np.repeat([0, 1, 2], [50, 25, 25])
    probabilities = np.eye(3)[np.repeat([0, 1, 2], [60, 38, 2])]
    got = class_metrics(probabilities, labels)
    plug_in = 0.6 * np.log(0.6 / 0.5) + 0.38 * np.log(0.38 / 0.25) + 0.02 * np.log(0.02 / 0.25)
    assert got["class_kl"] == pytest.approx(plug_in - 2 / 200)
    assert got["classes"] == 2  # 2 % is less than a tenth of 25 %
    assert class_counts(probabilities, labels).tolist() == [60, 38, 2]


def test_classes_without_training_images_do_not_count():
    """Labels 0, 1 and 3. The oracle leaves out what does not exist, and counts the rest anew."""
    labels = np.repeat([0, 1, 3], [50, 30, 20])
    rng = np.random.default_rng(0)
    probabilities = rng.dirichlet([0.3] * 4, 500)
    assert (probabilities.argmax(1) == 2).sum() > 50  # of a class that nobody has seen
    among = probabilities[:, [0, 1, 3]].argmax(1)
    expected = class_metrics(np.eye(3)[among], np.repeat([0, 1, 2], [50, 30, 20]))
    got = class_metrics(probabilities, labels)
    assert got == pytest.approx(expected)
    assert got["classes"] == 3
    shares = np.bincount(among) / 500
    kl = scipy.stats.entropy(shares, [0.5, 0.3, 0.2]) - 2 / 1000
    assert got["class_kl"] == pytest.approx(kl)
    counts = class_counts(probabilities, labels)
    assert counts.tolist() == [(among == 0).sum(), (among == 1).sum(), 0, (among == 2).sum()]
    only = class_metrics(np.eye(4)[np.zeros(100, int)], labels)
    assert only == {"classes": 1, "class_kl": pytest.approx(np.log(2))}


def test_class_kl_is_zero_on_average_for_the_same_distribution():
    labels = np.repeat(np.arange(10), 100)
    rng = np.random.default_rng(0)
    found = [
        class_metrics(np.eye(10)[rng.integers(0, 10, 500)], labels)["class_kl"] for _ in range(300)
    ]
    error = 3 * np.std(found) / np.sqrt(300)
    assert error < 0.001  # the correction is 0.009
    assert np.mean(found) == pytest.approx(0, abs=error)
