"""Runs a file that adds rows to the tables: ``--import=mine.py``."""

import hashlib
import re
import sys
import traceback
import types
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from gan.errors import UserError
from gan.lazy import silenced
from gan.run.files import MOST_TEXT, read_bytes
from gan.run.imports import IMPORTED, Import
from gan.run.presets import PRESETS
from gan.training.checks import TABLES

FLAG = re.compile(r"--?import(?:=(.*))?", re.DOTALL)


def files_in(arguments: Sequence[str]) -> list[str]:
    """Returns the files that a command line names by ``--import``, before its flags are defined.

    The rows must be there when flags say which names are valid.
    """
    files, rest = [], iter(arguments)
    for argument in rest:
        if argument == "--":
            break
        if match := FLAG.fullmatch(argument):
            given = match[1] if match[1] is not None else next(rest, "")
            files += [name for name in given.split(",") if name]
    return files


def import_rows(arguments: Sequence[str]) -> None:
    """Runs the files that a command line names by ``--import``, each once.

    Raises:
        UserError: One cannot be read, ends with an error, or changes a row that was there before.
    """
    for name in files_in(arguments):
        run_file(Path(name).expanduser())


def run_file(path: Path) -> None:
    """Runs a file as a module of its own, and notes that it was."""
    flag = f"--import={path}"
    try:
        source = read_bytes(path, MOST_TEXT)
    except OSError as error:
        raise UserError(f"{flag}: cannot be read ({error.strerror})") from None
    made = Import(str(path.absolute()), hashlib.sha256(source).hexdigest())
    if made in IMPORTED:
        return
    tables: dict[str, Any] = {**TABLES, "preset": PRESETS}
    before = {name: dict(table) for name, table in tables.items()}
    module = types.ModuleType(f"tapegan_import_{len(IMPORTED)}_{path.stem}")
    module.__file__ = str(path)
    sys.modules[module.__name__] = module  # what Keras asks for the classes in it
    try:
        with silenced(Exception):
            exec(compile(source, str(path), "exec"), module.__dict__)
    except Exception as error:  # somebody's code may raise anything
        raise UserError(
            f"{flag}: {where(error, str(path))}{type(error).__name__}: {error}"
        ) from None
    for name, table in tables.items():
        for row, value in before[name].items():
            if table.get(row) is not value:
                table[row] = value
                raise UserError(
                    f"{flag}: changes the row {row} of --{name}, must add rows of other names"
                )
    IMPORTED.append(made)


def where(error: Exception, path: str) -> str:
    """Returns the last line of a file in which an error came up."""
    if isinstance(error, SyntaxError):
        return f"line {error.lineno}: "
    lines = [
        one.lineno for one in traceback.extract_tb(error.__traceback__) if one.filename == path
    ]
    return f"line {lines[-1]}: " if lines else ""
