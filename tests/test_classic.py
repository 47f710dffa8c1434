"""The classic schedule is the literal script, which trains no discriminator on Keras 3."""

import keras
import numpy as np
import pytest
import tensorflow as tf
import tf_keras

from experiments.peers import merged
from gan.losses import LOSSES
from gan.models import mlp_discriminator, mlp_generator
from gan.step import GanState, classic_discriminator_update, generator_update

STEPS, BATCH = 6, 64


def with_weights(network):
    """The layers of a network that have weights, in order."""
    return [layer for layer in network.layers if layer.weights]


def layer_weights(network):
    return [weight for layer in with_weights(network) for weight in layer.get_weights()]


@pytest.fixture(scope="module")
def batches():
    rng = np.random.default_rng(0)
    real = rng.uniform(-1, 1, (STEPS, BATCH, 28, 28, 1))
    return real, rng.normal(size=(STEPS, 2, BATCH, 100))


def our_networks(dtype):
    if dtype == "float32":
        return mlp_generator(100, (28, 28, 1)), mlp_discriminator((28, 28, 1))
    generator, discriminator, _ = merged.build(keras, dtype)
    discriminator.layers[-1].activation = keras.activations.linear  # logits
    discriminator.trainable = True
    return generator, discriminator


# Adam makes a full step of a rounding error where the gradient is near zero, so float32 can only
# agree in norm; float64 shows that nothing but rounding is left.
@pytest.mark.parametrize(("dtype", "tolerance"), [("float32", 0.01), ("float64", 1e-6)])
def test_the_classic_schedule_is_the_script_on_keras_2(dtype, tolerance, batches):
    reals, noises = (array.astype(dtype) for array in batches)
    generator, discriminator = our_networks(dtype)
    before = layer_weights(generator) + layer_weights(discriminator)

    script = merged.build(tf_keras, dtype)
    for ours, old in ((generator, script.generator), (discriminator, script.discriminator)):
        for layer, old_layer in zip(with_weights(ours), with_weights(old), strict=True):
            old_layer.set_weights(layer.get_weights())
    old_losses = [merged.train_step(script, r, *n) for r, n in zip(reals, noises, strict=True)]

    def adam():
        return keras.optimizers.Adam(2e-4, beta_1=0.5, epsilon=1e-7)

    state = GanState(generator, discriminator, generator, adam(), adam(), tf.Variable(0))
    state.g_optimizer.build(generator.trainable_variables)
    state.d_optimizer.build(discriminator.trainable_variables)
    loss = LOSSES["non_saturating"]

    @tf.function
    def step(real, noise, g_noise):
        d = classic_discriminator_update(state, real, noise)
        return d["loss/d"], generator_update(state, real, g_noise, loss)["loss/g"]

    our_losses = [
        [float(v) for v in step(r, n, g)] for r, (n, g) in zip(reals, noises, strict=True)
    ]

    after = layer_weights(generator) + layer_weights(discriminator)
    old_after = layer_weights(script.generator) + layer_weights(script.discriminator)
    assert len(after) == 4 * 2 + 3 * 4 + 3 * 2  # moving statistics included
    for start, ours, old in zip(before, after, old_after, strict=True):
        change, old_change = ours - start, old - start
        assert np.linalg.norm(old_change) > 0
        assert np.linalg.norm(change - old_change) <= tolerance * np.linalg.norm(old_change)
    np.testing.assert_allclose(our_losses, old_losses, rtol=1e-4 if dtype == "float32" else 1e-6)


@pytest.mark.parametrize(("keras_version", "moves"), [(tf_keras, True), (keras, False)])
def test_only_keras_2_trains_the_discriminator_of_the_script(keras_version, moves, batches):
    script = merged.build(keras_version)
    discriminator, generator = script.discriminator, script.generator
    d_before, g_before = layer_weights(discriminator), layer_weights(generator)
    for real, noise in zip(*(array.astype(np.float32) for array in batches), strict=True):
        merged.train_step(script, real, *noise)
    d_moved = [np.abs(a - b).max() for a, b in zip(layer_weights(discriminator), d_before)]  # noqa: B905
    g_moved = [np.abs(a - b).max() for a, b in zip(layer_weights(generator), g_before)]  # noqa: B905
    assert min(g_moved) > 0
    assert (min(d_moved) > 0) if moves else (max(d_moved) == 0.0)
