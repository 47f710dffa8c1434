"""One self-contained HTML page about one run or several: no server, no outside requests.

This file prepares plain rows, frames and charts; templates/report.html makes HTML of them and
escapes everything that a run brings: a run may come from anybody.
"""

import base64
import dataclasses
from collections.abc import Mapping, Sequence
from datetime import datetime, timezone
from typing import Any

import jinja2
import numpy as np

from gan.data.images import read_png
from gan.errors import CannotDraw
from gan.evaluation import reference
from gan.evaluation.records import format_number
from gan.reports import plots
from gan.reports.explorer import Explorer
from gan.reports.plots import Line
from gan.run import reader
from gan.run.config import Config
from gan.run.files import read_bytes
from gan.run.reader import History, Record
from gan.run.records import DURING_TRAINING, is_number
from gan.training.checks import has_log_odds
from gan.version import __version__

TEMPLATES = jinja2.Environment(
    loader=jinja2.PackageLoader("gan.reports"),
    autoescape=True,
    undefined=jinja2.StrictUndefined,
    trim_blocks=True,
)

WHOLE = ("evaluate", "study")  # sources of evaluations that are not light
FRAMES = 60  # most pictures of a run

# Title, what is drawn (solid, then dashed), and a level worth a line: two coins' cross-entropy.
CHARTS: tuple[tuple[str, tuple[str, ...], float | None], ...] = (
    ("loss of D", ("loss/d",), 2 * np.log(2)),
    ("loss of G", ("loss/g",), np.log(2)),
    ("accuracy of D (real, fake dashed)", ("accuracy/real", "accuracy/fake"), 0.5),
    ("mean logits (real, fake dashed)", ("logits/real", "logits/fake"), 0.0),
    ("gradient norms (D, G dashed)", ("grads/d_norm", "grads/g_norm"), None),
    ("penalty", ("loss/penalty",), None),
)
# Of the light evaluation, as far as it has them.
LIGHT = ("fcd", "coverage", "classes", "modes", "reverse_kl", "high_quality", "sd_ratio")
FALLING = ("fcd", "reverse_kl")  # by orders of magnitude

Rows = list[list[Any]]  # of a table, the first one and the first column are heads


def render_page(runs: Sequence[History], explorer: Explorer | None = None) -> str:
    """Returns the page about at least one run.

    Raises:
        UserError: A sample grid is no picture.
    """
    shown = [shown_evaluations(run) for run in runs]
    newest = [next(iter(records), {}) for records in shown]
    charts, not_drawn = draw_charts(runs)
    configs = compared_configs(runs)
    return TEMPLATES.get_template("report.html").render(
        title=", ".join(str(run.path) for run in runs),
        overview=overview(runs),
        failures=[f"{run.path} {run.failure}" for run in runs if run.failure],
        slideshows=[(run.path, read_frames(run)) for run in runs if run.pictures],
        charts=charts,
        not_drawn=not_drawn,
        metrics=metrics_table(runs, shown),
        diversity=diversity_table(runs, newest),
        alignment=alignment_table(runs, newest),
        evaluations=[describe(run, r) for run, rs in zip(runs, shown, strict=True) for r in rs],
        explorer=explorer or Explorer(),
        fields=configs,
        different=[configs[0], *(row for row in configs[1:] if len(set(map(repr, row[1:]))) > 1)],
        environments=environments(runs),
        version=__version__,
        date=datetime.now(timezone.utc).isoformat(" ", "minutes"),
    )


def overview(runs: Sequence[History]) -> Rows:
    """Returns a row a run: what it trains, how far it is."""
    heads = ["run", "data set", "networks", "steps", "status", "seconds", "signs of collapse"]
    rows: Rows = [heads]
    for run in runs:
        last = run.records[-1] if run.records else {}
        so_far = run.summary or {"step": last.get("step", 0), "seconds": last.get("seconds") or 0}
        first_sign = next((r["step"] for r in run.records if r.get("collapse/signs")), None)
        rows.append(
            [
                run.path,
                run.config.dataset,
                run.networks,
                f"{so_far['step']:,} of {run.config.steps:,}",
                run.summary.get("status", "not ended"),
                f"{so_far.get('seconds', 0):,.0f}",
                ", ".join(run.summary.get("collapse", {}))
                or ("none" if first_sign is None else f"from step {first_sign:,}"),
            ]
        )
    return rows


