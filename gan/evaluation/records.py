"""The record of an evaluation, its table, its scalars in TensorBoard."""

from collections.abc import Callable, Collection, Mapping
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf

from gan.data.images import write_png
from gan.errors import UserError
from gan.evaluation.better import ARROWS, better
from gan.evaluation.constants import floors_of_record
from gan.evaluation.metrics.comparison import Comparison
from gan.evaluation.metrics.table import compute_metrics, metric_details
from gan.evaluation.mode_coverage import Modes
from gan.evaluation.reference import Reference
from gan.run import layout, scalars
from gan.version import __version__


def mode_record(modes: Modes, samples: np.ndarray, floors: bool = False) -> dict[str, Any]:
    """Returns the record of counting modes, if asked for with floors and ideals."""
    result = {
        "num_images": len(samples),
        "reference": {"dataset": modes.dataset},
        "features": modes.provenance,
        "tapegan": __version__,
        "date": now(),
        "metrics": modes.compute(samples),
    }
    if floors:
        result["floors"] = {n: f._asdict() for n, f in modes.floors(len(samples)).items()}
        result |= {"ideals": modes.ideals(), "suspicious": []}
    return result


def evaluation_record(
    reference: Reference,
    comparison: Comparison,
    names: Collection[str],
    advance: Callable[[str], None] = lambda name: None,
) -> dict[str, Any]:
    """Returns what every evaluation records: metrics and what they were computed from.

    `advance` is told each metric that begins.
    """
    values = compute_metrics(comparison, names, advance)
    return {
        "num_images": len(comparison.images),
        "reference": {
            "dataset": reference.real.dataset,
            "split": reference.split,
            "num_images": reference.count,
            **(
                {} if reference.real.chosen is None else {"learned": len(reference.real.chosen)}
            ),
        },
        "features": reference.real.extractor.provenance,
        "tapegan": __version__,
        "date": now(),
        "metrics": values,
        **metric_details(comparison, names),
    }  # fmt: skip


def now() -> str:
    """Returns the time of a record."""
    return datetime.now(timezone.utc).isoformat(timespec="seconds")


def markdown_table(result: dict[str, Any]) -> str:
    """Returns the metrics of a record as a Markdown table with floors and ideals."""
    lines = ["| metric | value | real images (sd) | ideal | |", "| --- | --- | --- | --- | --- |"]
    floors = floors_of_record(result)
    for name, value in result["metrics"].items():
        floor, ideal = floors.get(name), result["ideals"].get(name)
        error = result.get("kid_standard_error") if name.startswith("kid") else None
        cells = [
            f"{name} {ARROWS[better(name)]}".strip(),
            format_number(value) + (f" ± {format_number(error)}" if error is not None else ""),
            f"{format_number(floor['mean'])} ({format_number(floor['sd'])})" if floor else "-",
            "-" if ideal is None else format_number(ideal),
            "suspicious" if name in result["suspicious"] else "",
        ]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def in_short(record: dict[str, Any], floors: Mapping[str, Mapping[str, float]]) -> str:
    """Returns the metrics of a record in a line, each with what real images get, if known."""
    parts = [
        f"{name} {format_number(value)}"
        + (f" (real {format_number(floors[name]['mean'])})" if name in floors else "")
        for name, value in record["metrics"].items()
    ]
    return f"evaluation of {record['num_images']:,} samples: {', '.join(parts)}"


def format_number(value: float) -> str:
    """Returns a number with four significant digits; whole ones below 10^15 without a point."""
    return f"{value:.0f}" if abs(value) < 1e15 and value == int(value) else f"{value:.4g}"


def write_picture(run_dir: Path, step: int, prefix: str, picture: np.ndarray) -> Path:
    """Writes a picture of nearest training images beside a run's samples and returns its path."""
    name = "_".join(["nearest", *filter(None, [prefix]), f"{step:08d}.png"])
    path = run_dir / layout.SAMPLES_DIR / name
    write_png(path, picture)
    return path


def write_tensorboard(run_dir: Path, step: int, prefix: str, values: dict[str, float]) -> None:
    """Adds scalars named ``eval/PREFIX_METRIC``, or ``eval/METRIC``, to a run's TensorBoard."""
    directory = run_dir / layout.TENSORBOARD_DIR
    try:
        writer = tf.summary.create_file_writer(str(directory))
        with writer.as_default(step):
            for name, value in values.items():
                tag = f"eval/{prefix}_{name}" if prefix else f"eval/{name}"
                tf.summary.scalar(tag, value, description=scalars.of_metric(name))
        writer.close()
    except tf.errors.OpError as error:
        raise UserError(f"{directory}: cannot be written ({type(error).__name__})") from None
