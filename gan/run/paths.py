"""Paths as users give them."""

import functools
import os
import sys
from pathlib import Path

from gan.errors import UserError

OPEN_FILES = Path("/proc/self/fd")  # Linux: this process's, by handle
PATTERNS = "*?[\\"  # with one of these TensorFlow takes a path for a pattern of file names


def expand_home(path: str | os.PathLike[str]) -> str:
    """Returns a path with the home directory for ``~``, which no shell expands after a "=".

    Raises:
        ValueError: There is no such home; says what is valid.
    """
    expanded = os.path.expanduser(os.fspath(path))
    if expanded.startswith("~"):
        first = Path(expanded).parts[0]
        raise ValueError(f"there is no home directory {first}, must be a path (such as ./{first})")
    return expanded


def user_path(path: str | os.PathLike[str], name: str) -> Path:
    """Returns a path that Python code gave as the argument `name`, see `expand_home`."""
    if not isinstance(path, str | os.PathLike):
        raise UserError(f"{name}={path!r}: is {type(path).__name__}, must be a path")
    if "\0" in os.fspath(path):
        raise UserError(f"{name}={path}: has a character 0, which no path has")
    try:
        return Path(expand_home(path))
    except ValueError as error:
        raise UserError(f"{name}={path}: {error}") from None


def check_pattern(path: Path, flag: str) -> None:
    """Refuses a path that TensorFlow takes for a pattern, where `plain_path` has no other name."""
    if set(str(path)) & set(PATTERNS) and not OPEN_FILES.is_dir():
        raise UserError(
            f"--{flag}={path}: must have none of {' '.join(PATTERNS)} in it, which TensorFlow "
            "takes for a pattern of file names"
        )


def is_utf8(text: str) -> bool:
    """Returns whether UTF-8 has all of a text; bytes of a file's name may be something else."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def check_encoding(path: Path, flag: str) -> None:
    """Refuses a path that is not in UTF-8, which TensorFlow neither reads nor writes."""
    if is_utf8(str(path)):
        return
    encoding, why = sys.getfilesystemencoding(), "TensorFlow takes no other names"
    if encoding != "utf-8":
        why = f"and Python takes names for {encoding} here, PYTHONUTF8=1 says otherwise"
    raise UserError(f"--{flag}={path}: must be UTF-8, {why}")


def plain_path(path: Path) -> str:
    """Returns a name of a path that TensorFlow does not take for a pattern.

    TensorFlow reads checkpoints, and deletes the oldest, of all files that match: those of other
    runs. So a directory, which must exist, gets the name of an open file if its path has such
    characters. A relative path is taken as it stands: the current directory may have any name.
    """
    odd = [i for i, part in enumerate(path.parts, 1) if set(part) & set(PATTERNS)]
    if not odd:
        return str(path)
    directory = Path(*path.parts[: odd[-1]])
    about = directory.stat()
    handle = opened(str(directory), about.st_dev, about.st_ino)
    return str(OPEN_FILES.joinpath(str(handle), *path.parts[odd[-1] :]))


@functools.cache
def opened(directory: str, device: int, inode: int) -> int:
    """Returns a handle of a directory, which stays open; another one of that name gets another."""
    del device, inode
    return os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
