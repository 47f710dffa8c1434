"""Figures for papers of curves over the steps: losses, and FCD with its floor.

Runs that differ in their seed only are one curve, the mean over them, with their range as a band.
"""

import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator

from gan.data import figures
from gan.errors import UserError
from gan.evaluation import constants
from gan.evaluation.better import kind_of
from gan.reports.charts import coin_level
from gan.run.drawing import drawing
from gan.run.reader import History
from gan.run.records import DURING_TRAINING
from gan.run.streams import printable

BINS = 100  # along the steps; a point is the mean of a bin
COLOURS = (
    "#0072b2",
    "#d55e00",
    "#009e73",
    "#cc79a7",
    "#e69f00",
    "#56b4e9",
)  # also for the colour-blind
DASHES = ("-", "--", ":", "-.")  # of the next six
PANEL = 1.5  # inches
LEGEND_ROW = 0.14

Curve = Mapping[int, float]  # step -> value; NaN where it was not finite
Runs = Sequence[History]  # of a group: they differ in their seed only


class Panel(NamedTuple):
    """One pair of axes."""

    label: str
    curves: Sequence[Sequence[Curve]]  # of each group, of each of its runs
    level: float | None = None  # of a thin line
    floor: tuple[float, float] | None = None  # mean and sd of real images
    falls: bool = False  # by orders of magnitude, then in logarithms


