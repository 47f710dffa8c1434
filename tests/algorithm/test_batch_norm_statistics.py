"""The averaged generator's own BatchNorm statistics."""

import keras
import numpy as np
import pytest
from keras import layers

from gan.algorithm.batch_norm_statistics import measure_statistics, statistics_inputs
from gan.algorithm.collectives import batch_norm_layers
from gan.data.datasets import load_dataset
from gan.errors import TrainingFailed
from gan.sampling import generators
from gan.sampling.generators import load_generator
from gan.training import collapse, loop
from gan.training.trainer import train
from support import same, weights_of


def normalised(x, norm):
    return norm.gamma.numpy() * (x - x.mean(0)) / np.sqrt(x.var(0) + 1e-3) + norm.beta.numpy()


def test_the_statistics_are_those_of_the_layers_inputs():
    rng = np.random.default_rng(0)
    inputs = keras.Input((3,))
    first, second = layers.BatchNormalization(momentum=0.8), layers.BatchNormalization()
    nested = keras.Sequential([keras.Input((5,)), layers.Dense(4), second])  # any depth
    network = keras.Model(inputs, nested(layers.ReLU()(first(layers.Dense(5)(inputs)))))
    network.set_weights([rng.uniform(0.5, 2.0, w.shape) for w in network.get_weights()])
    batches = [[rng.normal(size=[64, 3]).astype(np.float32)] for _ in range(3)]
    expected = []
    for (batch,) in batches:
        x = batch @ network.layers[1].kernel.numpy() + network.layers[1].bias.numpy()
        y = np.maximum(normalised(x, first), 0.0)
        y = y @ nested.layers[0].kernel.numpy() + nested.layers[0].bias.numpy()
        expected.append([x.mean(0), x.var(0), y.mean(0), y.var(0)])
    others = [v.numpy() for v in network.trainable_variables]
    measure_statistics(network, batches)
    found = [first.moving_mean, first.moving_variance, second.moving_mean, second.moving_variance]
    for index, variable in enumerate(found):
        mean = np.mean([one[index] for one in expected], axis=0)
        np.testing.assert_allclose(variable.numpy(), mean, rtol=1e-4, atol=1e-4)
    assert same(others, [v.numpy() for v in network.trainable_variables])
    assert (first.momentum, second.momentum) == (0.8, 0.99)


def test_a_layer_that_is_called_twice_has_the_mean_of_both():
    inputs, norm = keras.Input((3,)), layers.BatchNormalization(momentum=0.9)
    network = keras.Model(inputs, norm(10.0 + 3.0 * norm(inputs)))
    norm.moving_variance.assign([7.0, 7.0, 7.0])
    batches = [[np.random.default_rng(seed).normal(size=[64, 3])] for seed in range(2)]
    means, variances = [], []
    for (x,) in batches:
        y = 10.0 + 3.0 * (x - x.mean(0)) / np.sqrt(x.var(0) + 1e-3)
        means += [x.mean(0), y.mean(0)]
        variances += [x.var(0), y.var(0)]
    measure_statistics(network, [[x.astype(np.float32)] for (x,) in batches])
    np.testing.assert_allclose(norm.moving_mean.numpy(), np.mean(means, 0), rtol=1e-4)
    np.testing.assert_allclose(norm.moving_variance.numpy(), np.mean(variances, 0), rtol=1e-4)


@pytest.mark.parametrize(("momentum", "count"), [(0.99, 2), (1.0, 0), (None, 0)])
def test_nothing_else_changes(momentum, count):
    inputs = keras.Input((3,))
    x = layers.SpectralNormalization(layers.Dense(5))(inputs)  # writes when it trains
    network = keras.Model(
        inputs, layers.BatchNormalization(momentum=momentum)(x) if momentum else x
    )
    before = weights_of(network)
    measure_statistics(network, [[np.ones([8, 3], np.float32)]])
    changed = [not np.array_equal(a, b) for a, b in zip(before, weights_of(network), strict=True)]
    assert sum(changed) == count


@keras.saving.register_keras_serializable("test_statistics")
class AsInInference(layers.Layer):
    """Normalises by the moving statistics, in training too."""

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.norm = layers.BatchNormalization()

    def call(self, inputs):
        return self.norm(inputs, training=False)


def test_statistics_that_no_call_moves_stay():
    frozen, inner = layers.BatchNormalization(), AsInInference()
    inputs = keras.Input((3,))
    network = keras.Model(inputs, layers.BatchNormalization()(inner(frozen(inputs))))
    frozen.trainable = False
    for norm, value in ((frozen, 2.0), (inner.norm, 3.0)):
        norm.moving_mean.assign([value] * 3)
        norm.moving_variance.assign([value] * 3)
    measure_statistics(network, [[np.ones([8, 3], np.float32)]])
    for norm, value in ((frozen, 2.0), (inner.norm, 3.0)):
        assert norm.moving_mean.numpy().tolist() == [value] * 3
        assert norm.moving_variance.numpy().tolist() == [value] * 3
    assert network.layers[-1].moving_mean.numpy()[0] != 0.0


