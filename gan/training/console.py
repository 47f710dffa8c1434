"""What a run tells on the terminal."""

import contextlib
import sys
from collections.abc import Iterator

from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeRemainingColumn

from gan.run import streams


class Console:
    """Prints lines; on a terminal a progress bar with steps per second and time left below them."""

    def __init__(self, quiet: bool = False) -> None:
        streams.occupy()
        self._quiet = quiet
        self._bar: Progress | None = None
        self._task = TaskID(0)

    def print(self, line: str) -> None:
        """Prints one line.

        A reader that is gone (``| head``) or a full disk is no reason to lose a run.
        """
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
