"""Runs that end in the middle, in processes of their own, on real MNIST with the XLA step."""

import json
import signal
import subprocess
import sys

import numpy as np
import pytest
import tensorflow as tf

from conftest import ROOT, command
from gan import logs
from gan.config import from_preset
from gan.state import build_state
from gan.step import METRICS

FLAGS = (
    "--preset=tiny", "--steps=60", "--steps_per_call=8", "--log_every=10", "--sample_every=20",
    "--checkpoint_every=15",
)  # fmt: skip


def train(run_dir, *flags):
    return command("experiments.train", *FLAGS, f"--run_dir={run_dir}", *flags)


def start(run_dir, *flags):
    arguments = [sys.executable, "-m", "experiments.train", *FLAGS, f"--run_dir={run_dir}", *flags]
    return subprocess.Popen(
        arguments, cwd=ROOT, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )


def wait_for_line(process, beginning):
    """Reads the process's output up to the line that begins so."""
    for line in process.stdout:
        if line.startswith(beginning):
            return
    pytest.fail(f"ended without {beginning!r}: {process.stderr.read()}")


def checkpoint(run_dir, step):
    """All tensors of a checkpoint: networks, average, optimizer slots, step."""
    reader = tf.train.load_checkpoint(str(run_dir / "checkpoints" / f"step-{step}"))
    names = [n for n in reader.get_variable_to_shape_map() if not n.startswith("_CHECKPOINTABLE")]
    return {name: reader.get_tensor(name) for name in names if "save_counter" not in name}


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
        records = {r["step"]: r for r in logs.read_records(run / "metrics.jsonl")}
        steps = [r["step"] for r in logs.read_records(run / "metrics.jsonl")]
        assert steps == sorted(set(steps))
        logged.append([[records[step][name] for name in METRICS] for step in range(10, 61, 10)])
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
    size = 1 + sum(int(np.prod(v.shape)) for variables in parts for v in variables)
    saved = checkpoint(unbroken, 60)
    assert sum(value.size for value in saved.values()) == size
    assert saved["step/.ATTRIBUTES/VARIABLE_VALUE"] == 60


def test_a_new_process_continues_bit_for_bit(unbroken, tmp_path):
    assert train(tmp_path / "run", "--steps=30").returncode == 0
    done = train(tmp_path / "run", "--steps_per_call=50")
    assert done.returncode == 0
    assert "steps 30 to 60" in done.stdout
    assert_same_run(unbroken, tmp_path / "run")


def test_kill_9_between_checkpoints_costs_nothing_but_time(unbroken, tmp_path):
    process = start(tmp_path / "run")
    wait_for_line(process, "40 [D loss")
    process.kill()
    process.communicate()
    assert process.returncode == -signal.SIGKILL
    done = train(tmp_path / "run")
    assert done.returncode == 0
    assert "steps 30 to 60" in done.stdout or "steps 45 to 60" in done.stdout
    assert_same_run(unbroken, tmp_path / "run")


@pytest.mark.parametrize(("number", "status"), [(signal.SIGTERM, 75), (signal.SIGINT, 130)])
def test_a_signal_saves_and_the_run_continues_bit_for_bit(number, status, unbroken, tmp_path):
    process = start(tmp_path / "run", "--steps_per_call=1")
    wait_for_line(process, "10 [D loss")
    process.send_signal(number)
    out, err = process.communicate(timeout=120)
    assert process.returncode == status, err
    assert err == ""
    assert f"{signal.Signals(number).name}: saving after this call" in out
    summary = json.loads((tmp_path / "run/summary.json").read_text())
    assert summary["status"] == "preempted"
    assert 10 <= summary["step"] < 60
    assert checkpoint(tmp_path / "run", summary["step"])
    done = train(tmp_path / "run")
    assert done.returncode == 0
    assert f"steps {summary['step']} to 60" in done.stdout
    assert_same_run(unbroken, tmp_path / "run")
