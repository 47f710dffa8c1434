import re

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers, ops

from gan.errors import UserError
from gan.models import checks
from gan.models.build import build_discriminator, build_generator
from gan.run.config import Config

SIZE, LATENT_DIM = 8, 6


def discriminator(*before, last="linear", after=(), shape=(SIZE, SIZE, 1), **dense):
    return keras.Sequential([
        keras.Input(shape), *before, layers.Flatten(), layers.Dense(16, activation="leaky_relu"),
        layers.Dense(1, activation=last, **dense), *after,
    ])  # fmt: skip


def generator(last="tanh", *after, **dense):
    return keras.Sequential([
        keras.Input((LATENT_DIM,)), layers.Dense(SIZE * SIZE, activation=last, **dense),
        layers.Reshape((SIZE, SIZE, 1)), *after,
    ])  # fmt: skip


def functional(change):
    images = keras.Input((SIZE, SIZE, 1))
    return keras.Model(images, change(images))


def conditional(encode, dtype="int32"):
    latents, labels = keras.Input((LATENT_DIM,)), keras.Input((), dtype=dtype)
    joined = layers.Concatenate()([latents, encode(labels)])
    images = layers.Reshape((SIZE, SIZE, 1))(layers.Dense(SIZE * SIZE, activation="tanh")(joined))
    return keras.Model([latents, labels], images)


def in_submodel(layer):
    labels = keras.Input((), dtype="int32")
    return keras.Model(labels, layer(labels))


class AlmostSigmoid(layers.Layer):
    def call(self, x):
        return 0.05 + 0.9 * ops.sigmoid(x)


@keras.saving.register_keras_serializable("test_checks")
class Registered(layers.Layer):
    def call(self, x):
        return ops.tanh(x)


@keras.saving.register_keras_serializable("test_checks")
class Forgetful(layers.Layer):
    """Has a layer that its configuration does not know of."""

    def __init__(self, scaled=False, **kwargs):
        super().__init__(**kwargs)
        self.scaled = scaled
        if scaled:
            self.inner = Scale()

    def call(self, x):
        return ops.tanh(self.inner(x) if self.scaled else x)

    def get_config(self):
        return {"name": self.name}


@keras.saving.register_keras_serializable("test_checks")
class Scale(layers.Layer):
    def build(self, shape):
        self.factor = self.add_weight(shape=(), initializer="ones")

    def call(self, x):
        return self.factor * x


class Unregistered(layers.Layer):
    def call(self, x):
        return ops.tanh(x)


class Drawing(layers.Layer):
    """Adds noise; with a generator of its own, or as it is told."""

    def __init__(self, draw=None, **kwargs):
        super().__init__(**kwargs)
        self.seeds, self.draw = None if draw else keras.random.SeedGenerator(1), draw

    def call(self, x):
        if self.draw:
            return x + self.draw(ops.shape(x))
        return x + keras.random.normal(ops.shape(x), seed=self.seeds)


class DrawingInTraining(layers.Layer):
    def call(self, x, training=False):
        return x + tf.random.normal(tf.shape(x)) if training else x


@pytest.fixture(autouse=True)
def seeded():
    keras.utils.set_random_seed(0)


IMAGES = np.random.default_rng(1).uniform(-1, 1, (16, SIZE, SIZE, 1)).astype(np.float32)


@pytest.mark.parametrize(
    ("network", "named"),
    [
        (lambda: discriminator(last="sigmoid"), "sigmoid"),
        (lambda: discriminator(last="hard_sigmoid"), "hard_sigmoid"),
        (lambda: discriminator(after=[layers.Activation("sigmoid")]), "sigmoid"),
        (lambda: discriminator(last="sigmoid", after=[layers.Reshape((1,))]), "sigmoid"),
        (lambda: keras.Sequential([keras.Input((SIZE, SIZE, 1)), discriminator(last="sigmoid")]),
         "sigmoid"),
        (lambda: functional(lambda x: ops.sigmoid(layers.Dense(1)(layers.Flatten()(x)))),
         "sigmoid"),
        (lambda: discriminator(after=[AlmostSigmoid()]), "nothing outside of 0..1"),
        (lambda: discriminator(last=lambda x: 0.5 + 0.5 * ops.tanh(x)), "nothing outside of 0..1"),
    ],
)  # fmt: skip
def test_probabilities_are_no_logits(network, named):
    with pytest.raises(UserError, match=rf"^discriminator: .*{named}.*must return logits"):
        checks.check_logits("discriminator", network(), IMAGES)


