"""Numbers that are not finite, injected in one step (number 10 of 12, after checkpoint 6).

Calls of one step, because weights are looked at between calls.
"""

import dataclasses
import functools
import json

import numpy as np
import pytest
import tensorflow as tf

from gan.algorithm import step
from gan.algorithm.losses import LOSSES
from gan.errors import NotFinite
from gan.run.jsonl import read_records
from gan.training import collapse, trainer
from gan.training.trainer import train
from support import checkpoint, once_more

BAD = 9  # steps done before the bad one


@pytest.fixture
def tiny_config(tiny_config):
    return functools.partial(tiny_config, steps_per_call=1)


@pytest.fixture
def state(monkeypatch):
    """Returns a function that gives the state of the run that is being trained."""
    states = []
    built = trainer.build_state
    monkeypatch.setattr(
        trainer, "build_state", lambda *a, **k: states.append(built(*a, **k)) or states[-1]
    )
    return lambda: states[-1]


@pytest.fixture
def inject(monkeypatch, state):
    """Returns a function that makes one tensor bad in one step, as long as `when` says so."""

    def now(when):
        return (state().step == BAD) & when(state().rollbacks)

    def of_loss(change, when):
        pair = LOSSES["non_saturating"]

        def discriminator(real_logits, fake_logits):
            loss = pair.discriminator(real_logits, fake_logits)
            return tf.where(now(when), change(loss), loss)

        monkeypatch.setitem(LOSSES, "poisoned", pair._replace(discriminator=discriminator))

    def of_logits(when):
        inputs = step.discriminator_inputs

        def poisoned(*args):
            real_images, fake_images = inputs(*args)
            return real_images, tf.where(now(when), np.nan, fake_images)

        monkeypatch.setattr(step, "discriminator_inputs", poisoned)

    def of_weights(when):
        def poisoned(network, bound):
            bias = network.trainable_variables[-1]
            bias.assign(tf.where(now(when), np.inf, bias.value))

        monkeypatch.setattr(step, "clip_weights", poisoned)

    def inject(tensor, when=lambda rollbacks: True):
        if tensor == "logits/fake":
            of_logits(when)
        if tensor == "weights/d_norm":
            of_weights(when)
        change = {
            "loss/d": lambda loss: loss + np.nan,
            "grads/d_norm": lambda loss: loss + tf.sqrt(tf.nn.relu(-tf.square(loss))),
            "overflow": lambda loss: 1e6 * loss,
        }.get(tensor, lambda loss: loss)
        of_loss(change, when)

    return inject


TENSORS = ("logits/fake", "loss/d", "grads/d_norm", "weights/d_norm")


@pytest.mark.parametrize(
    ("tensor", "precision"),
    [
        *((tensor, "float32") for tensor in TENSORS),
        ("grads/d_norm", "mixed_bfloat16"),
        # Loss scaling skips an update of bad gradients, see below.
        *((tensor, "mixed_float16") for tensor in TENSORS if tensor != "grads/d_norm"),
    ],
)
def test_a_run_stops_and_names_the_first_bad_tensor_and_its_step(
    tensor, precision, inject, tiny_config, tmp_path
):
    inject(tensor)
    with pytest.raises(NotFinite) as error:
        train(tiny_config(loss="poisoned", precision=precision), tmp_path, quiet=True)
    text = f"{tensor} is not finite at step 10, in the call of steps 10 to 10; newest checkpoint: "
    assert str(error.value).startswith(f"{text}step 6; what usually helps: ")
    summary = json.loads((tmp_path / "summary.json").read_text())
    assert (summary["status"], summary["step"]) == ("stopped", 6)
    assert all(np.isfinite(value).all() for value in checkpoint(tmp_path, 6).values())


@pytest.mark.parametrize("tensor", ["loss/d", "weights/d_norm"])  # found in a step, and after one
def test_a_rollback_goes_on_with_other_noise(tensor, inject, tiny_config, tmp_path, capsys):
    train(tiny_config(), tmp_path / "b", quiet=True)
    config = tiny_config(loss="poisoned", on_nan="rollback")
    inject(tensor, lambda rollbacks: rollbacks < 2)
    summary = train(config, tmp_path / "a")
    assert (summary["status"], summary["step"], summary["rollbacks"]) == ("completed", 12, 2)
    assert summary["traces"] == 1
    warnings = [line for line in capsys.readouterr().err.splitlines() if line[:8] == "warning:"]
    for i, warning in enumerate(warnings):
        assert warning.startswith(f"warning: {tensor} is not finite at step 10, in the call of ")
        assert warning.endswith(f"; going on from step 6 with other noise ({i + 1})")
    assert len(warnings) == 2
    logged = read_records(tmp_path / "a/metrics.jsonl")
    assert [r["step"] for r in logged] == [4, 8, 12]  # none of steps that were taken back
    records = {r["step"]: r for r in logged}
    unbroken = {r["step"]: r for r in read_records(tmp_path / "b/metrics.jsonl")}
    assert records[4]["loss/d"] == unbroken[4]["loss/d"]
    assert records[8]["loss/d"] != unbroken[8]["loss/d"]


