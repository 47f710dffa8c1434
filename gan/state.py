"""The state of training, built from a configuration and checked."""

from typing import Any

import keras
import tensorflow as tf

from gan.config import Config
from gan.knobs import UserError, row
from gan.models import DISCRIMINATORS, GENERATORS
from gan.optimizers import LEARNING_RATE_DECAYS, FusedAdam
from gan.replicas import batch_norms
from gan.step import GanState

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

    Args:
        config: With its precision resolved.
        image_shape: (H, W, C), or (D,) for points.
        generator: Takes the place of the one that `config` names.
        discriminator: Likewise.
        classes: Of the data set, 0 if it has no labels.

    Raises:
        UserError: Unknown network, one with other shapes or types than the data needs, a
            discriminator with BatchNorm under a penalty, or a conditional game without labels.
    """
    if config.conditional and not classes:
        raise UserError(f"--conditional: needs a data set with labels, {config.dataset} has none")
    *size, channels = image_shape
    seen_shape = (*size, channels * config.pack)
    generator = generator or build_generator(config, image_shape, classes)
    discriminator = discriminator or built(
        DISCRIMINATORS, "discriminator", config.discriminator, seen_shape,
        config=config, classes=classes, norm=config.d_norm,
    )  # fmt: skip
    check_network("generator", generator, (config.latent_dim,), image_shape, config.conditional)
    check_network("discriminator", discriminator, seen_shape, (1,), config.conditional)
    for network in (generator, discriminator):
        for layer in batch_norms(network):
            layer.synchronized = config.sync_batch_norm
    if config.penalty != "none" and batch_norms(discriminator):
        raise UserError(
            f"--penalty={config.penalty}: needs a discriminator without BatchNorm, which mixes the "
            "images of a batch"
        )
    ema_generator = keras.models.clone_model(generator)
    ema_generator.set_weights(generator.get_weights())

    def adam(
        network: keras.Model, learning_rate: float, decay: str, updates: int
    ) -> keras.optimizers.Optimizer:  # `updates` of its in a step
        decaying = LEARNING_RATE_DECAYS[decay](
            learning_rate, config.learning_rate_decay_steps * updates
        )
        optimizer: keras.optimizers.Optimizer = FusedAdam(
            decaying, beta_1=config.beta_1, beta_2=config.beta_2, epsilon=ADAM_EPSILON
        )
        if config.precision == "mixed_float16":
            optimizer = keras.optimizers.LossScaleOptimizer(optimizer)
        optimizer.build(network.trainable_variables)
        return optimizer

    d_updates = config.d_steps * (2 if config.schedule == "classic" else 1)
    g_decay, d_decay = config.g_learning_rate_decay, config.d_learning_rate_decay
    return GanState(
        generator,
        discriminator,
        ema_generator,
        adam(generator, config.g_learning_rate, g_decay, 1),
        adam(discriminator, config.d_learning_rate, d_decay, d_updates),
        tf.Variable(0, dtype=tf.int64, name="step", trainable=False),
        tf.Variable(0, dtype=tf.int64, name="rollbacks", trainable=False),
    )


def build_generator(config: Config, image_shape: tuple[int, ...], classes: int) -> keras.Model:
    """Returns the generator that a configuration names, with its initial weights.

    Raises:
        UserError: There is none of this name, or not for such images or with this normalisation.
    """
    return built(
        GENERATORS, "generator", config.generator, config.latent_dim, image_shape,
        config=config, classes=classes, norm=config.g_norm,
    )  # fmt: skip


def built(
    table: dict[str, Any], knob: str, name: str, *shapes: Any, config: Config, classes: int,
    norm: str,
) -> keras.Model:  # fmt: skip
    """Returns the network of a table's row; what its builder refuses is the user's mistake."""
    try:
        return row(table, knob, name)(
            *shapes,
            config.precision,
            config.seed,
            classes=classes if config.conditional else 0,
            norm=norm,
        )
    except ValueError as error:
        raise UserError(f"--{knob}={name}: {error}") from None


def check_network(
    name: str,
    network: keras.Model,
    inputs: tuple[int, ...],
    outputs: tuple[int, ...],
    conditional: bool = False,
) -> None:
    """Refuses a network that does not map float32 [batch, *inputs] to float32 [batch, *outputs].

    A conditional one maps the list of these inputs and of labels [batch] int32.

    Raises:
        UserError: Says what it maps instead.
    """
    if not isinstance(network, keras.Model) or not getattr(network, "inputs", None):
        raise UserError(f"{name}: must be a Keras functional or sequential model")
    expected = [(None, *inputs)] + [(None,)] * conditional
    found = [tuple(tensor.shape) for tensor in network.inputs]
    if found != expected or network.output_shape != (None, *outputs):
        raise UserError(
            f"{name}: maps {in_words(found)} to {network.output_shape}, "
            f"must map {in_words(expected)} to {(None, *outputs)}"
        )
    if network.outputs[0].dtype != "float32":
        raise UserError(f"{name}: returns {network.outputs[0].dtype}, must return float32")


def in_words(shapes: list[tuple[int | None, ...]]) -> str:
    """Returns shapes as text."""
    return " and ".join(map(str, shapes))
