import re

import keras
import numpy as np
import pytest
import tensorflow as tf

from gan.models.layers import LayerBuilder, NetworkSpec
from gan.models.registry import DISCRIMINATORS, GENERATORS, mlp_discriminator, mlp_generator
from gan.models.resnet import blur
from support import differ_everywhere, same, weights_of

TINY = ("tiny", "dcgan_tiny", "dcgan_dense_tiny", "resnet_tiny", "toy_tiny")


def shape_of(name, image_shape=(16, 16, 1)):
    return (2,) if name.startswith("toy") else image_shape


def norms_of(name):
    return ("none",) if name.startswith("resnet") else ("none", "batch", "spectral")


def numbers(*shape, seed=0):
    return np.random.default_rng(seed).normal(size=shape).astype(np.float32)


def pair(name, classes=0, norm="default", policy="float32", seed=0, image_shape=(16, 16, 1)):
    """A generator with 8 latent entries and a discriminator."""
    shape = shape_of(name, image_shape)
    spec = NetworkSpec(shape, 8, classes, norm, policy, seed)
    return GENERATORS[name].build(spec), DISCRIMINATORS[name].build(spec)


def test_the_generator_is_the_original_one():
    g = mlp_generator(NetworkSpec((28, 28, 1)))
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
    d = mlp_discriminator(NetworkSpec((28, 28, 1)))
    assert d.count_params() == 533_505
    assert (d.input_shape, d.output_shape) == ((None, 28, 28, 1), (None, 1))
    assert [type(layer).__name__ for layer in d.layers] == [
        "InputLayer", "Flatten", "Dense", "LeakyReLU", "Dense", "LeakyReLU", "Dense",
    ]  # fmt: skip
    assert [layer.units for layer in d.layers if hasattr(layer, "units")] == [512, 256, 1]
    assert d.layers[-1].activation is keras.activations.linear
    assert all(layer.negative_slope == pytest.approx(0.2) for layer in d.layers[3:6:2])


def test_initial_weights_are_glorot_uniform_in_every_layer():
    for network in (
        mlp_generator(NetworkSpec((28, 28, 1))),
        mlp_discriminator(NetworkSpec((28, 28, 1))),
    ):
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
        lambda seed: mlp_generator(NetworkSpec((4, 4, 1), 8, seed=seed)),
        lambda seed: mlp_discriminator(NetworkSpec((4, 4, 1), seed=seed)),
    ],
)
def test_the_seed_decides_the_weights(build):
    def kernels(seed):
        return [w for w in weights_of(build(seed)) if w.ndim == 2]

    assert same(kernels(0), kernels(0))
    assert differ_everywhere(kernels(0), kernels(1))
    starts = [k.ravel()[:4] / np.abs(k).max() for k in kernels(0)]  # no layer repeats another's
    assert all(not np.allclose(starts[i], starts[i - 1]) for i in range(1, len(starts)))


@pytest.mark.parametrize(
    ("name", "policy"),
    [
        *((name, "mixed_float16") for name in sorted(GENERATORS.keys() & DISCRIMINATORS.keys())),
        ("tiny", "mixed_bfloat16"),
        ("tiny", "float32"),
    ],
)
def test_half_precision_stops_at_the_edges(name, policy):
    shape = shape_of(name, (28, 28, 1))
    g, d = pair(name, policy=policy, image_shape=(28, 28, 1))
    images = g(numbers(4, 8), training=True)
    logits = d(images, training=True)
    assert (images.dtype, logits.dtype) == ("float32", "float32")
    assert images.shape == (4, *shape)
    assert logits.shape == (4, 1)
    for network in (g, d):
        inner = [layer.compute_dtype for layer in network.layers if layer.trainable_weights]
        assert inner[0] == policy.removeprefix("mixed_")
    assert all(v.dtype == "float32" for v in [*g.variables, *d.variables])


def test_a_saved_generator_opens_in_keras_and_draws_the_same(tmp_path):
    g = mlp_generator(NetworkSpec((28, 28, 1), 8, policy="mixed_bfloat16", seed=3), (16,))
    g.save(tmp_path / "g.keras")
    again = keras.models.load_model(tmp_path / "g.keras")
    latents = np.random.default_rng(0).normal(size=(4, 8)).astype(np.float32)
    assert np.array_equal(g(latents), again(latents))


