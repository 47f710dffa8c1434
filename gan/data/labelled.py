"""A part of the training images whose labels are known, as many of each class."""

from __future__ import annotations

from gan.data.datasets import Dataset
from gan.errors import UserError
from gan.lazy import np


def labelled_part(data: Dataset, count: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Returns `count` training images [count, H, W, C] uint8 and their labels [count] int32.

    Which is a function of the seed and of the data alone, and a smaller count is a part of a larger
    one.

    Raises:
        UserError: These are not as many of each class, or a class has too few images.
    """
    flag, labels = f"--labelled_images={count}", data.train_labels
    if labels is None:
        raise UserError(f"{flag}: needs a data set with labels")
    classes = np.unique(labels)
    each, rest = divmod(count, len(classes))
    if rest:
        raise UserError(f"{flag}: must be a multiple of the {len(classes)} classes, or all")
    order = np.random.default_rng(seed).permutation(len(labels))
    ordered = labels[order]
    of_classes = [order[ordered == label][:each] for label in classes]
    if short := [int(c) for c, of in zip(classes, of_classes, strict=True) if len(of) < each]:
        raise UserError(
            f"{flag}: are {each} of each class, the class {short[0]} has "
            f"{np.sum(labels == short[0])} images; must be fewer, or all"
        )
    chosen = np.sort(np.concatenate(of_classes))
    return data.train_images[chosen], labels[chosen].astype(np.int32)
