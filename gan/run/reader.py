"""What a run has left behind, read and checked: a run may be damaged, or come from anybody."""

import os
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from gan.errors import UserError
from gan.run import layout, run_directory, saved_config
from gan.run.advice import explained
from gan.run.config import Config
from gan.run.files import open_file, sha256
from gan.run.records import read_evaluations, read_metrics, read_summary

Record = Mapping[str, Any]

# The last line of a log that says why the process ended, and how much of the file may hold it.
ERROR = re.compile(r"[\d-]+ [\d:]+ error: (.+)")
LAST_BYTES = 10_000

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
    error: str = ""  # with which its last process ended, if that is what it did

    @property
    def networks(self) -> str:
        """The names of G and D, "own" for those that Python code gave."""
        names = ("generator", "discriminator")
        return ", ".join(
            "own" if n in self.own_networks else getattr(self.config, n) for n in names
        )

    @property
    def status(self) -> str:
        """Returns "completed", "failed" (training stopped it) or "unfinished"."""
        status = self.summary.get("status")
        if status == "completed" and self.summary["step"] >= self.config.steps:
            return "completed"
        return "failed" if status == "stopped" else "unfinished"

    @property
    def end(self) -> int:
        """The step of the run's end: where it ended, if it is completed, else where it will.

        --steps may be lower than what a run had done when it went on.
        """
        return self.summary["step"] if self.status == "completed" else self.config.steps

    @property
    def failure(self) -> str:
        """Why the run stopped, at which step, and what usually helps; "" if it did not."""
        if self.summary.get("status") == "stopped":
            reached = max(self.summary["step"], self.summary.get("logged_step", 0))
            return f"stopped after step {reached:,}: {explained(self.summary['reason'])}"
        if self.error:  # the run itself is sound and may go on
            reached = max((record["step"] for record in self.records), default=0)
            return f"ended after step {reached:,}: {explained(self.error)}"
        return ""


def read_history(run_dir: Path) -> History:
    """Returns what a run has left behind."""
    config, values = saved_config.read_config(run_dir), saved_config.read_values(run_dir)
    environment = values.get("environment", {})
    if not isinstance(environment, dict):
        raise UserError(f"{run_dir / layout.CONFIG_FILE}: environment must be an object")
    records = read_metrics(run_dir / layout.METRICS_FILE)
    evaluations = read_evaluations(run_dir / layout.EVALUATIONS_FILE)
    summary = read_summary(run_dir / layout.SUMMARY_FILE)
    if summary and records and not is_of_the_end(summary, records[-1]["step"]):
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
        last_error(run_dir / layout.LOG_FILE),
    )


def last_error(log: Path) -> str:
    """Returns the error in the last line of a run's log, "" if there is none."""
    try:
        with open_file(log) as file:
            size = os.fstat(file.fileno()).st_size
            file.seek(max(0, size - LAST_BYTES))
            lines = file.read().decode(errors="replace").splitlines()
    except OSError:
        return ""
    found = ERROR.fullmatch(lines[-1]) if lines else None
    return found[1] if found else ""


def sample_grids_of(run_dir: Path) -> list[tuple[int, Path]]:
    """Returns the sample grids that training wrote, by step."""
    paths = (run_dir / layout.SAMPLES_DIR).glob("step_*.png")
    named = [(PICTURE.fullmatch(path.name), path) for path in paths]
    return sorted((int(match[1]), path) for match, path in named if match)


def evenly_spaced(things: Sequence[Any], most: int) -> list[Any]:
    """Returns at most so many of some things, evenly chosen, the first and the last among them."""
    if len(things) <= most:
        return list(things)
    return [things[round(i * (len(things) - 1) / (most - 1))] for i in range(most)]


def is_of_the_end(summary: Record, last: int) -> bool:
    """Returns whether a run whose last record is of step `last` ended as the summary says.

    Else it went on since. One that stopped may have logged steps beyond its newest checkpoint.
    """
    return bool(summary["step"] >= last or summary.get("logged_step") == last)


def check_checkpoints(run_dir: Path, steps: int) -> None:
    """Refuses to begin a run again whose checkpoints are gone, over what it has left behind.

    One that is complete at `steps` needs none; one that ended before its first has none.
    """
    new = not (run_dir / layout.CONFIG_FILE).exists()
    if new or run_directory.checkpoints(run_dir / layout.CHECKPOINTS_DIR):
        return
    summary, step = read_summary(run_dir / layout.SUMMARY_FILE), reached(run_dir)
    if summary.get("status") == "completed" and step >= steps:
        return
    saved = summary.get("step", 0) > 0 or (run_dir / layout.GENERATOR_FILE).exists()
    if saved or step > saved_config.read_config(run_dir).checkpoint_every:
        raise UserError(
            f"--run_dir={run_dir}: has done {step} steps and its checkpoints are gone, must have "
            "them to go on, or be a new directory"
        )


def summary_of_generator(run_dir: Path) -> dict[str, Any]:
    """Returns the summary of the end that a run's generator.keras is of, {} if that is not known.

    Its process may have died between the two files, or the run stopped after another end. Runs of
    older versions have no digest of the file; their summary counts.
    """
    try:
        summary = read_summary(run_dir / layout.SUMMARY_FILE)
        digest = sha256(run_dir / layout.GENERATOR_FILE)
    except (OSError, UserError):  # damaged ones: nobody needs them to draw
        return {}
    same = summary.get("generator_sha256", digest) == digest
    return summary if same and summary.get("status") != "stopped" else {}


def reached(run_dir: Path) -> int:
    """Returns the last step that the summary, a record or a picture of a run is about, else 0."""
    steps = [read_summary(run_dir / layout.SUMMARY_FILE).get("step", 0)]
    steps += [r["step"] for r in read_metrics(run_dir / layout.METRICS_FILE)]
    steps += [r["step"] for r in read_evaluations(run_dir / layout.EVALUATIONS_FILE)]
    return max([*steps, *(step for step, _ in sample_grids_of(run_dir))])


def in_words(value: Any) -> str:
    """Returns a value of JSON as text."""
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)
