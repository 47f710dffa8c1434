import signal
import subprocess
import sys

import pytest

from gan.training.signals import catching_signals
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
