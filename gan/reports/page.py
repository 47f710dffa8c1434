"""One self-contained HTML page about one run or several: no server, no outside requests.

This file gathers plain rows, pictures and numbers; templates/report.html makes HTML of them and
escapes everything that a run brings: a run may come from anybody.
"""

import base64
from collections.abc import Sequence
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import jinja2

from gan.data.images import read_png
from gan.reports import charts, class_tables, tables
from gan.reports.explorer import Explorer
from gan.reports.tables import Named
from gan.reports.verdicts import common_bands, verdict_of
from gan.run import layout, reader
from gan.run.files import read_bytes
from gan.run.reader import History
from gan.version import __version__

LOADER = jinja2.PackageLoader("gan.reports")
TEMPLATES = jinja2.Environment(
    loader=LOADER,
    autoescape=True,
    undefined=jinja2.StrictUndefined,
    trim_blocks=True,
)
# Version 4.1.1 as npm's plotly.js-basic-dist-min has it, MIT licence; its SHA-256, which a test
# compares, is 99784e3abfb07b142a15e521a439e6d9addceadb3f79553fd24c72774f0649ba.
PLOTLY = "plotly-basic.min.js"

FRAMES = 60  # most pictures of a run


def render_page(runs: Sequence[History], explorer: Explorer | None = None) -> str:
    """Returns the page about at least one run.

    Raises:
        UserError: A sample grid is no picture.
    """
    names = tables.names_of(runs)
    named = [Named(*pair) for pair in zip(names, runs, strict=True)]
    groups = tables.groups_of(runs)
    shown = [tables.shown_evaluations(run) for run in runs]
    newest = [next(iter(records), {}) for records in shown]
    verdicts = [verdict_of(run) for run in runs]
    bands = common_bands(verdicts)
    drawn, not_drawn = charts.charts_of(runs, bands)
    configs = tables.compared_configs(named)
    return TEMPLATES.get_template("report.html").render(
        title=", ".join(names),
        names=names,
        overview=tables.overview(named, groups, verdicts),
        failures=[f"{name} {run.failure}" for name, run in named if run.failure],
        verdicts=list(zip(names, verdicts, strict=True)),
        slideshows=[(name, read_frames(run)) for name, run in named if run.pictures],
        reals=real_pictures(named),
        charts=drawn,
        chart_data={"runs": [marks_of(one) for one in named], "charts": drawn},
        signs=[f"{name}: {text}" for name, run in named if (text := signs_of(run))],
        has_bands=any(chart["bands"] for chart in drawn),
        not_drawn=not_drawn,
        metrics=metrics_tables(names, groups, shown, [run.end for run in runs]),
        diversity=class_tables.diversity_table(names, newest),
        alignment=class_tables.alignment_table(names, newest),
        evaluations=[tables.describe(names[0], record) for record in shown[0]],
        explorer=explorer or Explorer(),
        fields=configs,
        different=[configs[0], *(row for row in configs[1:] if len(set(map(repr, row[1:]))) > 1)],
        environments=tables.environments(named),
        plotly=LOADER.get_source(TEMPLATES, PLOTLY)[0] if drawn else "",
        version=__version__,
        date=datetime.now(timezone.utc).isoformat(" ", "minutes"),
    )


def metrics_tables(
    names: Sequence[str],
    groups: Sequence[tables.Group],
    shown: Sequence[Sequence[reader.Record]],
    ends: Sequence[int],
) -> list[tuple[str, tables.Rows]]:
    """Returns tables of metrics with their titles: one of a single run, of several one a kind."""
    if len(names) == 1:
        found = [("", tables.metrics_of_one(names[0], shown[0]))]
    else:
        found = [
            (kind.title, tables.metrics_of_several(names, groups, kind))
            for kind in tables.kinds_of(shown, ends)
        ]
    return [(title, rows) for title, rows in found if rows]


def marks_of(one: Named) -> dict[str, Any]:
    """Returns a run as the charts show it: its name, and where it has signs of collapse."""
    signs = [[step, name] for name, step in one.run.summary.get("collapse", {}).items()]
    if not signs:
        logged = (r["step"] for r in one.run.records if r.get("collapse/signs"))
        signs = [[step, "signs of collapse"] for step in [next(logged, None)] if step is not None]
    return {"name": one.name, "signs": sorted(signs)}


def signs_of(run: History) -> str:
    """Returns a run's signs of collapse in words, "" of none."""
    signs = marks_of(Named("", run))["signs"]
    return ", ".join(f"{name} from step {step:,}" for step, name in signs)


def read_frames(run: History) -> list[dict[str, Any]]:
    """Returns the sample grids of a run, for its slideshow."""
    return [
        {"step": step, "picture": picture(path)}
        for step, path in reader.evenly_spaced(run.pictures, FRAMES)
    ]


def real_pictures(named: Sequence[Named]) -> list[tuple[str, str]]:
    """Returns the grids of real images, each once, with the names of the runs that have it."""
    found: dict[str, list[str]] = {}
    for name, run in named:
        path = run.path / layout.SAMPLES_DIR / "reals.png"
        if path.is_file():
            found.setdefault(picture(path), []).append(name)
    return [(", ".join(owners), data) for data, owners in found.items()]


def picture(path: Path) -> str:
    """Returns a PNG file as the address of a picture.

    Raises:
        UserError: It is no picture.
    """
    read_png(path)  # or it is refused
    return f"data:image/png;base64,{base64.b64encode(read_bytes(path)).decode()}"
