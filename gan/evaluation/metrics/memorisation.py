"""Shares of samples that are too near to training images."""

from __future__ import annotations

from gan.lazy import np

MEMORISED_QUANTILE = 0.01


def memorised_share(sample_distances: np.ndarray, threshold: float) -> float:
    """Returns the share of samples whose distance to the nearest training image is below this.

    The threshold is `memorisation_threshold` of test images, which nobody can have memorised: a
    share far above 1 % tells of copies.
    """
    return float(np.mean(sample_distances < threshold))


def memorisation_threshold(test_distances: np.ndarray) -> float:
    """Returns the 1 % quantile of the distances of test images to the nearest training image."""
    return float(np.quantile(test_distances, MEMORISED_QUANTILE))


def dcr_share(to_training: np.ndarray, to_test: np.ndarray) -> float:
    """Returns the share of samples that are nearer to training images than to test images.

    Of distances [N] to the nearest of either; equal ones count half. Where nothing is copied it is
    the training images' part of all images, whether samples are plain or strange, because both
    sides are as far away. Distance to closest record: Platzer and Reutterer 2021,
    doi:10.3389/fdata.2021.679939.
    """
    return float(np.mean(to_training < to_test) + np.mean(to_training == to_test) / 2)
