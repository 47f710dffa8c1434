"""The original script: a frozen discriminator inside a combined model, on Keras 2 or Keras 3.

Literal on purpose. On Keras 3 it runs without an error and never trains the discriminator.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np


class MergedModels(NamedTuple):
    """The three compiled models of the script."""

    generator: Any
    discriminator: Any
    combined: Any


def build(keras: Any, dtype: str = "float32") -> MergedModels:
    """Returns the script's models.

    Args:
        keras: The module `tf_keras` (Keras 2) or `keras` (Keras 3).
        dtype: Of weights and computation; the script has float32.
    """
    layers, adam = keras.layers, keras.optimizers.Adam
    keras_2 = not hasattr(keras.config, "set_dtype_policy") if hasattr(keras, "config") else True
    set_dtype = keras.backend.set_floatx if keras_2 else keras.config.set_dtype_policy

    def leaky_relu() -> Any:
        return layers.LeakyReLU(0.2)  # `alpha` in Keras 2, `negative_slope` in Keras 3

    set_dtype(dtype)
    generator = keras.Sequential([keras.Input((100,))])
    for width in (256, 512, 1024):
        generator.add(layers.Dense(width))
        generator.add(leaky_relu())
        generator.add(layers.BatchNormalization(momentum=0.8))
    generator.add(layers.Dense(784, activation="tanh"))
    generator.add(layers.Reshape((28, 28, 1)))

    discriminator = keras.Sequential([keras.Input((28, 28, 1)), layers.Flatten()])
    for width in (512, 256):
        discriminator.add(layers.Dense(width))
        discriminator.add(leaky_relu())
    discriminator.add(layers.Dense(1, activation="sigmoid"))
    discriminator.compile(
        loss="binary_crossentropy", optimizer=adam(2e-4, 0.5), metrics=["accuracy"]
    )

    z = keras.Input((100,))
    discriminator.trainable = False
    combined = keras.Model(z, discriminator(generator(z)))
    combined.compile(loss="binary_crossentropy", optimizer=adam(2e-4, 0.5))
    set_dtype("float32")
    return MergedModels(generator, discriminator, combined)


def train_step(
    models: MergedModels, real: np.ndarray, noise: np.ndarray, g_noise: np.ndarray
) -> tuple[float, float]:
    """Does one step of the script.

    Args:
        models: What `build` returned.
        real: [batch, 28, 28, 1] float in -1..1.
        noise: [batch, 100] float, for the fakes that D learns from.
        g_noise: [batch, 100] float, for G.

    Returns:
        D's loss on real plus that on fake images (the script prints half of it), and G's loss.
    """
    ones, zeros = np.ones((len(real), 1)), np.zeros((len(real), 1))
    fakes = models.generator.predict(noise, verbose=0)
    d_loss_real = models.discriminator.train_on_batch(real, ones)
    d_loss_fake = models.discriminator.train_on_batch(fakes, zeros)
    g_loss = models.combined.train_on_batch(g_noise, ones)
    return d_loss_real[0] + d_loss_fake[0], g_loss


def loop(
    keras: Any, images: np.ndarray, batch_size: int = 256
) -> Callable[[int], tuple[float, float]]:
    """Returns a function that does n steps as the script's loop does, NumPy noise included.

    It returns the losses of D, on real and on fake images together, and of G at the last step.

    Args:
        keras: As for `build`.
        images: [N, 28, 28, 1] uint8.
        batch_size: Images a batch.
    """
    models = build(keras)
    x_train = images.astype(np.float32) / 127.5 - 1.0

    def run(steps: int) -> tuple[float, float]:
        for _ in range(steps):
            real = x_train[np.random.randint(0, len(x_train), batch_size)]  # noqa: NPY002, literal
            noise = np.random.normal(0, 1, (batch_size, 100))  # noqa: NPY002
            g_noise = np.random.normal(0, 1, (batch_size, 100))  # noqa: NPY002
            losses = train_step(models, real, noise, g_noise)
        return losses

    return run