@pytest.mark.parametrize(
    "network",
    [
        lambda: discriminator(),
        lambda: discriminator(kernel_initializer="zeros"),  # says 0 of everything
        lambda: discriminator(bias_initializer=keras.initializers.Constant(0.5)),
        lambda: discriminator(
            layers.Rescaling(0.001), bias_initializer=keras.initializers.Constant(0.5)
        ),
        lambda: discriminator(layers.LayerNormalization()),
        lambda: discriminator(layers.Conv2D(4, 3, activation="tanh"), layers.BatchNormalization()),
        lambda: discriminator(layers.Conv2D(4, 3, activation="sigmoid")),
        lambda: discriminator(layers.Rescaling(0.001)),
    ],
)
def test_logits_of_any_kind_are_logits(network):
    checks.check_logits("discriminator", network(), IMAGES)


@pytest.mark.parametrize(
    ("network", "named"),
    [
        (lambda: generator("sigmoid"), "ends in sigmoid, its images lie in 0..1"),
        (lambda: generator("softmax"), "ends in softmax, its images lie in 0..1"),
        (lambda: generator("sigmoid", layers.Rescaling(255.0)), r"images in \d.*\.\.[12]\d\d"),
        (lambda: generator("tanh", layers.Rescaling(127.5, 127.5)), r"must be in -1\.\.1"),
    ],
)
def test_images_of_another_range_are_refused(network, named):
    with pytest.raises(UserError, match=rf"^a file: .*{named}"):
        checks.check_images("a file", network())


def test_images_that_are_never_dark_are_doubted():
    (doubt,) = checks.check_images("generator", generator("relu"))
    assert "nothing below 0" in doubt
    for last in ("tanh", "linear", "leaky_relu"):
        assert checks.check_images("generator", generator(last)) == []


@pytest.mark.parametrize(
    ("encode", "named"),
    [
        (lambda labels: layers.Embedding(2, 4)(labels), "an Embedding of 2 rows, .* 4 classes"),
        (lambda labels: in_submodel(layers.Embedding(3, 4))(labels), "an Embedding of 3 rows"),
        (lambda labels: layers.Add()([layers.Embedding(n, 4)(labels) for n in (9, 3)]),
         "an Embedding of 3 rows"),
        (lambda labels: ops.one_hot(labels, 2), "does not tell the classes 2, 3 apart"),
        (lambda labels: layers.CategoryEncoding(2, "one_hot")(layers.Reshape((1,))(labels)),
         r"cannot take the labels 0 to 3|does not tell the classes 2, 3 apart"),
    ],
)  # fmt: skip
def test_each_class_of_the_data_needs_a_place(encode, named):
    with pytest.raises(UserError, match=named):
        checks.check_labels("generator", conditional(encode), 4)


@pytest.mark.parametrize(
    "encode",
    [
        lambda labels: layers.Embedding(4, 4)(labels),
        lambda labels: layers.Embedding(4, 4, embeddings_initializer="zeros")(labels),
        lambda labels: in_submodel(layers.Embedding(4, 4))(labels),
        lambda labels: ops.one_hot(labels, 4),
        lambda labels: layers.Concatenate()(
            [layers.Embedding(4, 4)(labels), ops.one_hot(labels, 9)]
        ),
        lambda labels: layers.CategoryEncoding(4, "one_hot")(layers.Reshape((1,))(labels)),
    ],
)
def test_networks_say_how_many_classes_they_know(encode):
    network = conditional(encode)
    assert checks.check_labels("generator", network, 4) == []
    assert checks.classes_of(network) == 4


@pytest.mark.parametrize("rows", [5, 10])
def test_more_classes_than_the_data_have_are_doubted(rows):
    network = conditional(lambda labels: layers.Embedding(rows, 4)(labels))
    (doubt,) = checks.check_labels("generator", network, 4)
    assert f"{rows} rows" in doubt
    assert "4 classes" in doubt


def test_labels_of_a_narrow_type_are_refused():
    network = conditional(lambda labels: layers.Embedding(300, 4)(labels), "uint8")
    with pytest.raises(UserError, match="labels as uint8, must take int32"):
        checks.check_labels("generator", network, 300)


def test_a_network_that_does_not_say_its_classes_is_refused():
    network = conditional(lambda labels: layers.Rescaling(1.0)(layers.Reshape((1,))(labels)))
    with pytest.raises(UserError, match="must have an Embedding or a CategoryEncoding"):
        checks.classes_of(network)


@pytest.mark.parametrize(
    ("shape", "dtype", "right"),
    [((SIZE, SIZE, 1), "uint8", False), ((LATENT_DIM,), "int32", False),
     ((LATENT_DIM,), "float16", True), ((LATENT_DIM,), "float64", True)],
)  # fmt: skip
def test_inputs_are_floats(shape, dtype, right):
    inputs = keras.Input(shape, dtype=dtype)
    x = layers.Flatten()(layers.Rescaling(1.0, dtype="float32")(inputs))
    network = keras.Model(inputs, layers.Dense(1)(x))
    if right:
        checks.check_network("network", network, shape, (1,))
        return
    with pytest.raises(UserError, match=f"network: takes {dtype}, must take float32"):
        checks.check_network("network", network, shape, (1,))


