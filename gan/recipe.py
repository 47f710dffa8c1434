"""What a configuration stands for: the game, the pipeline, and the compiled step."""

from collections.abc import Callable
from typing import Any

import tensorflow as tf

from gan.augment import AUGMENTATIONS
from gan.config import Config
from gan.data import STEP, Batch, block_dataset, noise_seed
from gan.datasets import Dataset, load_dataset
from gan.game import Game
from gan.knobs import UserError, row
from gan.losses import LOSSES, Loss, smoothed
from gan.penalties import NO_PENALTY, PENALTIES, WeightedPenalty
from gan.step import GanState, train_steps
from gan.strategy import Replicas


def game_of(config: Config) -> Game:
    """Returns what the players minimise, and what D sees, as the configuration names it.

    Raises:
        UserError: There is no such loss, penalty or augmentation, or no labels to smooth.
    """
    loss: Loss = row(LOSSES, "loss", config.loss)
    try:
        loss = smoothed(loss, config.real_label, config.fake_label)
    except ValueError as error:
        raise UserError(f"--loss={config.loss}: {error}") from None
    penalty = NO_PENALTY
    if config.penalty != "none":
        penalty = WeightedPenalty(
            row(PENALTIES, "penalty", config.penalty),
            config.penalty_weight,
            config.penalty_decay,
            config.penalty_decay_steps,
        )
    augmentations = row(AUGMENTATIONS, "augment", config.augment)
    return Game(loss, penalty, augmentations, config.pack, config.d_weight_clip)


def dataset_of(config: Config, say: Callable[[str], None], data_dir: str = "") -> Dataset:
    """Returns the data set that a configuration names, from `data_dir` if it is given.

    Raises:
        UserError: It cannot be found.
    """
    return load_dataset(
        config.dataset,
        data_dir or config.data_dir,
        say,
        image_size=config.image_size,
        image_channels=config.image_channels,
        skip_bad_images=config.skip_bad_images,
    )


def pipeline(
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


def compiled_steps(
    config: Config, state: GanState, run_eagerly: bool = False, replicas: Replicas | None = None
) -> Any:
    """Returns `train_steps` on this state: (block, first, last) -> (metrics, finite).

    The one place where the algorithm is compiled. The block is one that `replicas` split.
    """
    game = game_of(config)

    def run_steps(block: Batch, first: tf.Tensor, last: tf.Tensor) -> tuple[Any, tf.Tensor]:
        seed = noise_seed(config.seed, tf.identity(state.rollbacks))
        key = tf.stack([seed, tf.constant(STEP, tf.int64)])
        return train_steps(
            state,
            block,
            first,
            last,
            run=(replicas or Replicas()).run,
            game=game,
            schedule=config.schedule,
            d_warmup_steps=config.d_warmup_steps,
            ema_half_life=config.ema_half_life,
            key=key,
        )

    return run_steps if run_eagerly else tf.function(run_steps, jit_compile=config.jit_compile)
