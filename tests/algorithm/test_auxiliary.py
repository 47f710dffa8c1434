"""D's second output: InfoGAN, ACGAN, SGAN; what players minimise through it, and that it trains."""

import dataclasses

import keras
import numpy as np
import pytest
import tensorflow as tf

from gan.algorithm.auxiliary import (
    AUXILIARIES,
    Judgement,
    LabelledImages,
    WeightedAuxiliary,
)
from gan.algorithm.head_accuracy import head_accuracy
from gan.algorithm.losses import Loss
from gan.algorithm.objective import Objective
from gan.algorithm.penalties import PENALTIES, WeightedPenalty
from gan.algorithm.per_example import per_example
from gan.algorithm.step import discriminator_update, generator_update, simultaneous_update
from gan.data.datasets import DATASETS, Dataset, DataSource
from gan.data.input_pipeline import Batch
from gan.data.labelled import labelled_part
from gan.errors import UserError
from gan.run import jsonl
from gan.run.heads import HEADS, Codes
from gan.training.builders import build_objective, compile_train_steps
from gan.training.checkpoints import checkpoint_manager, restore
from gan.training.state import build_state
from gan.training.trainer import train
from support import differ_everywhere, same, train_whole_and_resumed, weights_of

SHAPE, BATCH, LATENT_DIM = (28, 28, 1), 8, 16
RNG = np.random.default_rng(0)
LABELS = np.arange(120) % 10
DATA = Dataset(
    RNG.integers(0, 256, (120, *SHAPE), np.uint8), LABELS,
    RNG.integers(0, 256, (120, *SHAPE), np.uint8), LABELS,
)  # fmt: skip
SEEN = Batch(
    tf.constant(RNG.uniform(-1, 1, (BATCH, *SHAPE)).astype(np.float32)),
    tf.range(BATCH),
    tf.constant(RNG.normal(size=(BATCH, LATENT_DIM)).astype(np.float32)),
)
KEY = tf.constant([0, 3], tf.int64)
NOTHING = Loss(lambda r, f: 0.0 * (r + f), lambda r, f: 0.0 * (r + f))

SETTINGS = {
    "infogan": {"auxiliary": "infogan"},
    "acgan": {"auxiliary": "acgan", "conditional": True},
    "sgan": {"auxiliary": "sgan", "labelled_images": "20"},
}


@pytest.fixture
def config_of(tiny_config, monkeypatch):
    monkeypatch.setitem(DATASETS, "labelled", DataSource(lambda data_dir, print_fn: DATA))

    def make(name, **changes):
        usual = {
            "dataset": "labelled", "latent_dim": LATENT_DIM, "batch_size": BATCH,
            "evaluate_every": 0,
        }  # fmt: skip
        return tiny_config(**{**usual, **SETTINGS[name], **changes})

    return make


def test_both_tables_have_the_same_rows():
    assert ["none", *HEADS] == list(AUXILIARIES)
    assert all(AUXILIARIES[name].head is HEADS[name] for name in HEADS)


def test_the_losses_are_those_of_the_papers():
    """Literal values: two classes, of logits 0 and log 3, have probabilities 1/4 and 3/4."""
    real = tf.constant([[0.0, np.log(3.0)]], tf.float32)
    fake = tf.constant([[np.log(3.0), 0.0]], tf.float32)
    label, latents = tf.constant([1]), tf.zeros([1, 3])
    of_real, of_fake = -np.log(3 / 4), -np.log(1 / 4)
    acgan, sgan, infogan = (AUXILIARIES[name] for name in ("acgan", "sgan", "infogan"))
    arguments = (real, fake, label, latents, Codes())
    assert acgan.discriminator(*arguments).numpy() == pytest.approx([of_real + of_fake])
    assert acgan.generator(*arguments).numpy() == pytest.approx([of_fake])
    assert sgan.discriminator(*arguments).numpy() == pytest.approx([of_real])
    assert sgan.generator is None
    assert (acgan.accuracy(*arguments).numpy(), sgan.accuracy(*arguments).numpy()) == ([1], [1])
    # Category 1 of 2, of probability 3/4, and continuous codes 0.5 and -1.5, found as 1 and 0.
    drawn = tf.constant([[-0.2, 0.1, 0.5, -1.5, 9.0]])
    said = tf.concat([real, [[1.0, 0.0]]], 1)
    for half in (infogan.discriminator, infogan.generator):
        loss = half(None, said, None, drawn, Codes(2, 2)).numpy()
        assert loss == pytest.approx([of_real + 0.5 * (0.25 + 2.25)])
    assert infogan.accuracy(None, said, None, drawn, Codes(2, 2)).numpy() == [1]
    only = infogan.generator(None, said[:, 2:], None, drawn[:, 2:], Codes(0, 2)).numpy()
    assert only == pytest.approx([1.25])


