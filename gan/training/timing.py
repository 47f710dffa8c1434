"""Where the wall time of a run goes."""

import time
from collections.abc import Iterator
from contextlib import contextmanager


class Timer:
    """Seconds by task. Tasks do not overlap; whatever happens in none of them is not counted."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}

    @contextmanager
    def __call__(self, task: str) -> Iterator[None]:
        """Adds the time of the block, also of one that raises, to `task`."""
        started = time.perf_counter()
        try:
            yield
        finally:
            self.seconds[task] = self.seconds.get(task, 0.0) + time.perf_counter() - started

    def __str__(self) -> str:
        """Tasks with their seconds, the longest first."""
        ordered = sorted(self.seconds.items(), key=lambda item: -item[1])
        return ", ".join(f"{task} {seconds:.1f} s" for task, seconds in ordered)
