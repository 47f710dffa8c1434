"""Sizes that no machine has: refused by arithmetic, before anything is written.

What is counted is needed in any case, so that nothing which could be trained is refused: the block
of examples and noise that is on its way, and the network's layer of latents.
"""

import contextlib
import itertools
import math
import os
from pathlib import Path

from gan.algorithm.optimizer_table import OPTIMIZERS
from gan.errors import UserError
from gan.run.config import Config
from gan.run.fields import INT32

FLAGS = ("latent_dim", "batch_size", "steps_per_call", "d_steps")  # that a block's size depends on
BLOCKS = 2  # in memory at a time: the one that is trained on, and the next
COPIES = 2  # of a weight: itself and its average; gradients come and go
LEAST_UNITS = 8  # of a layer that takes latents

# Where a container's limit stands, and a job's; {} is the path in /proc/self/cgroup, or nothing.
CGROUP_LIMITS = ("/sys/fs/cgroup{}/memory.max", "/sys/fs/cgroup/memory{}/memory.limit_in_bytes")


def check_memory(config: Config, shape: tuple[int, ...]) -> None:
    """Refuses a configuration whose sizes this machine cannot hold, or TensorFlow not count.

    Args:
        config: With `latent_dim`, `batch_size`, `steps_per_call` and `d_steps`.
        shape: Of an example: (H, W, C) uint8, or (D,) float32; () where it is not known yet.

    Raises:
        UserError: Names the flags.
    """
    images = config.steps_per_call * config.d_steps * config.batch_size
    noises = config.steps_per_call * (config.d_steps + 1) * config.batch_size
    example = math.prod(shape) * (4 if len(shape) == 1 else 1) + 4  # and its label
    block = images * example + noises * config.latent_dim * 4
    copies = COPIES + OPTIMIZERS[config.optimizer].slots
    weights = copies * LEAST_UNITS * config.latent_dim * 4
    needed, there = BLOCKS * block + weights, memory()
    if needed <= there and images < INT32:
        return
    defaults = {name: getattr(Config, name) for name in FLAGS}
    values = {name: getattr(config, name) for name in FLAGS}
    first = max(FLAGS, key=lambda name: values[name] / defaults[name])
    others = ", ".join(f"--{name}={values[name]}" for name in FLAGS if name != first)
    if images >= INT32:
        what = f"a call has {images:,} images, must be below 2^31"
    else:
        what = f"needs {needed / 1e9:,.0f} GB of memory at least, has {there / 1e9:,.0f}"
    raise UserError(f"--{first}={values[first]}: is too much with {others} ({what})")


def memory() -> int:
    """Returns the bytes of memory that this process may take: the machine's, or its container's."""
    limits = [os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")]
    groups = {""}
    with contextlib.suppress(OSError):
        lines = Path("/proc/self/cgroup").read_text().splitlines()
        groups |= {line.split(":", 2)[2].rstrip("/") for line in lines if line.count(":") > 1}
    for place, group in itertools.product(CGROUP_LIMITS, groups):
        with contextlib.suppress(OSError, ValueError):  # there is none, or it is "max"
            limits.append(int(Path(place.format(group)).read_text()))
    return min(limits)
