"""Units of a discriminator that have one sign, and what training says of them."""

import dataclasses
import json

import keras
import numpy as np
import pytest
from keras import layers

from gan.algorithm import linear_units
from gan.algorithm.linear_units import linear_share, units_of_one_sign
from gan.data.datasets import Dataset
from gan.errors import TrainingFailed, UserError
from gan.run.config import Config
from gan.run.jsonl import read_records
from gan.run.presets import from_preset
from gan.training.checks import check_rows
from gan.training.trainer import train


def grey(*values):
    """A data set of 2,000 images of one pixel: most are black, the last ones have these values."""
    images = np.zeros([2000, 1, 1, 1], np.uint8)
    images[len(images) - len(values) :, 0, 0, 0] = values
    return Dataset(images)


def dense_of(*biases):
    """A discriminator of units that add the pixel and a bias, each after a layer of its own."""
    images = keras.Input([1, 1, 1])
    dense = layers.Dense(len(biases))
    x = layers.LeakyReLU()(dense(layers.Flatten()(images)))
    model = keras.Model(images, layers.Dense(1)(x))
    dense.set_weights([np.ones([1, len(biases)]), np.array(biases)])
    return model


def test_counts_by_hand(monkeypatch):
    """Black is -1. Two of 2,000 images are exactly the 0.1 % that may differ; three are more."""
    monkeypatch.setattr(linear_units, "EXAMPLES", 2000)
    data = grey(230, 255, 255)  # 0.80 and 1
    always, never, at_two, but_two, at_three = 2.0, -2.0, -0.9, 1.0 + 1e-3, -0.7
    assert units_of_one_sign(dense_of(always), Config(), data) == [(1, 1)]
    assert units_of_one_sign(dense_of(never), Config(), data) == [(1, 1)]
    assert units_of_one_sign(dense_of(at_two), Config(), data) == [(1, 1)]
    assert units_of_one_sign(dense_of(at_three), Config(), data) == [(0, 1)]
    found = units_of_one_sign(
        dense_of(always, at_three, never, at_two, but_two, at_three), Config(), data
    )
    assert found == [(4, 6)]


def test_examples_are_from_all_over_the_data():
    half = grey(*[255] * 1000)
    assert units_of_one_sign(dense_of(0.0, 2.0), Config(), half) == [(1, 2)]


def test_a_channel_is_a_unit_at_all_places():
    images = keras.Input([2, 1, 1])
    conv = layers.Conv2D(2, 1)
    model = keras.Model(images, layers.ReLU()(conv(images)))
    conv.set_weights([np.ones([1, 1, 1, 2]), np.array([0.0, 3.0])])
    data = Dataset(np.tile(np.array([0, 255], np.uint8).reshape(1, 2, 1, 1), [10, 1, 1, 1]))
    assert units_of_one_sign(model, Config(), data) == [(1, 2)]


def test_labels_are_those_of_the_images():
    """Classes 0 to 3, in order, are as grey as their number: a unit that adds both sees it."""
    labels = np.repeat(np.arange(4), 500)
    data = Dataset((255 - 85 * labels).astype(np.uint8).reshape(-1, 1, 1, 1), labels)
    images, classes = keras.Input([1, 1, 1]), keras.Input([], dtype="int32")
    embedding = layers.Embedding(4, 1)
    x = layers.Add()([layers.Flatten()(images), embedding(classes)])
    x = layers.Concatenate()([x, layers.Flatten()(images)])
    model = keras.Model([images, classes], layers.LeakyReLU()(x))
    # 1, 1/3, -1/3 and -1 of the image, and what the label adds: always 0.1.
    embedding.set_weights([0.1 - np.array([[1.0], [1 / 3], [-1 / 3], [-1.0]])])
    assert units_of_one_sign(model, Config(), data) == [(1, 2)]


def test_of_packed_and_stacked_images_it_sees_all_channels():
    """Units of two channels: their sum and their difference. Half of the images are bright."""
    images = keras.Input([1, 1, 2])
    dense = layers.Dense(2)
    x = layers.LeakyReLU()(dense(layers.Flatten()(images)))
    model = keras.Model(images, layers.Dense(1)(x))
    dense.set_weights([np.array([[1.0, 1.0], [1.0, -1.0]]), np.array([0.0, 0.1])])
    half = grey(*[255] * 1000)
    # Packed ones are alike; channels of a stack are drawn apart, and differ in half of the cases.
    assert units_of_one_sign(model, Config(pack=2), half) == [(1, 2)]
    assert units_of_one_sign(model, Config(), half._replace(stack=2)) == [(0, 2)]


