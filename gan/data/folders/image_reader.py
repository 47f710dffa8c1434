"""One image file, as viewers show it, cut to a square and resized to what networks see."""

from __future__ import annotations

import contextlib
import errno
import io
import os
import threading
from typing import Any, NamedTuple

from PIL import ExifTags, Image, ImageColor

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
LARGE = (
    2**24
)  # pixels; of such images one at a time is decoded, which takes 4 bytes a pixel or more

# Errors that stay until the file changes. Others may be over in a moment.
LASTING = {
    errno.ENOENT, errno.EACCES, errno.EPERM, errno.EISDIR, errno.ENOTDIR, errno.EINVAL, errno.EFBIG,
    errno.ELOOP, errno.ENAMETOOLONG,
}  # fmt: skip

# From how a file is stored to how viewers show it, by EXIF's orientation.
UPRIGHT = {
    2: Image.Transpose.FLIP_LEFT_RIGHT, 3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM, 5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270, 7: Image.Transpose.TRANSVERSE, 8: Image.Transpose.ROTATE_90,
}  # fmt: skip

one_large = threading.Lock()


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
        BadImage: It cannot be read, and will not until it is another file.
        UserError: It cannot be read now.
    """
    try:
        content = read_bytes(path, MOST_IMAGE)
    except OSError as error:
        if error.errno in LASTING:
            raise BadImage(f"cannot be read ({error.strerror})") from None
        raise UserError(f"{os.fsdecode(path)}: cannot be read ({error.strerror})") from None
    if not content:
        raise BadImage("is empty")
    try:
        return decoded(content, side, channels, background)
    except BadImage:
        raise
    except MemoryError:
        raise UserError(f"{os.fsdecode(path)}: needs more memory than there is") from None
    except Image.DecompressionBombError:
        raise BadImage(f"has more than {MOST_PIXELS:,} pixels") from None
    except Image.UnidentifiedImageError:
        raise BadImage(reason_unknown(content)) from None
    except Exception as error:  # decoders raise whatever a damaged file leads them to
        reason = " ".join(str(error).split())[:100] or type(error).__name__
        raise BadImage(f"is damaged or truncated ({reason})") from None


def readable() -> list[str]:
    """Returns which of `FORMATS` this Pillow reads; AVIF needs 11.3, others how it was built."""
    Image.init()
    return [name for name in FORMATS if name in Image.OPEN]


def decoded(content: bytes, side: int, channels: int, background: str) -> Read:
    """Returns what `read_image` does, from the content of a file."""
    known = readable()
    with contextlib.ExitStack() as stack:
        image = stack.enter_context(Image.open(io.BytesIO(content), formats=known))
        kind, (width, height) = image.format or "", image.size
        if width * height > LARGE:
            stack.enter_context(one_large)
        if kind == "PNG":  # else Pillow leaves out the check sums of pixels
            with Image.open(io.BytesIO(content), formats=["PNG"]) as again:
                again.verify()
        check_depth(image)
        # Of JPEG a smaller version may do, whose sides are rounded up; `exact` are not.
        drafted = image.draft(None, (DRAFT * side, DRAFT * side))
        exact: tuple[float, ...] = tuple(drafted[1][2:]) if drafted else image.size
        picture = in_mode(image, "L" if channels == 1 else "RGB", background)
        orientation = orientation_of(image)
    wide, high = exact
    square = min(exact)
    left, top = (wide - square) / 2, (high - square) / 2
    if exact == picture.size:  # whole pixels
        left, top = int(left), int(top)
    box = (left, top, left + square, top + square)
    picture = picture.resize((side, side), Image.Resampling.LANCZOS, box)
    if orientation in UPRIGHT:
        picture = picture.transpose(UPRIGHT[orientation])
    if orientation > 4:
        width, height = height, width
    pixels = np.asarray(picture).reshape(side, side, channels)
    return Read(pixels, kind, width, height)


def orientation_of(image: Image.Image) -> int:
    """Returns EXIF's orientation, 1 to 8; 1 if there is none that can be read, as viewers do.

    Of an image that is loaded: Pillow turns TIFF itself, and forgets the orientation then.
    """
    found: Any = 1
    with contextlib.suppress(Exception):  # of damaged EXIF; the pixels may be sound
        found = image.getexif().get(ExifTags.Base.Orientation)
    return found if found in UPRIGHT else 1


def check_depth(image: Image.Image) -> None:
    """Refuses numbers of a depth that Pillow reads as others than they are meant.

    Raises:
        BadImage: Says which.
    """
    if image.mode == "F":
        raise BadImage("has floating-point pixels, must have 8 or 16 bits")
    if image.format == "TIFF":
        tags: Any = getattr(image, "tag_v2", {})
        bits = max(tags.get(ExifTags.Base.BitsPerSample, (8,)))
        if bits > 8 and bits != 16:
            raise BadImage(f"has {bits} bits a channel, must have 8 or 16")
        if bits == 16 and tags.get(ExifTags.Base.PhotometricInterpretation) == 0:
            raise BadImage("has 16 bits with 0 as white, must have 0 as black")
        if bits == 16 and tags.get(ExifTags.Base.PlanarConfiguration) == 2:
            raise BadImage("has 16 bits with one plane after the other, must have pixels together")
    stored = image.tile[0][3] if image.format == "PNG" and image.tile else ""
    if "transparency" in image.info and stored in ("L;2", "L;4", "I;16B", "RGB;16B"):
        raise BadImage("has a transparent colour of other than 8 bits, must have an alpha channel")


def in_mode(image: Image.Image, mode: str, background: str) -> Image.Image:
    """Returns an image as 8 bits of grey or colour, put on a background where it is transparent."""
    if image.mode.startswith("I"):  # 16 bits, which Pillow itself would clip to 255
        return Image.fromarray((np.asarray(image) >> 8).astype(np.uint8)).convert(mode)
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
