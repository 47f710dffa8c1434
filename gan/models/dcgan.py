"""Strided convolutions in the manner of DCGAN.

References:
    Radford et al. 2016, arXiv:1511.06434, section 3.
    Chen et al. 2016, arXiv:1606.03657, appendix C.1, for the hidden dense layers ("InfoGAN").
"""

from __future__ import annotations

from collections.abc import Sequence

from gan.lazy import keras
from gan.models.layers import Kernel, LayerBuilder, NetworkSpec
from gan.rng import DISCRIMINATOR_STREAM, GENERATOR_STREAM


def dcgan_generator(
    spec: NetworkSpec, widths: Sequence[int] = (96, 48), hidden: int = 0
) -> keras.Model:
    """Returns a generator with two transposed convolutions of 4x4 and stride 2; BatchNorm.

    H and W must be multiples of 4. `widths` are the channels at H/4 and H/2, `hidden` the units of
    a dense layer before the others, if it is not 0.
    """
    norm = spec.resolved_norm("batch")
    make = LayerBuilder(spec, GENERATOR_STREAM, norm, kernels(norm))
    height, width, channels = spec.halved(2)
    inputs, x = make.latents()
    if hidden:
        x = make.relu(make.batch_norm(make.dense(x, hidden)))
    x = make.dense(x, height * width * widths[0])
    x = make.reshape(x, height, width, widths[0])
    x = make.relu(make.batch_norm(x))
    x = make.relu(make.batch_norm(make.conv_transpose(x, widths[1], 4, 2)))
    images = make.tanh_images(make.conv_transpose(x, channels, 4, 2))
    return make.model(inputs, images, "generator")


def dcgan_discriminator(
    spec: NetworkSpec, widths: Sequence[int] = (48, 96), hidden: int = 0
) -> keras.Model:
    """Returns a discriminator with two convolutions of 4x4 and stride 2, then Dense 1.

    8 MFLOP for an image of 28x28x1. BatchNorm by default, which the first layer never has; a
    gradient penalty needs another normalisation. H and W must be multiples of 4. `widths` are the
    channels at H/2 and H/4, `hidden` the units of a dense layer after them, if it is not 0.
    """
    norm = spec.resolved_norm("batch")
    make = LayerBuilder(spec, DISCRIMINATOR_STREAM, norm, kernels(norm))
    spec.halved(2)
    images = keras.Input(spec.image_shape, name="images")
    x = make.leaky(make.conv(images, widths[0], 4, 2))
    x = make.leaky(make.batch_norm(make.conv(x, widths[1], 4, 2)))
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
