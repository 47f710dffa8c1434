"""One self-contained HTML page about one run or several: no server, no outside requests.

Everything that a run brings is escaped: a run may come from anybody.
"""

import base64
import dataclasses
import gzip
import html
import json
import tempfile
from collections.abc import Sequence
from datetime import datetime, timezone
from importlib import resources
from pathlib import Path
from string import Template
from typing import Any, NamedTuple

import numpy as np
import tensorflow as tf

import gan
from gan import charts, runs, samples
from gan.charts import Line
from gan.config import Config
from gan.data import EVALUATION
from gan.drawing import read_png
from gan.evaluation import number
from gan.knobs import UserError
from gan.logs import read_records

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
LIGHT = ("fcd", "coverage", "classes", "modes", "kl", "high_quality")  # in charts, if there


class RunFiles(NamedTuple):
    """What a page shows of a run."""

    path: Path
    config: dict[str, Any]
    environment: dict[str, Any]
    summary: dict[str, Any]  # empty while it trains
    records: list[dict[str, Any]]
    evaluations: list[dict[str, Any]]
    pictures: list[tuple[int, bytes]]  # PNG files by step


def read(run_dir: Path) -> RunFiles:
    """Returns what a page shows of a run.

    Raises:
        UserError: It is no run, or one of its files is damaged.
    """
    runs.read_config(run_dir)
    values = runs.read_values(run_dir)
    paths = sorted((run_dir / runs.SAMPLES_DIR).glob("step_*.png"))
    chosen = np.unique(np.linspace(0, len(paths) - 1, min(FRAMES, len(paths))).round().astype(int))
    pictures = []
    for path in (paths[i] for i in chosen):
        read_png(path)  # or it is refused
        pictures.append((int(path.stem.removeprefix("step_")), path.read_bytes()))
    return RunFiles(
        run_dir,
        values["config"],
        values.get("environment", {}),
        read_summary(run_dir / runs.SUMMARY_FILE),
        read_records(run_dir / runs.METRICS_FILE),
        read_records(run_dir / runs.EVALUATIONS_FILE),
        pictures,
    )


def read_summary(path: Path) -> dict[str, Any]:
    """Returns the summary of a run, empty if there is none yet.

    Raises:
        UserError: It is damaged.
    """
    if not path.exists():
        return {}
    try:
        summary = json.loads(path.read_text())
    except (OSError, ValueError, RecursionError) as error:
        raise UserError(f"{path}: cannot be read, must be JSON ({type(error).__name__})") from None
    if not isinstance(summary, dict):
        raise UserError(f"{path}: cannot be read, must be a JSON object")
    return summary


def page(run_dirs: Sequence[Path], explorer: Path | None = None) -> str:
    """Returns the page about these runs.

    Args:
        run_dirs: At least one run.
        explorer: Directory of ONNX Runtime Web's files; None makes a page without an explorer.

    Raises:
        UserError: Something is no run, or damaged.
    """
    of_runs = [read(run_dir) for run_dir in run_dirs]
    names = [str(one.path) for one in of_runs]
    parts = [
        section("Runs", table(overview(of_runs))),
        section("Samples", cards([slideshow(one) for one in of_runs if one.pictures])),
        section("Training", cards(draw_charts(of_runs))),
        section("How good", metrics_table(of_runs)),
        explorer_section(of_runs, explorer) if explorer else "",
        section("Configuration", differences(of_runs)),
        section("Environment", environments(of_runs)),
    ]
    return Template(of_page("report.html")).substitute(
        title=html.escape(", ".join(names)),
        style=of_page("report.css"),
        body="\n".join(parts),
        script=of_page("report.js") + (of_page("explorer.js") if explorer else ""),
        version=gan.__version__,
        date=datetime.now(timezone.utc).isoformat(" ", "minutes"),
    )


def of_page(name: str) -> str:
    """Returns a file of gan/page."""
    return (resources.files("gan") / "page" / name).read_text(encoding="utf-8")


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


