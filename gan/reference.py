"""What runs of a preset look like, and whether a run looks like them.

The package brings curves of some presets: median and range over seeds, at every 1,000 steps.
``python -m experiments.reference`` makes them from runs.
"""

import dataclasses
import json
from collections.abc import Mapping, Sequence
from importlib import resources
from typing import Any, NamedTuple

import numpy as np

from gan.config import Config, from_dict
from gan.history import History
from gan.knobs import UserError

WINDOW = 1000  # steps; a point is the mean over the records of so many, for single ones scatter
AGAIN = 1.5  # times the range over seeds, on either side of it, are usual too
AT_ONCE = 2  # points in a row that are outside before that is said

# What is compared; the last one is that of the light evaluation.
METRICS = (
    "loss/d", "loss/g", "accuracy/real", "accuracy/fake", "logits/real", "logits/fake", "fcd",
)  # fmt: skip

# Of relativistic losses only differences of D's outputs count: their level is anything.
OF_THE_LEVEL = ("accuracy/real", "accuracy/fake", "logits/real", "logits/fake")

# Knobs that do not change what is trained.
INDIFFERENT = (
    "seed", "data_dir", "precision", "jit_compile", "strategy", "steps", "steps_per_call",
    "log_every", "sample_every", "checkpoint_every", "keep_checkpoints", "evaluate_every",
    "keep_best", "on_collapse", "on_nan",
)  # fmt: skip

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

Curves = dict[str, dict[int, float]]  # metric -> step -> value


class Departure(NamedTuple):
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


def curves_of(
    records: Sequence[Mapping[str, Any]], evaluations: Sequence[Mapping[str, Any]]
) -> Curves:
    """Returns the curves of a run, a point every `WINDOW` steps.

    Args:
        records: Of metrics.jsonl.
        evaluations: Of evaluations.jsonl; only the light ones count.
    """
    curves: Curves = {}
    for name in METRICS[:-1]:
        points: dict[int, list[float]] = {}
        for record in records:
            if record.get(name) is not None:
                end = -(-record["step"] // WINDOW) * WINDOW
                points.setdefault(end, []).append(record[name])
        last = records[-1]["step"] if records else 0
        curves[name] = {step: float(np.mean(v)) for step, v in points.items() if step <= last}
    curves["fcd"] = {
        one["step"]: one["metrics"]["fcd"]
        for one in evaluations
        if one.get("evaluator") == "light"
        and one["metrics"].get("fcd") is not None
        and one["step"] % WINDOW == 0
    }
    return curves


def band_of(runs: Sequence[Curves]) -> dict[str, dict[str, list[float]]]:
    """Returns median and range over runs of each metric, at the steps that all runs have.

    Returns:
        metric -> {"steps", "median", "low", "high"}, lists of one length.
    """
    bands = {}
    for name in METRICS:
        steps = sorted(set.intersection(*(set(curves[name]) for curves in runs)))
        values = np.array([[curves[name][step] for step in steps] for curves in runs])
        bands[name] = {
            "steps": steps,
            "median": np.median(values, 0).tolist() if steps else [],
            "low": values.min(0).tolist() if steps else [],
            "high": values.max(0).tolist() if steps else [],
        }
    return bands


def limits_of(name: str, band: Mapping[str, Sequence[float]]) -> tuple[list[float], list[float]]:
    """Returns the lowest and the highest usual value of a metric at each step of its band.

    The range over seeds, and one and a half times as much again on either side: one more run of the
    kind would leave the bare range of five at every third point. The widest range of a point and
    its neighbours counts, for five seeds may agree by chance, and at least 2 % of the median, or
    0.02. FCD falls by orders of magnitude: there all this is of its logarithm, and at least 10 %,
    for what 2,000 images say scatters so much by itself.
    """
    low, high, median = (np.asarray(band[key], float) for key in ("low", "high", "median"))
    least = np.maximum(0.02 * np.abs(median), 0.02)
    if name == "fcd":
        low, high, least = np.log(low), np.log(high), np.log(1.1)
    spread = np.maximum(high - low, least)
    padded = np.pad(spread, 1)
    spread = np.max([padded[:-2], spread, padded[2:]], axis=0)
    limits = low - AGAIN * spread, high + AGAIN * spread
    lows, highs = map(np.exp, limits) if name == "fcd" else limits
    return lows.tolist(), highs.tolist()


def departures(
    curves: Curves,
    bands: Mapping[str, Mapping[str, Sequence[float]]],
    names: Sequence[str] = METRICS,
) -> list[Departure]:
    """Returns where curves leave their bands, one a metric: what lasts first, then by step.

    A curve leaves its band where it is outside, on one side, at `AT_ONCE` points in a row; or at
    its only point. Of several times in a row the one that lasts counts, or else the first.
    """
    found = []
    for name in names:
        band, curve = bands[name], curves.get(name, {})
        times: list[list[Departure]] = [[]]  # points in a row that are outside on one side
        common = 0
        for step, low, high in zip(band["steps"], *limits_of(name, band), strict=True):
            if int(step) not in curve:
                continue
            common += 1
            one = Departure(name, int(step), None, curve[int(step)], low, high)
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
        found, key=lambda one: (one.until is not None, one.step, METRICS.index(one.metric))
    )