def losses(groups: Sequence[Runs]) -> list[Panel]:
    """Returns what D and G minimise, a point a hundredth of the longest run.

    A level is that of a D that tosses coins, where all losses have the same.
    """
    runs = [run for group in groups for run in group]
    last = max((run.records[-1]["step"] for run in runs if run.records), default=0)
    if not last:
        raise UserError(f"--runs={runs[0].path}: has logged no losses yet")
    width = max(1, *(run.config.log_every for run in runs), -(-last // BINS))
    configs = [run.config for run in runs]
    return [
        Panel(
            label,
            [[in_bins(run, name, width) for run in group] for group in groups],
            coin_level(name, configs),
        )
        for name, label in (("loss/d", "loss of D"), ("loss/g", "loss of G"))
    ]


def in_bins(run: History, name: str, width: int) -> Curve:
    """Returns means of whole bins of so many steps, at their last one; NaN of nothing finite.

    A run that is shorter than a bin has that one, at its own last step.
    """
    bins: dict[int, list[float]] = {}
    for record in run.records:
        if name in record:
            end = -(-record["step"] // width) * width
            bins.setdefault(end, []).append(np.nan if record[name] is None else record[name])
    last = run.records[-1]["step"] if run.records else 0
    if len(bins) == 1:
        bins = {min(end, last): values for end, values in bins.items()}
    return {
        end: float(np.mean(known)) if (known := [v for v in values if np.isfinite(v)]) else np.nan
        for end, values in bins.items()
        if end <= last
    }


def fcd(groups: Sequence[Runs]) -> list[Panel]:
    """Returns the FCD of light evaluations, and what real images get.

    Raises:
        UserError: There is none, or they cannot be compared: `better.kind_of`.
    """
    kinds: dict[str, tuple[History, Mapping[str, Any]]] = {}

    def curve(run: History) -> Curve:
        points = {}
        for record in run.evaluations:
            if record.get("source") == DURING_TRAINING and "fcd" in record["metrics"]:
                value = record["metrics"]["fcd"]
                points[record["step"]] = np.nan if value is None else value
                kinds.setdefault(kind_of(record), (run, record))
        return points

    curves = [[curve(run) for run in group] for group in groups]
    if not kinds:
        raise UserError(
            f"--runs={groups[0][0].path}: has no FCD of light evaluations (--evaluate_every)"
        )
    (first, record), *others = kinds.values()
    for other, _ in others:
        raise UserError(
            f"--runs={other.path}: its FCD is not comparable with that of {first.path}, of other "
            "data, features, weights, or numbers of images"
        )
    floor = constants.floors_of_record(record).get("fcd")
    known = (floor["mean"], floor["sd"]) if floor else None
    count = record.get("num_images")
    label = "FCD" + (f" of {count:,} samples" if type(count) is int else "")
    return [Panel(label, curves, floor=known, falls=True)]


FIGURES: dict[str, Callable[[Sequence[Runs]], list[Panel]]] = {"losses": losses, "fcd": fcd}


def write_curves(path: Path, name: str, groups: Sequence[Runs]) -> list[str]:
    """Writes a figure as wide as a column, a key of `FIGURES`, and returns what to say of it.

    Args:
        path: Its name ends in .pdf, .svg or .png.
        name: What it shows.
        groups: Of runs that differ in their seed only.

    Raises:
        UserError: The runs have nothing to show, or cannot be compared.
        CannotDraw: They are numbers that Matplotlib cannot draw.
    """
    panels = FIGURES[name](groups)
    for panel in panels:
        for runs, curves in zip(groups, panel.curves, strict=True):
            for run, curve in zip(runs, curves, strict=True):
                if not np.isfinite(list(curve.values())).any():
                    raise UserError(f"--runs={run.path}: has no {panel.label} to show")
    names = labels_of(groups) if sum(map(len, groups)) > 1 else []
    with drawing(path), figures.style():
        figure = draw(panels, names)
    figures.write_figure(path, figure)
    lines = []
    for panel in panels:
        for label, curves in zip(labels_of(groups), panel.curves, strict=True):
            ends = [max(curve, default=0) for curve in curves]
            if len(set(ends)) > 1:
                lines.append(f"{panel.label} of {label}: ends at step {min(ends):,}, as one does")
    if name == "fcd" and not panels[0].floor:
        lines.append("what real images get is not known, there is no line of it")
    return lines


def draw(panels: Sequence[Panel], names: Sequence[str]) -> Figure:
    """Returns panels one below the other, with a legend of the groups that have names."""
    entries = len(names) + any(panel.floor for panel in panels)
    columns = 2 if max(map(len, names), default=0) < 22 else 1
    height = PANEL * len(panels) + LEGEND_ROW * -(-entries // columns) + 0.1
    figure = Figure(figsize=(figures.COLUMN, height), layout="constrained")
    lines: dict[str, Any] = {}
    all_axes = figure.subplots(len(panels), sharex=True, squeeze=False)[:, 0]
    for axes, panel in zip(all_axes, panels, strict=True):
        for number, curves in enumerate(panel.curves):
            steps, mean, lowest, highest = mean_and_range(curves)
            colour = COLOURS[number % len(COLOURS)]
            dash = DASHES[number // len(COLOURS) % len(DASHES)]
            if len(curves) > 1:
                axes.fill_between(steps, lowest, highest, color=colour, alpha=0.2, linewidth=0)
            marker = "." if len(steps) < 20 else ""
            (line,) = axes.plot(steps, mean, dash, color=colour, marker=marker, markersize=3)
            if names:
                lines.setdefault(names[number], line)
        if panel.level is not None:
            axes.axhline(panel.level, color="0.3", linewidth=0.5, linestyle=":")
        if panel.floor:
            real, sd = panel.floor
            axes.axhspan(real - sd, real + sd, color="0.85", linewidth=0)
            line = axes.axhline(real, color="0.3", linewidth=0.6, linestyle="--")
            lines["real images (mean, sd)"] = line
        values = [v for curves in panel.curves for curve in curves for v in curve.values()]
        if panel.falls and 0 < 10 * np.nanmin(values) < np.nanmax(values):
            axes.set_yscale("log")
            low, high = axes.get_ylim()
            axes.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5) if high < 200 * low else (1,)))
            axes.yaxis.set_major_formatter("{x:g}")  # the usual one needs what parse_math forbids
            axes.yaxis.set_minor_formatter("")
        axes.set_ylabel(panel.label)
        axes.grid()
        axes.spines[["top", "right"]].set_visible(False)
    all_axes[-1].set_xlabel("step")
    all_axes[-1].set_xlim(left=0)
    figure.align_ylabels()
    all_axes[-1].xaxis.set_major_formatter("{x:,.0f}")
    all_axes[-1].locator_params(axis="x", nbins=5)
    if lines:
        figure.legend(
            lines.values(), lines.keys(), loc="outside upper center", ncols=columns, frameon=False
        )
    return figure


def mean_and_range(
    curves: Sequence[Curve],
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Returns the steps that all curves have, and their mean, lowest and highest value there.

    Of fewer runs the mean would jump where one ends. NaN where one is.
    """
    steps = sorted(set.intersection(*(set(curve) for curve in curves)))
    values = np.array([[curve[step] for step in steps] for curve in curves], float)
    return np.array(steps), values.mean(0), values.min(0), values.max(0)


def labels_of(groups: Sequence[Runs]) -> list[str]:
    """Returns a name for each group: what the names of its runs begin with, and how many there are.

    Whole paths where names alone would be the same, and the first run's where these are.
    """
    paths = [[run.path for run in group] for group in groups]
    short = [common([path.resolve().name for path in group]) for group in paths]
    if len(set(short)) < len(short) or not all(short):
        short = [common([str(path) for path in group]) for group in paths]
    if len(set(short)) < len(short):  # runs/0 and 1, runs/2 and 3
        short = [str(group[0]) for group in paths]
    counts = [f" ({len(group)} seeds)" if len(group) > 1 else "" for group in paths]
    return [printable(name + count) for name, count in zip(short, counts, strict=True)]


def common(names: Sequence[str]) -> str:
    """Returns what some names begin with, without what leads to a seed."""
    if len(names) == 1:
        return names[0]
    start = os.path.commonprefix(list(names))  # noqa: RUF071, by characters: mlp-0, mlp-1
    return start.rstrip("-_.,=/ ").removesuffix("seed").rstrip("-_.,=/ ")
