"""Images of other programs: PNG files in a directory, or an npz file."""

from collections.abc import Callable
from pathlib import Path

import numpy as np

from gan.data.checks import check_range
from gan.data.folders.image_reader import MOST_IMAGE
from gan.data.formats import open_npz
from gan.data.images import decode_png, to_uint8
from gan.errors import UserError
from gan.run.files import read_bytes

LEAST_IMAGES = 1000  # fewer say too little: 128 features have a covariance of 8,256 numbers


def read_samples(
    where: Path,
    image_shape: tuple[int, ...],
    print_fn: Callable[[str], None] = lambda line: None,
) -> tuple[np.ndarray, str]:
    """Returns images [N, H, W, C] uint8 from anywhere, and how they were read.

    Args:
        where: A directory of PNG files (any depth, in the order of their names, without hidden
            ones) or an npz file with one array, or several of which one is named images, samples or
            arr_0. The array is [N, H, W, C], or [N, H, W] for one channel: uint8, or floats in 0..1
            or in -1..1.
        image_shape: [H, W, C] of the reference.
        print_fn: Gets a warning about images that use little of their range.

    Raises:
        UserError: Not readable, of another shape or range, NaN among them, transparent, nearly
            black or of one colour, or fewer than `LEAST_IMAGES`.
    """
    flag = f"--samples={where}"
    if where.is_dir():
        images, how = read_pngs(where, image_shape, flag), "PNG files"
    elif where.is_file():
        images, how = read_array(where, flag)
    else:
        raise UserError(f"{flag}: must be a directory of PNG files or an npz file")
    if images.ndim == 3:
        images = images[..., np.newaxis]
    if images.shape[1:] != image_shape:
        raise UserError(f"{flag}: images are {list(images.shape[1:])}, must be {list(image_shape)}")
    if len(images) < LEAST_IMAGES:
        raise UserError(f"{flag}: holds {len(images)} images, must be at least {LEAST_IMAGES}")
    check_range(f"{flag}: images", images, print_fn)
    return images, how


def read_pngs(directory: Path, image_shape: tuple[int, ...], flag: str) -> np.ndarray:
    """Returns the PNG files in a directory as [N, H, W, C] uint8; hidden ones are left out."""
    paths = sorted(
        path
        for path in directory.rglob("*")
        if path.suffix.lower() == ".png"
        and not any(part.startswith(".") for part in path.relative_to(directory).parts)
    )
    if len(paths) < LEAST_IMAGES:
        raise UserError(f"{flag}: holds {len(paths)} PNG files, must be at least {LEAST_IMAGES}")
    images = []
    for path in paths:
        try:
            image = decode_png(read_bytes(path, MOST_IMAGE), image_shape[-1], opaque=True)
        except (OSError, ValueError) as error:
            raise UserError(f"{path}: cannot be read ({reason_of(error)})") from None
        if image.shape != image_shape:
            raise UserError(f"{path}: is {list(image.shape)}, must be {list(image_shape)}")
        images.append(image)
    return np.stack(images)


def reason_of(error: Exception) -> str:
    """Returns why a file cannot be read: the system's words, or the kind of damage."""
    return (isinstance(error, OSError) and error.strerror) or str(error) or type(error).__name__


def read_array(path: Path, flag: str) -> tuple[np.ndarray, str]:
    """Returns the images of an npz file as uint8, and the range they had. Never unpickles."""
    try:
        with open_npz(path) as file:
            named = [name for name in ("images", "samples", "arr_0") if name in file.files]
            if not named and len(file.files) != 1:
                names = ", ".join(file.files) or "nothing"
                raise UserError(f"{flag}: holds {names}, one must be named images")
            images = file[(named or file.files)[0]]
    except UserError:
        raise
    except Exception as error:  # damage has many faces, see numpy.load and zipfile
        reason = " ".join(str(error).split())[:200]
        raise UserError(f"{flag}: is not an npz file of images ({reason})") from None
    if images.ndim not in (3, 4) or not images.size:
        raise UserError(f"{flag}: is {list(images.shape)}, must be [N, H, W] or [N, H, W, C]")
    if images.dtype == np.uint8:
        if images.max() <= 1:
            raise UserError(f"{flag}: is uint8 with nothing above 1, must be in 0..255, or floats")
        return images, "uint8"
    if not np.issubdtype(images.dtype, np.floating):
        raise UserError(f"{flag}: is {images.dtype}, must be uint8 or floats")
    if not np.isfinite(images).all():
        raise UserError(f"{flag}: has pixels that are NaN or infinite")
    low, high = float(images.min()), float(images.max())
    # A little below 0 is neither range: resized images in 0..1, say. Black is 0 or -1. Nor are
    # numbers around 0 that use at most half of -1..1, such as -0.5..0.5.
    if low < -1 or high > 1 or -0.5 < low < 0 or (low < 0 and high - low <= 1):
        raise UserError(
            f"{flag}: has floats from {low:g} to {high:g}, must be in 0..1, in -1..1, or uint8"
        )
    if low >= 0:
        return np.round(images.astype(np.float64) * 255).astype(np.uint8), "floats in 0..1"
    return to_uint8(images.astype(np.float32)).numpy(), "floats in -1..1"
