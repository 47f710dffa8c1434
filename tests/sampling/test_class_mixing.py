"""Between two classes: what is mixed where labels become an embedding or one-hot rows."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from gan.cli import sample
from gan.errors import UserError
from gan.sampling import drawing, generators
from gan.sampling.class_mixing import mixing_generator
from support import status_of

LEVELS = np.array([-1.0, 0.2, 0.6])  # of the classes' images
SHARES = [[1, 0, 0], [0.5, 0, 0.5], [0, 0.25, 0.75], [0, 0, 1]]
MIXED = [-1.0, -0.2, 0.5, 0.6]


def with_embedding(labels):
    layer = keras.layers.Embedding(3, 1)
    level = layer(labels)
    layer.set_weights([LEVELS[:, None]])
    return level


def with_encoding(labels):
    return with_rows(keras.layers.CategoryEncoding(3, "one_hot")(labels))


def with_operation(labels):
    return with_rows(keras.ops.one_hot(labels, 3))


def with_rows(rows):
    layer = keras.layers.Dense(1, use_bias=False)
    level = layer(rows)
    layer.set_weights([LEVELS[:, None]])
    return level


def with_number(labels):
    return keras.layers.Reshape([1])(keras.layers.Rescaling(0.1)(labels))


def with_both(labels):
    return keras.layers.Add()([with_embedding(labels), with_number(labels)])


def generator_of(level_of, weight_of_latents=0.0):
    """Draws the level of the class, and as much of the sum of the latents."""
    latents, labels = keras.Input([4]), keras.Input([], dtype="int32")
    constant = keras.initializers.Constant(weight_of_latents)
    total = keras.layers.Dense(1, kernel_initializer=constant)(latents)
    flat = keras.layers.Add()([total, level_of(labels)])
    spread = keras.layers.Dense(16, kernel_initializer="ones")(flat)
    return keras.Model([latents, labels], keras.layers.Reshape([4, 4, 1])(spread))


@pytest.mark.parametrize(
    ("level_of", "expected"),
    [(with_embedding, "embeddings"), (with_encoding, "one-hot rows"),
     (with_operation, "one-hot rows")],
)  # fmt: skip
def test_classes_are_mixed_by_their_shares(level_of, expected):
    mixing, what = mixing_generator(generator_of(level_of), np.array(SHARES))
    assert what == expected
    images = mixing([np.zeros([4, 4]), np.arange(4)]).numpy()
    np.testing.assert_allclose(images[:, 1, 2, 0], MIXED, atol=1e-6)


@pytest.mark.parametrize("level_of", [with_both])
def test_labels_that_go_elsewhere_are_refused(level_of):
    with pytest.raises(UserError, match="--latent=classes: labels must go into an Embedding or"):
        mixing_generator(generator_of(level_of), np.array(SHARES))


def test_the_command_goes_from_each_class_to_the_next(tmp_path, monkeypatch, capsys):
    path, out = tmp_path / "g.keras", tmp_path / "classes.png"
    generator_of(with_embedding).save(path)
    arguments = ("--latent=classes", "--labels=0,2,1", "--seeds=5-6")
    assert status_of(monkeypatch, sample, path, *arguments) == 0
    said = capsys.readouterr().out
    assert said == f"{out}: from class to class, 2 ways of 2 seeds, mixing embeddings\n"
    cells = tf.io.decode_png(out.read_bytes()).numpy()[::3, ::3, 0][4::6, 4::6]
    rows = [np.linspace(*ends, 10) for ends in ((-1, 0.6), (-1, 0.6), (0.6, 0.2), (0.6, 0.2))]
    np.testing.assert_allclose(cells, np.array(rows) * 127.5 + 127.5, atol=1)
    ends = drawing.sample(generators.read_generator(path), [5, 6], labels=[0, 2])
    assert (cells[0, 0], cells[0, -1]) == (ends[0, 1, 1, 0], ends[1, 1, 1, 0])
    assert status_of(monkeypatch, sample, path, "--latent=classes", "--labels=2") == 2
    assert "--latent=classes: needs two or more classes" in capsys.readouterr().err


@pytest.mark.parametrize("truncation", [0.0, 0.4])
def test_a_row_of_the_command_is_the_way_of_one_seed(truncation, tmp_path, monkeypatch):
    path, out = tmp_path / "g.keras", tmp_path / "classes.png"
    generator_of(with_embedding, 0.1).save(path)
    arguments = ["--latent=classes", "--labels=1,2,0", "--seeds=5-6"]
    arguments += [f"--truncation={truncation}"] * bool(truncation)
    assert status_of(monkeypatch, sample, path, *arguments) == 0
    cells = tf.io.decode_png(out.read_bytes()).numpy()[::3, ::3, 0][4::6, 4::6]
    generator = generators.read_generator(path)
    for column, labels in ((0, [1, 1, 2, 2]), (-1, [2, 2, 0, 0])):
        ends = drawing.sample(generator, [5, 6, 5, 6], labels, truncation)[:, 1, 1, 0]
        np.testing.assert_array_equal(cells[:, column], ends)
    assert len(set(cells[:, 0].tolist())) == 4
    assert np.all(np.ptp(np.diff(cells[:2].astype(int), axis=1), axis=1) <= 1)  # in equal steps
