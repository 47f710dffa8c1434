"""Trains the runs of a study: ordinary run directories, each trained by ``experiments.train``."""

import concurrent.futures
import os
import queue
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from experiments.studies.table import Run, Study, state_of
from gan.cli import command
from gan.run import run_directory as run_files
from gan.run.presets import from_preset


def train_all(study: Study, runs: list[Run], jobs: int) -> int:
    """Trains what is not done, `jobs` runs at once, and returns the exit status.

    A run that fails stays as it is and is counted; deleting its directory repeats it.
    """
    # A mistake in the table, or a run of an older table, shows here, before any training.
    configs = [from_preset(study.preset, run.changes) for run in runs]
    for run in runs:
        refuse_another_run(study, run)
    cores = sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else []
    slots: queue.Queue[list[int]] = queue.Queue()
    for slot in range(jobs):
        slots.put(cores[slot % max(1, len(cores)) :: jobs] if jobs > 1 else [])
    stopping: list[int] = []
    children: set[subprocess.Popen[bytes]] = set()

    def train(run: Run) -> None:
        if stopping:
            return
        mine = slots.get()
        arguments = [sys.executable, "-m", "experiments.train", f"--preset={study.preset}"]
        arguments += [f"--{name}={value}" for name, value in run.changes.items()]
        arguments += [f"--run_dir={run.directory}"]
        print(f"training {run.directory.name}", flush=True)
        try:
            with open(f"{run.directory}.log", "a") as log:
                pin = (lambda: os.sched_setaffinity(0, mine)) if mine else None
                # A session of its own, so that it gets a signal once, from us.
                child = subprocess.Popen(
                    arguments, stdout=log, stderr=log, preexec_fn=pin, start_new_session=True
                )
                children.add(child)
                if stopping:  # the signal came while it was started
                    child.terminate()
                status = child.wait()
                children.remove(child)
        except OSError as error:
            stopping.append(command.BAD_INPUT)
            print(f"error: --out={run.directory.parent}: {error.strerror}", file=sys.stderr)
            return
        finally:
            slots.put(mine)
        failed = status == command.FAILED and state_of(run, 0) == "stopped"
        if status != command.DONE and not failed:  # a crash says nothing about the variant
            stopping.append(status if status > 0 else command.FAILED)
            print(f"{run.directory.name} ended with {status}, see {log.name}")

    todo = [r for r, c in zip(runs, configs, strict=True) if state_of(r, c.steps) == "open"]
    print(f"{len(runs)} runs, {len(runs) - len(todo)} of them done")
    with (
        passing_on_signals(children, stopping),
        concurrent.futures.ThreadPoolExecutor(jobs) as pool,
    ):
        list(pool.map(train, todo))
    return stopping[0] if stopping else command.DONE


def refuse_another_run(study: Study, run: Run) -> None:
    """Refuses a directory that holds a run of another table than this one.

    Raises:
        UserError: Names the differences.
    """
    config = from_preset(study.preset, run.changes)
    run_files.check_run_dir(run.directory, run_files.with_saved_choices(run.directory, config))


@contextmanager
def passing_on_signals(
    children: set["subprocess.Popen[bytes]"], stopping: list[int]
) -> Iterator[None]:
    """Passes SIGTERM and Ctrl-C on to the runs, which save, and starts no others."""
    statuses = {signal.SIGTERM: command.PREEMPTED, signal.SIGINT: command.INTERRUPTED}

    def handle(number: int, frame: Any) -> None:
        stopping.insert(0, statuses[signal.Signals(number)])
        for child in list(children):
            child.send_signal(number)

    usual = {one: signal.getsignal(one) for one in statuses}
    for one, old in usual.items():
        if old is not signal.SIG_IGN:  # Ctrl-C, for a job in the background of a script
            signal.signal(one, handle)
    try:
        yield
    finally:
        for one, old in usual.items():
            signal.signal(one, old)
