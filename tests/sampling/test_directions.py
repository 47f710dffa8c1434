"""Directions that change images most, against kernels whose singular vectors are known."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from gan.cli import sample
from gan.errors import UserError
from gan.models.build import build_generator
from gan.run.config import Config
from gan.run.presets import from_preset
from gan.sampling import directions, drawing
from gan.sampling.generators import read_generator
from gan.sampling.latents import latents_of, truncate
from support import status_of

# The latents (0, 1, 1) are enlarged most, then (1, 0, 0), then (0, 1, -1).
ROOT_HALF = 0.5**0.5
KNOWN = np.array([[0, ROOT_HALF, ROOT_HALF], [1, 0, 0], [0, ROOT_HALF, -ROOT_HALF]])
VALUES = [7.0, 3.0, 0.5]
OUTPUTS = np.array([[0, 0, -1, 0], [0, 1, 0, 0], [0, 0, 0, 1]])  # unit vectors, any
KERNEL = KNOWN.T @ np.diag(VALUES) @ OUTPUTS


def images_of(x):
    return keras.layers.Reshape([2, 2, 1])(keras.layers.Activation("tanh")(x))


def dense(units=4, **more):
    return keras.layers.Dense(units, **more)


def plain():
    latents = keras.Input([3])
    layer = dense(activation="relu")
    network = keras.Model(latents, images_of(dense()(layer(latents))))
    layer.set_weights([KERNEL, np.full(4, 5.0)])
    return network


def conditional():
    """Latents come after the label, at half their size, and the label has the larger rows."""
    latents, labels = keras.Input([3]), keras.Input([], dtype="int32")
    embedded = keras.layers.Embedding(10, 2)(labels)
    joined = keras.layers.Concatenate()([embedded, keras.layers.Rescaling(0.5)(latents)])
    layer = dense()
    network = keras.Model([latents, labels], images_of(layer(joined)))
    layer.set_weights([np.concatenate([np.full([2, 4], 100.0), 2 * KERNEL]), np.zeros(4)])
    return network


def transposed():
    latents = keras.Input([3])
    layer = keras.layers.Conv2DTranspose(1, 2)
    network = keras.Model(latents, layer(keras.layers.Reshape([1, 1, 3])(latents)))
    layer.set_weights([KERNEL.T.reshape(2, 2, 1, 3), np.zeros(1)])
    return network


def spectral():
    latents = keras.Input([3])
    layer = dense()
    network = keras.Model(latents, images_of(keras.layers.SpectralNormalization(layer)(latents)))
    layer.set_weights([KERNEL, np.zeros(4)])
    return network


@pytest.mark.parametrize("make", [plain, conditional, transposed, spectral])
def test_the_directions_are_what_the_first_layer_enlarges_most(make):
    vectors, values = directions.directions_of(make())
    np.testing.assert_allclose(np.abs(vectors), np.abs(KNOWN), atol=1e-6)
    np.testing.assert_allclose(vectors @ KNOWN.T, np.diag([1, 1, 1]), atol=1e-6)  # and their signs
    np.testing.assert_allclose(values, VALUES, rtol=1e-5)


def odd():
    latents = keras.Input([4])
    scaled = keras.layers.BatchNormalization()(latents)
    return keras.Model(latents, keras.layers.Reshape([2, 2, 1])(scaled))


def test_other_first_layers_are_refused_in_a_line():
    with pytest.raises(UserError, match=r"the first layer is BatchNormalization of \[4\], must"):
        directions.directions_of(odd())
    latents = keras.Input([4])
    nothing = keras.Model(latents, keras.layers.Reshape([2, 2, 1])(latents))
    with pytest.raises(UserError, match="--directions: no layer with weights sees the latents"):
        directions.directions_of(nothing)


@pytest.mark.parametrize("generator", ["tiny", "dcgan_tiny", "sndcgan_dense_tiny", "resnet_tiny"])
def test_the_networks_of_the_package_have_directions(generator):
    config = Config(generator=generator, conditional=True, latent_dim=6, precision="float32")
    vectors, values = directions.directions_of(build_generator(config, (28, 28, 1), 10))
    np.testing.assert_allclose(vectors @ vectors.T, np.eye(6), atol=1e-6)
    assert np.all(np.diff(values) <= 0)
    assert values[-1] > 0


def test_categories_are_not_walked():
    """What only says which of it is the largest; the kernel's other rows alone have directions."""
    config = from_preset("infogan", {"generator": "tiny", "precision": "float32"})
    generator = build_generator(config, (28, 28, 1), 0)
    vectors, values = directions.directions_of(generator)
    assert vectors.shape == (32, 74)  # the layer has so many units
    assert (vectors[:, :10] == 0).all()
    kernel = next(layer for layer in generator.layers if layer.weights).kernel.numpy()
    expected = np.linalg.svd(kernel[10:], compute_uv=False)
    np.testing.assert_allclose(values, expected, rtol=1e-5)
    np.testing.assert_allclose(np.linalg.norm(vectors[:, 10:] @ kernel[10:], axis=1), expected,
                               rtol=1e-4)  # fmt: skip


