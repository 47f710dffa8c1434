import keras
import numpy as np
import pytest
import tensorflow as tf

from gan.algorithm import step as step_module
from gan.algorithm.losses import LOSSES, Loss
from gan.algorithm.objective import Objective
from gan.algorithm.penalties import PENALTIES, WeightedPenalty
from gan.algorithm.schedules import DECAYS
from gan.algorithm.step import (
    STEP_METRICS,
    classic_discriminator_update,
    discriminator_update,
    generator_loss_only,
    generator_update,
    simultaneous_update,
    train_step,
    train_steps,
)
from gan.data.input_pipeline import Batch
from gan.rng import STEP
from gan.training import builders
from gan.training.builders import build_objective, compile_train_steps
from gan.training.state import build_state
from support import differ_everywhere, same, weights_of

SHAPE, LATENT_DIM, BATCH = (28, 28, 1), 8, 16
LOSS = LOSSES["non_saturating"]
OBJECTIVE, KEY = Objective(LOSS), tf.constant([0, 3], tf.int64)
RNG = np.random.default_rng(0)
REALS = RNG.uniform(-1, 1, (BATCH, *SHAPE)).astype(np.float32)
LATENTS = RNG.normal(size=(BATCH, LATENT_DIM)).astype(np.float32)
SEEN = Batch(tf.constant(REALS), tf.zeros([BATCH], tf.int32), tf.constant(LATENTS))


def block(steps, d_steps=1):
    images = RNG.integers(0, 256, (steps, d_steps, BATCH, *SHAPE), np.uint8)
    latents = RNG.normal(size=(steps, d_steps + 1, BATCH, LATENT_DIM)).astype(np.float32)
    labels = RNG.integers(0, 10, images.shape[:3], np.int32)
    return Batch(tf.constant(images), tf.constant(labels), tf.constant(latents))


def step_of(data, i):
    """The part of a block that one step takes."""
    return Batch(*(part[i] for part in data))


def run_part(run, data, first, last, update_generator=True):
    return run(data, tf.constant(first), tf.constant(last), update_generator)


def batch_normalised_discriminator():
    inputs = keras.Input(SHAPE)
    x = keras.layers.Dense(8)(keras.layers.Flatten()(inputs))
    x = keras.layers.Dropout(0.5)(keras.layers.BatchNormalization()(x))
    return keras.Model(inputs, keras.layers.Dense(1)(x))


def options(**changes):
    defaults = {
        "objective": OBJECTIVE, "key": KEY, "schedule": "alternating", "ema_half_life": 1000,
    }  # fmt: skip
    return {**defaults, **changes}


@pytest.fixture
def state(tiny_config):
    return build_state(tiny_config(), SHAPE, discriminator=batch_normalised_discriminator())


@pytest.mark.parametrize("schedule", ["alternating", "simultaneous"])
def test_the_penalty_is_added_to_the_loss_of_the_discriminator(schedule, tiny_config):
    """D's gradient is that of the sum, taken here without the step; G's is as without it."""
    penalty = WeightedPenalty(PENALTIES["r1"], 5.0)
    state = build_state(tiny_config(), SHAPE)
    start = weights_of(state.discriminator)
    fakes = state.generator(LATENTS, training=True)
    with tf.GradientTape() as tape:
        with tf.GradientTape() as inner:
            reals = tf.constant(REALS)
            inner.watch(reals)
            real_logits = state.discriminator(reals)
        slopes = inner.gradient(real_logits, reals)
        expected = 5.0 * tf.reduce_mean(tf.reduce_sum(slopes**2, (1, 2, 3))) / 2
        fake_logits = state.discriminator(fakes)
        total = expected + tf.reduce_mean(LOSS.discriminator(real_logits, fake_logits))
    variables = [v.value for v in state.discriminator.trainable_variables]
    norm = tf.linalg.global_norm(
        tape.gradient(total, variables, unconnected_gradients=tf.UnconnectedGradients.ZERO)
    )
    update = {"alternating": discriminator_update, "simultaneous": simultaneous_update}[schedule]
    state.discriminator.set_weights(start)
    metrics = update(state, SEEN, Objective(LOSS, penalty), KEY)
    assert metrics["loss/penalty"].numpy() == pytest.approx(float(expected), rel=1e-4)
    assert metrics["loss/d"].numpy() == pytest.approx(float(total - expected), rel=1e-4)
    assert metrics["grads/d_norm"].numpy() == pytest.approx(float(norm), rel=1e-4)


