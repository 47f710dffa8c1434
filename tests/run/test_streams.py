import io
import os
import subprocess
import sys

import pytest

from gan.run import streams
from support import ROOT


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("runs/mlp: 12 %", "runs/mlp: 12 %"),
        ("Größe 数据 ±↓", "Größe 数据 ±↓"),
        ("a\nb\r\tc", r"a\nb\r\tc"),
        ("\x1b[2J\x07\x9b", r"\x1b[2J\x07\x9b"),
        (os.fsdecode(b"caf\xe9.png"), r"caf\xe9.png"),
        ("\ud800", r"\ud800"),
        ("left\u202eright\u2028", r"left\u202eright\u2028"),
        ("a\xa0b\u3000", "a\xa0b\u3000"),
    ],
)
def test_what_would_break_a_line_or_move_the_cursor_is_escaped(text, expected):
    assert streams.printable(text) == expected


@pytest.mark.parametrize(
    ("encoding", "expected"),
    [("utf-8", "é\u2193\\udc80 x\ny\n"), ("latin-1", "é\\u2193\\udc80 x\ny\n"),
     ("ascii", "\\xe9\\u2193\\udc80 x\ny\n")],
)  # fmt: skip
def test_what_an_encoding_lacks_is_escaped(encoding, expected, monkeypatch):
    kept = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(kept, encoding, errors="strict"))
    streams.say("é\u2193\\udc80 x", "y")
    assert kept.getvalue().decode(encoding) == expected


def test_a_stream_that_was_closed_when_python_started_is_told_nothing(monkeypatch, capsys):
    monkeypatch.setattr(sys, "stderr", None)
    streams.tell("nobody reads this")
    streams.paint("nor this")
    streams.paint("")
    assert capsys.readouterr().out == ""
    monkeypatch.setattr(sys, "stdout", None)
    streams.say("nor this")


def test_the_number_of_a_closed_stream_is_not_given_to_a_file(tmp_path):
    script = """
import os, sys
from gan.run import streams
streams.occupy()
with open("file", "w") as file:
    os.write(1, b"chatter"); os.write(2, b"chatter")
    print("x", file=sys.stdout); print("x", file=sys.stderr); sys.stdout.flush()
"""
    python = f"PYTHONPATH={ROOT} {sys.executable} -c '{script}'"
    for closed in (">&-", "2>&-", "<&- >&- 2>&-"):
        done = subprocess.run(["bash", "-c", f"{python} {closed}"], cwd=tmp_path)
        assert (done.returncode, (tmp_path / "file").read_text()) == (0, "")


def test_the_result_and_the_progress_are_apart(capsys):
    streams.say("a table", "of two lines")
    streams.tell("warning: x", "y")
    assert capsys.readouterr() == ("a table\nof two lines\n", "warning: x\ny\n")


def test_progress_is_seen_where_libraries_are_kept_silent(capfd):
    """Of two that are nested too; what comes after goes to the same place."""
    script = """
import os, sys
from gan.lazy import silenced
from gan.run import streams
with silenced():
    os.write(2, b"chatter"); print("chatter", file=sys.stderr)
    streams.tell("one")
    with silenced():
        streams.tell("two")
    streams.tell("three \\u2193\\x1b")
streams.tell("four")
"""
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "TF_CPP_MIN_LOG_LEVEL": "3"}
    done = subprocess.run([sys.executable, "-c", script], env=environment)
    assert done.returncode == 0
    assert capfd.readouterr() == ("", "one\ntwo\nthree \u2193\\x1b\nfour\n")


def test_a_stderr_that_nobody_reads_ends_nothing(monkeypatch):
    class Gone(io.StringIO):
        def write(self, text):
            raise BrokenPipeError(32, "Broken pipe")

    monkeypatch.setattr(sys, "stderr", Gone())
    streams.tell("lost")
    streams.tell("lost too")
    assert sys.stderr.name == os.devnull


def test_in_a_notebook_progress_looks_like_no_error(monkeypatch, capsys):
    class OutStream(io.StringIO):
        __module__ = "ipykernel.iostream"

    monkeypatch.setattr(sys, "stderr", stream := OutStream())
    streams.tell("100 [D loss: 1.0]", "warning: b")
    assert capsys.readouterr().out == "100 [D loss: 1.0]\nwarning: b\n"
    assert stream.getvalue() == ""
