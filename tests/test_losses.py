import numpy as np
import pytest
import tensorflow as tf

from gan.losses import LOSSES

# (loss, half, real logit, fake logit, value, derivative by real, derivative by fake),
# worked out by hand with s = sigmoid: log(1 + e^-2) = 0.126928, s(2) = 0.880797, s(-1) = 0.268941.
TABLE = [
    ("non_saturating", "discriminator", 0.0, 0.0, 1.386294, -0.5, 0.5),
    ("non_saturating", "discriminator", 2.0, -1.0, 0.440190, -0.119203, 0.268941),
    ("non_saturating", "discriminator", -2.0, 1.0, 3.440190, -0.880797, 0.731059),
    ("non_saturating", "discriminator", -200.0, 200.0, 400.0, -1.0, 1.0),
    ("non_saturating", "generator", 0.0, 0.0, 0.693147, 0.0, -0.5),
    ("non_saturating", "generator", 5.0, 2.0, 0.126928, 0.0, -0.119203),
    ("non_saturating", "generator", 5.0, -1.0, 1.313262, 0.0, -0.731059),
    ("non_saturating", "generator", 5.0, -200.0, 200.0, 0.0, -1.0),
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
