"""Several devices and machines: the replicas that train together, and what they agree on.

A worker is a process, usually one a machine. All workers run the same program, each reads its part
of every batch, and each of its devices is a replica that takes a part of that. The worker
number 0 is the chief, who alone writes the run directory; the others write where it is thrown away,
so that every worker goes through the same calls in the same order. What happens inside of a step
is in gan/algorithm/collectives.py. See docs/distributed.md.
"""

import contextlib
import dataclasses
import functools
import json
import weakref
import zlib
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from gan.algorithm.step import GanState
from gan.data.input_pipeline import Batch
from gan.errors import TrainingFailed, UserError
from gan.run.atomic_files import temporary_directory
from gan.run.config import Config
from gan.run.streams import tell
from gan.training.cluster import Cluster, cluster, has_several, local_devices, slurm_cluster
from gan.training.signals import ASKING

# What TensorFlow raises in a worker whose peer is gone, frozen, or restarted without it.
LOST = (
    tf.errors.AbortedError,
    tf.errors.CancelledError,
    tf.errors.DeadlineExceededError,
    tf.errors.FailedPreconditionError,
    tf.errors.InternalError,
    tf.errors.UnavailableError,
    tf.errors.UnknownError,
)


# One each a process: a second one would use the keys of the first one's messages again.
@functools.cache
def mirrored(devices: tuple[str, ...]) -> tf.distribute.Strategy:
    """Returns the strategy for these devices of one machine."""
    return tf.distribute.MirroredStrategy(devices)


@functools.cache
def multiworker(workers: Cluster) -> tf.distribute.Strategy:
    """Returns the strategy for these workers, when all of them have come."""
    resolver = tf.distribute.cluster_resolver.SimpleClusterResolver(
        tf.train.ClusterSpec({"worker": list(workers.addresses)}), "", "worker", workers.worker
    )
    try:
        return tf.distribute.MultiWorkerMirroredStrategy(resolver)
    except RuntimeError as error:
        raise UserError(f"--strategy=multiworker: {error}") from None


