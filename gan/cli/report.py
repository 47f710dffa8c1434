"""Writes a page about runs: ``tapegan report --runs=runs/mlp,runs/other``."""

from functools import partial
from pathlib import Path

from absl.flags import FlagValues

from gan.cli import command, flags
from gan.errors import UserError
from gan.run.fields import option

USAGE = "Writes one self-contained HTML page about a run, or about several side by side."

EXPLORER = ".explorer/node_modules/onnxruntime-web/dist"  # where `make explorer` puts it


def define(values: FlagValues) -> None:
    """Defines the flags."""
    flags.define_import(values)
    flags.define(
        values,
        runs=option("runs/mlp", "a run, or several separated by commas; also as plain arguments"),
        out=option(
            "",
            "HTML file (default: report.html in the run, or here for several runs)",
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
    """Writes the page and returns the exit status."""
    run_dirs = flags.paths(values, "runs")
    with command.silenced():
        from gan.after_training import PAGE, write_page
        from gan.run import run_directory
        from gan.training import devices
    devices.prepare()
    ort = ort_directory(values["explorer"].value)
    out = Path(values["out"].value or (Path() if len(run_dirs) > 1 else run_dirs[0]) / PAGE)
    run_directory.check_output(out, ".html")
    with command.silenced():
        length, explorer = write_page(out, run_dirs, ort, needed=values["explorer"].present)
    command.say(f"{out}: {length:,} characters")
    if explorer.missing:
        where = "not in" if explorer.models else "without"
        command.say(f"{where} the latent explorer: {explorer.missing}")
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