def test_the_weight_counts_in_both_players(config_of):
    said = Judgement(tf.zeros([4, 1]), tf.random.stateless_normal([4, 12], [1, 2]))
    arguments = (said, said, None, tf.random.stateless_normal([4, LATENT_DIM], [3, 4]))
    one, three = (
        WeightedAuxiliary(AUXILIARIES["infogan"], weight, Codes(10, 2)) for weight in (1.0, 3.0)
    )
    for player in ("of_discriminator", "of_generator"):
        name = f"loss/{'d' if player == 'of_discriminator' else 'g'}_auxiliary"
        single, triple = (float(getattr(of, player)(*arguments)[name]) for of in (one, three))
        assert triple == pytest.approx(3 * single, rel=1e-5)
        assert single > 0.1


@pytest.mark.parametrize("name", HEADS)
@pytest.mark.parametrize("schedule", ["alternating", "simultaneous"])
def test_each_player_learns_through_the_head_and_leaves_the_other_alone(name, schedule, config_of):
    """There is no other loss; rate 1 without momentum moves weights by the gradient."""
    config = config_of(name)
    objective = build_objective(config, DATA)._replace(loss=NOTHING)
    state = build_state(config, SHAPE, classes=10)
    optimizers = [keras.optimizers.SGD(1.0) for _ in range(2)]
    for optimizer, network in zip(optimizers, state[:2], strict=True):
        optimizer.build(network.trainable_variables)
    state = state._replace(g_optimizer=optimizers[0], d_optimizer=optimizers[1])
    g_before, d_before = weights_of(state.generator), weights_of(state.discriminator)
    if schedule == "simultaneous":
        metrics = simultaneous_update(state, SEEN, objective, KEY)
    else:
        metrics = discriminator_update(state, SEEN, objective, KEY)
        assert same(g_before, weights_of(state.generator))
    head = next(v for v in state.discriminator.variables if "head" in v.path)
    assert not np.array_equal(head.numpy(), build_head(config))
    if schedule == "alternating":
        d_before = weights_of(state.discriminator)
        metrics |= generator_update(state, SEEN, objective, KEY)
        assert same(d_before, weights_of(state.discriminator))
    moved = float(metrics["grads/g_norm"])
    assert moved > 1e-3 if name != "sgan" else moved == 0
    assert float(metrics["loss/d"]) == float(metrics["loss/g"]) == 0
    assert float(metrics["loss/d_auxiliary"]) > 0.1


def build_head(config):
    state = build_state(config, SHAPE, classes=10)
    return next(v for v in state.discriminator.variables if "head" in v.path).numpy()


@pytest.mark.parametrize("name", ["infogan", "acgan"])
def test_a_penalty_is_about_the_logits_alone(name, config_of):
    """A D without the head, of the same weights, has the same penalty."""
    config = config_of(name)
    state = build_state(config, SHAPE, classes=10)
    plain = keras.Model(state.discriminator.inputs, state.discriminator.outputs[0])
    penalty = WeightedPenalty(PENALTIES["r1"], 2.0)
    objective = Objective(NOTHING, penalty, auxiliary=build_objective(config, DATA).auxiliary)
    expected = penalty(plain, SEEN.images, SEEN.images, state.step, KEY)
    found = discriminator_update(state, SEEN, objective, KEY)["loss/penalty"]
    assert float(found) == pytest.approx(float(expected), rel=1e-5)
    assert float(found) > 1e-4


