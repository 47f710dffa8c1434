"""Pixel range, and pictures: grids, scattered points, PNG and GIF files.

`to_float` and `to_uint8` are the only two definitions of pixel range.
"""

import io
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import tensorflow as tf
from PIL import Image, ImageDraw, ImageFont, UnidentifiedImageError

from gan.data.folders.image_reader import MOST_IMAGE, MOST_PIXELS
from gan.errors import UserError
from gan.run.atomic_files import replacing
from gan.run.files import read_bytes

if TYPE_CHECKING:
    from matplotlib.figure import Figure

GRID_SIDE = 5  # sample grids are 5 x 5, as the original script's
GRID_GAP = 2  # pixels between images, before scaling
GRID_SCALE = 3  # screen pixels a pixel
LONGEST = 1_000_000  # most pixels of a side; few programs open longer pictures
CAPTION_HEIGHT = 20  # screen pixels


def to_float(images: tf.Tensor) -> tf.Tensor:
    """Maps uint8 0..255 to float32 -1..1, of any shape; points, float32 already, stay."""
    return images if images.dtype == tf.float32 else tf.cast(images, tf.float32) / 127.5 - 1.0


def to_uint8(images: tf.Tensor) -> tf.Tensor:
    """Maps float32 -1..1 to uint8 0..255, of any shape: rounded, and clipped outside the range."""
    return tf.cast(tf.round(tf.clip_by_value(0.5 * images + 0.5, 0.0, 1.0) * 255.0), tf.uint8)


def to_stored(outputs: tf.Tensor) -> np.ndarray:
    """Returns what a generator made as data sets store it: uint8 images, float32 points."""
    stored: np.ndarray = (to_uint8(outputs) if len(outputs.shape) == 4 else outputs).numpy()
    return stored


def image_grid(images: np.ndarray, columns: int = GRID_SIDE) -> np.ndarray:
    """Returns images [n, H, W, C] uint8 in rows, with white gaps, enlarged without smoothing."""
    count, height, width, channels = images.shape
    if count % columns:
        raise ValueError(f"{count} images do not fill rows of {columns}")
    gap, rows = GRID_GAP, count // columns
    grid = np.full(
        (rows * (height + gap) + gap, columns * (width + gap) + gap, channels), 255, np.uint8
    )
    for i, image in enumerate(images):
        top = gap + (i // columns) * (height + gap)
        left = gap + (i % columns) * (width + gap)
        grid[top : top + height, left : left + width] = image
    return grid.repeat(GRID_SCALE, axis=0).repeat(GRID_SCALE, axis=1)


def cell_size(pixels: int) -> int:
    """Returns how many screen pixels a grid gives to so many pixels of an image."""
    return (pixels + GRID_GAP) * GRID_SCALE


def scatter(*clouds: np.ndarray) -> np.ndarray:
    """Returns a picture of points [N, 2], each cloud in a colour of its own, the last on top."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    canvas = FigureCanvasAgg(scatter_figure(5, *clouds))
    canvas.draw()
    return np.asarray(canvas.buffer_rgba())[..., :3].copy()


def scatter_figure(inches: float, *clouds: np.ndarray) -> "Figure":
    """Returns the same as a figure of so many inches in either direction.

    The first cloud says how far it reaches; how many points are outside is written below.
    """
    from matplotlib.figure import Figure

    figure = Figure(figsize=(inches, inches), dpi=100, layout="constrained")
    axes = figure.subplots()
    reach = 1.25 * float(np.abs(clouds[0]).max())
    for colour, cloud in zip(("0.6", "C3"), clouds, strict=False):
        axes.plot(*cloud.T, ".", markersize=2, color=colour)
    axes.set(xlim=(-reach, reach), ylim=(-reach, reach), aspect="equal")
    if outside := sum(int((np.abs(cloud) > reach).any(axis=1).sum()) for cloud in clouds):
        axes.set_xlabel(f"{outside:,} points are outside")
    return figure


def write_png(path: Path, image: np.ndarray) -> None:
    """Writes [H, W, C] uint8, grey or colour, as PNG."""
    with replacing(path) as temporary:
        pillow_image(image).save(temporary, "PNG")


def pillow_image(image: np.ndarray) -> Image.Image:
    """Returns [H, W, C] uint8, grey or colour, as Pillow has it."""
    return Image.fromarray(image[..., 0] if image.shape[-1] == 1 else image)


def decode_png(data: bytes, channels: int, opaque: bool = False) -> np.ndarray:
    """Returns a PNG file's content as [height, width, channels] uint8; of 16 bits the upper 8.

    Alpha is dropped; with `opaque` it is a ValueError where something is transparent.
    """
    try:
        with Image.open(io.BytesIO(data), formats=["PNG"]) as image:
            if image.width * image.height > MOST_PIXELS:
                raise ValueError(f"has {image.width:,} x {image.height:,} pixels")
            if opaque and image.has_transparency_data and has_holes(image):
                raise ValueError("has transparent pixels, must be put on a background")
            if image.mode.startswith("I"):  # 16 bits, which Pillow would clip to 255
                image = Image.fromarray((np.asarray(image) >> 8).astype(np.uint8))
            pixels = np.asarray(image.convert("L" if channels == 1 else "RGB"))
    except UnidentifiedImageError:
        raise ValueError("is no PNG file") from None
    except (OSError, SyntaxError, Image.DecompressionBombError) as error:
        raise ValueError(str(error)) from None
    return pixels.reshape(*pixels.shape[:2], channels)


def has_holes(image: Image.Image) -> bool:
    """Tells whether anything in a picture is not opaque."""
    least, _ = image.convert("RGBA").getchannel("A").getextrema()
    return bool(least < 255)


def read_png(path: Path) -> np.ndarray:
    """Returns a PNG file as [height, width, 3] uint8."""
    try:
        return decode_png(read_bytes(path, MOST_IMAGE), 3)
    except (OSError, ValueError) as error:
        raise UserError(f"{path}: cannot be read ({type(error).__name__})") from None


def captioned(image: np.ndarray, text: str) -> np.ndarray:
    """Returns a picture [H, W, C] uint8 with a line of text above it, [more, W, 3]."""
    height, width = image.shape[:2]
    page = Image.new("RGB", (width, height + CAPTION_HEIGHT), "white")
    page.paste(pillow_image(image), (0, CAPTION_HEIGHT))
    font = ImageFont.load_default(CAPTION_HEIGHT - 6)
    ImageDraw.Draw(page).text((4, 2), text, "black", font)
    return np.asarray(page)


def write_gif(path: Path, frames: Sequence[np.ndarray], seconds: float) -> None:
    """Writes pictures [H, W, C] uint8 of one size as an endless animation.

    Each frame stays for so many seconds, the last one ten times as long.
    """
    first, *others = map(pillow_image, frames)
    milliseconds = [round(1000 * seconds)] * len(frames)
    milliseconds[-1] *= 10
    with replacing(path) as temporary:
        first.save(
            temporary, "GIF", save_all=True, append_images=others, duration=milliseconds, loop=0
        )
