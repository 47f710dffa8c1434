import json
import os
import shutil
import signal

# Before NumPy: on matrices as small as those of features its threads mostly wait for each other,
# and where pytest has as many processes as there are cores, for those of the others.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import numpy as np
import pytest

import gan  # noqa: F401, before TensorFlow: it sets the log level

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

# What `make test ARGS=...` passes on: tests that call make would get the same flags.
for name in ("MAKEFLAGS", "MAKEOVERRIDES", "MAKELEVEL", "MFLAGS", "ARGS", "RUN"):
    os.environ.pop(name, None)

# Jobs in the background of a script ignore Ctrl-C, and so would all processes that tests start.
signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(autouse=True)
def cache_of_folders(tmp_path_factory, monkeypatch):
    """Keeps what tests read out of the user's cache, where MNIST stays."""
    from gan.data.folders import image_cache

    monkeypatch.setattr(image_cache, "cache_directory", lambda: tmp_path_factory.mktemp("cache"))


@pytest.fixture
def synthetic(monkeypatch):
    """Registers a data set of 96 random images under the name "synthetic" and returns it."""
    from gan.data.datasets import DATASETS, Dataset, DataSource

    images = np.random.default_rng(0).integers(0, 256, (96, 28, 28, 1), np.uint8)
    monkeypatch.setitem(
        DATASETS, "synthetic", DataSource(lambda data_dir, print_fn: Dataset(images))
    )
    return images


@pytest.fixture
def tiny_config(synthetic, monkeypatch):
    """Returns a function that makes a configuration which trains in a moment."""
    from gan.algorithm import batch_norm_statistics
    from gan.run.config import Config

    monkeypatch.setattr(batch_norm_statistics, "BATCHES", 2)

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


@pytest.fixture(scope="session")
def trained_once(tmp_path_factory):
    """Returns a function that puts a copy of a run in a place, and returns its summary.

    Of each configuration one run is trained, for all tests that begin with it: only where nothing
    that training calls is replaced yet.
    """
    runs = {}

    def copied(config, place):
        from gan.training.trainer import train

        if config not in runs:
            run = tmp_path_factory.mktemp("trained_once") / "run"
            train(config, run, quiet=True)
            runs[config] = run
        shutil.copytree(runs[config], place, dirs_exist_ok=True)
        return json.loads((place / "summary.json").read_text())

    return copied


@pytest.fixture
def no_work(monkeypatch):
    """Makes commands fail where they begin what takes long, for tests of what they refuse."""
    from experiments import benchmark
    from gan.evaluation import evaluate, features
    from gan.training import trainer

    def work(*arguments, **more):
        raise AssertionError("this was taken for good input")

    for module, name in (
        (benchmark, "loops_table"), (evaluate, "evaluate"), (features, "train_classifier"),
        (trainer, "loop"),
    ):  # fmt: skip
        monkeypatch.setattr(module, name, work)
