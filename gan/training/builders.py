"""What a configuration stands for: the objective, the pipeline, and the compiled step."""

from collections.abc import Iterable
from typing import Any

import tensorflow as tf

from gan.algorithm.augment import AUGMENTATIONS
from gan.algorithm.auxiliary import AUXILIARIES, LabelledImages, WeightedAuxiliary
from gan.algorithm.losses import LOSSES, smooth_labels
from gan.algorithm.objective import Objective
from gan.algorithm.penalties import PENALTIES, WeightedPenalty
from gan.algorithm.schedules import DECAYS
from gan.algorithm.step import GanState, train_steps
from gan.data.datasets import Dataset
from gan.data.images import to_float
from gan.data.input_pipeline import Batch, device_blocks, host_blocks
from gan.data.labelled import labelled_part
from gan.rng import STEP, noise_seed
from gan.run.config import Config
from gan.training import devices
from gan.training.strategy import Replicas


def build_objective(config: Config, data: Dataset | None = None) -> Objective:
    """Returns what the players minimise, and what D sees, as a checked configuration names it.

    `data` is needed where only a part of the labels may be learned from.
    """
    # Huang et al. 2024, arXiv:2501.05441, appendix (a burn-in with cosine schedules).
    decay = DECAYS["cosine" if config.penalty_decay_steps else "constant"]
    weight = decay(config.penalty_weight, config.penalty_decay_steps, config.penalty_decay)
    return Objective(
        smooth_labels(LOSSES[config.loss], config.real_label, config.fake_label),
        WeightedPenalty(PENALTIES[config.penalty], weight),
        AUGMENTATIONS[config.augment],
        config.pack,
        config.d_weight_clip,
        config.augment_probability,
        config.ada_target,
        build_auxiliary(config, data),
    )


def build_auxiliary(config: Config, data: Dataset | None) -> WeightedAuxiliary:
    """Returns what both players minimise through D's head."""
    labelled = None
    if count := config.labelled_count:
        if data is None:
            raise ValueError("needs the data, of which a part has labels")
        images, labels = labelled_part(data, count, config.seed)
        labelled = LabelledImages(to_float(tf.constant(images)), tf.constant(labels))
    row = AUXILIARIES[config.auxiliary]
    return WeightedAuxiliary(row, config.auxiliary_weight, config.codes, labelled)


def build_pipeline(
    config: Config,
    data: Dataset,
    first_step: int = 0,
    rollbacks: int = 0,
    replicas: Replicas | None = None,
) -> Iterable[Batch]:
    """Returns the blocks that a run consumes from `first_step` on, after so many rollbacks.

    They hold this worker's part of each batch, which `replicas` split between its devices.
    """
    of = replicas or Replicas()
    make = device_blocks if devices.keeps_images(config, data) else host_blocks
    return make(
        data,
        threads=devices.pipeline_threads(),
        steps_per_call=config.steps_per_call,
        d_steps=config.d_steps,
        batch_size=config.batch_size,
        latent_dim=config.latent_dim,
        seed=config.seed,
        noise_seed=noise_seed(config.seed, rollbacks),
        first_step=first_step,
        worker=of.worker,
        workers=of.workers,
    )


def compile_train_steps(
    config: Config,
    state: GanState,
    objective: Objective | None = None,
    *,
    run_eagerly: bool = False,
    replicas: Replicas | None = None,
    ema_images: int = 0,
) -> Any:
    """Returns `train_steps` on this state, by default with the configuration's objective.

    The one place where the algorithm is compiled. `ema_images` are those that the average has seen
    before step 0, in the run that this one starts from.

    Returns:
        (block, first, last, update_generator) -> (metrics, finite). The block is one that
        `replicas` split. The last argument is a Python bool, and each value is compiled apart.
    """
    given, run = objective or build_objective(config), (replicas or Replicas()).run

    def run_steps(
        block: Batch, first: tf.Tensor, last: tf.Tensor, update_generator: bool = True
    ) -> tuple[Any, tf.Tensor]:
        seed = noise_seed(config.seed, tf.identity(state.rollbacks))
        return train_steps(
            state,
            block,
            first,
            last,
            run=run,
            objective=given,
            schedule=config.schedule,
            ema_half_life=config.ema_half_life,
            ema_images=ema_images,
            key=tf.stack([seed, tf.constant(STEP, tf.int64)]),
            flip_real=config.flip,
            update_generator=update_generator,
        )

    if run_eagerly:
        return run_steps
    # The loop over steps is the only control flow on tensors, so AutoGraph would cost time alone,
    # most of a trace, and leave files in the temporary directory.
    compiled = tf.function(run_steps, jit_compile=config.jit_compile, autograph=False)
    # Several runs in a process are compiled one by one; TensorFlow would take them for retracing.
    compiled._omit_frequent_tracing_warning = True
    return compiled