def marked(images, key):
    """Adds 1000 and a number from 0 to 100 that the key decides."""
    return images + 1000.0 + tf.random.stateless_uniform([], key, 0, 100, alg="philox")


@pytest.mark.parametrize(
    "update", [discriminator_update, generator_update, simultaneous_update, generator_loss_only]
)
def test_the_discriminator_sees_augmented_images_only(update, tiny_config):
    """Real and fake, in each player's update, with other random numbers."""
    seen = []

    class Spy(keras.layers.Layer):
        def call(self, inputs):
            if tf.executing_eagerly() and tf.is_tensor(inputs):  # not when the network is built
                seen.append(float(tf.reduce_mean(inputs)))
            return inputs

    inputs = keras.Input(SHAPE)
    x = keras.layers.Flatten()(Spy()(inputs))
    network = keras.Model(inputs, keras.layers.Dense(1)(x))
    state = build_state(tiny_config(), SHAPE, discriminator=network)
    seen.clear()
    update(state, SEEN, Objective(LOSS, augmentations=(marked,)), KEY)
    assert len(seen) == 2
    assert all(999 < mean < 1101 for mean in seen)
    assert abs(seen[0] - seen[1]) > 0.5  # a number for real images, another one for fakes


@pytest.mark.parametrize("update", [discriminator_update, simultaneous_update])
def test_the_penalty_looks_at_augmented_images_with_the_weight_of_the_step(update, tiny_config):
    looked_at = []

    def penalty(discriminator, real_images, fake_images, key):
        looked_at.append([float(tf.reduce_mean(x)) for x in (real_images, fake_images)])
        return tf.ones([BATCH])

    falling = WeightedPenalty(penalty, DECAYS["cosine"](8.0, 100, 0.25))
    state = build_state(tiny_config(), SHAPE)
    for step, weight in ((0, 8.0), (50, 5.0), (100, 2.0), (300, 2.0)):
        state.step.assign(step)
        metrics = update(state, SEEN, Objective(LOSS, falling, augmentations=(marked,)), KEY)
        assert float(metrics["loss/penalty"]) == pytest.approx(weight)
    assert len(looked_at) == 4
    assert np.min(looked_at) > 999


def test_a_waiting_generator_tells_the_loss_of_packed_images(tiny_config):
    state = build_state(tiny_config(pack=4), SHAPE)
    objective = Objective(LOSS, pack=4, augmentations=(lambda images, key: images * 0.5,))
    idle = generator_loss_only(state, SEEN, objective, KEY)["loss/g"]
    bare = generator_loss_only(state, SEEN, objective._replace(augmentations=()), KEY)["loss/g"]
    moved = generator_update(state, SEEN, objective, KEY)["loss/g"]
    assert float(idle) == pytest.approx(float(moved), rel=1e-6)
    assert float(idle) != pytest.approx(float(bare), rel=1e-3)


def test_gradients_reach_the_generator_through_the_augmentation(tiny_config):
    """An augmentation that shows D nothing of a fake leaves G as it is."""
    blind, half = (
        Objective(LOSS, augmentations=(lambda images, key, share=share: images * share,))
        for share in (0.0, 0.5)
    )
    state = build_state(tiny_config(), SHAPE)
    assert generator_update(state, SEEN, blind, KEY)["grads/g_norm"] == 0.0
    assert generator_update(state, SEEN, half, KEY)["grads/g_norm"] > 0.0