def read_frames(run: History) -> list[dict[str, Any]]:
    """Returns the sample grids of a run, for its slideshow."""
    frames = []
    for step, path in reader.evenly_spaced(run.pictures, FRAMES):
        read_png(path)  # or it is refused
        png = base64.b64encode(read_bytes(path)).decode()
        frames.append({"step": step, "picture": f"data:image/png;base64,{png}"})
    return frames


def draw_charts(runs: Sequence[History]) -> tuple[list[str], list[str]]:
    """Returns the charts, as SVG, and a line about each that cannot be drawn.

    They are of what training logs, and of light evaluations.
    """
    log_odds = all(has_log_odds(run.config) for run in runs)
    logged = [[(record["step"], record) for record in run.records] for run in runs]
    light = [
        [(r["step"], r["metrics"]) for r in run.evaluations if r.get("source") == DURING_TRAINING]
        for run in runs
    ]
    charts = [
        (title, lines_of(runs, logged, metrics), level if log_odds else None, False)
        for title, metrics, level in CHARTS
    ]
    for metric in LIGHT:
        lines = lines_of(runs, light, (metric,))
        values = [value for line in lines for value in line.values if is_number(value)]
        falls = metric in FALLING and bool(lines) and 0 < 10 * min(values) < max(values)
        charts.append((f"{metric} of the light evaluation", lines, None, falls))
    drawn, not_drawn = [], []
    for arguments in charts:
        try:
            drawn += [plots.chart(*arguments)] if arguments[1] else []
        except CannotDraw as error:
            not_drawn.append(str(error))
    return drawn, not_drawn


def lines_of(
    runs: Sequence[History],
    histories: Sequence[Sequence[tuple[int, Record]]],
    metrics: Sequence[str],
) -> list[Line]:
    """Returns a line for each run and metric that has points; NaN, a gap, where a value is null.

    Args:
        runs: Each has a colour, and a name in the legend if there are several.
        histories: Of each run, steps and values by metric.
        metrics: Each has a dash.
    """
    lines = []
    for i, (run, history) in enumerate(zip(runs, histories, strict=True)):
        for dash, metric in enumerate(metrics):
            points = [(step, row[metric]) for step, row in history if metric in row]
            has_points = any(value is not None for _, value in points)
            if has_points and not (metric == "loss/penalty" and run.config.penalty == "none"):
                name = str(run.path) if len(runs) > 1 and not dash else ""
                values = [np.nan if value is None else value for _, value in points]
                lines.append(Line(name, [step for step, _ in points], values, i, dash))
    return lines


def shown_evaluations(run: History) -> list[Record]:
    """Returns the newest evaluation of a run, and the newest through Inception; [] of none.

    Of the first kind, EMA weights by the packaged features go before others, and whole evaluations
    before light ones. The two have metrics of other names.
    """
    whole = [r for r in run.evaluations if r.get("source") in WHOLE]
    light = [r for r in run.evaluations if r.get("source") not in WHOLE]
    of_papers = [r for r in whole if str(features_of(r)).startswith("inception")]
    own = [r for r in whole if not str(features_of(r)).startswith("inception")]
    averaged = [r for r in of_papers if r.get("weights") == "ema"]
    usual = [r for r in own if r.get("weights") == "ema" and "-cnn-a-" in str(features_of(r))]
    return [*(usual or own or light)[-1:], *(averaged or of_papers)[-1:]]


def features_of(record: Record) -> Any:
    """Returns the name of the feature network of an evaluation, None if it has none."""
    features = record.get("features")
    return features.get("name") if isinstance(features, Mapping) else None


