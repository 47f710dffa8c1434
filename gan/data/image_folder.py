"""The data set `image_folder:PATH`: finding image files, checking and decoding them."""

from __future__ import annotations

import dataclasses
import os
import re
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from gan.data.checks import contrast_flaw, range_warning
from gan.errors import UserError
from gan.lazy import np, tf
from gan.run.files import check_file, read_bytes
from gan.run.streams import kept_stderr

EXTENSIONS = (".jpg", ".jpeg", ".png", ".bmp", ".gif", ".webp")
NAMED = 10  # bad files that are named one by one
PROGRESS_SECONDS = 10.0  # between two lines about a long check
ORDER = {"num_parallel_calls": -1, "deterministic": True}  # tf.data.AUTOTUNE

MOST_IMAGE = 2**29  # bytes of a file: 512 MB
MOST_PIXELS = 180_000_000  # of an image, where Pillow stops too: it takes 16 bytes a pixel
SOUND, CMYK, PALETTE, LARGE = range(4)  # what `flaw_of` returns


def find_images(directory: Path) -> tuple[list[str], list[int] | None, list[str]]:
    """Returns the image files below a directory, at any depth, by their extensions.

    Hidden files and folders and files with other extensions are left out, and links to folders
    are not followed, which could go in circles.

    Returns:
        Paths, sorted; the label of each or None; the names of the classes. There are classes if
        all images lie in subfolders of `directory`, at least two: these, sorted, are the classes.

    Raises:
        UserError: There is no such directory, it cannot be read or holds no image.
    """
    flag = f"--dataset=image_folder:{directory}"
    if not directory.is_dir():
        raise UserError(f"{flag}: not a directory; must hold images ({' '.join(EXTENSIONS)})")

    def refuse(error: OSError) -> None:
        raise UserError(f"{flag}: cannot read {error.filename}: {error.strerror}")

    paths = []
    for folder, subfolders, files in os.walk(directory, onerror=refuse):
        subfolders[:] = [name for name in subfolders if not name.startswith(".")]
        paths += [
            os.path.join(folder, name)
            for name in files
            if not name.startswith(".") and name.lower().endswith(EXTENSIONS)
        ]
    if not paths:
        raise UserError(f"{flag}: holds no images, must hold some ({' '.join(EXTENSIONS)})")
    paths.sort()
    parts = [Path(os.path.relpath(path, directory)).parts for path in paths]
    classes = sorted({part[0] for part in parts})
    if len(classes) < 2 or any(len(part) == 1 for part in parts):
        return paths, None, []
    numbers = {name: number for number, name in enumerate(classes)}
    return paths, [numbers[part[0]] for part in parts], classes


def decode(path: tf.Tensor, size: int, channels: int) -> tf.Tensor:
    """Returns the image in a file, cut to the square in its centre and resized.

    Of an animated GIF the first frame counts; TensorFlow reads no animated WebP. Alpha is dropped:
    transparent pixels have the colour that is stored for them. Of 16 bits the upper 8 count.

    Args:
        path: String scalar.
        size: Height and width of the result; smaller images are enlarged bilinearly, larger ones
            are averaged over the pixels below (antialiasing).
        channels: 1 for grey or 3 for colour, whatever the file has.

    Returns:
        [size, size, channels] uint8.
    """
    return decode_bytes(tf.io.read_file(path), size, channels)


def decode_bytes(data: tf.Tensor, size: int, channels: int) -> tf.Tensor:
    """Returns what `decode` does, from the content of the file, a string scalar."""
    # Each decoder makes grey in a way of its own, or cannot: all give colour here.
    image = tf.io.decode_image(data, 3, expand_animations=False)
    height, width = tf.unstack(tf.shape(image)[:2])
    side = tf.minimum(height, width)
    top, left = (height - side) // 2, (width - side) // 2
    image = tf.cast(image[top : top + side, left : left + side], tf.float32)
    image = tf.image.resize(image, [size, size], antialias=True)
    if channels == 1:
        image = tf.image.rgb_to_grayscale(image)
    image = tf.cast(tf.clip_by_value(tf.round(image), 0, 255), tf.uint8)
    return tf.ensure_shape(image, [size, size, channels])


def flaw_of(data: tf.Tensor) -> tf.Tensor:
    """Returns `SOUND`, or what is wrong with an image by its header, before it is decoded.

    `CMYK` and `PALETTE` are decoded to wrong colours by TensorFlow; `LARGE` ones, of more than
    `MOST_PIXELS`, may have small files and take gigabytes.

    Args:
        data: String scalar, the content of an image file.
    """

    def bmp() -> tf.Tensor:
        bits = tf.io.decode_raw(tf.strings.substr(data, 28, 2), tf.uint8)[0]
        return tf.where(bits < 24, PALETTE, SOUND)

    def jpeg() -> tf.Tensor:
        return tf.where(tf.io.extract_jpeg_shape(data)[2] == 4, CMYK, SOUND)

    is_bmp = tf.strings.substr(data, 0, 2) == b"BM"
    colours = tf.cond(
        tf.io.is_jpeg(data), jpeg, lambda: tf.cond(is_bmp, bmp, lambda: tf.constant(SOUND))
    )
    return tf.where(pixels_of(data) > MOST_PIXELS, LARGE, colours)


