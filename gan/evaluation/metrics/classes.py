"""Metrics of what a classifier says: score, classes present, their shares."""

from __future__ import annotations

from gan.lazy import np

PRESENT_SHARE = 0.1  # of a class's share among training images, from which on it is present


def classifier_score(probabilities: np.ndarray) -> float:
    """Returns exp of the mean KL divergence of p(y|x) from its mean p(y).

    References:
        Salimans et al. 2016, arXiv:1606.03498, section 4.
    """
    p = np.asarray(probabilities, np.float64)
    ratio = np.log(np.maximum(p, 1e-300)) - np.log(np.maximum(p.mean(0), 1e-300))
    return float(np.exp(np.mean(np.sum(p * ratio, axis=1))))


def class_metrics(probabilities: np.ndarray, training_labels: np.ndarray) -> dict[str, float]:
    """Returns the number of classes present and the KL divergence from the training labels.

    The plug-in estimate of the divergence is too high by (classes seen - 1) / 2N, which is taken
    off; so the result can be slightly negative. Classes without training images do not count.

    Args:
        probabilities: [N, classes].
        training_labels: [M] integers.

    References:
        Miller 1955, Note on the bias of information estimates.
    """
    counts = class_counts(probabilities, training_labels)
    shares = counts / counts.sum()
    expected = np.bincount(training_labels, minlength=len(counts)) / len(training_labels)
    seen, real = counts > 0, expected > 0
    plug_in = np.sum(shares[seen] * np.log(shares[seen] / expected[seen]))
    return {
        "classes": float(np.sum(shares[real] >= PRESENT_SHARE * expected[real])),
        "class_kl": float(plug_in - (seen.sum() - 1) / (2 * counts.sum())),
    }


def expected_classes(training_labels: np.ndarray, count: int) -> float:
    """Returns how many classes are present, in the mean, among `count` real images.

    A class is, with one image if it should have ten at most. Of more it has nearly always enough.
    """
    shares = np.bincount(training_labels) / len(training_labels)
    return float(np.sum(1 - (1 - shares) ** count))


def class_counts(probabilities: np.ndarray, training_labels: np.ndarray) -> np.ndarray:
    """Returns how many samples the classifier gives to each class, [classes] int64.

    The likeliest of the classes that have training images: what it thinks of others is nothing
    that it has learned.
    """
    classes = probabilities.shape[1]
    real = np.unique(training_labels)
    return np.bincount(real[probabilities[:, real].argmax(1)], minlength=classes)


def score_ceiling(labels: np.ndarray) -> float:
    """Returns the classifier score of perfectly classified images with these labels.

    exp of the labels' entropy; 9.98 for MNIST.
    """
    shares = np.bincount(labels) / len(labels)
    shares = shares[shares > 0]
    return float(np.exp(-np.sum(shares * np.log(shares))))
