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
    streams.say("nobody reads this", to_stderr=True)
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


def test_what_goes_to_the_descriptor_is_kept(capfd):
    with streams.kept_stderr() as said:
        os.write(2, b"from C")
        print(" and Python", file=sys.stderr, flush=True)
    os.write(2, b"after")
    assert b"".join(said).startswith(b"from C")
    assert capfd.readouterr().err.endswith("after")


def test_it_is_kept_too_where_stderr_was_closed(monkeypatch, capfd):
    monkeypatch.setattr(sys, "stderr", None)
    with streams.kept_stderr() as said:
        os.write(2, b"from C")
    assert said == [b"from C"]
