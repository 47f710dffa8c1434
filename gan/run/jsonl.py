"""JSON that may come from anybody, and JSON lines files: read, appended to, replaced."""

import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any, NoReturn

from gan.errors import UserError
from gan.run import files
from gan.run.atomic_files import replacing

MOST_RECORDS = 2**30  # bytes of such a file, about a million records: 1 GB
DEEPEST = 16  # levels of objects and lists; ours have 4
INT64 = 2**63  # what integers must stay below, because NumPy and TensorFlow count with 64 bits


def parse(text: str) -> Any:
    """Returns the value that JSON text stands for.

    Raises:
        ValueError: Says what it has that JSON, float64, int64 or UTF-8 lacks, or that it is nested
            too deeply. A ``json.JSONDecodeError`` where it is no JSON at all, or torn.
    """
    try:
        value = json.loads(text, parse_int=integer, parse_constant=refuse_constant)
    except RecursionError:
        raise ValueError("is nested too deeply") from None
    check_value(value)
    return value


def integer(text: str) -> int:
    """Returns an integer that 64 bits hold; Python would take 4,300 digits."""
    if len(text) > 20 or not -INT64 <= int(text) < INT64:
        raise ValueError("has an integer beyond 64 bits")
    return int(text)


def refuse_constant(name: str) -> NoReturn:
    """Refuses NaN and Infinity, which Python's parser takes."""
    raise ValueError(f"has {name}, which JSON lacks")


def check_value(value: Any, level: int = 0) -> None:
    """Refuses what a value of JSON may hold and nothing later can count, print or encode."""
    if isinstance(value, float):
        if not math.isfinite(value):
            raise ValueError("has a number beyond float64")
    elif isinstance(value, str):
        if not value.isascii() and any("\ud800" <= character <= "\udfff" for character in value):
            raise ValueError("has half a character (a surrogate)")
    elif isinstance(value, dict | list):
        if level == DEEPEST:
            raise ValueError("is nested too deeply")
        for inner in value.items() if isinstance(value, dict) else value:
            for part in inner if isinstance(value, dict) else (inner,):
                check_value(part, level + 1)


def without_infinities(record: dict[str, Any]) -> dict[str, Any]:
    """Returns the record with None for numbers that JSON does not have (overflowed norms)."""

    def clean(value: Any) -> Any:
        if isinstance(value, dict):
            return {name: clean(inner) for name, inner in value.items()}
        return None if isinstance(value, float) and not math.isfinite(value) else value

    return {name: clean(value) for name, value in record.items()}


NO_RECORD = "is no record, must be an object with a step"


def read_text(path: Path) -> str:
    """Returns the text of a JSON lines file, "" if there is none."""
    try:
        return files.read_text(path, MOST_RECORDS) if path.exists() else ""
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"{path}: cannot be read, must be JSON lines ({error})") from None


def read_records(
    path: Path, check: Callable[[dict[str, Any]], None] = lambda record: None
) -> list[dict[str, Any]]:
    """Returns the records of a JSON lines file, without a last line that a crash tore.

    No file: no records. See gan/run/records.py for those of a run.

    Args:
        path: Of the file.
        check: Raises a ValueError that says what is wrong with a record.

    Raises:
        UserError: Names the file and the line.
    """
    records: list[dict[str, Any]] = []
    lines = read_text(path).removesuffix("\n").split("\n")
    for number, line in enumerate(lines if lines != [""] else [], 1):
        try:
            record = parse(line)
            if not isinstance(record, dict):
                raise ValueError(NO_RECORD)
            check(record)
        except json.JSONDecodeError:
            if number == len(lines):
                break
            raise UserError(f"{path}: line {number} {NO_RECORD}") from None
        except ValueError as error:
            raise UserError(f"{path}: line {number} {error}") from None
        records.append(record)
    return records


def append_record(path: Path, record: dict[str, Any]) -> None:
    """Appends a line to a JSON lines file, after taking off one that a crash tore."""
    if text := read_text(path):
        whole, _, last = text.removesuffix("\n").rpartition("\n")
        try:
            json.loads(last)  # a whole record, or another file's text: nothing is taken off
            torn = False
        except (ValueError, RecursionError):
            torn = last.startswith("{")  # else somebody else's text, which stays
        if torn or not text.endswith("\n"):
            kept = f"{whole}\n" * bool(whole) if torn else text + "\n"
            with replacing(path) as temporary:
                temporary.write_text(kept)
    with path.open("a") as file:
        file.write(json.dumps(without_infinities(record), allow_nan=False) + "\n")


def write_records(path: Path, records: list[dict[str, Any]]) -> None:
    """Replaces a JSON lines file."""
    with replacing(path) as temporary:
        temporary.write_text("".join(json.dumps(record) + "\n" for record in records))
