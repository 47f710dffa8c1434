import keras
import numpy as np
import pytest
import tensorflow as tf

from gan.algorithm.penalties import NO_PENALTY, PENALTIES, WeightedPenalty
from gan.algorithm.schedules import value_at
from gan.models.layers import NetworkSpec
from gan.models.registry import DISCRIMINATORS
from gan.run.config import Config
from gan.training.builders import build_objective

KEY = tf.constant([3, 4], tf.int64)
RNG = np.random.default_rng(0)


@pytest.fixture(autouse=True)
def same_numbers_in_any_order():
    RNG.bit_generator.state = np.random.default_rng(0).bit_generator.state


def images(count=4, shape=(4, 4, 1)):
    return tf.constant(RNG.uniform(-1, 1, (count, *shape)), tf.float32)


def linear_critic(weights):
    """D(x) = w . x + 5."""
    inputs = keras.Input((4, 4, 1))
    outputs = keras.layers.Dense(1)(keras.layers.Flatten()(inputs))
    critic = keras.Model(inputs, outputs)
    critic.set_weights([weights[:, None], np.array([5.0])])
    return critic


@pytest.mark.parametrize("norm", [0.0, 0.5, 1.0, 3.0])
@pytest.mark.parametrize(
    ("name", "closed_form"),
    [
        ("wgan_gp", lambda n: (n - 1) ** 2),
        ("dragan", lambda n: (n - 1) ** 2),
        ("r1", lambda n: n**2 / 2),
        ("r2", lambda n: n**2 / 2),
        ("r1_r2", lambda n: n**2),
    ],
)
def test_a_linear_critic_has_the_closed_form(name, closed_form, norm):
    """Its gradient is w everywhere, and so is the derivative of the penalty by w."""
    direction = RNG.standard_normal(16)
    weights = norm * direction / np.linalg.norm(direction)
    critic = linear_critic(weights)
    with tf.GradientTape() as tape:
        values = PENALTIES[name](critic, images(), images(), KEY)
        mean = tf.reduce_mean(values)
    assert values.shape == (4,)
    assert values.dtype == tf.float32
    np.testing.assert_allclose(values, [closed_form(norm)] * 4, atol=1e-5)
    gradient = tape.gradient(mean, critic.trainable_variables[0]).numpy()[:, 0]
    slope = (closed_form(norm + 1e-4) - closed_form(norm - 1e-4)) / 2e-4
    expected = slope * weights / norm if norm else np.zeros(16)  # finite at 0, because of epsilon
    np.testing.assert_allclose(gradient, expected, atol=1e-4)


class Quadratic(keras.layers.Layer):
    """x -> |x|^2 / 2 for each image, whose gradient is the image itself."""

    def call(self, inputs):
        return keras.ops.sum(keras.ops.square(inputs), (1, 2, 3), keepdims=False)[:, None] / 2


def quadratic():
    inputs = keras.Input((4, 4, 1))
    return keras.Model(inputs, Quadratic()(inputs))


def squares(batch):
    return np.sum(np.square(batch), (1, 2, 3))


def test_penalties_look_at_the_right_images():
    real_images, fake_images = images(), images()
    arguments = (quadratic(), real_images, fake_images, KEY)
    np.testing.assert_allclose(PENALTIES["r1"](*arguments), squares(real_images) / 2, rtol=1e-5)
    np.testing.assert_allclose(PENALTIES["r2"](*arguments), squares(fake_images) / 2, rtol=1e-5)
    both = (squares(real_images) + squares(fake_images)) / 2
    np.testing.assert_allclose(PENALTIES["r1_r2"](*arguments), both, rtol=1e-5)


def test_wgan_gp_is_between_real_and_fake():
    """With real = 3 e, fake = e and a unit vector e the norm is 1 + 2 s, so the value is 4 s^2."""
    unit = np.full((2000, 4, 4, 1), 0.25, np.float32)
    values = PENALTIES["wgan_gp"](quadratic(), tf.constant(3 * unit), tf.constant(unit), KEY)
    values = values.numpy()
    assert values.max() == pytest.approx(4.0, abs=0.05)
    assert values.min() == pytest.approx(0.0, abs=1e-3)
    assert values.mean() == pytest.approx(4 / 3, abs=0.1)
    assert len(np.unique(values)) > 1900  # a point of its own for each pair


