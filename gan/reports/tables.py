"""The rows of the page's tables. templates/report.html escapes all that is in them."""

import dataclasses
import os
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from gan.evaluation import constants
from gan.evaluation.better import ARROWS, better, in_one, kind_of, weights_of
from gan.evaluation.records import format_number
from gan.reports.verdicts import Beside
from gan.run import seeds
from gan.run.config import Config
from gan.run.reader import History, Record
from gan.run.streams import printable

Rows = list[list[Any]]  # the first row and the first column are heads; a row of one heads others

WHOLE = ("evaluate", "study")  # sources of evaluations that are not light
REAL = "real images (sd)"


class Best(str):
    """A cell that holds the best value of its column."""

    best = True


class Named(NamedTuple):
    """A run and what the page calls it."""

    name: str
    run: History


class Group(NamedTuple):
    """Runs that differ in their seed only."""

    title: str
    members: Sequence[int]


class Kind(NamedTuple):
    """Evaluations of runs that can be compared."""

    title: str
    records: dict[int, Record]  # by run
    floors: dict[str, Any]  # metric -> {"mean", "sd"} of real images


def names_of(runs: Sequence[History]) -> list[str]:
    """Returns the paths of runs, without the directories that several have in common."""
    paths = [str(run.path) for run in runs]
    if len(set(paths)) > 1 and len({os.path.isabs(path) for path in paths}) == 1:
        common = os.path.commonpath([os.path.dirname(path) for path in paths])
        paths = [os.path.relpath(path, common) if common else path for path in paths]
    return [printable(path) for path in paths]


def groups_of(runs: Sequence[History]) -> list[Group]:
    """Returns runs in groups that differ in their seed only, each with what tells it apart."""
    members: dict[str, list[int]] = {}
    values = [seeds.what_tells_apart(run) for run in runs]
    for i, of_run in enumerate(values):
        members.setdefault(seeds.key_of(of_run), []).append(i)
    firsts = [values[group[0]] for group in members.values()]
    names = seeds.differing(firsts)
    return [
        Group(", ".join(f"{name}={of_group.get(name, '')}" for name in names), group)
        for of_group, group in zip(firsts, members.values(), strict=True)
    ]


def grouped(
    groups: Sequence[Group],
    row_of: Callable[[int], list[Any] | None],
    last_of: Callable[[Group], list[Any] | None] = lambda group: None,
) -> Rows:
    """Returns a row a run below the head of its group; no heads where runs differ in seeds only.

    Args:
        groups: Of `groups_of`.
        row_of: Makes the row of a run, or None.
        last_of: Makes one more row of a group, or None.
    """
    rows: Rows = []
    for group in groups:
        found = [row for i in group.members if (row := row_of(i)) is not None]
        if found and len(groups) > 1 and any(len(other.members) > 1 for other in groups):
            rows.append([group.title])
        rows += [*found, *filter(None, [last_of(group)])]
    return rows


def overview(named: Sequence[Named], groups: Sequence[Group], verdicts: Sequence[Beside]) -> Rows:
    """Returns a row a run: what it trains, how far it is, whether it looks normal."""
    heads = ["run", "data set", "networks", "seed", "steps", "status", "seconds",
             "signs of collapse", "beside references"]  # fmt: skip

    def row_of(i: int) -> list[Any]:
        name, run = named[i]
        last = run.records[-1] if run.records else {}
        so_far = run.summary or {"step": last.get("step", 0), "seconds": last.get("seconds") or 0}
        first_sign = next((r["step"] for r in run.records if r.get("collapse/signs")), None)
        return [
            name,
            run.config.dataset,
            run.networks,
            run.config.seed,
            f"{so_far['step']:,} of {run.config.steps:,}",
            run.status,
            f"{so_far.get('seconds', 0):,.0f}",
            ", ".join(run.summary.get("collapse", {}))
            or ("none" if first_sign is None else f"from step {first_sign:,}"),
            verdicts[i].short or "not compared",
        ]

    return [heads, *grouped(groups, row_of)]


