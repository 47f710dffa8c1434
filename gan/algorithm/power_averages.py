"""Power-function averages of G's weights: two are kept, any other is their linear combination.

The average at time T with exponent g weighs the weights of time t by p(t) = (g + 1) t^g / T^(g+1):
the later, the more, over a span that grows with T. A width is the standard deviation of p over T.
Formulas are in float64.

References:
    Karras et al. 2024, arXiv:2312.02696, section 3 and appendix C.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from gan.lazy import keras, np, tf

WIDTHS = (0.05, 0.10)  # of the averages that are kept; the paper's
WIDEST = 12**-0.5  # of the plain mean over all of training, whose exponent is 0


def exponent_of(width: float) -> float:
    """Returns g > 0 of the profile of a width in 0..WIDEST: width^2 = (g+1) / ((g+2)^2 (g+3)).

    Multiplied out this is g^3 + 7 g^2 + (16 - s) g + 12 - s = 0 for s = 1 / width^2.
    """
    s = width**-2.0
    return float(np.roots([1.0, 7.0, 16.0 - s, 12.0 - s]).real.max())


def update_averages(
    averages: Sequence[keras.Model], generator: keras.Model, step: tf.Tensor
) -> None:
    """Moves the kept averages, one a row of `WIDTHS`, after step number `step` (from 0).

    With t = step + 1 an average keeps the share (1 - 1/t)^(g+1) of itself, so that it is the sum of
    the weights after each step i, times the integral of p from i - 1 to i. The first step replaces
    what it was. BatchNorm's statistics are measured when an average is used.
    """
    t = tf.cast(step + 1, tf.float64)
    for average, width in zip(averages, WIDTHS[: len(averages)], strict=True):
        # 1 - (1 - 1/t)^(g+1), which in float32 would lose its digits after 100,000 steps.
        gain = -tf.math.expm1((exponent_of(width) + 1.0) * tf.math.log1p(-1.0 / t))
        pairs = zip(average.trainable_variables, generator.trainable_variables, strict=True)
        for kept, weight in pairs:
            kept.assign(kept + tf.cast(gain, kept.dtype) * (weight - kept))


class Fit(NamedTuple):
    """How an average is made of stored ones."""

    shares: np.ndarray  # [n] float64, of each stored average; they add up to 1
    error: float  # of the profile: norm of the difference over its own norm


def fit(exponents: np.ndarray, times: np.ndarray, exponent: float, time: float) -> Fit:
    """Returns the combination of stored profiles that is nearest to another one.

    Least squares over all times, as in the paper; and the shares add up to 1, so that weights which
    do not move are kept whatever the error is.

    Args:
        exponents: [n] of the stored averages.
        times: [n] at which they were stored, at most `time`.
        exponent: Of the profile that is wanted.
        time: At which it ends.
    """
    ends = np.asarray(times, np.float64) / time
    exponents = np.asarray(exponents, np.float64)
    products = inner_products(exponents, ends, exponents, ends)
    target = inner_products(exponents, ends, np.array([exponent]), np.ones(1))[:, 0]
    scale = np.sqrt(np.diag(products))  # of each profile, or early ones would drown
    count = len(ends)
    system = np.zeros((count + 1, count + 1))
    system[:count, :count] = products / np.outer(scale, scale)
    system[:count, count] = system[count, :count] = 1 / scale  # the sum, and its multiplier
    right = np.append(target / scale, 1.0)
    solution = np.linalg.lstsq(system, right, rcond=None)[0]
    shares = solution[:count] / scale
    norm = inner_products(np.array([exponent]), np.ones(1), np.array([exponent]), np.ones(1))[0, 0]
    squared = norm - 2 * shares @ target + shares @ products @ shares
    return Fit(shares, float(np.sqrt(max(squared, 0.0) / norm)))


def inner_products(
    exponents_a: np.ndarray, ends_a: np.ndarray, exponents_b: np.ndarray, ends_b: np.ndarray
) -> np.ndarray:
    """Returns the integrals over time of the products of profiles, [n_a, n_b].

    (a+1) (b+1) / (A^(a+1) B^(b+1)) * min(A, B)^(a+b+1) / (a+b+1), by its logarithm.
    """
    a, end_a = exponents_a[:, None], ends_a[:, None]
    b, end_b = exponents_b[None], ends_b[None]
    logarithm = (
        np.log((a + 1) * (b + 1) / (a + b + 1))
        - (a + 1) * np.log(end_a)
        - (b + 1) * np.log(end_b)
        + (a + b + 1) * np.log(np.minimum(end_a, end_b))
    )
    products: np.ndarray = np.exp(logarithm)
    return products