def test_layers_that_tell_nothing_are_left_out():
    images = keras.Input([4])
    x = layers.Dense(3, activation="relu")(images)
    plain = keras.Model(images, layers.Dense(1)(layers.Activation("tanh")(x)))
    points = Dataset(np.random.default_rng(0).normal(size=(50, 4)).astype(np.float32))
    assert units_of_one_sign(plain, Config(), points) == []
    shared = layers.LeakyReLU()
    x = shared(layers.Dense(3)(shared(layers.Dense(3)(images))))
    once = layers.ReLU()(layers.Dense(5)(x))
    (found,) = units_of_one_sign(keras.Model(images, layers.Dense(1)(once)), Config(), points)
    assert found[1] == 5


def test_the_share_is_that_of_the_worst_layer():
    assert linear_share([(0, 48), (30, 96), (441, 448)]) == pytest.approx(0.984, abs=1e-3)
    assert linear_share([(48, 48), (0, 448)]) == 1.0


def light(*arguments):
    return {"light": lambda generator, step: {"metrics": {"fcd": 100.0 / step}}}


R1 = {"penalty": "r1", "penalty_weight": 0.1, "loss": "relativistic", "d_norm": "none"}


def tiny_d(bias):
    images = keras.Input([28, 28, 1])
    dense = layers.Dense(10)
    x = layers.LeakyReLU()(dense(layers.Flatten()(images)))
    model = keras.Model(images, layers.Dense(1)(x))
    dense.set_weights([dense.get_weights()[0], np.full(10, bias)])
    return model


@pytest.mark.parametrize(
    ("changes", "evaluated"), [(R1, True), ({**R1, "penalty": "wgan_gp"}, False), ({}, False)]
)
def test_it_is_evaluated_where_a_penalty_makes_it(changes, evaluated, tiny_config, tmp_path):
    config = tiny_config(**changes, evaluate_every=6)
    train(config, tmp_path / "run", discriminator=tiny_d(0.0), make_evaluators=light, quiet=True)
    records = read_records(tmp_path / "run/evaluations.jsonl")
    assert [record["step"] for record in records] == [6, 12]
    for record in records:
        assert set(record["metrics"]) == {"fcd"} | ({"linear_units"} if evaluated else set())
        assert record["metrics"].get("linear_units", 0.0) in [i / 10 for i in range(9)]


def test_it_is_not_evaluated_of_points(tiny_config, tmp_path):
    changes = {"dataset": "gaussian_ring", "generator": "toy_tiny", "discriminator": "toy_tiny"}
    config = tiny_config(**R1, **changes, evaluate_every=6)
    train(config, tmp_path / "run", make_evaluators=light, quiet=True)
    records = read_records(tmp_path / "run/evaluations.jsonl")
    assert [set(record["metrics"]) for record in records] == [{"fcd"}, {"fcd"}]


def test_stacks_may_stop_though_nothing_else_is_watched():
    """Whose evaluation counts modes, so no rule looks at these; of points neither does this one."""
    stacks = from_preset("stacked", {"on_collapse": "stop"})
    check_rows(stacks)
    for change in ({"penalty": "none"}, {"evaluate_every": 0}):
        with pytest.raises(UserError, match="none of the rules"):
            check_rows(dataclasses.replace(stacks, **change))


def test_a_linear_discriminator_stops_the_run(tiny_config, tmp_path):
    config = tiny_config(**R1, steps=60, evaluate_every=8, on_collapse="stop")
    expected = (
        r"^collapsed at step 16, saved: discriminator_linear: 100% of the units of a layer of D "
        r"have one sign .*what usually helps: for images on black --discriminator="
    )
    with pytest.raises(TrainingFailed, match=expected):
        train(
            config, tmp_path / "run", discriminator=tiny_d(100.0), make_evaluators=light, quiet=True
        )
    summary = json.loads((tmp_path / "run/summary.json").read_text())
    assert summary["collapse"] == {"discriminator_linear": 16}
