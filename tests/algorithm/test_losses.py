import numpy as np
import pytest
import tensorflow as tf

from gan.algorithm.losses import LOSSES, smooth_labels

# (loss, half, real logit, fake logit, value, derivative by real, derivative by fake),
# worked out by hand with s = sigmoid: log(1 + e^-2) = 0.126928, log(1 + e) = 1.313262,
# log(1 + e^3) = 3.048587, s(2) = 0.880797, s(-1) = 0.268941, s(3) = 0.952574.
TABLE = [
    ("non_saturating", "discriminator", 0.0, 0.0, 1.386294, -0.5, 0.5),
    ("non_saturating", "discriminator", 2.0, -1.0, 0.440190, -0.119203, 0.268941),
    ("non_saturating", "discriminator", -2.0, 1.0, 3.440190, -0.880797, 0.731059),
    ("non_saturating", "discriminator", -200.0, 200.0, 400.0, -1.0, 1.0),
    ("non_saturating", "generator", 0.0, 0.0, 0.693147, 0.0, -0.5),
    ("non_saturating", "generator", 5.0, 2.0, 0.126928, 0.0, -0.119203),
    ("non_saturating", "generator", 5.0, -1.0, 1.313262, 0.0, -0.731059),
    ("non_saturating", "generator", 5.0, -200.0, 200.0, 0.0, -1.0),
    ("minimax", "discriminator", 2.0, -1.0, 0.440190, -0.119203, 0.268941),
    ("minimax", "generator", 5.0, 0.0, -0.693147, 0.0, -0.5),
    ("minimax", "generator", 5.0, 2.0, -2.126928, 0.0, -0.880797),
    ("minimax", "generator", 5.0, -200.0, 0.0, 0.0, 0.0),
    ("least_squares", "discriminator", 0.0, 0.0, 0.5, -1.0, 0.0),
    ("least_squares", "discriminator", 3.0, -2.0, 4.0, 2.0, -2.0),
    ("least_squares", "generator", 5.0, 3.0, 2.0, 0.0, 2.0),
    ("hinge", "discriminator", 0.0, 0.0, 2.0, -1.0, 1.0),
    ("hinge", "discriminator", 2.0, -3.0, 0.0, 0.0, 0.0),
    ("hinge", "discriminator", -2.0, 1.0, 5.0, -1.0, 1.0),
    ("hinge", "generator", 5.0, 3.0, -3.0, 0.0, -1.0),
    ("wasserstein", "discriminator", 2.0, -3.0, -5.0, -1.0, 1.0),
    ("wasserstein", "generator", 5.0, 3.0, -3.0, 0.0, -1.0),
    ("relativistic", "discriminator", 0.0, 0.0, 0.693147, -0.5, 0.5),
    ("relativistic", "discriminator", 1.0, 4.0, 3.048587, -0.952574, 0.952574),
    ("relativistic", "discriminator", -200.0, 200.0, 400.0, -1.0, 1.0),
    ("relativistic", "generator", 4.0, 1.0, 3.048587, 0.952574, -0.952574),
    ("relativistic", "generator", 2.0, 4.0, 0.126928, 0.119203, -0.119203),
    ("boundary_seeking", "discriminator", 2.0, -1.0, 0.440190, -0.119203, 0.268941),
    ("boundary_seeking", "generator", 5.0, 0.0, 0.0, 0.0, 0.0),
    ("boundary_seeking", "generator", 5.0, -3.0, 4.5, 0.0, -3.0),
    ("boundary_seeking", "generator", 5.0, 200.0, 20_000.0, 0.0, 200.0),
]


@pytest.mark.parametrize(("loss", "half", "real", "fake", "value", "by_real", "by_fake"), TABLE)
def test_values_and_gradients(loss, half, real, fake, value, by_real, by_fake):
    real_logits, fake_logits = tf.constant([[real], [0.0]]), tf.constant([[fake], [0.0]])
    with tf.GradientTape() as tape:
        tape.watch([real_logits, fake_logits])
        losses = getattr(LOSSES[loss], half)(real_logits, fake_logits)
    gradients = tape.gradient(
        losses, [real_logits, fake_logits], unconnected_gradients=tf.UnconnectedGradients.ZERO
    )
    assert losses.shape == (2, 1)  # per example
    assert losses.dtype == tf.float32
    assert losses[0, 0].numpy() == pytest.approx(value, abs=1e-5)
    np.testing.assert_allclose([g[0, 0] for g in gradients], [by_real, by_fake], atol=1e-5)


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


