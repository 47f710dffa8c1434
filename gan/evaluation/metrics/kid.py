"""The kernel distance (KID)."""

from __future__ import annotations

from gan.lazy import np

KID_BLOCKS = 10


def kid(real: np.ndarray, fake: np.ndarray, seed: int = 0) -> tuple[float, float]:
    """Returns the kernel distance and its standard error over disjoint blocks.

    The mean of the unbiased squared MMD of `KID_BLOCKS` blocks, which share no image.

    References:
        Binkowski et al. 2018, arXiv:1801.01401, section 4.
    """
    rng = np.random.default_rng(seed)
    size = min(len(real), len(fake)) // KID_BLOCKS
    sides = (real, fake)
    x, y = (
        np.asarray(side[rng.permutation(len(side))[: KID_BLOCKS * size]], np.float64)
        .reshape(KID_BLOCKS, size, -1) for side in sides
    )  # fmt: skip
    values = [squared_mmd(a, b) for a, b in zip(x, y, strict=True)]
    return float(np.mean(values)), float(np.std(values, ddof=1) / np.sqrt(KID_BLOCKS))


def squared_mmd(x: np.ndarray, y: np.ndarray) -> float:
    """Returns the unbiased squared MMD of x [n, D] and y [n, D] with KID's cubic kernel."""
    n, dim = x.shape
    xx, yy, xy = ((a @ b.T / dim + 1) ** 3 for a, b in ((x, x), (y, y), (x, y)))
    within = (xx.sum() - np.trace(xx) + yy.sum() - np.trace(yy)) / (n * (n - 1))
    return float(within - 2 * xy.mean())
