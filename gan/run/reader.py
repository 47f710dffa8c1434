"""What a run has left behind, read and checked: a run may be damaged, or come from anybody."""

import json
import math
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from gan.errors import UserError
from gan.run import run_directory
from gan.run.config import Config
from gan.run.files import read_text
from gan.run.jsonl import read_records

Record = Mapping[str, Any]

PICTURE = re.compile(r"step_(\d{1,12})\.png")


class History(NamedTuple):
    """What a run has left behind."""

    path: Path
    config: Config
    own_networks: Sequence[str]  # those that Python code gave: "generator", "discriminator"
    environment: Mapping[str, str]
    summary: Record  # of its end; empty before, and when it went on since
    records: Sequence[Record]  # "step" and numbers, None where they were not finite
    evaluations: Sequence[Record]  # "step", "metrics" {name: number}, maybe "floors"
    pictures: Sequence[tuple[int, Path]]  # sample grids by step

    @property
    def networks(self) -> str:
        """The names of G and D, "own" for those that Python code gave."""
        names = ("generator", "discriminator")
        return ", ".join(
            "own" if n in self.own_networks else getattr(self.config, n) for n in names
        )


def read_history(run_dir: Path) -> History:
    """Returns what a run has left behind."""
    config, values = run_directory.read_config(run_dir), run_directory.read_values(run_dir)
    environment = values.get("environment", {})
    if not isinstance(environment, dict):
        raise UserError(f"{run_dir / run_directory.CONFIG_FILE}: environment must be an object")
    records = read_records(run_dir / run_directory.METRICS_FILE)
    for record in records:
        if not all(value is None or is_number(value) for value in record.values()):
            raise UserError(
                f"{run_dir / run_directory.METRICS_FILE}: step {record['step']} has a value that "
                "is no number"
            )
    evaluations = read_records(run_dir / run_directory.EVALUATIONS_FILE)
    for evaluation in evaluations:
        if not is_evaluation(evaluation):
            raise UserError(
                f"{run_dir / run_directory.EVALUATIONS_FILE}: step {evaluation['step']} is no "
                "evaluation, must have metrics that are numbers"
            )
    summary = read_summary(run_dir / run_directory.SUMMARY_FILE)
    if summary and records and summary["step"] < records[-1]["step"]:
        summary = {}
    return History(
        run_dir,
        config,
        list(values["own_networks"]),
        {str(name): in_words(value) for name, value in environment.items()},
        summary,
        records,
        evaluations,
        sample_grids_of(run_dir),
    )


def sample_grids_of(run_dir: Path) -> list[tuple[int, Path]]:
    """Returns the sample grids that training wrote, by step."""
    paths = (run_dir / run_directory.SAMPLES_DIR).glob("step_*.png")
    named = [(PICTURE.fullmatch(path.name), path) for path in paths]
    return sorted((int(match[1]), path) for match, path in named if match)


def evenly_spaced(things: Sequence[Any], most: int) -> list[Any]:
    """Returns at most so many of some things, evenly chosen, the first and the last among them."""
    if len(things) <= most:
        return list(things)
    return [things[round(i * (len(things) - 1) / (most - 1))] for i in range(most)]


def read_summary(path: Path) -> dict[str, Any]:
    """Returns the summary of a run, empty if there is none."""
    if not path.exists():
        return {}
    try:
        summary = json.loads(read_text(path))
    except (OSError, ValueError, RecursionError) as error:
        raise UserError(f"{path}: cannot be read, must be JSON ({type(error).__name__})") from None
    right = (
        isinstance(summary, dict)
        and type(summary.get("step")) is int
        and is_number(summary.get("seconds", 0))
        and isinstance(summary.get("collapse", {}), dict)
    )
    if not right:
        raise UserError(f"{path}: is no summary, must be an object with a step")
    return dict(summary)


def is_evaluation(record: Record) -> bool:
    """Returns whether a record has metrics, and floors if any, that are numbers."""
    values, floors = record.get("metrics"), record.get("floors", {})
    if not isinstance(values, dict) or not isinstance(floors, dict):
        return False
    pairs = [(f.get("mean"), f.get("sd")) if isinstance(f, dict) else () for f in floors.values()]
    return all(v is None or is_number(v) for v in values.values()) and all(
        len(pair) == 2 and all(map(is_number, pair)) for pair in pairs
    )


def is_number(value: Any) -> bool:
    """Returns whether JSON brought a number."""
    return type(value) in (int, float) and math.isfinite(value)


def in_words(value: Any) -> str:
    """Returns a value of JSON as text."""
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)
