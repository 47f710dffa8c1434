"""What takes long says so on a terminal, in a line that is rewritten until it is done."""

import contextlib
import os
import threading
import time
from collections.abc import Iterator

from gan.run import streams

TICK = 0.5  # seconds between two paintings
USUAL = 80  # columns, of a terminal that does not know its size

_works: list[object] = []  # that are in progress; the last one is shown


@contextlib.contextmanager
def working(what: str) -> Iterator[None]:
    """Shows what is done and for how long while the block runs, if stderr is a terminal."""
    if not streams.is_terminal():
        yield
        return
    done, me = threading.Event(), object()
    began = time.monotonic()

    def show() -> None:
        while not done.is_set():
            if _works[-1:] == [me]:
                streams.paint(fitting(f"{what}, {time.monotonic() - began:.0f} s"))
            done.wait(TICK)

    _works.append(me)
    thread = threading.Thread(target=show, daemon=True)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()
        _works.remove(me)
        streams.paint("")


def fitting(text: str) -> str:
    """Returns as much of a text as stands in one line of the terminal."""
    try:
        columns = os.get_terminal_size(streams.shown_number()).columns
    except OSError:
        columns = 0
    return streams.printable(text)[: (columns or USUAL) - 1]
