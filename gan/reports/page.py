"""One self-contained HTML page about one run or several: no server, no outside requests.

Everything that a run brings is escaped: a run may come from anybody.
"""

import base64
import dataclasses
import html
from collections.abc import Mapping, Sequence
from datetime import datetime, timezone
from pathlib import Path
from string import Template
from typing import Any, NamedTuple

import numpy as np

from gan.data.images import read_png
from gan.evaluation import reference
from gan.evaluation.records import format_number
from gan.reports import explorer, plots, templates
from gan.reports.plots import Line
from gan.run import reader
from gan.run.config import Config
from gan.run.jsonl import DURING_TRAINING
from gan.run.reader import History
from gan.version import __version__

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


class Page(NamedTuple):
    """A page, and which generators are missing in its explorer, and why; "" if none is."""

    text: str
    has_explorer: bool
    no_explorer: str


def write_page(run_dirs: Sequence[Path], ort: Path | None = None) -> Page:
    """Returns the page about these runs.

    Args:
        run_dirs: At least one run.
        ort: Directory of ONNX Runtime Web's files; None makes a page without an explorer.

    Raises:
        UserError: Something is no run, or damaged; or the files of the explorer are not there.
    """
    of_runs = [reader.read_history(run_dir) for run_dir in run_dirs]
    walk, no_explorer = explorer.explorer(of_runs, ort) if ort else ("", "")
    parts = [
        section("Runs", table(overview(of_runs))),
        section("Samples", cards([slideshow(one) for one in of_runs if one.pictures])),
        section("Training", cards(draw_charts(of_runs))),
        section("How good", metrics_table(of_runs)),
        section("Explorer", walk),
        section("Configuration", differences(of_runs)),
        section("Environment", environments(of_runs)),
    ]
    text = Template(templates.text("report.html")).substitute(
        title=html.escape(", ".join(str(one.path) for one in of_runs)),
        style=templates.text("report.css"),
        body="\n".join(parts),
        script=templates.text("report.js") + (templates.text("explorer.js") if walk else ""),
        version=__version__,
        date=datetime.now(timezone.utc).isoformat(" ", "minutes"),
    )
    return Page(text, bool(walk), no_explorer)


def section(title: str, body: str) -> str:
    """Returns a part of the page, nothing if it is empty."""
    return f"<section><h2>{title}</h2>\n{body}</section>" if body else ""


def cards(figures: Sequence[str]) -> str:
    """Returns figures side by side, as many as the screen is wide."""
    inside = "\n".join(f"<figure>{figure}</figure>" for figure in figures)
    return f'<div class="cards">{inside}</div>' if figures else ""


def table(rows: Sequence[Sequence[Any]]) -> str:
    """Returns a table whose first row and column are heads; all is escaped."""
    head, *body = ([html.escape(str(cell)) for cell in row] for row in rows)
    lines = ["<tr>" + "".join(f"<th>{cell}</th>" for cell in head) + "</tr>"]
    for first, *others in body:
        cells = "".join(f"<td>{cell}</td>" for cell in others)
        lines.append(f"<tr><th>{first}</th>{cells}</tr>")
    return f'<div class="wide"><table>{"".join(lines)}</table></div>'


def overview(of_runs: Sequence[History]) -> list[list[Any]]:
    """Returns a row a run: what it trains, how far it is."""
    rows: list[list[Any]] = [
        ["run", "data set", "networks", "steps", "status", "seconds", "signs of collapse"]
    ]
    for one in of_runs:
        last = one.records[-1] if one.records else {}
        so_far = one.summary or {"step": last.get("step", 0), "seconds": last.get("seconds") or 0}
        first = next((r["step"] for r in one.records if r.get("collapse/signs")), None)
        rows.append(
            [
                one.path,
                one.config.dataset,
                one.networks,
                f"{so_far['step']:,} of {one.config.steps:,}",
                one.summary.get("status", "not ended"),
                f"{so_far.get('seconds', 0):,.0f}",
                ", ".join(one.summary.get("collapse", {}))
                or ("none" if first is None else f"from step {first:,}"),
            ]
        )
    return rows


def slideshow(one: History) -> str:
    """Returns the sample grids of a run, with a slider over the steps.

    Raises:
        UserError: One is no picture.
    """
    frames = []
    for step, path in reader.evenly_spaced(one.pictures, FRAMES):
        read_png(path)  # or it is refused
        frames.append({"step": step, "picture": data_uri(path.read_bytes())})
    last = len(frames) - 1
    return (
        f'<div class="slideshow"><img alt="samples" src="{frames[-1]["picture"]}">'
        f'<input type="range" min="0" max="{last}" value="{last}" aria-label="step">'
        f"<figcaption>{html.escape(str(one.path))}: <output>step {frames[-1]['step']:,}</output>"
        f'</figcaption><script type="application/json">{templates.embedded(frames)}</script></div>'
    )


