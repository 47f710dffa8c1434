"""The picture of runs over the bands of reference runs."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import matplotlib
from matplotlib.figure import Figure

from gan.reports.reference_curves import Band, Curves, limits_of
from gan.run.atomic_files import replacing
from gan.run.drawing import drawing
from gan.run.streams import printable


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
