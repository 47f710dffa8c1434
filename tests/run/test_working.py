import fcntl
import os
import struct
import subprocess
import sys
import termios
import threading

import pytest

from gan.run import streams
from gan.run.working import working
from support import ROOT

SCRIPT = """
import os, sys, threading
from gan.lazy import silenced
from gan.run import streams, working
working.TICK = 0.001
streams.tell("begin")
seen, paint = threading.Event(), streams.paint
def spy(text):
    paint(text)
    if text.startswith(sys.argv[1]):
        seen.set()
streams.paint = spy
with working.working("outer"), silenced():
    with working.working("importing a very long name of something"):
        os.write(2, b"chatter")
        assert seen.wait(60)
        streams.tell("a line")
streams.tell("end")
"""


def on_a_terminal(columns, shown, term="xterm", **variables):
    """Runs the script with stderr on a terminal and returns what came there."""
    terminal, stderr = os.openpty()
    fcntl.ioctl(stderr, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
    got = []

    def read():
        try:
            while part := os.read(terminal, 1000):
                got.append(part)
        except OSError:  # the other end is closed
            pass

    reader = threading.Thread(target=read)
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONIOENCODING": "utf-8"}
    process = subprocess.Popen(
        [sys.executable, "-c", SCRIPT, shown], stderr=stderr,
        env={**environment, "TERM": term, **variables},
    )  # fmt: skip
    os.close(stderr)
    reader.start()
    assert process.wait(timeout=100) == 0
    reader.join()
    os.close(terminal)
    return b"".join(got).decode().replace("\r\n", "\n")


@pytest.mark.parametrize("variables", [{}, {"NO_COLOR": "1"}, {"LC_ALL": "C", "LANG": "C"}])
def test_what_takes_long_stands_in_a_line_that_goes_away(variables):
    whole = on_a_terminal(80, "importing", **variables)
    assert whole.startswith("begin\n")
    assert "\r\x1b[Ka line\n" in whole
    assert "importing a very long name of something, 0 s" in whole
    assert "chatter" not in whole
    # On the screen nothing is left of it, and no other sequences came.
    lines = [line.rpartition("\x1b[K")[2] for line in whole.split("\n")]
    assert lines == ["begin", "a line", "end", ""]
    assert whole.count("\x1b") == whole.count("\r\x1b[K")


def test_no_more_than_fits_in_a_line_is_shown():
    """What a terminal wraps could not be taken back."""
    assert "importing a very lo\r" in on_a_terminal(20, "importing")
    assert "of something, 0 s" in on_a_terminal(0, "importing")  # its size is not known


@pytest.mark.parametrize("term", ["dumb", "", "unknown"])
def test_a_terminal_that_cannot_rewrite_a_line_gets_none(term):
    script = "import sys; from gan.run import streams; sys.exit(streams.is_terminal())"
    terminal, stderr = os.openpty()
    for name, expected in ((term, 0), ("xterm", 1)):
        environment = {**os.environ, "PYTHONPATH": str(ROOT), "TERM": name}
        done = subprocess.run([sys.executable, "-c", script], stderr=stderr, env=environment)
        assert done.returncode == expected
    os.close(stderr)
    os.close(terminal)


def test_without_a_terminal_there_is_no_line(capsys):
    with working("training"):
        streams.tell("a line")
    assert capsys.readouterr() == ("", "a line\n")


def test_an_error_comes_out_and_takes_the_line_away(monkeypatch, capsys):
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True, raising=False)
    shown = threading.Event()

    def spy(text, paint=streams.paint):
        paint(text)
        shown.set()

    def work():
        with working("training"):
            assert shown.wait(60)
            raise KeyboardInterrupt

    monkeypatch.setattr(streams, "paint", spy)
    with pytest.raises(KeyboardInterrupt):
        work()
    assert capsys.readouterr().err.endswith("training, 0 s\r\x1b[K")
