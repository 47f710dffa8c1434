"""Runs that end in processes of their own and go on in this one, on MNIST with the XLA step."""

import json
import signal
import subprocess
import sys

import numpy as np
import pytest

from gan.algorithm.step import STEP_METRICS
from gan.cli import train as command
from gan.run import jsonl
from gan.run.presets import from_preset
from gan.training.state import build_state
from support import ROOT, checkpoint, status_of

FLAGS = (
    "--preset=tiny", "--steps=60", "--steps_per_call=8", "--log_every=10", "--sample_every=20",
    "--checkpoint_every=15",
)  # fmt: skip


def train(monkeypatch, run_dir, *flags):
    """Trains in this process, to the end."""
    assert status_of(monkeypatch, command, *FLAGS, f"--run_dir={run_dir}", *flags) == 0


def train_and_signal(run_dir, line, number, *flags):
    """Trains in a process that sends itself a signal when it prints the line that begins so."""
    code = f"""
import os, runpy, sys
from gan.cli import command
with command.silenced():
    from gan.training.console import Console
print_line = Console.print
def spy(self, line):
    print_line(self, line)
    if line.startswith({line!r}):
        os.kill(os.getpid(), {int(number)})
Console.print = spy
sys.argv = ["train", *{[*FLAGS, f"--run_dir={run_dir}", *flags]!r}]
runpy.run_module("experiments.train", run_name="__main__")
"""
    command_line = [sys.executable, "-c", code]
    return subprocess.run(command_line, cwd=ROOT, capture_output=True, text=True, timeout=300)


def assert_same_run(a, b):
    """The runs have the same weights, average, slots, samples and logged numbers, bit for bit."""
    ours, theirs = checkpoint(a, 60), checkpoint(b, 60)
    assert ours.keys() == theirs.keys()
    for name in ours:
        assert np.array_equal(ours[name], theirs[name]), name
    for picture in (a / "samples").glob("*.png"):
        assert picture.read_bytes() == (b / "samples" / picture.name).read_bytes()
    logged = []
    for run in (a, b):
        records = {r["step"]: r for r in jsonl.read_records(run / "metrics.jsonl")}
        steps = [r["step"] for r in jsonl.read_records(run / "metrics.jsonl")]
        assert steps == sorted(set(steps))
        logged.append(
            [[records[step][name] for name in STEP_METRICS] for step in range(10, 61, 10)]
        )
    assert logged[0] == logged[1]


@pytest.fixture(scope="module")
def unbroken(tmp_path_factory):
    run_dir = tmp_path_factory.mktemp("unbroken") / "run"
    with pytest.MonkeyPatch.context() as patch:
        train(patch, run_dir)
    return run_dir


def test_the_checkpoint_holds_everything_that_training_changes(unbroken):
    state = build_state(from_preset("tiny", {"precision": "float32"}), (28, 28, 1))
    parts = [part.variables for part in state[:5]]  # three networks, two optimizers
    size = 2 + sum(int(np.prod(v.shape)) for variables in parts for v in variables)
    saved = checkpoint(unbroken, 60)
    assert sum(value.size for value in saved.values()) == size
    assert saved["step/.ATTRIBUTES/VARIABLE_VALUE"] == 60
    assert saved["rollbacks/.ATTRIBUTES/VARIABLE_VALUE"] == 0


def test_kill_9_between_checkpoints_costs_nothing_but_time(unbroken, tmp_path, monkeypatch, capsys):
    """Also where the run was to end sooner, and had other calls."""
    killed = train_and_signal(tmp_path / "run", "40 [D loss", signal.SIGKILL, "--steps=50")
    assert killed.returncode == -signal.SIGKILL
    train(monkeypatch, tmp_path / "run", "--steps_per_call=50")
    assert "steps 30 to 60" in capsys.readouterr().err
    assert_same_run(unbroken, tmp_path / "run")


def check_signal(run_dir, number, status, *flags):
    """Signals a run at step 10, and looks at what it saved."""
    ended = train_and_signal(run_dir, "10 [D loss", number, "--steps_per_call=1", *flags)
    assert (ended.returncode, "error" in ended.stderr) == (status, False)
    assert f"{signal.Signals(number).name}: saving step 11" in ended.stderr
    summary = json.loads((run_dir / "summary.json").read_text())
    assert (summary["status"], summary["step"]) == ("preempted", 11)
    assert (run_dir / "generator.keras").exists()


def test_sigterm_saves_and_the_run_continues_bit_for_bit(unbroken, tmp_path, monkeypatch, capsys):
    check_signal(tmp_path / "run", signal.SIGTERM, 75)
    train(monkeypatch, tmp_path / "run")
    assert "steps 11 to 60" in capsys.readouterr().err
    assert_same_run(unbroken, tmp_path / "run")


def test_ctrl_c_saves(tmp_path):
    check_signal(tmp_path / "run", signal.SIGINT, 130, "--nojit_compile")


def test_a_reader_that_goes_away_costs_no_run(tmp_path):
    """As in ``make train 2>&1 | head -1``."""
    flags = (*FLAGS, "--nojit_compile", f"--run_dir={tmp_path / 'run'}")
    process = subprocess.Popen(
        [sys.executable, "-m", "experiments.train", *flags],
        cwd=ROOT,
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )
    process.stdout.readline()
    process.stdout.close()
    assert process.wait(timeout=120) == 0
    assert json.loads((tmp_path / "run/summary.json").read_text())["step"] == 60
