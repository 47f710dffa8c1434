import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import gan  # noqa: F401, before TensorFlow: it sets the log level

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
ROOT = Path(__file__).parent.parent

# Jobs in the background of a script ignore Ctrl-C, and so would all processes that tests start.
signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture
def synthetic(monkeypatch):
    """Registers a data set of 96 random images under the name "synthetic" and returns it."""
    from gan.datasets import DATASETS, Dataset

    images = np.random.default_rng(0).integers(0, 256, (96, 28, 28, 1), np.uint8)
    monkeypatch.setitem(DATASETS, "synthetic", lambda data_dir, say: Dataset(images))
    return images


@pytest.fixture
def tiny_config(synthetic, monkeypatch):
    """Returns a function that makes a configuration which trains in a moment."""
    from gan import standing
    from gan.config import Config

    monkeypatch.setattr(standing, "BATCHES", 2)

    def make(**changes):
        defaults = {
            "dataset": "synthetic",
            "generator": "tiny",
            "discriminator": "tiny",
            "latent_dim": 8,
            "batch_size": 16,
            "steps": 12,
            "steps_per_call": 4,
            "log_every": 4,
            "sample_every": 6,
            "checkpoint_every": 6,
            "precision": "float32",
            "jit_compile": False,
        }
        return Config(**{**defaults, **changes})

    return make


@pytest.fixture
def no_work(monkeypatch):
    """Makes commands fail where they begin what takes long, for tests of what they refuse."""
    from experiments import benchmark
    from gan import evaluation, features, trainer

    def work(*arguments, **more):
        raise AssertionError("this was taken for good input")

    for module, name in (
        (benchmark, "loops_table"), (evaluation, "evaluate"), (features, "train"),
        (trainer, "loop"),
    ):  # fmt: skip
        monkeypatch.setattr(module, name, work)


def command(*args, **kwargs):
    """Runs ``python -m experiments.NAME flags...`` and returns the finished process."""
    return subprocess.run(
        [sys.executable, "-m", *map(str, args)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=300,
        **kwargs,
    )


def status_of(monkeypatch, command_line, *args):
    """Runs a command of gan/commands in this process and returns its exit status."""
    monkeypatch.setattr(sys, "argv", ["command", *map(str, args)])
    with pytest.raises(SystemExit) as end:
        command_line.run()
    return end.value.code


def weights_of(network):
    """Returns copies of all variables of a network, moving statistics included."""
    return [variable.numpy().copy() for variable in network.variables]


def same(before, after):
    """Tells whether two lists of arrays hold the same bits."""
    return all(np.array_equal(a, b) for a, b in zip(before, after, strict=True))


def differ_everywhere(before, after):
    """Tells whether each array of one list differs from that of the other."""
    return not any(np.array_equal(a, b) for a, b in zip(before, after, strict=True))


def checkpoint(run_dir, step):
    """All tensors of a checkpoint: networks, average, optimizer slots, step."""
    import tensorflow as tf

    reader = tf.train.load_checkpoint(str(run_dir / "checkpoints" / f"step-{step}"))
    names = [n for n in reader.get_variable_to_shape_map() if not n.startswith("_CHECKPOINTABLE")]
    return {name: reader.get_tensor(name) for name in names if "save_counter" not in name}