def test_statistics_are_of_kernels_as_they_are_in_inference():
    """In training mode SpectralNormalization would make the norm 1 of what is 0.5 or 3 here."""
    inputs, batch = keras.Input((3,)), np.random.default_rng(0).normal(size=[512, 3])
    for norm in (0.5, 3.0):
        dense = layers.SpectralNormalization(layers.Dense(4))
        last = layers.BatchNormalization()
        network = keras.Model(inputs, last(dense(inputs)))
        kernel = dense.layer.kernel
        kernel.assign(norm * kernel / np.linalg.norm(kernel.numpy(), 2))
        measure_statistics(network, [[batch.astype(np.float32)]])
        seen = batch @ kernel.numpy()
        np.testing.assert_allclose(last.moving_variance.numpy(), seen.var(0), rtol=1e-3)


def test_what_is_measured_with_is_normal_and_has_every_class():
    inputs = statistics_inputs(7, 10)
    latents = np.concatenate([batch[0] for batch in inputs])
    assert latents.shape == (8192, 7)
    assert latents.mean() == pytest.approx(0.0, abs=0.02)
    assert latents.std() == pytest.approx(1.0, abs=0.02)
    assert len(np.unique(latents[:, 0])) > 8000  # no batch twice
    assert set(inputs[0][1]) == set(range(10))
    many = np.concatenate([batch[1] for batch in statistics_inputs(7, 1000)])  # stacks of digits
    assert np.bincount(many).tolist() == [9] * 192 + [8] * 808
    assert [len(batch) for batch in statistics_inputs(7, 0)] == [1] * 16


@pytest.mark.parametrize("half_life", [10**6, 0])
def test_a_run_saves_evaluates_and_draws_an_average_with_its_own_statistics(
    half_life, tiny_config, tmp_path, monkeypatch
):
    config = tiny_config(
        generator="dcgan_dense_tiny",
        ema_half_life=half_life,
        g_learning_rate=0.02,
        evaluate_every=6,
    )
    seen = []

    def picture(config, generator, data):
        seen.append(weights_of(generator))
        return draw(config, generator, data)

    draw = loop.sample_grids.sample_picture
    monkeypatch.setattr(loop.sample_grids, "sample_picture", picture)
    train(
        config,
        tmp_path,
        make_evaluators=lambda *_: {
            "own": lambda g, step: seen.append(weights_of(g)) or {"metrics": {}}
        },
    )
    data = load_dataset("mnist", "", print)
    average, step = generators.restore_generator(tmp_path, data, "ema")
    raw, _ = generators.restore_generator(tmp_path, data, "raw")
    assert step == config.steps
    latents = np.random.default_rng(0).normal(size=[4000, config.latent_dim]).astype(np.float32)
    norm = batch_norm_layers(average)[0]
    inside = keras.Model(average.inputs, norm.input)(latents).numpy()
    statistics = norm.moving_mean.numpy(), norm.moving_variance.numpy()
    if half_life:
        np.testing.assert_allclose(statistics[0], inside.mean(0), atol=0.1 * inside.std())
        np.testing.assert_allclose(statistics[1], inside.var(0), rtol=0.15)
        trained = batch_norm_layers(raw)[0].moving_variance.numpy()
        assert not np.allclose(trained, statistics[1], rtol=0.15)
    else:
        assert same(weights_of(average), weights_of(raw))
    assert same(seen[-1], weights_of(average))  # of the last evaluation, or picture
    assert same(seen[-2], weights_of(average))


def test_statistics_are_measured_closely_for_evaluations_and_checkpoints_only(
    tiny_config, tmp_path, monkeypatch
):
    """A picture at every step; closely is with two batches here, else with one."""
    monkeypatch.setattr(loop, "ROUGHLY", 1)
    close, draw = [], loop.sample_grids.sample_picture

    def picture(config, generator, data):
        measured = keras.models.clone_model(generator)
        measured.set_weights(generator.get_weights())
        measure_statistics(measured, statistics_inputs(config.latent_dim, 0))
        pairs = zip(weights_of(generator), weights_of(measured), strict=True)
        close.append(all(np.allclose(a, b, rtol=1e-3, atol=1e-4) for a, b in pairs))
        return draw(config, generator, data)

    monkeypatch.setattr(loop.sample_grids, "sample_picture", picture)
    config = tiny_config(steps=7, sample_every=1, checkpoint_every=3, evaluate_every=4)
    train(config, tmp_path, run_eagerly=True, quiet=True)
    assert [step for step, closely in enumerate(close) if closely] == [3, 4, 6, 7]
    assert len(close) == 8


def test_a_run_that_collapses_saves_an_average_with_statistics_of_its_own(
    tiny_config, tmp_path, monkeypatch
):
    """At a step at which nothing else would have measured them."""
    monkeypatch.setattr(collapse, "collapse_signs", lambda records, evaluations, log_odds: (
        {"mode_collapse": "few modes"} if round(records[-1]["kimg"] / 0.016) == 8 else {}
    ))  # fmt: skip
    with pytest.raises(TrainingFailed, match="collapsed at step 8"):
        train(tiny_config(on_collapse="stop"), tmp_path, run_eagerly=True, quiet=True)
    saved = load_generator(tmp_path, "8", "ema")
    measured = load_generator(tmp_path, "8", "ema")
    measure_statistics(measured, statistics_inputs(8, 0))
    for a, b in zip(weights_of(saved), weights_of(measured), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-3, atol=1e-4)
    raw = weights_of(load_generator(tmp_path, "8", "raw"))
    assert not same(weights_of(saved), raw)
