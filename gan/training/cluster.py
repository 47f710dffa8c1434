"""What there is to share a batch: the devices of this machine, the workers of TF_CONFIG.

And which of them a configuration asks for. See docs/distributed.md.
"""

import json
import os
from typing import NamedTuple

import tensorflow as tf

from gan.errors import UserError
from gan.run.config import Config


class Cluster(NamedTuple):
    """The workers that TF_CONFIG names, as this one sees them."""

    addresses: tuple[str, ...]
    worker: int  # this one


def cluster() -> Cluster | None:
    """Returns what TF_CONFIG says, None where it is not set or names no worker.

    Raises:
        UserError: It is no JSON of this kind, or this process is none of the workers.
    """
    text = os.environ.get("TF_CONFIG", "")
    try:
        values = json.loads(text) if text else {}
        jobs = {name: list(addresses) for name, addresses in values.get("cluster", {}).items()}
        addresses = [*jobs.get("chief", []), *jobs.get("worker", [])]
        if not addresses:
            return None
        kind, index = values["task"]["type"], int(values["task"]["index"])
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise UserError(
            f"TF_CONFIG: must be JSON with cluster.worker and task ({type(error).__name__}: "
            f"{error}), it is {text[:100]!r}"
        ) from None
    if kind not in ("chief", "worker") or not 0 <= index < len(jobs.get(kind, [])):
        raise UserError(f"TF_CONFIG: task {kind} {index} is none of the workers of its cluster")
    return Cluster(tuple(addresses), index + len(jobs.get("chief", [])) * (kind == "worker"))


def named(config: Config) -> str:
    """Returns "none", "mirrored" or "multiworker": what `config.strategy` stands for here.

    Raises:
        UserError: TF_CONFIG cannot be understood.
    """
    if config.strategy != "auto":
        return config.strategy
    found = cluster()
    if found and len(found.addresses) > 1:
        return "multiworker"
    return "mirrored" if len(tf.config.list_physical_devices("GPU")) > 1 else "none"


def local_devices() -> list[str]:
    """Returns all logical GPUs, or all logical CPUs where there is no GPU. Starts TensorFlow."""
    kind = "GPU" if tf.config.list_physical_devices("GPU") else "CPU"
    return [device.name for device in tf.config.list_logical_devices(kind)]


def has_several(config: Config) -> bool:
    """Tells whether a configuration trains on more than one replica here.

    Raises:
        UserError: TF_CONFIG cannot be understood.
    """
    if named(config) == "mirrored":
        return len(local_devices()) > 1
    return named(config) == "multiworker"
