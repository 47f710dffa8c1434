"""Optimizers against the formulas of their papers, and the fused Adam against Keras' own."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from gan.algorithm.optimizer_table import OPTIMIZERS
from gan.algorithm.optimizers import FusedAdam
from gan.algorithm.schedules import DECAYS
from gan.training.state import build_state

SETTINGS = {"learning_rate": 0.01, "beta_1": 0.5, "beta_2": 0.9, "epsilon": 1e-3}


def steps_of(optimizer, gradients, jit_compile=None):
    """Returns the weights after each gradient, computed eagerly or in a compiled function."""
    weight = keras.Variable(np.ones(gradients.shape[1:], np.float32))
    optimizer.build([weight])

    def apply(gradient):
        optimizer.apply([gradient], [weight])

    if jit_compile is not None:
        apply = tf.function(apply, jit_compile=jit_compile)
    found = []
    for gradient in gradients:
        apply(tf.constant(gradient))
        found.append(weight.numpy())
    return np.array(found)


@pytest.fixture
def gradients():
    return np.random.default_rng(0).normal(size=(20, 3, 4)).astype(np.float32)


@pytest.mark.parametrize("jit_compile", [None, False, True])
def test_fused_adam_is_adam(gradients, jit_compile):
    found = steps_of(FusedAdam(**SETTINGS), gradients, jit_compile)
    weight, m, v = np.ones((3, 4)), 0.0, 0.0
    for t, gradient in enumerate(gradients.astype(np.float64), start=1):
        m = 0.5 * m + 0.5 * gradient
        v = 0.9 * v + 0.1 * gradient**2
        rate = 0.01 * np.sqrt(1 - 0.9**t) / (1 - 0.5**t)
        weight = weight - rate * m / (np.sqrt(v) + 1e-3)
        assert found[t - 1] == pytest.approx(weight, abs=2e-6), t
    assert np.abs(found - steps_of(keras.optimizers.Adam(**SETTINGS), gradients)).max() < 2e-6


@pytest.mark.parametrize("jit_compile", [None, False, True])
def test_rmsprop_is_that_of_the_paper(gradients, jit_compile):
    """Epsilon has no say: small gradients move a weight as far as large ones."""
    found = steps_of(OPTIMIZERS["rmsprop"].make(0.01, 0.5, 0.9), gradients, jit_compile)
    weight, v = np.ones((3, 4)), 0.0
    for t, gradient in enumerate(gradients.astype(np.float64)):
        v = 0.9 * v + 0.1 * gradient**2
        weight = weight - 0.01 * gradient / np.sqrt(v)
        assert found[t] == pytest.approx(weight, abs=2e-6), t
    small = steps_of(OPTIMIZERS["rmsprop"].make(0.01, 0.5, 0.9), 1e-5 * gradients, jit_compile)
    assert small == pytest.approx(found, abs=2e-4)


@pytest.mark.parametrize("jit_compile", [None, False, True])
def test_sgd_follows_the_gradient(gradients, jit_compile):
    found = steps_of(OPTIMIZERS["sgd"].make(0.01, 0.5, 0.9), gradients, jit_compile)
    assert found == pytest.approx(1 - 0.01 * gradients.cumsum(0), abs=2e-6)


def test_optimizers_keep_as_many_numbers_as_their_rows_say():
    """Beside the step and a constant learning rate."""
    weight = keras.Variable(np.ones((3, 4), np.float32))
    for name, row in OPTIMIZERS.items():
        optimizer = row.make(0.01, 0.5, 0.9)
        optimizer.build([weight])
        kept = [v for v in optimizer.variables if tuple(v.shape) == (3, 4)]
        assert len(kept) == row.slots, name


@pytest.mark.parametrize(
    ("decay", "share"), [("constant", 1.0), ("linear", 0.75), ("cosine", (1 + 0.5**0.5) / 2)]
)
@pytest.mark.parametrize("player", ["d", "g"])
def test_learning_rates_fall_with_the_updates_of_their_player(player, decay, share, tiny_config):
    """After a quarter: cos(pi / 4); D has three updates a step. The other player's stays."""
    config = tiny_config(
        **{f"{player}_learning_rate_decay": decay}, learning_rate_decay_steps=40, d_steps=3,
        d_learning_rate=0.5, g_learning_rate=0.5,
    )  # fmt: skip
    state = build_state(config, (28, 28, 1))
    updates = {"d": 30, "g": 10}
    for name, optimizer in (("d", state.d_optimizer), ("g", state.g_optimizer)):
        optimizer.iterations.assign(updates[name])
        expected = 0.5 * (share if name == player else 1.0)
        assert float(optimizer.learning_rate) == pytest.approx(expected, rel=1e-5)
        optimizer.iterations.assign(10 * updates[name])
        end = 0.0 if name == player and decay != "constant" else 0.5
        assert float(optimizer.learning_rate) == pytest.approx(end, abs=1e-9)


