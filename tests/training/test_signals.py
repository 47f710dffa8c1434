import os
import signal
import subprocess
import sys

import pytest

from gan.training import signals
from gan.training.signals import catching_signals, handing_on_signals
from support import ROOT


@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM", "SIGUSR1"])
def test_the_first_signal_is_a_request_and_the_usual_handlers_come_back(name):
    number = getattr(signal, name)
    usual = signal.getsignal(number)
    with catching_signals() as stop:
        assert stop.signal_name is None
        signal.raise_signal(number)
        assert stop.signal_name == name
        assert signal.getsignal(number) != usual
    assert signal.getsignal(number) == usual


def test_an_ignored_ctrl_c_stays_ignored():
    """Shells start background jobs of scripts so."""
    previous = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        with catching_signals() as stop:
            assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN
            signal.raise_signal(signal.SIGINT)
            assert stop.signal_name is None
    finally:
        signal.signal(signal.SIGINT, previous)


@pytest.mark.parametrize(
    ("first", "second", "status"),
    [("SIGTERM", "SIGTERM", 143), ("SIGUSR1", "SIGINT", 130), ("SIGINT", "SIGUSR1", 138)],
)
def test_a_second_signal_ends_a_process_that_computes(first, second, status):
    """The main thread sits in C, as in a compilation, where Python runs no handlers."""
    code = f"""
import ctypes, os, signal, threading
from gan.training.signals import catching_signals
with catching_signals(ends_process=True) as stop:
    def send():
        os.kill(os.getpid(), signal.{first})
        while stop.signal_name is None:
            pass
        os.kill(os.getpid(), signal.{second})
    threading.Thread(target=send, daemon=True).start()
    lock, libc = ctypes.create_string_buffer(64), ctypes.CDLL(None)
    libc.pthread_mutex_lock(lock)
    libc.pthread_mutex_lock(lock)  # for ever
"""
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, timeout=60, capture_output=True)
    assert (done.returncode, done.stdout, done.stderr) == (status, b"", b"")
    # On a terminal the first one is acknowledged at once, although nothing else is ever done.
    for term, cursor in (("dumb", ""), ("xterm", "\x1b[?25h")):  # a progress bar hides it
        terminal, stderr = os.openpty()
        done = subprocess.run(
            [sys.executable, "-c", code], cwd=ROOT, timeout=60, stderr=stderr,
            env={**os.environ, "TERM": term},
        )  # fmt: skip
        os.close(stderr)
        said = os.read(terminal, 1000).decode()
        os.close(terminal)
        line = f"{first}: ending soon, with all that was trained; once more ends at once"
        assert done.returncode == status
        assert said.replace("\r", "").strip() == f"{line}\n{cursor}".strip()


@pytest.fixture
def handler():
    """Returns a function that sets a handler, for this test."""
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    yield signal.signal
    for number, old in before.items():
        signal.signal(number, old)


@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM"])
def test_in_python_code_a_signal_is_handed_on_after_the_work(name, handler):
    number, done, heard = getattr(signal, name), [], []

    def work(times):
        with handing_on_signals() as stop:
            for _ in range(times):
                signal.raise_signal(number)
            done.append(stop.signal_name)

    if name == "SIGTERM":
        handler(number, signal.SIG_DFL)  # which ends a process, without a word
    with pytest.raises(KeyboardInterrupt):
        work(1)
    with pytest.raises(KeyboardInterrupt):
        work(2)  # at once
    assert done == [name]
    handler(number, lambda number, frame: heard.append(number))
    work(2)
    assert (done, heard) == ([name, name], [number, number])
    work(0)
    assert len(heard) == 2


def test_a_signal_ends_a_loop_over_seeds_although_one_of_them_fails(handler):
    def work():
        with handing_on_signals():
            signal.raise_signal(signal.SIGINT)
            raise ValueError("the run fails while it ends")

    with pytest.raises(KeyboardInterrupt):
        work()


def test_no_signal_ends_the_process_outside_of_a_command_line(monkeypatch):
    def work():
        with catching_signals():
            signal.raise_signal(signal.SIGINT)
            signal.raise_signal(signal.SIGINT)

    monkeypatch.setattr(signals, "watch", None)  # which would
    wakeup = signal.set_wakeup_fd(-1)  # as of asyncio, in a notebook
    signal.set_wakeup_fd(wakeup)
    source, sink = os.pipe()
    os.set_blocking(sink, False)
    signal.set_wakeup_fd(sink)
    try:
        with pytest.raises(KeyboardInterrupt):
            work()
        assert signal.set_wakeup_fd(wakeup) == sink
        assert os.read(source, 9) == bytes([signal.SIGINT] * 2)
    finally:
        signal.set_wakeup_fd(wakeup)
        os.close(source)
        os.close(sink)