@pytest.mark.parametrize("schedule", ["alternating", "simultaneous"])
def test_weights_of_the_discriminator_are_clipped_after_each_update(schedule, tiny_config):
    data = step_of(block(1), 0)
    free, clipped = (build_state(tiny_config(d_learning_rate=0.05), SHAPE) for _ in range(2))
    train_step(free, data, **options(schedule=schedule))
    train_step(
        clipped,
        data,
        **options(schedule=schedule, objective=Objective(LOSS, d_weight_clip=0.03)),
    )
    if schedule == "simultaneous":  # otherwise G has seen another D
        assert same(weights_of(clipped.generator), weights_of(free.generator))
    for one, other in zip(
        weights_of(clipped.discriminator), weights_of(free.discriminator), strict=True
    ):
        np.testing.assert_array_equal(one, np.clip(other, -0.03, 0.03))
    assert any(np.abs(weight).max() > 0.04 for weight in weights_of(free.discriminator))


def test_each_update_has_random_points_of_its_own_that_only_seed_and_step_decide(tiny_config):
    """Two updates a step; compiled or not, however many steps a call."""
    seen = []

    def remembering(discriminator, real_images, fake_images, key):
        tf.py_function(lambda k: seen.append(tuple(k.numpy())), [key], [])
        return tf.zeros([BATCH])

    data = block(3, d_steps=2)
    given = options(objective=Objective(LOSS, WeightedPenalty(remembering, 1.0)))
    state = build_state(tiny_config(), SHAPE)
    for i in range(3):
        train_step(state, step_of(data, i), **given)
    first = list(seen)
    assert len(set(first)) == 6
    seen.clear()
    train_steps(build_state(tiny_config(), SHAPE), data, 0, 3, **given)
    assert seen == first


@pytest.mark.parametrize("d_steps", [1, 2])
def test_no_two_updates_of_a_run_have_the_same_key(d_steps, tiny_config, monkeypatch):
    """Those of G neither, whose augmentation has random numbers too."""
    seen, data = [], block(3, d_steps=d_steps)
    for name in ("discriminator_update", "generator_update"):
        monkeypatch.setattr(
            step_module, name, lambda s, b, o, key: seen.append(tuple(key.numpy().tolist())) or {}
        )
    state = build_state(tiny_config(), SHAPE)
    for i in range(3):
        train_step(state, step_of(data, i), **options())
    assert len(seen) == len(set(seen)) == 3 * (d_steps + 1)


def seen_images(monkeypatch, state, data, schedule, flip_real):
    """The real images of each update: [step][update], and their labels."""
    seen = []

    def see(state, batch, *others):
        seen.append((batch.images.numpy(), batch.labels.numpy()))
        return {}

    for name in (
        "discriminator_update", "classic_discriminator_update", "generator_update",
        "simultaneous_update",
    ):  # fmt: skip
        monkeypatch.setattr(step_module, name, see)
    for i in range(len(data.images)):
        train_step(state, step_of(data, i), **options(schedule=schedule, flip_real=flip_real))
    return seen


@pytest.mark.parametrize("schedule", ["alternating", "classic", "simultaneous"])
def test_half_of_the_real_images_are_mirrored_for_both_players(schedule, tiny_config, monkeypatch):
    """Each update of D has flips of its own, and G's looks at what D's last one did."""
    data, flips = block(3, d_steps=2), []
    state = build_state(tiny_config(), SHAPE)
    plain, seen = (
        seen_images(monkeypatch, state, data, schedule, flip_real) for flip_real in (False, True)
    )
    assert len(plain) == len(seen) == (6 if schedule == "simultaneous" else 9)
    for (images, labels), (shown, of_shown) in zip(plain, seen, strict=True):
        assert np.array_equal(labels, of_shown)
        mirrored = [np.array_equal(a[:, ::-1], b) for a, b in zip(images, shown, strict=True)]
        kept = [np.array_equal(a, b) for a, b in zip(images, shown, strict=True)]
        assert [not same for same in kept] == mirrored
        flips.append(mirrored)
    if schedule != "simultaneous":
        for d_last, g in zip(flips[1::3], flips[2::3], strict=True):
            assert d_last == g
        flips = [flip for number, flip in enumerate(flips) if number % 3 < 2]
    assert len({tuple(flip) for flip in flips}) == 6
    assert 0.25 < np.mean(flips) < 0.75  # of 96 images