def metrics_table(runs: Sequence[History], shown: Sequence[Sequence[Record]]) -> Rows:
    """Returns the metrics of each run's evaluations, each beside what real images get."""
    metrics: list[Record] = []
    floors: list[Mapping[str, Any]] = []
    for records in shown:
        metrics.append({name: v for r in records for name, v in r.get("metrics", {}).items()})
        known = [r.get("floors") or reference.packaged_floors(r) for r in records]
        floors.append({name: floor for of_record in known for name, floor in of_record.items()})
    names = list(dict.fromkeys(name for of_run in metrics for name in of_run))
    heads: list[Any] = ["metric"]
    for run in runs:
        heads += [run.path, "real images (sd)"]
    rows: Rows = [heads]
    for name in names:
        row: list[Any] = [name]
        for of_run, floors_of_run in zip(metrics, floors, strict=True):
            value, floor = of_run.get(name), floors_of_run.get(name)
            row.append("" if value is None else format_number(value))
            row.append(
                f"{format_number(floor['mean'])} ({format_number(floor['sd'])})" if floor else ""
            )
        rows.append(row)
    return rows if names else []


def alignment_table(runs: Sequence[History], newest: Sequence[Record]) -> Rows:
    """Returns how many samples of each class are what was asked, beside real images; [] of none."""
    given = [
        (run, record["condition_alignment"])
        for run, record in zip(runs, newest, strict=True)
        if "condition_alignment" in record
    ]
    heads: list[Any] = ["class"]
    for run, _ in given:
        heads += [run.path, "real images"]
    of_runs = [{row["name"]: row for row in alignment["classes"]} for _, alignment in given]
    names = list(dict.fromkeys(name for rows in of_runs for name in rows))
    rows: Rows = [heads, ["all", *(cell for _, whole in given for cell in shares_of(whole))]]
    for name in names:
        rows.append([name, *(cell for of in of_runs for cell in shares_of(of.get(name, {})))])
    return rows if given else []


def diversity_table(runs: Sequence[History], newest: Sequence[Record]) -> Rows:
    """Returns how samples of each class differ from each other; real images have 1; [] of none."""
    given = [
        (run, {row["name"]: row for row in record["class_diversity"]})
        for run, record in zip(runs, newest, strict=True)
        if record.get("class_diversity")
    ]
    heads: list[Any] = ["class"]
    for run, _ in given:
        heads += [run.path, "real images (sd)"]
    names = list(dict.fromkeys(name for _, rows in given for name in rows))
    table: Rows = [heads]
    for name in names:
        found = [rows.get(name) for _, rows in given]
        cells = [
            [f"{row['samples']:.2f}", f"1 ({row['sd']:.2f})"] if row else ["", ""] for row in found
        ]
        table.append([name, *(cell for pair in cells for cell in pair)])
    return table if given else []


def shares_of(row: Mapping[str, Any]) -> list[str]:
    """Returns the shares of samples and of real images in percent, "" for what is not known."""
    values = [row.get(name) for name in ("samples", "real")]
    return ["" if value is None else f"{value:.2%}" for value in values]


def describe(run: History, record: Record) -> str:
    """Returns how a run was evaluated."""
    parts = [f"step {record['step']:,}"]
    parts += [f"{key} {record[key]}" for key in ("weights", "num_images") if key in record]
    parts += [f"features {features_of(record)}"] if features_of(record) else []
    against = record.get("reference")
    if isinstance(against, Mapping):
        parts.append("against " + " ".join(map(str, against.values())))
    return f"{run.path}: {', '.join(parts)} ({record.get('source', '?')})"


def compared_configs(runs: Sequence[History]) -> Rows:
    """Returns a row a field: its value in each run; of a single one also the default."""
    heads: list[Any] = ["field", *(run.path for run in runs)]
    configs = [run.config for run in runs]
    if len(runs) == 1:
        heads.append("default")
        configs.append(Config())
    names = [field.name for field in dataclasses.fields(Config)]
    return [heads, *([name, *(getattr(config, name) for config in configs)] for name in names)]


def environments(runs: Sequence[History]) -> Rows:
    """Returns versions and devices of each run."""
    names = dict.fromkeys(name for run in runs for name in run.environment)
    rows: Rows = [["", *(run.path for run in runs)]]
    return rows + [[name, *(run.environment.get(name, "") for run in runs)] for name in names]
