"""Networks of Dense layers: the original script's for images, and those of toy distributions."""

from collections.abc import Sequence

import keras
import numpy as np
from keras import layers

from gan.models.layers import LayerBuilder, resolve_norm
from gan.rng import DISCRIMINATOR_STREAM, GENERATOR_STREAM

FREQUENCIES = (0.5, 60.0)  # radians a unit: waves from 12 units to a tenth of one


def mlp_generator(
    latent_dim: int,
    image_shape: Sequence[int],
    policy: str = "float32",
    seed: int = 0,
    *,
    classes: int = 0,
    norm: str = "default",
    widths: Sequence[int] = (256, 512, 1024),
) -> keras.Model:
    """Returns the generator of the original script.

    Dense, LeakyReLU and BatchNorm for each width, then Dense and tanh. 1,493,520 parameters for
    100 latent entries and 28x28x1.

    Args:
        latent_dim: Entries of a latent vector.
        image_shape: [H, W, C].
        policy: Keras dtype policy of the inner layers.
        seed: Of the initial weights.
        classes: More than 0 makes labels [batch] int32 a second input, embedded beside the latents.
        norm: One of `NORMS`; default is batch.
        widths: Units of the hidden layers.

    Returns:
        Model from [batch, latent_dim] float32 to [batch, H, W, C] float32 in -1..1.
    """
    parts = LayerBuilder(seed, GENERATOR_STREAM, policy, resolve_norm(norm, "batch"), momentum=0.8)
    inputs, x = parts.latents(latent_dim, classes)
    for width in widths:
        x = parts.batch_norm(parts.leaky(parts.dense(x, width)))
    x = parts.dense(x, int(np.prod(image_shape)))
    x = layers.Activation("tanh", dtype="float32")(x)
    images = layers.Reshape(tuple(image_shape), dtype="float32", name="images")(x)
    return parts.model(inputs, images, "generator")


def mlp_discriminator(
    image_shape: Sequence[int],
    policy: str = "float32",
    seed: int = 0,
    *,
    classes: int = 0,
    norm: str = "default",
    widths: Sequence[int] = (512, 256),
) -> keras.Model:
    """Returns the discriminator of the original script, without its sigmoid.

    Dense and LeakyReLU for each width, then Dense 1. 533,505 parameters for 28x28x1.

    Args:
        image_shape: [H, W, C].
        policy: Keras dtype policy of the inner layers.
        seed: Of the initial weights.
        classes: More than 0 makes labels [batch] int32 a second input, see `Parts.discriminator`.
        norm: One of `NORMS`; default is none.
        widths: Units of the hidden layers.

    Returns:
        Model from [batch, H, W, C] float32 in -1..1 to logits [batch, 1] float32.
    """
    parts = LayerBuilder(
        seed, DISCRIMINATOR_STREAM, policy, resolve_norm(norm, "none"), momentum=0.8
    )
    images = keras.Input(tuple(image_shape), name="images")
    x = layers.Flatten(dtype=policy)(images)
    for width in widths:
        x = parts.batch_norm(parts.leaky(parts.dense(x, width)))
    return parts.discriminator(images, x, classes)


def toy_generator(
    latent_dim: int,
    image_shape: Sequence[int],
    policy: str = "float32",
    seed: int = 0,
    *,
    classes: int = 0,
    norm: str = "default",
    widths: Sequence[int] = (128, 128, 128, 128),
) -> keras.Model:
    """Returns a generator of points: Dense and LeakyReLU for each width, then Dense.

    Args:
        latent_dim: Entries of a latent vector.
        image_shape: [D], coordinates of a point.
        policy: Keras dtype policy of the inner layers.
        seed: Of the initial weights.
        classes: More than 0 makes labels [batch] int32 a second input, embedded beside the latents.
        norm: One of `NORMS`; default is none.
        widths: Units of the hidden layers.

    Returns:
        Model from [batch, latent_dim] float32 to points [batch, D] float32, without a bound.

    Raises:
        ValueError: `image_shape` is that of images.
    """
    parts = LayerBuilder(seed, GENERATOR_STREAM, policy, resolve_norm(norm, "none"))
    (coordinates,) = point_shape(image_shape)
    inputs, x = parts.latents(latent_dim, classes)
    for width in widths:
        x = parts.batch_norm(parts.leaky(parts.dense(x, width)))
    points = parts.dense(x, coordinates, dtype="float32", name="images")
    return parts.model(inputs, points, "generator")


def toy_discriminator(
    image_shape: Sequence[int],
    policy: str = "float32",
    seed: int = 0,
    *,
    classes: int = 0,
    norm: str = "default",
    widths: Sequence[int] = (128, 128),
    waves: int = 64,
) -> keras.Model:
    """Returns a discriminator of points: waves, Dense and LeakyReLU for each width, then Dense 1.

    Args:
        image_shape: [D], coordinates of a point.
        policy: Keras dtype policy of the inner layers.
        seed: Of the initial weights.
        classes: More than 0 makes labels [batch] int32 a second input, see `Parts.discriminator`.
        norm: One of `NORMS`; default is none.
        widths: Units of the hidden layers.
        waves: Sines, and cosines, of the point that the first layer sees beside it.

    Returns:
        Model from points [batch, D] float32 to logits [batch, 1] float32.

    Raises:
        ValueError: `image_shape` is that of images.
    """
    parts = LayerBuilder(seed, DISCRIMINATOR_STREAM, policy, resolve_norm(norm, "none"))
    points = keras.Input(point_shape(image_shape), name="images")
    x = parts.waves(points, waves, *FREQUENCIES)
    for width in widths:
        x = parts.batch_norm(parts.leaky(parts.dense(x, width)))
    return parts.discriminator(points, x, classes)


def point_shape(image_shape: Sequence[int]) -> tuple[int]:
    """Returns (D,).

    Raises:
        ValueError: It is the shape of something else.
    """
    if len(image_shape) != 1:
        raise ValueError(f"toy: makes points [D], the data has the shape {list(image_shape)}")
    return (image_shape[0],)
