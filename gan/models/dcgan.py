"""Strided convolutions in the manner of DCGAN.

References:
    Radford et al. 2016, arXiv:1511.06434, section 3.
    Chen et al. 2016, arXiv:1606.03657, appendix C.1, for the hidden dense layers (`dcgan_dense`).
    Miyato et al. 2018, arXiv:1802.05957, table 3, for G's 3x3 convolution (`sndcgan_dense`).
"""

from __future__ import annotations

from collections.abc import Sequence

from gan.lazy import keras
from gan.models.layers import Kernel, LayerBuilder, NetworkSpec, widths_of
from gan.rng import DISCRIMINATOR_STREAM, GENERATOR_STREAM

WIDTHS = (48, 96, 192, 384)  # channels double with each halving, and end at 8 times the first


def dcgan_generator(
    spec: NetworkSpec, widths: Sequence[int] = WIDTHS, hidden: int = 0, last: int = 0
) -> keras.Model:
    """Returns a generator of transposed convolutions of 4x4 and stride 2; BatchNorm.

    They double a map of 4 to 7 pixels to the images, or as `spec` says. `widths` are the channels
    at H/2, H/4 and so on, the last also further on; `hidden` the units of a dense layer before the
    others, if it is not 0. If `last` is not 0, so many channels at H become images by a 3x3
    convolution. Without it neighbouring pixels share no weights of the layer that draws them.
    """
    norm = spec.resolved_norm("batch")
    make = LayerBuilder(spec, GENERATOR_STREAM, norm, kernels(norm))
    times, height, width, channels = spec.halved()
    first, *others = reversed(widths_of(widths, times))
    if last:
        others.append(last)
    inputs, x = make.latents()
    if hidden:
        x = make.relu(make.batch_norm(make.dense(x, hidden)))
    x = make.dense(x, height * width * first)
    x = make.reshape(x, height, width, first)
    x = make.relu(make.batch_norm(x))
    for filters in others:
        x = make.relu(make.batch_norm(make.conv_transpose(x, filters, 4, 2)))
    x = make.conv(x, channels, 3) if last else make.conv_transpose(x, channels, 4, 2)
    return make.model(inputs, make.tanh_images(x), "generator")


def dcgan_discriminator(
    spec: NetworkSpec, widths: Sequence[int] = WIDTHS, hidden: int = 0, offset: float = 0.0
) -> keras.Model:
    """Returns a discriminator of convolutions of 4x4 and stride 2, then Dense 1.

    8 MFLOP for an image of 28x28x1. BatchNorm by default, which the first layer never has; a
    gradient penalty needs another normalisation. `widths` and `hidden` are those of
    `dcgan_generator`; the dense layer comes after the others. For `offset` see
    `LayerBuilder.images`.
    """
    norm = spec.resolved_norm("batch")
    make = LayerBuilder(spec, DISCRIMINATOR_STREAM, norm, kernels(norm))
    times = spec.halved()[0]
    images, x = make.images(offset)
    first, *others = widths_of(widths, times)
    x = make.leaky(make.conv(x, first, 4, 2))
    for filters in others:
        x = make.leaky(make.batch_norm(make.conv(x, filters, 4, 2)))
    x = make.flatten(x)
    if hidden:
        x = make.leaky(make.batch_norm(make.dense(x, hidden)))
    return make.discriminator(images, x)


def kernels(norm: str) -> Kernel:
    """Returns the paper's initial weights, N(0, 0.02^2), or He's where no BatchNorm follows.

    He et al. 2015, arXiv:1502.01852: the variance stays as it is through a ReLU.
    """
    if norm == "batch":
        return lambda seed: keras.initializers.RandomNormal(stddev=0.02, seed=seed)
    return keras.initializers.HeNormal
