"""Runs with ADA, whose controller is part of a run's state."""

import numpy as np
import pytest
import tensorflow as tf
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from gan.algorithm.step import STEP_METRICS
from gan.errors import UserError
from gan.run import jsonl
from gan.training import trainer
from gan.training.checkpoints import checkpoint_manager, restore
from gan.training.state import build_state
from gan.training.trainer import train
from support import checkpoint, train_whole_and_resumed

ADA = {"augment": "translation_cutout", "ada_target": 0.6, "log_every": 1}


def state_of(run_dir, config):
    state = build_state(config, (28, 28, 1))
    assert restore(state, checkpoint_manager(state, run_dir, 3)) == config.steps
    return state


@pytest.mark.parametrize(("schedule", "jit"), [("alternating", True), ("simultaneous", False)])
def test_a_resumed_run_continues_exactly(schedule, jit, tiny_config, tmp_path, monkeypatch):
    """From the middle of an interval, with a probability that is neither 0 nor 1."""
    monkeypatch.setattr("gan.algorithm.ada.IMAGES", 400)  # a move is 0.16 with 16 images a step
    settings = {**ADA, "schedule": schedule, "jit_compile": jit, "d_learning_rate": 0.01}
    whole = tiny_config(**settings, steps=16)
    train_whole_and_resumed(whole, tmp_path, middle=10)
    logged = [jsonl.read_records(tmp_path / run / "metrics.jsonl") for run in ("once", "twice")]
    for one, two in zip(*logged, strict=True):
        names = (*STEP_METRICS, "augment/probability")
        assert [one[name] for name in names] == [two[name] for name in names]
    once, twice = (checkpoint(tmp_path / run, 16) for run in ("once", "twice"))
    assert once.keys() == twice.keys()
    assert all(np.array_equal(once[name], twice[name]) for name in once)
    kept = [value for name, value in once.items() if name.startswith("ada/")]
    state = state_of(tmp_path / "once", whole)
    assert sorted(kept) == sorted(float(variable) for variable in state.ada)
    path = [record["augment/probability"] for record in logged[0]]
    assert path[9] not in (0.0, 1.0)
    assert path[-1] == float(state.ada.probability)
    # What it did is what the simulation does with the accuracies that were logged.
    signs = np.array([2 * record["accuracy/real"] - 1 for record in logged[0]])
    expected = 0.0
    for number in range(4):
        mean = signs[4 * number : 4 * number + 4].mean()
        expected = np.clip(expected + 0.16 * np.sign(mean - 0.6), 0, 1)
        assert path[4 * number + 3] == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize("schedule", ["alternating", "simultaneous"])
def test_every_update_of_d_shows_it_images(schedule, tiny_config, tmp_path, monkeypatch):
    """Three updates a step, 16 images each: a move is 4 x 3 x 16 / 1920 = 0.1."""
    monkeypatch.setattr("gan.algorithm.ada.IMAGES", 1920)
    config = tiny_config(
        **ADA | {"ada_target": 1e-6}, schedule=schedule, d_steps=3, steps=8, batch_size=16,
        d_learning_rate=0.01,
    )  # fmt: skip
    summary = train(config, tmp_path / "run", quiet=True)
    assert summary["augment/probability"] == pytest.approx(0.2, abs=1e-6)


def test_the_probability_is_logged_everywhere(tiny_config, tmp_path):
    summary = train(tiny_config(**ADA, steps=4), tmp_path / "ada", quiet=True)
    records = jsonl.read_records(tmp_path / "ada/metrics.jsonl")
    board = EventAccumulator(str(tmp_path / "ada/tensorboard"), {"tensors": 0})
    board.Reload()
    told = [tf.make_ndarray(e.tensor_proto).item() for e in board.Tensors("augment/probability")]
    assert told == [record["augment/probability"] for record in records]
    assert summary["augment/probability"] == told[-1]


def test_what_the_controller_says_is_what_images_get(tiny_config, tmp_path, monkeypatch):
    """At 0, as before the first move, D sees images as they are; at 1 they are all augmented."""
    at_zero = train(tiny_config(**ADA, steps=3), tmp_path / "at_zero", quiet=True)
    plain = train(tiny_config(steps=3, log_every=1), tmp_path / "plain", quiet=True)
    assert [at_zero[name] for name in STEP_METRICS] == [plain[name] for name in STEP_METRICS]
    assert "augment/probability" not in plain

    def at_one(*arguments, **more):
        state = build_state(*arguments, **more)
        if state.ada:
            state.ada.probability.assign(1.0)
        return state

    monkeypatch.setattr(trainer, "build_state", at_one)
    ada = train(tiny_config(**ADA, steps=3), tmp_path / "ada", quiet=True)
    always = {"augment": "translation_cutout", "log_every": 1, "steps": 3}
    full = train(tiny_config(**always), tmp_path / "full", quiet=True)
    assert [ada[name] for name in STEP_METRICS] == [full[name] for name in STEP_METRICS]
    assert ada["loss/d"] != plain["loss/d"]


def test_logits_without_a_sign_are_refused(tiny_config, tmp_path):
    with pytest.raises(UserError, match="--loss=relativistic gives logits no sign"):
        train(tiny_config(**ADA, loss="relativistic"), tmp_path / "run", quiet=True)
    assert not (tmp_path / "run").exists()
