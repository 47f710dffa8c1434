"""The state of training, built from a configuration and checked."""

import keras
import tensorflow as tf

from gan.algorithm.collectives import batch_norm_layers
from gan.algorithm.optimizers import FusedAdam
from gan.algorithm.schedules import DECAYS
from gan.algorithm.step import GanState
from gan.errors import UserError
from gan.models.build import build_discriminator, build_generator, check_network
from gan.run.config import Config

ADAM_EPSILON = 1e-7  # Keras' default, spelled out because the algorithm depends on it


def build_state(
    config: Config,
    image_shape: tuple[int, ...],
    generator: keras.Model | None = None,
    discriminator: keras.Model | None = None,
    *,
    classes: int = 0,
) -> GanState:
    """Returns networks, their average and built optimizers, at step 0.

    Networks that are given take the place of those that the resolved configuration names. Images
    are (H, W, C), points (D,); `classes` are those of the data set, 0 if it has no labels.
    """
    if config.conditional and not classes:
        raise UserError(f"--conditional: needs a data set with labels, {config.dataset} has none")
    *size, channels = image_shape
    seen_shape = (*size, channels * config.pack)
    generator = generator or build_generator(config, image_shape, classes)
    discriminator = discriminator or build_discriminator(config, seen_shape, classes)
    check_network("generator", generator, (config.latent_dim,), image_shape, config.conditional)
    check_network("discriminator", discriminator, seen_shape, (1,), config.conditional)
    for network in (generator, discriminator):
        for layer in batch_norm_layers(network):
            layer.synchronized = config.sync_batch_norm
    if config.penalty != "none" and batch_norm_layers(discriminator):
        raise UserError(
            f"--penalty={config.penalty}: needs a discriminator without BatchNorm, which mixes the "
            "images of a batch"
        )
    ema_generator = keras.models.clone_model(generator)
    ema_generator.set_weights(generator.get_weights())

    d_updates = config.d_steps * (2 if config.schedule == "classic" else 1)
    g_decay, d_decay = config.g_learning_rate_decay, config.d_learning_rate_decay
    return GanState(
        generator,
        discriminator,
        ema_generator,
        build_adam(config, generator, config.g_learning_rate, g_decay, 1),
        build_adam(config, discriminator, config.d_learning_rate, d_decay, d_updates),
        tf.Variable(0, dtype=tf.int64, name="step", trainable=False),
        tf.Variable(0, dtype=tf.int64, name="rollbacks", trainable=False),
    )


def build_adam(
    config: Config, network: keras.Model, learning_rate: float, decay: str, updates: int
) -> keras.optimizers.Optimizer:
    """Returns the optimizer of a network that it updates so many times a step."""
    schedule = DECAYS[decay](learning_rate, config.learning_rate_decay_steps * updates, 0.0)
    optimizer: keras.optimizers.Optimizer = FusedAdam(
        schedule, beta_1=config.beta_1, beta_2=config.beta_2, epsilon=ADAM_EPSILON
    )
    if config.precision == "mixed_float16":
        optimizer = keras.optimizers.LossScaleOptimizer(optimizer)
    optimizer.build(network.trainable_variables)
    return optimizer
