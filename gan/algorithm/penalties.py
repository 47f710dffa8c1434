"""Gradient penalties of the discriminator, per example, with the paper's equation.

A penalty gets D, real and fake images [batch, H, W, C] float32 and a key of random numbers, and
returns [batch] float32; the step takes the mean and the weight. Norms are over all pixels of an
image, in float32 whatever D computes in: a gradient has the type of the images. D must not have
BatchNorm, which mixes the images of a batch. A penalty is one function and one row of `PENALTIES`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from gan.algorithm import collectives
from gan.algorithm.schedules import Schedule, value_at
from gan.lazy import keras, tf

# (discriminator, real_images, fake_images, key) -> [batch]
Penalty = Callable[["keras.Model", "tf.Tensor", "tf.Tensor", "tf.Tensor"], "tf.Tensor"]

# Those that make units of D linear, see gan/algorithm/linear_units.py.
MAKE_LINEAR = ("r1", "r2", "r1_r2")

# Under the root, where the slope of the norm has no limit.
EPSILON = 1e-12


def squared_gradient_norms(discriminator: keras.Model, images: tf.Tensor) -> tf.Tensor:
    """Returns the squared norm [batch] of the gradient of each logit by its image."""
    with tf.GradientTape() as tape:
        tape.watch(images)
        logits = discriminator(images, training=True)
    gradients = tape.gradient(logits, images)
    return tf.reduce_sum(tf.square(gradients), range(1, len(gradients.shape)))


def squared_distances_from_one(discriminator: keras.Model, images: tf.Tensor) -> tf.Tensor:
    """Returns (|gradient| - 1)^2, [batch]."""
    return tf.square(tf.sqrt(squared_gradient_norms(discriminator, images) + EPSILON) - 1.0)


def wgan_gp(
    discriminator: keras.Model, real_images: tf.Tensor, fake_images: tf.Tensor, key: tf.Tensor
) -> tf.Tensor:
    """Returns (|gradient| - 1)^2 at a random point between each real image and a fake one.

    References:
        Gulrajani et al. 2017, arXiv:1704.00028, equation 3; the weight there is 10.
    """
    shape = [tf.shape(real_images)[0], *[1] * (len(real_images.shape) - 1)]
    share = collectives.uniform(shape, key, dtype=real_images.dtype)
    return squared_distances_from_one(
        discriminator, share * real_images + (1.0 - share) * fake_images
    )


def r1(
    discriminator: keras.Model, real_images: tf.Tensor, fake_images: tf.Tensor, key: tf.Tensor
) -> tf.Tensor:
    """Returns 1/2 |gradient|^2 at the real images.

    References:
        Mescheder et al. 2018, arXiv:1801.04406, equation 9; the weight is its gamma.
    """
    del fake_images, key
    return 0.5 * squared_gradient_norms(discriminator, real_images)


def r2(
    discriminator: keras.Model, real_images: tf.Tensor, fake_images: tf.Tensor, key: tf.Tensor
) -> tf.Tensor:
    """Returns 1/2 |gradient|^2 at the fake images.

    References:
        Mescheder et al. 2018, arXiv:1801.04406, equation 10.
    """
    del real_images, key
    return 0.5 * squared_gradient_norms(discriminator, fake_images)


def r1_r2(
    discriminator: keras.Model, real_images: tf.Tensor, fake_images: tf.Tensor, key: tf.Tensor
) -> tf.Tensor:
    """Returns the sum of `r1` and `r2`.

    References:
        Huang et al. 2024, arXiv:2501.05441, section 2.2.
    """
    both = (discriminator, real_images, fake_images, key)
    return r1(*both) + r2(*both)


def dragan(
    discriminator: keras.Model, real_images: tf.Tensor, fake_images: tf.Tensor, key: tf.Tensor
) -> tf.Tensor:
    """Returns (|gradient| - 1)^2 at real images with noise.

    The noise is uniform in 0..1 times half of the standard deviation of the whole batch, as in the
    authors' code; a random share of it is added to each image.

    References:
        Kodali et al. 2017, arXiv:1705.07215, section 2.3; the weight there is 10.
    """
    del fake_images
    keys = tf.random.experimental.stateless_split(key, 2, alg="philox")
    noise = collectives.uniform(real_images.shape, keys[0], dtype=real_images.dtype)
    shape = [tf.shape(real_images)[0], *[1] * (len(real_images.shape) - 1)]
    share = collectives.uniform(shape, keys[1], dtype=real_images.dtype)
    spread = 0.5 * collectives.standard_deviation(real_images)
    return squared_distances_from_one(discriminator, real_images + share * spread * noise)


PENALTIES: dict[str, Penalty | None] = {
    "none": None,
    "wgan_gp": wgan_gp,
    "r1": r1,
    "r2": r2,
    "r1_r2": r1_r2,
    "dragan": dragan,
}


class WeightedPenalty(NamedTuple):
    """A penalty as the step adds it to D's loss."""

    penalty: Penalty | None  # None adds nothing
    weight: Schedule

    def __call__(
        self,
        discriminator: keras.Model,
        real_images: tf.Tensor,
        fake_images: tf.Tensor,
        step: tf.Tensor,
        key: tf.Tensor,
    ) -> tf.Tensor:
        """Returns the weighted mean over the batch after `step` steps, a scalar.

        No gradient flows to G. `key` [2] int64 is that of the update's random numbers.
        """
        if self.penalty is None:
            return tf.zeros([], real_images.dtype)
        values = self.penalty(discriminator, real_images, tf.stop_gradient(fake_images), key)
        return tf.cast(value_at(self.weight, step), values.dtype) * tf.reduce_mean(values)


NO_PENALTY = WeightedPenalty(None, 0.0)
