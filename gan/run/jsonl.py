"""JSON lines files: read, appended to, replaced."""

import json
import math
from pathlib import Path
from typing import Any

from gan.errors import UserError
from gan.run import files
from gan.run.atomic_files import replacing

MOST_RECORDS = 2**30  # bytes of such a file, about a million records: 1 GB
DURING_TRAINING = "training"  # the source of evaluations that the trainer asks for


def without_infinities(record: dict[str, Any]) -> dict[str, Any]:
    """Returns the record with None for numbers that JSON does not have (overflowed norms)."""

    def clean(value: Any) -> Any:
        if isinstance(value, dict):
            return {name: clean(inner) for name, inner in value.items()}
        return None if isinstance(value, float) and not math.isfinite(value) else value

    return {name: clean(value) for name, value in record.items()}


def read_text(path: Path) -> str:
    """Returns the text of a JSON lines file, "" if there is none."""
    try:
        return files.read_text(path, MOST_RECORDS) if path.exists() else ""
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"{path}: cannot be read, must be JSON lines ({error})") from None


def read_records(path: Path) -> list[dict[str, Any]]:
    """Returns the records of a metrics.jsonl, without a last line that a crash tore.

    No file: no records.
    """
    records: list[dict[str, Any]] = []
    lines = read_text(path).splitlines()
    for number, line in enumerate(lines, 1):
        try:
            record = json.loads(line)
        except (ValueError, RecursionError):
            if number == len(lines):
                break
            record = None
        if not isinstance(record, dict) or type(record.get("step")) is not int:
            raise UserError(f"{path}: line {number} is no record, must be an object with a step")
        records.append(record)
    return records


def append_record(path: Path, record: dict[str, Any]) -> None:
    """Appends a line to a JSON lines file, after taking off one that a crash tore."""
    if (text := read_text(path)) and not text.endswith("\n"):
        whole, _, last = text.rpartition("\n")
        try:
            json.loads(last)  # a whole record, or another file's text: nothing is taken off
            text += "\n"
        except ValueError:
            torn = last.startswith("{")  # else somebody else's text, which stays
            text = f"{whole}\n" * bool(whole) if torn else text + "\n"
        with replacing(path) as temporary:
            temporary.write_text(text)
    with path.open("a") as file:
        file.write(json.dumps(without_infinities(record), allow_nan=False) + "\n")


def write_records(path: Path, records: list[dict[str, Any]]) -> None:
    """Replaces a JSON lines file."""
    with replacing(path) as temporary:
        temporary.write_text("".join(json.dumps(record) + "\n" for record in records))


def drop_evaluations(path: Path, step: int) -> list[dict[str, Any]]:
    """Drops what a run that stands at `step` will evaluate again, and returns what it did before.

    Evaluations by hand stay in the file.
    """
    records = read_records(path)
    kept = [r for r in records if r.get("source") != DURING_TRAINING or r["step"] <= step]
    if kept != records:
        write_records(path, kept)
    return [record for record in kept if record.get("source") == DURING_TRAINING]
