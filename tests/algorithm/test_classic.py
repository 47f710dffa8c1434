"""The classic schedule is the literal script, which trains no discriminator on Keras 3."""

import keras
import numpy as np
import pytest
import tensorflow as tf
import tf_keras

from experiments.benchmarks.peers import merged
from gan.algorithm.losses import LOSSES
from gan.algorithm.objective import Objective
from gan.algorithm.step import GanState, classic_discriminator_update, generator_update
from gan.data.input_pipeline import Batch
from gan.run.config import Config
from gan.training.builders import compile_train_steps
from gan.training.state import build_state

STEPS, BATCH = 6, 64


def with_weights(network):
    """The layers of a network that have weights, in order."""
    return [layer for layer in network.layers if layer.weights]


def layer_weights(network):
    return [weight for layer in with_weights(network) for weight in layer.get_weights()]


@pytest.fixture(scope="module")
def batches():
    """Real images [steps, batch, 28, 28, 1] uint8 and latents [steps, 2, batch, 100]."""
    rng = np.random.default_rng(0)
    reals = rng.integers(0, 256, (STEPS, BATCH, 28, 28, 1), np.uint8)
    return reals, rng.normal(size=(STEPS, 2, BATCH, 100)).astype(np.float32)


def run_script(script, networks, batches, dtype):
    """Runs the script from the weights of our networks and returns its losses, step by step."""
    for ours, old in zip(networks, script[:2], strict=True):
        for layer, old_layer in zip(with_weights(ours), with_weights(old), strict=True):
            old_layer.set_weights(layer.get_weights())
    reals, noises = batches
    scaled = reals.astype(dtype) / 127.5 - 1
    return [
        merged.train_step(script, real, *noise.astype(dtype))
        for real, noise in zip(scaled, noises, strict=True)
    ]


def assert_same_change(before, ours, script, tolerance):
    """Every tensor moved as the script's did, BatchNorm's statistics included.

    Adam makes a full step of a rounding error where the gradient is near zero, so float32 can only
    agree in norm; float64 shows that nothing but rounding is left (Keras 3 keeps the learning rate
    in float32, and a bias whose updates nearly cancel magnifies that).
    """
    assert len(before) == 4 * 2 + 3 * 4 + 3 * 2
    for start, end, old_end in zip(before, ours, script, strict=True):
        change, old_change = end - start, old_end - start
        assert np.linalg.norm(old_change) > 0
        assert np.linalg.norm(change - old_change) <= tolerance * np.linalg.norm(old_change)


def all_weights(networks):
    return [weight for network in networks for weight in layer_weights(network)]


def test_the_classic_schedule_is_the_script_on_keras_2(batches):
    """The very step that `--schedule=classic` compiles, from uint8 images, in float32."""
    config = Config(schedule="classic", precision="float32", jit_compile=True, batch_size=BATCH)
    state = build_state(config, (28, 28, 1))
    networks = (state.generator, state.discriminator)
    before, script = all_weights(networks), merged.build(tf_keras)
    old_losses = run_script(script, networks, batches, "float32")

    images, latents = batches[0][:, np.newaxis], batches[1]
    block = Batch(images, np.zeros(images.shape[:3], np.int32), latents)
    run_steps, losses = compile_train_steps(config, state), []
    for i in range(STEPS):
        result, _ = run_steps(block, tf.constant(i), tf.constant(i + 1))
        losses.append((float(result["loss/d"]), float(result["loss/g"])))

    assert_same_change(before, all_weights(networks), all_weights(script[:2]), 0.01)
    np.testing.assert_allclose(losses, old_losses, rtol=1e-4)


def test_in_float64_nothing_but_rounding_is_left(batches):
    keras.utils.set_random_seed(0)
    script, ours = merged.build(tf_keras, "float64"), merged.build(keras, "float64")
    networks = generator, discriminator = ours[:2]
    discriminator.layers[-1].activation = keras.activations.linear  # logits
    discriminator.trainable = True
    before = all_weights(networks)
    old_losses = run_script(script, networks, batches, "float64")

    def adam(network):
        optimizer = keras.optimizers.Adam(2e-4, beta_1=0.5, epsilon=1e-7)
        optimizer.build(network.trainable_variables)
        return optimizer

    optimizers = adam(generator), adam(discriminator)
    state = GanState(
        generator, discriminator, generator, *optimizers, tf.Variable(0), tf.Variable(0)
    )

    @tf.function
    def step(real, noise, g_noise):
        labels = tf.zeros([BATCH], tf.int32)
        d = classic_discriminator_update(state, Batch(real, labels, noise))
        key = tf.zeros([2], tf.int64)
        batch = Batch(real, labels, g_noise)
        g = generator_update(state, batch, Objective(LOSSES["non_saturating"]), key)
        return d["loss/d"], g["loss/g"]

    reals, noises = batches[0] / 127.5 - 1, batches[1].astype(np.float64)
    losses = [[float(v) for v in step(r, *n)] for r, n in zip(reals, noises, strict=True)]

    assert_same_change(before, all_weights(networks), all_weights(script[:2]), 1e-5)
    np.testing.assert_allclose(losses, old_losses, rtol=1e-6)


@pytest.mark.parametrize(("keras_version", "moves"), [(tf_keras, True), (keras, False)])
def test_only_keras_2_trains_the_discriminator_of_the_script(keras_version, moves, batches):
    script = merged.build(keras_version)
    discriminator, generator = script.discriminator, script.generator
    d_before, g_before = layer_weights(discriminator), layer_weights(generator)
    for real, noise in zip(*batches, strict=True):
        merged.train_step(script, real / np.float32(127.5) - 1, *noise)
    d_moved = [np.abs(a - b).max() for a, b in zip(layer_weights(discriminator), d_before)]  # noqa: B905
    g_moved = [np.abs(a - b).max() for a, b in zip(layer_weights(generator), g_before)]  # noqa: B905
    assert min(g_moved) > 0
    assert (min(d_moved) > 0) if moves else (max(d_moved) == 0.0)
