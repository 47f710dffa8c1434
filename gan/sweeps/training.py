"""Trains many runs: ordinary run directories, each trained by ``tapegan train`` in a process."""

import concurrent.futures
import os
import queue
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from gan import version
from gan.errors import UserError
from gan.run import exit_status
from gan.run.imports import IMPORTED
from gan.run.layout import SUMMARY_FILE
from gan.run.records import read_summary
from gan.sweeps.runs import COMPLETED, STOPPED, Run, state_of

# The package that runs now, whatever the current directory holds.
PLACE = Path(version.__file__).parent.parent
TAPEGAN = (
    "import sys; sys.path.insert(0, sys.argv.pop(1)); from gan.cli.main import main; main()",
    str(PLACE),
)
# What asks for an end: the status that says so, and what the runs get.
ASKING = {
    "SIGTERM": (exit_status.PREEMPTED, "SIGTERM"),
    "SIGUSR1": (exit_status.PREEMPTED, "SIGUSR1"),
    "SIGINT": (exit_status.INTERRUPTED, "SIGINT"),
    "SIGHUP": (exit_status.PREEMPTED, "SIGTERM"),  # the terminal is gone
}
TURN = 0.2  # seconds of a wait, after which signals are handled

Children = set["subprocess.Popen[bytes]"]


class Ended(NamedTuple):
    """How training many runs ended."""

    asked: int  # the exit status of the signal that asked for an end, 0 for none
    completed: list[str]  # names of runs
    failed: dict[str, str]  # why each run that training itself stopped was
    broken: dict[str, int]  # the exit status of each that ended otherwise: bad input, a crash


def train_all(runs: Sequence[Run], jobs: int, tell: Callable[[str], None]) -> Ended:
    """Trains what is not done, `jobs` runs at once, each on its share of the cores.

    A run that fails stays as it is and is counted, and the others go on; deleting its directory
    repeats it. What a run prints goes to DIRECTORY.log. After a signal the runs save and no others
    start.

    Raises:
        UserError: A log cannot be written.
    """
    cores = sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else []
    slots: queue.Queue[list[int]] = queue.Queue()
    for slot in range(jobs):
        slots.put(cores[slot % max(1, len(cores)) :: jobs] if jobs > 1 else [])
    asked: list[int] = []
    refused: list[UserError] = []
    children: Children = set()
    broken: dict[str, int] = {}

    def train(run: Run) -> None:
        mine = slots.get()
        try:
            if asked or refused:
                return
            tell(f"training {run.directory.name}")
            status = run_one(run, mine, children, asked)
        except OSError as error:
            place = run.directory.parent
            refused.append(UserError(f"--out={place}: cannot be written ({error.strerror})"))
            return
        finally:
            slots.put(mine)
        if status != exit_status.DONE and not asked:
            tell(f"{run.directory.name} ended with {status}, see {log_of(run.directory)}")
            if status != exit_status.FAILED or state_of(run.directory, 0) != STOPPED:
                broken[run.directory.name] = status

    todo = [r for r in runs if state_of(r.directory, r.config.steps) not in (COMPLETED, STOPPED)]
    with passing_on_signals(children, asked), concurrent.futures.ThreadPoolExecutor(jobs) as pool:
        futures = [pool.submit(train, run) for run in todo]
        # In turns: Python handles a signal that came just before a wait only when that is over.
        while concurrent.futures.wait(futures, timeout=TURN).not_done:
            pass
    for future in futures:
        future.result()  # raises what a thread raised
    if refused:
        raise refused[0]
    states = [(run, state_of(run.directory, run.config.steps)) for run in runs]
    return Ended(
        asked[0] if asked else 0,
        [run.directory.name for run, state in states if state == COMPLETED],
        {run.directory.name: reason_of(run) for run, state in states if state == STOPPED},
        broken,
    )


def import_flags() -> list[str]:
    """Returns the flags by which a run gets the rows that this process has imported."""
    return [f"--import={one.path}" for one in IMPORTED]


def run_one(run: Run, cores: Sequence[int], children: Children, asked: Sequence[int]) -> int:
    """Trains one run in a process on some cores, on all for none, and returns its exit status."""
    pin = (lambda: os.sched_setaffinity(0, cores)) if cores else None
    with log_of(run.directory).open("a") as log:
        # A session of its own, so that it gets a signal once, from us.
        child = subprocess.Popen(
            [sys.executable, "-c", *TAPEGAN, "train", *run.flags, *import_flags()],
            stdin=subprocess.DEVNULL, stdout=log, stderr=log, preexec_fn=pin,
            start_new_session=True,
        )  # fmt: skip
        children.add(child)
        if asked:  # the signal came while it was started
            child.terminate()
        status = child.wait()
        children.remove(child)
    return status


def log_of(directory: Path) -> Path:
    """Returns the file that gets what the run in a directory prints."""
    return Path(f"{directory}.log")


def last_error(directory: Path) -> str:
    """Returns the last line of a run's log that says what is wrong, or where to look."""
    lines = log_of(directory).read_text(encoding="utf-8", errors="replace").splitlines()
    errors = [line for line in lines[-20:] if line.startswith("error: ")]
    return errors[-1].removeprefix("error: ") if errors else f"see {log_of(directory)}"


def reason_of(run: Run) -> str:
    """Returns why training stopped a run."""
    return str(read_summary(run.directory / SUMMARY_FILE)["reason"])


@contextmanager
def passing_on_signals(children: Children, asked: list[int]) -> Iterator[None]:
    """Passes on what asks for an end to the runs, which save; a second signal ends them at once."""
    known = {getattr(signal, name): what for name, what in ASKING.items() if hasattr(signal, name)}

    def handle(number: int, frame: Any) -> None:
        status, passed_on = known[signal.Signals(number)]
        asked.append(status)
        for child in list(children):
            child.send_signal(getattr(signal, passed_on))

    usual = {one: signal.getsignal(one) for one in known}
    for one, old in usual.items():
        if old is not signal.SIG_IGN:  # Ctrl-C, for a job in the background of a script
            signal.signal(one, handle)
    try:
        yield
    finally:
        for one, old in usual.items():
            signal.signal(one, old)
