"""What a run tells on the terminal."""

import contextlib
import os
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeRemainingColumn

from gan.run import streams


class Console:
    """Prints lines; on a terminal a progress bar with steps per second and time left below them."""

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
        """Prints one line.

        A reader that is gone (``| head``) or a full disk is no reason to lose a run.
        """
        self.write_log(line)
        if self._quiet:
            return
        try:
            if self._bar:
                text = streams.shown(line, sys.stdout)
                self._bar.console.print(text, markup=False, highlight=False, soft_wrap=True)
            else:
                streams.say(line)
        except OSError:
            self._quiet = True
            streams.drop("stdout")

    @property
    def has_bar(self) -> bool:
        """Whether a bar is shown now."""
        return self._bar is not None

    @contextlib.contextmanager
    def progress(self, step: int, steps: int) -> Iterator[None]:
        """Shows the bar while the block runs, if this is a terminal."""
        if self._quiet or sys.stdout is None or not sys.stdout.isatty():
            yield
            return
        columns = (
            TextColumn("step {task.completed:.0f} of {task.total:.0f}"),
            BarColumn(),
            TextColumn("{task.fields[rate]}"),
            TimeRemainingColumn(),
        )
        self._bar = Progress(*columns)
        self._task = self._bar.add_task("training", total=steps, completed=step, rate="")
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
            self._bar.update(self._task, completed=step, rate=rate)
