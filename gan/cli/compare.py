"""Is this normal? ``tapegan compare runs/mlp``: a run beside reference runs of its preset."""

from functools import partial
from pathlib import Path

from absl.flags import FlagValues

from gan.cli import command, flags
from gan.errors import CannotDraw, UserError
from gan.run.fields import option

USAGE = "Says whether runs look like reference runs of their preset, and since when not."


def define(values: FlagValues) -> None:
    """Defines the flags."""
    flags.define(
        values,
        runs=option("runs/mlp", "a run, or several separated by commas; also as plain arguments"),
        reference=option("", "preset whose reference runs to compare with (default: the nearest)"),
        out=option(
            "",
            "PNG file, or PDF or SVG for a paper (default: compare.png in the run, or here for "
            "several runs)",
            path_after="",
        ),
        check=option(False, "end with status 1 if a run is outside the band, or has failed"),
    )


def main(values: FlagValues) -> int:
    """Writes the picture, prints a line about each run, and returns the exit status."""
    run_dirs = flags.paths(values, "runs")
    with command.importing():
        from gan.reports import compare, plots, reference_curves
        from gan.run import reader, run_directory
    out = Path(
        values["out"].value or (run_dirs[0] if len(run_dirs) == 1 else Path()) / "compare.png"
    )
    run_directory.check_output(out, ".png", ".pdf", ".svg")
    runs = [reader.read_history(run_dir) for run_dir in run_dirs]
    reference, *others = (
        reference_curves.nearest_reference(run.config, values["reference"].value) for run in runs
    )
    for run, nearest in zip(runs[1:], others, strict=True):
        if nearest.preset != reference.preset:
            raise UserError(
                f"--runs={run.path}: is nearest to {nearest.preset}, {run_dirs[0]} to "
                f"{reference.preset}; --reference chooses one for all"
            )
    curves, lines, normal = {}, [], True
    for run in runs:
        curves[str(run.path)], outside, line = compare.compare_run(run, reference)
        normal &= not (outside or run.failure)
        lines.append(f"{run.path} beside {line}")
        lines += [f"{run.path} {run.failure}"] if run.failure else []
    try:
        plots.write_comparison(out, reference.bands, curves)
        lines.append(f"{out}: the curves over their bands")
    except CannotDraw as error:
        command.tell(f"warning: {error}")
    except OSError as error:
        raise UserError(f"--out={out}: cannot be written ({error.strerror})") from None
    command.say(*lines)
    return command.FAILED if values["check"].value and not normal else command.DONE


run = partial(command.run, USAGE, define, main, positional="runs")