@pytest.mark.parametrize(
    ("name", "image_shape", "g_count", "d_count"),
    [
        ("dcgan", (28, 28, 1), 550_225, 79_729),
        ("dcgan", (32, 32, 3), 682_707, 375_505),
        ("dcgan", (64, 64, 3), 2_174_355, 1_560_145),
        ("dcgan", (128, 128, 3), 4_535_571, 3_921_361),
        ("dcgan_dense", (28, 28, 1), 2_234_257, 2_185_105),  # together at most 5 M
        ("dcgan_dense", (28, 28, 3), 2_235_795, 2_186_641),
        ("resnet", (28, 28, 1), 714_113, 87_073),
        ("dcgan_dense", (64, 64, 3), 4_359_507, 4_309_201),
        ("resnet", (32, 32, 3), 740_931, 331_617),
        ("resnet", (64, 64, 3), 1_019_715, 610_401),
        ("toy", (2,), 62_722, 33_537),
    ],
)
def test_networks_are_as_large_as_they_say(name, image_shape, g_count, d_count):
    spec = NetworkSpec(image_shape)
    g, d = GENERATORS[name].build(spec), DISCRIMINATORS[name].build(spec)
    assert (g.count_params(), d.count_params()) == (g_count, d_count)
    assert (g.input_shape, g.output_shape) == ((None, 100), (None, *image_shape))
    assert (d.input_shape, d.output_shape) == ((None, *image_shape), (None, 1))
    assert [layer.name for layer in (g.layers[-1], d.layers[-1])] == ["images", "logits"]


@pytest.mark.parametrize("categories", [2, 64])
def test_a_category_is_the_largest_of_its_entries(categories):
    spec = NetworkSpec((2,), categories + 2, policy="mixed_bfloat16", seed=3)
    g = GENERATORS["toy_categorical"].build(spec)
    entries = categories + 2
    assert g.count_params() == entries * 128 + 128 + 3 * (128 * 128 + 128) + 128 * 2 + 2
    latents = numbers(5, entries)
    largest = latents[:, :categories].argmax(1)
    alike, other, moved = latents.copy(), latents.copy(), latents.copy()
    alike[:, :categories] = np.where(
        np.eye(categories)[largest], 0.2, -7 + 0.1 * latents[:, :categories]
    )
    other[np.arange(5), (largest + 1) % categories] = 9
    moved[:, categories:] += 2
    points = g(latents)
    assert points.dtype == "float32"
    assert same([points.numpy()], [g(alike).numpy()])
    for changed in (other, moved):
        assert (np.abs(g(changed).numpy() - points.numpy()).max(1) > 1e-4).all()


def test_the_latents_beside_a_category_count_a_tenth():
    g = GENERATORS["toy_categorical"].build(NetworkSpec((2,), 66, seed=3))
    latents = numbers(5, 66)
    x = np.concatenate([np.eye(64)[latents[:, :64].argmax(1)], latents[:, 64:] / 10], 1)
    *hidden, (kernel, bias) = zip(*2 * [iter(g.get_weights())], strict=True)
    for weights, biases in hidden:
        x = x @ weights + biases
        x = np.where(x > 0, x, 0.2 * x)
    assert g(latents).numpy() == pytest.approx(x @ kernel + bias, abs=1e-6)


@pytest.mark.parametrize(
    ("latent_dim", "classes", "message"),
    [
        (3, 0, "needs at least 4 latents, has 3$"),
        (66, 3, "has categories, and takes no labels$"),
    ],
)
def test_categories_that_cannot_be(latent_dim, classes, message):
    with pytest.raises(ValueError, match=message):
        GENERATORS["toy_categorical"].build(NetworkSpec((2,), latent_dim, classes))