def shipped() -> dict[str, dict[str, Any]]:
    """Returns the references that come with the package, by preset."""
    files = resources.files("gan") / "references"
    if not files.is_dir():
        return {}
    found = [json.loads(one.read_text()) for one in files.iterdir() if one.name.endswith(".json")]
    return {one["preset"]: one for one in sorted(found, key=lambda one: str(one["preset"]))}


def differences(config: Config, reference: Mapping[str, Any]) -> dict[str, Any]:
    """Returns the knobs of a run that train something else than the reference, and values."""
    other = from_dict(reference["config"])
    return {
        field.name: getattr(config, field.name)
        for field in dataclasses.fields(Config)
        if field.name not in INDIFFERENT
        and getattr(config, field.name) != getattr(other, field.name)
    }


def chosen(config: Config, name: str = "") -> dict[str, Any]:
    """Returns the reference of a preset, or the one that a configuration is nearest to.

    Raises:
        UserError: The package has none of this preset, or none for this data set.
    """
    references = shipped()
    if name:
        if name not in references:
            raise UserError(f"--reference={name}: must be one of {', '.join(references)}")
        return references[name]
    alike = [one for one in references.values() if one["config"]["dataset"] == config.dataset]
    if not alike:
        raise UserError(
            f"--reference: there is none for {config.dataset}, only of the presets "
            f"{', '.join(references)}"
        )
    return min(alike, key=lambda one: (len(differences(config, one)), one["preset"] != "mlp"))


def comparable(config: Config, reference: Mapping[str, Any]) -> tuple[tuple[str, ...], str]:
    """Returns the metrics that mean the same in a run as in a reference, and what is to be said.

    D's outputs do not where D minimises something else. A point that is the mean of fewer records
    scatters more than the band was made for. FCD is of the weights that the run draws from.
    """
    other = from_dict(reference["config"])
    names: tuple[str, ...] = METRICS
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


def judged(config: Config, names: Sequence[str] = METRICS) -> list[str]:
    """Returns those of some metrics whose values say something about a run."""
    without = OF_THE_LEVEL if config.loss == "relativistic" else ()
    return [name for name in names if name not in without]


def verdict(run: History, reference: Mapping[str, Any]) -> str:
    """Returns the line about a run: what it differs in, since when it is not as usual, and why.

    Raises:
        UserError: It has nothing to compare yet.
    """
    curves, bands = curves_of(run.records, run.evaluations), reference["bands"]
    names, why = comparable(run.config, reference)
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
    if changed := differences(run.config, reference) | dict.fromkeys(run.own_networks, "own"):
        about.append(
            f"differs in {', '.join(f'{name}={value}' for name, value in changed.items())}"
        )
    if why:
        about.append(why)
    outside = departures(curves, bands, judged(run.config, names))
    if outside:
        also = ", ".join(one.metric for one in outside[1:])
        found = f"{outside[0]}{f'; also {also}' if also else ''}"
    else:
        reached = max(one["step"] for one in (*run.records, *run.evaluations))
        ends = last == end and reached - last >= WINDOW
        found = f"as usual up to step {last:,}{', where usual runs end' if ends else ''}"
    said = f" ({'; '.join(about)})" if about else ""
    return f"{reference['preset']}{said}: {found}"
