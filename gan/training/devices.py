"""What the machine has, and what follows for precision and compilation."""

import contextlib
import ctypes
import dataclasses
import os
import platform
import resource
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from gan.data.datasets import Dataset
from gan.errors import UserError
from gan.models.checks import all_layers
from gan.run.config import Config
from gan.run.forks import refuse_fork
from gan.training import cluster
from gan.training.checks import TABLES
from gan.version import __version__

RESIDENT_BYTES = 2**31  # of a data set on a GPU; a larger one stays in the machine's memory


def prepare() -> None:
    """Lets TensorFlow take GPU memory as it needs it, instead of all at once.

    Raises:
        UserError: TensorFlow cannot be used here, or Keras is set up for something else.
    """
    refuse_fork()
    if keras.backend.backend() != "tensorflow":
        raise UserError(
            f"KERAS_BACKEND={keras.backend.backend()}: must be tensorflow, set before Keras starts"
        )
    if keras.config.image_data_format() != "channels_last":
        raise UserError(
            f"image_data_format={keras.config.image_data_format()}: Keras' setting, see its file "
            "keras.json, must be channels_last"
        )
    if keras.config.floatx() not in ("float32", "float64"):  # learning rates would be rounded to it
        raise UserError(
            f"floatx={keras.config.floatx()}: Keras' setting, see its file keras.json, must be "
            "float32 or float64; --precision is what computes with less"
        )
    if not tf.executing_eagerly():
        raise UserError(
            "TensorFlow builds a graph here: this is for outside of tf.function and tf.Graph, and "
            "for programs without disable_eager_execution()"
        )
    for gpu in tf.config.list_physical_devices("GPU"):
        try:
            tf.config.experimental.set_memory_growth(gpu, True)
        except RuntimeError:  # the process has used the GPU already and decided for itself
            return


def compute_capability() -> tuple[int, int] | None:
    """Returns the CUDA compute capability of the first GPU, None without one, (0, 0) if unknown."""
    gpus = tf.config.list_physical_devices("GPU")
    if not gpus:
        return None
    return tf.config.experimental.get_device_details(gpus[0]).get("compute_capability", (0, 0))


def resolve(config: Config, own_networks: Mapping[str, keras.Model]) -> Config:
    """Returns the configuration with every automatic choice made for this machine.

    Precision: bfloat16 from compute capability 8.0, float16 with loss scaling from 7.0, else
    float32: on CPUs bfloat16 is faster or slower than it, and a few runs lost diversity, see
    docs/performance.md. XLA: on any GPU, and for float32 on CPUs, where it fuses what
    lies between the matrix products; in half precision on CPUs oneDNN's kernels are faster, and so
    are its convolutions. Not for several replicas: XLA compiles no exchange between them.

    `own_networks` are those that Python code gave instead of the ones that `config` names.
    """
    config = dataclasses.replace(config, strategy=cluster.named(config))
    capability = compute_capability()
    precision, jit_compile = config.precision, config.jit_compile
    if precision == "auto":
        if capability is None or capability < (7, 0):
            precision = "float32"
        else:
            precision = "mixed_bfloat16" if capability >= (8, 0) else "mixed_float16"
    if jit_compile is None:
        dense = all(
            not has_convolutions(own_networks[name])
            if name in own_networks
            else TABLES[name][getattr(config, name)].dense
            for name in ("generator", "discriminator")
        )
        faster = capability is not None or (precision == "float32" and dense)
        jit_compile = faster and not cluster.has_several(config)
    return dataclasses.replace(config, precision=precision, jit_compile=jit_compile)


def keeps_images(config: Config, data: Dataset) -> bool:
    """Tells whether the images of a data set stay on the GPU: one GPU, and not too large a set."""
    images = data.train_images
    return (
        compute_capability() is not None
        and not cluster.has_several(config)
        and isinstance(images, np.ndarray)
        and images.nbytes <= RESIDENT_BYTES
    )


def pipeline_threads() -> int:
    """Returns how many threads draw latents: one on a CPU that trains, half of its cores for a GPU.

    One core fed 960 steps a second where an H100 could do 2,500, see docs/performance.md.
    """
    return max(1, cores() // 2) if compute_capability() is not None else 1


def has_convolutions(network: keras.Model) -> bool:
    """Tells whether a layer of the network, however deep, is a convolution."""
    return any("Conv" in type(layer).__name__ for layer in all_layers(network))


def environment() -> dict[str, Any]:
    """Returns versions, device and git revision, for config.json."""
    gpus = tf.config.list_physical_devices("GPU")
    details = [tf.config.experimental.get_device_details(gpu) for gpu in gpus]
    return {
        "tapegan": __version__,
        "tensorflow": tf.__version__,
        "keras": keras.__version__,
        "numpy": np.__version__,
        "python": platform.python_version(),
        "device": [d.get("device_name", "GPU") for d in details] or [processor()],
        "git_revision": git_revision(),
    }


def processor() -> str:
    """Returns the processor's name and how many of its cores this process may use."""
    name = platform.processor() or platform.machine()
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        name = next(line.split(":", 1)[1].strip() for line in lines if "model name" in line)
    except (OSError, StopIteration):
        pass
    count = cores()
    return f"{name}, {count} core{'s' * (count != 1)}"


def cores() -> int:
    """Returns how many of the processor's cores this process may use."""
    return len(os.sched_getaffinity(0)) if sys.platform == "linux" else os.cpu_count() or 1


def git_revision() -> str | None:
    """Returns the commit of the checkout that `gan` is imported from, None outside of one."""

    def git(*arguments: str) -> str:
        return subprocess.run(
            ["git", *arguments],
            cwd=Path(__file__).parent,
            capture_output=True,
            text=True,
            timeout=5,
            check=True,
        ).stdout.strip()

    try:
        git("ls-files", "--error-unmatch", Path(__file__).name)  # not somebody else's repository
        return git("rev-parse", "HEAD") + ("-dirty" if git("status", "--porcelain", "-uno") else "")
    except (OSError, subprocess.SubprocessError):
        return None


def peak_memory_mb() -> float:
    """Returns the most resident memory this process ever had, in MB (10^6 bytes)."""
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 1e6


def release_memory() -> None:
    """Gives freed memory back to the system; glibc keeps 190 MB that XLA's compiler had."""
    if sys.platform == "linux":
        with contextlib.suppress(OSError, AttributeError):  # another C library
            ctypes.CDLL(None).malloc_trim(0)
