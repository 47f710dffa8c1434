import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers

from gan.algorithm.losses import LOSSES
from gan.algorithm.objective import Objective
from gan.algorithm.per_example import per_example
from gan.algorithm.step import discriminator_update
from gan.data.input_pipeline import Batch
from gan.run.presets import from_preset
from gan.training import devices
from gan.training.state import build_state

SHAPE, LATENT_DIM, BATCH, CLASSES, DECAY = (28, 28, 1), 8, 16, 10, 0.05
OBJECTIVE, KEY = Objective(LOSSES["non_saturating"]), tf.constant([0, 3], tf.int64)


class Own(layers.Dense):
    """What it does, nobody can know."""


class OwnModel(keras.Model):
    """The same."""


class OwnActivation(layers.Layer):
    def call(self, x):
        return x


def network(*middle):
    return keras.Sequential([keras.Input(SHAPE), layers.Flatten(), *middle, layers.Dense(1)])


def functional(function, model=keras.Model):
    inputs = keras.Input((6,))
    return model(inputs, layers.Dense(1)(function(inputs)))


def images_and_labels():
    images, labels = keras.Input(SHAPE), keras.Input((), dtype="int32")
    seen = layers.Dense(5, kernel_regularizer=keras.regularizers.L2(DECAY))(
        layers.Flatten()(images)
    )
    match = layers.Dot(1)([layers.LeakyReLU()(seen), layers.Embedding(CLASSES, 5)(labels)])
    return keras.Model([images, labels], layers.Add()([layers.Dense(1)(seen), match]))


@pytest.mark.parametrize(
    "make",
    [
        network,
        images_and_labels,
        lambda: network(layers.Dense(4, "tanh"), layers.ReLU(), layers.Activation("elu")),
        lambda: network(layers.Dense(4, kernel_regularizer="l2")),
        lambda: network(keras.Sequential([keras.Input((784,)), layers.Dense(3)])),
        lambda: functional(lambda x: layers.Concatenate()([keras.ops.sin(x), keras.ops.cos(x)])),
        lambda: keras.Sequential([
            keras.Input(SHAPE), layers.Conv2D(4, 3), layers.AveragePooling2D(2),
            layers.Conv2D(2, 2), layers.MaxPooling2D(), layers.Rescaling(0.5),
            layers.Reshape((2, -1)), layers.Flatten(), layers.Dense(1),
        ]),
        lambda: functional(lambda x: layers.Add()([x, layers.ReLU()(x)])),
    ],
)  # fmt: skip
def test_networks_whose_examples_are_alone(make):
    """Shown: what they make of a batch is what they make of its halves."""
    made = make()
    assert per_example(made)
    rng = np.random.default_rng(0)
    whole = [rng.uniform(size=(BATCH, *tensor.shape[1:])) for tensor in made.inputs]
    halves = [made.call([part[half] for part in whole], training=True)
              for half in (slice(8), slice(8, None))]  # fmt: skip
    np.testing.assert_allclose(made.call(whole, training=True), tf.concat(halves, 0), atol=1e-5)


@pytest.mark.parametrize(
    "make",
    [
        lambda: network(layers.BatchNormalization()),
        lambda: network(layers.Dropout(0.5)),
        lambda: network(layers.GaussianNoise(0.1)),
        lambda: network(layers.SpectralNormalization(layers.Dense(3))),
        lambda: network(layers.Dense(3, activity_regularizer="l2")),
        lambda: network(layers.ActivityRegularization(0.1)),
        lambda: network(layers.Dense(3, activation=lambda x: x - tf.reduce_mean(x, 0))),
        lambda: network(layers.Dense(3, activation=layers.BatchNormalization())),
        lambda: network(Own(3)),
        lambda: network(OwnActivation()),
        lambda: network(keras.Sequential([keras.Input((784,)), layers.BatchNormalization()])),
        lambda: functional(lambda x: x - keras.ops.mean(x, axis=0, keepdims=True)),
        lambda: functional(lambda x: layers.Concatenate(axis=0)([x, x])),
        lambda: functional(lambda x: layers.Concatenate(axis=-2)([x, x])),
        lambda: functional(lambda x: keras.ops.reshape(x, (-1, 6))),
        lambda: functional(lambda x: x, OwnModel),
    ],
)
def test_networks_of_which_it_is_not_known(make):
    assert not per_example(make())


@pytest.mark.parametrize(
    ("preset", "alone"),
    [
        ("mlp", True),
        ("cgan", True),
        ("small", True),
        ("r3gan", False),
        ("dcgan", False),
        ("hinge_sn", False),
    ],
)
def test_discriminators_of_presets(preset, alone):
    state = build_state(devices.resolve(from_preset(preset), {}), (28, 28, 1), classes=10)
    assert per_example(state.discriminator) == alone


@pytest.mark.parametrize(
    ("middle", "batches"), [([], [2 * BATCH]), ([layers.BatchNormalization()], [BATCH, BATCH])]
)
def test_how_often_the_discriminator_runs(middle, batches, tiny_config, monkeypatch):
    state = build_state(tiny_config(), SHAPE, discriminator=network(*middle))
    seen, call = [], layers.Flatten.call
    monkeypatch.setattr(
        layers.Flatten, "call", lambda self, x: seen.append(len(x)) or call(self, x)
    )
    discriminator_update(state, batch_of(BATCH), OBJECTIVE, KEY)
    assert seen == batches


def batch_of(count):
    rng = np.random.default_rng(0)
    return Batch(
        tf.constant(rng.uniform(-1, 1, (count, *SHAPE)), tf.float32),
        tf.constant(rng.integers(0, CLASSES, count), tf.int32),
        tf.constant(rng.normal(size=(count, LATENT_DIM)), tf.float32),
    )


def test_one_pass_over_real_and_fake_images_is_two_by_hand(tiny_config):
    """Each image with the label at its place, and a regulariser of weights that counts once."""
    discriminator = images_and_labels()
    config = tiny_config(d_learning_rate=1e-12, conditional=True)
    state = build_state(config, SHAPE, discriminator=discriminator, classes=CLASSES)
    batch = batch_of(BATCH)
    with keras.StatelessScope():
        fakes = state.generator([batch.latents, batch.labels], training=True)
    with tf.GradientTape() as tape:
        real, fake = (discriminator([x, batch.labels]) for x in (batch.images, fakes))
        loss = tf.reduce_mean(tf.nn.softplus(-real) + tf.nn.softplus(fake))
        loss += DECAY * tf.reduce_sum(discriminator.trainable_variables[0].value ** 2)
    gradients = tape.gradient(loss, [v.value for v in discriminator.trainable_variables])
    gradients = [tf.convert_to_tensor(gradient) for gradient in gradients]
    metrics = discriminator_update(state, batch, OBJECTIVE, KEY)
    assert float(metrics["loss/d"]) == pytest.approx(float(loss), rel=1e-5)
    assert float(metrics["logits/real"]) == pytest.approx(float(tf.reduce_mean(real)), rel=1e-4)
    assert float(metrics["logits/fake"]) == pytest.approx(float(tf.reduce_mean(fake)), rel=1e-4)
    norm = float(tf.linalg.global_norm(gradients))
    assert float(metrics["grads/d_norm"]) == pytest.approx(norm, rel=1e-4)