def test_after_a_rollback_the_random_numbers_of_a_step_are_others(tiny_config, monkeypatch):
    keys, config = [], tiny_config(seed=5)
    monkeypatch.setattr(
        builders, "train_steps", lambda *a, key, **k: keys.append(key.numpy().tolist())
    )
    state = build_state(config, SHAPE)
    run = compile_train_steps(config, state, run_eagerly=True)
    for rollbacks in (0, 1):
        state.rollbacks.assign(rollbacks)
        run(block(1), 0, 1)
    assert keys == [[5, STEP], [5 + 2**31, STEP]]


def test_the_average_starts_at_the_generator(tiny_config):
    generator = build_state(tiny_config(), SHAPE).generator
    generator.set_weights([weight + 1 for weight in generator.get_weights()])
    state = build_state(tiny_config(), SHAPE, generator=generator)
    assert same(weights_of(state.ema_generator), weights_of(state.generator))


@pytest.mark.parametrize("update", [
    lambda s: discriminator_update(s, SEEN, OBJECTIVE, KEY),
    lambda s: classic_discriminator_update(s, SEEN),
])  # fmt: skip
def test_a_discriminator_update_leaves_the_generator_untouched(state, update):
    g, d = weights_of(state.generator), weights_of(state.discriminator)
    update(state)
    assert same(g, weights_of(state.generator))
    assert differ_everywhere(d, weights_of(state.discriminator))


def test_a_generator_update_leaves_the_discriminator_untouched(state):
    """But for the random numbers of Dropout, which go on."""
    g, d = weights_of(state.generator), state.discriminator.get_weights()
    generator_update(state, SEEN, OBJECTIVE, KEY)
    assert same(d, state.discriminator.get_weights())
    assert differ_everywhere(g, weights_of(state.generator))


def generator_with_dropout():
    inputs = keras.Input([LATENT_DIM])
    x = keras.layers.Dropout(0.5, seed=1)(keras.layers.Dense(784, activation="tanh")(inputs))
    return keras.Model(inputs, keras.layers.Reshape(SHAPE)(x))


def test_each_update_has_random_numbers_of_its_own_in_layers_that_draw_some(tiny_config):
    """In the other player too, which is left as it was otherwise."""
    state = build_state(
        tiny_config(), SHAPE, generator_with_dropout(), batch_normalised_discriminator()
    )
    seen = []
    inputs = step_module.discriminator_inputs

    def spy(objective, real, fake, key):
        seen.append(np.asarray(fake) == 0)  # what Dropout has cut
        return inputs(objective, real, fake, key)

    def seeds_of(network):
        return [v.numpy().tolist() for v in network.variables if "seed_generator" in v.path]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(step_module, "discriminator_inputs", spy)
        states = [seeds_of(state.discriminator)]
        for update in (discriminator_update, discriminator_update, generator_update):
            update(state, SEEN, OBJECTIVE, KEY)
            states.append(seeds_of(state.discriminator))
    assert len({mask.tobytes() for mask in seen}) == 3
    assert all(0.4 < mask.mean() < 0.6 for mask in seen)
    assert len({str(one) for one in states}) == 4


def test_an_idle_generator_changes_nothing_and_tells_the_loss(state):
    g, d = weights_of(state.generator), weights_of(state.discriminator)
    idle = generator_loss_only(state, SEEN, OBJECTIVE, KEY)
    assert same(g, weights_of(state.generator))
    assert same(d, weights_of(state.discriminator))
    moving = generator_update(state, SEEN, OBJECTIVE, KEY)
    assert idle.keys() == moving.keys()
    assert float(idle["loss/g"]) == pytest.approx(float(moving["loss/g"]), rel=1e-6)
    assert float(idle["grads/g_norm"]) == 0 < float(moving["grads/g_norm"])


def spied(network, calls):
    """Wraps a network and records its inputs and modes."""

    class Spy:
        trainable_variables = network.trainable_variables
        inputs, losses, weights, variables = network.inputs, (), (), ()

        def __call__(self, inputs, training):
            calls.append((np.asarray(inputs), training))
            return network(inputs, training=training)

    return Spy()


