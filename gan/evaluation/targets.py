"""Images that a generator is to draw: a user's own files, and test images."""

from pathlib import Path

import numpy as np

from gan.data.datasets import Dataset
from gan.data.folders.image_reader import EXTENSIONS, BadImage, read_image
from gan.errors import UserError

MOST = 100  # images at once
COLOURED = 8.0  # grey levels that channels differ by on average; JPEG makes grey images do so too
MEASURED = 1000  # test images whose distances are the measure


def read_targets(
    path: Path, shape: tuple[int, ...], background: str = ""
) -> tuple[np.ndarray, list[str]]:
    """Returns the images of a file, or of all in a directory, [n, H, W, C] uint8, and their names.

    Args:
        path: A file in any of the usual formats, or a directory of some, without its subfolders.
        shape: (H, W, C) of the generator's images.
        background: Not "": images are cut and resized as those of a folder that is trained on.

    Raises:
        UserError: No images, unreadable ones, too many, or of another size or with colours.
    """
    height, width, channels = shape
    flag = f"--image={path}"
    if height != width:
        raise UserError(f"{flag}: needs a generator of squares, this one draws {height}x{width}")
    paths = [path]
    if path.is_dir():
        paths = sorted(
            one
            for one in path.iterdir()
            if one.suffix.lower() in EXTENSIONS and not one.name.startswith(".")
        )
    if not 0 < len(paths) <= MOST:
        raise UserError(f"{flag}: holds {len(paths)} images, must be 1 to {MOST}")
    images = []
    for one in paths:
        try:
            read = read_image(one, height, 3, background or "black")
            if background and channels == 1:
                read = read_image(one, height, 1, background)
        except BadImage as error:
            raise UserError(f"{one}: {error}") from None
        if not background and (read.height, read.width) != (height, width):
            raise UserError(
                f"{one}: is {read.height}x{read.width}, must be {height}x{width} as the "
                "generator's images"
            )
        pixels = read.pixels
        if pixels.shape[-1] > channels:
            if np.ptp(pixels.astype(int), axis=-1).mean() > COLOURED:
                raise UserError(f"{one}: has colours, the generator draws grey images")
            pixels = pixels[..., 1:2]
        images.append(pixels)
    return np.stack(images), [one.name for one in paths]


def numbered_examples(data: Dataset, numbers: np.ndarray) -> tuple[np.ndarray, np.ndarray | None]:
    """Returns test images [n, H, W, C] uint8 by their numbers, and labels [n] where they have some.

    In a stack each channel has an image of its own: of number i those from i * stack on.
    """
    images, labels = data.test_images, data.test_labels
    if images is None:
        raise TypeError("there are no test images")
    if data.stack == 1:
        return images[numbers], None if labels is None else labels[numbers].astype(np.int64)
    parts = [(numbers * data.stack + channel) % len(images) for channel in range(data.stack)]
    stacked = np.concatenate([images[part] for part in parts], -1)
    return stacked, None if labels is None else data.stacked(*(labels[part] for part in parts))


def draw_tests(data: Dataset, count: int) -> np.ndarray:
    """Returns the numbers of so many test images, the same ones always; fewer if there are."""
    if data.test_images is None:
        return np.arange(0)
    there = len(data.test_images)
    return np.sort(np.random.default_rng(0).permutation(there)[:count])


def brightness_warning(images: np.ndarray, names: list[str], real: np.ndarray) -> list[str]:
    """Returns a line about each image that is brighter or darker than all real images."""
    means, theirs = images.mean((1, 2, 3)), real.mean((1, 2, 3))
    low, high = theirs.min(), theirs.max()
    return [
        f"warning: {name}: its mean is {mean:.0f} of 255, that of test images {low:.0f} to "
        f"{high:.0f}; is it inverted?"
        for name, mean in zip(names, means, strict=True)
        if not low <= mean <= high
    ]
