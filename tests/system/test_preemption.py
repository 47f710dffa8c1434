"""Signals in every phase of training, each saved and resumed to the bits of an unbroken run."""

import json
import os
import signal
import subprocess
import sys

import numpy as np
import pytest

from gan.data.datasets import load_dataset
from gan.run.jsonl import read_records
from gan.training import loop, sample_grids, trainer
from gan.training.metrics_log import MetricsLog
from gan.training.signals import catching_signals
from gan.training.trainer import train
from support import ROOT, checkpoint


def evaluator(generator, step):
    return {"metrics": {"fcd": 1.0}}


@pytest.fixture
def config(tiny_config):
    return tiny_config(evaluate_every=4)


def run(config, run_dir, stop=None, eagerly=True):
    """Trains, eagerly if compiling takes longer than the few steps."""
    return train(
        config, run_dir, make_evaluators=lambda *_: {"light": evaluator}, stop=stop, quiet=True,
        run_eagerly=eagerly,
    )  # fmt: skip


@pytest.fixture(scope="module")
def unbroken(tmp_path_factory):
    """The place of the unbroken run, which the first test that needs it trains for all."""
    return tmp_path_factory.mktemp("unbroken") / "run"


def signalling(function, number, calls=1):
    """Returns the function with a signal to this process in its call number `calls`."""
    count = []

    def called(*args, **kwargs):
        count.append(1)
        if len(count) == calls:
            os.kill(os.getpid(), number)
        return function(*args, **kwargs)

    return called


def compiling(number):
    """Returns ``compile_train_steps`` whose first call, which compiles, gets the signal."""
    compile_train_steps = trainer.compile_train_steps

    def signalled(*args, **options):
        steps = compile_train_steps(*args, **options)
        return signalling(steps, number)

    return signalled


PHASES = {  # what is patched, with what, and the steps at which the run is saved
    "data": (trainer, "build_state", 1, 0),
    "first picture": (trainer, "write_reals", 1, 0),
    "pipeline": (loop, "build_pipeline", 1, 0),
    "picture": (sample_grids, "write_samples", 2, 8),
    "record": (MetricsLog, "scalars", 1, 6),
    "checkpoint": (loop, "save", 1, 8),
}


@pytest.mark.parametrize("phase", PHASES)
def test_a_signal_in_any_phase_saves_and_the_run_goes_on(
    phase, config, unbroken, tmp_path, monkeypatch
):
    place, name, calls, step = PHASES[phase]
    patched = signalling(getattr(place, name), signal.SIGTERM, calls)
    check(monkeypatch, place, name, patched, step, config, (unbroken, tmp_path))


def test_a_signal_while_the_step_is_compiled(config, tmp_path, monkeypatch):
    patched = compiling(signal.SIGUSR1)
    places = (tmp_path / "b", tmp_path)
    check(
        monkeypatch, trainer, "compile_train_steps", patched, 4, config, places, "SIGUSR1",
        eagerly=False,
    )  # fmt: skip


def test_a_signal_during_an_evaluation(config, unbroken, tmp_path, monkeypatch):
    patched = signalling(evaluator, signal.SIGINT)
    places = (unbroken, tmp_path)
    check(monkeypatch, sys.modules[__name__], "evaluator", patched, 6, config, places, "SIGINT")


def check(
    monkeypatch, place, name, patched, step, config, places, signal_name="SIGTERM", eagerly=True
):
    """Trains with the patch until it is preempted at `step`, then on without it.

    `places`: of the unbroken run, which may be there, and of this test.
    """
    unbroken, tmp_path = places
    with monkeypatch.context() as patch, catching_signals() as stop:
        patch.setattr(place, name, patched)
        summary = run(config, tmp_path / "a", stop, eagerly)
    assert (summary["status"], summary["step"]) == ("preempted", step)
    assert json.loads((tmp_path / "a/summary.json").read_text())["signal"] == signal_name
    assert (tmp_path / f"a/checkpoints/step-{step}.index").exists()
    assert run(config, tmp_path / "a", eagerly=eagerly)["status"] == "completed"
    if not unbroken.exists():
        run(config, unbroken, eagerly=eagerly)
    ours, theirs = (checkpoint(one, 12) for one in (tmp_path / "a", unbroken))
    assert ours.keys() == theirs.keys()
    assert all(np.array_equal(ours[name], theirs[name]) for name in ours)
    for file in ("metrics.jsonl", "evaluations.jsonl"):
        steps = [record["step"] for record in read_records(tmp_path / "a" / file)]
        assert steps == sorted(set(steps))
        assert set(steps) >= {4, 8, 12}


def test_a_signal_before_tensorflow_is_there(tmp_path):
    """The command catches signals before it imports anything that is slow."""
    load_dataset("mnist", "", print)  # or it would be downloaded, and given up
    code = f"""
import os, runpy, sys
from gan.cli import command
importing = command.importing
def spy():
    os.kill(os.getpid(), {int(signal.SIGINT)})
    return importing()
command.importing = spy
sys.argv = ["train", "--preset=tiny", "--run_dir={tmp_path / "run"}"]
runpy.run_module("experiments.train", run_name="__main__")
"""
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=300)
    assert (done.returncode, done.stdout) == (130, "")
    assert done.stderr.endswith("SIGINT: nothing was trained\n")
    assert not (tmp_path / "run").exists()


def test_a_download_that_does_not_end_is_given_up(tmp_path):
    code = f"""
import os, runpy, sys, threading
from gan.cli import command
with command.silenced():
    from gan.data import datasets
    from gan.training import signals
signals.PATIENCE = 0.1
def download(config, say):
    os.kill(os.getpid(), {int(signal.SIGTERM)})
    threading.Event().wait()  # for ever
datasets.dataset_from_config = download
sys.argv = ["train", "--preset=tiny", "--run_dir={tmp_path / "run"}"]
runpy.run_module("experiments.train", run_name="__main__")
"""
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=300)
    assert (done.returncode, done.stdout) == (75, "")
    assert done.stderr.endswith("gave up getting the data set; nothing was trained\n")
    assert not (tmp_path / "run").exists()