@pytest.mark.parametrize(
    ("update", "modes", "equal"),
    [
        (lambda s: simultaneous_update(s, SEEN, OBJECTIVE, KEY), [True], True),
        (lambda s: discriminator_update(s, SEEN, OBJECTIVE, KEY), [True], True),
        (lambda s: classic_discriminator_update(s, SEEN), [False], False),
    ],
)
def test_which_fakes_the_discriminator_sees(state, update, modes, equal):
    """Fakes in training mode, or in inference mode as `predict` makes them for the script."""
    with keras.StatelessScope():
        expected = state.generator(LATENTS, training=True).numpy()
    g_calls, d_calls = [], []
    g, d = spied(state.generator, g_calls), spied(state.discriminator, d_calls)
    update(state._replace(generator=g, discriminator=d))
    assert [mode for _, mode in g_calls] == modes
    assert len(d_calls) == 2
    np.testing.assert_array_equal(d_calls[0][0], REALS)
    assert np.allclose(d_calls[1][0], expected, atol=1e-6) == equal


def test_simultaneous_uses_one_forward_pass_for_both_players(tiny_config):
    """Both gradients hold at the old weights; alternating, G sees the updated D."""
    states = [build_state(tiny_config(d_learning_rate=0.1), SHAPE) for _ in range(3)]
    both = simultaneous_update(states[0], SEEN, OBJECTIVE, KEY)
    g_alone = generator_update(states[1], SEEN, OBJECTIVE, KEY)
    d_first = discriminator_update(states[2], SEEN, OBJECTIVE, KEY)
    g_after = generator_update(states[2], SEEN, OBJECTIVE, KEY)
    for name, value in {**d_first, **g_alone}.items():
        assert float(both[name]) == pytest.approx(float(value), rel=1e-4), name
    assert float(g_after["loss/g"]) != pytest.approx(float(both["loss/g"]), rel=0.01)
    for a, b in ((states[0].generator, states[1].generator),
                 (states[0].discriminator, states[2].discriminator)):  # fmt: skip
        for x, y in zip(weights_of(a), weights_of(b), strict=True):
            np.testing.assert_allclose(x, y, atol=1e-4)


def test_metrics_are_what_they_are_called(state, monkeypatch):
    real = tf.constant([[2.0], [1.0], [-1.0], [0.0]])
    fake = tf.constant([[0.5], [-0.5], [0.0], [-4.0]])
    got = step_module.discriminator_metrics(tf.constant(7.0), real, fake)
    assert {k: float(v) for k, v in got.items()} == {
        "loss/d": 7.0, "logits/real": 0.5, "logits/fake": -1.0,
        "accuracy/real": 0.5, "accuracy/fake": 0.75,
    }  # fmt: skip


@pytest.mark.parametrize("schedule", ["alternating", "simultaneous"])
def test_a_least_squares_d_that_cannot_tell_is_right_half_of_the_time(schedule, tiny_config):
    """It says 1/2 of everything, of which 0 is no boundary."""
    config = tiny_config(loss="least_squares", schedule=schedule)
    update = discriminator_update if schedule == "alternating" else simultaneous_update
    for said, right in ((0.49, (0.0, 1.0)), (0.51, (1.0, 0.0))):
        state = build_state(config, SHAPE)
        for variable in state.discriminator.trainable_variables:
            variable.assign(tf.zeros_like(variable))
        state.discriminator.layers[-1].bias.assign([said])
        metrics = update(state, SEEN, build_objective(config), KEY)
        assert (float(metrics["accuracy/real"]), float(metrics["accuracy/fake"])) == right


def test_the_gradient_norm_is_over_all_tensors(tiny_config):
    """One SGD step of rate 1 moves the weights by the gradient."""
    state = build_state(tiny_config(), SHAPE)
    sgd = keras.optimizers.SGD(1.0)
    sgd.build(state.discriminator.trainable_variables)
    before = weights_of(state.discriminator)
    norm = discriminator_update(state._replace(d_optimizer=sgd), SEEN, OBJECTIVE, KEY)[
        "grads/d_norm"
    ]
    moved = [b - a for a, b in zip(before, weights_of(state.discriminator), strict=True)]
    assert float(norm) == pytest.approx(np.sqrt(sum((m**2).sum() for m in moved)), rel=1e-4)


