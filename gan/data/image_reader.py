"""One image file, as viewers show it, cut to a square and resized to what networks see."""

from __future__ import annotations

import io
from typing import NamedTuple

from PIL import ExifTags, Image, ImageColor, ImageOps

from gan.errors import UserError
from gan.lazy import np
from gan.run.files import AnyPath, read_bytes

# Pillow's decoders that are asked. Others, such as that of EPS, start programs.
FORMATS = ("JPEG", "MPO", "PNG", "GIF", "BMP", "WEBP", "TIFF", "AVIF")
EXTENSIONS = (
    ".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".bmp", ".gif", ".webp", ".tif", ".tiff", ".avif",
)  # fmt: skip

MOST_IMAGE = 2**29  # bytes of a file: 512 MB
MOST_PIXELS = 178_956_970  # of an image, where Pillow stops too
DRAFT = 2  # JPEG may leave out what is finer than so many pixels for one of the result


class BadImage(Exception):
    """A file is no image, or none that can be shown as it was meant; says why in a few words."""


class Read(NamedTuple):
    """An image, and what it was."""

    pixels: np.ndarray  # [side, side, channels] uint8
    format: str
    width: int  # of the file, as viewers show it
    height: int


def read_image(path: AnyPath, side: int, channels: int, background: str) -> Read:
    """Returns the square in the centre of an image, resized with antialiasing (Lanczos).

    What viewers show counts: the orientation that EXIF says, the colours of palettes and CMYK, the
    first frame. Of 16 bits a channel the upper 8 count.

    Args:
        path: Of a file in one of `FORMATS`, whatever its name.
        side: Height and width of the result.
        channels: 1 for grey or 3 for colour, whatever the file has.
        background: Colour behind what is transparent, as `ImageColor.getrgb` takes it.

    Raises:
        BadImage: It cannot be read.
    """
    try:
        content = read_bytes(path, MOST_IMAGE)
    except OSError as error:
        raise BadImage(f"cannot be read ({error.strerror})") from None
    if not content:
        raise BadImage("is empty")
    try:
        return decoded(content, side, channels, background)
    except (BadImage, MemoryError):
        raise
    except Image.DecompressionBombError:
        raise BadImage(f"has more than {MOST_PIXELS:,} pixels") from None
    except Image.UnidentifiedImageError:
        raise BadImage(reason_unknown(content)) from None
    except Exception as error:  # decoders raise whatever a damaged file leads them to
        reason = " ".join(str(error).split())[:100] or type(error).__name__
        raise BadImage(f"is damaged or truncated ({reason})") from None


def decoded(content: bytes, side: int, channels: int, background: str) -> Read:
    """Returns what `read_image` does, from the content of a file."""
    Image.init()
    known = [name for name in FORMATS if name in Image.OPEN]  # AVIF needs Pillow 11.3
    with Image.open(io.BytesIO(content), formats=known) as image:
        kind, (width, height) = image.format or "", image.size
        if kind == "PNG":  # else Pillow leaves out the check sums of pixels
            with Image.open(io.BytesIO(content), formats=["PNG"]) as again:
                again.verify()
        image.draft(None, (DRAFT * side, DRAFT * side))
        # Of TIFF Pillow says the size as viewers show it.
        if kind != "TIFF" and image.getexif().get(ExifTags.Base.Orientation, 1) > 4:
            width, height = height, width
        upright = ImageOps.exif_transpose(image)
    picture = in_mode(upright, "L" if channels == 1 else "RGB", background)
    wide, high = picture.size
    square = min(wide, high)
    left, top = (wide - square) // 2, (high - square) // 2
    box = (left, top, left + square, top + square)
    pixels = np.asarray(picture.resize((side, side), Image.Resampling.LANCZOS, box))
    return Read(pixels.reshape(side, side, channels), kind, width, height)


def in_mode(image: Image.Image, mode: str, background: str) -> Image.Image:
    """Returns an image as 8 bits of grey or colour, put on a background where it is transparent."""
    if image.mode == "F":
        raise BadImage("has floating-point pixels, must have 8 or 16 bits")
    if image.mode.startswith("I"):  # Pillow itself would clip to 255
        values = np.asarray(image).astype(np.int64)
        if values.min() < 0 or values.max() > 65535:
            raise BadImage("has pixels of more than 16 bits, must have 8 or 16")
        return Image.fromarray((values >> 8).astype(np.uint8)).convert(mode)
    if image.has_transparency_data:
        behind = Image.new("RGBA", image.size, (*colour(background), 255))
        image = Image.alpha_composite(behind, image.convert("RGBA"))
    return image.convert(mode)


def colour(name: str) -> tuple[int, int, int]:
    """Returns red, green and blue in 0..255 of a colour by its name or as #rrggbb.

    Raises:
        UserError: It is no colour.
    """
    try:
        red, green, blue = ImageColor.getrgb(name)[:3]
    except ValueError:
        raise UserError(
            f"--background={name}: must be a colour such as white, black or #ff8000"
        ) from None
    return red, green, blue


def reason_unknown(content: bytes) -> str:
    """Returns why Pillow has no decoder for a file."""
    if content[4:12] in (b"ftypavif", b"ftypavis") and "AVIF" not in Image.OPEN:
        return "is AVIF, which needs Pillow 11.3 or newer"
    return "is no image, or damaged at its beginning"


def flaw_of(path: AnyPath) -> str:
    """Returns what is wrong with an image file, in words; "" if nothing is."""
    try:
        read_image(path, 1, 3, "white")
    except BadImage as error:
        return str(error)
    return ""