def pixels_of(data: tf.Tensor) -> tf.Tensor:
    """Returns how many pixels an image has by its header, float32; 0 of unknown formats.

    Args:
        data: String scalar, the content of an image file.
    """
    # Zeros after it: a file may be shorter than its header.
    head = tf.strings.join([tf.strings.substr(data, 0, 32), bytes(32)])

    def number(start: int, size: int, little: bool = True) -> tf.Tensor:
        content = tf.strings.substr(head, start, size)
        places = tf.cast(tf.io.decode_raw(content, tf.uint8), tf.float32)
        powers = 256.0 ** np.arange(size, dtype=np.float32)
        return tf.reduce_sum(places * (powers if little else powers[::-1]))

    def bmp() -> tf.Tensor:
        height = tf.io.decode_raw(tf.strings.substr(head, 22, 4), tf.int32)[0]
        return number(18, 4) * tf.abs(tf.cast(height, tf.float32))  # negative: from the top down

    def jpeg() -> tf.Tensor:
        height, width, _ = tf.unstack(tf.cast(tf.io.extract_jpeg_shape(data), tf.float32))
        return height * width

    formats = {  # what a file begins with, from which byte on: height times width
        (0, b"\xff\xd8\xff"): jpeg,
        (1, b"PNG"): lambda: number(16, 4, False) * number(20, 4, False),
        (0, b"BM"): bmp,
        (0, b"GIF8"): lambda: number(6, 2) * number(8, 2),
        # A canvas, a lossy or a lossless picture; the last two have at most 2^28 pixels.
        (8, b"WEBPVP8X"): lambda: (number(24, 3) + 1) * (number(27, 3) + 1),
        (8, b"WEBPVP8 "): lambda: (number(26, 2) % 2**14) * (number(28, 2) % 2**14),
        (8, b"WEBPVP8L"): lambda: (number(21, 2) % 2**14 + 1) * (number(22, 3) // 64 % 2**14 + 1),
    }
    cases = [
        (tf.strings.substr(head, start, len(magic)) == magic, pixels)
        for (start, magic), pixels in formats.items()
    ]
    return tf.case(cases, lambda: tf.constant(0.0))


def check_images(
    paths: Sequence[str],
    size: int,
    channels: int,
    skip_bad: bool,
    print_fn: Callable[[str], None] = lambda line: None,
) -> tuple[list[int], str]:
    """Decodes all files once; returns the indices of the good ones, in order, and what is wrong
    with all of these together, ``checks.contrast_flaw`` in words.

    With `skip_bad` others are named and left out. `print_fn` is told how far a long check is, and
    gets warnings.

    Raises:
        UserError: There are bad files and not `skip_bad`, or no others.
    """

    def check(index: tf.Tensor, path: tf.Tensor) -> tuple[tf.Tensor, ...]:
        data = tf.io.read_file(path)
        flaw = flaw_of(data)

        # TensorFlow leaves out a decoder whose pixels nobody wants, control dependency or not.
        def extremes() -> tuple[tf.Tensor, tf.Tensor]:
            image = decode_bytes(data, size, channels)
            return tf.reduce_min(image, [0, 1]), tf.reduce_max(image, [0, 1])

        nothing = tf.zeros([channels], tf.uint8)
        return index, flaw, *tf.cond(flaw == SOUND, extremes, lambda: (nothing, nothing))

    files = [i for i, path in enumerate(paths) if not no_file(path)]  # TensorFlow waits for pipes
    names = tf.data.Dataset.from_tensor_slices(
        (np.array(files, np.int64), np.array([os.fsencode(paths[i]) for i in files], object))
    )
    # Errors are left out here; `describe_flaw` finds them again, for the files that are missing.
    checked = names.map(check, **ORDER).ignore_errors()
    keep, told = [], time.monotonic()
    darkest, brightest = np.full(channels, 255), np.zeros(channels, np.int64)
    with kept_stderr() as said:  # what libjpeg says, without a name
        for index, flaw_found, low, high in checked.as_numpy_iterator() if files else ():
            if flaw_found == SOUND:
                keep.append(int(index))
                darkest, brightest = np.minimum(darkest, low), np.maximum(brightest, high)
            if time.monotonic() - told > PROGRESS_SECONDS:
                told = time.monotonic()
                print_fn(f"checked {index + 1} of {len(paths)} images")
    good = set(keep)
    bad = [index for index in range(len(paths)) if index not in good]
    if bad:
        first = f"{paths[bad[0]]}: {describe_flaw(paths[bad[0]])}"
        count = f"{len(bad)} of {len(paths)} images {'is' if len(bad) == 1 else 'are'} bad"
        if not keep:
            raise UserError(f"{first}; {count}, there must be good ones")
        if not skip_bad:
            raise UserError(f"{first}; {count}, --skip_bad_images=true leaves them out")
        print_fn(f"left out {first}")
        for index in bad[1:NAMED]:
            print_fn(f"left out {paths[index]}: {describe_flaw(paths[index])}")
        print_fn(f"{count} and left out")
    else:  # else it was about those
        for line in dict.fromkeys(b"".join(said).decode(errors="replace").splitlines()):
            print_fn(f"a decoder says of an image, which is used as it came out: {line}")
    place = os.path.commonpath([os.path.dirname(path) for path in paths])
    if flaw := contrast_flaw(darkest, brightest):
        flaw = f"the images in {place} {flaw}"
        print_fn(f"warning: {flaw}")
    elif warning := range_warning(f"the images in {place}", darkest, brightest):
        print_fn(warning)
    return keep, flaw


def no_file(path: str | bytes) -> str:
    """Returns why a path is no file that can be read, in words; "" if it is one."""
    try:
        check_file(path, MOST_IMAGE)
    except OSError as error:
        return f"cannot be read ({error.strerror})"
    return ""


def describe_flaw(path: str | bytes) -> str:
    """Returns what is wrong with an image file, in words; "" if nothing is."""
    try:
        data = read_bytes(path, MOST_IMAGE)
    except OSError as error:
        return f"cannot be read ({error.strerror})"
    if not data:
        return "is empty"
    try:
        flaw = int(flaw_of(tf.constant(data)))
        if flaw == SOUND:
            decode_bytes(tf.constant(data), 1, 3)
    except tf.errors.OpError as error:
        if "Unknown image file format" in error.message:
            return "is no image"
        reason = re.sub(r"^\{\{.*?\}\} | \[Op:.*", "", " ".join(error.message.split()))
        return f"is damaged or truncated ({reason})"
    reasons = {
        CMYK: "is a CMYK JPEG, must be RGB or grey",
        PALETTE: "is a BMP with a palette, must have 24 or 32 bits a pixel",
        LARGE: f"has more than {MOST_PIXELS:,} pixels",
    }
    return reasons.get(flaw, "")


@dataclasses.dataclass(frozen=True)
class ImageFiles:
    """Images that stay in their files until they are needed."""

    paths: np.ndarray  # [N] of bytes objects, see `image_files`
    size: int
    channels: int
    directory: bytes = b""  # that they lie in, at any depth
    flaw: str = ""  # why they show nothing, in a line; there is nothing to learn then

    def identity(self) -> list[np.ndarray]:
        """Returns their names below the directory, [N] of bytes objects, and sizes [N] in bytes.

        Of files that are gone the size is -1: reading them will say so.
        """

        def size(path: bytes) -> int:
            return os.path.getsize(path) if os.path.exists(path) else -1

        names = [os.path.relpath(path, self.directory or b"/") for path in self.paths]
        return [np.array(names, object), np.array([size(path) for path in self.paths], np.int64)]

    @property
    def shape(self) -> tuple[int, int, int, int]:
        """(N, size, size, channels), as of an array of them."""
        return (len(self.paths), self.size, self.size, self.channels)

    def __len__(self) -> int:
        return len(self.paths)

    def read(self, indices: np.ndarray) -> np.ndarray:
        """Returns the images [n, size, size, channels] uint8 at `indices` [n] int."""
        indices = np.asarray(indices, np.int64)
        images = np.empty((len(indices), *self.shape[1:]), np.uint8)
        decoded = self.dataset(tf.data.Dataset.from_tensor_slices(indices))
        try:
            for i, image in enumerate(decoded.as_numpy_iterator()):
                images[i] = image
        except tf.errors.OpError:
            for path in self.paths[indices]:
                if reason := describe_flaw(path):
                    raise UserError(f"{os.fsdecode(path)}: {reason}") from None
            raise
        return images

    def dataset(self, indices: tf.data.Dataset) -> tf.data.Dataset:
        """Returns the images [size, size, channels] uint8 at `indices`, in their order.

        Args:
            indices: Data set of int64 scalars.
        """
        with tf.device("CPU"):
            paths = tf.constant(self.paths)

        def fail(path: tf.Tensor) -> tf.Tensor:
            message = "cannot read the image file"
            with tf.control_dependencies([tf.debugging.Assert(False, [message, path])]):
                return tf.zeros(self.shape[1:], tf.uint8)

        def image(index: tf.Tensor) -> tf.Tensor:
            # Errors of decoders do not name the file. The second data set is asked for an
            # element, and raises, only if the first has none, because its error was ignored.
            path = tf.data.Dataset.from_tensors(paths[index])
            decoded = path.map(lambda path: decode(path, self.size, self.channels))
            either = decoded.ignore_errors().concatenate(path.map(fail)).take(1)
            return either.get_single_element()

        return indices.map(image, **ORDER)


def image_files(
    paths: Sequence[str],
    size: int,
    channels: int,
    directory: str | os.PathLike[str] = "",
    flaw: str = "",
) -> ImageFiles:
    """Returns `paths` below a directory as images; `size` and `channels` as in `decode`."""
    encoded = np.array([os.fsencode(path) for path in paths], object)
    return ImageFiles(encoded, size, channels, os.fsencode(directory), flaw)
