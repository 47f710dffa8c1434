"""Writes a page about runs: ``tapegan report --runs=runs/mlp,runs/other``."""

from pathlib import Path
from typing import NoReturn

from absl.flags import FlagValues

from gan.cli import command, flags
from gan.errors import UserError
from gan.run.fields import option

USAGE = "Writes one self-contained HTML page about a run, or about several side by side."

EXPLORER = ".explorer/node_modules/onnxruntime-web/dist"  # where `make explorer` puts it


def define(values: FlagValues) -> None:
    """Defines the flags."""
    flags.define(
        values,
        runs=option("runs/mlp", "a run, or several separated by commas; also as plain arguments"),
        out=option("", "HTML file (default: report.html in the run, or here for several runs)"),
        explorer=option(
            "",
            "directory of the npm package onnxruntime-web's files, for a latent explorer in the "
            f"page; none: leave it out (default: {EXPLORER} if it is there)",
        ),
    )


def main(values: FlagValues) -> int:
    """Writes the page and returns the exit status."""
    run_dirs = flags.paths(values, "runs")
    with command.silenced():
        from gan.reports.page import write_page
        from gan.run import run_directory
        from gan.run.atomic_files import replacing
        from gan.training import devices
    devices.prepare()
    explorer = explorer_of(values["explorer"].value)
    out = Path(
        values["out"].value or (Path() if len(run_dirs) > 1 else run_dirs[0]) / "report.html"
    )
    run_directory.check_output(out, ".html")
    with command.silenced():
        page = write_page(run_dirs, explorer)
    if page.no_explorer and not page.has_explorer and values["explorer"].present:
        raise UserError(f"--explorer={explorer}: {page.no_explorer}")
    try:
        with replacing(out) as temporary:
            temporary.write_text(page.text, encoding="utf-8")
    except OSError as error:
        raise UserError(f"--out={out}: cannot be written ({error.strerror})") from None
    print(f"{out}: {len(page.text):,} characters")
    if page.no_explorer:
        missing = "not in" if page.has_explorer else "without"
        print(f"{missing} the latent explorer: {page.no_explorer}")
    return command.DONE


def explorer_of(text: str) -> Path | None:
    """Returns the directory that the flag means, None for no explorer.

    Raises:
        UserError: It does not exist.
    """
    if text == "none":
        return None
    if not text:
        return Path(EXPLORER) if Path(EXPLORER).is_dir() else None
    if not Path(text).is_dir():
        raise UserError(f"--explorer={text}: must be a directory, or none")
    return Path(text)


def run() -> NoReturn:
    """Runs the command line."""
    command.run(USAGE, define, main, positional="runs")
