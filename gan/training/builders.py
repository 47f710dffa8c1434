"""What a configuration stands for: the game, the pipeline, and the compiled step."""

from typing import Any

import tensorflow as tf

from gan.algorithm.augment import AUGMENTATIONS
from gan.algorithm.losses import LOSSES, Loss, smooth_labels
from gan.algorithm.objective import Objective
from gan.algorithm.penalties import NO_PENALTY, PENALTIES, WeightedPenalty
from gan.algorithm.step import GanState, train_steps
from gan.data.datasets import Dataset
from gan.data.input_pipeline import Batch, block_dataset
from gan.errors import UserError
from gan.rng import STEP, noise_seed
from gan.run.config import Config
from gan.run.fields import lookup
from gan.training.strategy import Replicas


def build_objective(config: Config) -> Objective:
    """Returns what the players minimise, and what D sees, as the configuration names it.

    Raises:
        UserError: There is no such loss, penalty or augmentation, or no labels to smooth.
    """
    loss: Loss = lookup(LOSSES, "loss", config.loss)
    try:
        loss = smooth_labels(loss, config.real_label, config.fake_label)
    except ValueError as error:
        raise UserError(f"--loss={config.loss}: {error}") from None
    penalty = NO_PENALTY
    if config.penalty != "none":
        penalty = WeightedPenalty(
            lookup(PENALTIES, "penalty", config.penalty),
            config.penalty_weight,
            config.penalty_decay,
            config.penalty_decay_steps,
        )
    augmentations = lookup(AUGMENTATIONS, "augment", config.augment)
    return Objective(loss, penalty, augmentations, config.pack, config.d_weight_clip)


def build_pipeline(
    config: Config, data: Dataset, first_step: int = 0, rollbacks: int = 0
) -> tf.data.Dataset:
    """Returns the blocks that a run consumes from `first_step` on, after so many rollbacks."""
    return block_dataset(
        data,
        steps_per_call=config.steps_per_call,
        d_steps=config.d_steps,
        batch_size=config.batch_size,
        latent_dim=config.latent_dim,
        seed=config.seed,
        noise_seed=noise_seed(config.seed, rollbacks),
        first_step=first_step,
    )


def compile_train_steps(
    config: Config, state: GanState, run_eagerly: bool = False, replicas: Replicas | None = None
) -> Any:
    """Returns `train_steps` on this state: (block, first, last) -> (metrics, finite).

    The one place where the algorithm is compiled. The block is one that `replicas` split.
    """
    objective = build_objective(config)

    def run_steps(block: Batch, first: tf.Tensor, last: tf.Tensor) -> tuple[Any, tf.Tensor]:
        seed = noise_seed(config.seed, tf.identity(state.rollbacks))
        key = tf.stack([seed, tf.constant(STEP, tf.int64)])
        return train_steps(
            state,
            block,
            first,
            last,
            run=(replicas or Replicas()).run,
            objective=objective,
            schedule=config.schedule,
            d_warmup_steps=config.d_warmup_steps,
            ema_half_life=config.ema_half_life,
            key=key,
        )

    return run_steps if run_eagerly else tf.function(run_steps, jit_compile=config.jit_compile)
