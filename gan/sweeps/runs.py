"""Which runs a sweep or a study has, where each is, and how far it is."""

import contextlib
import hashlib
import itertools
import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from gan.errors import UserError
from gan.run import layout, records, run_directory, saved_config
from gan.run.config import Config
from gan.run.presets import from_preset

# How far a run is.
NEW, OPEN, COMPLETED, STOPPED = "new", "open", "completed", "stopped"

PLAIN = re.compile(r"[\w.+-]+", re.ASCII)  # what a value may hold to be in a name as it is


class Run(NamedTuple):
    """One training run."""

    directory: Path
    preset: str
    changes: Mapping[str, Any]  # fields that differ from the preset, the seed among them
    variant: str = ""  # what it is called beside runs that differ from it in their seed only

    @property
    def config(self) -> Config:
        """What it trains; a UserError where that is not valid."""
        return from_preset(self.preset, self.changes)

    @property
    def flags(self) -> list[str]:
        """What ``tapegan train`` gets."""
        given = [f"--{name}={value}" for name, value in self.changes.items()]
        return [f"--preset={self.preset}", *given, f"--run_dir={self.directory}"]


def combinations(
    axes: Mapping[str, Sequence[Any]], seeds: Iterable[int], out: Path, named: Iterable[str] = ()
) -> list[tuple[Path, dict[str, Any]]]:
    """Returns directory and values of every combination, seed by seed.

    So early results compare what differs. A directory is named after the values of the axes that
    have several, or are in `named`, and the seed.

    Args:
        axes: The values of each field; "preset" is taken as one.
        seeds: Of the runs of each combination.
        out: The directory of all.
        named: Fields that are in names with one value too.
    """
    varied = [name for name, values in axes.items() if len(values) > 1 or name in named]
    found = []
    for seed in seeds:
        for values in itertools.product(*axes.values()):
            changes = {**dict(zip(axes, values, strict=True)), "seed": seed}
            parts = [named_value(name, changes[name]) for name in (*varied, "seed")]
            found.append((out / "-".join(parts), changes))
    return found


def named_value(name: str, value: Any) -> str:
    """Returns a field and its value as part of a file's name; a preset stands for itself.

    A path becomes its last part and six digits of the digest of all of it.
    """
    text = str(value)
    if not PLAIN.fullmatch(text):
        digest = hashlib.sha256(text.encode(errors="surrogateescape")).hexdigest()[:6]
        last = re.sub(r"[^\w.+]+", "_", re.split("[/:]", text.rstrip("/"))[-1], flags=re.ASCII)
        text = f"{last[:40]}_{digest}"
    return text if name == "preset" else f"{name}={text}"


def state_of(directory: Path, steps: int) -> str:
    """Returns how far the run in a directory is: `COMPLETED` means all `steps` of it."""
    summary = summary_of(directory)
    if not summary:
        return OPEN if (directory / layout.CONFIG_FILE).exists() else NEW
    status = str(summary["status"])
    if status == COMPLETED and summary["step"] < steps:  # more are asked for than before
        return OPEN
    return status if status in (COMPLETED, STOPPED) else OPEN


def summary_of(directory: Path) -> dict[str, Any]:
    """Returns the summary of the run in a directory, {} if there is none, or none to be read."""
    try:
        return records.read_summary(directory / layout.SUMMARY_FILE)
    except UserError:
        return {}


def refuse_another_run(run: Run) -> None:
    """Refuses a directory that holds a run of another configuration than this one, or a longer one.

    Raises:
        UserError: Names the differences.
    """
    config = saved_config.with_saved_choices(run.directory, run.config)
    run_directory.check_run_dir(run.directory, config)
    if (reached := summary_of(run.directory).get("step", 0)) > config.steps:
        raise UserError(
            f"--steps={config.steps}: {run.directory} has {reached} already, must be at least that"
        )


def where_they_are(runs: Sequence[Run], out: Path) -> list[Run]:
    """Returns runs; a new one that lies in `out` already keeps the name that it has there.

    A sweep of fewer values gave it another one.
    """
    saved = dict[int, list[tuple[Path, Config]]]()
    for name in other_runs(out, runs):
        with contextlib.suppress(UserError):  # a damaged one is none of these
            config = saved_config.read_config(out / name)
            if not saved_config.own_networks(out / name):
                saved.setdefault(config.seed, []).append((out / name, config))
    found = []
    for run in runs:
        config, there = run.config, run
        if not (run.directory / layout.CONFIG_FILE).exists():
            for directory, other in saved.get(config.seed, []):
                same = all(getattr(other, n) == value for n, value in run.changes.items())
                if same and other.steps == config.steps:
                    with contextlib.suppress(UserError):
                        moved = run._replace(directory=directory)
                        refuse_another_run(moved)
                        there = moved
        found.append(there)
    return found


def other_runs(out: Path, runs: Iterable[Run]) -> list[str]:
    """Returns the names of runs in a directory that are none of these."""
    own = {run.directory.name for run in runs}
    inside = sorted(out.iterdir()) if out.is_dir() else []
    return [path.name for path in inside if path.name not in own and saved_config.is_run(path)]
