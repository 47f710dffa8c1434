"""Turns signals into a request that training ends after the current call."""

import contextlib
import dataclasses
import os
import signal
import threading
import time
from collections.abc import Callable, Container, Iterator
from types import FrameType

from gan.run import streams

# What asks for an end: Ctrl-C, a terminal that stops a job, and what schedulers send.
ASKING = ("SIGINT", "SIGTERM", "SIGUSR1")

PATIENCE = 5.0  # seconds that reading the data set may take in spite of a signal

ACKNOWLEDGED = "ending soon, with all that was trained; once more ends at once"
ENDING = "ending; once more ends at once"  # of commands that have nothing to save

SHOW_CURSOR = b"\x1b[?25h"  # a progress bar hides it


@dataclasses.dataclass
class StopRequest:
    """The signal that asked training to stop, by name, or None."""

    signal_name: str | None = None
    catch_again: Callable[[], None] = lambda: None  # after somebody else took the handlers
    hand_on: Callable[[], None] = lambda: None  # to what would have got the signal
    _asked: float = 0.0

    def ask(self, number: int) -> None:
        """Notes the first signal, and when it came."""
        if self.signal_name is None:
            self._asked = time.monotonic()
            self.signal_name = signal.Signals(number).name

    def patience(self) -> Callable[[], bool]:
        """Returns what tells whether work that begins now and leaves nothing to save is given up.

        So it is `PATIENCE` seconds after a signal, or after its own begin if that is later.
        """
        begin = time.monotonic()
        return lambda: (
            self.signal_name is not None and time.monotonic() > max(begin, self._asked) + PATIENCE
        )


@contextlib.contextmanager
def handing_on_signals() -> Iterator[StopRequest]:
    """Does what `catching_signals` does, and then hands the signal that came on.

    For Python code around training, a loop over seeds or a notebook, which has to stop too: the
    handler that was there before gets the signal, or else it is a KeyboardInterrupt.
    """
    with catching_signals() as stop:
        try:
            yield stop
        except Exception:
            if stop.signal_name:
                stop.hand_on()
            raise
    if stop.signal_name:
        stop.hand_on()


@contextlib.contextmanager
def catching_signals(*, ends_process: bool = False) -> Iterator[StopRequest]:
    """Turns the first of `ASKING` into a request to stop; a second one is for those who call.

    It goes to the handler that was there before, or is a KeyboardInterrupt. With `ends_process`,
    for command lines, it ends the process at once: Python runs its handlers between bytecodes, so
    not while TensorFlow compiles or computes. The signals are therefore read from a pipe by a
    thread, which ends the process with 128 + number. A signal that is ignored stays ignored
    (Ctrl-C, for a job in the background of a script). Handlers print nothing: they may interrupt a
    print. The thread says on a terminal that it has understood.
    """
    request = StopRequest()
    if threading.current_thread() is not threading.main_thread():
        yield request  # Python lets only the main thread catch signals
        return
    known = [getattr(signal, name) for name in ASKING if hasattr(signal, name)]
    previous = {number: signal.getsignal(number) for number in known}
    caught = {number: old for number, old in previous.items() if old not in (signal.SIG_IGN, None)}

    def pass_on(number: int, frame: FrameType | None = None) -> None:
        if callable(old := caught[number]):
            old(number, frame)
        else:
            raise KeyboardInterrupt(signal.Signals(number).name)

    def note(number: int, frame: FrameType | None) -> None:
        if request.signal_name is None or ends_process:  # there a thread counts them
            request.ask(number)
        else:
            pass_on(number, frame)

    def catch() -> None:
        for number in caught:
            signal.signal(number, note)

    request.catch_again = catch
    request.hand_on = lambda: pass_on(signal.Signals[str(request.signal_name)])
    with watching(caught, request) if ends_process else contextlib.nullcontext():
        catch()
        try:
            yield request
        finally:
            for number, old in caught.items():
                signal.signal(number, old)


@contextlib.contextmanager
def watching(
    numbers: Container[int], request: StopRequest, said: str = ACKNOWLEDGED
) -> Iterator[None]:
    """Runs `watch` in a thread meanwhile."""
    source, sink = os.pipe()
    os.set_blocking(sink, False)
    usual_sink = signal.set_wakeup_fd(sink, warn_on_full_buffer=False)
    watcher = threading.Thread(target=watch, args=(source, numbers, request, said), daemon=True)
    watcher.start()
    try:
        yield
    finally:
        signal.set_wakeup_fd(usual_sink)
        os.close(sink)
        watcher.join()
        os.close(source)


def watch(source: int, numbers: Container[int], request: StopRequest, said: str) -> None:
    """Reads signals from a pipe until its other end is closed; ends the process at the second."""
    asked = False
    while byte := os.read(source, 1):
        number = byte[0]
        if number not in numbers:
            continue
        if asked:
            if streams.is_terminal():
                with contextlib.suppress(OSError):
                    os.write(streams.shown_number(), SHOW_CURSOR)
            os._exit(128 + number)
        asked = True
        request.ask(number)
        number_of_stderr = streams.shown_number()
        if number_of_stderr >= 0 and os.isatty(number_of_stderr):  # whatever is computed
            with contextlib.suppress(OSError):
                name = signal.Signals(number).name
                os.write(number_of_stderr, f"\r\n{name}: {said}\r\n".encode())
