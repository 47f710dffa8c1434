"""What the page's charts show: lines over the steps as plain data, which charts.js draws.

A run may come from anybody: all of this is numbers, and names that charts.js takes for text.
"""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from gan.evaluation import constants
from gan.reports.reference_curves import Band, limits_of
from gan.run.config import Config
from gan.run.reader import History, Record
from gan.run.records import DURING_TRAINING, is_number
from gan.training.checks import has_log_odds

BINS = 400  # along the steps; where a line has more points, a bin shows their mean and range
SMALLEST, LARGEST = 1e-100, 1e100  # of what Plotly finds ticks for, by trial
DIGITS = 5  # significant ones of a value
LAST_STEP = 10**12  # up to which Plotly can tell steps apart, and more than anybody does

# Of a D that tosses coins: its logits are 0, and its loss is two coins' cross-entropy.
LEVELS = {"loss/d": 2 * np.log(2),
          **dict.fromkeys(("accuracy/real", "accuracy/fake"), 0.5),
          **dict.fromkeys(("logits/real", "logits/fake"), 0.0)}  # fmt: skip
# What G gets from it, by the loss.
G_OF_COINS = {"non_saturating": np.log(2), "minimax": -np.log(2), "boundary_seeking": 0.0}

# Title of a chart of one run, and what is drawn; several runs have a chart for each of these.
CHARTS: tuple[tuple[str, Mapping[str, str]], ...] = (
    ("loss of D", {"loss/d": ""}),
    ("loss of G", {"loss/g": ""}),
    ("accuracy of D", {"accuracy/real": "on real images", "accuracy/fake": "on fakes"}),
    ("mean logits", {"logits/real": "of real images", "logits/fake": "of fakes"}),
    ("gradient norms", {"grads/d_norm": "of D", "grads/g_norm": "of G"}),
    ("penalty", {"loss/penalty": ""}),
    ("loss of the head", {"loss/d_auxiliary": "of D", "loss/g_auxiliary": "of G"}),
    ("accuracy of the head", {"accuracy/auxiliary": ""}),
    ("probability of augmentations", {"augment/probability": ""}),
)
# Of the light evaluation, as far as it has them.
LIGHT = (
    "fcd", "coverage", "classes", "class_diversity", "head_accuracy", "linear_units", "modes",
    "reverse_kl", "high_quality", "sd_ratio",
)  # fmt: skip
FALLING = ("fcd", "reverse_kl")  # by orders of magnitude


class Line(NamedTuple):
    """One line of a chart."""

    run: int
    role: str  # what it is of, where a chart has several of a run
    steps: Sequence[float]
    values: Sequence[float]  # NaN is a gap


def charts_of(
    runs: Sequence[History], bands: Mapping[str, Band]
) -> tuple[list[dict[str, Any]], list[str]]:
    """Returns the charts, as JSON may hold them, and a line about each that cannot be drawn.

    They are of what training logs, and of light evaluations.

    Args:
        runs: Several have a chart for each metric; of one, D's two kinds of images share one.
        bands: Of reference runs, for the metrics that may be compared with them.
    """
    logged = [[(record["step"], record) for record in run.records] for run in runs]
    light = [
        [(r["step"], r["metrics"]) for r in run.evaluations if r.get("source") == DURING_TRAINING]
        for run in runs
    ]
    wanted = [(title, roles, logged) for title, roles in CHARTS]
    if len(runs) > 1:
        wanted = [
            (f"{title} {role}".strip(), {metric: ""}, logged)
            for title, roles in CHARTS
            for metric, role in roles.items()
        ]
    wanted += [(f"{metric} of the light evaluation", {metric: ""}, light) for metric in LIGHT]
    charts, not_drawn = [], []
    for title, roles, histories in wanted:
        lines = lines_of(runs, histories, roles)
        if not lines:
            continue
        if reason := why_not(lines):
            not_drawn.append(f"{title}: cannot be drawn ({reason})")
            continue
        metric = next(iter(roles))
        last = max(line.steps[-1] for line in lines)
        charts.append(
            {
                "title": title,
                "level": level_of(metric, runs),
                "logarithmic": metric in FALLING and falls(lines),
                "lines": [drawn(line) for line in lines],
                "bands": [
                    area
                    for metric, role in roles.items()
                    if metric in bands and (area := band_of(metric, role, bands[metric], last))
                ],
            }
        )
    return charts, not_drawn


