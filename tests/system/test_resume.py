"""Runs that end in the middle, in processes of their own, on real MNIST with the XLA step."""

import json
import signal
import subprocess
import sys

import numpy as np
import pytest

from gan.algorithm.step import STEP_METRICS
from gan.run import jsonl
from gan.run.presets import from_preset
from gan.training.state import build_state
from support import ROOT, checkpoint, run_module

FLAGS = (
    "--preset=tiny", "--steps=60", "--steps_per_call=8", "--log_every=10", "--sample_every=20",
    "--checkpoint_every=15",
)  # fmt: skip


def train(run_dir, *flags):
    return run_module("experiments.train", *FLAGS, f"--run_dir={run_dir}", *flags)


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
    done = train(run_dir)
    assert done.returncode == 0, done.stderr
    return run_dir


def test_the_checkpoint_holds_everything_that_training_changes(unbroken):
    state = build_state(from_preset("tiny", {"precision": "float32"}), (28, 28, 1))
    parts = [part.variables for part in state[:5]]  # three networks, two optimizers
    size = 2 + sum(int(np.prod(v.shape)) for variables in parts for v in variables)
    saved = checkpoint(unbroken, 60)
    assert sum(value.size for value in saved.values()) == size
    assert saved["step/.ATTRIBUTES/VARIABLE_VALUE"] == 60
    assert saved["rollbacks/.ATTRIBUTES/VARIABLE_VALUE"] == 0


def test_a_new_process_continues_bit_for_bit(unbroken, tmp_path):
    assert train(tmp_path / "run", "--steps=30").returncode == 0
    done = train(tmp_path / "run", "--steps_per_call=50")
    assert done.returncode == 0
    assert "steps 30 to 60" in done.stdout
    assert_same_run(unbroken, tmp_path / "run")


def test_kill_9_between_checkpoints_costs_nothing_but_time(unbroken, tmp_path):
    killed = train_and_signal(tmp_path / "run", "40 [D loss", signal.SIGKILL)
    assert killed.returncode == -signal.SIGKILL
    done = train(tmp_path / "run")
    assert done.returncode == 0
    assert "steps 30 to 60" in done.stdout
    assert_same_run(unbroken, tmp_path / "run")


@pytest.mark.parametrize(("number", "status"), [(signal.SIGTERM, 75), (signal.SIGINT, 130)])
def test_a_signal_saves_and_the_run_continues_bit_for_bit(number, status, unbroken, tmp_path):
    run_dir = tmp_path / "run"
    ended = train_and_signal(run_dir, "10 [D loss", number, "--steps_per_call=1")
    assert (ended.returncode, ended.stderr) == (status, "")
    assert f"{signal.Signals(number).name}: saving step 11" in ended.stdout
    summary = json.loads((run_dir / "summary.json").read_text())
    assert (summary["status"], summary["step"]) == ("preempted", 11)
    assert (run_dir / "generator.keras").exists()
    done = train(run_dir)
    assert done.returncode == 0
    assert "steps 11 to 60" in done.stdout
    assert_same_run(unbroken, run_dir)


def test_a_reader_that_goes_away_costs_no_run(tmp_path):
    """As in ``make train | head -1``."""
    process = subprocess.Popen(
        [sys.executable, "-m", "experiments.train", *FLAGS, f"--run_dir={tmp_path / 'run'}"],
        cwd=ROOT,
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    process.stdout.readline()
    process.stdout.close()
    assert process.stderr.read() == ""
    assert process.wait(timeout=120) == 0
    assert json.loads((tmp_path / "run/summary.json").read_text())["step"] == 60
