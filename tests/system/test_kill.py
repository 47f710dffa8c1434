"""Processes that are killed at random moments, again and again, until their run is complete."""

import json
import multiprocessing
import random
import time

import numpy as np
import pytest

from gan.algorithm.step import STEP_METRICS
from gan.run.config import Config
from gan.run.jsonl import read_records
from support import checkpoint

KILLS = 25
STEPS = 8

# Checkpoints of every step, so that many kills come while one is written. Eagerly, because tracing
# the step would take most of the time.
CONFIG = Config(
    dataset="synthetic", generator="tiny", discriminator="tiny", latent_dim=8, batch_size=16,
    steps=STEPS, steps_per_call=2, log_every=1, sample_every=4, checkpoint_every=1,
    precision="float32", jit_compile=False,
)  # fmt: skip


def train(run_dir):
    from gan.algorithm import batch_norm_statistics
    from gan.data.datasets import Dataset
    from gan.training.trainer import train

    batch_norm_statistics.BATCHES = 2  # at each checkpoint, that is at each step
    images = np.random.default_rng(0).integers(0, 256, (96, 28, 28, 1), np.uint8)
    train(CONFIG, run_dir, data=Dataset(images), run_eagerly=True, quiet=True)


@pytest.fixture(scope="module")
def processes():
    """Processes that have imported TensorFlow when they start."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["gan.training.trainer"])
    first = context.Process(target=int)
    first.start()
    first.join()  # TensorFlow is there now
    return context


def metrics_of(run_dir):
    """The logged numbers; fails if a line is torn, doubled or missing."""
    lines = (run_dir / "metrics.jsonl").read_text().splitlines()
    records = [json.loads(line) for line in lines]
    assert [record["step"] for record in records] == list(range(1, STEPS + 1))
    return [[record[name] for name in STEP_METRICS] for record in records]


@pytest.mark.slow
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("seed", [0, 1])  # 50 kills, half of them on each core
def test_kills_at_random_moments_cost_nothing_but_time(seed, processes, tmp_path):
    started = time.perf_counter()
    process = processes.Process(target=train, args=(tmp_path / "unbroken",))
    process.start()
    process.join()
    whole = time.perf_counter() - started
    assert process.exitcode == 0
    expected = checkpoint(tmp_path / "unbroken", STEPS)
    moments = random.Random(seed)
    killed = completed = torn = 0
    run_dir = tmp_path / "run-0"
    while killed < KILLS or not completed:
        process = processes.Process(target=train, args=(run_dir,))
        process.start()
        process.join(moments.uniform(0, whole) if killed < KILLS else None)
        if process.exitcode is None:
            process.kill()
            process.join()
            killed += 1
            torn += bool(list(run_dir.glob("checkpoints/*_temp*")))
            records = read_records(run_dir / "metrics.jsonl")
            assert [record["step"] for record in records] == list(range(1, len(records) + 1))
            continue
        assert process.exitcode == 0
        found = checkpoint(run_dir, STEPS)
        assert found.keys() == expected.keys()
        assert all(np.array_equal(found[name], expected[name]) for name in found)
        assert metrics_of(run_dir) == metrics_of(tmp_path / "unbroken")
        completed += 1
        run_dir = tmp_path / f"run-{completed}"
    print(f"{killed} kills, {torn} of them in a checkpoint, {completed} runs completed")
