"""A fixed choice among the training images, for experiments with few of them."""

from __future__ import annotations

from gan.lazy import np


def balanced_choice(labels: np.ndarray | None, total: int, count: int) -> np.ndarray:
    """Returns the numbers of `count` images, ascending, with classes in equal parts.

    The same ones always, whatever the run's seed; fewer are among more. A class that has too few
    images gives all of them, and the others give more.

    Args:
        labels: [total] integers, None if there are no classes.
        total: Images to choose from.
        count: At most as many.

    Returns:
        [count] int64.
    """
    order = np.random.default_rng(0).permutation(total)
    if labels is not None:
        # Each image's rank within its class, in this order: all of rank 0 come first, then 1, ...
        shuffled = labels[order]
        by_class = np.argsort(shuffled, kind="stable")
        sizes = np.unique(shuffled, return_counts=True)[1]
        ranks = np.empty(total, np.int64)
        ranks[by_class] = np.concatenate([np.arange(size) for size in sizes])
        order = order[np.argsort(ranks, kind="stable")]
    return np.sort(order[:count])
