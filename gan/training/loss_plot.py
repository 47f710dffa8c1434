"""The plot of a run's losses."""

from pathlib import Path
from typing import Any

from gan.run.atomic_files import replacing


def write_loss_plot(path: Path, records: list[dict[str, Any]]) -> None:
    """Draws D's and G's loss over the steps."""
    # Not pyplot: it would open a window system and keep the figure alive.
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7, 3.2), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots()
    steps = [record["step"] for record in records]
    for name, label in (("loss/d", "D loss (real + fake)"), ("loss/g", "G loss")):
        axes.plot(steps, [record[name] for record in records], label=label, linewidth=1)
    axes.set_xlabel("step")
    axes.set_ylabel("loss")
    axes.grid(alpha=0.3)
    axes.legend()
    with replacing(path) as temporary:
        figure.savefig(temporary, dpi=120)
