"""Turns signals into a request that training ends after the current call."""

import contextlib
import dataclasses
import signal
import threading
from collections.abc import Iterator
from typing import Any


@dataclasses.dataclass
class StopRequest:
    """The signal that asked training to stop, SIGTERM or SIGINT, or None."""

    signal_name: str | None = None


@contextlib.contextmanager
def catching_signals() -> Iterator[StopRequest]:
    """Turns the first SIGTERM or Ctrl-C into a request to stop; a second one has its usual effect.

    A signal that is ignored stays ignored (Ctrl-C, for a job in the background of a script). The
    handler prints nothing: it may interrupt a print, or the reader may be gone.
    """
    request = StopRequest()
    if threading.current_thread() is not threading.main_thread():
        yield request  # Python lets only the main thread catch signals
        return
    found = {one: signal.getsignal(one) for one in (signal.SIGTERM, signal.SIGINT)}
    usual = {one: old for one, old in found.items() if old not in (signal.SIG_IGN, None)}

    def restore() -> None:
        for one, old in usual.items():
            signal.signal(one, old)

    def handle(number: int, frame: Any) -> None:
        request.signal_name = signal.Signals(number).name
        restore()

    for one in usual:
        signal.signal(one, handle)
    try:
        yield request
    finally:
        restore()
