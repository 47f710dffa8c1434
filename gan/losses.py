"""Pairs of losses, (discriminator, generator), per example, with the paper's equation.

Both halves get the logits of real and of fake images [batch, 1] float32 and return [batch, 1]
float32; the step takes the mean. A loss is one pair and one row of `LOSSES`.
"""

from collections.abc import Callable
from typing import NamedTuple

import tensorflow as tf

LossFunction = Callable[[tf.Tensor, tf.Tensor], tf.Tensor]


class Loss(NamedTuple):
    """What each player minimises, given (real_logits, fake_logits)."""

    discriminator: LossFunction
    generator: LossFunction


def cross_entropy(logits: tf.Tensor, label: float) -> tf.Tensor:
    """Returns the sigmoid cross-entropy of each logit against one label for all."""
    return tf.nn.sigmoid_cross_entropy_with_logits(label * tf.ones_like(logits), logits)


def non_saturating_discriminator(real_logits: tf.Tensor, fake_logits: tf.Tensor) -> tf.Tensor:
    """Returns -log D(x) - log(1 - D(G(z))); 2 log 2 = 1.386 where D cannot tell.

    References:
        Goodfellow et al. 2014, arXiv:1406.2661, Algorithm 1.
    """
    return cross_entropy(real_logits, 1.0) + cross_entropy(fake_logits, 0.0)


def non_saturating_generator(real_logits: tf.Tensor, fake_logits: tf.Tensor) -> tf.Tensor:
    """Returns -log D(G(z)); log 2 = 0.693 where D cannot tell.

    References:
        Goodfellow et al. 2014, arXiv:1406.2661, section 3, the alternative for early learning.
    """
    del real_logits
    return cross_entropy(fake_logits, 1.0)


LOSSES: dict[str, Loss] = {
    "non_saturating": Loss(non_saturating_discriminator, non_saturating_generator),
}
