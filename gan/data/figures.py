"""Figures for papers: PDF, SVG or PNG by the suffix, as wide as a column, text as text."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import matplotlib
import numpy as np

from gan.run.atomic_files import replacing
from gan.run.drawing import drawing

if TYPE_CHECKING:
    from matplotlib.figure import Figure

SUFFIXES = (".pdf", ".svg", ".png")
COLUMN = 3.25  # inches: a column of a paper in two columns
TEXT = 7  # points
DPI = 600  # pixels of pictures are repeated up to this, for viewers that would smooth them
STYLE: dict[str, Any] = {
    "font.size": TEXT, "axes.titlesize": TEXT, "axes.labelsize": TEXT, "legend.fontsize": TEXT,
    "xtick.labelsize": TEXT, "ytick.labelsize": TEXT, "axes.linewidth": 0.5, "lines.linewidth": 0.8,
    "xtick.major.width": 0.5, "ytick.major.width": 0.5, "grid.linewidth": 0.4, "grid.alpha": 0.3,
    "text.parse_math": False,  # a name may have a $
    "pdf.fonttype": 42, "svg.fonttype": "none", "svg.hashsalt": "tapegan",
}  # fmt: skip
UNDATED = {".pdf": {"CreationDate": None}, ".svg": {"Date": None}, ".png": {}}


@contextlib.contextmanager
def style() -> Iterator[None]:
    """Has Matplotlib draw in a size that fits a column."""
    with matplotlib.rc_context(STYLE):
        yield


def write_figure(path: Path, figure: Figure) -> None:
    """Writes a figure; the same one makes the same file.

    Args:
        path: Its name ends in one of `SUFFIXES`.
        figure: Drawn within `style`.

    Raises:
        CannotDraw: It has numbers that Matplotlib cannot draw.
    """
    with drawing(path), style(), replacing(path) as temporary:
        figure.savefig(temporary, dpi=DPI, metadata=UNDATED[path.suffix])


def write_picture(path: Path, picture: np.ndarray) -> None:
    """Writes [H, W, C] uint8, grey or colour, as wide as a column: one image without loss.

    Its pixels are not smoothed; each is repeated up to `DPI`, because some viewers smooth what is
    to be enlarged, whatever the file says.
    """
    from matplotlib.figure import Figure

    height, width, channels = picture.shape
    times = max(1, round(DPI * COLUMN / width))
    pixels = picture.repeat(times, axis=0).repeat(times, axis=1)
    figure = Figure(figsize=(COLUMN, COLUMN * height / width))
    axes = figure.add_axes((0, 0, 1, 1))
    axes.axis("off")
    shown = np.broadcast_to(pixels, (*pixels.shape[:2], 3)) if channels == 1 else pixels
    axes.imshow(shown, interpolation="none", aspect="auto")
    write_figure(path, figure)
