"""The objective of the two players: what they minimise, and what D sees of an image."""

from typing import NamedTuple

import tensorflow as tf

from gan.algorithm.augment import Augmentation, apply_augmentations
from gan.algorithm.auxiliary import NO_AUXILIARY, WeightedAuxiliary
from gan.algorithm.losses import Loss
from gan.algorithm.penalties import NO_PENALTY, WeightedPenalty
from gan.rng import fold_in


class Objective(NamedTuple):
    """What the players minimise, and what D sees of an image."""

    loss: Loss
    penalty: WeightedPenalty = NO_PENALTY
    augmentations: tuple[Augmentation, ...] = ()
    pack: int = 1  # so many images, all real or all fake, are one input of D
    d_weight_clip: float = 0.0  # bound of D's weights after each of its updates; 0: none
    augment_probability: float | tf.Tensor = 1.0  # of each augmentation, for each image
    ada_target: float = 0.0  # to which ADA adjusts that probability; 0: it stays
    auxiliary: WeightedAuxiliary = NO_AUXILIARY  # what both minimise through D's second output


def discriminator_inputs(
    objective: Objective, real_images: tf.Tensor, fake_images: tf.Tensor, key: tf.Tensor
) -> tuple[tf.Tensor, tf.Tensor]:
    """Returns what D sees of real and of fake images: the same policy, other random numbers."""
    keys = (fold_in(key, 1), fold_in(key, 2)) if objective.augmentations else (key, key)
    policy, probability = objective.augmentations, objective.augment_probability
    real_seen, fake_seen = (
        pack_images(apply_augmentations(images, policy, one, probability), objective.pack)
        for images, one in zip((real_images, fake_images), keys, strict=True)
    )
    return real_seen, fake_seen


def pack_images(images: tf.Tensor, pack: int) -> tf.Tensor:
    """Returns images [batch, ..., C] as [batch / pack, ..., pack * C]: neighbours as channels.

    References:
        Lin et al. 2018, arXiv:1712.04086 (PacGAN), section 3.
    """
    if pack == 1:
        return images
    batch, *size, channels = images.shape
    images = tf.reshape(images, [batch // pack, pack, *size, channels])
    order = [0, *range(2, 2 + len(size)), 1, 2 + len(size)]
    return tf.reshape(tf.transpose(images, order), [batch // pack, *size, pack * channels])