@pytest.mark.parametrize(
    ("shape", "count"),
    # Weights, biases and BatchNorm's four numbers a channel: Dense 448 and 7x7x96, transposed
    # convolutions to 48 and 24, then 9 * 24 weights and a bias for each colour.
    [((28, 28, 1), 47_040 + 2_112_480 + 73_968 + 18_552 + 217), ((28, 28, 3), 2_252_040 + 651)],
)
def test_a_convolution_at_full_resolution_draws_the_images(shape, count):
    g = GENERATORS["sndcgan_dense"].build(NetworkSpec(shape, policy="mixed_bfloat16"))
    assert g.count_params() == count
    hidden = ["BatchNormalization", "ReLU"]
    assert [type(layer).__name__ for layer in g.layers] == [
        "InputLayer", "Dense", *hidden, "Dense", "Reshape", *hidden, "Conv2DTranspose", *hidden,
        "Conv2DTranspose", *hidden, "Conv2D", "Activation",
    ]  # fmt: skip
    convolutions = [layer for layer in g.layers if hasattr(layer, "kernel_size")]
    assert [(x.kernel_size, x.strides, x.filters) for x in convolutions] == [
        ((4, 4), (2, 2), 48), ((4, 4), (2, 2), 24), ((3, 3), (1, 1), shape[-1]),
    ]  # fmt: skip
    images = g(numbers(4, 100), training=True)
    assert (images.shape, images.dtype) == ((4, *shape), "float32")


@pytest.mark.parametrize("name", ["mlp", "dcgan_dense"])
@pytest.mark.parametrize(("classes", "policy"), [(0, "float32"), (10, "mixed_bfloat16")])
def test_on_black_black_is_zero(name, classes, policy):
    """At first no bias moves a logit, so that an image of zeros has 0, and only this one."""
    spec = NetworkSpec((28, 28, 1), classes=classes, norm="none", policy=policy, seed=3)
    on_black = DISCRIMINATORS[f"{name}_on_black"].build(spec)
    usual = DISCRIMINATORS[name].build(spec)
    labels = [np.arange(4, dtype=np.int32)] if classes else []
    images = np.full((4, 28, 28, 1), -1, np.float32)
    images[1:, 9:19, 9:19] = [[[[-0.5]]], [[[0.0]]], [[[1.0]]]]
    logits = on_black([images, *labels] if labels else images)
    assert not logits[0].numpy().any()
    assert (np.abs(logits[1:]) > 1e-3).all()
    shifted = usual([images + 1, *labels] if labels else images + 1)
    assert same([logits.numpy()], [shifted.numpy()])
    assert differ_everywhere([logits.numpy()], [usual([images, *labels] if labels else images)])
    assert on_black.count_params() == usual.count_params()


def test_neighbouring_pixels_are_drawn_by_the_same_weights():
    """A transposed convolution of stride 2 draws checkerboards of maps that are all alike."""
    drawn = {}
    for name in ("dcgan_dense_tiny", "sndcgan_dense_tiny"):
        g = GENERATORS[name].build(NetworkSpec((16, 16, 1), 8, seed=1))
        x = keras.Input(g.layers[-2].input.shape[1:])
        images = g.layers[-1](g.layers[-2](x))
        flat = np.full((1, *x.shape[1:]), 10.0, np.float32)
        drawn[name] = np.ptp(keras.Model(x, images)(flat).numpy()[0, 4:-4, 4:-4])
    assert drawn["dcgan_dense_tiny"] > 0.1
    assert drawn["sndcgan_dense_tiny"] < 1e-6


HALVING = ("dcgan_tiny", "dcgan_dense_tiny", "resnet_tiny")
# 4 to 7 pixels, doubled once to six times.
SIDES = (
    *(8, 10, 12, 14), *(16, 20, 24, 28), *(32, 40, 48, 56), *(64, 112), *(128, 224), 256,
)  # fmt: skip


def left_of(network):
    """The sides of the smallest map in a network, and how many sizes there are."""
    sizes = {tuple(x.output.shape[1:3]) for x in network.layers if len(x.output.shape) == 4}
    return min(sizes), len(sizes)


@pytest.mark.parametrize("side", SIDES)
def test_networks_halve_until_4_to_7_pixels_are_left(side):
    times = max(n for n in range(1, 7) if 4 * 2**n <= side)
    left = side // 2**times
    assert 4 <= left <= 7
    for name in HALVING:
        spec = NetworkSpec((side, side, 3), 8)
        g, d = GENERATORS[name].build(spec), DISCRIMINATORS[name].build(spec)
        assert left_of(g) == left_of(d) == ((left, left), times + 1)
        assert (g.output_shape, d.output_shape) == ((None, side, side, 3), (None, 1))
    g = GENERATORS["sndcgan_dense_tiny"].build(spec)
    assert (left_of(g), g.output_shape) == (((left, left), times + 1), (None, side, side, 3))