def level_of(metric: str, runs: Sequence[History]) -> float | None:
    """Returns what a metric is compared with: real images get it, or a D that tosses coins.

    None where that is another one for each run, or not known of all.
    """
    if metric not in LIGHT:
        return coin_level(metric, [run.config for run in runs])
    means = {
        constants.floors_of_record(record).get(metric, {}).get("mean")
        for run in runs
        for record in run.evaluations
        if record.get("source") == DURING_TRAINING
    }
    return means.pop() if len(means) == 1 else None


def coin_level(metric: str, configs: Sequence[Config]) -> float | None:
    """Returns what a D that tosses coins gets or gives, None if not the same with all losses."""
    if not all(has_log_odds(config) for config in configs):
        return None
    if metric != "loss/g":
        return LEVELS.get(metric)
    levels = {G_OF_COINS.get(config.loss) for config in configs}
    return levels.pop() if len(levels) == 1 else None


def lines_of(
    runs: Sequence[History],
    histories: Sequence[Sequence[tuple[int, Record]]],
    roles: Mapping[str, str],
) -> list[Line]:
    """Returns a line for each run and metric that has points; NaN, a gap, where a value is null.

    Args:
        runs: Whose they are.
        histories: Of each run, steps and values by metric.
        roles: Of each metric, what it is of.
    """
    lines = []
    for i, (run, history) in enumerate(zip(runs, histories, strict=True)):
        for metric, role in roles.items():
            points = [(step, row[metric]) for step, row in history if metric in row]
            has_points = any(value is not None for _, value in points)
            if has_points and not (metric == "loss/penalty" and run.config.penalty == "none"):
                values = [np.nan if value is None else value for _, value in points]
                lines.append(Line(i, role, [step for step, _ in points], values))
    return lines


def why_not(lines: Sequence[Line]) -> str:
    """Returns why lines cannot be drawn, "" if they can."""
    values = np.abs(np.concatenate([np.asarray(line.values, float) for line in lines]))
    values = values[np.isfinite(values) & (values > 0)]
    if max(line.steps[-1] for line in lines) > LAST_STEP:
        return f"steps beyond {LAST_STEP:,}"
    if len(values) and (values.max() > LARGEST or values.min() < SMALLEST):
        return f"sizes from {values.min():.3g} to {values.max():.3g}, beyond 1e-100 to 1e100"
    return ""


def falls(lines: Sequence[Line]) -> bool:
    """Returns whether positive values differ by more than a factor of ten."""
    values = [value for line in lines for value in line.values if is_number(value)]
    return 0 < 10 * min(values) < max(values)


def drawn(line: Line) -> dict[str, Any]:
    """Returns a line as JSON may hold it; null is a gap. Its range is there if it has bins."""
    steps, means, lowest, highest = in_bins(line)
    binned = len(steps) < len(line.steps)
    return {
        "run": line.run,
        "role": line.role,
        "steps": [int(step) for step in steps],
        "means": rounded(means),
        "lowest": rounded(lowest) if binned else None,
        "highest": rounded(highest) if binned else None,
    }


def band_of(metric: str, role: str, band: Band, last: float) -> dict[str, Any] | None:
    """Returns the band of reference runs up to a step, as JSON may hold it; None of one point."""
    lower, upper = limits_of(metric, band)
    count = sum(step <= last for step in band["steps"])
    if count < 2:
        return None
    return {
        "role": role,
        "steps": [int(step) for step in band["steps"][:count]],
        "lowest": rounded(lower[:count]),
        "highest": rounded(upper[:count]),
    }


def rounded(values: Sequence[float] | np.ndarray) -> list[float | None]:
    """Returns values with `DIGITS` significant digits, None for what is not finite."""
    return [float(f"{x:.{DIGITS}g}") if np.isfinite(x) else None for x in values]


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