@pytest.mark.parametrize("schedule", ["alternating", "simultaneous", "classic"])
@pytest.mark.parametrize("jit", [False, True])
def test_eager_and_compiled_give_the_same_numbers(schedule, jit, tiny_config):
    data = block(3, d_steps=2)
    results = []
    for eagerly in (True, False):
        config = tiny_config(schedule=schedule, d_steps=2, jit_compile=jit)
        state = build_state(config, SHAPE)
        run = compile_train_steps(config, state, run_eagerly=eagerly)
        run_part(run, data, 0, 1, update_generator=False)
        metrics, finite = run_part(run, data, 1, 3)
        assert bool(finite)
        assert int(state.step.numpy()) == 3
        assert sorted(metrics) == sorted([*STEP_METRICS, "weights/d_norm", "weights/g_norm"])
        results.append(([float(metrics[m]) for m in STEP_METRICS], state))
    np.testing.assert_allclose(results[0][0], results[1][0], rtol=1e-4, atol=1e-6)
    for eager, compiled in zip(results[0][1][:3], results[1][1][:3], strict=True):
        for a, b in zip(weights_of(eager), weights_of(compiled), strict=True):
            np.testing.assert_allclose(a, b, rtol=1e-3, atol=3e-5)


def test_one_trace_does_any_part_of_a_block_and_each_step_counts(tiny_config):
    config, data = tiny_config(schedule="simultaneous"), block(4)
    whole, parts = build_state(config, SHAPE), build_state(config, SHAPE)
    run_part(compile_train_steps(config, whole), data, 0, 4)
    run = compile_train_steps(config, parts)
    for first, last in ((0, 1), (1, 3), (3, 4)):
        run_part(run, data, first, last)
    assert run.experimental_get_tracing_count() == 1
    assert int(parts.step.numpy()) == 4
    for a, b in zip(whole[:3], parts[:3], strict=True):
        assert same(weights_of(a), weights_of(b))


def test_each_update_has_real_images_and_latents_of_its_own(tiny_config, monkeypatch):
    state, seen = build_state(tiny_config(), SHAPE), []

    def spy(state, batch, objective, key):
        seen.append([part.numpy() for part in batch])
        return discriminator_update(state, batch, objective, key)

    def g_spy(state, batch, objective, key):
        seen.append([part.numpy() for part in batch])
        return generator_update(state, batch, objective, key)

    monkeypatch.setattr(step_module, "discriminator_update", spy)
    monkeypatch.setattr(step_module, "generator_update", g_spy)
    images, labels, latents = data = step_of(block(1, d_steps=3), 0)
    train_step(state, data, **options())
    assert len(seen) == 4
    for i, (real, label, noise) in enumerate(seen):  # G: fresh latents, D's last real images
        np.testing.assert_allclose(real, images[min(i, 2)].numpy() / 127.5 - 1, atol=1e-6)
        np.testing.assert_array_equal(label, labels[min(i, 2)])
        np.testing.assert_array_equal(noise, latents[i])
    assert int(state.d_optimizer.iterations.numpy()) == 3
    assert int(state.g_optimizer.iterations.numpy()) == 1


@pytest.mark.parametrize("schedule", ["alternating", "simultaneous", "classic"])
def test_the_generator_moves_only_after_the_warm_up(schedule, tiny_config):
    config = tiny_config(schedule=schedule)
    state, data = build_state(config, SHAPE), block(4)
    run = compile_train_steps(config, state)
    g, d = weights_of(state.generator), weights_of(state.discriminator)
    run_part(run, data, 0, 2, update_generator=False)
    assert same(g, weights_of(state.generator))
    assert same(g, weights_of(state.ema_generator))
    assert differ_everywhere(d, weights_of(state.discriminator))
    run_part(run, data, 2, 3)
    assert differ_everywhere(g, weights_of(state.generator))
    assert int(state.g_optimizer.iterations.numpy()) == 1
    assert int(state.d_optimizer.iterations.numpy()) == (6 if schedule == "classic" else 3)


