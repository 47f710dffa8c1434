"""Trains every combination: ``tapegan sweep --d_learning_rate=2e-4,1e-3 --seeds=0-2``."""

import dataclasses
import math
import re
import shlex
from functools import partial
from pathlib import Path
from typing import Any

from absl import flags as absl_flags
from absl.flags import FlagValues

from gan.cli import command, flags
from gan.cli.sample import seeds_of
from gan.errors import UserError
from gan.run import saved_config
from gan.run.config import Config
from gan.run.fields import INT32, option
from gan.sweeps.runs import (
    COMPLETED,
    STOPPED,
    Run,
    combinations,
    other_runs,
    refuse_another_run,
    where_they_are,
)
from gan.sweeps.runs import state_of as state_in
from gan.sweeps.training import Ended, import_flags, last_error, train_all
from gan.training.checks import check_image_size, check_rows
from gan.training.memory import check_memory

USAGE = "Trains every combination of values: flags of train, with several separated by commas."

MOST_RUNS = 10_000
SINGLE = ("data_dir", "data_cache")  # where files are: they change no run
COMMA = re.compile(r"(?<!\\),(?![^(]*\))")  # not \, and not in brackets, as in rgb(1,2,3)
WORDS = {"new": "new", "open": "goes on", COMPLETED: "done", STOPPED: "failed"}


class Several(absl_flags.ArgumentParser):
    """Parses values that are separated by commas, each as a flag of ``train`` does."""

    def __init__(self, one: absl_flags.ArgumentParser) -> None:
        self._one = one

    def parse(self, argument: Any) -> Any:
        """Returns a list of values of text, and other values as they are."""
        if not isinstance(argument, str):
            return argument
        values = []
        for part in COMMA.split(argument):
            text = part.replace("\\,", ",")
            try:
                value = self._one.parse(text)
            except ValueError as error:
                if "," not in argument:
                    raise
                hint = " (\\, is a comma in a value)" if self._one.flag_type() == "str" else ""
                raise ValueError(f"{text!r} {error}{hint}") from None
            if value in values:
                raise ValueError(f"has {text} twice, must have each value once")
            values.append(value)
        return values

    def flag_type(self) -> str:
        """Returns the type's name."""
        return f"{self._one.flag_type()}s"


def define(values: FlagValues) -> None:
    """Defines the flags."""
    flags.define_config_flags(values)
    for name in ("preset", *(field.name for field in dataclasses.fields(Config))):
        if name not in SINGLE:
            values[name].parser = Several(values[name].parser)
    flags.define(
        values,
        seeds=option("", "seeds of each combination, such as 0-2 or 0,3,7; empty: --seed"),
        out=option("runs/sweep", "directory of all runs", path_after=""),
        jobs=option(1, "runs at once, each on its share of the cores", low=1, below=INT32),
        dry_run=option(False, "check all, list the runs, stop"),
    )


def main(values: FlagValues) -> int:
    """Trains what is not done and returns the exit status."""
    out = Path(values["out"].value)
    runs = where_they_are(runs_of(values, out), out)
    check(runs, out)
    states = {run.directory: state_in(run.directory, run.config.steps) for run in runs}
    if values["dry_run"].value:
        for run in runs:
            line = shlex.join(["tapegan", "train", *run.flags, *import_flags()])
            command.say(f"{WORDS[states[run.directory]]}: {line}")
    found = list(states.values())
    counts = [f"{found.count(one)} {word}" for one, word in WORDS.items() if one in found]
    # Of a dry run this is the result, else the last line is.
    tell = command.say if values["dry_run"].value else command.tell
    tell(f"{out}: {len(runs)} runs, {', '.join(counts)}")
    if others := other_runs(out, runs):
        names = ", ".join(others[:3]) + (", ..." if len(others) > 3 else "")
        command.tell(
            f"warning: {out} has {len(others)} other runs, which stay as they are: {names}"
        )
    if values["dry_run"].value:
        return command.DONE
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UserError(f"--out={out}: cannot be written ({error.strerror})") from None
    return report(out, runs, train_all(runs, values["jobs"].value, command.tell))


def runs_of(values: FlagValues, out: Path) -> list[Run]:
    """Returns the runs that the flags ask for, each with a configuration that is valid."""
    axes = {
        name: given if isinstance(given := values[name].value, list) else [given]
        for name in ("preset", *(field.name for field in dataclasses.fields(Config)))
        if values[name].present
    }
    seeds = axes.pop("seed", [Config.seed])
    if values["seeds"].value:
        if values["seed"].present:
            raise UserError(f"--seeds={values['seeds'].value}: is for --seed, must be without it")
        seeds = seeds_of(values["seeds"].value) or []
        if len(set(seeds)) < len(seeds):
            raise UserError(f"--seeds={values['seeds'].value}: must have each seed once")
    count = math.prod(map(len, axes.values())) * len(seeds)
    if count > MOST_RUNS:
        raise UserError(f"--seeds: are {count:,} runs, must be at most {MOST_RUNS:,}")
    runs = []
    for directory, changes in combinations(axes, seeds, out):
        preset = flags.preset_for(changes)
        changes.pop("preset", None)
        runs.append(Run(directory, preset, changes))
    return runs


def check(runs: list[Run], out: Path) -> None:
    """Refuses what ``train`` would refuse before it reads data, before anything starts."""
    if saved_config.is_run(out):
        raise UserError(f"--out={out}: is a run itself, must be a directory for runs")
    if out.exists() and not out.is_dir():
        raise UserError(f"--out={out}: is a file, must be a directory for runs")
    places: dict[Path, Run] = {}
    for run in runs:
        if run.directory in places:
            raise UserError(f"--out={run.directory}: is the name of two runs, must be of one")
        places[run.directory] = run
        config = run.config
        check_rows(config)
        check_image_size(config)
        check_memory(config, ())
        refuse_another_run(run)
    if begun := [run for run in runs if run.config.init_from]:
        with command.importing():
            from gan.training.init_from import find_source, needs_source
        needed = (run.config.init_from for run in begun if needs_source(run.directory))
        for place in dict.fromkeys(needed):
            find_source(Path(place))


def report(out: Path, runs: list[Run], ended: Ended) -> int:
    """Says how all ended and returns the exit status."""
    for name, reason in ended.failed.items():
        command.tell(f"failed: {name}: {reason}")
    for name, status in ended.broken.items():
        said = last_error(out / name)
        command.tell(f"failed: {name}: ended with {status}: {said}")
    failed = len(ended.failed) + len(ended.broken)
    command.say(
        f"{out}: {len(runs)} runs, {len(ended.completed)} done, {failed} failed; "
        f"tapegan table {shlex.quote(str(out))} has the means"
    )
    if ended.asked:
        command.say("next: the same command goes on")
        return ended.asked
    return command.FAILED if failed else command.DONE


run = partial(command.run, USAGE, define, main)