NORMALISED = {"mean": 127.5, "variance": 127.5**2}


@pytest.mark.parametrize(
    ("network", "named"),
    [
        (lambda: discriminator(layers.Rescaling(1 / 127.5, -1)), r"-1\.008\.\.-0\.99"),
        (lambda: discriminator(layers.Rescaling(1 / 255)), r"-0\.0039.*0\.0039"),
        (lambda: discriminator(layers.Normalization(**NORMALISED)), r"-1\.008\.\.-0\.99"),
        (lambda: functional(lambda x: discriminator()(layers.Rescaling(1 / 127.5, -1)(x))),
         r"-1\.008"),
        (lambda: functional(lambda x: discriminator(layers.Rescaling(1 / 127.5, -1))(x)),
         r"-1\.008"),
        (lambda: functional(lambda x: layers.Dense(1)(layers.Flatten()(x / 127.5 - 1))),
         r"-1\.008"),
        (lambda: functional(lambda x: discriminator()(ops.divide(x, 127.5) - 1.0)),
         "its logits differ by"),
    ],
)  # fmt: skip
def test_a_discriminator_that_was_built_for_another_range_is_named(network, named):
    (doubt,) = checks.doubts_about_sight("discriminator", network())
    assert re.search(named, doubt), doubt


@pytest.mark.parametrize(
    "network",
    [
        lambda: discriminator(),
        lambda: discriminator(layers.Rescaling(0.5, 0.5)),
        lambda: discriminator(layers.Rescaling(127.5, 127.5)),
        lambda: discriminator(layers.Normalization(mean=0.0, variance=0.25)),
        lambda: discriminator(layers.AveragePooling2D(SIZE)),
        lambda: discriminator(layers.GaussianNoise(0.1), layers.Conv2D(4, 3, activation="relu")),
        lambda: discriminator(layers.BatchNormalization()),
        lambda: discriminator(layers.LayerNormalization()),
        lambda: discriminator(kernel_initializer="zeros"),
        lambda: functional(lambda x: layers.Dense(1)(layers.Flatten()(2.0 * x))),
    ],
)
def test_a_discriminator_that_sees_the_range_is_not(network):
    assert checks.doubts_about_sight("discriminator", network()) == []


def test_frozen_networks_and_layers_are_named():
    network = discriminator(layers.Conv2D(2, 3, name="first"), layers.BatchNormalization())
    assert checks.doubts_about_frozen_layers("discriminator", network) == []
    checks.check_trainable("discriminator", network)
    network.get_layer("first").trainable = False
    (doubt,) = checks.doubts_about_frozen_layers("discriminator", network)
    assert "the weights of first are frozen" in doubt
    checks.check_trainable("discriminator", network)
    network.trainable = False
    with pytest.raises(UserError, match="discriminator: has no trainable weights"):
        checks.check_trainable("discriminator", network)


@keras.saving.register_keras_serializable("test_checks")
class Factor(layers.Layer):
    """Forgets its factor when it is saved."""

    def __init__(self, factor=1.0, **kwargs):
        super().__init__(**kwargs)
        self.factor = factor

    def call(self, inputs):
        return inputs * self.factor

    def get_config(self):
        return super().get_config()


@keras.saving.register_keras_serializable("test_checks")
class Unknown(layers.Layer):
    """Has a variable that Keras does not track."""

    def build(self, shape):
        self.mine = tf.Variable(1.0, name="mine")

    def call(self, inputs):
        return inputs * self.mine


def test_frozen_layers_of_submodels_are_named():
    first = layers.Conv2D(2, 3, name="first")
    network = discriminator(keras.Sequential([first, layers.Conv2D(2, 3)]))
    first.trainable = False
    (doubt,) = checks.doubts_about_frozen_layers("discriminator", network)
    assert "the weights of first are frozen" in doubt


@pytest.mark.parametrize(
    ("network", "named"),
    [
        (lambda: generator("linear", Unregistered()), "register_keras_serializable"),
        (lambda: generator("linear", keras.Sequential([Unregistered()])), "register_keras_ser"),
        (lambda: generator("linear", layers.Lambda(lambda x: ops.tanh(x))), "Lambda layer lambda"),
        (lambda: generator("linear", keras.Sequential([layers.Lambda(ops.tanh, name="inner")])),
         "Lambda layer inner"),
        (lambda: generator(lambda x: ops.tanh(x)), "could not be loaded again"),
        (lambda: generator("linear", Forgetful(scaled=True)), "it has 2 of 3 weights"),
        (lambda: generator("linear", Factor(5.0)), "it computes something else: get_config must"),
    ],
)  # fmt: skip
def test_what_could_not_be_loaded_again_is_refused(network, named):
    with pytest.raises(UserError, match=named) as refused:
        checks.check_saving("generator", network())
    assert "\n" not in str(refused.value)


