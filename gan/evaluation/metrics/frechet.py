"""The Fréchet distance of Gaussians, its bias, and its extrapolation."""

from __future__ import annotations

from gan.lazy import np

EXTRAPOLATION_SIZES = 15


def moments(features: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Returns mean [D] and unbiased covariance [D, D] of features [N, D]."""
    features = np.asarray(features, np.float64)
    return features.mean(0), np.cov(features, rowvar=False)


def frechet_distance(real: np.ndarray, fake: np.ndarray) -> float:
    """Returns the squared Fréchet distance of the Gaussians fitted to two feature arrays."""
    return frechet_of_moments(*moments(real), *moments(fake))


def frechet_of_moments(
    mean_a: np.ndarray, cov_a: np.ndarray, mean_b: np.ndarray, cov_b: np.ndarray
) -> float:
    """Returns |m_a - m_b|^2 + Tr(C_a + C_b - 2 (C_a C_b)^(1/2)).

    The trace of the root is that of the symmetric (C_a^(1/2) C_b C_a^(1/2))^(1/2), which ``eigh``
    computes without complex numbers, for singular covariances too.

    References:
        Heusel et al. 2017, arXiv:1706.08500, equation 6.
    """
    values, vectors = np.linalg.eigh(cov_a)
    root = (vectors * np.sqrt(np.clip(values, 0, None))) @ vectors.T
    eigenvalues = np.linalg.eigvalsh(root @ cov_b @ root)
    trace_of_root = np.sqrt(np.clip(eigenvalues, 0, None)).sum()
    distance = np.sum((mean_a - mean_b) ** 2) + np.trace(cov_a + cov_b) - 2 * trace_of_root
    return float(distance)


def frechet_bias(cov: np.ndarray, n: int, m: int) -> float:
    """Returns what the Fréchet distance of n and m samples of the same Gaussian is on average.

    To first order in 1/n + 1/m: the means differ by Tr C, and a perturbation E of a covariance
    with eigenvalues l adds the sum of E_ij^2 / (2 (l_i + l_j)), where the mean of E_ij^2 is
    l_i l_j (1 + [i = j]).

    Args:
        cov: [D, D].
        n: Samples on one side.
        m: Samples on the other.
    """
    values = np.clip(np.linalg.eigvalsh(cov), 0, None)
    sums = values[:, None] + values[None, :]
    products = values[:, None] * values[None, :]
    pairs = np.divide(products, 2 * sums, out=np.zeros_like(sums), where=sums > 0)
    return float((1 / n + 1 / m) * (values.sum() + pairs.sum() + np.trace(pairs)))


def fcd_ideal(real: np.ndarray, count: int) -> float:
    """Returns the mean Fréchet distance to `real` of `count` images of the same distribution."""
    return frechet_bias(moments(real)[1], count, len(real))


def frechet_infinity(real: np.ndarray, fake: np.ndarray, seed: int = 0) -> float:
    """Returns the Fréchet distance extrapolated to infinitely many images on both sides.

    The bias is linear in 1/N, so a line through the distances of subsets of N images of each side
    meets 1/N = 0 where there is none. The sizes go from a fifth to all of the smaller side.

    References:
        Chong and Forsyth 2020, arXiv:1911.07023, who extrapolate the samples only.
    """
    rng = np.random.default_rng(seed)
    count = min(len(real), len(fake))
    sizes = np.linspace(count / 5, count, EXTRAPOLATION_SIZES).astype(int)
    distances = [
        frechet_distance(
            real[rng.permutation(len(real))[:size]], fake[rng.permutation(len(fake))[:size]]
        )
        for size in sizes
    ]
    _, intercept = np.polyfit(1 / sizes, distances, 1)
    return float(intercept)