# Of real logits r and fake ones f, [n] float64, as the paper's equations have them; and literal
# values for r = (2, 0), f = (1, -2), whose means are 1 and -0.5: log(1 + e^-2.5) = 0.078889,
# log(1 + e^-0.5) = 0.474077, log(1 + 1) = 0.693147, log(1 + e^-3) = 0.048587.
AVERAGE = {
    ("relativistic_average", "discriminator"): (
        lambda r, f: -np.log(sigmoid(r - f.mean())) - np.log(1 - sigmoid(f - r.mean())),
        [0.078889 + 0.693147, 0.474077 + 0.048587],
    ),
    ("relativistic_average", "generator"): (
        lambda r, f: -np.log(sigmoid(f - r.mean())) - np.log(1 - sigmoid(r - f.mean())),
        [0.693147 + 2.578889, 3.048587 + 0.974077],
    ),
    ("relativistic_average_least_squares", "discriminator"): (
        lambda r, f: (r - f.mean() - 1) ** 2 + (f - r.mean() + 1) ** 2,
        [1.5**2 + 1.0, 0.5**2 + 2.0**2],
    ),
    ("relativistic_average_least_squares", "generator"): (
        lambda r, f: (f - r.mean() - 1) ** 2 + (r - f.mean() + 1) ** 2,
        [1.0 + 3.5**2, 4.0**2 + 1.5**2],
    ),
    ("relativistic_average_hinge", "discriminator"): (
        lambda r, f: np.maximum(0, 1 - (r - f.mean())) + np.maximum(0, 1 + (f - r.mean())),
        [0.0 + 1.0, 0.5 + 0.0],
    ),
    ("relativistic_average_hinge", "generator"): (
        lambda r, f: np.maximum(0, 1 - (f - r.mean())) + np.maximum(0, 1 + (r - f.mean())),
        [1.0 + 3.5, 4.0 + 1.5],
    ),
}


@pytest.mark.parametrize(("loss", "half"), AVERAGE)
def test_relativistic_averages(loss, half):
    """Values are literal; gradients, through the means too, are finite differences in float64."""
    oracle, values = AVERAGE[loss, half]
    function = getattr(LOSSES[loss], half)
    found = function(tf.constant([[2.0], [0.0]]), tf.constant([[1.0], [-2.0]]))
    assert found.shape == (2, 1)
    assert found.dtype == tf.float32
    np.testing.assert_allclose(found[:, 0], values, atol=1e-5)

    logits = np.random.default_rng(0).normal(0, 2, (2, 6))
    with tf.GradientTape() as tape:
        real, fake = (tf.constant(of_one[:, None], tf.float32) for of_one in logits)
        tape.watch([real, fake])
        losses = function(real, fake)
        total = tf.reduce_mean(losses)
    np.testing.assert_allclose(losses[:, 0], oracle(*logits), atol=1e-5)
    slopes = np.zeros((2, 6))
    for index in np.ndindex(2, 6):
        step = np.zeros((2, 6))
        step[index] = 1e-6
        up, down = oracle(*(logits + step)).mean(), oracle(*(logits - step)).mean()
        slopes[index] = (up - down) / 2e-6
    gradients = [one.numpy()[:, 0] for one in tape.gradient(total, [real, fake])]
    np.testing.assert_allclose(gradients, slopes, atol=1e-5)


def test_every_half_of_every_loss_has_a_test():
    tested = [row[:2] for row in TABLE] + list(AVERAGE)
    assert set(tested) == {
        (name, half) for name in LOSSES for half in ("discriminator", "generator")
    }


def test_logits_have_a_level_unless_a_loss_knows_only_differences():
    """Adding 3 to all logits changes what D minimises, or says nothing."""
    real, fake = tf.constant([[2.0], [0.5]]), tf.constant([[1.0], [-2.0]])
    for name, loss in LOSSES.items():
        moved = loss.discriminator(real + 3, fake + 3) - loss.discriminator(real, fake)
        assert (abs(float(tf.reduce_mean(moved))) > 0.01) == loss.absolute, name


# With labels 0.9 and 0.2: 0.9 log(1 + e^-2) + 0.1 log(1 + e^2) = 0.326928 for the real logit 2 and
# 0.2 log(1 + e) + 0.8 log(1 + e^-1) = 0.513262 for the fake logit -1.
@pytest.mark.parametrize(
    ("loss", "value", "by_real", "by_fake"),
    [
        ("non_saturating", 0.840190, 0.880797 - 0.9, 0.268941 - 0.2),
        ("minimax", 0.840190, 0.880797 - 0.9, 0.268941 - 0.2),
        ("boundary_seeking", 0.840190, 0.880797 - 0.9, 0.268941 - 0.2),
        ("least_squares", 0.5 * (1.21 + 1.44), 1.1, -1.2),
    ],
)
def test_smoothed_labels(loss, value, by_real, by_fake):
    real_logits, fake_logits = tf.constant([[2.0]]), tf.constant([[-1.0]])
    changed = smooth_labels(LOSSES[loss], 0.9, 0.2)
    with tf.GradientTape() as tape:
        tape.watch([real_logits, fake_logits])
        losses = changed.discriminator(real_logits, fake_logits)
    gradients = [g.numpy().item() for g in tape.gradient(losses, [real_logits, fake_logits])]
    assert losses.numpy().item() == pytest.approx(value, abs=1e-5)
    assert gradients == pytest.approx([by_real, by_fake], abs=1e-5)
    assert changed.generator is LOSSES[loss].generator
    assert changed.boundary == pytest.approx(0.55 if loss == "least_squares" else 0.0)


def test_labels_of_1_and_0_are_the_loss_itself():
    for loss in LOSSES.values():
        assert smooth_labels(loss, 1.0, 0.0) is loss