def test_sides_of_other_shapes_halve_by_the_shorter_one():
    for name in HALVING:
        d = DISCRIMINATORS[name].build(NetworkSpec((12, 8, 6)))  # packed images too
        assert d(numbers(2, 12, 8, 6)).shape == (2, 1)
        assert left_of(d)[0] == (6, 4)


@pytest.mark.parametrize(
    ("shape", "halvings", "message"),
    [
        ((30, 30, 1), 0, "until 4 to 7 pixels are left, the nearest sides are 28 and 32; the data"),
        ((36, 36, 3), 0, "the nearest sides are 32 and 40; the data has the shape [36, 36, 3]"),
        ((255, 255, 3), 0, "the nearest sides are 224 and 256;"),
        ((7, 7, 3), 0, "the nearest sides are 8;"),
        ((28, 30, 1), 0, "until 4 to 7 pixels are left"),
        ((30, 30, 1), 2, "with H and W multiples of 4, as --halvings says; the data"),
        ((2,), 0, "needs images [H, W, C], the data has the shape [2]"),
    ],
)
def test_other_sides_are_refused_with_the_nearest(shape, halvings, message):
    for name in HALVING:
        for table in (GENERATORS, DISCRIMINATORS):
            with pytest.raises(ValueError, match=re.escape(message)):
                table[name].build(NetworkSpec(shape, halvings=halvings))


def test_how_often_they_halve_can_be_said():
    """As versions before did: twice, at any side."""
    spec = NetworkSpec((32, 32, 3), halvings=2)
    counts = {
        name: [table[name].build(spec).count_params() for table in (GENERATORS, DISCRIMINATORS)]
        for name in ("dcgan", "resnet")
    }
    assert counts == {"dcgan": [697_203, 82_705], "resnet": [908_611, 89_569]}


def test_players_of_a_deep_network_are_balanced():
    """At 128 pixels G had 62 times the parameters of D."""
    for name in ("dcgan", "dcgan_dense", "resnet"):
        for side in (32, 64, 128):
            spec = NetworkSpec((side, side, 3))
            g, d = (
                table[name].build(spec).count_params() for table in (GENERATORS, DISCRIMINATORS)
            )
            assert 1 <= g / d < 2.5


def test_toy_networks_are_not_for_images():
    for table in (GENERATORS, DISCRIMINATORS):
        with pytest.raises(ValueError, match="makes points"):
            table["toy_tiny"].build(NetworkSpec((28, 28, 1)))
    outputs = 100 * pair("toy_tiny")[0](100 * numbers(4, 8)).numpy()
    assert np.abs(outputs).max() > 1  # without a tanh


@pytest.mark.parametrize("name", TINY)
def test_normalisations_are_where_they_belong(name):
    for norm in norms_of(name):
        for network in pair(name, norm=norm):
            batch = [x for x in network.layers if isinstance(x, keras.layers.BatchNormalization)]
            spectral = [
                x for x in network.layers if isinstance(x, keras.layers.SpectralNormalization)
            ]
            bare = [
                x
                for x in network.layers
                if hasattr(x, "kernel") and x.trainable and x not in spectral
            ]
            assert bool(batch) == (norm == "batch")
            assert bool(spectral) == (norm == "spectral")
            assert not (spectral and bare)


def test_the_default_normalisation_is_that_of_the_paper():
    def batch_norm_layers(network):
        return [i for i, x in enumerate(network.layers)
                if isinstance(x, keras.layers.BatchNormalization)]  # fmt: skip

    defaults = {name: [len(batch_norm_layers(network)) for network in pair(name)] for name in TINY}
    assert defaults == {
        "tiny": [2, 0], "dcgan_tiny": [2, 1], "dcgan_dense_tiny": [3, 2], "resnet_tiny": [0, 0],
        "toy_tiny": [0, 0],
    }  # fmt: skip
    names = [type(x).__name__ for x in pair("dcgan_tiny")[1].layers]
    assert names == [
        "InputLayer", "Conv2D", "LeakyReLU", "Conv2D", "BatchNormalization", "LeakyReLU",
        "Flatten", "Dense",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("name", "momentum"),
    [("tiny", 0.8), ("dcgan_tiny", 0.9), ("dcgan_dense_tiny", 0.9), ("toy_tiny", 0.9)],
)
def test_how_long_batch_norm_remembers(name, momentum):
    for network in pair(name, norm="batch"):
        norms = [x for x in network.layers if isinstance(x, keras.layers.BatchNormalization)]
        assert {layer.momentum for layer in norms} == {momentum}


