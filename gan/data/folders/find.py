"""The data set `image_folder:PATH`: which files are its images, and of which classes."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Collection, Iterator
from pathlib import Path
from typing import NamedTuple

from gan.data.folders.image_reader import EXTENSIONS
from gan.errors import UserError
from gan.run.layout import CONFIG_FILE
from gan.run.saved_config import is_run
from gan.run.streams import printable

NAMED = 5  # files, folders or classes that a line names
PARTS = {"train", "training", "test", "testing", "val", "valid", "validation", "eval", "dev"}


class Found(NamedTuple):
    """The images of a directory by their names; nothing was opened."""

    paths: list[str]  # sorted
    labels: list[int] | None  # of each
    classes: list[str]  # names of the labels 0, 1, ...


def find_images(directory: Path, print_fn: Callable[[str], None] = lambda line: None) -> Found:
    """Returns the image files below a directory, at any depth, by their extensions.

    Links to folders are followed, to each folder once. Hidden files and folders are left out, and
    runs, whose pictures would become data. There are classes if all images lie in subfolders of
    `directory`, at least two: these are the classes, in the order of their names, or of their
    numbers if all are numbers.

    `print_fn` is told what is left out, and what may be a mistake.

    Raises:
        UserError: There is no such directory, it cannot be read or holds no image; or its
            subfolders are parts of a data set, such as train and test.
    """
    flag = f"--dataset=image_folder:{directory}"
    try:
        there = directory.is_dir()
    except OSError as error:
        raise UserError(f"{flag}: cannot be read ({error.strerror})") from None
    if not there:
        raise UserError(f"{flag}: not a directory; must hold images ({' '.join(EXTENSIONS)})")
    paths: list[str] = []
    others: list[str] = []
    folders = set()
    for folder, names in walk(directory, flag, print_fn):
        folders.add(top_of(folder, directory))
        for name in names:
            is_image = name.lower().endswith(EXTENSIONS)
            (paths if is_image else others).append(os.path.join(folder, name))
    if others:
        kinds = Counter(os.path.splitext(path)[1].lower() or "without extension" for path in others)
        listed = ", ".join(f"{count} {kind}" for kind, count in kinds.most_common(NAMED))
        more = ", ..." if len(kinds) > NAMED else ""
        print_fn(f"left out {counted(len(others), 'other file')} ({listed}{more})")
    if not paths:
        raise UserError(f"{flag}: holds no images, must hold some ({' '.join(EXTENSIONS)})")
    paths.sort()
    tops = [top_of(os.path.dirname(path), directory) for path in paths]
    classes, stray = set(tops) - {""}, [p for p, top in zip(paths, tops, strict=True) if not top]
    if len(classes) < 2:
        return Found(paths, None, [])
    if stray:
        print_fn(
            f"warning: no classes, because of {counted(len(stray), 'image')} beside the "
            f"{len(classes)} folders: {in_words([os.path.basename(path) for path in stray])}"
        )
        return Found(paths, None, [])
    if {name.lower() for name in classes} <= PARTS:
        raise UserError(
            f"{flag}: {in_words(sorted(classes))} are parts of a data set and no classes; must be "
            f"one of them, such as {flag}/{sorted(classes)[0]}"
        )
    if empty := sorted(folders - classes - {""}):
        print_fn(f"warning: without images, and so no classes: {in_words(empty)}")
    ordered = in_order(classes)
    numbers = {name: number for number, name in enumerate(ordered)}
    names = [printable(name) for name in ordered]  # config.json is UTF-8, names need not be
    return Found(paths, [numbers[top] for top in tops], names)


def in_order(classes: Collection[str]) -> list[str]:
    """Returns names of classes in the order of their labels: of numbers, if all are numbers."""
    numeric = all(name.isascii() and name.isdecimal() for name in classes)
    return sorted(classes, key=lambda name: (int(name) if numeric else 0, name))


def walk(
    directory: Path, flag: str, print_fn: Callable[[str], None]
) -> Iterator[tuple[str, list[str]]]:
    """Yields each folder below a directory, also through links, and the names of its files.

    What the directory itself holds comes before what links lead to, and no folder comes twice, so
    links can neither go in circles nor take the place of what they lead to.
    """

    def refuse(error: OSError) -> None:
        raise UserError(f"{flag}: cannot read {error.filename}: {error.strerror}")

    seen: set[str] = set()
    waiting = [os.fspath(directory)]
    while waiting:
        start = waiting.pop(0)
        if start != os.fspath(directory) and os.path.realpath(start) in seen:
            print_fn(f"left out {start}, a link to a folder that is read already")
            continue
        for folder, subfolders, files in os.walk(start, onerror=refuse):
            seen.add(os.path.realpath(folder))
            if CONFIG_FILE in files and folder != os.fspath(directory) and is_run(Path(folder)):
                print_fn(f"left out {folder}, a run, whose pictures are not data")
                subfolders.clear()
                continue
            subfolders[:] = sorted(name for name in subfolders if not name.startswith("."))
            paths = [os.path.join(folder, name) for name in subfolders]
            waiting += [path for path in paths if os.path.islink(path)]
            subfolders[:] = [
                name
                for name, path in zip(subfolders, paths, strict=True)
                if os.path.realpath(path) not in seen
            ]
            yield folder, [name for name in files if not name.startswith(".")]


def top_of(folder: str, directory: Path) -> str:
    """Returns the subfolder of a directory in which a folder lies, "" for the directory itself."""
    return Path(os.path.relpath(folder, directory)).parts[0] if folder != str(directory) else ""


def counted(count: int, noun: str) -> str:
    """Returns how many there are of something."""
    return f"{count:,} {noun}{'' if count == 1 else 's'}"


def in_words(names: list[str]) -> str:
    """Returns the first few names, and how many more there are."""
    more = [f"{len(names) - NAMED} more"] if len(names) > NAMED else []
    return ", ".join(names[:NAMED] + more)
