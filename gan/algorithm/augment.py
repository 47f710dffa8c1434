"""Differentiable augmentation: what D sees of every image, real or fake, in every update.

An augmentation maps images [batch, H, W, C] float32 in -1..1 and a key of random numbers to images
of the same shape; gradients flow through it to G. Each image is changed in its own way, and which
way is a function of the key and of its place in the batch alone, also where replicas share the
batch: random numbers come from `collectives.uniform`. A policy is a row of `AUGMENTATIONS`:
augmentations, one after the other.

References:
    Zhao et al. 2020, arXiv:2006.10738 (DiffAugment): the policy and its sizes.
    Karras et al. 2020, arXiv:2006.06676 (ADA): each augmentation with a probability.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from gan.algorithm import collectives
from gan.lazy import tf
from gan.rng import fold_in

Augmentation = Callable[["tf.Tensor", "tf.Tensor"], "tf.Tensor"]

BRIGHTNESS = 0.5  # largest change, on the scale -1..1
SATURATION = 1.0  # largest change of the factor 1 by which colours differ from grey
CONTRAST = 0.5  # largest change of the factor 1 by which pixels differ from the image's mean
SHIFT = 0.125  # largest translation, as a share of the side
HOLE = 0.5  # the hole's side, as a share of the side
CHANCE = 100  # of an augmentation's random numbers: whether it changes an image
BACKGROUND = -1.0  # black; what moves in from the border, and what the hole shows


def brightness(images: tf.Tensor, key: tf.Tensor) -> tf.Tensor:
    """Returns images, each lighter or darker by up to `BRIGHTNESS`."""
    shape = [images.shape[0], 1, 1, 1]
    return images + collectives.uniform(shape, key, -BRIGHTNESS, BRIGHTNESS, images.dtype)


def saturation(images: tf.Tensor, key: tf.Tensor) -> tf.Tensor:
    """Returns images, each with its colours nearer to grey or farther from it; grey ones stay."""
    return scaled_about(tf.reduce_mean(images, 3, keepdims=True), images, key, SATURATION)


def contrast(images: tf.Tensor, key: tf.Tensor) -> tf.Tensor:
    """Returns images, each with its pixels nearer to its mean or farther from it."""
    return scaled_about(tf.reduce_mean(images, [1, 2, 3], keepdims=True), images, key, CONTRAST)


def scaled_about(centres: tf.Tensor, images: tf.Tensor, key: tf.Tensor, most: float) -> tf.Tensor:
    """Returns images, each with its distance from a centre times 1 - `most` to 1 + `most`."""
    shape = [images.shape[0], 1, 1, 1]
    factors = collectives.uniform(shape, key, 1.0 - most, 1.0 + most, images.dtype)
    return centres + factors * (images - centres)


def translation(images: tf.Tensor, key: tf.Tensor) -> tf.Tensor:
    """Returns images, each moved by up to `SHIFT` of the side in each direction."""
    for axis in (1, 2):
        size = images.shape[axis]
        most = int(SHIFT * size + 0.5)
        margins = [[most, most] if i == axis else [0, 0] for i in range(4)]
        padded = tf.pad(images, margins, constant_values=BACKGROUND)
        shape = [images.shape[0], 1]
        first = collectives.uniform(shape, fold_in(key, axis), 0, 2 * most + 1, tf.int32)
        images = tf.gather(padded, first + tf.range(size), axis=axis, batch_dims=1)
    return images


def cutout(images: tf.Tensor, key: tf.Tensor) -> tf.Tensor:
    """Returns images, each with a hole of `HOLE` of the side; it may reach over the border."""
    inside = tf.ones([images.shape[0], 1, 1, 1], tf.bool)
    for axis in (1, 2):
        size = images.shape[axis]
        side = int(HOLE * size + 0.5)
        shape = [images.shape[0], 1]
        centre = collectives.uniform(shape, fold_in(key, axis), 0, size + 1 - side % 2, tf.int32)
        first = centre - side // 2
        positions = tf.range(size)
        covered = (positions >= first) & (positions < first + side)  # [batch, size]
        inside &= tf.reshape(covered, [-1, *(size if i == axis else 1 for i in (1, 2)), 1])
    return tf.where(inside, BACKGROUND, images)


def flip(images: tf.Tensor, key: tf.Tensor) -> tf.Tensor:
    """Returns images, each mirrored left to right with a chance of 1/2.

    With `--flip` of real images alone, which says that mirror images are data too; in a policy of
    fake ones as well.
    """
    drawn = collectives.uniform([images.shape[0], 1, 1, 1], key, 0, 2, tf.int32)
    return tf.where(drawn == 1, tf.reverse(images, [2]), images)


# Colours only where there are some: the background of digits is black, and D would see it.
AUGMENTATIONS: dict[str, tuple[Augmentation, ...]] = {
    "none": (),
    "translation": (translation,),
    "translation_cutout": (translation, cutout),
    "brightness_translation_cutout": (brightness, translation, cutout),
    "color_translation_cutout": (brightness, saturation, contrast, translation, cutout),
    "flip_translation_cutout": (flip, translation, cutout),
    "flip_color_translation_cutout": (
        flip, brightness, saturation, contrast, translation, cutout,
    ),
}  # fmt: skip


def apply_augmentations(
    images: tf.Tensor,
    policy: Sequence[Augmentation],
    key: tf.Tensor,
    probability: float | tf.Tensor = 1.0,
) -> tf.Tensor:
    """Returns images changed by each augmentation of a policy, each with its own random numbers.

    Each image is changed by each augmentation with the same probability, a number 0..1 or a float32
    scalar, and whether by one says nothing about another.
    """
    for number, augmentation in enumerate(policy):
        own = fold_in(key, number)
        changed = augmentation(images, own)
        if not (isinstance(probability, float) and probability == 1.0):
            shape = [images.shape[0], *[1] * (len(images.shape) - 1)]
            drawn = collectives.uniform(shape, fold_in(own, CHANCE))  # at least 0, below 1
            changed = tf.where(drawn < probability, changed, images)
        images = changed
    return images
