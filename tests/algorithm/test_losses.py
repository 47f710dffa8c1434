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


def test_every_half_of_every_loss_is_in_the_table():
    assert {row[:2] for row in TABLE} == {
        (name, half) for name in LOSSES for half in ("discriminator", "generator")
    }


# With labels 0.9 and 0.2: 0.9 log(1 + e^-2) + 0.1 log(1 + e^2) = 0.326928 for the real logit 2 and
# 0.2 log(1 + e) + 0.8 log(1 + e^-1) = 0.513262 for the fake logit -1.
@pytest.mark.parametrize(
    ("loss", "value", "by_real", "by_fake"),
    [
        ("non_saturating", 0.840190, 0.880797 - 0.9, 0.268941 - 0.2),
        ("minimax", 0.840190, 0.880797 - 0.9, 0.268941 - 0.2),
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
