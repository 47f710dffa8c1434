"""TensorBoard on runs, each under its own name: ``tapegan tensorboard``."""

import contextlib
import io
import os
import signal
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any

from absl.flags import FlagValues

from gan.cli import command, flags
from gan.errors import UserError
from gan.lazy import import_quietly
from gan.run.fields import option
from gan.run.layout import TENSORBOARD_DIR
from gan.sweeps import groups

USAGE = "Opens TensorBoard on runs: curves, samples, hyper-parameters, until Ctrl-C."

LOOK_EVERY = 5.0  # seconds, for runs that are new; TensorBoard itself looks as often


def define(values: FlagValues) -> None:
    """Defines the flags."""
    flags.define(
        values,
        runs=flags.RUNS,
        port=option(6006, "of the page; 0: one that is free", low=0, below=65536),
        host=option("localhost", "whose port that is; 0.0.0.0: other machines may look too"),
    )


def main(values: FlagValues) -> int:
    """Shows runs until a signal comes, and returns the exit status."""
    places = flags.paths(values, "runs")
    names = names_of(groups.find_runs(places), places)
    with tempfile.TemporaryDirectory(prefix="tapegan-tensorboard-") as directory, until_signal():
        link(Path(directory), names)
        address = serve(directory, values["host"].value, port_of(values))
        command.say(
            f"TensorBoard at {address} shows {counted(names)}; those that begin later appear too; "
            "Ctrl-C ends it"
        )
        while True:
            time.sleep(LOOK_EVERY)
            with contextlib.suppress(UserError):  # all runs are gone, for now
                link(Path(directory), names_of(groups.find_runs(places), places))


def port_of(values: FlagValues) -> int | None:
    """Returns the port that was asked for; None: the usual one or, if it is taken, the next."""
    return values["port"].value if values["port"].present else None


def counted(names: Mapping[str, Path]) -> str:
    """Returns how many runs there are, in words."""
    return f"{len(names):,} run{'s' * (len(names) != 1)}"


def names_of(run_dirs: Iterable[Path], places: Iterable[Path]) -> dict[str, Path]:
    """Returns runs by their names: their paths below the place that was asked for.

    A run that was asked for itself is called as its directory. Where two would be called alike, or
    as a directory of the other, both have the whole path.

    Raises:
        UserError: A run lies in another one.
    """
    above = [Path(os.path.realpath(place)) for place in places]
    runs = {run: Path(os.path.realpath(run)) for run in run_dirs}
    short = {run: short_name(path, above) for run, path in runs.items()}
    clashing = clashes(short.values())
    names = {run: runs[run].relative_to("/") if n in clashing else n for run, n in short.items()}
    nested = clashes(names.values())
    for run, name in names.items():
        if name in nested:
            raise UserError(f"--runs={run}: lies in another run, or holds one; must be given alone")
    return {str(name): run for run, name in names.items()}


def short_name(run: Path, above: Iterable[Path]) -> Path:
    """Returns the path of a run below the first of the places that hold it."""
    inside = [run.relative_to(place) for place in above if place in run.parents]
    return inside[0] if inside else Path(run.name)


def clashes(names: Iterable[Path]) -> set[Path]:
    """Returns those names that occur twice, lie below another one, or have one below them."""
    count = Counter(names)
    found = {name for name, times in count.items() if times > 1}
    for name in count:
        found |= {one for parent in name.parents if parent in count for one in (name, parent)}
    return found


def link(directory: Path, names: Mapping[str, Path]) -> None:
    """Makes `directory` hold a link for each run, called as it, to its event files; no others.

    TensorBoard names what it shows after directories, and each run's files lie in one more.
    """
    links = {
        directory / name: run / TENSORBOARD_DIR
        for name, run in names.items()
        if (run / TENSORBOARD_DIR).is_dir()
    }
    for path in sorted(directory.rglob("*"), reverse=True):
        if path.is_symlink() and path not in links:
            path.unlink()
        elif not path.is_symlink():
            with contextlib.suppress(OSError):  # there are links in it
                path.rmdir()
    for path, events in links.items():
        if not path.is_symlink():
            path.parent.mkdir(parents=True, exist_ok=True)
            path.symlink_to(os.path.realpath(events))


def serve(directory: str, host: str, port: int | None) -> str:
    """Starts TensorBoard in a thread and returns its address.

    Raises:
        UserError: It cannot have the port.
    """
    import_quietly("tensorflow")  # TensorBoard would at the first request, with all that it prints
    from tensorboard import program

    board: Any = program.TensorBoard()
    board.configure(argv=[None], logdir=directory, host=host, port=port)
    try:
        with contextlib.redirect_stderr(io.StringIO()):  # advice about how it reads files
            return board.launch()
    except program.TensorBoardServerException as error:
        where = f"--host={host}" if port is None else f"--port={port}"
        raise UserError(f"{where}: {error.msg}") from None


@contextlib.contextmanager
def until_signal() -> Iterator[None]:
    """Ends the block, and the process with status 0, where Ctrl-C or SIGTERM comes.

    That is how this command is meant to end.
    """

    def end(number: int, frame: object) -> None:
        sys.exit(command.DONE)

    before = {number: signal.signal(number, end) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


run = partial(command.run, USAGE, define, main, positional="runs")
