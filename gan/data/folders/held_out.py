"""Which images of a folder are held out: never learned from, to compare samples with.

Files are put into an order that a hash of their names decides, and the last ones are held out. So
what is held out is a random part, the same one in each run and on each machine, nearly the same one
when files are added; and both parts are contiguous where the pixels lie in this order, whatever the
share is.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Sequence

from gan.lazy import np

KEY = b"tapegan: held out"  # of the hash; another one would hold out other images
ENOUGH = 1000  # images that are held out also where the share is less
MOST_SHARE = 0.25  # of a folder that is too small for that
LEAST = 100  # fewer are not held out, metrics could not be computed, see evaluation/reference.py


def hashed_order(names: Sequence[bytes], labels: Sequence[int] | None) -> np.ndarray:
    """Returns the places [N] of files in the order of which the last ones are held out.

    One file of each class comes first, so that no class is held out as a whole.

    Args:
        names: Of the files, below the folder.
        labels: Of the files, None without classes.
    """
    hashes = [hashlib.blake2b(name, digest_size=16, key=KEY).digest() for name in names]
    order = sorted(range(len(names)), key=lambda i: (hashes[i], names[i]))
    if labels is None:
        return np.array(order, np.int64)
    first_of: dict[int, int] = {}
    for i in order:
        first_of.setdefault(labels[i], i)
    first = list(first_of.values())
    return np.array([*first, *(i for i in order if i != first_of[labels[i]])], np.int64)


def count_held_out(count: int, share: float) -> int:
    """Returns how many of `count` images are to be held out: the share, and at least `ENOUGH`.

    Of a folder too small for that at least `MOST_SHARE`; none where that is less than `LEAST`.
    """
    if not share:
        return 0
    held_out = math.floor(max(share * count, min(ENOUGH, MOST_SHARE * count)))
    return held_out if held_out >= LEAST else 0


def most_held_out(labels: np.ndarray | None, count: int) -> int:
    """Returns how many of `count` images in this order can be held out, so that classes [N] stay.

    Less than all only where the first file of a class was bad.
    """
    if labels is None:
        return count - 1
    _, first = np.unique(labels, return_index=True)
    return count - 1 - int(first.max())


def described(count: int, held_out: int, share: float) -> str:
    """Returns in a line how many of `count` images are held out, and what few of them mean."""
    if not share:
        return "no images are held out (--test_share=0), so there are no metrics"
    wanted = count_held_out(count, share)
    if not wanted:
        least = math.ceil(LEAST / max(share, MOST_SHARE))
        return (
            f"{count:,} images are too few to hold some out, so there are no metrics; must be at "
            f"least {least:,}"
        )
    if not held_out:
        return "no images are held out, a class would lose all of its own; so there are no metrics"
    line = f"{held_out:,} of the images are held out for metrics, {count - held_out:,} train"
    if held_out < wanted:
        line = f"{line} (--test_share={share:g} would take all images of a class)"
    if held_out >= ENOUGH:
        return line
    error = 100 * math.sqrt(0.25 / held_out)
    return f"{line}; with so few, shares such as recall are known to ±{error:.1f} % only"
