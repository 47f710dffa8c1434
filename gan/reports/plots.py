"""Plots: SVG charts for the page, and the picture of runs over the bands of reference runs."""

import io
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import matplotlib
import numpy as np
from matplotlib.figure import Figure

from gan.reports.reference_curves import Band, Curves, limits_of
from gan.run.atomic_files import replacing
from gan.run.drawing import drawing
from gan.run.streams import printable

INK = "#010203"  # stands for the page's own colour of text
COLOURS = ("#1f77b4", "#ff7f0e", "#2ca02c", "#d62728", "#9467bd", "#8c564b", "#e377c2", "#17becf")
DASHES = ("-", "--")
BINS = 100  # along the steps; where a line has more points, a bin shows their mean and range


class Line(NamedTuple):
    """One line of a chart."""

    name: str  # in the legend; "" for none
    steps: Sequence[float]
    values: Sequence[float]
    colour: int = 0
    dash: int = 0


def in_bins(line: Line) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Returns steps, means, lowest and highest values of a line, each [at most `BINS`].

    No spike is lost; the last point is in the last bin. Values that are not finite are left out of
    their bin; a bin of nothing else is NaN.
    """
    steps, values = np.asarray(line.steps, float), np.asarray(line.values, float)
    finite = np.isfinite(values)
    starts = np.unique(np.linspace(0, len(steps), BINS, endpoint=False).astype(int))
    counts = np.diff([*starts, len(steps)])
    known = np.add.reduceat(finite, starts, dtype=int)
    # Divided before they are added, for the sum of values near 1e308 is not finite.
    shares = np.where(finite, values, 0.0) / np.repeat(np.maximum(known, 1), counts)
    return (
        steps[starts + counts - 1],
        np.where(known > 0, np.add.reduceat(shares, starts), np.nan),
        np.fmin.reduceat(np.where(finite, values, np.nan), starts),
        np.fmax.reduceat(np.where(finite, values, np.nan), starts),
    )


def chart(
    title: str, lines: Sequence[Line], level: float | None = None, logarithmic: bool = False
) -> str:
    """Returns lines over the steps as an ``<svg>`` element, in the text colour around it.

    Args:
        title: Above the chart.
        lines: At least one point each; values that are not finite are gaps.
        level: Of a thin horizontal line.
        logarithmic: Whether the values' axis is, for what falls by orders of magnitude.

    Raises:
        CannotDraw: They are numbers that Matplotlib cannot draw.
    """
    settings = {
        "svg.fonttype": "none", "svg.hashsalt": title, "font.size": 9, "text.color": INK,
        "axes.edgecolor": INK, "axes.labelcolor": INK, "xtick.color": INK, "ytick.color": INK,
        "text.parse_math": False,  # a run's name may have a $
    }  # fmt: skip
    with drawing(title), matplotlib.rc_context(settings):
        figure = Figure(figsize=(5, 2.8), layout="constrained")
        axes = figure.subplots()
        legend = {}
        for line in lines:
            steps, means, lowest, highest = in_bins(line)
            colour = COLOURS[line.colour % len(COLOURS)]
            if len(steps) < len(line.steps):
                axes.fill_between(steps, lowest, highest, color=colour, alpha=0.15, linewidth=0)
            marker = "." if len(steps) < 20 else None
            (drawn,) = axes.plot(
                steps, means, DASHES[line.dash], color=colour, linewidth=1, marker=marker
            )
            if line.name:
                legend[printable(line.name)] = drawn
        if level is not None:
            axes.axhline(level, color=INK, linewidth=0.6, linestyle=":")
        if logarithmic:
            axes.set_yscale("log")
            axes.yaxis.set_major_formatter("{x:g}")  # the usual one needs what parse_math forbids
            axes.yaxis.set_minor_formatter("")
        axes.set_title(title, fontsize=10)
        axes.set_xlabel("step")
        axes.grid(color=INK, alpha=0.15)
        axes.spines[["top", "right"]].set_visible(False)
        if legend:
            axes.legend(legend.values(), legend.keys(), frameon=False, fontsize=8)
        buffer = io.StringIO()
        figure.savefig(buffer, format="svg", transparent=True, metadata={"Date": None})
    svg = buffer.getvalue()
    svg = svg[svg.index("<svg") :].replace(INK, "currentColor")
    svg = re.sub(r"<metadata>.*?</metadata>", "", svg, flags=re.DOTALL)
    # Ids that nothing refers to would be on the page as often as it has charts.
    return re.sub(r' id="([^"]+)"', lambda m: m[0] if f"#{m[1]}" in svg else "", svg)


def write_comparison(path: Path, bands: Mapping[str, Band], runs: Mapping[str, Curves]) -> None:
    """Draws the curves of runs over the bands of reference runs, up to where they have points.

    As PDF or SVG it is as wide as the text of a paper, 6.5 inches, with text that stays text.

    Raises:
        CannotDraw: They are numbers that Matplotlib cannot draw.
    """
    with drawing(path), replacing(path) as temporary:
        shown = [name for name, band in bands.items() if band["steps"]]
        rows = len(shown) // 2 + 1  # one place is left for the legend
        paper = path.suffix != ".png"
        size = (6.5, 1.6 * rows) if paper else (10, 2.4 * rows)
        figure = Figure(figsize=size, layout="constrained")
        small, usual = (7, 7) if paper else (9, matplotlib.rcParams["font.size"])
        lines: list[Any] = []
        for place, name in enumerate(shown, 1):
            axes, band = figure.add_subplot(rows, 2, place), bands[name]
            curves = [run.get(name, {}) for run in runs.values()]
            reached = max((step for curve in curves for step in curve), default=0)
            count = max(2, sum(step <= reached for step in band["steps"]))  # one point is no area
            steps, low, high, median = (
                band[key][:count] for key in ("steps", "low", "high", "median")
            )
            lower, upper = (limit[:count] for limit in limits_of(name, band))
            lines = [
                axes.fill_between(steps, lower, upper, color="0.92"),
                axes.fill_between(steps, low, high, color="0.8"),
                *axes.plot(steps, median, color="0.5", linewidth=1),
            ]
            for curve in curves:
                common = sorted(step for step in curve if step <= steps[-1])
                marker = "o" if len(common) == 1 else ""
                lines += axes.plot(common, [curve[step] for step in common], marker=marker)
            if name == "fcd":
                axes.set_yscale("log")  # it falls by orders of magnitude
            axes.set_title(name, fontsize=small)
            axes.tick_params(labelsize=usual)
            axes.grid(alpha=0.3)
        with matplotlib.rc_context({"text.parse_math": False}):  # a name may have a $
            names = ["band", "range of the seeds", "their median", *map(printable, runs)]
            figure.add_subplot(rows, 2, 2 * rows).axis("off")
            figure.axes[-1].legend(lines, names, loc="center", fontsize=small)
            figure.supxlabel("step", fontsize=small)
        with matplotlib.rc_context({"pdf.fonttype": 42, "svg.fonttype": "none"}):
            figure.savefig(temporary, dpi=100)
