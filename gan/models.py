"""Keras functional builders of generators and discriminators.

Each takes the Keras dtype policy of its inner layers; what enters and leaves is float32 always.
A network is one builder and one row of `GENERATORS` or `DISCRIMINATORS`.
"""

from collections.abc import Callable, Iterator, Sequence
from functools import partial

import keras
import numpy as np
from keras import layers

# (latent_dim, image_shape, policy, seed) -> latents [batch, latent_dim] to images [batch, H, W, C]
GeneratorBuilder = Callable[[int, Sequence[int], str, int], keras.Model]
# (image_shape, policy, seed) -> images [batch, H, W, C] to logits [batch, 1]
DiscriminatorBuilder = Callable[[Sequence[int], str, int], keras.Model]

# Streams of the initial weights, so that the two networks of a seed share no numbers.
GENERATOR_STREAM, DISCRIMINATOR_STREAM = 0, 1


def initializers(seed: int, stream: int) -> Iterator[keras.initializers.Initializer]:
    """Yields Keras' default kernel initializer, Glorot uniform, with a seed for each layer."""
    sequence = np.random.SeedSequence([seed, stream])
    while True:
        (child,) = sequence.spawn(1)
        yield keras.initializers.GlorotUniform(int(child.generate_state(1)[0] >> 1))


def mlp_generator(
    latent_dim: int,
    image_shape: Sequence[int],
    policy: str = "float32",
    seed: int = 0,
    *,
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
        widths: Units of the hidden layers.

    Returns:
        Model from [batch, latent_dim] float32 to [batch, H, W, C] float32 in -1..1.
    """
    kernels = initializers(seed, GENERATOR_STREAM)
    latents = keras.Input([latent_dim], name="latents")
    x = latents
    for width in widths:
        x = layers.Dense(width, kernel_initializer=next(kernels), dtype=policy)(x)
        x = layers.LeakyReLU(negative_slope=0.2, dtype=policy)(x)
        x = layers.BatchNormalization(momentum=0.8, dtype=policy)(x)
    pixels = int(np.prod(image_shape))
    x = layers.Dense(pixels, kernel_initializer=next(kernels), dtype=policy)(x)
    x = layers.Activation("tanh", dtype="float32")(x)
    images = layers.Reshape(tuple(image_shape), dtype="float32", name="images")(x)
    return keras.Model(latents, images, name="generator")


def mlp_discriminator(
    image_shape: Sequence[int],
    policy: str = "float32",
    seed: int = 0,
    *,
    widths: Sequence[int] = (512, 256),
) -> keras.Model:
    """Returns the discriminator of the original script, without its sigmoid.

    Dense and LeakyReLU for each width, then Dense 1. 533,505 parameters for 28x28x1.

    Args:
        image_shape: [H, W, C].
        policy: Keras dtype policy of the inner layers.
        seed: Of the initial weights.
        widths: Units of the hidden layers.

    Returns:
        Model from [batch, H, W, C] float32 in -1..1 to logits [batch, 1] float32.
    """
    kernels = initializers(seed, DISCRIMINATOR_STREAM)
    images = keras.Input(tuple(image_shape), name="images")
    x = layers.Flatten(dtype=policy)(images)
    for width in widths:
        x = layers.Dense(width, kernel_initializer=next(kernels), dtype=policy)(x)
        x = layers.LeakyReLU(negative_slope=0.2, dtype=policy)(x)
    logits = layers.Dense(1, kernel_initializer=next(kernels), dtype="float32", name="logits")(x)
    return keras.Model(images, logits, name="discriminator")


GENERATORS: dict[str, GeneratorBuilder] = {
    "mlp": mlp_generator,
    "tiny": partial(mlp_generator, widths=(32, 32)),
}
DISCRIMINATORS: dict[str, DiscriminatorBuilder] = {
    "mlp": mlp_discriminator,
    "tiny": partial(mlp_discriminator, widths=(32,)),
}
