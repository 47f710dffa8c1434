"""How many modes of the data a generator covers: the field's benchmarks with countable modes.

Pure functions on samples and mode numbers; the conventions are those of PacGAN.

References:
    Lin et al. 2018, arXiv:1712.04086 (PacGAN), section 4.
"""

import numpy as np

from gan.datasets import Mixture

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
