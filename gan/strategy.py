"""Several devices and several machines: which replicas a configuration gives, and what they agree on.

Every worker (a process, one a machine) runs the same program on the same examples and noise; each
of its devices is a replica and takes its part. The worker that is the chief writes the run
directory. What happens inside of a step is in gan/replicas.py.
"""

import contextlib
import dataclasses
import json
import os
import tempfile
import zlib
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from gan.config import Config, UserError
from gan.data import Batch
from gan.state import TrainingFailed

# What TensorFlow raises when a worker is gone, or restarted while others wait for it.
LOST = (
    tf.errors.UnavailableError,
    tf.errors.AbortedError,
    tf.errors.CancelledError,
    tf.errors.DeadlineExceededError,
    tf.errors.FailedPreconditionError,
    tf.errors.InternalError,
    tf.errors.UnknownError,
)


@dataclasses.dataclass(frozen=True)
class Replicas:
    """The devices that train together, as this worker sees them."""

    strategy: tf.distribute.Strategy | None = None  # None: one device, without TensorFlow's help
    worker: int = 0  # this one; number 0 is the chief
    workers: int = 1

    @property
    def count(self) -> int:
        """Replicas of all workers."""
        return self.strategy.num_replicas_in_sync if self.strategy else 1

    @property
    def chief(self) -> bool:
        """Whether this worker writes, evaluates and reports."""
        return self.worker == 0

    def scope(self) -> contextlib.AbstractContextManager[Any]:
        """Returns the context in which variables get a copy on each device."""
        return self.strategy.scope() if self.strategy else contextlib.nullcontext()

    def split(self, block: Batch) -> Batch:
        """Returns a block with this worker's parts of each batch in place of the batches.

        The examples [.., batch, ..] of a block [K, d_steps, batch, ...] go to the replicas in
        their order, so neighbours stay together: pairs of the relativistic loss and packs.
        """
        if self.strategy is None:
            return block

        def part_of(context: tf.distribute.InputContext) -> Batch:
            size = block.labels.shape[2] // self.count
            first = context.replica_id_in_sync_group * size
            return Batch(*(part[:, :, first : first + size] for part in block))

        parts: Batch = self.strategy.experimental_distribute_values_from_function(part_of)
        return parts

    def run(self, step: Callable[..., Any], *arguments: Any) -> Any:
        """Runs a step on every replica and returns the result of the first one here."""
        results = self.strategy.run(step, arguments)
        return tf.nest.map_structure(
            lambda value: self.strategy.experimental_local_results(value)[0], results
        )