def test_a_run_that_was_rolled_back_resumes_exactly(inject, tiny_config, tmp_path):
    config = tiny_config(loss="poisoned", on_nan="rollback", checkpoint_every=3)
    inject("loss/d", lambda rollbacks: rollbacks < 1)
    for run, steps in (("a", (12,)), ("b", (11, 12))):
        for last in steps:
            train(dataclasses.replace(config, steps=last), tmp_path / run, quiet=True)
    ours, theirs = (checkpoint(tmp_path / run, 12) for run in "ab")
    assert all(np.array_equal(ours[name], theirs[name]) for name in ours)
    assert ours["rollbacks/.ATTRIBUTES/VARIABLE_VALUE"] == 1


def test_the_fourth_time_is_the_end(inject, tiny_config, tmp_path, capsys):
    inject("loss/d")
    with pytest.raises(NotFinite, match="loss/d is not finite at step 10") as raised:
        train(tiny_config(loss="poisoned", on_nan="rollback"), tmp_path)
    said = str(raised.value)
    assert "; 3 rollbacks did not help; what usually helps: lower learning rates" in said
    assert "--on_nan=rollback" not in said
    assert capsys.readouterr().err.count("going on from step 6 with other noise") == 3


def test_a_run_can_be_rolled_back_to_its_start(inject, tiny_config, tmp_path):
    inject("loss/d", lambda rollbacks: rollbacks < 1)
    config = tiny_config(loss="poisoned", on_nan="rollback", checkpoint_every=100)
    assert train(config, tmp_path, quiet=True)["rollbacks"] == 1


def test_the_end_names_the_checkpoint_that_it_went_back_to(
    state, tiny_config, tmp_path, monkeypatch
):
    """The newest one is damaged before the first rollback; a run then fails before the next."""
    pair = LOSSES["non_saturating"]

    def discriminator(*logits):
        bad = state().step == tf.where(state().rollbacks == 0, np.int64(BAD), np.int64(2))
        return tf.where(bad, np.nan, pair.discriminator(*logits))

    def damage():
        (tmp_path / "checkpoints/step-6.index").write_bytes(b"")

    monkeypatch.setitem(LOSSES, "poisoned", pair._replace(discriminator=discriminator))
    monkeypatch.setattr(trainer, "restore", once_more(trainer.restore, damage))
    with pytest.raises(NotFinite, match=r"^loss/d is not finite at step 3, .* step 0; "):
        train(tiny_config(loss="poisoned", on_nan="rollback"), tmp_path, quiet=True)
    assert json.loads((tmp_path / "summary.json").read_text())["step"] == 0


def test_loss_scaling_skips_and_counts_overflows(inject, tiny_config, tmp_path):
    inject("overflow")
    config = tiny_config(loss="poisoned", precision="mixed_float16", on_nan="rollback")
    summary = train(config, tmp_path, quiet=True)
    assert (summary["status"], summary["rollbacks"]) == ("completed", 0)
    assert summary["skipped_updates"] == {"d": 1, "g": 0}
    assert summary["loss/d"] < 10


def test_signs_of_collapse_look_at_what_is_written(inject, tiny_config, tmp_path, monkeypatch):
    """A norm that overflowed is null in both, so that the record is passed over in both."""
    seen = []
    monkeypatch.setattr(collapse, "collapse_signs", lambda records, *more: (
        seen.append(records[-1]) or {}
    ))  # fmt: skip
    inject("overflow")
    train(
        tiny_config(loss="poisoned", precision="mixed_float16", log_every=1), tmp_path, quiet=True
    )
    written = read_records(tmp_path / "metrics.jsonl")
    assert any(None in record.values() for record in written)
    for live, record in zip(seen, written, strict=False):
        one, other = ({n for n, v in r.items() if v is None} for r in (live, record))
        assert one == other


@pytest.mark.parametrize(
    "changes", [{"d_warmup_steps": 1}, {"d_steps": 3}, {"schedule": "classic", "d_steps": 2}]
)
def test_updates_that_are_none_are_no_skipped_ones(changes, tiny_config, tmp_path):
    config = tiny_config(precision="mixed_float16", steps=2, **changes)
    summary = train(config, tmp_path, run_eagerly=True, quiet=True)
    assert summary["skipped_updates"] == {"d": 0, "g": 0}


def test_other_precisions_have_nothing_to_skip(tiny_config, tmp_path):
    assert train(tiny_config(), tmp_path, quiet=True)["skipped_updates"] == {}
