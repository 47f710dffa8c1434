"""Pairs of losses, (discriminator, generator), per example, with the paper's equation.

Both halves get the logits of real and of fake images [batch, 1] float32 and return [batch, 1]
float32; the step takes the mean. Where replicas share a batch they get their part of it: a mean
over the batch is `collectives.mean`. A loss is one pair and one row of `LOSSES`.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import NamedTuple

from gan.algorithm import collectives
from gan.lazy import tf

LossFunction = Callable[..., "tf.Tensor"]


class Loss(NamedTuple):
    """What each player minimises, given (real_logits, fake_logits)."""

    discriminator: LossFunction
    generator: LossFunction
    has_labels: bool = False  # whether the first one also takes real_label and fake_label
    log_odds: bool = False  # whether logits are log-odds of "real", and labels probabilities
    absolute: bool = True  # whether the level of logits means something, not only differences
    boundary: float = 0.0  # a logit above it says "real": what accuracies count


def cross_entropy(logits: tf.Tensor, label: float) -> tf.Tensor:
    """Returns the sigmoid cross-entropy of each logit against one label for all."""
    return tf.nn.sigmoid_cross_entropy_with_logits(label * tf.ones_like(logits), logits)


def cross_entropy_discriminator(
    real_logits: tf.Tensor,
    fake_logits: tf.Tensor,
    real_label: float = 1.0,
    fake_label: float = 0.0,
) -> tf.Tensor:
    """Returns -log D(x) - log(1 - D(G(z))); 2 log 2 = 1.386 where D cannot tell.

    References:
        Goodfellow et al. 2014, arXiv:1406.2661, Algorithm 1. Labels other than 1 and 0 are label
        smoothing, Salimans et al. 2016, arXiv:1606.03498, section 3.4.
    """
    return cross_entropy(real_logits, real_label) + cross_entropy(fake_logits, fake_label)


def non_saturating_generator(real_logits: tf.Tensor, fake_logits: tf.Tensor) -> tf.Tensor:
    """Returns -log D(G(z)); log 2 = 0.693 where D cannot tell.

    References:
        Goodfellow et al. 2014, arXiv:1406.2661, section 3, the alternative for early learning.
    """
    del real_logits
    return cross_entropy(fake_logits, 1.0)


def minimax_generator(real_logits: tf.Tensor, fake_logits: tf.Tensor) -> tf.Tensor:
    """Returns log(1 - D(G(z))), which is nearly flat where D is sure.

    References:
        Goodfellow et al. 2014, arXiv:1406.2661, equation 1.
    """
    del real_logits
    return -cross_entropy(fake_logits, 0.0)


def least_squares_discriminator(
    real_logits: tf.Tensor,
    fake_logits: tf.Tensor,
    real_label: float = 1.0,
    fake_label: float = 0.0,
) -> tf.Tensor:
    """Returns 1/2 (D(x) - 1)^2 + 1/2 D(G(z))^2, where D is the logit.

    References:
        Mao et al. 2017, arXiv:1611.04076, equation 9 (a = 0, b = c = 1).
    """
    return 0.5 * (tf.square(real_logits - real_label) + tf.square(fake_logits - fake_label))


def least_squares_generator(real_logits: tf.Tensor, fake_logits: tf.Tensor) -> tf.Tensor:
    """Returns 1/2 (D(G(z)) - 1)^2.

    References:
        Mao et al. 2017, arXiv:1611.04076, equation 9.
    """
    del real_logits
    return 0.5 * tf.square(fake_logits - 1.0)


def boundary_seeking_generator(real_logits: tf.Tensor, fake_logits: tf.Tensor) -> tf.Tensor:
    """Returns 1/2 (log D(G(z)) - log(1 - D(G(z))))^2: half of the squared logit.

    It is least where D cannot tell, not where D is fooled.

    References:
        Hjelm et al. 2018, arXiv:1702.08431, section 3, the loss for continuous data.
    """
    del real_logits
    return 0.5 * tf.square(fake_logits)


def hinge_discriminator(real_logits: tf.Tensor, fake_logits: tf.Tensor) -> tf.Tensor:
    """Returns max(0, 1 - D(x)) + max(0, 1 + D(G(z))).

    References:
        Lim and Ye 2017, arXiv:1705.02894; Miyato et al. 2018, arXiv:1802.05957,
        equation 16.
    """
    return tf.nn.relu(1.0 - real_logits) + tf.nn.relu(1.0 + fake_logits)


def wasserstein_discriminator(real_logits: tf.Tensor, fake_logits: tf.Tensor) -> tf.Tensor:
    """Returns D(G(z)) - D(x), for a D whose slope is limited by a penalty or by clipping.

    References:
        Arjovsky et al. 2017, arXiv:1701.07875, Algorithm 1.
    """
    return fake_logits - real_logits


def critic_generator(real_logits: tf.Tensor, fake_logits: tf.Tensor) -> tf.Tensor:
    """Returns -D(G(z)), of the hinge and of the Wasserstein loss.

    References:
        Arjovsky et al. 2017, arXiv:1701.07875, Algorithm 1; Miyato et al. 2018, arXiv:1802.05957,
        equation 17.
    """
    del real_logits
    return -fake_logits


def relativistic_discriminator(real_logits: tf.Tensor, fake_logits: tf.Tensor) -> tf.Tensor:
    """Returns log(1 + e^(D(G(z)) - D(x))), each fake image paired with a real one.

    References:
        Jolicoeur-Martineau 2018, arXiv:1807.00734, section 4 (RSGAN).
    """
    return tf.nn.softplus(fake_logits - real_logits)


def relativistic_generator(real_logits: tf.Tensor, fake_logits: tf.Tensor) -> tf.Tensor:
    """Returns log(1 + e^(D(x) - D(G(z)))).

    References:
        Jolicoeur-Martineau 2018, arXiv:1807.00734, section 4 (RSGAN).
    """
    return tf.nn.softplus(real_logits - fake_logits)


def from_averages(real_logits: tf.Tensor, fake_logits: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """Returns how far each real logit is above the mean fake one, and each fake one above the real.

    Means are over the global batch; gradients flow through them.

    References:
        Jolicoeur-Martineau 2018, arXiv:1807.00734, section 4.2 (relativistic average GANs).
    """
    real_mean, fake_mean = (
        collectives.mean(tf.reduce_mean(logits)) for logits in (real_logits, fake_logits)
    )
    return real_logits - fake_mean, fake_logits - real_mean


def average_discriminator(real_logits: tf.Tensor, fake_logits: tf.Tensor) -> tf.Tensor:
    """Returns -log s(D(x) - mean D(G(z))) - log(1 - s(D(G(z)) - mean D(x))), s the sigmoid.

    References:
        Jolicoeur-Martineau 2018, arXiv:1807.00734, section 4.2 (RaSGAN, or RaGAN).
    """
    return cross_entropy_discriminator(*from_averages(real_logits, fake_logits))


def average_least_squares_discriminator(
    real_logits: tf.Tensor, fake_logits: tf.Tensor
) -> tf.Tensor:
    """Returns (D(x) - mean D(G(z)) - 1)^2 + (D(G(z)) - mean D(x) + 1)^2.

    References:
        Jolicoeur-Martineau 2018, arXiv:1807.00734, appendix (RaLSGAN).
    """
    real, fake = from_averages(real_logits, fake_logits)
    return tf.square(real - 1.0) + tf.square(fake + 1.0)


def average_hinge_discriminator(real_logits: tf.Tensor, fake_logits: tf.Tensor) -> tf.Tensor:
    """Returns max(0, 1 - (D(x) - mean D(G(z)))) + max(0, 1 + (D(G(z)) - mean D(x))).

    References:
        Jolicoeur-Martineau 2018, arXiv:1807.00734, appendix (RaHingeGAN).
    """
    return hinge_discriminator(*from_averages(real_logits, fake_logits))


def exchanged(discriminator: LossFunction) -> Loss:
    """Returns a loss of which G minimises what D does, with real and fake images exchanged."""

    def generator(real_logits: tf.Tensor, fake_logits: tf.Tensor) -> tf.Tensor:
        return discriminator(fake_logits, real_logits)

    return Loss(discriminator, generator, absolute=False)


LOSSES: dict[str, Loss] = {
    "non_saturating": Loss(
        cross_entropy_discriminator, non_saturating_generator, has_labels=True, log_odds=True
    ),
    "minimax": Loss(cross_entropy_discriminator, minimax_generator, has_labels=True, log_odds=True),
    "least_squares": Loss(
        least_squares_discriminator, least_squares_generator, has_labels=True, boundary=0.5
    ),
    "boundary_seeking": Loss(
        cross_entropy_discriminator, boundary_seeking_generator, has_labels=True, log_odds=True
    ),
    "hinge": Loss(hinge_discriminator, critic_generator),
    "wasserstein": Loss(wasserstein_discriminator, critic_generator, absolute=False),
    "relativistic": Loss(relativistic_discriminator, relativistic_generator, absolute=False),
    "relativistic_average": exchanged(average_discriminator),
    "relativistic_average_least_squares": exchanged(average_least_squares_discriminator),
    "relativistic_average_hinge": exchanged(average_hinge_discriminator),
}


def smooth_labels(loss: Loss, real_label: float, fake_label: float) -> Loss:
    """Returns a loss that has labels with other ones for its discriminator than 1 and 0."""
    if (real_label, fake_label) == (1.0, 0.0):
        return loss
    discriminator = partial(loss.discriminator, real_label=real_label, fake_label=fake_label)
    # 0 stays 0; the middle of the labels 1 and 0 becomes that of the others.
    boundary = loss.boundary * (real_label + fake_label)
    return loss._replace(discriminator=discriminator, boundary=boundary)