def overview(of_runs: Sequence[RunFiles]) -> list[list[Any]]:
    """Returns a row a run: what it trains, how far it is."""
    rows: list[list[Any]] = [
        ["run", "data set", "networks", "steps", "status", "seconds", "signs of collapse"]
    ]
    for one in of_runs:
        last = one.records[-1] if one.records else {"step": 0, "seconds": 0.0}
        signs = one.summary.get("collapse") or {}
        rows.append(
            [
                one.path,
                one.config["dataset"],
                f"{one.config['generator']}, {one.config['discriminator']}",
                f"{one.summary.get('step', last['step']):,} of {one.config['steps']:,}",
                one.summary.get("status", "training"),
                f"{one.summary.get('seconds', last['seconds']):,.0f}",
                ", ".join(f"{name} from step {step}" for name, step in signs.items()) or "none",
            ]
        )
    return rows


def slideshow(one: RunFiles) -> str:
    """Returns the sample grids of a run, with a slider over the steps."""
    frames = [{"step": step, "picture": data_uri(png)} for step, png in one.pictures]
    last = len(frames) - 1
    return (
        f'<div class="slideshow"><img alt="samples" src="{frames[-1]["picture"]}">'
        f'<input type="range" min="0" max="{last}" value="{last}" aria-label="step">'
        f"<figcaption>{html.escape(str(one.path))}: <output>step {frames[-1]['step']:,}</output>"
        f'</figcaption><script type="application/json">{embedded(frames)}</script></div>'
    )


def data_uri(png: bytes) -> str:
    """Returns a PNG file as an address."""
    return f"data:image/png;base64,{base64.b64encode(png).decode()}"


def embedded(value: Any) -> str:
    """Returns JSON that cannot end the ``<script>`` element it stands in."""
    return json.dumps(value).replace("<", "\\u003c")


def draw_charts(of_runs: Sequence[RunFiles]) -> list[str]:
    """Returns the charts: a line a run, or two."""
    several = len(of_runs) > 1
    drawn = []
    for title, names, level in CHARTS:
        lines = []
        for i, one in enumerate(of_runs):
            for dash, name in enumerate(names):
                kept = [r for r in one.records if r.get(name) is not None]
                if not kept or not any(r[name] for r in kept):
                    continue  # nothing but zeros: there is no penalty
                label = str(one.path) if several and not dash else ""
                steps, values = [r["step"] for r in kept], [r[name] for r in kept]
                lines.append(Line(label, steps, values, i, dash))
        if lines:
            drawn.append(charts.chart(title, lines, level))
    for metric in LIGHT:
        lines = []
        for i, one in enumerate(of_runs):
            kept = [
                r for r in one.evaluations
                if r.get("source") == "training" and r["metrics"].get(metric) is not None
            ]  # fmt: skip
            if kept:
                steps = [r["step"] for r in kept]
                values = [r["metrics"][metric] for r in kept]
                lines.append(Line(str(one.path) if several else "", steps, values, i))
        if lines:
            drawn.append(charts.chart(f"{metric} of the light evaluation", lines))
    return drawn


def last_evaluation(one: RunFiles) -> dict[str, Any]:
    """Returns the newest full evaluation of a run, else the newest light one, else {}."""
    full = [r for r in one.evaluations if "floors" in r]
    found = (full or one.evaluations or [{}])[-1]
    return found


def metrics_table(of_runs: Sequence[RunFiles]) -> str:
    """Returns the metrics of each run, beside what real images get."""
    newest = [last_evaluation(one) for one in of_runs]
    names = list(dict.fromkeys(name for one in newest for name in one.get("metrics", {})))
    if not names:
        return ""
    rows: list[list[Any]] = [["metric", *(one.path for one in of_runs), "real images (sd)"]]
    for name in names:
        values = [one.get("metrics", {}).get(name) for one in newest]
        floors = [one["floors"][name] for one in newest if name in one.get("floors", {})]
        floor = f"{number(floors[0]['mean'])} ({number(floors[0]['sd'])})" if floors else ""
        rows.append([name, *("" if v is None else number(v) for v in values), floor])
    said = [
        f"{one.path}: step {of.get('step', '?')}, {of.get('num_images', '?')} images, "
        f"{of.get('weights', '?')} weights, {of.get('source', '?')}"
        for one, of in zip(of_runs, newest, strict=True)
        if of
    ]
    return table(rows) + "".join(f"<p>{html.escape(line)}</p>" for line in said)