@pytest.mark.parametrize(
    ("step", "half_life", "decay"),
    [
        (0, 1000, 0.5 ** (16 / (0.05 * 16))),  # ramp: half-life is 5 % of the images seen
        (99, 1000, 0.5 ** (16 / 80)),
        (10**6, 1000, 0.5 ** (16 / 1000)),  # and then stays
        (10**6, 0, 0.0),  # no averaging
    ],
)
def test_the_average_of_the_weights(state, step, half_life, decay):
    old, new = weights_of(state.ema_generator), weights_of(state.generator)
    for variable, value in zip(state.generator.variables, new, strict=True):
        variable.assign(value + 1.0)
    step_module.ema_update(state, tf.constant(step, tf.int64), BATCH, half_life)
    for variable, before in zip(state.ema_generator.variables, old, strict=True):
        moved = variable.numpy() - before
        expected = 1.0 - decay if variable.trainable else 1.0  # moving statistics are copied
        np.testing.assert_allclose(moved, expected, atol=1e-5)


def test_an_overflow_under_loss_scaling_skips_the_update_and_halves_the_scale(tiny_config):
    config = tiny_config(precision="mixed_float16")
    state = build_state(config, SHAPE)
    huge = Loss(lambda r, f: (r + f) * 1e35, lambda r, f: f * 1e35)
    before = weights_of(state.discriminator)
    scale = float(state.d_optimizer.dynamic_scale.numpy())
    metrics = discriminator_update(state, SEEN, Objective(huge), KEY)
    assert not np.isfinite(metrics["grads/d_norm"])
    assert same(before, weights_of(state.discriminator))
    assert float(state.d_optimizer.dynamic_scale.numpy()) == scale / 2
    assert step_module.finite_metrics(state) == [  # no gradients, so training goes on
        "logits/real", "logits/fake", "loss/d", "loss/penalty", "loss/d_auxiliary",
        "weights/d_norm", "loss/g", "loss/g_auxiliary", "weights/g_norm",
    ]  # fmt: skip


def test_norms_under_loss_scaling_are_those_of_the_loss(tiny_config):
    norms = {}
    for precision in ("float32", "mixed_float16"):
        state = build_state(tiny_config(precision=precision), SHAPE)
        d = discriminator_update(state, SEEN, OBJECTIVE, KEY)["grads/d_norm"]
        g = generator_update(state, SEEN, OBJECTIVE, KEY)["grads/g_norm"]
        norms[precision] = [float(d), float(g)]
    np.testing.assert_allclose(norms["mixed_float16"], norms["float32"], rtol=0.02)


@pytest.mark.parametrize("player", ["discriminator", "generator"])
def test_steps_stop_at_the_first_that_is_not_finite(player, tiny_config, monkeypatch):
    def poison(logits):
        bad = state.step == 2
        return tf.where(bad, np.nan, 0.0) * logits

    loss = LOSS._replace(**{player: lambda r, f: getattr(LOSS, player)(r, f) + poison(f)})
    monkeypatch.setitem(LOSSES, "poisoned", loss)
    config = tiny_config(loss="poisoned")
    state = build_state(config, SHAPE)
    metrics, finite = run_part(compile_train_steps(config, state), block(4), 0, 4)
    assert not finite
    assert int(state.step.numpy()) == 3  # the third step was done and is the bad one
    assert np.isnan(metrics["loss/d" if player == "discriminator" else "loss/g"])


WEIGHTS, ACTIVITIES = 0.05, 0.3  # L2 of each


@keras.saving.register_keras_serializable("test_step")
class Adding(keras.layers.Layer):
    """Adds the mean square of its inputs to the loss."""

    def call(self, x):
        self.add_loss(ACTIVITIES * keras.ops.mean(x**2))
        return x

    def compute_output_shape(self, shape):
        return shape


def adding_network(inputs, *outputs):
    """A dense layer whose weights and activities are regularised, and what follows."""
    return keras.Sequential([
        keras.Input(inputs), keras.layers.Flatten(),
        keras.layers.Dense(8, "tanh", kernel_regularizer=keras.regularizers.L2(WEIGHTS)),
        Adding(), *outputs,
    ])  # fmt: skip


def added_by_hand(network, *batches):
    """The penalty of the weights, once, and the mean of those of the activities."""
    dense = network.layers[1]
    hidden = [
        tf.tanh(tf.reshape(x, [BATCH, -1]) @ dense.kernel.value + dense.bias.value) for x in batches
    ]
    activities = [ACTIVITIES * tf.reduce_mean(h**2) for h in hidden]
    return WEIGHTS * tf.reduce_sum(dense.kernel.value**2) + tf.add_n(activities) / len(batches)