def test_dragan_adds_a_share_of_noise_of_half_a_deviation():
    """Half of the images are 0, half 0.5: the deviation is 0.25, the noise 0 to 0.125 a pixel."""
    real_images = np.zeros((4000, 4, 4, 1), np.float32)
    real_images[2000:] = 0.5
    values = PENALTIES["dragan"](quadratic(), tf.constant(real_images), images(4000), KEY).numpy()
    norms = 1 - np.sqrt(values[:2000])  # those of the noise alone, at most 0.5
    assert norms.min() >= -1e-6
    assert norms.max() < 0.5
    # 16 pixels, and a third each for the mean square of the share and of the noise.
    assert np.mean(norms**2) == pytest.approx(16 * 0.125**2 / 9, rel=0.1)
    assert np.std(norms) > 0.05  # a share of its own for each image
    # The other half, of norm 2, gets noise from 0 on.
    assert (1 + np.sqrt(values[2000:])).min() >= 2 - 1e-5


@pytest.mark.parametrize("name", ["wgan_gp", "dragan"])
def test_random_points_are_a_function_of_the_key(name):
    arguments = (quadratic(), images(), images())
    first, again = (PENALTIES[name](*arguments, KEY).numpy() for _ in range(2))
    other = PENALTIES[name](*arguments, KEY + 1).numpy()
    np.testing.assert_array_equal(first, again)
    assert not np.array_equal(first, other)


def in_float64(network):
    """The same network with another dtype in each layer, because float32 differences are noise.

    And in its inputs, which would round images, and with them the gradient by an image.
    """

    def converted(layer):
        if not isinstance(layer, keras.layers.Layer):  # an operation, such as a sine
            return layer.__class__.from_config(layer.get_config())
        config = {**layer.get_config(), "dtype": "float64"}
        if "layer" in config:  # of a wrapper
            config["layer"]["config"]["dtype"] = "float64"
        return layer.__class__.from_config(config)

    inputs = keras.Input(network.input_shape[1:], dtype="float64", name="images")
    clone = keras.models.clone_model(network, inputs, clone_function=converted)
    clone.set_weights(network.get_weights())
    return clone


def away_from_zero(network):
    """Moves weights that start at 0, biases and last layers of residual branches."""
    for variable in network.trainable_variables:
        if not variable.numpy().any():
            variable.assign(RNG.normal(0, 0.1, variable.shape))
    return network


def discriminator_of(name, norm, side=16):
    side = side if "tiny" in name else 28
    shape = (2,) if name.startswith("toy") else (side, side, 1)
    network = DISCRIMINATORS[name].build(NetworkSpec(shape, norm=norm))
    return in_float64(away_from_zero(network)), shape


def mean_penalty(penalty, discriminator, real_images, fake_images):
    return tf.reduce_mean(PENALTIES[penalty](discriminator, real_images, fake_images, KEY))


def gradients_by_weights(*arguments):
    variables = arguments[1].trainable_variables
    with tf.GradientTape() as tape:
        loss = mean_penalty(*arguments)
    return tape.gradient(
        loss, [v.value for v in variables], unconnected_gradients=tf.UnconnectedGradients.ZERO
    )