def test_of_few_labels_d_learns_from_no_others(config_of):
    """Other labels of the batch change nothing; other labels of the few do."""
    config = config_of("sgan")
    objective = build_objective(config, DATA)
    others = DATA._replace(train_labels=(LABELS + 1) % 10)
    found = []
    for batch, of_data in (
        (SEEN, DATA),
        (SEEN._replace(labels=SEEN.labels * 0), DATA),
        (SEEN, others),
    ):
        state = build_state(config, SHAPE, classes=10)
        objective = build_objective(config, of_data)
        found.append(float(discriminator_update(state, batch, objective, KEY)["loss/d_auxiliary"]))
    assert found[0] == found[1] != found[2]
    with pytest.raises(ValueError, match="needs the data"):
        build_objective(config)
    state = build_state(config, SHAPE, classes=10)
    everything = build_objective(config_of("sgan", labelled_images="all"))
    one = discriminator_update(state, SEEN, everything, KEY)["loss/d_auxiliary"]
    assert float(one) not in found


def test_few_labels_are_balanced_chosen_by_the_seed_and_nested():
    images, labels = labelled_part(DATA, 30, 5)
    assert np.bincount(labels).tolist() == [3] * 10
    again, _ = labelled_part(DATA, 30, 5)
    assert np.array_equal(images, again)
    assert not np.array_equal(images, labelled_part(DATA, 30, 6)[0])
    more = {one.tobytes() for one in labelled_part(DATA, 60, 5)[0]}
    assert len(more) == 60
    assert {one.tobytes() for one in images} < more
    by_image = {one.tobytes(): label for one, label in zip(DATA.train_images, LABELS, strict=True)}
    assert [by_image[one.tobytes()] for one in images] == labels.tolist()
    with pytest.raises(UserError, match=r"^--labelled_images=35: must be a multiple of the 10"):
        labelled_part(DATA, 35, 0)
    with pytest.raises(UserError, match=r"^--labelled_images=130: are 13 of each class, the class"):
        labelled_part(DATA, 130, 0)
    with pytest.raises(UserError, match="needs a data set with labels"):
        labelled_part(DATA._replace(train_labels=None), 10, 0)


def test_the_logit_of_sgan_is_the_log_of_the_sum_of_its_classes(config_of):
    d = build_state(config_of("sgan"), SHAPE, classes=10).discriminator
    logits, head = d(SEEN.images)
    expected = np.log(np.exp(head.numpy().astype(np.float64)).sum(1, keepdims=True))
    np.testing.assert_allclose(logits.numpy(), expected, rtol=1e-5)
    assert per_example(d)
    inputs = keras.Input([3])
    for axis, alone in ((1, True), (0, False), (None, False)):
        total = keras.ops.logsumexp(keras.layers.Dense(3)(inputs), axis=axis, keepdims=True)
        assert per_example(keras.Model(inputs, total)) == alone


def test_the_generator_of_infogan_sees_which_entry_is_the_largest_and_no_more(config_of):
    g = build_state(config_of("infogan"), SHAPE).generator
    latents = SEEN.latents.numpy()
    other = latents.copy()
    other[:, :10] *= 0.3  # the largest stays, if it is above 0
    other[:, :10] += 1.0
    images = g(latents, training=False).numpy()
    np.testing.assert_array_equal(images, g(other, training=False).numpy())
    for entry in (10, 15):  # a continuous code, and noise
        moved = latents.copy()
        moved[:, entry] += 1.0
        assert not np.array_equal(images, g(moved, training=False).numpy())


