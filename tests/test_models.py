import keras
import numpy as np
import pytest

from conftest import differ_everywhere, same, weights_of
from gan.models import DISCRIMINATORS, GENERATORS, mlp_discriminator, mlp_generator


def test_the_generator_is_the_original_one():
    g = mlp_generator(100, (28, 28, 1))
    assert g.count_params() == 1_493_520
    assert (g.input_shape, g.output_shape) == ((None, 100), (None, 28, 28, 1))
    hidden = ["Dense", "LeakyReLU", "BatchNormalization"]
    assert [type(layer).__name__ for layer in g.layers] == [
        "InputLayer", *hidden, *hidden, *hidden, "Dense", "Activation", "Reshape",
    ]  # fmt: skip
    dense = [layer for layer in g.layers if isinstance(layer, keras.layers.Dense)]
    assert [layer.units for layer in dense] == [256, 512, 1024, 784]
    for layer in g.layers:
        if isinstance(layer, keras.layers.LeakyReLU):
            assert layer.negative_slope == pytest.approx(0.2)
        if isinstance(layer, keras.layers.BatchNormalization):
            assert (layer.momentum, layer.epsilon) == (0.8, 1e-3)
    assert g.layers[-2].activation is keras.activations.tanh


def test_the_discriminator_is_the_original_one_without_sigmoid():
    d = mlp_discriminator((28, 28, 1))
    assert d.count_params() == 533_505
    assert (d.input_shape, d.output_shape) == ((None, 28, 28, 1), (None, 1))
    assert [type(layer).__name__ for layer in d.layers] == [
        "InputLayer", "Flatten", "Dense", "LeakyReLU", "Dense", "LeakyReLU", "Dense",
    ]  # fmt: skip
    assert [layer.units for layer in d.layers if hasattr(layer, "units")] == [512, 256, 1]
    assert d.layers[-1].activation is keras.activations.linear
    assert all(layer.negative_slope == pytest.approx(0.2) for layer in d.layers[3:6:2])


def test_initial_weights_are_glorot_uniform_in_every_layer():
    for network in (mlp_generator(100, (28, 28, 1)), mlp_discriminator((28, 28, 1))):
        for layer in network.layers:
            if isinstance(layer, keras.layers.Dense):
                kernel = layer.kernel.numpy()
                limit = np.sqrt(6 / sum(kernel.shape))
                assert np.abs(kernel).max() <= limit
                assert kernel.std() == pytest.approx(limit / np.sqrt(3), rel=0.1)
                assert not layer.bias.numpy().any()


@pytest.mark.parametrize(
    "build",
    [
        lambda seed: mlp_generator(8, (4, 4, 1), "float32", seed),
        lambda seed: mlp_discriminator((4, 4, 1), "float32", seed),
    ],
)
def test_the_seed_decides_the_weights(build):
    def kernels(seed):
        return [w for w in weights_of(build(seed)) if w.ndim == 2]

    assert same(kernels(0), kernels(0))
    assert differ_everywhere(kernels(0), kernels(1))
    starts = [k.ravel()[:4] / np.abs(k).max() for k in kernels(0)]  # no layer repeats another's
    assert all(not np.allclose(starts[i], starts[i - 1]) for i in range(1, len(starts)))


@pytest.mark.parametrize("policy", ["float32", "mixed_bfloat16", "mixed_float16"])
@pytest.mark.parametrize("name", GENERATORS)
def test_half_precision_stops_at_the_edges(name, policy):
    g = GENERATORS[name](8, (28, 28, 1), policy, 0)
    d = DISCRIMINATORS[name]((28, 28, 1), policy, 0)
    images = g(np.random.default_rng(0).normal(size=(4, 8)).astype(np.float32), training=True)
    logits = d(images, training=True)
    assert (images.dtype, logits.dtype) == ("float32", "float32")
    assert images.shape == (4, 28, 28, 1)
    assert logits.shape == (4, 1)
    for network in (g, d):
        inner = [layer.compute_dtype for layer in network.layers if hasattr(layer, "units")]
        assert inner[0] == policy.removeprefix("mixed_")
    assert all(v.dtype == "float32" for v in [*g.variables, *d.variables])


def test_a_saved_generator_opens_in_keras_and_draws_the_same(tmp_path):
    g = mlp_generator(8, (28, 28, 1), "mixed_bfloat16", 3, widths=(16,))
    g.save(tmp_path / "g.keras")
    again = keras.models.load_model(tmp_path / "g.keras")
    latents = np.random.default_rng(0).normal(size=(4, 8)).astype(np.float32)
    assert np.array_equal(g(latents), again(latents))
