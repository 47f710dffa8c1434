"""The latents of images that people ask for by number: a seed is an image, always the same one."""

from collections.abc import Sequence

import numpy as np
import tensorflow as tf

from gan.rng import EVALUATION, draw_latents

Numbers = Sequence[int] | np.ndarray  # [n] integers

BLOCK = 1000  # seeds that share a key; never to be changed


def latents_of(seeds: Numbers, latent_dim: int, noise_seed: int = 0) -> np.ndarray:
    """Returns latents [len(seeds), latent_dim] float32 ~ N(0, 1), one a seed, in any order.

    What a seed gets is a function of (noise_seed, seed) alone; both are below 2**31.
    """
    blocks, rows = np.divmod(np.asarray(seeds, np.int64), BLOCK)
    latents = np.empty([len(blocks), latent_dim], np.float32)
    for block in np.unique(blocks):
        here = blocks == block
        drawn = draw_latents([BLOCK, latent_dim], noise_seed, EVALUATION, int(block)).numpy()
        latents[here] = drawn[rows[here]]
    return latents


def block_key(noise_seed: int = 0) -> int:
    """Returns the first half, an int64, of the key that a block's latents come from.

    The second half is the number of the block. For programs that draw the same latents elsewhere,
    see gan/reports/templates/explorer.js.
    """
    key = tf.constant([noise_seed, EVALUATION], tf.int64)
    folded = tf.random.experimental.stateless_fold_in(key, tf.constant(0, tf.int64), "philox")
    return int(folded[0])


def truncate(latents: np.ndarray, bound: float) -> np.ndarray:
    """Returns latents as if each entry were drawn from N(0, 1) between -bound and bound.

    Each entry moves to the same quantile of the truncated distribution, so that a seed stays the
    same kind of image. Smaller bounds give likelier images and less diversity.

    Args:
        latents: [n, latent_dim] float32.
        bound: More than 0.

    References:
        Brock et al. 2019, arXiv:1809.11096, section 3.1 (there entries are drawn again).
    """
    entries = tf.constant(latents, tf.float64)
    highest = normal_cdf(tf.constant(bound, tf.float64))
    quantiles = 1.0 - highest + normal_cdf(entries) * (2.0 * highest - 1.0)
    moved: np.ndarray = tf.math.ndtri(quantiles).numpy()
    return np.clip(moved, -bound, bound).astype(np.float32)


def normal_cdf(x: tf.Tensor) -> tf.Tensor:
    """Returns the share of N(0, 1) that is below x."""
    return 0.5 * tf.math.erfc(-x / np.sqrt(2.0))


def interpolate(first: np.ndarray, last: np.ndarray, count: int) -> np.ndarray:
    """Returns `count` latents [count, latent_dim] float32 on the great circle between two.

    A straight line would pass too near to 0, where a generator has never been.

    Args:
        first: [latent_dim], the first of them.
        last: [latent_dim], the last of them.
        count: At least 2.

    References:
        White 2016, arXiv:1609.04468, section 2.1.
    """
    a, b = first.astype(np.float64), last.astype(np.float64)
    cosine = np.dot(a, b) / (np.linalg.norm(a) * np.linalg.norm(b))
    angle = np.arccos(np.clip(cosine, -1.0, 1.0))
    share = np.linspace(0.0, 1.0, count)[:, np.newaxis]
    if np.sin(angle) < 1e-6:  # the same direction, or opposite ones: no circle, or too many
        return ((1.0 - share) * a + share * b).astype(np.float32)
    weights = np.sin((1.0 - share) * angle), np.sin(share * angle)
    return ((weights[0] * a + weights[1] * b) / np.sin(angle)).astype(np.float32)