@pytest.mark.parametrize(
    ("name", "side", "penalty"),
    [
        *(
            (name, 16, penalty)
            for name in ("mlp", "tiny", "dcgan_tiny", "dcgan_dense_tiny", "resnet_tiny", "toy_tiny")
            for penalty, row in PENALTIES.items()
            if row
        ),
        # Another depth each.
        *((name, 8, "r1_r2") for name in ("dcgan_tiny", "resnet_tiny")),
        *((name, 32, "r1_r2") for name in ("dcgan_tiny", "resnet_tiny")),
        *((name, 64, "r1_r2") for name in ("dcgan_tiny", "dcgan_dense_tiny", "resnet_tiny")),
    ],
)
def test_second_order_gradients_agree_with_finite_differences(name, side, penalty):
    """Along directions that grow or shrink each weight by a share of its own.

    So small a step that hardly a LeakyReLU passes its kink, where the penalty jumps. The large
    networks are the tiny ones with other widths.
    """
    discriminator, shape = discriminator_of(name, "none", side)
    real_images, fake_images = (tf.cast(images(4, shape), tf.float64) for _ in range(2))
    arguments = (penalty, discriminator, real_images, fake_images)
    variables = discriminator.trainable_variables
    start = [v.numpy() for v in variables]

    def value(distance, direction):
        for variable, at, by in zip(variables, start, direction, strict=True):
            variable.assign(at + distance * by)
        return float(mean_penalty(*arguments))

    step, by_tape, by_differences = 1e-7, [], []
    for _ in range(4):
        direction = [at * RNG.uniform(-0.5, 1.5, at.shape) for at in start]
        value(0.0, direction)
        gradients = gradients_by_weights(*arguments)
        by_tape.append(sum(np.sum(g * by) for g, by in zip(gradients, direction, strict=True)))
        change = value(step, direction) - value(-step, direction)
        by_differences.append(change / (2 * step))
    assert min(np.abs(by_tape)) > 1e-4
    np.testing.assert_allclose(by_tape, by_differences, rtol=1e-5)


@pytest.mark.parametrize("name", ["tiny", "dcgan_tiny", "toy_tiny"])
def test_under_spectral_normalisation_gradients_are_those_by_the_divided_weights(name):
    """Keras divides in place, so they are those of a plain network with these weights."""
    normalised, shape = discriminator_of(name, "spectral")
    plain, _ = discriminator_of(name, "none")
    real_images, fake_images = (tf.cast(images(4, shape), tf.float64) for _ in range(2))

    @tf.function
    def several():
        for _ in tf.range(200):
            normalised(real_images, training=True)

    several()
    for variable, value in zip(
        plain.trainable_variables, normalised.trainable_variables, strict=True
    ):
        variable.assign(value)
    pair = [
        gradients_by_weights("r1_r2", network, real_images, fake_images)
        for network in (normalised, plain)
    ]
    for one, other in zip(*pair, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-3, atol=1e-6)


@pytest.mark.parametrize(
    ("step", "weight"),
    # 8 to 2 in 100 steps by half a cosine: half way at 50, cos(pi / 3) = 1/2 at 33 1/3.
    [
        (0, 8.0),
        (25, 2.0 + 6.0 * (1 + 0.5**0.5) / 2),
        (50, 5.0),
        (75, 2.87868),
        (100, 2.0),
        (500, 2.0),
    ],
)
def test_the_weight_falls_by_half_a_cosine(step, weight):
    config = Config(penalty="r1", penalty_weight=8.0, penalty_decay=0.25, penalty_decay_steps=100)
    found = value_at(build_objective(config).penalty.weight, tf.constant(step, tf.int64))
    assert float(found) == pytest.approx(weight, rel=1e-5)


def test_the_weight_stays_without_a_decay():
    weight = build_objective(Config(penalty="r1", penalty_weight=8.0)).penalty.weight
    assert float(value_at(weight, tf.constant(7, tf.int64))) == 8.0


def test_the_weighted_penalty_is_a_mean_without_a_gradient_to_the_generator():
    real_images, fake_images = images(), images()
    with tf.GradientTape() as tape:
        tape.watch([real_images, fake_images])
        value = WeightedPenalty(PENALTIES["r1_r2"], 6.0)(
            quadratic(), real_images, fake_images, tf.constant(0, tf.int64), KEY
        )
    expected = 6.0 * np.mean(squares(real_images) + squares(fake_images)) / 2
    assert value.numpy() == pytest.approx(expected, rel=1e-5)
    assert tape.gradient(value, fake_images) is None
    arguments = (quadratic(), real_images, fake_images, tf.constant(0, tf.int64), None)
    assert float(NO_PENALTY(*arguments)) == 0.0
