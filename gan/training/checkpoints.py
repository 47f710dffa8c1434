"""Checkpoints of a run: written whole, read back from the newest that is sound."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import tensorflow as tf

from gan.algorithm.step import GanState
from gan.errors import NotFinite, UserError
from gan.run import layout, run_directory
from gan.run.paths import plain_path
from gan.run.streams import tell


def checkpoint_manager(
    state: GanState, run_dir: Path, keep: int, directory: str = layout.CHECKPOINTS_DIR
) -> tf.train.CheckpointManager:
    """Returns the manager of a run's checkpoints; it writes nothing before the first save.

    TensorFlow's list of checkpoints is taken away if it is empty, which TensorFlow refuses.
    """
    listing = run_dir / directory / run_directory.CHECKPOINT_LIST
    if listing.is_file() and not listing.stat().st_size:
        listing.unlink()
    # Where the random numbers of layers such as Dropout stand; Keras does not track them itself.
    seeds = [
        [v.value for v in network.variables if not any(v is w for w in network.weights)]
        for network in (state.generator, state.discriminator, state.ema_generator)
    ]
    return tf.train.CheckpointManager(
        tf.train.Checkpoint(**state.parts(), seeds=seeds),
        plain_path(run_dir / directory),
        max_to_keep=keep,
        step_counter=state.step,
        checkpoint_name="step",
    )


def restore(
    state: GanState,
    manager: tf.train.CheckpointManager,
    print_fn: Callable[[str], None] = tell,
    directory: Path | None = None,
) -> int:
    """Restores the newest sound checkpoint, if there is any, and returns its step, else 0.

    TensorFlow finds a damaged file by its checksums. Nothing is deleted: the damaged checkpoint is
    written again when training comes to its step. `directory` is where the checkpoints are, by the
    name that messages have; None: where the manager writes.

    Raises:
        UserError: There are checkpoints and none can be restored; the state is undefined then.
    """
    refusals = []
    for _, path in run_directory.checkpoints(directory or Path(manager.directory)):
        try:
            run_directory.check_checkpoint(path)
            status = manager.checkpoint.restore(plain_path(Path(path)))
            status.assert_existing_objects_matched().assert_consumed()
        except (OSError, tf.errors.OpError, ValueError, IndexError, AssertionError) as error:
            reason = " ".join(str(error).split())[:200]
            refusals.append(f"{path}: cannot be restored into these networks ({reason})")
            continue
        for refusal in refusals:
            print_fn(f"warning: {refusal}; going on from {path}")
        return int(state.step.numpy())
    if refusals:
        before = f", nor can the {len(refusals) - 1} before it" if refusals[1:] else ""
        raise UserError(f"{refusals[0]}{before}")
    return 0


def save(manager: tf.train.CheckpointManager, state: GanState) -> None:
    """Saves a checkpoint named by its step.

    Raises:
        NotFinite: A weight is not finite; nothing was written.
    """
    for name, network in (("generator", state.generator), ("discriminator", state.discriminator)):
        for variable in network.variables:
            if not np.isfinite(variable.numpy()).all():
                raise NotFinite(
                    f"{name}: {variable.path} is not finite at step {int(state.step.numpy())}"
                )
    manager.save(checkpoint_number=state.step)