@pytest.fixture(params=["float32", "mixed_float16"])  # the second one scales losses
def adding(request, tiny_config):
    """A state whose networks add losses of their own, and hardly move."""
    last = [keras.layers.Dense(784, "tanh"), keras.layers.Reshape(SHAPE)]
    config = tiny_config(precision=request.param, d_learning_rate=1e-12, g_learning_rate=1e-12)
    return build_state(
        config, SHAPE, adding_network((LATENT_DIM,), *last),
        adding_network(SHAPE, keras.layers.Dense(1)),
    )  # fmt: skip


def norm_of(tape, loss, network):
    variables = [v.value for v in network.trainable_variables]
    return float(tf.linalg.global_norm(tape.gradient(loss, variables)))


@pytest.mark.parametrize("update", [discriminator_update, simultaneous_update])
def test_what_layers_add_is_part_of_the_loss_of_the_discriminator(update, adding):
    fakes = adding.generator(LATENTS)
    with tf.GradientTape() as tape:
        logits = [adding.discriminator(x) for x in (REALS, fakes)]
        loss = tf.reduce_mean(LOSS.discriminator(*logits))
        loss += added_by_hand(adding.discriminator, REALS, fakes)
    expected = float(loss), norm_of(tape, loss, adding.discriminator)
    penalty = WeightedPenalty(PENALTIES["r1"], 0.0)  # its call of D adds nothing
    metrics = update(adding, SEEN, Objective(LOSS, penalty), KEY)
    found = float(metrics["loss/d"]), float(metrics["grads/d_norm"])
    assert found == pytest.approx(expected, rel=1e-4)


def test_what_layers_add_is_part_of_both_losses_of_the_classic_schedule(adding):
    fakes, expected = adding.generator(LATENTS), 0.0
    for images, label in ((REALS, 1.0), (fakes, 0.0)):
        with tf.GradientTape() as tape:
            logits = adding.discriminator(images)
            loss = tf.reduce_mean(step_module.cross_entropy(logits, label))
            loss += added_by_hand(adding.discriminator, images)
        expected += float(loss)
    metrics = classic_discriminator_update(adding, SEEN, OBJECTIVE, KEY)
    assert float(metrics["loss/d"]) == pytest.approx(expected, rel=1e-4)
    norm = norm_of(tape, loss, adding.discriminator)
    assert float(metrics["grads/d_norm"]) == pytest.approx(norm, rel=1e-3)


@pytest.mark.parametrize("update", [generator_update, simultaneous_update, generator_loss_only])
def test_what_layers_add_is_part_of_the_loss_of_the_generator(update, adding):
    """That of D is not."""
    with tf.GradientTape() as tape:
        fakes = adding.generator(LATENTS)
        logits = [adding.discriminator(x) for x in (REALS, fakes)]
        loss = tf.reduce_mean(LOSS.generator(*logits)) + added_by_hand(adding.generator, LATENTS)
    norm = 0.0 if update is generator_loss_only else norm_of(tape, loss, adding.generator)
    metrics = update(adding, SEEN, OBJECTIVE, KEY)
    found = float(metrics["loss/g"]), float(metrics["grads/g_norm"])
    assert found == pytest.approx((float(loss), norm), rel=1e-4)


def test_the_global_norm_counts_every_entry_once():
    repeated = tf.IndexedSlices(
        tf.constant([[1.0], [2.0]]), tf.constant([0, 0]), (2, 1)
    )  # [[3], [0]]
    tensors = [tf.constant(3.0), None, tf.constant([[0.0, 4.0], [12.0, 0.0]]), repeated]
    assert float(step_module.global_norm(tensors)) == pytest.approx(178**0.5, rel=1e-6)
    half = tf.fill([300, 3], tf.constant(16.0, tf.float16))  # the squares' sum is beyond float16
    assert float(step_module.global_norm([half])) == 480.0
    assert np.isnan(step_module.global_norm([tf.constant([1.0, np.nan])]))
