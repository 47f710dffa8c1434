"""Small residual networks in the manner of R3GAN: no normalisation, fix-up initialisation.

Written from the papers' text. Unlike R3GAN's, these have convolutions without groups, which are
slow on CPUs, and bottlenecks that are narrow instead of wide.

References:
    Huang et al. 2025, arXiv:2501.05441, section 3 and appendix.
    Zhang et al. 2019, arXiv:1901.09321, section 3 (fix-up initialisation).
    Zhang 2019, arXiv:1904.11486 (a blur before resampling).
"""

from collections.abc import Sequence
from typing import Any

import keras
from keras import layers

from gan.models.layers import LayerBuilder, resolve_norm, scaled, smallest_map
from gan.rng import DISCRIMINATOR_STREAM, GENERATOR_STREAM

NORMS = ("default", "none")

# Keeps the variance through a LeakyReLU (He et al. 2015, arXiv:1502.01852, section 2.2).
LEAKY_GAIN = 2 / (1 + 0.2**2)
BRANCH_LAYERS = 3  # convolutions in a residual branch


def resnet_generator(
    latent_dim: int,
    image_shape: Sequence[int],
    policy: str = "float32",
    seed: int = 0,
    *,
    classes: int = 0,
    norm: str = "default",
    widths: Sequence[int] = (128, 64, 32),
    blocks: int = 1,
) -> keras.Model:
    """Returns a generator that starts from a Dense map and doubles it twice.

    Args:
        latent_dim: Entries of a latent vector.
        image_shape: [H, W, C], H and W multiples of 4.
        policy: Keras dtype policy of the inner layers.
        seed: Of the initial weights.
        classes: More than 0 makes labels [batch] int32 a second input, embedded beside the latents.
        norm: "default" or "none", which is the same.
        widths: Channels at each resolution, from the smallest.
        blocks: Residual blocks at each resolution.

    Returns:
        Model from [batch, latent_dim] float32 to [batch, H, W, C] float32 in -1..1.

    Raises:
        ValueError: `image_shape` cannot be halved so often, or the normalisation is another.
    """
    parts = LayerBuilder(
        seed, GENERATOR_STREAM, policy, resolve_norm(norm, "none", NORMS), scaled(1.0)
    )
    height, width, channels = smallest_map(image_shape, len(widths) - 1)
    inputs, x = parts.latents(latent_dim, classes)
    x = parts.dense(x, height * width * widths[0])
    x = layers.Reshape((height, width, widths[0]), dtype=policy)(x)
    depth = blocks * len(widths)
    for i, filters in enumerate(widths):
        if i:
            x = parts.conv(x, filters, 1, use_bias=False)  # before, where it is cheaper
            x = layers.UpSampling2D(dtype=policy)(x)
            x = blur(parts, x)  # of nearest neighbours: bilinear interpolation
        for _ in range(blocks):
            x = residual_block(parts, x, depth)
    x = parts.conv(x, channels, 3)
    images = layers.Activation("tanh", dtype="float32", name="images")(x)
    return parts.model(inputs, images, "generator")


def resnet_discriminator(
    image_shape: Sequence[int],
    policy: str = "float32",
    seed: int = 0,
    *,
    classes: int = 0,
    norm: str = "default",
    widths: Sequence[int] = (32, 64, 128),
    blocks: int = 1,
) -> keras.Model:
    """Returns a discriminator that halves an image twice and weighs what is left by a learned map.

    Args:
        image_shape: [H, W, C], H and W multiples of 4.
        policy: Keras dtype policy of the inner layers.
        seed: Of the initial weights.
        classes: More than 0 makes labels [batch] int32 a second input, see `Parts.discriminator`.
        norm: "default" or "none", which is the same.
        widths: Channels at each resolution, from the largest.
        blocks: Residual blocks at each resolution.

    Returns:
        Model from [batch, H, W, C] float32 in -1..1 to logits [batch, 1] float32.

    Raises:
        ValueError: `image_shape` cannot be halved so often, or the normalisation is another.
    """
    parts = LayerBuilder(
        seed, DISCRIMINATOR_STREAM, policy, resolve_norm(norm, "none", NORMS), scaled(1.0)
    )
    smallest_map(image_shape, len(widths) - 1)
    images = keras.Input(tuple(image_shape), name="images")
    x = parts.conv(images, widths[0], 3)
    depth = blocks * len(widths)
    for i, filters in enumerate(widths):
        if i:
            x = parts.conv(blur(parts, x, strides=2), filters, 1, use_bias=False)
        for _ in range(blocks):
            x = residual_block(parts, x, depth)
    # A map for each channel as large as the image is now. Not DepthwiseConv2D: see `blur`.
    x = parts.weighted(layers.EinsumDense, "bhwc,hwc->bc", widths[-1])(x)
    return parts.discriminator(images, x, classes)


def residual_block(parts: LayerBuilder, x: Any, depth: int) -> Any:
    """Returns x plus a branch of 1x1, 3x3 and 1x1 convolutions with LeakyReLU between them.

    By fix-up the last one starts at 0, so that the block starts as the identity, and the weights of
    the others are divided by depth^(1 / (2 m - 2)), m = 3 layers in a branch.

    Args:
        parts: Of the network.
        x: [batch, H, W, C].
        depth: Blocks in the network.
    """
    filters = x.shape[-1]
    kernel = scaled(LEAKY_GAIN * depth ** (-2 / (2 * BRANCH_LAYERS - 2)))
    y = parts.leaky(parts.conv(x, filters // 2, 1, kernel=kernel))
    y = parts.leaky(parts.conv(y, filters // 2, 3, kernel=kernel))
    y = parts.conv(y, filters, 1, kernel=scaled(0.0), use_bias=False)
    return layers.Add(dtype=parts.policy)([x, y])


def blur(parts: LayerBuilder, x: Any, strides: int = 1) -> Any:
    """Returns each channel under [1, 2, 1] x [1, 2, 1] / 16, then every `strides`-th pixel.

    As two means over 2x2 pixels, because XLA's depthwise convolutions on CPUs are 15 times slower.
    At the lower and right edges the means are over the pixels that there are. Pixel i of the result
    is centred at pixel i + 1.
    """
    x = layers.AveragePooling2D(2, 1, padding="same", dtype=parts.policy)(x)
    return layers.AveragePooling2D(2, strides, padding="same", dtype=parts.policy)(x)