def data_uri(png: bytes) -> str:
    """Returns a PNG file as an address."""
    return f"data:image/png;base64,{base64.b64encode(png).decode()}"


def draw_charts(of_runs: Sequence[History]) -> list[str]:
    """Returns the charts: a line a run, or two."""
    several = len(of_runs) > 1
    drawn = []
    for title, names, level in CHARTS:
        lines = []
        for i, one in enumerate(of_runs):
            for dash, name in enumerate(names):
                kept = [r for r in one.records if r.get(name) is not None]
                if not kept or (name == "loss/penalty" and one.config.penalty == "none"):
                    continue
                label = str(one.path) if several and not dash else ""
                steps, values = [r["step"] for r in kept], [r[name] for r in kept]
                lines.append(Line(label, steps, values, i, dash))
        if lines:
            even = all(one.config.has_log_odds for one in of_runs)
            drawn.append(plots.chart(title, lines, level if even else None))
    for metric in LIGHT:
        lines = []
        for i, one in enumerate(of_runs):
            kept = [
                r for r in one.evaluations
                if r.get("source") == DURING_TRAINING and r["metrics"].get(metric) is not None
            ]  # fmt: skip
            if kept:
                steps = [r["step"] for r in kept]
                values = [r["metrics"][metric] for r in kept]
                lines.append(Line(str(one.path) if several else "", steps, values, i))
        if lines:
            values = [value for one in lines for value in one.values]
            falls = metric in FALLING and 0 < 10 * min(values) < max(values)
            drawn.append(plots.chart(f"{metric} of the light evaluation", lines, None, falls))
    return drawn


def last_evaluation(one: History) -> Mapping[str, Any]:
    """Returns the newest evaluation of a run: a whole one as they usually are, else any."""
    full = [r for r in one.evaluations if r.get("source") in ("evaluate", "study")]
    usual = [r for r in full if r.get("weights") == "ema" and "-cnn-a-" in str(features_of(r))]
    found: Mapping[str, Any] = (usual or full or one.evaluations or [{}])[-1]
    return found


def features_of(record: Mapping[str, Any]) -> Any:
    """Returns the name of the feature network of an evaluation, None if it has none."""
    found = record.get("features")
    return found.get("name") if isinstance(found, dict) else None


def metrics_table(of_runs: Sequence[History]) -> str:
    """Returns the metrics of each run, each beside what real images get."""
    newest = [last_evaluation(one) for one in of_runs]
    names = list(dict.fromkeys(name for of in newest for name in of.get("metrics", {})))
    if not names:
        return ""
    heads: list[Any] = ["metric"]
    for one in of_runs:
        heads += [one.path, "real images (sd)"]
    rows = [heads]
    floors = [of.get("floors") or reference.packaged_floors(of) for of in newest]
    for name in names:
        row: list[Any] = [name]
        for record, of_one in zip(newest, floors, strict=True):
            value, floor = record.get("metrics", {}).get(name), of_one.get(name)
            row.append("" if value is None else format_number(value))
            row.append(
                f"{format_number(floor['mean'])} ({format_number(floor['sd'])})" if floor else ""
            )
        rows.append(row)
    said = []
    for run, record in zip(of_runs, newest, strict=True):
        if record:
            against = record.get("reference")
            parts = [f"step {record['step']:,}"]
            parts += [f"{key} {record[key]}" for key in ("weights", "num_images") if key in record]
            parts += [f"features {features_of(record)}"] if features_of(record) else []
            if isinstance(against, dict):
                parts.append("against " + " ".join(map(str, against.values())))
            said.append(f"{run.path}: {', '.join(parts)} ({record.get('source', '?')})")
    return table(rows) + "".join(f"<p>{html.escape(line)}</p>" for line in said)


def differences(of_runs: Sequence[History]) -> str:
    """Returns how the runs differ from each other, one alone from the default; then all knobs."""
    compared = [dataclasses.asdict(one.config) for one in of_runs]
    heads: list[Any] = ["knob", *(one.path for one in of_runs)]
    if len(of_runs) == 1:
        compared.append(dataclasses.asdict(Config()))
        heads.append("default")
    names = list(compared[0])
    different = [n for n in names if len({repr(config[n]) for config in compared}) > 1]

    def rows(chosen: Sequence[str]) -> str:
        return table([heads, *([n, *(config[n] for config in compared)] for n in chosen)])

    shown = rows(different) if different else "<p>No differences.</p>"
    return f"{shown}<details><summary>all knobs</summary>{rows(names)}</details>"


def environments(of_runs: Sequence[History]) -> str:
    """Returns versions and devices of each run."""
    names = list(dict.fromkeys(name for one in of_runs for name in one.environment))
    rows: list[list[Any]] = [["", *(one.path for one in of_runs)]]
    rows += [[name, *(one.environment.get(name, "") for one in of_runs)] for name in names]
    return table(rows) if names else ""