def test_a_walk_has_the_seed_in_its_middle():
    ways, share = directions.walks(plain(), [4, 9], 2, 3.0)
    assert (ways.shape, ways.dtype) == ((2, 2, 11, 3), np.float32)
    middles = latents_of([4, 9], 3)
    for seed in range(2):
        for number in range(2):
            steps = (ways[seed, number] - middles[seed]) @ KNOWN[number]
            np.testing.assert_allclose(steps, np.linspace(-3, 3, 11), atol=1e-5)
            away = ways[seed, number] - middles[seed] - np.outer(steps, KNOWN[number])
            np.testing.assert_allclose(away, 0, atol=1e-5)
    assert share == pytest.approx((49 + 9) / (49 + 9 + 0.25))
    with pytest.raises(UserError, match="--directions=4: must be at most 3"):
        directions.walks(plain(), [0], 4, 3.0)


def test_the_command_draws_a_row_a_direction(tmp_path, monkeypatch, capsys):
    plain().save(tmp_path / "g.keras")
    arguments = ("--directions=2", "--seeds=4", "--reach=2.5")
    assert status_of(monkeypatch, sample, tmp_path / "g.keras", *arguments) == 0
    said = capsys.readouterr().out
    assert said == (
        f"{tmp_path}/directions.png: 2 directions from -2.5 to 2.5, 100% of the kernel's energy\n"
    )
    cells = tf.io.decode_png((tmp_path / "directions.png").read_bytes()).numpy()[::3, ::3, 0]
    assert cells.shape == (2 * 4 + 2, 11 * 4 + 2)
    first = latents_of([4], 3)[0] - 2.5 * KNOWN[0]
    expected = plain()
    expected.set_weights(keras.models.load_model(tmp_path / "g.keras").get_weights())
    image = expected(first[np.newaxis]).numpy()[0, ..., 0] * 127.5 + 127.5
    np.testing.assert_allclose(cells[2:4, 2:4], image, atol=1)


@pytest.mark.parametrize("truncation", [0.0, 0.4])
def test_in_the_middle_of_each_row_is_a_seed_of_a_class(truncation, tmp_path, monkeypatch):
    """Two directions from each of two seeds of each of two classes."""
    latents, labels = keras.Input([3]), keras.Input([], dtype="int32")
    joined = keras.layers.Concatenate()([keras.layers.Embedding(10, 3)(labels), latents])
    network = keras.Model([latents, labels], images_of(dense()(joined)))
    network.save(tmp_path / "g.keras")
    arguments = ["--directions=2", "--seeds=4,5", "--labels=2,0", "--reach=1"]
    arguments += [f"--truncation={truncation}"] * bool(truncation)
    assert status_of(monkeypatch, sample, tmp_path / "g.keras", *arguments) == 0
    picture = tf.io.decode_png((tmp_path / "directions.png").read_bytes()).numpy()[::3, ::3, 0]
    assert picture.shape == (8 * 4 + 2, 11 * 4 + 2)
    rows = [picture[2 + 4 * row : 4 + 4 * row] for row in range(8)]
    generator = read_generator(tmp_path / "g.keras")
    middles = drawing.sample(generator, [4, 5, 4, 5], [2, 2, 0, 0], truncation)[..., 0]
    assert len(np.unique(middles.reshape(4, -1), axis=0)) == 4
    for row, middle in zip(rows, middles.repeat(2, 0), strict=True):
        np.testing.assert_allclose(row[:, 22:24].astype(int), middle, atol=1)
    # Along a direction the class stays: neighbours of the middle are alike.
    for number, label in enumerate([2, 2, 2, 2, 0, 0, 0, 0]):
        seed = [4, 4, 5, 5][number % 4]
        z = latents_of([seed], 3)
        z = truncate(z, truncation) if truncation else z
        vector = directions.directions_of(generator)[0][number % 2]
        image = generator([z + 0.2 * vector, np.array([label])]).numpy()[0, ..., 0]
        np.testing.assert_allclose(rows[number][:, 26:28], image * 127.5 + 127.5, atol=1)
