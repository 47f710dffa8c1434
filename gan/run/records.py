"""The records of a run, typed: metrics.jsonl, evaluations.jsonl, summary.json, read here only.

A run may be damaged or edited, and may come from anybody. Nothing behind this door has to ask again
what a record holds. What any version of ours has written is let in.
"""

import json
import math
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from gan.errors import UserError
from gan.run.files import read_text
from gan.run.jsonl import INT64, NO_RECORD, parse, read_records, write_records

DURING_TRAINING = "training"  # the source of evaluations that the trainer asks for
STATUSES = ("completed", "preempted", "stopped")
SHOWN = 40  # characters of a wrong value


class Kind(NamedTuple):
    """What a field of a record may hold."""

    is_right: Callable[[Any], bool]
    said: str


def is_number(value: Any) -> bool:
    """Returns whether a value is a number that float64 holds; NumPy's float64 is one."""
    return type(value) is int or (isinstance(value, float) and math.isfinite(value))


def is_floor(value: Any) -> bool:
    """Returns whether a value is what real images get: a mean and a standard deviation."""
    return isinstance(value, dict) and all(is_number(value.get(key)) for key in ("mean", "sd"))


def are(is_right: Callable[[Any], bool]) -> Callable[[Any], bool]:
    """Returns what tells whether a value is an object, all of whose values are right."""
    return lambda value: isinstance(value, dict) and all(map(is_right, value.values()))


def is_alignment(value: Any) -> bool:
    """Returns whether a value is a condition alignment, see gan/evaluation."""
    if not isinstance(value, dict) or not isinstance(rows := value.get("classes"), list):
        return False
    shares = ("samples", "real")
    return all(NUMBER.is_right(value.get(name)) for name in shares) and all(
        isinstance(row, dict)
        and isinstance(row.get("name"), str)
        and all(NUMBER.is_right(row.get(name)) for name in shares)
        for row in rows
    )


def is_diversity(value: Any) -> bool:
    """Returns whether a value is the diversity within classes, see gan/evaluation."""
    return isinstance(value, list) and all(
        isinstance(row, dict)
        and isinstance(row.get("name"), str)
        and all(is_number(row.get(name)) for name in ("samples", "real", "sd"))
        for row in value
    )


COUNT = Kind(lambda v: type(v) is int and 0 <= v < INT64, "an integer from 0 to below 2^63")
AMOUNT = Kind(lambda v: is_number(v) and 0 <= v < INT64, "a number from 0 to below 2^63")
NUMBER = Kind(lambda v: v is None or is_number(v), "a number or null")
TEXT = Kind(lambda v: isinstance(v, str), "text")
STATUS = Kind(lambda v: isinstance(v, str) and v in STATUSES, f"one of {', '.join(STATUSES)}")
NUMBERS = Kind(are(NUMBER.is_right), "an object of numbers or nulls")
COUNTS = Kind(are(COUNT.is_right), "an object of integers from 0 to below 2^63")
FLOORS = Kind(are(is_floor), "an object of {mean, sd}")
ALIGNMENT = Kind(is_alignment, "an object of samples, real, and classes with a name each")
DIVERSITY = Kind(is_diversity, "a list of {name, samples, real, sd}")
LIST = Kind(lambda v: isinstance(v, list), "a list")

# What must be there, and what may be; other fields of evaluations and summaries are only printed.
METRICS = {"step": COUNT, "kimg": AMOUNT, "seconds": AMOUNT}
EVALUATION = {"step": COUNT, "metrics": NUMBERS}
OF_EVALUATION = {
    "kimg": AMOUNT, "seconds": AMOUNT, "floors": FLOORS, "class_counts": LIST,
    "real_classes": AMOUNT, "expected_classes": AMOUNT,
    "condition_alignment": ALIGNMENT, "class_diversity": DIVERSITY,
}  # fmt: skip
SUMMARY = {"step": COUNT, "status": STATUS}
OF_SUMMARY = {
    "seconds": AMOUNT, "kimg": AMOUNT, "collapse": COUNTS, "reason": TEXT, "logged_step": COUNT,
}  # fmt: skip


def check(
    record: Mapping[str, Any],
    required: Mapping[str, Kind],
    others: Mapping[str, Kind] | Kind,
) -> None:
    """Refuses a record, with a ValueError that says which field must be what.

    `others` are kinds of fields that may be there by name, or one for all fields.
    """
    if "step" not in record:
        raise ValueError(NO_RECORD)
    for name in required:
        if name not in record:
            raise ValueError(f"has no {name}, must have {', '.join(required)}")
    for name, value in record.items():
        kind = required.get(name) or (others if isinstance(others, Kind) else others.get(name))
        if kind and not kind.is_right(value):
            text = json.dumps(value)
            text = text if len(text) <= SHOWN else f"{text[:SHOWN]}..."
            raise ValueError(f"has {name[:SHOWN]}={text}, must be {kind.said}")


def read_metrics(path: Path) -> list[dict[str, Any]]:
    """Returns the records of a metrics.jsonl, without a last line that a crash tore.

    Each has a step, greater than the one before, kimg and seconds; other values are numbers, or
    None where they were not finite. No file: no records.

    Raises:
        UserError: Names the file and the line, and what is wrong with it.
    """
    before = -1

    def check_one(record: dict[str, Any]) -> None:
        nonlocal before
        check(record, METRICS, NUMBER)
        if record["step"] <= before:
            raise ValueError(f"has step={record['step']}, must be after step {before} before it")
        before = record["step"]

    return read_records(path, check_one)


def read_evaluations(path: Path) -> list[dict[str, Any]]:
    """Returns the records of an evaluations.jsonl, likewise; steps may come in any order.

    Each has a step and metrics, {name: number or None}, and maybe floors.
    """
    return read_records(path, lambda record: check(record, EVALUATION, OF_EVALUATION))


def read_summary(path: Path) -> dict[str, Any]:
    """Returns the summary of a run, empty if there is none.

    It has a step and a status of `STATUSES`; one that stopped has a reason.

    Raises:
        UserError: Says what is wrong with it.
    """
    if not path.exists():
        return {}
    try:
        summary = parse(read_text(path))
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        raise UserError(f"{path}: cannot be read, must be JSON ({reason})") from None
    try:
        if not isinstance(summary, dict):
            raise ValueError("must be an object with a step")
        check(summary, SUMMARY, OF_SUMMARY)
    except ValueError as error:
        raise UserError(f"{path}: is no summary, {error}") from None
    unknown = {"reason": "it does not say why"} if summary["status"] == "stopped" else {}
    return {**unknown, **summary}


def drop_evaluations(path: Path, step: int) -> list[dict[str, Any]]:
    """Drops what a run that stands at `step` will evaluate again, and returns what it did before.

    Evaluations by hand stay in the file.
    """
    records = read_evaluations(path)
    kept = [r for r in records if r.get("source") != DURING_TRAINING or r["step"] <= step]
    if kept != records:
        write_records(path, kept)
    return [record for record in kept if record.get("source") == DURING_TRAINING]
