"""Turns signals into a request that training ends after the current call."""

import contextlib
import dataclasses
import signal
import threading
from collections.abc import Callable, Iterator
from typing import Any


@dataclasses.dataclass
class StopRequest:
    """The signal that asked training to stop, SIGTERM or SIGINT, or None."""

    signal_name: str | None = None


@contextlib.contextmanager
def catching_signals(say: Callable[[str], None]) -> Iterator[StopRequest]:
    """Turns the first SIGTERM or Ctrl-C into a request to stop; a second one ends at once."""
    request = StopRequest()
    if threading.current_thread() is not threading.main_thread():
        yield request  # Python lets only the main thread catch signals
        return

    def handle(number: int, frame: Any) -> None:
        request.signal_name = signal.Signals(number).name
        for one in previous:
            signal.signal(one, previous[one])
        say(f"{request.signal_name}: saving after this call; once more ends at once")

    previous = {one: signal.signal(one, handle) for one in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield request
    finally:
        for one in previous:
            signal.signal(one, previous[one])
