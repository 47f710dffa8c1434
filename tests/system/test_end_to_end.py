"""The main command on real MNIST: default networks and settings, 400 steps of half the batch."""

import json

import keras
import numpy as np
import pytest
import tensorflow as tf

from gan.algorithm.step import STEP_METRICS
from gan.cli import sample
from gan.data.datasets import load_dataset
from gan.data.images import image_grid
from gan.data.sources import load_arrays
from gan.run import jsonl
from gan.run.config import Config
from gan.sampling import drawing, generators
from gan.training.checkpoints import checkpoint_manager, restore
from gan.training.state import build_state
from support import differ_everywhere, run_module, status_of, weights_of


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    run_dir = tmp_path_factory.mktemp("e2e") / "run"
    flags = ("--steps=400", "--batch_size=128", f"--run_dir={run_dir}")
    done = run_module("experiments.train", *flags)
    assert done.returncode == 0
    assert done.stdout.startswith(f"{run_dir}: completed at step 400")
    return run_dir, done.stderr


def test_the_run_directory_is_complete(run):
    run_dir, out = run
    for name in ("config.json", "metrics.jsonl", "summary.json", "generator.keras", "losses.png",
                 "samples/reals.png", "samples/step_00000200.png", "samples/step_00000400.png",
                 "checkpoints/checkpoint", "checkpoints/step-400.index"):  # fmt: skip
        assert (run_dir / name).stat().st_size > 0, name
    assert list((run_dir / "tensorboard").glob("events*"))
    assert [line.split()[0] for line in out.splitlines() if "[D loss" in line] == [
        "100", "200", "300", "400",
    ]  # fmt: skip
    assert json.loads((run_dir / "summary.json").read_text())["traces"] == 1


def test_both_networks_learned(run):
    run_dir, _ = run
    config = Config(precision="float32", jit_compile=True)
    fresh, trained = build_state(config, (28, 28, 1)), build_state(config, (28, 28, 1))
    assert restore(trained, checkpoint_manager(trained, run_dir, 3)) == 400
    for name in ("generator", "discriminator", "ema_generator"):
        before, after = weights_of(getattr(fresh, name)), weights_of(getattr(trained, name))
        assert differ_everywhere(before, after)
    for record in jsonl.read_records(run_dir / "metrics.jsonl"):
        assert 0.02 < record["loss/d"] < 3
        assert 0.3 < record["loss/g"] < 8
        assert record["grads/g_norm"] > 0
        assert all(np.isfinite(record[name]) for name in STEP_METRICS)


def test_the_samples_look_like_the_data(run):
    """Coarse on purpose: 400 steps do not make good digits, but nothing like noise either."""
    run_dir, _ = run
    generator = keras.models.load_model(run_dir / "generator.keras")
    latents = np.random.default_rng(0).normal(size=(500, 100)).astype(np.float32)
    images = 0.5 * generator(latents).numpy()[..., 0] + 0.5
    reals = load_arrays("mnist")["x_test"] / 255.0
    # The untrained generator: mean 0.50, correlation 0.0.
    assert 0.05 < images.mean() < 0.35
    assert np.corrcoef(images.mean(0).ravel(), reals.mean(0).ravel())[0, 1] > 0.9
    assert images.std(0).mean() > 0.45 * reals.std(0).mean()  # they differ from each other


def test_the_grid_shows_real_digits(run):
    run_dir, _ = run
    grid = tf.io.decode_png((run_dir / "samples" / "reals.png").read_bytes()).numpy()
    assert np.array_equal(grid, image_grid(load_arrays("mnist")["x_train"][:25, ..., None]))


def test_the_sample_command_draws_a_grid(run, tmp_path, monkeypatch, capsys):
    run_dir, _ = run
    out = tmp_path / "grid.png"
    flags = (f"--run_dir={run_dir}", "--side=5", f"--out={out}")
    assert status_of(monkeypatch, sample, *flags) == 0
    assert capsys.readouterr().err == ""
    # The command draws with generator.keras; the checkpoint holds the same network.
    generator, step = generators.restore_generator(run_dir, load_dataset("mnist", "", print))
    assert step == 400
    expected = image_grid(drawing.sample(generator, range(25)))
    drawn = tf.io.decode_png(out.read_bytes()).numpy()
    assert np.abs(drawn.astype(int) - expected).max() <= 1
