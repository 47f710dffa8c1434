"""Writes a page about runs, or a figure: ``tapegan report --runs=runs/mlp,runs/other``."""

from functools import partial
from pathlib import Path

from absl.flags import FlagValues

from gan.cli import command, flags
from gan.errors import CannotDraw, UserError
from gan.run.fields import option

USAGE = "Writes one self-contained HTML page about runs, or a figure of their curves for a paper."

FIGURES = ("losses", "fcd")  # the rows of gan/reports/figures.py, which imports Matplotlib

EXPLORER = ".explorer/node_modules/onnxruntime-web/dist"  # where `make explorer` puts it


def define(values: FlagValues) -> None:
    """Defines the flags."""
    flags.define(
        values,
        runs=option("runs/mlp", "a run, or several separated by commas; also as plain arguments"),
        figure=option(
            "none",
            "instead of the page: losses, or the FCD of light evaluations beside what real images "
            "get, over the steps, 3.25 inches wide; runs, also below a directory, that differ in "
            "their seed only are their mean and range",
            choices=("none", *FIGURES),
        ),
        out=option(
            "",
            "HTML file, with --figure PDF, SVG or PNG (default: report.html or FIGURE.pdf, in the "
            "run, or here for several runs)",
            path_after="",
        ),
        explorer=option(
            "",
            "directory of the npm package onnxruntime-web's files, for a latent explorer in the "
            f"page; none: leave it out (default: {EXPLORER} if it is there)",
            path_after="",
        ),
    )


def main(values: FlagValues) -> int:
    """Writes the page or the figure and returns the exit status."""
    run_dirs = flags.paths(values, "runs")
    if values["figure"].value != "none":
        return write_figure(values["figure"].value, run_dirs, values)
    with command.importing():
        from gan.after_training import PAGE, write_page
        from gan.run import run_directory
        from gan.training import devices
    devices.prepare()
    ort = ort_directory(values["explorer"].value)
    out = Path(values["out"].value or (Path() if len(run_dirs) > 1 else run_dirs[0]) / PAGE)
    run_directory.check_output(out, ".html")
    with command.working("writing the page"), command.silenced():
        explorer = write_page(out, run_dirs, ort, needed=values["explorer"].present)
    command.say(f"{out}: {out.stat().st_size / 1e6:.1f} MB")
    if explorer.missing:
        where = "not in" if explorer.models else "without"
        command.tell(f"{where} the latent explorer: {explorer.missing}")
    return command.DONE


def write_figure(name: str, places: list[Path], values: FlagValues) -> int:
    """Writes a figure of the runs at some places and returns the exit status."""
    if values["explorer"].value:
        raise UserError(f"--explorer={values['explorer'].value}: is not for --figure={name}")
    with command.silenced():
        from gan.data.figures import SUFFIXES
        from gan.reports.figures import write_curves
        from gan.run import run_directory
        from gan.sweeps import groups
    runs = groups.find_runs(places)
    out = Path(values["out"].value or (Path() if len(runs) > 1 else runs[0]) / f"{name}.pdf")
    run_directory.check_output(out, *SUFFIXES)
    found = [group.runs for group in groups.group_runs(runs)]
    try:
        lines = write_curves(out, name, found)
    except CannotDraw as error:
        raise UserError(f"--out={error}") from None
    except OSError as error:
        raise UserError(f"--out={out}: cannot be written ({error.strerror})") from None
    count = f"{len(runs)} run{'s' * (len(runs) > 1)}"
    if len(found) < len(runs):
        count += f" in {len(found)} curve{'s' * (len(found) > 1)}"
    command.tell(*lines)
    command.say(f"{out}: {name} of {count}")
    return command.DONE


def ort_directory(text: str) -> Path | None:
    """Returns the directory of ONNX Runtime Web that the flag means, None for no explorer."""
    if text == "none":
        return None
    if not text:
        return Path(EXPLORER) if Path(EXPLORER).is_dir() else None
    if not Path(text).is_dir():
        raise UserError(f"--explorer={text}: must be a directory, or none")
    return Path(text)


run = partial(command.run, USAGE, define, main, positional="runs")
