"""Puts runs into a table of means over seeds: ``tapegan table runs/sweep --out=table.md``."""

from functools import partial
from pathlib import Path

from absl.flags import FlagValues

from gan.cli import command, flags
from gan.errors import UserError
from gan.run import run_directory
from gan.run.atomic_files import replacing
from gan.run.fields import INT32, option
from gan.sweeps import formats, groups

USAGE = "Groups runs that differ only in seed: means, 95 % t-intervals, and what differs."


def define(values: FlagValues) -> None:
    """Defines the flags."""
    flags.define(
        values,
        runs=flags.RUNS,
        metrics=option("", "names, separated by commas; empty: all"),
        step=option(
            0, "the evaluations at this step; 0: those at the end of completed runs", low=0,
            below=INT32,
        ),
        out=option(
            "", f"file for the table, {', '.join(formats.SUFFIXES)}; empty: only print it",
            path_after="",
        ),
    )  # fmt: skip


def main(values: FlagValues) -> int:
    """Prints the table, writes it, and returns the exit status."""
    places = flags.paths(values, "runs")
    out = Path(values["out"].value) if values["out"].value else None
    if out:
        if out.suffix not in formats.SUFFIXES or out.is_dir():
            raise UserError(f"--out={out}: must be a file, {', '.join(formats.SUFFIXES)}")
        run_directory.check_output(out)
    found = groups.group_runs(groups.find_runs(places))
    kinds = groups.kinds_of(found, values["step"].value or None)
    names = tuple(name for name in values["metrics"].value.split(",") if name)
    known = dict.fromkeys(name for kind in kinds for name in kind.metrics)
    for name in names:
        if name not in known:
            what = f"among {', '.join(known)}" if known else "empty, there are no evaluations"
            raise UserError(f"--metrics={name}: must be {what}")
    lines = formats.write(".txt", found, kinds, names).splitlines()
    if out:
        try:
            with replacing(out) as temporary:
                temporary.write_text(
                    formats.write(out.suffix, found, kinds, names), encoding="utf-8"
                )
        except OSError as error:
            raise UserError(f"--out={out}: cannot be written ({error.strerror})") from None
        count = sum(len(group.runs) for group in found)
        lines.append(f"{out}: the table of {count} runs in {len(found)} groups")
    command.say(*lines)
    return command.DONE


run = partial(command.run, USAGE, define, main, positional="runs")
