"""The tables of generators and discriminators that a configuration names.

A network is one builder and one row of `GENERATORS` or `DISCRIMINATORS`. A builder takes the Keras
dtype policy of the inner layers; what enters and leaves is float32 always. With `classes` the
network has a second input, labels [batch] int32.
"""

from collections.abc import Callable
from functools import partial

import keras

from gan.models.dcgan import dcgan_discriminator, dcgan_generator
from gan.models.mlp import mlp_discriminator, mlp_generator, toy_discriminator, toy_generator
from gan.models.resnet import resnet_discriminator, resnet_generator

# (latent_dim, image_shape, policy, seed, *, classes, norm) -> latents [batch, latent_dim] to images
# [batch, *image_shape]
GeneratorBuilder = Callable[..., keras.Model]
# (image_shape, policy, seed, *, classes, norm) -> images [batch, *image_shape] to logits [batch, 1]
DiscriminatorBuilder = Callable[..., keras.Model]

GENERATORS: dict[str, GeneratorBuilder] = {
    "mlp": mlp_generator,
    "tiny": partial(mlp_generator, widths=(32, 32)),
    "dcgan": dcgan_generator,
    "dcgan_tiny": partial(dcgan_generator, widths=(16, 8)),
    "infogan": partial(dcgan_generator, hidden=448),
    "infogan_tiny": partial(dcgan_generator, widths=(16, 8), hidden=32),
    "resnet": resnet_generator,
    "resnet_tiny": partial(resnet_generator, widths=(16, 8, 8)),
    "toy": toy_generator,
    "toy_tiny": partial(toy_generator, widths=(32, 32)),
}
DISCRIMINATORS: dict[str, DiscriminatorBuilder] = {
    "mlp": mlp_discriminator,
    "tiny": partial(mlp_discriminator, widths=(32,)),
    "dcgan": dcgan_discriminator,
    "dcgan_tiny": partial(dcgan_discriminator, widths=(8, 16)),
    "infogan": partial(dcgan_discriminator, hidden=448),
    "infogan_tiny": partial(dcgan_discriminator, widths=(8, 16), hidden=32),
    "resnet": resnet_discriminator,
    "resnet_tiny": partial(resnet_discriminator, widths=(8, 8, 16)),
    "toy": toy_discriminator,
    "toy_tiny": partial(toy_discriminator, widths=(32, 32), waves=8),
}
