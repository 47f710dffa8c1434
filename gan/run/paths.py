"""Paths as users give them."""

import os
from pathlib import Path

from gan.errors import UserError

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
    try:
        return Path(expand_home(path))
    except ValueError as error:
        raise UserError(f"{name}={path}: {error}") from None


def refuse_pattern(path: str | os.PathLike[str], flag: str) -> None:
    """Refuses a path that TensorFlow would take for a pattern.

    It reads checkpoints, and deletes the oldest, of all files that match: those of other runs. A
    relative path is taken as it stands, so the current directory may have any name.
    """
    found = [character for character in PATTERNS if character in os.fspath(path)]
    if found:
        raise UserError(
            f"--{flag}={path}: must have none of {' '.join(PATTERNS)} in it, which TensorFlow "
            "takes for a pattern of file names"
        )