def test_what_can_be_loaded_again_is_not():
    checks.check_saving("generator", generator("linear", layers.Dropout(0.1), Registered()))


@pytest.mark.parametrize(
    ("draw", "named"),
    [
        (lambda shape: keras.random.normal(shape), "seed"),
        (lambda shape: tf.random.normal(shape), "RandomStandardNormal"),
        (lambda shape: tf.random.uniform(shape), "RandomUniform"),
    ],
)
def test_random_numbers_that_do_not_resume_are_named(draw, named):
    (doubt,) = checks.check_variables("discriminator", discriminator(Drawing(draw)))
    assert named in doubt
    assert "SeedGenerator" in doubt


def test_random_numbers_of_training_alone_are_named_too():
    (doubt,) = checks.check_variables("generator", generator("tanh", DrawingInTraining()))
    assert "RandomStandardNormal" in doubt


def test_random_numbers_that_resume_are_not():
    network = discriminator(
        Drawing(), layers.Dropout(0.5), layers.GaussianNoise(0.1), layers.RandomFlip()
    )
    assert checks.check_variables("discriminator", network) == []


@pytest.mark.parametrize("build", [discriminator, lambda layer: generator("tanh", layer)])
def test_variables_that_keras_does_not_know_are_refused(build):
    with pytest.raises(
        UserError, match=r"has the tf\.Variable .*mine:0, which Keras neither trains"
    ):
        checks.check_variables("network", build(Unknown()))


def test_a_network_of_another_half_precision_is_refused():
    half = discriminator(layers.Conv2D(2, 3, dtype="mixed_float16"))
    checks.check_precision("discriminator", half, "mixed_float16")
    for precision in ("float32", "mixed_bfloat16"):
        with pytest.raises(UserError, match=r"computes in float16 .*must be mixed_float16, or"):
            checks.check_precision("discriminator", half, precision)
    checks.check_precision("discriminator", discriminator(), "float32")


def test_players_that_share_weights_are_refused():
    shared = keras.Sequential([layers.Dense(4)])
    one, other = (
        keras.Model(x := keras.Input((n,)), layers.Dense(n)(shared(layers.Dense(3)(x))))
        for n in (5, 6)
    )
    with pytest.raises(UserError, match=r"share the weights .*/kernel, each must have its own"):
        checks.check_apart(one, other)
    checks.check_apart(one, keras.models.clone_model(one))


def test_a_weight_that_is_frozen_alone_is_named():
    network = discriminator(dense := layers.Dense(4))
    assert checks.doubts_about_frozen_layers("discriminator", network) == []
    dense.bias.trainable = False
    (doubt,) = checks.doubts_about_frozen_layers("discriminator", network)
    assert f"the weights of {dense.bias.path} are frozen" in doubt


def test_losses_of_calls_are_found():
    assert not checks.adds_losses(discriminator(kernel_regularizer="l2"))  # of weights
    assert checks.adds_losses(discriminator(activity_regularizer="l2"))
    assert checks.adds_losses(discriminator(keras.Sequential([layers.ActivityRegularization(1)])))


@pytest.mark.parametrize("classes", [0, 3])
@pytest.mark.parametrize("name", ["tiny", "dcgan_tiny", "dcgan_dense_tiny", "resnet_tiny"])
def test_the_networks_of_the_package_raise_no_doubt(name, classes):
    config = Config(
        generator=name, discriminator=name, precision="float32", conditional=bool(classes),
        latent_dim=LATENT_DIM, d_norm="none" if name == "resnet_tiny" else "spectral",
    )  # fmt: skip
    g, d = (build(config, (28, 28, 1), classes) for build in (build_generator, build_discriminator))
    images = np.random.default_rng(1).uniform(-1, 1, (16, 28, 28, 1)).astype(np.float32)
    checks.check_logits("discriminator", d, images)
    checks.check_saving("generator", g)
    doubts = checks.check_images("generator", g) + checks.doubts_about_sight("discriminator", d)
    for network in (g, d):
        checks.check_trainable("network", network)
        doubts += checks.doubts_about_frozen_layers("network", network)
        doubts += checks.check_variables("network", network)
        doubts += checks.check_labels("network", network, classes) if classes else []
    assert doubts == []
    assert checks.classes_of(g) == classes