def test_the_accuracy_is_that_of_the_head():
    """A head that says the brightest of ten pixels; the logit is no matter."""
    images = keras.Input(SHAPE)
    head = keras.layers.Flatten()(images)[:, :10]
    d = keras.Model(images, [head[:, :1] * 0.0, head])
    shown = np.zeros((1300, *SHAPE), np.uint8)
    labels = np.arange(1300) % 10
    shown[np.arange(1300), 0, labels, 0] = 255
    assert head_accuracy(d, shown, labels) == 1.0
    assert head_accuracy(d, shown, np.where(np.arange(1300) < 325, labels, 11)) == 0.25


HALF = {"precision": "mixed_float16", "schedule": "simultaneous", "d_warmup_steps": 1}
PENALTY = {"penalty": "r1_r2", "augment": "translation_cutout", "loss": "relativistic"}
CONVOLUTIONS = {"generator": "dcgan_tiny", "discriminator": "dcgan_tiny", "flip": True}


@pytest.mark.parametrize(
    ("name", "changes"),
    [
        ("infogan", {**CONVOLUTIONS, "precision": "mixed_float16", "d_steps": 2}),
        ("acgan", {**CONVOLUTIONS, "d_norm": "none", **PENALTY, **HALF}),
        ("sgan", {**PENALTY, "d_steps": 2}),
    ],
)
def test_it_trains_and_resumes_exactly(name, changes, config_of, tmp_path):
    settings = {"log_every": 1, "steps_per_call": 2, **changes}
    whole, parts = train_whole_and_resumed(config_of(name, steps=4, **settings), tmp_path)
    scalars = [key for key in whole if "/" in key and not key.startswith(("time", "memory"))]
    assert {"loss/d_auxiliary", "loss/g_auxiliary", "accuracy/auxiliary"} < set(scalars)
    assert [whole[key] for key in scalars] == [parts[key] for key in scalars]
    config, states = config_of(name, steps=4, **settings), []
    for run in ("once", "twice"):
        states.append(build_state(config, SHAPE, classes=10))
        restore(states[-1], checkpoint_manager(states[-1], tmp_path / run, 3))
    for a, b in zip(states[0][:3], states[1][:3], strict=True):
        assert same(weights_of(a), weights_of(b))
    picture = "samples/step_00000004.png"
    assert (tmp_path / "once" / picture).read_bytes() == (tmp_path / "twice" / picture).read_bytes()


@pytest.mark.parametrize("name", HEADS)
def test_eager_and_compiled_give_the_same_numbers(name, config_of):
    config = config_of(name)
    images = tf.constant(RNG.integers(0, 256, (2, 1, BATCH, *SHAPE), np.uint8))
    labels = tf.constant(RNG.integers(0, 10, (2, 1, BATCH)), tf.int32)
    latents = tf.constant(RNG.normal(size=(2, 2, BATCH, LATENT_DIM)), tf.float32)
    results = []
    for eagerly in (True, False):
        state = build_state(config, SHAPE, classes=10)
        run = compile_train_steps(config, state, build_objective(config, DATA), run_eagerly=eagerly)
        block = Batch(images, labels, latents)
        metrics, finite = run(block, tf.constant(0), tf.constant(2), True)
        assert bool(finite)
        results.append({key: float(value) for key, value in metrics.items()})
    assert results[0] == pytest.approx(results[1], rel=1e-4, abs=1e-6)


def own_discriminator(head=True, activation=None, units=12):
    images = keras.Input(SHAPE)
    x = keras.layers.Dense(16, "relu")(keras.layers.Flatten()(images))
    outputs = [keras.layers.Dense(1)(x)]
    if head:
        outputs.append(keras.layers.Dense(units, activation, name="head")(x))
    return keras.Model(images, outputs)


