"""Runs that differ in their seed only, and their evaluations, apart where not comparable."""

import glob
import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from gan.errors import UserError
from gan.evaluation.better import better, in_one, kind_of, weights_of
from gan.evaluation.constants import common_floors
from gan.run import saved_config, seeds
from gan.run.reader import History, read_history
from gan.sweeps.intervals import Mean, mean_of, overlap

Record = Mapping[str, Any]


class Group(NamedTuple):
    """Runs that differ in their seed only."""

    values: Mapping[str, Any]  # the configuration, and what else tells runs apart
    runs: Sequence[History]

    def count(self, status: str) -> int:
        """Returns how many runs have a status."""
        return sum(run.status == status for run in self.runs)


class Kind(NamedTuple):
    """Evaluations that can be compared: one table."""

    title: str
    evaluated: Sequence[Mapping[Path, Record]]  # of each group, by run
    floors: Mapping[str, Any]  # metric -> {"mean", "sd"} of real images, where a record has them

    @property
    def metrics(self) -> list[str]:
        """The metrics of all records, in their order there."""
        names = (name for of in self.evaluated for r in of.values() for name in r["metrics"])
        return list(dict.fromkeys(names))

    def means(self, metric: str) -> list[Mean | None]:
        """Returns the mean of each group; numbers that were not finite are left out."""
        values = [
            [r["metrics"][metric] for r in of.values() if r["metrics"].get(metric) is not None]
            for of in self.evaluated
        ]
        return [mean_of(one) for one in values]

    def best(self, metric: str) -> int | None:
        """Returns which group is best, None if that cannot be told.

        Its interval must overlap that of no other group, so one of a single run is told from none.
        """
        means = {i: mean for i, mean in enumerate(self.means(metric)) if mean}
        direction, floor = better(metric), self.floors.get(metric)
        if len(means) < 2 or not direction or (direction == "real" and not floor):
            return None
        losses = {
            "lower": lambda mean: mean,
            "higher": lambda mean: -mean,
            "real": lambda mean: abs(mean - floor["mean"]) if floor else 0.0,
        }
        lost = {i: mean._replace(mean=losses[direction](mean.mean)) for i, mean in means.items()}
        first = min(lost, key=lambda i: lost[i].mean)
        others = [mean for i, mean in lost.items() if i != first]
        return None if any(overlap(lost[first], mean) for mean in others) else first


def find_runs(places: Iterable[Path]) -> list[Path]:
    """Returns the runs that are meant: a run, a directory with runs below it, or a pattern of them.

    Raises:
        UserError: Nothing is there, or no run.
    """
    found: dict[str, Path] = {}
    for place in places:
        named = [place] if os.path.lexists(place) else sorted(map(Path, glob.glob(str(place))))
        below = [run for path in named for run in runs_below(path)]
        if not below:
            what = "holds no run" if named else "is not there"
            raise UserError(f"--runs={place}: {what}, must be runs, or directories of runs")
        found.update({os.path.realpath(path): path for path in below})
    return list(found.values())


def runs_below(place: Path) -> list[Path]:
    """Returns a run, or the runs in a directory and in those below it; links are not followed."""
    runs = []
    for directory, names, _ in os.walk(place):
        names.sort()
        if saved_config.is_run(Path(directory)):
            runs.append(Path(directory))
            names.clear()
    return runs


def group_runs(run_dirs: Iterable[Path]) -> list[Group]:
    """Returns runs in groups that differ in their seed only, in the order in which they come.

    Raises:
        UserError: A run is damaged, or two runs of a group have the same seed.
    """
    groups: dict[str, Group] = {}
    for run_dir in run_dirs:
        run = read_history(run_dir)
        values = seeds.what_tells_apart(run)
        key = seeds.key_of(values)
        before = groups.get(key, Group(values, []))
        for other in before.runs:
            if other.config.seed == run.config.seed:
                raise UserError(
                    f"--runs={run.path}: is the same as {other.path}, its seed too, so that both "
                    "are one observation; must be given without one of them"
                )
        groups[key] = Group(values, [*before.runs, run])
    return list(groups.values())


def differing(groups: Sequence[Group]) -> list[str]:
    """Returns the names of values that are not the same in all groups."""
    return seeds.differing([group.values for group in groups])


def kinds_of(groups: Sequence[Group], step: int | None = None) -> list[Kind]:
    """Returns a kind for each sort of evaluation; what most runs have first, of those most images.

    Args:
        groups: Of `group_runs`.
        step: Which evaluations are taken; None: those at the end of completed runs.
    """
    found: dict[str, tuple[Record, list[dict[Path, Record]]]] = {}
    for number, group in enumerate(groups):
        for run in group.runs:
            if step is None and run.status != "completed":
                continue
            at = run.end if step is None else step
            for record in run.evaluations:
                if record["step"] != at:
                    continue
                _, evaluated = found.setdefault(kind_of(record), (record, [{} for _ in groups]))
                before = evaluated[number].get(run.path)
                evaluated[number][run.path] = in_one(before, record)
    kinds = []
    for record, evaluated in found.values():
        floors = common_floors(one for of_group in evaluated for one in of_group.values())
        kinds.append(Kind(title_of(record), evaluated, floors))
    images = [record.get("num_images", 0) for record, _ in found.values()]
    order = sorted(
        range(len(kinds)), key=lambda i: (-sum(map(len, kinds[i].evaluated)), -number_of(images[i]))
    )
    return [kinds[i] for i in order]


def number_of(value: Any) -> float:
    """Returns a number of a record that may hold anything there, else 0."""
    return float(value) if type(value) in (int, float) else 0.0


def title_of(record: Record) -> str:
    """Returns in words what an evaluation is of."""
    features, reference = record.get("features"), record.get("reference")
    parts = []
    if isinstance(features, dict):
        digest = str(features.get("sha256", ""))[:8]
        parts.append(f"{features.get('name', 'features')}{f' ({digest})' if digest else ''}")
    elif features:
        parts.append(str(features))
    if "num_images" in record:
        parts.append(f"{record['num_images']} samples")
    if isinstance(reference, dict):
        of = " ".join(str(reference[name]) for name in ("dataset", "split") if name in reference)
        count = reference.get("num_images")
        parts.append(f"against {f'{count} of ' if count else ''}{of}")
    if weights := weights_of(record):
        parts.append(f"{weights} weights")
    if "seed" in record:
        parts.append(f"noise of seed {record['seed']}")
    return ", ".join(parts) or "evaluation"
