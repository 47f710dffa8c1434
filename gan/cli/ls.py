"""Which runs are there? ``tapegan ls``."""

from collections.abc import Sequence
from functools import partial
from pathlib import Path

from absl.flags import FlagValues

from gan.cli import command, flags
from gan.errors import UserError
from gan.run.lock import is_locked
from gan.run.reader import History, read_history
from gan.run.saved_config import read_values
from gan.sweeps import formats, groups

USAGE = "Lists runs: what they train, how far they are, how they ended, the newest FCD."

HEADINGS = ("run", "preset", "dataset", "step", "status", "FCD", "started")


def define(values: FlagValues) -> None:
    """Defines the flags."""
    flags.define(values, runs=flags.RUNS)


def main(values: FlagValues) -> int:
    """Prints a line a run and returns the exit status."""
    rows = [row_of(run_dir) for run_dir in groups.find_runs(flags.paths(values, "runs"))]
    _, *lines = formats.text(formats.Table("", HEADINGS, rows))
    command.say(*lines)
    return command.DONE


def row_of(run_dir: Path) -> Sequence[str]:
    """Returns the cells of a run; one that cannot be read says so."""
    try:
        run, values = read_history(run_dir), read_values(run_dir)
    except UserError:
        return (str(run_dir), *[""] * 3, "damaged", "", "")
    steps = [record["step"] for record in (*run.records, *run.evaluations)]
    reached = run.summary.get("step") or max(steps, default=0)
    starts = values.get("starts")
    first = starts[0] if isinstance(starts, list) and starts else None
    began = first.get("date", "") if isinstance(first, dict) else ""
    return (
        str(run_dir),
        str(values.get("preset", "")) or "-",
        run.config.dataset,
        f"{reached:,} of {run.config.steps:,}",
        status_of(run),
        fcd_of(run),
        str(began)[:16].replace("T", " "),
    )


def status_of(run: History) -> str:
    """Returns "training", "completed", "failed", or "unfinished"."""
    return "training" if is_locked(run.path) else run.status


def fcd_of(run: History) -> str:
    """Returns the newest FCD of a run, and of how many samples it is."""
    known = [r for r in run.evaluations if r["metrics"].get("fcd") is not None]
    if not known:
        return "-"
    newest = max(reversed(known), key=lambda record: record["step"])  # the last of a step
    count = newest.get("num_images")
    return f"{newest['metrics']['fcd']:.3g}" + (f" ({count:,})" if isinstance(count, int) else "")


run = partial(command.run, USAGE, define, main, positional="runs")
