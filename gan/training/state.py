"""The state of training, built from a configuration and checked."""

from collections.abc import Collection

import keras
import numpy as np
import tensorflow as tf

from gan.algorithm import ada
from gan.algorithm.collectives import batch_norm_layers
from gan.algorithm.optimizer_table import OPTIMIZERS
from gan.algorithm.power_averages import WIDTHS
from gan.algorithm.schedules import DECAYS
from gan.algorithm.step import GanState
from gan.data.datasets import Dataset
from gan.data.images import to_float
from gan.data.input_pipeline import real_examples
from gan.errors import UserError
from gan.models import checks
from gan.models.build import build_discriminator, build_generator
from gan.models.checks import check_discriminator, check_network, check_saving
from gan.models.registry import DISCRIMINATORS, GENERATORS, SHIPPED
from gan.run.config import Config
from gan.run.heads import HEADS

LOOKED_AT = 16  # real examples that a discriminator is tried on


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
    given = generator is not None
    generator = generator or build_generator(config, image_shape, classes)
    discriminator = discriminator or build_discriminator(config, seen_shape, classes)
    check_network("generator", generator, (config.latent_dim,), image_shape, config.conditional)
    head = HEADS.get(config.auxiliary)
    if head and head.names_classes and not classes:
        raise UserError(
            f"--auxiliary={config.auxiliary}: needs a data set with labels, {config.dataset} has "
            "none"
        )
    check_discriminator("discriminator", discriminator, config, seen_shape, classes)
    checks.check_apart(generator, discriminator)
    for network in (generator, discriminator):
        for layer in batch_norm_layers(network):
            layer.synchronized = config.sync_batch_norm
    if config.penalty != "none" and batch_norm_layers(discriminator):
        raise UserError(
            f"--penalty={config.penalty}: needs a discriminator without BatchNorm, which mixes the "
            "images of a batch"
        )
    if "generator" in unknown_networks(config, ["generator"] * given):
        check_saving("generator", generator)  # what cannot be saved, cannot be copied
    kept = len(WIDTHS) if config.posthoc_averages else 0
    ema_generator, *averages = (keras.models.clone_model(generator) for _ in range(1 + kept))
    for average in (ema_generator, *averages):
        average.set_weights(generator.get_weights())
        for copy, weight in zip(average.weights, generator.weights, strict=True):
            copy.trainable = weight.trainable  # which one may lack alone, and no clone knows

    d_updates = config.d_steps * (2 if config.schedule == "classic" else 1)
    # G's first update comes after the warm-up, and its last one at the same step as D's.
    decay_steps, warm_up = config.learning_rate_decay_steps, config.d_warmup_steps
    g_decay, d_decay = config.g_learning_rate_decay, config.d_learning_rate_decay
    return GanState(
        generator,
        discriminator,
        ema_generator,
        build_optimizer(config, generator, config.g_learning_rate, g_decay, decay_steps - warm_up),
        build_optimizer(
            config, discriminator, config.d_learning_rate, d_decay, decay_steps * d_updates
        ),
        tf.Variable(0, dtype=tf.int64, name="step", trainable=False),
        tf.Variable(0, dtype=tf.int64, name="rollbacks", trainable=False),
        tuple(averages),
        ada.new_controller() if config.ada_target else None,
    )


def check_players(
    config: Config,
    state: GanState,
    data: Dataset,
    own_networks: Collection[str],
    replicas: int = 1,
) -> list[str]:
    """Returns doubts about the players of a run that do not come with the package, in sentences.

    Args:
        config: Of the run.
        state: At step 0.
        data: That is trained on.
        own_networks: "generator", "discriminator", or both: what Python code gave.
        replicas: That train together.

    Raises:
        UserError: A player cannot learn, makes or returns something else than the step takes, or
            does not know the classes of the data.
    """
    doubts = []
    unknown = unknown_networks(config, own_networks)
    players = {"generator": state.generator, "discriminator": state.discriminator}
    for name in unknown:
        network = players[name]
        checks.check_trainable(name, network)
        checks.check_precision(name, network, config.precision)
        if len(network.inputs) == 2:
            doubts += checks.check_labels(name, network, data.classes)
        if config.sync_batch_norm and replicas > 1 and checks.adds_losses(network):
            raise UserError(
                f"--sync_batch_norm: {name} adds losses in its call, which devices that wait for "
                "each other inside of it would mix up"
            )
        if name in own_networks:
            doubts += checks.doubts_about_frozen_layers(name, network)
        if replicas == 1:
            doubts += checks.check_variables(name, network)
    if "generator" in unknown:
        checks.classes_of(state.generator)
        if len(data.shape) == 3:
            doubts += checks.check_images("generator", state.generator)
    if "discriminator" in unknown:
        shown = to_float(real_examples(data, LOOKED_AT, config.seed)).numpy()
        shown = np.tile(shown, [*[1] * (shown.ndim - 1), config.pack])
        checks.check_logits("discriminator", state.discriminator, shown)
        if len(data.shape) == 3:
            doubts += checks.doubts_about_sight("discriminator", state.discriminator)
    return doubts


def unknown_networks(config: Config, own_networks: Collection[str]) -> list[str]:
    """Returns which networks do not come with the package: of Python code, or rows of its own."""
    rows = {
        "generator": GENERATORS.get(config.generator),
        "discriminator": DISCRIMINATORS.get(config.discriminator),
    }
    return [name for name, row in rows.items() if name in own_networks or row not in SHIPPED]


def build_optimizer(
    config: Config, network: keras.Model, learning_rate: float, decay: str, updates: int
) -> keras.optimizers.Optimizer:
    """Returns the optimizer of a network, whose learning rate decays over so many updates."""
    schedule = DECAYS[decay](learning_rate, updates, 0.0)
    optimizer = OPTIMIZERS[config.optimizer].make(schedule, config.beta_1, config.beta_2)
    if config.precision == "mixed_float16":
        optimizer = keras.optimizers.LossScaleOptimizer(optimizer)
    optimizer.build(network.trainable_variables)
    return optimizer
