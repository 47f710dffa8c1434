"""Is this normal? ``tapegan compare runs/mlp``: a run beside what runs of its preset look like."""

from pathlib import Path
from typing import NoReturn

from absl.flags import FlagValues

from gan.cli import command, flags
from gan.errors import UserError
from gan.run.fields import option

USAGE = "Says whether runs look like usual ones of their preset, and since when not."


def define(values: FlagValues) -> None:
    """Defines the flags."""
    flags.define(
        values,
        runs=option("runs/mlp", "a run, or several separated by commas; also as plain arguments"),
        reference=option("", "preset whose curves are the usual ones (default: the nearest one)"),
        out=option("", "PNG file (default: compare.png in the run, or here for several runs)"),
    )


def main(values: FlagValues) -> int:
    """Writes the picture, says a line about each run, and returns the exit status."""
    run_dirs = flags.paths(values, "runs")
    with command.silenced():
        from gan.reports import compare, plots, reference_curves
        from gan.run import reader, run_directory
    out = Path(
        values["out"].value or (run_dirs[0] if len(run_dirs) == 1 else Path()) / "compare.png"
    )
    run_directory.check_output(out, ".png")
    usual, curves, lines = None, {}, []
    for run_dir in run_dirs:
        of_files = reader.read_history(run_dir)
        found = reference_curves.nearest_reference(of_files.config, values["reference"].value)
        usual = usual or found
        if usual["preset"] != found["preset"]:
            raise UserError(
                f"--runs={run_dir}: is nearest to {found['preset']}, {run_dirs[0]} to "
                f"{usual['preset']}; --reference chooses one for all"
            )
        curves[str(run_dir)], line = compare.compare_run(of_files, usual)
        lines.append(f"{run_dir} beside {line}")
    assert usual is not None
    try:
        limits = {
            name: reference_curves.limits_of(name, band) for name, band in usual["bands"].items()
        }
        plots.write_comparison(out, usual["bands"], limits, curves)
    except OSError as error:
        raise UserError(f"--out={out}: cannot be written ({error.strerror})") from None
    print("\n".join([*lines, f"{out}: the curves over their bands"]))
    return command.DONE


def run() -> NoReturn:
    """Runs the command line."""
    command.run(USAGE, define, main, positional="runs")
