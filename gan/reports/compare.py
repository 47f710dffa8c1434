"""Is a run as usual? It is compared with the curves of gan/reports/reference_curves.py."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from gan.errors import UserError
from gan.reports.reference_curves import (
    COMPARED,
    WINDOW,
    Curves,
    curves_of,
    differing_fields,
    limits_of,
)
from gan.run.config import Config, from_dict
from gan.run.reader import History

AT_ONCE = 2  # points in a row that are outside before that is said

# Of relativistic losses only differences of D's outputs count: their level is anything.
OF_THE_LEVEL = ("accuracy/real", "accuracy/fake", "logits/real", "logits/fake")

# What usually lies behind a curve that is above or below its band.
CAUSES: dict[tuple[str, str], str] = {
    ("loss/d", "below"): "D wins: its learning rate is too high for G's, or G cannot follow",
    (
        "loss/d",
        "above",
    ): "D is too weak: its learning rate, or its size, is too small, or a penalty "
    "or augmentation holds it down",
    ("loss/g", "above"): "D wins: its learning rate is too high for G's, or G cannot follow",
    ("loss/g", "below"): "D is too weak, and G fools it too easily",
    ("accuracy/real", "above"): "D wins on real images: it may know them by heart",
    (
        "accuracy/real",
        "below",
    ): "D is too weak, or real images are not what it was made for: look at samples/reals.png",
    ("accuracy/fake", "above"): "D wins on fakes: G is behind, or has collapsed",
    ("accuracy/fake", "below"): "G fools D: a D that learns too slowly",
    ("logits/real", "above"): "D grows too sure: a penalty or a lower learning rate of D calms it",
    ("logits/real", "below"): "D is less sure than usual, or drifts",
    ("logits/fake", "above"): "D is less sure than usual, or drifts",
    ("logits/fake", "below"): "D grows too sure: a penalty or a lower learning rate of D calms it",
    ("fcd", "above"): "worse images than usual: too few modes, or training is behind",
    ("fcd", "below"): "better images than usual; where that is a surprise, make evaluate tells "
    "whether they are copies",
}


class Deviation(NamedTuple):
    """Where a curve leaves its band."""

    metric: str
    step: int
    until: int | None  # the last step outside; None: all points from `step` on are
    value: float
    low: float
    high: float

    @property
    def side(self) -> str:
        """Whether the curve is "above" or "below" the band."""
        return "above" if self.value > self.high else "below"

    def __str__(self) -> str:
        when = f"since step {self.step:,}"
        if self.until is not None:
            when = f"at steps {self.step:,} to {self.until:,}"
        return (
            f"not as usual {when}: {self.metric} is {self.value:.3g} there, usual is "
            f"{self.low:.3g} to {self.high:.3g}: {CAUSES[self.metric, self.side]}"
        )


def deviations(
    curves: Curves,
    bands: Mapping[str, Mapping[str, Sequence[float]]],
    names: Sequence[str] = COMPARED,
) -> list[Deviation]:
    """Returns where curves leave their bands, one a metric: what lasts first, then by step.

    A curve leaves its band where it is outside, on one side, at `AT_ONCE` points in a row; or at
    its only point. Of several times in a row the one that lasts counts, or else the first.
    """
    found = []
    for name in names:
        band, curve = bands[name], curves.get(name, {})
        times: list[list[Deviation]] = [[]]  # points in a row that are outside on one side
        common = 0
        for step, low, high in zip(band["steps"], *limits_of(name, band), strict=True):
            if int(step) not in curve:
                continue
            common += 1
            one = Deviation(name, int(step), None, curve[int(step)], low, high)
            inside = low <= one.value <= high
            if inside or (times[-1] and times[-1][0].side != one.side):
                times.append([])
            if not inside:
                times[-1].append(one)
        lasting = times.pop()
        enough = min(AT_ONCE, common)
        over = [time for time in times if len(time) >= enough]
        if lasting and len(lasting) >= enough:
            found.append(lasting[0])
        elif over:
            found.append(over[0][0]._replace(until=over[0][-1].step))
    return sorted(
        found, key=lambda one: (one.until is not None, one.step, COMPARED.index(one.metric))
    )


def comparable(config: Config, reference: Mapping[str, Any]) -> tuple[tuple[str, ...], str]:
    """Returns the metrics that mean the same in a run as in a reference, and what is to be said.

    D's outputs do not where D minimises something else. A point that is the mean of fewer records
    scatters more than the band was made for. FCD is of the weights that the run draws from.
    """
    other = from_dict(reference["config"])
    names: tuple[str, ...] = COMPARED
    why = ""
    for name in ("loss", "real_label", "fake_label", "penalty"):
        if getattr(config, name) != getattr(other, name):
            names, why = ("fcd",), f"only FCD is compared, for {name} is another"
    if config.log_every > other.log_every and not why:
        names = ("fcd",)
        why = f"only FCD is compared, for it logs less often than every {other.log_every} steps"
    if config.sample_weights != other.sample_weights:
        names = tuple(name for name in names if name != "fcd")
        why = f"FCD is not compared, it is of the {config.sample_weights} weights"
    return names, why


def judged(config: Config, names: Sequence[str] = COMPARED) -> list[str]:
    """Returns those of some metrics whose values say something about a run."""
    without = OF_THE_LEVEL if config.loss == "relativistic" else ()
    return [name for name in names if name not in without]


def compare_run(run: History, reference: Mapping[str, Any]) -> tuple[Curves, str]:
    """Returns the curves of a run that are compared, and the line about it.

    The line says what it differs in, since when it is not as usual, and why.

    Raises:
        UserError: It has nothing to compare yet.
    """
    names, why = comparable(run.config, reference)
    bands, of_run = reference["bands"], curves_of(run.records, run.evaluations)
    curves = {name: of_run[name] for name in names}
    if not names:
        raise UserError(
            f"--runs={run.path}: has nothing to compare with {reference['preset']}, it minimises "
            f"something else and draws from the {run.config.sample_weights} weights"
        )
    common = [step for name in names for step in curves[name] if step in bands[name]["steps"]]
    if not common:
        missing = f"points at multiples of {WINDOW:,} steps"
        if names == ("fcd",):
            missing = f"FCD at multiples of {WINDOW:,} steps (--evaluate_every), and {why}"
        raise UserError(f"--runs={run.path}: has nothing to compare yet, it needs {missing}")
    last, end = max(common), max(bands[name]["steps"][-1] for name in names if bands[name]["steps"])
    about = []
    if changed := differing_fields(run.config, reference) | dict.fromkeys(run.own_networks, "own"):
        about.append(
            f"differs in {', '.join(f'{name}={value}' for name, value in changed.items())}"
        )
    if why:
        about.append(why)
    outside = deviations(curves, bands, judged(run.config, names))
    if outside:
        also = ", ".join(one.metric for one in outside[1:])
        found = f"{outside[0]}{f'; also {also}' if also else ''}"
    else:
        reached = max(one["step"] for one in (*run.records, *run.evaluations))
        ends = last == end and reached - last >= WINDOW
        found = f"as usual up to step {last:,}{', where usual runs end' if ends else ''}"
    said = f" ({'; '.join(about)})" if about else ""
    return curves, f"{reference['preset']}{said}: {found}"
