"""Image files, read once into a file of pixels that is mapped into memory from then on.

It lies in the user's cache directory, or where --data_cache says, under a digest of what was read
and how. What an interruption left is gone on with. Where the user's cache cannot be written, each
process reads into a temporary directory.
"""

from __future__ import annotations

import atexit
import contextlib
import functools
import hashlib
import json
import os
import tempfile
import time
import warnings
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import PIL
from PIL import ImageFile

from gan.data.folders.image_reader import FORMATS, BadImage, flaw_of, read_image, readable
from gan.errors import UserError
from gan.lazy import np
from gan.run.atomic_files import temporary_directory
from gan.run.cache import alone, cache_directory
from gan.run.files import read_bytes
from gan.run.progress import Progress

VERSION = 1  # of the files in the cache
PIXELS_FILE, FACTS_FILE, LOCK_FILE = "pixels", "facts", "lock"
GOOD, BAD = 1, 2  # states of a file
WINDOW, WINDOW_BYTES = 256, 2**27  # files that are being read at a time, and their pixels
SAFE_SECONDS = 5.0  # an interruption loses so much work
PROGRESS_SECONDS = 10.0  # between two lines about a long reading
NAMED = 10  # bad files that are named one by one
CHANGED = "could not be read when the folder was; touch it to have it read again"

if TYPE_CHECKING:
    import numpy

FACTS: Any = [  # of a file: what it is, and the extremes of its pixels by channel
    ("state", "u1"), ("format", "u1"), ("width", "<u4"), ("height", "<u4"),
    ("darkest", "u1", 3), ("brightest", "u1", 3),
]  # fmt: skip


class Settings(NamedTuple):
    """How images are read, see `read_image`."""

    side: int
    channels: int
    background: str


class Pixels(NamedTuple):
    """Images that were read, and what the files were."""

    images: numpy.ndarray  # [n, side, side, channels] uint8, mapped, read-only
    kept: numpy.ndarray  # [n] int64, their places among the files
    sizes: numpy.ndarray  # [n] int64, bytes of their files
    facts: numpy.ndarray  # [n] of `FACTS`


def cached_pixels(
    paths: Sequence[str],
    settings: Settings,
    cache: str,
    skip_bad: bool,
    print_fn: Callable[[str], None],
) -> Pixels:
    """Returns the images in files, in their order, from the cache or read into it.

    Args:
        paths: Of the files, at least one.
        settings: How they are read.
        cache: Directory, "" for the user's.
        skip_bad: Files that are no sound images are named and left out.
        print_fn: Is told how far a long reading is, and what is left out.

    Raises:
        UserError: There are bad files and not `skip_bad`, or no others; or the cache cannot be
            written.
    """
    root = Path(cache) if cache else users_cache(print_fn)
    status = [stat_of(path) for path in paths]
    place = root / key_of(paths, status, settings)
    try:
        place.mkdir(parents=True, exist_ok=True)
        wait = "another process reads these images; waiting for it"
        with alone(place / LOCK_FILE, lambda: print_fn(wait)):
            if not complete(place, len(paths), settings):
                read_all(paths, settings, place, print_fn)
            if not complete(place, len(paths), settings):
                raise UserError(f"{place}: something else changed it; repeat the command")
            sizes = [size for size, _ in status]
            return open_pixels(paths, sizes, settings, place, skip_bad, print_fn)
    except BrokenPipeError:  # of `print_fn`
        raise
    except OSError as error:
        raise UserError(
            f"{place}: cannot be written ({error.strerror or error}), where images are kept once "
            "they are read; --data_cache=DIR names another place"
        ) from None


def users_cache(print_fn: Callable[[str], None]) -> Path:
    """Returns where images are kept for this user, or for this process alone, with a warning."""
    root = cache_directory() / "folders"
    try:
        root.mkdir(parents=True, exist_ok=True)
        tempfile.TemporaryFile(dir=root).close()
    except OSError as error:
        print_fn(
            f"warning: {root}: cannot be written ({error.strerror}), so images are read again in "
            "each process; --data_cache=DIR names a place that keeps them"
        )
        return own_directory()
    return root


@functools.cache
def own_directory() -> Path:
    """Returns a directory that is gone when this process ends, and soon if it was killed."""
    stack = contextlib.ExitStack()
    atexit.register(stack.close)
    return stack.enter_context(temporary_directory())


def stat_of(path: str) -> tuple[int, int]:
    """Returns the size of a file in bytes and its time in nanoseconds; -1 if it cannot be read."""
    try:
        status = os.stat(path)
    except OSError:
        return -1, -1
    return (status.st_size, status.st_mtime_ns) if os.access(path, os.R_OK) else (-1, -1)


