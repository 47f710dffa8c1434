"""What arrays of images, points and labels must be, said in one line that tells how to get there.

Everything that is trained on or judged passes here, wherever it comes from. `name` is how messages
call an array, such as "data set mine: train_images".
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import Any

from gan.errors import UserError
from gan.lazy import np
from gan.run.paths import is_utf8

CHANNELS = (1, 3)  # of images: grey, RGB; what alpha stands for only its background says
MOST_CHANNELS = 4  # of what may be pictures: grey, grey with alpha, RGB, RGB with alpha
BLACK = 15  # grey level; what 12 bits in 16 become, and more than masks of 0 and 1 have
HALF_RANGE = 128  # grey levels; what floats are spread over that were taken for another range
SPARE_LABELS = 1000  # a label may be so large, however few images there are
NAMED = 10  # classes that are named one by one


def check_images(name: str, images: Any) -> None:
    """Refuses what is not uint8 [N, H, W, C] with 1 or 3 channels, or holds no image.

    Raises:
        UserError: Says what they are and how to convert them.
    """
    right = "must be uint8 [N, H, W, C] with 1 or 3 channels"
    check_array(name, images, "a NumPy array")
    right_type = images.dtype == np.uint8 and images.ndim == 4 and images.size > 0
    if right_type and images.shape[3] in CHANNELS:
        return
    what = f"{name} are {images.dtype} {list(images.shape)}"
    if not images.size:
        raise UserError(f"{what}, which holds no image; {right}")
    hint = shape_hint(images) or range_hint(images)
    raise UserError(f"{what}, {right}{f' ({hint})' if hint else ''}")


def shape_hint(images: np.ndarray) -> str:
    """Returns how an array becomes [N, H, W, C], "" if nobody can tell or it is."""
    if images.ndim == 2:
        return "flattened images: images.reshape(-1, H, W, C)"
    if images.ndim == 3:
        return "without the axis of channels: images[..., np.newaxis]"
    if images.ndim != 4 or images.shape[3] in CHANNELS:
        return ""
    if images.shape[3] <= MOST_CHANNELS:
        return "alpha must be put on a background" if images.shape[3] in (2, 4) else ""
    if images.shape[1] <= MOST_CHANNELS:
        return "channels first: images.transpose(0, 2, 3, 1)"
    if images.shape[2] <= MOST_CHANNELS:
        return "images last: images.transpose(3, 0, 1, 2)"
    return ""


def range_hint(images: np.ndarray) -> str:
    """Returns the range of numbers that are not uint8, and how they become uint8 in 0..255."""
    if images.dtype == bool:
        return "images.astype(np.uint8) * 255"
    if images.dtype.kind not in "iuf" or images.dtype == np.uint8:
        return ""
    low, high = float(images.min()), float(images.max())
    ranges = (
        (0, 1, "images * 255"), (-0.5, 0.5, "(images + 0.5) * 255"),
        (-1, 1, "(images + 1) * 127.5"), (0, 255, "images"), (0, 65535, "images / 257"),
    )  # fmt: skip
    for least, most, formula in ranges:
        if least <= low <= high <= most:
            return f"in {least}..{most}: np.round({formula}).astype(np.uint8)"
    return f"from {low:g} to {high:g}"


def check_array(name: str, value: Any, right: str) -> None:
    """Refuses what is no array, and one with a mask, which nothing here looks at."""
    if not isinstance(value, np.ndarray):
        raise UserError(f"{name} are {type(value).__name__}, must be {right}")
    if isinstance(value, np.ma.MaskedArray):
        raise UserError(f"{name} are a masked array, must be a plain one, as array.filled(0) is")


def check_points(name: str, points: np.ndarray) -> None:
    """Refuses what is not float32 [N, 2], empty or not finite."""
    what = f"{name} are {points.dtype} {list(points.shape)}"
    if points.dtype != np.float32 or points.shape[1] != 2 or not len(points):
        hint = " (points.astype(np.float32))" if points.shape[1] == 2 and len(points) else ""
        raise UserError(f"{what}, points must be float32 [N, 2]{hint}, images uint8 [N, H, W, C]")
    if not np.isfinite(points).all():
        raise UserError(f"{what}, with points that are NaN or infinite")


def check_labels(name: str, labels: Any, count: int, most: int = 0) -> np.ndarray:
    """Returns labels [count] of integers from 0 on; uint64 and bool, which NumPy does not count on,
    as int64.

    Raises:
        UserError: They are something else; says what, and how to convert them.
    """
    check_array(name, labels, "a NumPy array of integers")
    what = f"{name} are {labels.dtype} {list(labels.shape)}"
    right = f"must be integers [{count}], a class from 0 on for each image"
    if labels.ndim == 2 and labels.shape[1] == 1:
        raise UserError(f"{what}, {right} (labels.ravel())")
    if labels.ndim == 2:
        raise UserError(f"{what}, {right} (of one-hot rows: labels.argmax(1))")
    if labels.ndim != 1 or len(labels) != count:
        raise UserError(f"{what}, {right}")
    if labels.dtype.kind not in "iub":
        finite = labels.dtype.kind == "f" and bool(np.isfinite(labels).all())
        whole = finite and bool(np.all(np.mod(labels, 1) == 0))
        hint = "labels.astype(int)" if whole else "np.unique(labels, return_inverse=True)[1]"
        raise UserError(f"{what}, {right} ({hint})")
    low, high = int(labels.min()), int(labels.max())
    if low < 0 or high >= max(SPARE_LABELS, count, most):
        raise UserError(f"{what} from {low} to {high}, {right}")
    return labels.astype(np.int64) if labels.dtype in (bool, np.uint64) else labels


def check_class_names(what: str, names: Any) -> tuple[str, ...]:
    """Returns names of classes as text of Python's own; not of another kind, nor a text alone."""
    right = isinstance(names, list | tuple | np.ndarray) and all(isinstance(n, str) for n in names)
    if not right or not all(is_utf8(name) for name in names):
        raise UserError(f"{what} class_names are {names!r}, must be a tuple of UTF-8 text")
    if type(names) is tuple and all(type(name) is str for name in names):
        return names
    return tuple(str.__str__(name) for name in names)