@pytest.mark.parametrize(
    ("name", "norm", "message"),
    [
        ("resnet_tiny", "batch", "must be one of default, none$"),
        ("resnet_tiny", "spectral", "must be one of default, none$"),
        ("tiny", "layer", "must be one of default, none, batch, spectral$"),
        ("toy_tiny", "layer", "must be one of default, none, batch, spectral$"),
        ("dcgan_tiny", "layer", "must be one of default, none, batch, spectral$"),
    ],
)
def test_other_normalisations_are_refused(name, norm, message):
    shape = shape_of(name)
    for table in (GENERATORS, DISCRIMINATORS):
        with pytest.raises(ValueError, match=message):
            table[name].build(NetworkSpec(shape, norm=norm))


@pytest.mark.parametrize("name", TINY)
def test_initial_weights_are_a_function_of_the_seed(name):
    def drawn(seed, norm):
        """All weights that are not constants at first, with those of embeddings and of u."""
        both = [w for network in pair(name, 3, norm, seed=seed) for w in weights_of(network)]
        return [w for w in both if w.std() > 0]

    for norm in norms_of(name):
        first = drawn(0, norm)
        assert same(first, drawn(0, norm))
        assert differ_everywhere(first, drawn(1, norm))
        starts = [w.ravel()[:4] / w.ravel()[0] for w in first]
        for i, start in enumerate(starts):
            for other in starts[:i]:
                length = min(len(start), len(other))
                assert length == 1 or not np.allclose(start[:length], other[:length])


@pytest.mark.parametrize("policy", ["float32", "mixed_bfloat16"])
@pytest.mark.parametrize("name", TINY)
def test_networks_survive_saving_and_cloning(name, policy, tmp_path):
    labels = np.array([0, 2, 1, 2], np.int32)
    for norm in norms_of(name) if policy == "float32" else norms_of(name)[-1:]:
        for network in pair(name, 3, norm, policy):
            inputs = [numbers(4, *network.input_shape[0][1:]), labels]
            network(inputs, training=True)
            before = network(inputs).numpy()
            network.save(tmp_path / "network.keras")
            again = keras.models.load_model(tmp_path / "network.keras", safe_mode=True)
            clone = keras.models.clone_model(network)
            clone.set_weights(network.get_weights())
            np.testing.assert_array_equal(again(inputs), before)
            np.testing.assert_array_equal(clone(inputs), before)
            modules = {type(layer).__module__.split(".")[0] for layer in network.layers}
            assert modules == {"keras"}  # opens without this package


@pytest.mark.parametrize("name", TINY)
def test_labels_are_a_second_input(name):
    g, d = pair(name, classes=3)
    assert [(x.name, x.dtype, x.shape) for x in (g.inputs[1], d.inputs[1])] == [
        ("labels", "int32", (None,))
    ] * 2
    latents, images = numbers(1, 8).repeat(3, 0), numbers(1, *shape_of(name)).repeat(3, 0)
    for outputs in (g([latents, np.arange(3)]).numpy(), d([images, np.arange(3)]).numpy()):
        assert all(not np.allclose(outputs[i], outputs[i - 1]) for i in range(3))


