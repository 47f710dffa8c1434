"""A loop in a process of its own, which does its steps when it is told to."""

from __future__ import annotations

import contextlib
import multiprocessing
import signal
from collections.abc import Callable
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import numpy as np

from gan.lazy import silenced

READY, MISSING, FAILED = "ready", "missing", "failed"  # or the result of so many steps


class LoopFailed(Exception):
    """A loop could not be made, or did not do its steps; says why in one line."""


class LoopProcess:
    """A loop of the benchmark's table; calling it does n steps there and returns what they do.

    The process inherits this one's cores, and waits at a pipe while others have their turn.
    """

    def __init__(self, make: Callable[[np.ndarray], Any], images: Path) -> None:
        """Starts the process and waits until the loop is made.

        Args:
            make: Of a `Row`; anything that can be pickled.
            images: A file of NumPy's with what it is given, [N, 28, 28, 1] uint8.

        Raises:
            ImportError: What it needs is not installed.
            LoopFailed: It could not be made.
        """
        spawn = multiprocessing.get_context("spawn")  # a fork would have this one's TensorFlow
        self._connection, theirs = spawn.Pipe()
        self._process = spawn.Process(target=serve, args=(make, images, theirs), daemon=True)
        self._process.start()
        theirs.close()
        try:
            self._answer()
        except BaseException:
            self.end()
            raise

    def __call__(self, steps: int) -> Any:
        """Does n steps there.

        Raises:
            LoopFailed: They failed, or the process has ended.
        """
        with contextlib.suppress(OSError):  # its end is gone: the answer says why
            self._connection.send(steps)
        return self._answer()

    def _answer(self) -> Any:
        try:
            kind, value = self._connection.recv()
        except (EOFError, OSError):
            self._process.join()
            raise LoopFailed(how_it_ended(self._process.exitcode)) from None
        if kind == MISSING:
            raise ImportError(value)
        if kind == FAILED:
            raise LoopFailed(value)
        return value

    def end(self) -> None:
        """Ends the process."""
        self._connection.close()
        self._process.kill()
        self._process.join()


def how_it_ended(status: int | None) -> str:
    """Returns an exit status in words; a negative one is that of a signal."""
    if status is not None and status < 0:
        return f"its process was ended by {signal.Signals(-status).name}"
    return f"its process ended with status {status}"


def serve(make: Callable[[np.ndarray], Any], images: Path, connection: Connection) -> None:
    """Makes a loop and does what the other end of the pipe asks for, until that is closed."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent's to handle
    try:
        with silenced(Exception):  # what frameworks print while they load; an error is sent
            loop = make(np.load(images))
        connection.send((READY, None))
        while True:
            connection.send((READY, loop(connection.recv())))
    except (EOFError, BrokenPipeError):
        return
    except ImportError as error:
        connection.send((MISSING, str(error)))
    except Exception as error:  # whatever a framework raises: the others are measured
        text = " ".join(str(error).split())[:200]
        connection.send((FAILED, f"{type(error).__name__}: {text}"))