def check_mixture(name: str, centres: Any, sd: Any) -> None:
    """Refuses a mixture whose centres are not finite numbers [modes, 2], or that has no width."""
    if not isinstance(centres, np.ndarray) or centres.ndim != 2 or centres.shape[1] != 2:
        shape = list(centres.shape) if isinstance(centres, np.ndarray) else type(centres).__name__
        raise UserError(f"{name}: centres are {shape}, must be an array [modes, 2]")
    if centres.dtype.kind not in "iuf" or not len(centres) or not np.isfinite(centres).all():
        raise UserError(f"{name}: centres must be finite numbers, of one mode at least")
    if not isinstance(sd, int | float | np.number) or not 0 < float(sd) < float("inf"):
        raise UserError(f"{name}: sd={sd!r}, must be a number above 0")


def named(classes: Collection[int], names: tuple[str, ...]) -> str:
    """Returns numbers of classes in words, with their names where they have some."""
    words = [f"{i} ({names[i]})" if i < len(names) else f"{i}" for i in sorted(classes)[:NAMED]]
    more = [f"{len(classes) - NAMED} more"] if len(classes) > NAMED else []
    return f"class{'es' * (len(classes) > 1)} {', '.join(words + more)}"


def extremes(images: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Returns the darkest and the brightest value [C] of each channel of images [N, H, W, C]."""
    channels = [images[..., i] for i in range(images.shape[-1])]
    return np.array([c.min() for c in channels]), np.array([c.max() for c in channels])


def contrast_flaw(darkest: np.ndarray, brightest: np.ndarray) -> str:
    """Returns why images show nothing: they are nearly black or of one colour; "" if they are not.

    Args:
        darkest: [C] in 0..255, of each channel over all images.
        brightest: Likewise.
    """
    high = int(brightest.max())
    if high <= BLACK:
        return (
            f"are nearly black, no value is above {high} of 255, must be spread over 0..255 (a "
            "mask of 0 and 1 times 255; 12 bits in 16 times 16)"
        )
    if (darkest == brightest).all():
        colour = ", ".join(map(str, brightest.tolist()))
        return (
            f"are all of one colour ({colour}) and show nothing (a picture in an alpha channel "
            "must be put on a background first)"
        )
    return ""


def range_warning(name: str, darkest: np.ndarray, brightest: np.ndarray) -> str:
    """Returns a line about images that use at most half of 0..255, "" if they use more.

    The arguments are those of `contrast_flaw`.
    """
    low, high = int(darkest.min()), int(brightest.max())
    if high - low > HALF_RANGE:
        return ""
    return (
        f"warning: {name} use only the values {low} to {high} of 0..255; "
        "were they converted from another range than they had?"
    )


def check_range(name: str, images: np.ndarray, print_fn: Callable[[str], None]) -> None:
    """Refuses images [N, H, W, C] uint8 that show nothing, and warns of half a range."""
    darkest, brightest = extremes(images)
    if flaw := contrast_flaw(darkest, brightest):
        raise UserError(f"{name} {flaw}")
    if warning := range_warning(name, darkest, brightest):
        print_fn(warning)
