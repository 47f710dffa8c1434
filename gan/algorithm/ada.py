"""Adaptive discriminator augmentation: how often images are changed, by how much D overfits.

D overfits to the training images when it takes nearly all of them for real. The controller watches
r = E[sign(D(x))] over real images, and raises the probability of augmentations where r is above its
target, else lowers it.

References:
    Karras et al. 2020, arXiv:2006.06676 (ADA), section 3.1.
"""

from typing import NamedTuple

import tensorflow as tf

INTERVAL = 4  # steps that r is averaged over, before the probability moves
IMAGES = 500_000  # real images in which the probability goes from 0 to 1, at the fastest


class Controller(NamedTuple):
    """What ADA remembers, as part of a run's state."""

    probability: tf.Variable  # float32 scalar 0..1
    signs: tf.Variable  # float32 scalar, sum of r since the probability moved


def new_controller() -> Controller:
    """Returns one that changes nothing yet."""
    return Controller(
        tf.Variable(0.0, name="augment_probability", trainable=False),
        tf.Variable(0.0, name="augment_signs", trainable=False),
    )


def adapt(
    controller: Controller, right: tf.Tensor, target: float, step: tf.Tensor, images: int
) -> None:
    """Moves the probability after a step.

    Args:
        controller: Changed in place.
        right: float32 scalar 0..1, the share of real images with a logit on the side of "real".
        target: That r should have, 0.6 in the paper.
        step: int64 scalar, steps done.
        images: Real images that D sees in a step, on all replicas.
    """
    signs = controller.signs + 2.0 * right - 1.0  # E[sign] where no logit is on the boundary
    due = tf.equal(step % INTERVAL, 0)
    move = tf.sign(signs / INTERVAL - target) * (INTERVAL * images / IMAGES)
    moved = tf.clip_by_value(controller.probability + move, 0.0, 1.0)
    controller.probability.assign(tf.where(due, moved, controller.probability))
    controller.signs.assign(tf.where(due, 0.0, signs))
