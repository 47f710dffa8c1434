"""Samples beside real images: what metrics are computed of."""

from __future__ import annotations

import dataclasses
import functools
from typing import NamedTuple, Protocol

from gan.data.datasets import Parts
from gan.evaluation.metrics.classes import class_metrics
from gan.evaluation.metrics.distances import nearest, nearest_images
from gan.evaluation.metrics.kid import kid
from gan.evaluation.metrics.neighbours import RealNeighbours, neighbour_metrics
from gan.evaluation.metrics.pixel_statistics import PixelStatistics, pixel_statistics
from gan.lazy import np


class Features(NamedTuple):
    """What a feature network sees in N images."""

    features: np.ndarray  # [N, D] float32, at least 0
    probabilities: np.ndarray  # [N, classes] float32, of the classifier


class Reference(Protocol):
    """Real images to compare with; what is costly is computed when a metric asks for it."""

    @property
    def data(self) -> Parts:
        """The data set that they are from; with labels, for metrics that `need_classes`."""

    @property
    def features(self) -> Features:
        """Those of the reference images."""

    @property
    def neighbours(self) -> RealNeighbours:
        """The same with the distances among themselves."""

    @property
    def learned(self) -> np.ndarray:
        """The training images that samples may be copies of, [N, H, W, C] uint8."""

    @property
    def training(self) -> Features:
        """The features of the images in `learned`."""

    @property
    def held_out(self) -> Features:
        """The features of all test images, which no sample can be a copy of."""

    @property
    def thresholds(self) -> dict[str, float]:
        """`memorisation_threshold` in "features" and in "pixels"."""

    @property
    def dcr_share(self) -> tuple[float, int]:
        """`dcr_share` of training images beside the others, and how many these were."""

    @property
    def pixels(self) -> PixelStatistics:
        """The pixel statistics of the reference images."""


@dataclasses.dataclass
class Comparison:
    """Samples beside a reference; what several metrics need is computed once."""

    reference: Reference
    samples: Features
    images: np.ndarray  # [N, H, W, C] uint8, the samples themselves

    @property
    def real(self) -> np.ndarray:
        """The features of the reference images."""
        return self.reference.features.features

    @property
    def fake(self) -> np.ndarray:
        """The features of the samples."""
        return self.samples.features

    @functools.cached_property
    def kid(self) -> tuple[float, float]:
        """See `kid`."""
        return kid(self.real, self.fake)

    @functools.cached_property
    def neighbours(self) -> dict[str, float]:
        """See `neighbour_metrics`."""
        return neighbour_metrics(self.reference.neighbours, self.fake)

    @functools.cached_property
    def classes(self) -> dict[str, float]:
        """See `class_metrics`."""
        return class_metrics(self.samples.probabilities, known(self.reference.data.train_labels))

    @functools.cached_property
    def nearest_in_features(self) -> tuple[np.ndarray, np.ndarray]:
        """The `nearest` training images, by their features."""
        return nearest(self.fake, self.reference.training.features)

    @functools.cached_property
    def nearest_held_out(self) -> tuple[np.ndarray, np.ndarray]:
        """The `nearest` test images, by their features."""
        return nearest(self.fake, self.reference.held_out.features)

    @functools.cached_property
    def nearest_in_pixels(self) -> tuple[np.ndarray, np.ndarray]:
        """The `nearest` training images, by their pixels."""
        return nearest_images(self.images, self.reference.learned)

    @functools.cached_property
    def pixels(self) -> PixelStatistics:
        """The pixel statistics of the samples."""
        return pixel_statistics(self.images)


def known(labels: np.ndarray | None) -> np.ndarray:
    """Returns labels that must be there."""
    if labels is None:
        raise TypeError("there are no labels")
    return labels
