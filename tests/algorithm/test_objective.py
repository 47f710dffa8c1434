"""What D sees, and what conditional networks are given."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from gan.algorithm.augment import AUGMENTATIONS
from gan.algorithm.losses import LOSSES
from gan.algorithm.objective import Objective, pack_images
from gan.algorithm.penalties import PENALTIES, WeightedPenalty
from gan.algorithm.step import (
    classic_discriminator_update,
    discriminator_update,
    generator_loss_only,
    generator_update,
    simultaneous_update,
)
from gan.data.input_pipeline import Batch
from gan.training.state import build_state

BATCH, SHAPE, LATENT_DIM, CLASSES = 8, (28, 28, 1), 8, 10
RNG = np.random.default_rng(0)
KEY = tf.constant([0, 3], tf.int64)
REALS = tf.constant(RNG.uniform(-1, 1, (BATCH, *SHAPE)), tf.float32)
LATENTS = tf.constant(RNG.standard_normal((BATCH, LATENT_DIM)), tf.float32)
LABELS = tf.constant([3, 1, 4, 1, 5, 9, 2, 6], tf.int32)
SEEN = Batch(REALS, LABELS, LATENTS)
OBJECTIVE = Objective(LOSSES["relativistic"], WeightedPenalty(PENALTIES["wgan_gp"], 1.0))


def test_neighbours_are_packed_as_channels():
    images = tf.reshape(tf.range(4 * 2 * 2 * 3), [4, 2, 2, 3])
    two = pack_images(images, 2).numpy()
    assert two.shape == (2, 2, 2, 6)
    np.testing.assert_array_equal(two[1, ..., :3], images[2])
    np.testing.assert_array_equal(two[1, ..., 3:], images[3])
    points = pack_images(tf.reshape(tf.range(8), [4, 2]), 4).numpy()
    assert points.tolist() == [[0, 1, 2, 3, 4, 5, 6, 7]]
    assert pack_images(images, 1) is images


def test_a_packed_discriminator_sees_so_many_images_at_once_all_of_a_kind(tiny_config):
    """Real images are 2 to 3, fakes -1 to 1, so a mixed pack would show."""
    config = tiny_config(pack=4, batch_size=BATCH)
    state = build_state(config, SHAPE)
    assert state.discriminator.input_shape == (None, 28, 28, 4)
    assert state.generator.output_shape == (None, *SHAPE)
    seen = []

    def discriminator(images, training):
        seen.append(images.numpy())
        return tf.reduce_sum(images, [1, 2, 3])[:, None]

    discriminator.inputs, discriminator.trainable_variables = [None], []
    discriminator.losses, discriminator.weights, discriminator.variables = [], [], []
    spied = state._replace(discriminator=discriminator, d_optimizer=keras.optimizers.SGD(0.0))
    objective = Objective(LOSSES["relativistic"], augmentations=AUGMENTATIONS["none"], pack=4)
    generator_update(spied, SEEN._replace(images=REALS * 0.5 + 2.5), objective, KEY)
    real, fake = seen
    assert real.shape == fake.shape == (2, 28, 28, 4)
    assert real.min() >= 2
    assert fake.max() <= 1
    metrics = discriminator_update(state, SEEN, OBJECTIVE._replace(pack=4), KEY)
    assert all(np.isfinite(float(value)) for value in metrics.values())


@pytest.mark.parametrize(
    "update",
    [
        lambda s: discriminator_update(s, SEEN, OBJECTIVE, KEY),
        lambda s: generator_update(s, SEEN, OBJECTIVE, KEY),
        lambda s: simultaneous_update(s, SEEN, OBJECTIVE, KEY),
        lambda s: generator_loss_only(s, SEEN, OBJECTIVE, KEY),
        lambda s: classic_discriminator_update(s, SEEN),
    ],
    ids=["discriminator", "generator", "simultaneous", "idle", "classic"],
)
def test_both_conditional_networks_get_the_labels_of_the_batch(update, tiny_config):
    """In every call; the penalty's too."""
    config = tiny_config(conditional=True, batch_size=BATCH)
    state, seen = build_state(config, SHAPE, classes=CLASSES), []

    def spied(network):
        def call(inputs, training):
            seen.append(inputs[1].numpy().tolist())
            return network(inputs, training=training)

        call.inputs, call.trainable_variables = network.inputs, network.trainable_variables
        call.losses, call.weights, call.variables = [], network.weights, network.variables
        return call

    generator, discriminator = spied(state.generator), spied(state.discriminator)
    update(state._replace(generator=generator, discriminator=discriminator))
    assert len(seen) >= 3  # G, D on real images, D on fakes
    assert all(labels == LABELS.numpy().tolist() for labels in seen)


def test_a_conditional_step_learns_to_tell_wrong_labels(tiny_config):
    """Images are their label's brightness: D must give the right label the higher logit."""
    config = tiny_config(conditional=True, batch_size=64, d_learning_rate=0.01)
    state = build_state(config, SHAPE, classes=2)
    labels = tf.constant([0, 1] * 32, tf.int32)
    brightness = tf.reshape(tf.cast(labels, tf.float32) * 2 - 1, [-1, 1, 1, 1])
    images = tf.ones([64, *SHAPE]) * brightness
    latents = tf.constant(RNG.standard_normal((64, LATENT_DIM)), tf.float32)
    for _ in range(30):
        # Fakes are as bright as real images of the other label.
        wrong = state._replace(generator=mislabelled)
        discriminator_update(wrong, Batch(images, labels, latents), Objective(LOSSES["hinge"]), KEY)
    right = state.discriminator([images, labels], training=False)
    wrong = state.discriminator([images, 1 - labels], training=False)
    assert float(tf.reduce_min(right - wrong)) > 0.5


def mislabelled(inputs, training):
    """Draws the brightness of the other label."""
    return tf.ones([64, *SHAPE]) * tf.reshape(1 - 2 * tf.cast(inputs[1], tf.float32), [-1, 1, 1, 1])


mislabelled.inputs, mislabelled.weights, mislabelled.variables = [None, None], [], []