class Replicas:
    """The devices that train together, as this worker sees them."""

    def __init__(
        self, strategy: tf.distribute.Strategy | None = None, worker: int = 0, workers: int = 1
    ) -> None:
        """Connects nothing yet. Without a strategy there is one device."""
        self.strategy: Any = strategy
        self.worker, self.workers = worker, workers
        self.count = strategy.num_replicas_in_sync if strategy else 1  # of all workers
        self.here = self.count // workers  # of this one
        self.chief = worker == 0
        self._thrown_away: Path | None = None
        if not self.chief:
            stack = contextlib.ExitStack()
            self._thrown_away = stack.enter_context(temporary_directory())
            weakref.finalize(self, stack.close)

    def __str__(self) -> str:
        """What the first line of a run adds for several replicas."""
        if self.strategy is None:
            return ""
        machines = f" of {self.workers} workers" if self.workers > 1 else ""
        return f", {self.count} replicas{machines}"

    def scope(self) -> contextlib.AbstractContextManager[Any]:
        """Returns the context in which a variable gets a copy on each device."""
        return self.strategy.scope() if self.strategy else contextlib.nullcontext()

    def output(self, run_dir: Path) -> Path:
        """Returns where this worker writes what belongs into `run_dir`: there, if it is chief."""
        return self._thrown_away or run_dir

    def split(self, block: Batch) -> Batch:
        """Returns a block whose batches are the parts of each replica of this worker.

        `block` is this worker's, [K, d_steps, batch / workers, ...]. Its examples go to the
        replicas in their order, so neighbours stay together: pairs of a relativistic loss, packs.
        """
        if self.strategy is None:
            return block

        def part_of(context: Any) -> Batch:
            size = block.labels.shape[2] // self.here
            first = context.replica_id_in_sync_group % self.here * size
            return Batch(*(part[:, :, first : first + size] for part in block))

        parts: Batch = self.strategy.experimental_distribute_values_from_function(part_of)
        return parts

    def run(self, step: Callable[..., Any], *arguments: Any) -> Any:
        """Runs a step on every replica and returns what the first one here returns."""
        if self.strategy is None:
            return step(*arguments)
        results = self.strategy.run(step, arguments)
        return {
            name: self.strategy.experimental_local_results(results[name])[0] for name in results
        }

    def on_all_replicas(self, work: Callable[[], None]) -> Callable[[], None]:
        """Returns a function that does `work` on every replica; all workers must call it."""
        if self.strategy is None:
            return work

        # Eagerly the replicas would wait for each other at every operation.
        @tf.function(autograph=False)
        def work_everywhere() -> None:
            self.strategy.run(work)

        return work_everywhere

    def all_gather(self, numbers_of: Callable[[int], Sequence[int]]) -> np.ndarray:
        """Returns numbers of all replicas, [count, n] int64, the same on each worker.

        `numbers_of` gets the number of a replica of this worker, from 0. All workers must call.
        """

        def row(context: Any) -> tf.Tensor:
            return tf.constant([numbers_of(context.replica_id_in_sync_group % self.here)], tf.int64)

        rows = self.strategy.experimental_distribute_values_from_function(row)
        with self.naming_lost_workers():
            table: np.ndarray = self._gather(rows).numpy()
        return table

    @functools.cached_property
    def _gather(self) -> Any:
        """Compiled once for each shape; ``strategy.gather`` is traced again in each call."""

        def gather(row: tf.Tensor) -> tf.Tensor:
            row = tf.identity(row)  # on this replica's device
            return tf.distribute.get_replica_context().all_gather(row, 0)

        @tf.function(autograph=False)
        def gather_all(rows: Any) -> tf.Tensor:
            return self.strategy.experimental_local_results(self.strategy.run(gather, (rows,)))[0]

        return gather_all

    def any_worker(self, said: Sequence[bool]) -> list[bool]:
        """Returns for each answer whether any worker gives it. All workers must call."""
        if self.workers == 1:
            return list(said)
        return [bool(said_of_one.any()) for said_of_one in self.all_gather(lambda replica: said).T]

    def agreed_signal(self, name: str | None) -> str | None:
        """Returns the signal that any worker got, so that all stop at the same step."""
        if self.workers == 1:
            return name
        said = self.any_worker([name == signal_name for signal_name in ASKING])
        return next(
            (signal_name for signal_name, heard in zip(ASKING, said, strict=True) if heard), None
        )

    def check_equal(self, state: GanState) -> None:
        """Compares the bits of all that training changes between the replicas."""
        if self.strategy is None:
            return
        counters = {"step": state.step, "rollbacks": state.rollbacks}
        parts = {n: part for n, part in state.parts().items() if hasattr(part, "variables")}
        names = {
            f"{name} {v.path}": v.value for name, part in parts.items() for v in part.variables
        }
        names |= counters | (state.ada._asdict() if state.ada else {})
        copies = [self.strategy.experimental_local_results(v) for v in names.values()]
        table = self.all_gather(lambda replica: [digest(of_one[replica]) for of_one in copies])
        for name, column in zip(names, table.T, strict=True):
            others = [replica for replica, found in enumerate(column) if found != column[0]]
            if others:
                raise TrainingFailed(
                    f"{name}: replica {others[0]} holds other numbers than replica 0, at step "
                    f"{int(state.step.numpy())}; they must be equal"
                )

    def check_workers(self, config: Config, step: int) -> None:
        """Compares how the workers were started, which would make them wait for each other."""
        if self.workers == 1:
            return
        places = ("data_dir", "data_cache")  # of each worker's machine
        flags = {k: v for k, v in dataclasses.asdict(config).items() if k not in places}
        mine = [zlib.crc32(json.dumps(flags, sort_keys=True).encode()), step]
        rows = self.all_gather(lambda replica: mine)
        if len(set(rows[:, 0])) > 1:
            raise UserError("--strategy=multiworker: the workers were started with other flags")
        if len(set(rows[:, 1])) > 1:
            raise UserError(
                f"--run_dir: the workers see checkpoints of the steps {sorted(set(rows[:, 1]))}, "
                "must be one directory that all of them see"
            )

    def check_own(self, name: str, network: keras.Model | None) -> None:
        """Refuses a network from Python code whose variables have no copy on each device."""
        if self.strategy is None or network is None:
            return
        inside = self.strategy.extended.variable_created_in_scope
        if not all(inside(variable.value) for variable in network.variables):
            raise UserError(
                f"{name}: must be built in the scope() of the replicas that train() is given"
            )

    @contextlib.contextmanager
    def naming_lost_workers(self) -> Iterator[None]:
        """Turns TensorFlow's errors about other workers into one line."""
        try:
            yield
        except LOST as error:
            if self.workers == 1:
                raise
            raise TrainingFailed(
                f"worker {self.worker} of {self.workers} lost another one "
                f"({type(error).__name__}); start all of them again to go on from the newest "
                "checkpoint"
            ) from error


def replicas_of(config: Config, print_fn: Callable[[str], None] = tell) -> Replicas:
    """Returns the replicas of a resolved configuration; waits for all workers.

    With several machines this comes before anything else that TensorFlow computes.
    """
    kind = config.strategy
    if has_several(config) and config.jit_compile:
        raise UserError(
            f"--strategy={kind}: several replicas need --nojit_compile, also where the run began "
            "with XLA: it draws other random numbers"
        )
    if kind == "none" or (kind == "mirrored" and not has_several(config)):
        return Replicas()
    if kind == "mirrored":
        replicas = Replicas(mirrored(tuple(local_devices())))
    else:
        workers = cluster() or slurm_cluster()
        if workers is None:
            raise UserError(
                "--strategy=multiworker: needs TF_CONFIG, which names the workers, or srun"
            )
        print_fn(f"worker {workers.worker} of {len(workers.addresses)} waits for the others")
        replicas = Replicas(multiworker(workers), workers.worker, len(workers.addresses))
    if config.batch_size % (replicas.count * config.pack):
        packs = f" of --pack={config.pack} images" if config.pack > 1 else ""
        raise UserError(
            f"--batch_size={config.batch_size}: must split evenly between {replicas.count} "
            f"replicas{packs}"
        )
    return replicas


def digest(variable: tf.Variable) -> int:
    """Returns a checksum of a variable's bits."""
    return zlib.crc32(np.ascontiguousarray(variable.numpy()).tobytes())