def differences(of_runs: Sequence[RunFiles]) -> str:
    """Returns how the runs differ from each other, one alone from the default; then all knobs."""
    default = dataclasses.asdict(Config())
    names = list(of_runs[0].config)
    compared = [one.config for one in of_runs]
    if len(of_runs) == 1:
        compared.append(default)
    different = [n for n in names if len({repr(config.get(n)) for config in compared}) > 1]
    heads = ["knob", *(str(one.path) for one in of_runs), *["default"] * (len(of_runs) == 1)]

    def rows(chosen: Sequence[str]) -> str:
        return table([heads, *([n, *(config.get(n) for config in compared)] for n in chosen)])

    shown = rows(different) if different else "<p>No differences.</p>"
    return f"{shown}<details><summary>all knobs</summary>{rows(names)}</details>"


def environments(of_runs: Sequence[RunFiles]) -> str:
    """Returns versions and devices of each run."""
    names = list(dict.fromkeys(name for one in of_runs for name in one.environment))
    rows: list[list[Any]] = [["", *(one.path for one in of_runs)]]
    for name in names:
        values = [one.environment.get(name, "") for one in of_runs]
        rows.append([name, *(", ".join(map(str, v)) if isinstance(v, list) else v for v in values)])
    return table(rows) if names else ""


def explorer_section(of_runs: Sequence[RunFiles], files: Path) -> str:
    """Returns the latent explorer, with the generators of all runs that have one.

    Raises:
        UserError: ONNX Runtime Web's files are not there.
    """
    packed = {}
    for name, file in (("ort-script", ORT_SCRIPT), ("ort-wasm", ORT_WASM)):
        try:
            packed[name] = (files / file).read_bytes()
        except OSError as error:
            raise UserError(f"--explorer={files}: has no {file} ({error.strerror})") from None
    models = []
    for i, one in enumerate(of_runs):
        if not (one.path / runs.GENERATOR_FILE).exists():
            continue
        generator = samples.load_saved_generator(one.path)
        if len(generator.output_shape) != 4:
            continue
        labels = [x.name for x in generator.inputs if "int" in str(x.dtype)]
        models.append(
            {
                "id": f"model-{i}",
                "name": str(one.path),
                "key": str(block_key()),
                "dim": generator.inputs[0].shape[-1],
                "classes": samples.classes_of(generator),
                "labels": labels[0] if labels else "",
            }
        )
        packed[f"model-{i}"] = onnx_of(generator)
    if not models:
        return ""
    classes = max(model["classes"] for model in models)
    body = Template(of_page("explorer.html")).substitute(
        packed="\n".join(
            f'<script type="text/plain" id="{name}">'
            f"{base64.b64encode(gzip.compress(content, mtime=0)).decode()}</script>"
            for name, content in packed.items()
        ),
        models=options([(i, model["name"]) for i, model in enumerate(models)]),
        labels=options([(i, i) for i in range(classes)]),
        data=embedded(models),
    )
    return section("Explorer", body)


def options(choices: Sequence[tuple[int, Any]]) -> str:
    """Returns the choices of a ``<select>``: value and text of each."""
    return "".join(
        f'<option value="{value}">{html.escape(str(text))}</option>' for value, text in choices
    )


ORT_SCRIPT, ORT_WASM = "ort.wasm.bundle.min.mjs", "ort-wasm-simd-threaded.wasm"


def onnx_of(generator: Any) -> bytes:
    """Returns a generator as ONNX, compared with Keras.

    Raises:
        UserError: It cannot be made.
    """
    from gan import export

    with tempfile.TemporaryDirectory() as directory:
        path, _ = export.export(generator, "onnx", Path(directory))
        return path.read_bytes()


def block_key() -> int:
    """Returns the first half of the keys of latents, see ``gan.latents.latents_of``; int64."""
    key = tf.constant([0, EVALUATION], tf.int64)
    folded = tf.random.experimental.stateless_fold_in(key, tf.constant(0, tf.int64), "philox")
    return int(folded[0])
