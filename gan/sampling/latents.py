"""The latents of images that people ask for by number: a seed is an image, always the same one.

By NumPy alone: a program without TensorFlow draws the same latents, bit for bit.
"""

import math
import statistics
import sys
from collections.abc import Sequence

import numpy as np

from gan.errors import UserError
from gan.rng import EVALUATION, SEEDS

Numbers = Sequence[int] | np.ndarray  # [n] integers

BLOCK = 1000  # seeds that share a key; never to be changed

# Of Philox4x32-10: what a counter is multiplied by, and what a key grows by.
MULTIPLIERS, INCREMENTS = (0xD2511F53, 0xCD9E8D57), (0x9E3779B9, 0xBB67AE85)
ROUNDS, AT_ONCE = 10, 4  # numbers that come from one counter
SCRAMBLED = (0x3EC8F720, 0x02461E29)  # the key under which TensorFlow makes keys of seeds
LOW = np.uint64(0xFFFFFFFF)

MANTISSA = np.uint64(0x7FFFFF)  # the bits that become a number in 0..1
LEAST = np.float32(1e-7)  # such a number in the place of 0, whose logarithm there is not


def latents_of(seeds: Numbers, latent_dim: int, noise_seed: int = 0) -> np.ndarray:
    """Returns latents [len(seeds), latent_dim] float32 ~ N(0, 1), one a seed, in any order.

    What a seed gets is a function of (noise_seed, seed) alone, the same bits on every machine.
    These are the numbers of ``tf.random.stateless_normal``, but for its last bit, which depends on
    the device and on the C library: sines and logarithms are rounded correctly here.

    Args:
        seeds: 0..2**31-1 each.
        latent_dim: At least 1.
        noise_seed: 0..2**31-1; another one gives other latents to the same seeds.

    Raises:
        UserError: A number is out of range.

    References:
        Salmon et al. 2011, "Parallel Random Numbers: As Easy as 1, 2, 3" (Philox4x32-10).
        Box and Muller 1958, "A Note on the Generation of Random Normal Deviates".
    """
    numbers = np.asarray(seeds)
    whole = numbers.ndim == 1 and (not numbers.size or np.issubdtype(numbers.dtype, np.integer))
    if not whole or np.any(numbers < 0) or np.any(numbers >= SEEDS):
        raise UserError(f"seeds: must be a list of whole numbers in 0..{SEEDS - 1}")
    for name, value, low in (("latent_dim", latent_dim, 1), ("noise_seed", noise_seed, 0)):
        if not isinstance(value, int | np.integer) or not low <= value < SEEDS:
            raise UserError(f"{name}={value!r}: must be a whole number in {low}..{SEEDS - 1}")
    blocks, rows = np.divmod(numbers.astype(np.int64), BLOCK)
    latents = np.empty([len(numbers), latent_dim], np.float32)
    key = block_key(noise_seed)
    for block in np.unique(blocks):
        here = blocks == block
        starts = rows[here] * int(latent_dim)
        first = int(starts.min()) // AT_ONCE  # counter
        last = -(-(int(starts.max()) + int(latent_dim)) // AT_ONCE)
        drawn = normal_numbers(key, int(block), first, last - first)
        latents[here] = drawn[(starts - first * AT_ONCE)[:, np.newaxis] + np.arange(latent_dim)]
    return latents


def block_key(noise_seed: int = 0) -> int:
    """Returns the first half, 64 bits with a sign, of the key that a block's latents come from.

    The second half is the number of the block. For programs that draw the same latents elsewhere,
    see gan/reports/templates/explorer.js.

    References:
        ``tf.random.experimental.stateless_fold_in``.
    """
    counter, key = counter_and_key(int(noise_seed), EVALUATION)
    low, high, *_ = philox(np.array([[0, 0, *counter]], np.uint64), key)[0].tolist()
    number: int = low | high << 32
    return number - 2**64 if number >= 2**63 else number


def counter_and_key(first: int, second: int) -> tuple[list[int], list[int]]:
    """Returns the upper half of the counters and the key, 32 bits each, of a pair of 64 bits."""
    halves = [number >> shift & 0xFFFFFFFF for number in (first, second) for shift in (0, 32)]
    mixed = philox(np.array([halves], np.uint64), SCRAMBLED)[0].tolist()
    return mixed[2:], mixed[:2]


def philox(counters: np.ndarray, key: Sequence[int]) -> np.ndarray:
    """Returns 4 random numbers a counter, [n, 4] uint64 of 32 bits, as are `counters` and `key`."""
    a, b, c, d = counters.T
    for number in range(ROUNDS):
        k, more = (
            np.uint64(k + number * step & 0xFFFFFFFF)
            for k, step in zip(key, INCREMENTS, strict=True)
        )
        p, q = a * np.uint64(MULTIPLIERS[0]), c * np.uint64(MULTIPLIERS[1])
        a, b, c, d = (q >> np.uint64(32)) ^ b ^ k, q & LOW, (p >> np.uint64(32)) ^ d ^ more, p & LOW
    return np.stack([a, b, c, d], 1)


def normal_numbers(key: int, block: int, first: int, count: int) -> np.ndarray:
    """Returns 4 * count numbers float32 ~ N(0, 1) of a block, from counter number `first` on.

    Sines, cosines and logarithms are computed in float64 and rounded to float32. They have 2**23
    arguments, for none of which the last bits of float64 decide, so all machines get the same.
    """
    upper, folded = counter_and_key(key, block)
    counters = np.zeros([count, 4], np.uint64)
    counters[:, 0], counters[:, 2:] = np.arange(first, first + count), upper
    shares = (philox(counters, folded) & MANTISSA).astype(np.float32) / np.float32(2**23)
    radii, angles = radii_and_angles(shares[:, 0::2], shares[:, 1::2])
    waves = np.stack([np.sin(angles), np.cos(angles)], -1).astype(np.float32)
    numbers: np.ndarray = (radii[..., np.newaxis] * waves).ravel()
    return numbers


def radii_and_angles(first: np.ndarray, second: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Returns the polar coordinates of points ~ N(0, 1), from numbers in 0..1.

    Both have the values of float32, radii also its type; angles are float64.
    """
    logarithms = np.log(np.maximum(first, LEAST).astype(np.float64)).astype(np.float32)
    angles = (2 * np.pi * second.astype(np.float64)).astype(np.float32)
    return np.sqrt(np.float32(-2) * logarithms), angles.astype(np.float64)


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
    standard, root = statistics.NormalDist(), math.sqrt(2.0)
    lowest = 0.5 * math.erfc(bound / root)  # the share of N(0, 1) that is below -bound

    def move(x: float) -> float:
        share = 0.5 * math.erfc(abs(x) / root)  # of the smaller side, which keeps its digits
        quantile = max(lowest + share * (1.0 - 2.0 * lowest), sys.float_info.min)
        return math.copysign(standard.inv_cdf(quantile), x)

    moved = np.reshape([move(x) for x in latents.ravel().tolist()], latents.shape)
    return np.clip(moved, -bound, bound).astype(np.float32)


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
