"""Containers, locales and names that are not what one is used to."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from gan.errors import UserError
from gan.run import paths
from gan.run.config import Config
from gan.run.saved_config import write_config
from support import ROOT

NAME = "mein Läufer 😀 'q' \"d\" 50%s {x} $HOME"


@pytest.mark.parametrize(
    ("variables", "shown"),
    [
        ({}, NAME),
        # Python is kept from UTF-8; what it cannot print is escaped.
        (
            {"PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"},
            NAME.encode().decode("ascii", "surrogateescape"),
        ),
    ],
)
def test_names_of_any_kind_in_the_locale_c(variables, shown, tmp_path):
    (tmp_path / NAME).mkdir()
    write_config(tmp_path / NAME, Config(), {}, {})
    environment = {**os.environ, "LANG": "C", "LC_ALL": "C", "PYTHONPATH": str(ROOT), **variables}
    done = subprocess.run(
        [sys.executable, "-m", "gan", "ls", NAME], cwd=tmp_path, env=environment,
        capture_output=True,
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, b"")
    escaped = "".join(f"\\x{ord(c) - 0xDC00:02x}" if ord(c) > 0xDC00 else c for c in shown)
    assert (shown if shown == NAME else escaped) in done.stdout.decode()


def test_a_locale_that_hides_utf_8_is_named(monkeypatch):
    path = Path("L\udcc3\udca4ufer")
    with pytest.raises(UserError, match=r"must be UTF-8, TensorFlow takes no other names$"):
        paths.check_encoding(path, "run_dir")
    monkeypatch.setattr(sys, "getfilesystemencoding", lambda: "ascii")
    with pytest.raises(UserError, match=r"Python takes names for ascii here, PYTHONUTF8=1 says"):
        paths.check_encoding(path, "run_dir")
    paths.check_encoding(Path("Läufer"), "run_dir")


AS_FIRST = """
import os, signal, sys
from gan.cli import command
from gan.training.signals import catching_signals
def main(values):
    assert os.getpid() == 1
    if trains:
        with catching_signals(ends_process=True) as stop:
            os.kill(1, signal.SIGTERM)
            while stop.signal_name is None:
                pass
        return command.PREEMPTED
    os.kill(1, signal.SIGTERM)
    return command.DONE
trains = sys.argv.pop() == "train"
command.run("usage", lambda values: None, main)
"""
ALONE = ("unshare", "--pid", "--fork", "--kill-child")


@pytest.mark.parametrize(("name", "status"), [("evaluate", 143), ("train", 75)])
def test_sigterm_ends_process_1_of_a_container(name, status):
    """The kernel spares it signals that it does not handle, and ten seconds later it is killed."""
    try:
        subprocess.run([*ALONE, "true"], check=True, capture_output=True)
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("makes no namespace of processes: needs Linux and root")
    done = subprocess.run(
        [*ALONE, sys.executable, "-c", AS_FIRST, name], cwd=ROOT, timeout=100,
        capture_output=True, text=True,
    )  # fmt: skip
    assert (done.returncode, done.stdout, done.stderr) == (status, "", "")