def shown_evaluations(run: History) -> list[Record]:
    """Returns the newest evaluation of a run, and the newest through Inception; [] of none.

    Of the first kind, the weights that the run draws samples from, by the packaged features, go
    before others, and whole evaluations before light ones. The two have metrics of other names.
    """
    whole = [r for r in run.evaluations if r.get("source") in WHOLE]
    light = [r for r in run.evaluations if r.get("source") not in WHOLE]
    of_papers = [r for r in whole if str(features_of(r)).startswith("inception")]
    own = [r for r in whole if not str(features_of(r)).startswith("inception")]
    drawn, usual = (
        [r for r in records if r.get("weights") == run.config.sample_weights]
        for records in (of_papers, own)
    )
    usual = [r for r in usual if "-cnn-a-" in str(features_of(r))]
    return [newest(records) for records in (usual or own or light, drawn or of_papers) if records]


def newest(records: Sequence[Record]) -> Record:
    """Returns the last evaluation, with what others of its kind and step have besides."""
    last, found = records[-1], None
    for record in records:
        if (record["step"], kind_of(record)) == (last["step"], kind_of(last)):
            found = in_one(found, record)
    return found or last


def features_of(record: Record) -> Any:
    """Returns the name of the feature network of an evaluation, None if it has none."""
    features = record.get("features")
    return features.get("name") if isinstance(features, Mapping) else None


def kinds_of(shown: Sequence[Sequence[Record]], ends: Sequence[int]) -> list[Kind]:
    """Returns the evaluations of runs, apart where they cannot be compared.

    Those of other steps cannot, but the end of one run can with the end of another.

    Args:
        shown: Of each run, its evaluations.
        ends: How many steps each run has in all.
    """
    found: dict[tuple[str, int | None], list[Kind]] = {}
    for i, records in enumerate(shown):
        for record in records:
            floors = constants.floors_of_record(record)
            step = record["step"] if record["step"] != ends[i] else None
            key = kind_of(record), step
            for kind in found.setdefault(key, []):
                if i not in kind.records and all(
                    kind.floors.get(name, floor) == floor
                    for name, floor in floors.items()
                    if name not in constants.OF_LEARNED
                ):
                    break
            else:
                at = [] if step is None else [f"step {step:,}"]
                kind = Kind(", ".join([*at, *filter(None, [title_of(record)])]), {}, {})
                found[key].append(kind)
            kind.records[i] = record
            kind.floors.update(floors)
    return [
        kind._replace(floors=constants.common_floors(kind.records.values()))
        for kinds in found.values()
        for kind in kinds
    ]


def title_of(record: Record) -> str:
    """Returns how runs were evaluated, as far as runs of a table have it in common."""
    parts = [f"weights {weights}"] if (weights := weights_of(record)) else []
    parts += [f"num_images {record['num_images']}"] if "num_images" in record else []
    parts += [f"features {features_of(record)}"] if features_of(record) else []
    against = record.get("reference")
    if isinstance(against, Mapping):
        words = (str(value) for name, value in against.items() if name != "learned")
        parts.append("against " + " ".join(words))
    return ", ".join(parts)


def describe(name: str, record: Record) -> str:
    """Returns how a run was evaluated."""
    parts = [f"step {record['step']:,}", *filter(None, [title_of(record)])]
    return f"{name}: {', '.join(parts)} ({record.get('source', '?')})"


def metrics_of_one(name: str, records: Sequence[Record]) -> Rows:
    """Returns a row a metric of a run's evaluations, beside what real images get; [] of none."""
    metrics = {metric: v for r in records for metric, v in r.get("metrics", {}).items()}
    floors = {
        metric: floor for r in records for metric, floor in constants.floors_of_record(r).items()
    }
    rows = [[with_arrow(m), number(v), floor_cell(floors.get(m))] for m, v in metrics.items()]
    return [["metric", name, REAL], *rows] if rows else []