def test_after_a_warm_up_both_learning_rates_end_at_the_same_step(tiny_config):
    """G has made 30 updates when D has made 2 times 40; G begins with all of its rate."""
    config = tiny_config(
        d_learning_rate_decay="linear", g_learning_rate_decay="linear", d_warmup_steps=10,
        learning_rate_decay_steps=40, d_steps=2, d_learning_rate=0.5, g_learning_rate=0.5,
    )  # fmt: skip
    state = build_state(config, (28, 28, 1))
    for d_updates, g_updates, d_rate, g_rate in (
        (20, 0, 0.375, 0.5), (40, 10, 0.25, 1 / 3), (80, 30, 0.0, 0.0),
    ):  # fmt: skip
        state.d_optimizer.iterations.assign(d_updates)
        state.g_optimizer.iterations.assign(g_updates)
        assert float(state.d_optimizer.learning_rate) == pytest.approx(d_rate, abs=1e-6)
        assert float(state.g_optimizer.learning_rate) == pytest.approx(g_rate, abs=1e-6)


def test_a_falling_learning_rate_is_the_size_of_the_step():
    """Adam's first step is the learning rate, here of the update number 30 of 40."""
    variable = keras.Variable([1.0])
    optimizer = FusedAdam(DECAYS["linear"](0.5, 40, 0.0))
    optimizer.build([variable])
    optimizer.iterations.assign(30)
    optimizer._momentums[0].assign([0.0])
    before = float(variable.numpy()[0])
    optimizer.apply([tf.constant([2.0])], [variable])
    # The bias corrections are those of update 31; m = 0.1 g and v = 0.001 g^2.
    moved = 0.125 * (0.1 / (1 - 0.9**31)) / (0.001 / (1 - 0.999**31)) ** 0.5
    assert before - float(variable.numpy()[0]) == pytest.approx(moved, rel=1e-4)


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_loss_scaling_unscales_its_gradients_and_skips_overflows(name, gradients):
    def make():
        return OPTIMIZERS[name].make(0.01, 0.5, 0.9)

    scaled = keras.optimizers.LossScaleOptimizer(make(), initial_scale=8.0)
    found = steps_of(scaled, 8 * gradients, jit_compile=False)
    assert found == pytest.approx(steps_of(make(), gradients), abs=2e-6)
    bad = np.concatenate([gradients[:2], np.full((1, 3, 4), np.inf, np.float32)])
    scaled = keras.optimizers.LossScaleOptimizer(make(), initial_scale=1.0)
    found = steps_of(scaled, bad, jit_compile=False)
    assert np.array_equal(found[1], found[2])


def test_its_checkpoints_are_those_of_adam(gradients, tmp_path):
    kept = [FusedAdam(**SETTINGS), keras.optimizers.Adam(**SETTINGS)]
    weights = [keras.Variable(np.ones((3, 4), np.float32)) for _ in kept]
    for optimizer, weight in zip(kept, weights, strict=True):
        optimizer.build([weight])
    kept[0].apply([tf.constant(gradients[0])], [weights[0]])
    path = tf.train.Checkpoint(optimizer=kept[0]).save(str(tmp_path / "x"))
    tf.train.Checkpoint(optimizer=kept[1]).restore(path).assert_consumed()
    for a, b in zip(kept[0].variables, kept[1].variables, strict=True):
        assert np.array_equal(a.numpy(), b.numpy())
