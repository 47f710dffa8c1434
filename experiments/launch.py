"""Trains on several workers of this machine: ``python -m experiments.launch --workers=2 -- FLAGS``.

FLAGS are those of experiments.train. It starts the workers together, and stops them together: when
one ends with an error the others are ended. Schedulers do the same for several machines, see
docs/distributed.md.
"""

import contextlib
import functools
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Sequence

from absl.flags import FlagValues

from gan.cli import command, flags, train
from gan.errors import UserError
from gan.run.fields import option
from gan.training.own_rows import import_rows
from gan.training.signals import ASKING

GRACE = 60.0  # seconds that the others have to end by themselves; a lost worker is noticed in 10
POLL = 0.1  # seconds


def define(values: FlagValues) -> None:
    """Defines the flags."""
    flags.define(values, workers=option(2, "processes on this machine", low=1, below=1025))


def main(values: FlagValues, train_flags: Sequence[str] = ()) -> int:
    """Runs the workers and returns the exit status of all: see `status_of`.

    Raises:
        UserError: A flag of training is wrong; nothing was started.
    """
    import_rows(train_flags)
    of_training = FlagValues()
    train.define(of_training)
    flags.define_import(of_training)
    if extra := of_training(["train", *train_flags])[1:]:
        raise UserError(f"{extra[0]}: is not a flag, flags are --name=value")
    flags.config_from_flags(of_training)  # once, instead of the same line from each worker
    addresses = free_addresses(values["workers"].value)
    workers = [start(addresses, number, train_flags) for number in range(len(addresses))]
    for name in ASKING:
        signal.signal(signal.Signals[name], lambda number, frame: send(workers, number))
    running, statuses, deadline = workers, [], None
    while running:
        time.sleep(POLL)
        statuses += [worker.returncode for worker in running if worker.poll() is not None]
        running = [worker for worker in running if worker.returncode is None]
        if any(statuses) and deadline is None:
            deadline = time.monotonic() + GRACE
            if statuses[-1] not in (
                command.PREEMPTED,
                command.INTERRUPTED,
            ):  # else all save and end
                send(running, signal.SIGTERM)
        if deadline and time.monotonic() > deadline:
            send(running, signal.SIGKILL)
    return status_of(statuses)


def free_addresses(count: int) -> list[str]:
    """Returns addresses of this machine at which nobody listens."""
    with contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        return [f"127.0.0.1:{one.getsockname()[1]}" for one in sockets]


def start(
    addresses: list[str], number: int, train_flags: Sequence[str]
) -> "subprocess.Popen[bytes]":
    """Starts one worker, in a group of its own: Ctrl-C reaches it through us, once."""
    task = {"type": "worker", "index": number}
    configuration = json.dumps({"cluster": {"worker": addresses}, "task": task})
    return subprocess.Popen(
        [sys.executable, "-m", "experiments.train", *train_flags],
        env={**os.environ, "TF_CONFIG": configuration},
        start_new_session=True,
    )


def send(workers: list["subprocess.Popen[bytes]"], number: int) -> None:
    """Sends a signal to the workers that still run."""
    for worker in workers:
        if worker.poll() is None:
            worker.send_signal(number)


def status_of(statuses: list[int]) -> int:
    """Returns 0 if all are, else that of the first that ended by itself, else of a signal.

    Args:
        statuses: In the order in which they came; negative ones are signals.
    """
    said = [status for status in statuses if status > 0]
    killed = [128 - status for status in statuses if status < 0]
    return (said or killed or [command.DONE])[0]


if __name__ == "__main__":
    at = sys.argv.index("--") if "--" in sys.argv else len(sys.argv)
    sys.argv, train_flags = sys.argv[:at], sys.argv[at + 1 :]
    command.run(
        "Trains on several workers of this machine. Flags of training follow after --.",
        define,
        functools.partial(main, train_flags=train_flags),
    )
