"""The best checkpoint so far, and the metric for which it was kept."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import tensorflow as tf

from gan.algorithm.step import GanState
from gan.errors import UserError
from gan.run.atomic_files import write_json
from gan.run.files import read_text
from gan.run.jsonl import parse
from gan.run.layout import BEST_DIR
from gan.run.records import is_number
from gan.run.run_directory import step_of
from gan.training.checkpoints import save

VALUE_FILE = "value.json"  # in BEST_DIR: step and metric of the checkpoint


def keep_if_best(
    run_dir: Path,
    best: tf.train.CheckpointManager,
    state: GanState,
    step: int,
    values: Mapping[int, float],
) -> None:
    """Saves a checkpoint as the best one if no better one was saved before.

    Args:
        run_dir: The run.
        best: The manager of its best checkpoint.
        state: At this step.
        step: The step.
        values: The metric by step, lower is better, as far as evaluations are on record.
    """
    if step not in values:
        return
    if values[step] <= value_kept(run_dir, step_of(best.latest_checkpoint), values):
        save(best, state)
        write_json(run_dir / BEST_DIR / VALUE_FILE, {"step": step, "value": values[step]})


def value_kept(run_dir: Path, step: int, values: Mapping[int, float]) -> float:
    """Returns the metric of the best checkpoint, which is of `step`; infinity if there is none.

    As it was when it was saved: a rollback or a resume takes later evaluations off the record, and
    on a GPU the same step may come out otherwise.
    """
    path = run_dir / BEST_DIR / VALUE_FILE
    try:
        kept = parse(read_text(path))
    except (OSError, ValueError, UserError):  # of an older version, or damaged
        kept = None
    if isinstance(kept, dict) and kept.get("step") == step and is_number(kept.get("value")):
        return float(kept["value"])
    return values.get(step, np.inf)