def key_of(paths: Sequence[str], status: Sequence[tuple[int, int]], settings: Settings) -> str:
    """Returns a digest of all that pixels depend on, 32 hexadecimal digits."""
    how = [VERSION, PIL.__version__, *readable(), ImageFile.LOAD_TRUNCATED_IMAGES, *settings]
    sha256 = hashlib.sha256(json.dumps(how).encode())
    for path, (size, changed) in zip(paths, status, strict=True):
        sha256.update(os.fsencode(os.path.abspath(path)) + b"\0%d %d\n" % (size, changed))
    return sha256.hexdigest()[:32]


def read_all(
    paths: Sequence[str], settings: Settings, place: Path, print_fn: Callable[[str], None]
) -> None:
    """Reads the files that were not read yet, on all cores, and appends what they hold.

    Facts are written after the pixels that they speak of are on the disk.
    """
    facts, row = facts_left(place, len(paths)), settings.side**2 * settings.channels

    def read(path: str) -> tuple[bytes, tuple[Any, ...]]:
        try:
            found = read_image(path, *settings)
        except BadImage:
            return b"", (BAD, 0, 0, 0, 0, 0)
        low, high = found.pixels.min((0, 1)), found.pixels.max((0, 1))
        kind = FORMATS.index(found.format)
        ends = [np.broadcast_to(end, 3) for end in (low, high)]
        return found.pixels.tobytes(), (GOOD, kind, found.width, found.height, *ends)

    with (
        open(place / PIXELS_FILE, "ab") as pixels,
        open(place / FACTS_FILE, "ab") as told,
        ThreadPoolExecutor(os.cpu_count()) as pool,
        warnings.catch_warnings(),
    ):
        warnings.filterwarnings("ignore", module="PIL")  # they name no file
        if os.path.getsize(pixels.name) < row * (facts["state"] == GOOD).sum():
            facts = facts[:0]
        pixels.truncate(row * (facts["state"] == GOOD).sum())
        told.truncate(facts.nbytes)
        saved = time.monotonic()
        progress = Progress("reading images", len(paths) - len(facts), print_fn, PROGRESS_SECONDS)
        waiting, window = [], min(WINDOW, max(1, WINDOW_BYTES // row))
        for first in range(len(facts), len(paths), window):
            for data, fact in pool.map(read, paths[first : first + window]):
                pixels.write(data)
                waiting.append(fact)
            now, done = time.monotonic(), min(first + window, len(paths))
            if now - saved > SAFE_SECONDS or done == len(paths):
                pixels.flush()
                os.fsync(pixels.fileno())
                told.write(np.array(waiting, FACTS).tobytes())
                told.flush()
                os.fsync(told.fileno())
                waiting, saved = [], now
            progress(done - len(facts))


def complete(place: Path, count: int, settings: Settings) -> bool:
    """Tells whether all of `count` files were read."""
    facts = facts_left(place, count)
    good = int((facts["state"] == GOOD).sum())
    size = os.path.getsize(place / PIXELS_FILE) if len(facts) == count else -1
    return size == good * settings.side**2 * settings.channels


def facts_left(place: Path, count: int) -> numpy.ndarray:
    """Returns the facts [n] of the files that were read, n <= `count`; none of anything else."""
    try:
        left = read_bytes(place / FACTS_FILE)
    except OSError:
        left = b""
    facts = np.frombuffer(left, FACTS, len(left) // np.dtype(FACTS).itemsize)[:count]
    other = ~np.isin(facts["state"], (GOOD, BAD))  # what a disk left that lost its power
    return facts[: int(other.argmax())] if other.any() else facts


def open_pixels(
    paths: Sequence[str],
    sizes: Sequence[int],
    settings: Settings,
    place: Path,
    skip_bad: bool,
    print_fn: Callable[[str], None],
) -> Pixels:
    """Returns what was read, and tells or refuses what is bad."""
    facts = facts_left(place, len(paths))
    good, bad = (np.flatnonzero(facts["state"] == state) for state in (GOOD, BAD))
    if len(bad):
        tell_bad([paths[i] for i in bad[:NAMED]], len(bad), len(paths), skip_bad, print_fn)
    shape = (len(good), settings.side, settings.side, settings.channels)
    images = np.memmap(place / PIXELS_FILE, np.uint8, "r", shape=shape)
    return Pixels(images, good, np.array(sizes, np.int64)[good], facts[good])


def tell_bad(
    first: Sequence[str], bad: int, count: int, skip_bad: bool, print_fn: Callable[[str], None]
) -> None:
    """Tells which files are bad and left out, or refuses them."""
    named = [f"{path}: {flaw_of(path) or CHANGED}" for path in first]
    total = f"{bad} of {count} images {'is' if bad == 1 else 'are'} bad"
    if bad == count:
        raise UserError(f"{named[0]}; {total}, there must be good ones")
    if not skip_bad:
        raise UserError(f"{named[0]}; {total}, --skip_bad_images=true leaves them out")
    for line in named:
        print_fn(f"left out {line}")
    print_fn(f"{total} and left out")
