"""What a run tells: its progress on stderr, its result on stdout, all of it in log.txt."""

import contextlib
import os
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

import rich.console
from rich.progress import (
    BarColumn,
    Progress,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

from gan.run import streams
from gan.run.working import working


class Console:
    """Prints lines; on a terminal a progress bar with steps per second and time left below them.

    A reader that is gone (``| head``) or a full disk is no reason to lose a run: all goes on in
    silence then.
    """

    def __init__(self, quiet: bool = False) -> None:
        streams.occupy()
        self._quiet = quiet
        self._log: Path | None = None
        self._early: list[str] = []  # lines before there was a file
        self._bar: Progress | None = None
        self._task = TaskID(0)

    def keep(self, path: Path) -> None:
        """Appends all lines, those so far too, to a file with the time, also when quiet."""
        self._log = path
        with contextlib.suppress(OSError), self._open() as file:
            file.write("".join(self._early).encode(errors="backslashreplace"))

    def silence(self) -> None:
        """Prints nothing from here on."""
        self._quiet = True

    def _open(self) -> BinaryIO:
        # Not through a link: a run may come from anybody.
        flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW
        return open(os.open(str(self._log), flags, 0o666), "wb")

    def write_log(self, line: str) -> None:
        """Appends a line to the file of `keep`; where that cannot be done the run goes on."""
        text = f"{time.strftime('%Y-%m-%d %H:%M:%S')} {line}\n"
        if self._log is None:
            self._early.append(text)
            return
        with contextlib.suppress(OSError), self._open() as file:
            file.write(text.encode(errors="backslashreplace"))

    def print(self, line: str) -> None:
        """Prints a line of progress, or a warning."""
        self.write_log(line)
        if self._quiet:
            return
        if not self._bar:
            streams.tell(line)
            return
        try:
            text = streams.shown(line, sys.stderr)
            self._bar.console.print(text, markup=False, highlight=False, soft_wrap=True)
        except OSError:
            streams.drop("stderr")

    def result(self, line: str) -> None:
        """Prints a line of what came out."""
        self.write_log(line)
        if self._quiet:
            return
        try:
            streams.say(line)
        except OSError:
            streams.drop("stdout")

    @contextlib.contextmanager
    def working(self, what: str) -> Iterator[None]:
        """Shows what takes long while the block runs: in the bar, if there is one."""
        if self._bar:
            before = self._bar.tasks[0].fields["doing"]
            self._bar.update(self._task, doing=what, refresh=True)
            yield
            self._bar.update(self._task, doing=before)
        else:
            with contextlib.nullcontext() if self._quiet else working(what):
                yield

    @property
    def has_bar(self) -> bool:
        """Whether a bar is shown now."""
        return self._bar is not None

    @contextlib.contextmanager
    def progress(self, step: int, steps: int) -> Iterator[None]:
        """Shows the bar while the block runs, if this is a terminal."""
        if self._quiet or not streams.is_terminal():
            yield
            return
        columns = (
            TextColumn("step {task.completed:.0f} of {task.total:.0f}"),
            BarColumn(),
            TextColumn("{task.fields[doing]}"),
            TimeElapsedColumn(),
            TextColumn("left"),
            TimeRemainingColumn(),
        )
        both = sys.stdout is not None and sys.stdout.isatty()
        self._bar = Progress(
            *columns, console=rich.console.Console(stderr=True), redirect_stdout=both
        )
        self._task = self._bar.add_task("training", total=steps, completed=step, doing="")
        try:
            with self._bar:
                yield
        finally:
            self._bar = None

    def advance(self, step: int) -> None:
        """Moves the bar to `step`."""
        if self._bar:
            task = self._bar.tasks[0]
            rate = f"{task.speed:.1f} steps/s" if task.speed else ""
            self._bar.update(self._task, completed=step, doing=rate)
