"""The devices that can share a batch: those of this machine, or of several workers.

And which of them a configuration asks for. See docs/distributed.md.
"""

import json
import os
from typing import NamedTuple

import tensorflow as tf

from gan.errors import UserError
from gan.run.config import Config

PORTS = range(15_000, 25_000)  # of workers that Slurm starts, by the number of the job


class Cluster(NamedTuple):
    """All workers of a run, as one of them sees them."""

    addresses: tuple[str, ...]
    worker: int  # this one


def cluster() -> Cluster | None:
    """Returns what TF_CONFIG says, None where it is not set or names no worker.

    Raises:
        UserError: It is no JSON of this kind, or this process is none of the workers.
    """
    # TFConfigClusterResolver checks neither the kind of JSON nor the task, and fails on "".
    text = os.environ.get("TF_CONFIG", "")
    try:
        values = json.loads(text) if text else {}
        jobs = tf.train.ClusterSpec(values.get("cluster", {})).as_dict()
        chiefs, workers = jobs.get("chief", []), jobs.get("worker", [])
        if not chiefs and not workers:
            return None
        job, index = values["task"]["type"], int(values["task"]["index"])
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise UserError(
            f"TF_CONFIG: must be JSON with cluster.worker and task ({type(error).__name__}: "
            f"{error}), it is {text[:100]!r}"
        ) from None
    if job not in ("chief", "worker") or not 0 <= index < len(jobs.get(job, [])):
        raise UserError(f"TF_CONFIG: task {job} {index} is none of the workers of its cluster")
    return Cluster((*chiefs, *workers), index + (len(chiefs) if job == "worker" else 0))


def slurm_cluster() -> Cluster | None:
    """Returns the tasks that ``srun`` started together, None outside of it."""
    if "SLURM_STEP_NUM_TASKS" not in os.environ:
        return None
    try:
        tasks = int(os.environ["SLURM_STEP_NUM_TASKS"])
        port = PORTS.start + int(os.environ["SLURM_JOB_ID"]) % len(PORTS)
        # GPUs are left to Slurm; the resolver fails where it is told of none.
        resolver = tf.distribute.cluster_resolver.SlurmClusterResolver(
            port_base=port, gpus_per_node=tasks, gpus_per_task=1, auto_set_gpu=False
        )
        addresses = resolver.cluster_spec().job_tasks("worker")
        # Its own task is another one where names are not in the order of nodes: n9, n10.
        node, task = os.environ["SLURMD_NODENAME"], int(os.environ["SLURM_LOCALID"])
        return Cluster(tuple(addresses), addresses.index(f"{node}:{port + task}"))
    except (KeyError, ValueError, RuntimeError) as error:
        raise UserError(
            "--strategy=multiworker: needs what srun sets, or TF_CONFIG "
            f"({type(error).__name__}: {error})"
        ) from None


def named(config: Config) -> str:
    """Returns "none", "mirrored" or "multiworker": what `config.strategy` stands for here."""
    if config.strategy != "auto":
        return config.strategy
    workers = cluster()
    if workers and len(workers.addresses) > 1:
        return "multiworker"
    return "mirrored" if len(tf.config.list_physical_devices("GPU")) > 1 else "none"


def local_devices() -> list[str]:
    """Returns all logical GPUs, or all logical CPUs where there is no GPU. Starts TensorFlow."""
    kind = "GPU" if tf.config.list_physical_devices("GPU") else "CPU"
    return [device.name for device in tf.config.list_logical_devices(kind)]


def has_several(config: Config) -> bool:
    """Tells whether a configuration trains on more than one replica here."""
    if named(config) == "mirrored":
        return len(local_devices()) > 1
    return named(config) == "multiworker"
