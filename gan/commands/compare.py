"""Is this normal? ``tapegan compare runs/mlp``: a run beside what runs of its preset look like."""

from pathlib import Path
from typing import NoReturn

from absl import flags

from gan.commands import cli
from gan.knobs import UserError, knob

USAGE = "Says whether runs look like usual ones of their preset, and since when not."


def define(values: flags.FlagValues) -> None:
    """Defines the flags."""
    cli.define(
        values,
        runs=knob("runs/mlp", "a run, or several separated by commas; also as plain arguments"),
        reference=knob("", "preset whose curves are the usual ones (default: the nearest one)"),
        out=knob("", "PNG file (default: compare.png in the run, or here for several runs)"),
    )


def main(values: flags.FlagValues) -> int:
    """Writes the picture, says a line about each run, and returns the exit status."""
    run_dirs = cli.paths(values, "runs")
    with cli.silenced():
        from gan import drawing, history, reference, runs, verdict
    out = Path(
        values["out"].value or (run_dirs[0] if len(run_dirs) == 1 else Path()) / "compare.png"
    )
    runs.check_output(out, ".png")
    usual, curves, lines = None, {}, []
    for run_dir in run_dirs:
        of_files = history.read(run_dir)
        found = reference.chosen(of_files.config, values["reference"].value)
        usual = usual or found
        if usual["preset"] != found["preset"]:
            raise UserError(
                f"--runs={run_dir}: is nearest to {found['preset']}, {run_dirs[0]} to "
                f"{usual['preset']}; --reference chooses one for all"
            )
        curves[str(run_dir)], line = verdict.verdict(of_files, usual)
        lines.append(f"{run_dir} beside {line}")
    assert usual is not None
    try:
        limits = {name: reference.limits_of(name, band) for name, band in usual["bands"].items()}
        drawing.write_bands(out, usual["bands"], limits, curves)
    except OSError as error:
        raise UserError(f"--out={out}: cannot be written ({error.strerror})") from None
    print("\n".join([*lines, f"{out}: the curves over their bands"]))
    return cli.DONE


def run() -> NoReturn:
    """Runs the command line."""
    cli.run(USAGE, define, main, positional="runs")
