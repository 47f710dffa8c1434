"""How many modes of the data a generator covers: the field's benchmarks with countable modes.

The conventions are those of PacGAN. `MixtureModes` and `StackModes` tell the modes of a data set
apart; the rest are pure functions on samples and mode numbers.

References:
    Lin et al. 2018, arXiv:1712.04086 (PacGAN), section 4.
"""

import dataclasses
from typing import Any

import numpy as np

from gan.data.datasets import Dataset, Mixture, draw_mixture
from gan.evaluation.features import Extractor
from gan.evaluation.metrics.floors import FLOOR_DRAWS, Floor, floors_of

REACH = 3.0  # standard deviations from a centre within which a point is of high quality

# Of real points: the root mean square of what lies within 3 sd in the plane, over the sd.
# E[r^2; r < 3 sd] = 2 sd^2 (1 - 5.5 e^-4.5), and 1 - e^-4.5 of the points are there.
TRUNCATED_SD = float(np.sqrt((1 - 5.5 * np.exp(-4.5)) / (1 - np.exp(-4.5))))


def mixture_metrics(points: np.ndarray, mixture: Mixture) -> dict[str, float]:
    """Returns what samples of a mixture of Gaussians cover.

    Args:
        points: [N, 2] floats.
        mixture: What they should be drawn from.

    Returns:
        high_quality: Share of points within 3 sd of the nearest centre; of real ones
            1 - e^-4.5 = 98.889 %.
        modes: Centres with such a point.
        reverse_kl: KL divergence, in nats, from the uniform distribution over the modes to that of
            the nearest modes of all points.
        sd_ratio: Standard deviation of the high-quality points around the mean of their mode,
            pooled over modes, relative to that of real ones; 0 if there are none.
    """
    offsets = points[:, np.newaxis].astype(np.float64) - mixture.centres
    distances = np.linalg.norm(offsets, axis=-1)  # [N, modes]
    nearest = distances.argmin(1)
    good = distances.min(1) <= REACH * mixture.sd
    modes = len(mixture.centres)
    squares, freedom = 0.0, 0
    for mode in np.unique(nearest[good]):
        inside = points[good & (nearest == mode)].astype(np.float64)
        squares += float(np.square(inside - inside.mean(0)).sum())
        freedom += 2 * (len(inside) - 1)
    sd = np.sqrt(squares / freedom) if freedom else 0.0
    return {
        "modes": float(len(np.unique(nearest[good]))),
        "high_quality": float(good.mean()),
        "reverse_kl": kl_from_uniform(np.bincount(nearest, minlength=modes)),
        "sd_ratio": float(sd / (TRUNCATED_SD * mixture.sd)),
    }


def stacked_metrics(labels: np.ndarray, modes: int) -> dict[str, float]:
    """Returns how many of the modes the labels [N] of samples name, and how evenly.

    Returns:
        modes: Different labels.
        reverse_kl: KL divergence, in nats, from the uniform distribution to that of the labels.
    """
    counts = np.bincount(labels, minlength=modes)
    return {"modes": float(np.count_nonzero(counts)), "reverse_kl": kl_from_uniform(counts)}


def kl_from_uniform(counts: np.ndarray) -> float:
    """Returns sum p log(p n) of counts [n], in nats; 0 where all are equal."""
    shares = counts[counts > 0] / counts.sum()
    return float(np.sum(shares * np.log(shares * len(counts))))


@dataclasses.dataclass
class MixtureModes:
    """A mixture of Gaussians, whose modes are its centres."""

    dataset: str
    data: Dataset
    mixture: Mixture

    count = 2500  # samples that the field draws
    provenance = None  # of what tells the modes apart, for records

    def compute(self, samples: np.ndarray) -> dict[str, float]:
        """Returns the metrics of points [N, 2]."""
        return mixture_metrics(samples, self.mixture)

    def floors(self, count: int) -> dict[str, Floor]:
        """Returns what `count` real points get, over `FLOOR_DRAWS` draws."""
        draws = (draw_mixture(self.mixture, count, 1 + draw)[0] for draw in range(FLOOR_DRAWS))
        return floors_of([self.compute(points) for points in draws])

    def ideals(self) -> dict[str, float]:
        """Returns what an endless number of real points would get."""
        modes, share = float(len(self.mixture.centres)), 1 - float(np.exp(-(REACH**2) / 2))
        return {"modes": modes, "high_quality": share, "reverse_kl": 0.0, "sd_ratio": 1.0}


@dataclasses.dataclass
class StackModes:
    """Stacks of images, whose modes are the combinations of their classes."""

    dataset: str
    data: Dataset
    labels: np.ndarray  # [N] of the images that examples are stacked from
    extractor: Extractor  # tells the class of an image

    count = 26_000

    def compute(self, samples: np.ndarray) -> dict[str, float]:
        """Returns the metrics of stacks [N, H, W, C] uint8."""
        parts = np.split(samples, self.data.stack, axis=-1)
        return stacked_metrics(self.data.stacked(*map(self.classify, parts)), self.data.classes)

    def floors(self, count: int) -> dict[str, Floor]:
        """Returns what `count` real stacks get, over `FLOOR_DRAWS` draws."""
        draws = []
        for draw in range(FLOOR_DRAWS):
            classes = np.random.default_rng([1, draw]).choice(self.labels, (self.data.stack, count))
            draws.append(stacked_metrics(self.data.stacked(*classes), self.data.classes))
        return floors_of(draws)

    def ideals(self) -> dict[str, float]:
        """Returns what an endless number of real stacks would get."""
        return {"modes": float(self.data.classes), "reverse_kl": 0.0}

    def classify(self, images: np.ndarray) -> np.ndarray:
        """Returns the class [N] that the classifier gives to images of one channel."""
        return self.extractor(images).probabilities.argmax(1)

    @property
    def provenance(self) -> dict[str, Any]:
        """That of the feature network."""
        return self.extractor.provenance


Modes = MixtureModes | StackModes


def default_count(data: Dataset) -> int:
    """Returns how many samples the field counts the modes of a data set on."""
    return MixtureModes.count if data.mixture else StackModes.count