def metrics_of_several(names: Sequence[str], groups: Sequence[Group], kind: Kind) -> Rows:
    """Returns a row a run, grouped by seed, and the mean of each group; first what real images get.

    The best value of a metric is marked. [] of no metric.
    """
    values = {i: record["metrics"] for i, record in kind.records.items()}
    metrics = list(dict.fromkeys(metric for of_run in values.values() for metric in of_run))
    best = {m: best_of(m, [of.get(m) for of in values.values()], kind.floors) for m in metrics}

    def row_of(i: int) -> list[Any] | None:
        if i not in values:
            return None
        cells = [
            Best(number(v)) if v is not None and v == best[m] else number(v)
            for m in metrics
            for v in [values[i].get(m)]
        ]
        record = kind.records[i]
        return [names[i], f"{record['step']:,}", record.get("source", "?"), *cells]

    rows: Rows = [["run", "step", "source", *map(with_arrow, metrics)]]
    if kind.floors:
        rows.append([REAL, "", "", *(floor_cell(kind.floors.get(metric)) for metric in metrics)])

    def mean_of(group: Group) -> list[Any] | None:
        of_group = [values[i] for i in group.members if i in values]
        means = [mean_cell([of.get(metric) for of in of_group]) for metric in metrics]
        return [f"mean of {len(of_group)} (sd)", "", "", *means] if len(of_group) > 1 else None

    return rows + grouped(groups, row_of, mean_of) if metrics else []


def best_of(metric: str, values: Sequence[float | None], floors: Mapping[str, Any]) -> float | None:
    """Returns the best of several values of a metric, None if that cannot be told."""
    known = [value for value in values if value is not None]
    direction, floor = better(metric), floors.get(metric)
    if len(set(known)) < 2 or not direction:
        return None
    if direction == "real":
        return min(known, key=lambda value: abs(value - floor["mean"])) if floor else None
    return min(known) if direction == "lower" else max(known)


def with_arrow(metric: str) -> str:
    """Returns the name of a metric with an arrow to where it is better."""
    return f"{metric} {ARROWS[better(metric)]}".strip()


def number(value: float | None) -> str:
    """Returns a metric as text, "" for none."""
    return "" if value is None else format_number(value)


def floor_cell(floor: Mapping[str, float] | None) -> str:
    """Returns what real images get as text, "" for none."""
    return f"{format_number(floor['mean'])} ({format_number(floor['sd'])})" if floor else ""


def mean_cell(values: Sequence[float | None]) -> str:
    """Returns mean and standard deviation of what is known, "" of fewer than two.

    It says of how many values, if some are not known.
    """
    known = [value for value in values if value is not None]
    if len(known) < 2:
        return ""
    with np.errstate(over="ignore", invalid="ignore"):  # of 1e308
        mean, sd = float(np.mean(known)), float(np.std(known, ddof=1))
    of = f" of {len(known)}" if len(known) < len(values) else ""
    return f"{format_number(mean)} ({format_number(sd)}){of}"


def compared_configs(named: Sequence[Named]) -> Rows:
    """Returns a row a field: its value in each run; of a single one also the default."""
    heads: list[Any] = ["field", *(name for name, _ in named)]
    configs = [run.config for _, run in named]
    if len(named) == 1:
        heads.append("default")
        configs.append(Config())
    names = [field.name for field in dataclasses.fields(Config)]
    return [heads, *([name, *(getattr(config, name) for config in configs)] for name in names)]


def environments(named: Sequence[Named]) -> Rows:
    """Returns versions and devices of each run."""
    names = dict.fromkeys(name for _, run in named for name in run.environment)
    rows: Rows = [["", *(name for name, _ in named)]]
    return rows + [[n, *(run.environment.get(n, "") for _, run in named)] for n in names]