def test_own_networks_with_two_outputs_train(config_of, tmp_path):
    d = own_discriminator()
    before = weights_of(d)
    summary = train(config_of("infogan", steps=4), tmp_path, discriminator=d, quiet=True)
    assert summary["status"] == "completed"
    assert summary["loss/d_auxiliary"] > 0
    assert differ_everywhere(before[:6:2], weights_of(d)[:6:2])  # kernels, of the head too


@pytest.mark.parametrize(
    ("name", "d", "message"),
    [
        ("infogan", own_discriminator(head=False), r"\(None, 1\), must map .* and \(None, 12\)$"),
        ("infogan", own_discriminator(units=3), r"\(None, 3\), must map .* and \(None, 12\)$"),
        (
            "infogan",
            own_discriminator(activation="softmax"),
            "discriminator: ends in softmax, must",
        ),
        (None, own_discriminator(), r"\(None, 12\), must map .* to \(None, 1\)$"),
    ],
)
def test_own_networks_with_other_outputs_are_refused(name, d, message, config_of, tmp_path):
    config = config_of("infogan")
    config = config if name else dataclasses.replace(config, auxiliary="none")
    with pytest.raises(UserError, match=message):
        train(config, tmp_path / "run", discriminator=d, quiet=True)
    assert not (tmp_path / "run").exists()


def test_light_evaluations_have_the_accuracy_of_the_head(config_of, tmp_path):
    config = config_of("sgan", steps=4, evaluate_every=2)
    light = {"light": lambda generator, step: {"metrics": {"fcd": 1.0}}}
    train(config, tmp_path, make_evaluators=lambda *arguments: light, quiet=True)
    records = jsonl.read_records(tmp_path / "evaluations.jsonl")
    assert [record["step"] for record in records] == [2, 4]
    state = build_state(config, SHAPE, classes=10)
    restore(state, checkpoint_manager(state, tmp_path, 3))
    expected = head_accuracy(state.discriminator, DATA.test_images, LABELS)
    assert records[-1]["metrics"] == {"fcd": 1.0, "head_accuracy": expected}


def test_labelled_images_come_with_their_own_labels():
    few = LabelledImages(tf.reshape(tf.range(20.0), [20, 1, 1, 1]), tf.range(20))
    seen = set()
    for number in range(40):
        images, labels = few.draw(8, tf.constant([1, number], tf.int64))
        assert images.shape == (8, 1, 1, 1)
        assert images.numpy().ravel().tolist() == labels.numpy().tolist()
        seen |= set(labels.numpy().tolist())
    assert seen == set(range(20))


@pytest.mark.parametrize("update", [discriminator_update, simultaneous_update])
def test_each_update_draws_other_labelled_images_and_augments_them(update, config_of, monkeypatch):
    """As real ones and fakes, with the same probability."""
    drawn, means, draw = [], [], LabelledImages.draw

    def drawing(self, size, key):
        drawn.append(draw(self, size, key))
        return drawn[-1]

    class Spy(keras.layers.Layer):
        def call(self, inputs):
            if tf.executing_eagerly() and tf.is_tensor(inputs):  # not when the network is built
                means.append(float(tf.reduce_mean(inputs)))
            return inputs

    images = keras.Input(SHAPE)
    x = keras.layers.Flatten()(Spy()(images))
    d = keras.Model(images, [keras.layers.Dense(1)(x), keras.layers.Dense(10)(x)])
    config = config_of("sgan")
    state = build_state(config, SHAPE, classes=10, discriminator=d)
    objective = build_objective(config, DATA)._replace(
        augmentations=(lambda images, key: images + 1000.0,)
    )
    monkeypatch.setattr(LabelledImages, "draw", drawing)
    for probability, augmented in ((1.0, True), (0.0, False)):
        means.clear()
        update(state, SEEN, objective._replace(augment_probability=probability), KEY)
        assert [mean > 900 for mean in means] == [augmented] * 3
    update(state, SEEN, objective, KEY + 1)
    assert np.array_equal(drawn[0][0], drawn[1][0])
    assert not np.array_equal(drawn[1][0], drawn[2][0])
