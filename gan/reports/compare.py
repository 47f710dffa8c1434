"""Is a run normal? Its curves beside the bands of reference runs, and a line about it."""

from collections.abc import Iterable, Mapping, Sequence
from itertools import groupby
from typing import NamedTuple

from gan.algorithm.losses import LOSSES
from gan.errors import UserError
from gan.evaluation.features import DIGESTS, versioned_name
from gan.reports.reference_curves import (
    COMPARED,
    LOGGED,
    WINDOW,
    Band,
    Curves,
    ReferenceRuns,
    curves_of,
    differing_fields,
    light_with_fcd,
    limits_of,
)
from gan.run.config import Config
from gan.run.reader import History

AT_ONCE = 2  # points in a row that must be outside the band


class Deviation(NamedTuple):
    """Where a curve leaves its band."""

    metric: str
    step: int
    until: int | None  # the last step outside; None: all points from `step` on are
    value: float
    low: float
    high: float

    def __str__(self) -> str:
        when = f"since step {self.step:,}"
        if self.until is not None:
            when = f"at steps {self.step:,} to {self.until:,}"
        metric = COMPARED[self.metric]
        return (
            f"outside the band {when}: {self.metric} is {self.value:.3g} there, the band is "
            f"{self.low:.3g} to {self.high:.3g}: "
            f"{metric.above if self.value > self.high else metric.below}"
        )


class Verdict(NamedTuple):
    """A run beside reference runs."""

    curves: Curves  # of the run, those that are compared
    outside: Sequence[Deviation]  # where they leave the bands, what lasts first
    line: str  # all of it in words, with the usual cause

    def __repr__(self) -> str:
        return f"Verdict({self.line!r})"


def deviations(
    curves: Curves, bands: Mapping[str, Band], metrics: Iterable[str]
) -> list[Deviation]:
    """Returns where curves leave their bands, one a metric: what lasts first, then by step.

    A curve leaves its band where it is outside, on one side, at `AT_ONCE` points in a row; or at
    its only point. Of several times the one that lasts counts, or else the first.
    """
    leaving = []
    for metric in metrics:
        band, curve = bands[metric], curves.get(metric, {})
        points = [
            Deviation(metric, int(step), None, curve[int(step)], low, high)
            for step, low, high in zip(band["steps"], *limits_of(metric, band), strict=True)
            if int(step) in curve
        ]
        sides = groupby(points, lambda p: (p.value > p.high) - (p.value < p.low))  # 0: inside
        excursions = [list(neighbours) for side, neighbours in sides if side]
        excursions = [e for e in excursions if len(e) >= min(AT_ONCE, len(points))]
        if not excursions:
            continue
        first, last = excursions[0], excursions[-1]
        if last[-1] is points[-1]:
            leaving.append(last[0])
        else:
            leaving.append(first[0]._replace(until=first[-1].step))
    order = list(COMPARED)
    return sorted(leaving, key=lambda d: (d.until is not None, d.step, order.index(d.metric)))


def comparable(run: History, reference: ReferenceRuns) -> tuple[tuple[str, ...], str]:
    """Returns the metrics that mean the same in a run as in reference runs, and why others do not.

    D's outputs do not where D minimises something else. A point that is the mean of fewer records
    scatters more than the band was made for. FCD is of the weights that the run draws from, and of
    the feature network of its data.

    Raises:
        UserError: None of them does.
    """
    of_logged, of_fcd = other_logs(run.config, reference.config), other_fcd(run, reference.config)
    if of_logged and of_fcd:
        raise UserError(
            f"--runs={run.path}: has nothing to compare with {reference.preset}, {of_logged}, and "
            f"its FCD is {of_fcd}"
        )
    if of_logged:
        return ("fcd",), f"only FCD is compared, for {of_logged}"
    if of_fcd:
        return LOGGED, f"FCD is not compared, it is {of_fcd}"
    return (*LOGGED, "fcd"), ""


def other_logs(config: Config, reference: Config) -> str:
    """Returns why logged numbers do not mean the same, "" if they do."""
    for name in ("loss", "real_label", "fake_label", "penalty"):
        if getattr(config, name) != getattr(reference, name):
            return f"{name} is another"
    if config.log_every > reference.log_every:
        return f"it logs less often than every {reference.log_every} steps"
    return ""


def other_fcd(run: History, reference: Config) -> str:
    """Returns of what other things a run's FCD is, "" of none."""
    if run.config.sample_weights != reference.sample_weights:
        return f"of the {run.config.sample_weights} weights"
    packaged = DIGESTS.get(versioned_name(reference.dataset, "cnn-a"))
    judges = [record.get("features") for record in light_with_fcd(run.evaluations)]
    if any(not isinstance(one, Mapping) or one.get("sha256") != packaged for one in judges):
        return "by another feature network"
    return ""


def judged(config: Config, metrics: Iterable[str] = COMPARED) -> list[str]:
    """Returns those of some metrics whose values say something under a run's loss."""
    loss = LOSSES.get(config.loss)  # None: of Python code that is not here
    relative = loss is not None and not loss.absolute
    return [name for name in metrics if not (relative and COMPARED[name].of_level)]


def compare_run(run: History, reference: ReferenceRuns) -> Verdict:
    """Returns whether a run is normal.

    The line says what it differs in, since when it is outside the bands, and the usual cause.

    Raises:
        UserError: It has nothing to compare, or not yet.
    """
    metrics, why = comparable(run, reference)
    all_curves = curves_of(run.records, run.evaluations)
    curves = {name: all_curves[name] for name in metrics}
    steps = {name: reference.bands[name]["steps"] for name in metrics}
    common = [step for name in metrics for step in curves[name] if step in steps[name]]
    if not common:
        missing = f"points at multiples of {WINDOW:,} steps"
        if metrics == ("fcd",):
            missing = f"FCD at multiples of {WINDOW:,} steps (--evaluate_every), and {why}"
        why_not = f"; it {run.failure}" if run.failure else ""
        raise UserError(
            f"--runs={run.path}: has nothing to compare yet, it needs {missing}{why_not}"
        )

    changes = differing_fields(run.config, reference.config)
    changes |= dict.fromkeys(run.own_networks, "own")
    remarks = [f"differs in {', '.join(f'{k}={v}' for k, v in changes.items())}"] if changes else []
    remarks += [why] if why else []
    about = f" ({'; '.join(remarks)})" if remarks else ""

    if outside := deviations(curves, reference.bands, judged(run.config, metrics)):
        others = ", ".join(deviation.metric for deviation in outside[1:])
        verdict = f"{outside[0]}{f'; also {others}' if others else ''}"
    else:
        last, end = max(common), max(step for of_band in steps.values() for step in of_band)
        reached = max(record["step"] for record in (*run.records, *run.evaluations))
        verdict = f"inside the band up to step {last:,}"
        if last == end and reached - last >= WINDOW:
            verdict += ", where the reference runs end"
    return Verdict(curves, outside, f"{reference.preset}{about}: {verdict}")
