"""The images of a folder as a data set: read, in order, and in two parts."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from gan.data import checks
from gan.data.folders import held_out
from gan.data.folders.find import Found, find_images
from gan.data.folders.image_cache import Pixels, Settings, cached_pixels
from gan.data.folders.image_reader import FORMATS
from gan.lazy import np

CLASSES_NAMED = 20  # in the line about a folder


class Folder(NamedTuple):
    """The files that images [N] come from: those to learn from, then those held out."""

    names: np.ndarray  # [N] of bytes objects, paths below the folder
    sizes: np.ndarray  # [N] int64, bytes
    shorter_sides: np.ndarray  # [N] int64, pixels of the files' images
    flaw: str  # why they show nothing, in a line; there is nothing to learn then
    said: tuple[str, ...] = ()  # what there is, and what is held out, in lines


class FolderData(NamedTuple):
    """What a folder gives to a `Dataset`; its fields mean the same there."""

    train_images: np.ndarray
    train_labels: np.ndarray | None
    test_images: np.ndarray | None
    test_labels: np.ndarray | None
    class_names: tuple[str, ...]
    folder: Folder


def load_folder(
    directory: Path,
    settings: Settings,
    cache: str,
    skip_bad: bool,
    test_share: float,
    print_fn: Callable[[str], None],
) -> FolderData:
    """Returns the images below a directory, read once into a file that is mapped.

    Where images are held out, they lie in that file in the order of `held_out.hashed_order`, so
    that another share needs no new reading; else in the order of their names. `print_fn` is told
    what takes time, what is left out, and warnings.
    """
    found = find_images(directory, print_fn)
    names = names_below(directory, found.paths)
    if held_out.count_held_out(len(found.paths), test_share):
        order = held_out.hashed_order(names, found.labels)
        names = [names[i] for i in order]
        in_order = None if found.labels is None else [found.labels[i] for i in order]
        found = Found([found.paths[i] for i in order], in_order, found.classes)
    read = cached_pixels(found.paths, settings, cache, skip_bad, print_fn)
    labels, classes = kept_labels(found, read, print_fn)
    low, high = (
        facts[:, : settings.channels] for facts in (read.facts["darkest"], read.facts["brightest"])
    )
    what = f"the images in {directory}"
    if flaw := checks.contrast_flaw(low.min(0), high.max(0)):
        flaw = f"{what} {flaw}"
        print_fn(f"warning: {flaw}")
    elif warning := checks.range_warning(what, low.min(0), high.max(0)):
        print_fn(warning)
    shorter = np.minimum(read.facts["width"], read.facts["height"]).astype(np.int64)

    count = len(read.images)
    wanted = held_out.count_held_out(count, test_share)
    tests = min(wanted, held_out.most_held_out(labels, count))
    tests = tests if tests >= held_out.LEAST else 0
    said = (described(read, labels, classes), held_out.described(count, tests, test_share))
    folder = Folder(
        np.array([names[i] for i in read.kept], object),
        read.sizes,
        shorter,
        flaw,
        tuple(f"{directory}: {line}" for line in said),
    )
    rest = count - tests
    return FolderData(
        read.images[:rest],
        None if labels is None else labels[:rest],
        read.images[rest:] if tests else None,
        None if labels is None or not tests else labels[rest:],
        tuple(classes),
        folder,
    )


def names_below(directory: Path, paths: list[str]) -> list[bytes]:
    """Returns the paths that files have below the directory in which they were found."""
    start = os.path.join(directory, "")
    return [os.fsencode(path.removeprefix(start)) for path in paths]


def kept_labels(
    found: Found, read: Pixels, print_fn: Callable[[str], None]
) -> tuple[np.ndarray | None, list[str]]:
    """Returns the labels of the images that were read, and the names of the classes they have."""
    if found.labels is None:
        return None, found.classes
    classes = found.classes
    there, labels = np.unique(np.array(found.labels)[read.kept], return_inverse=True)
    if len(there) < len(classes):
        lost = checks.named(set(range(len(classes))) - set(there.tolist()), tuple(classes))
        print_fn(f"warning: left out {lost}, without a sound image; the others move up")
    return labels, [classes[i] for i in there]


def described(read: Pixels, labels: np.ndarray | None, classes: list[str]) -> str:
    """Returns in a line how many images there are, of which formats and sizes, and the classes."""
    kinds = Counter(FORMATS[i] for i in read.facts["format"])
    formats = ", ".join(f"{count:,} {kind}" for kind, count in kinds.most_common())
    order = np.argsort(read.facts["width"].astype(np.int64) * read.facts["height"])
    ends = [read.facts[order[i]] for i in (0, -1)]
    sizes = dict.fromkeys(f"{end['width']} x {end['height']}" for end in ends)
    line = f"{len(read.images):,} images ({formats}; {' to '.join(sizes)} pixels)"
    if labels is None:
        return f"{line}, no classes"
    counts = np.bincount(labels, minlength=len(classes))
    shown = [f"{name} {count:,}" for name, count in zip(classes, counts, strict=True)]
    more = ["..."] if len(classes) > CLASSES_NAMED else []
    return f"{line}, {len(classes)} classes: {', '.join(shown[:CLASSES_NAMED] + more)}"
