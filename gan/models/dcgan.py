"""Strided convolutions in the manner of DCGAN.

References:
    Radford et al. 2016, arXiv:1511.06434, section 3.
    Chen et al. 2016, arXiv:1606.03657, appendix C.1, for the hidden dense layers ("InfoGAN").
"""

from collections.abc import Sequence

import keras
from keras import layers

from gan.models.layers import Kernel, LayerBuilder, resolve_norm, smallest_map
from gan.rng import DISCRIMINATOR_STREAM, GENERATOR_STREAM


def dcgan_generator(
    latent_dim: int,
    image_shape: Sequence[int],
    policy: str = "float32",
    seed: int = 0,
    *,
    classes: int = 0,
    norm: str = "default",
    widths: Sequence[int] = (96, 48),
    hidden: int = 0,
) -> keras.Model:
    """Returns a generator with two transposed convolutions of 4x4 and stride 2.

    Args:
        latent_dim: Entries of a latent vector.
        image_shape: [H, W, C], H and W multiples of 4.
        policy: Keras dtype policy of the inner layers.
        seed: Of the initial weights.
        classes: More than 0 makes labels [batch] int32 a second input, embedded beside the latents.
        norm: One of `NORMS`; default is batch.
        widths: Channels at H/4 and H/2.
        hidden: Units of a dense layer before the others; 0: none.

    Returns:
        Model from [batch, latent_dim] float32 to [batch, H, W, C] float32 in -1..1.

    Raises:
        ValueError: `image_shape` cannot be halved twice.
    """
    norm = resolve_norm(norm, "batch")
    parts = LayerBuilder(seed, GENERATOR_STREAM, policy, norm, kernels(norm))
    height, width, channels = smallest_map(image_shape, 2)
    inputs, x = parts.latents(latent_dim, classes)
    if hidden:
        x = layers.ReLU(dtype=policy)(parts.batch_norm(parts.dense(x, hidden)))
    x = parts.dense(x, height * width * widths[0])
    x = layers.Reshape((height, width, widths[0]), dtype=policy)(x)
    x = layers.ReLU(dtype=policy)(parts.batch_norm(x))
    x = parts.weighted(layers.Conv2DTranspose, widths[1], 4, 2, padding="same")(x)
    x = layers.ReLU(dtype=policy)(parts.batch_norm(x))
    x = parts.weighted(layers.Conv2DTranspose, channels, 4, 2, padding="same")(x)
    images = layers.Activation("tanh", dtype="float32", name="images")(x)
    return parts.model(inputs, images, "generator")


def dcgan_discriminator(
    image_shape: Sequence[int],
    policy: str = "float32",
    seed: int = 0,
    *,
    classes: int = 0,
    norm: str = "default",
    widths: Sequence[int] = (48, 96),
    hidden: int = 0,
) -> keras.Model:
    """Returns a discriminator with two convolutions of 4x4 and stride 2, then Dense 1.

    8 MFLOP for an image of 28x28x1.

    Args:
        image_shape: [H, W, C], H and W multiples of 4.
        policy: Keras dtype policy of the inner layers.
        seed: Of the initial weights.
        classes: More than 0 makes labels [batch] int32 a second input, see `Parts.discriminator`.
        norm: One of `NORMS`; default is batch, which the first layer never has. A gradient penalty
            needs another.
        widths: Channels at H/2 and H/4.
        hidden: Units of a dense layer after them; 0: none.

    Returns:
        Model from [batch, H, W, C] float32 in -1..1 to logits [batch, 1] float32.

    Raises:
        ValueError: `image_shape` cannot be halved twice.
    """
    norm = resolve_norm(norm, "batch")
    parts = LayerBuilder(seed, DISCRIMINATOR_STREAM, policy, norm, kernels(norm))
    smallest_map(image_shape, 2)
    images = keras.Input(tuple(image_shape), name="images")
    x = parts.leaky(parts.conv(images, widths[0], 4, 2))
    x = parts.leaky(parts.batch_norm(parts.conv(x, widths[1], 4, 2)))
    x = layers.Flatten(dtype=policy)(x)
    if hidden:
        x = parts.leaky(parts.batch_norm(parts.dense(x, hidden)))
    return parts.discriminator(images, x, classes)


def kernels(norm: str) -> Kernel:
    """Returns the paper's initial weights, N(0, 0.02^2), or He's where no BatchNorm follows.

    He et al. 2015, arXiv:1502.01852: the variance stays as it is through a ReLU.
    """
    if norm == "batch":
        return lambda seed: keras.initializers.RandomNormal(stddev=0.02, seed=seed)
    return keras.initializers.HeNormal
