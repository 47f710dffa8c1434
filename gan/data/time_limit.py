"""Work that may be given up: it runs in a thread, which is left to itself then."""

import threading
from collections.abc import Callable
from typing import Any, TypeVar

T = TypeVar("T")

POLL = 0.05  # seconds


class GivenUp(Exception):
    """The work was not done in time."""


def run_unless(given_up: Callable[[], bool], function: Callable[[], T]) -> T:
    """Returns what `function` returns, or raises what it raises, unless it is given up before.

    `given_up` is asked every `POLL` seconds; the function may go on in its thread.

    Raises:
        GivenUp: It was not done yet.
    """
    outcome: list[Any] = []

    def run() -> None:
        try:
            outcome.append((function(), None))
        except Exception as error:
            outcome.append((None, error))

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    while thread.is_alive():
        if given_up():
            raise GivenUp
        thread.join(POLL)
    value, error = outcome[0]
    if error:
        raise error
    return value
