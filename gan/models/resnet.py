"""Small residual networks in the manner of R3GAN: no normalisation, fix-up initialisation.

Written from the papers' text. Unlike R3GAN's, these have convolutions without groups, which are
slow on CPUs, and bottlenecks that are narrow instead of wide.

References:
    Huang et al. 2025, arXiv:2501.05441, section 3 and appendix.
    Zhang et al. 2019, arXiv:1901.09321, section 3 (fix-up initialisation).
    Zhang 2019, arXiv:1904.11486 (a blur before resampling).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from gan.lazy import keras
from gan.models.layers import LayerBuilder, NetworkSpec, scaled, widths_of
from gan.rng import DISCRIMINATOR_STREAM, GENERATOR_STREAM

NORMS = ("default", "none")  # the same: there is none

# Keeps the variance through a LeakyReLU (He et al. 2015, arXiv:1502.01852, section 2.2).
LEAKY_GAIN = 2 / (1 + 0.2**2)
BRANCH_LAYERS = 3  # convolutions in a residual branch

WIDTHS = (32, 64, 128, 256)  # channels double with each halving, and end at 8 times the first


def resnet_generator(
    spec: NetworkSpec, widths: Sequence[int] = WIDTHS, blocks: int = 1
) -> keras.Model:
    """Returns a generator that doubles a Dense map of 4 to 7 pixels to images, or as `spec` says.

    `widths` are the channels at H, H/2, H/4 and so on, the last also further on; `blocks` the
    residual blocks at each.
    """
    make = LayerBuilder(spec, GENERATOR_STREAM, spec.resolved_norm("none", NORMS), scaled(1.0))
    times, height, width, channels = spec.halved()
    widths = widths_of(widths, times + 1)[::-1]
    inputs, x = make.latents()
    x = make.dense(x, height * width * widths[0])
    x = make.reshape(x, height, width, widths[0])
    depth = blocks * len(widths)
    for i, filters in enumerate(widths):
        if i:
            x = make.conv(x, filters, 1, use_bias=False)  # before, where it is cheaper
            x = keras.layers.UpSampling2D(dtype=spec.policy)(x)
            x = blur(make, x)  # of nearest neighbours: bilinear interpolation
        for _ in range(blocks):
            x = residual_block(make, x, depth)
    images = make.tanh_images(make.conv(x, channels, 3))
    return make.model(inputs, images, "generator")


def resnet_discriminator(
    spec: NetworkSpec, widths: Sequence[int] = WIDTHS, blocks: int = 1
) -> keras.Model:
    """Returns a discriminator that halves images and weighs what is left by a learned map.

    `widths` and `blocks` are those of `resnet_generator`.
    """
    make = LayerBuilder(spec, DISCRIMINATOR_STREAM, spec.resolved_norm("none", NORMS), scaled(1.0))
    widths = widths_of(widths, spec.halved()[0] + 1)
    images, x = make.images()
    x = make.conv(x, widths[0], 3)
    depth = blocks * len(widths)
    for i, filters in enumerate(widths):
        if i:
            x = make.conv(blur(make, x, strides=2), filters, 1, use_bias=False)
        for _ in range(blocks):
            x = residual_block(make, x, depth)
    # A map for each channel as large as the image is now. Not DepthwiseConv2D: see `blur`.
    x = make.weighted(keras.layers.EinsumDense, "bhwc,hwc->bc", widths[-1])(x)
    return make.discriminator(images, x)


def residual_block(make: LayerBuilder, x: Any, depth: int) -> Any:
    """Returns x [batch, H, W, C] plus 1x1, 3x3 and 1x1 convolutions with LeakyReLU between them.

    By fix-up the last one starts at 0, so that the block starts as the identity, and the weights of
    the others are divided by depth^(1 / (2 m - 2)): `depth` blocks of m = 3 layers.
    """
    filters = x.shape[-1]
    kernel = scaled(LEAKY_GAIN * depth ** (-2 / (2 * BRANCH_LAYERS - 2)))
    y = make.leaky(make.conv(x, filters // 2, 1, kernel=kernel))
    y = make.leaky(make.conv(y, filters // 2, 3, kernel=kernel))
    y = make.conv(y, filters, 1, kernel=scaled(0.0), use_bias=False)
    return keras.layers.Add(dtype=make.policy)([x, y])


def blur(make: LayerBuilder, x: Any, strides: int = 1) -> Any:
    """Returns each channel under [1, 2, 1] x [1, 2, 1] / 16, then every `strides`-th pixel.

    As two means over 2x2 pixels, because XLA's depthwise convolutions on CPUs are 15 times slower.
    At the lower and right edges the means are over the pixels that there are. Pixel i of the result
    is centred at pixel i + 1.
    """
    for stride in (1, strides):
        pool = keras.layers.AveragePooling2D(2, stride, padding="same", dtype=make.policy)
        x = pool(x)
    return x