@pytest.mark.parametrize(
    ("name", "norm"), [*((name, "none") for name in TINY), ("dcgan_tiny", "spectral")]
)
def test_the_head_is_a_projection(name, norm):
    """w . h + b + e(y) . h, with h, w, b and e out of the network."""
    d = pair(name, classes=5, norm=norm)[1]
    images, labels = numbers(6, *shape_of(name)), np.array([0, 4, 1, 1, 2, 3])
    head = d.get_layer("unconditional")
    hidden = keras.Model(d.inputs, head.input)([images, labels]).numpy().astype(np.float64)
    weights, bias = (v.numpy() for v in getattr(head, "layer", head).weights)
    (table,) = [w.numpy() for w in d.weights if w.path.endswith("embeddings")]
    assert table.shape == (5, hidden.shape[1])
    expected = hidden @ weights[:, 0] + bias[0] + np.sum(table[labels] * hidden, 1)
    np.testing.assert_allclose(d([images, labels]).numpy()[:, 0], expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("policy", ["float32", "mixed_bfloat16"])
@pytest.mark.parametrize("name", ["tiny", "dcgan_tiny", "toy_tiny"])
def test_spectral_normalisation_makes_every_norm_one(name, policy):
    """In training mode; the division is in float32 whatever the policy is."""
    d = pair(name, classes=3, norm="spectral", policy=policy)[1]
    images, labels = numbers(4, *shape_of(name)), np.array([0, 1, 2, 0])

    @tf.function
    def several():
        for _ in tf.range(100):
            d([images, labels], training=True)

    before = d([images, labels]).numpy()
    several()
    wrapped = [x for x in d.layers if isinstance(x, keras.layers.SpectralNormalization)]
    assert len(wrapped) >= 3
    for layer in wrapped:
        kernel = layer.kernel.numpy()
        largest = np.linalg.svd(kernel.reshape(-1, kernel.shape[-1]), compute_uv=False)[0]
        assert largest == pytest.approx(1.0, rel=0.05)
        assert not np.array_equal(kernel, tf.cast(tf.cast(kernel, "bfloat16"), "float32"))
    assert not np.allclose(before, d([images, labels]))


def test_residual_branches_start_at_zero():
    g, d = pair("resnet_tiny")
    for network in (g, d):
        sums = [layer for layer in network.layers if isinstance(layer, keras.layers.Add)]
        assert len(sums) == 3
        probe = keras.Model(
            network.inputs, [x for layer in sums for x in (*layer.input, layer.output)]
        )
        outputs = [x.numpy() for x in probe([numbers(2, *network.input_shape[1:])])]
        for i in range(0, 9, 3):
            inputs, branch, total = outputs[i : i + 3]
            assert inputs.any()
            assert not branch.any()
            np.testing.assert_array_equal(total, inputs)


def test_other_layers_of_a_branch_are_scaled_by_depth():
    """By depth^(-1/4) of what keeps the variance through a LeakyReLU; depth is 3 here."""
    d = DISCRIMINATORS["resnet"].build(NetworkSpec((16, 16, 1)))
    convolutions = [layer for layer in d.layers if isinstance(layer, keras.layers.Conv2D)]
    for layer in (convolutions[9], convolutions[10]):  # 1x1 and 3x3 of the widest block
        kernel = layer.kernel.numpy()
        expected = np.sqrt(2 / 1.04 / np.prod(kernel.shape[:3])) * 3**-0.25
        assert kernel.std() == pytest.approx(expected, rel=0.03)


@pytest.mark.parametrize("strides", [1, 2])
def test_the_blur_is_binomial_and_is_not_trained(strides):
    make = LayerBuilder(NetworkSpec((8, 8, 3)), 0, "none")
    inputs = keras.Input((8, 8, 3))
    model = keras.Model(inputs, blur(make, inputs, strides))
    assert not model.weights
    images = np.zeros((3, 8, 8, 3), np.float32)
    images[np.arange(3), 3, 4, np.arange(3)] = 16.0  # channels do not mix
    outputs = model(images).numpy()
    expected = np.zeros((8, 8))
    expected[1:4, 2:5] = [[1, 2, 1], [2, 4, 2], [1, 2, 1]]  # pixel i is centred at i + 1
    for i in range(3):
        np.testing.assert_allclose(outputs[i, :, :, i], expected[::strides, ::strides])
        assert not np.delete(outputs[i], i, axis=-1).any()
    np.testing.assert_allclose(model(np.ones((1, 8, 8, 3), np.float32)), 1.0)  # at edges too


def test_waves_are_sines_and_cosines_in_fixed_random_directions():
    d = DISCRIMINATORS["toy"].build(NetworkSpec((2,), policy="mixed_bfloat16", seed=5))
    kernel = d.get_layer("waves").kernel.numpy()
    assert not d.get_layer("waves").trainable_weights
    frequencies = np.linalg.norm(kernel, axis=0)
    assert frequencies.min() >= 0.5
    assert frequencies.max() <= 60.0
    # Uniform in the logarithm: the median is the geometric mean of the bounds, 5.5.
    assert np.median(frequencies) == pytest.approx(5.5, rel=0.6)
    points = np.array([[0.3, -2.0], [1.0, 0.0]], np.float32)
    first = next(layer for layer in d.layers if isinstance(layer, keras.layers.Concatenate))
    seen = keras.Model(d.inputs, first.output)(points).numpy()
    phases = points @ kernel
    np.testing.assert_allclose(seen, np.hstack([points, np.sin(phases), np.cos(phases)]), atol=1e-4)
    other = DISCRIMINATORS["toy"].build(NetworkSpec((2,), seed=6))
    other = other.get_layer("waves").kernel.numpy()
    assert not np.allclose(kernel, other)


# Standard deviations at first, by the papers that the builders name: [of kernels in their order].
# Glorot and Bengio 2010: sqrt(2 / (in + out)); He et al. 2015: sqrt(2 / in); Radford et al. 2016:
# 0.02. A transposed convolution of 4x4 has 16 * its input channels as `in` for Keras, and
# 16 * those of its output for He's rule, as Keras counts.
def glorot(fan_in, fan_out):
    return (2 / (fan_in + fan_out)) ** 0.5


INITIAL = {
    ("mlp", "generator", "batch"): [
        glorot(100, 256), glorot(256, 512), glorot(512, 1024), glorot(1024, 784),
    ],
    ("mlp", "discriminator", "none"): [glorot(784, 512), glorot(512, 256), glorot(256, 1)],
    ("dcgan", "generator", "batch"): [0.02, 0.02, 0.02],
    ("dcgan", "discriminator", "batch"): [0.02, 0.02, 0.02],
    ("dcgan", "discriminator", "none"): [(2 / 16) ** 0.5, (2 / 768) ** 0.5, (2 / 4704) ** 0.5],
    ("dcgan_dense", "generator", "batch"): [0.02, 0.02, 0.02, 0.02],
    ("sndcgan_dense", "generator", "batch"): [0.02, 0.02, 0.02, 0.02, 0.02],
    ("dcgan_dense", "discriminator", "none"): [
        (2 / 16) ** 0.5, (2 / 768) ** 0.5, (2 / 4704) ** 0.5, (2 / 448) ** 0.5,
    ],
}  # fmt: skip


@pytest.mark.parametrize(("name", "player", "norm"), INITIAL)
def test_initial_weights_are_those_of_the_papers(name, player, norm):
    table = {"generator": GENERATORS, "discriminator": DISCRIMINATORS}[player]
    network = table[name].build(NetworkSpec((28, 28, 1), norm=norm))
    kernels = [w for w in weights_of(network) if w.ndim > 1]
    found = [w.std() for w in kernels]
    # Of n numbers the standard deviation is known to 1 / sqrt(2 n).
    for kernel, std, expected in zip(kernels, found, INITIAL[name, player, norm], strict=True):
        assert std == pytest.approx(expected, rel=0.02 + 4 / (2 * kernel.size) ** 0.5)
        assert abs(kernel.mean()) < 5 * expected / kernel.size**0.5


@pytest.mark.parametrize("name", ["mlp", "dcgan"])
@pytest.mark.parametrize(("latent_dim", "std"), [(100, 0.1), (25, 0.2)])
def test_labels_are_as_long_as_a_one_hot_code_at_first(name, latent_dim, std):
    g = GENERATORS[name].build(NetworkSpec((28, 28, 1), latent_dim, classes=800))
    (embedding,) = [x for x in g.layers if isinstance(x, keras.layers.Embedding)]
    assert embedding.embeddings.shape == (800, latent_dim)
    assert embedding.embeddings.numpy().std() == pytest.approx(std, rel=0.03)


@pytest.mark.parametrize("name", ["mlp", "dcgan", "sndcgan_dense", "resnet"])
def test_at_first_images_differ_by_latents_more_than_by_labels(name):
    """Where labels are enough to vary a batch, G learns one image of each class."""
    g = GENERATORS[name].build(NetworkSpec((28, 28, 1), 32, classes=10))
    latents, labels = numbers(200, 32), np.arange(200, dtype=np.int32) % 10
    images = g([latents, labels], training=True).numpy().reshape(20, 10, -1)
    between = (images.mean(0).var(0) - images.var(0).mean(0) / 20).mean()
    assert 0 < between < 0.1 * images.var(0).mean()
