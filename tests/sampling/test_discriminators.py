"""Discriminators of runs: saved at the end, loaded from files and checkpoints."""

import shutil

import keras
import numpy as np
import pytest

import gan
from gan.data.datasets import DATASETS, Dataset, DataSource
from gan.errors import UserError
from gan.sampling import discriminators
from gan.training.checkpoints import checkpoint_manager
from gan.training.state import build_state
from gan.training.trainer import train
from support import same, weights_of

SHAPE = (28, 28, 1)


@pytest.fixture
def run_dir(trained_once, tiny_config, tmp_path):
    trained_once(tiny_config(), tmp_path / "run")
    return tmp_path / "run"


def test_a_run_ends_with_its_discriminator(run_dir, tiny_config):
    """In its file, by Keras alone, and in its checkpoints the same, each step its own."""
    state = build_state(tiny_config(), SHAPE)
    manager = checkpoint_manager(state, run_dir, 3)
    trained = {}
    for step in (6, 12):
        manager.checkpoint.restore(str(run_dir / f"checkpoints/step-{step}")).expect_partial()
        trained[step] = weights_of(state.discriminator)
    assert not same(trained[6], trained[12])
    by_keras = keras.models.load_model(run_dir / "discriminator.keras")
    for network in (
        by_keras,
        gan.load(run_dir, network="discriminator"),
        gan.load(run_dir / "discriminator.keras", network="discriminator"),
        gan.load(run_dir, "latest", network="discriminator"),
        gan.load(run_dir, 12, "raw", "discriminator"),
    ):
        assert same(weights_of(network), trained[12])
    assert same(weights_of(gan.load(run_dir, "6", network="discriminator")), trained[6])
    images = np.random.default_rng(0).uniform(-1, 1, (5, *SHAPE)).astype(np.float32)
    logits = gan.load(run_dir, network="discriminator")(images).numpy()
    assert (logits.shape, logits.dtype) == ((5, 1), np.float32)
    expected = state.discriminator(images, training=False).numpy()
    assert np.array_equal(logits, expected)


LOGIT = (None, 1)


@pytest.mark.parametrize(
    ("changes", "inputs", "outputs"),
    [
        ({"conditional": True, "d_norm": "spectral"}, [(None, *SHAPE), (None,)], [LOGIT]),
        ({"pack": 4, "precision": "mixed_bfloat16"}, [(None, 28, 28, 4)], [LOGIT]),
        ({"dataset": "gaussian_ring", "generator": "toy_tiny", "discriminator": "toy_tiny"},
         [(None, 2)], [LOGIT]),
        ({"auxiliary": "infogan", "latent_dim": 16}, [(None, *SHAPE)], [LOGIT, (None, 12)]),
        ({"auxiliary": "acgan", "conditional": True}, [(None, *SHAPE)], [LOGIT, (None, 3)]),
        ({"auxiliary": "sgan", "labelled_images": "9"}, [(None, *SHAPE)], [LOGIT, (None, 3)]),
    ],
    ids=["conditional", "pack", "points", "infogan", "acgan", "sgan"],
)  # fmt: skip
def test_all_kinds_are_saved_and_loaded(
    changes, inputs, outputs, tiny_config, tmp_path, monkeypatch
):
    rng = np.random.default_rng(0)
    data = Dataset(rng.integers(0, 256, (96, *SHAPE), np.uint8), np.arange(96) % 3)
    labelled = DataSource(lambda data_dir, print_fn: data)
    monkeypatch.setitem(DATASETS, "synthetic", labelled)
    train(tiny_config(steps=2, evaluate_every=0, **changes), tmp_path, quiet=True)
    loaded = gan.load(tmp_path, network="discriminator")
    assert [tuple(tensor.shape) for tensor in loaded.inputs] == inputs
    assert [tuple(tensor.shape) for tensor in loaded.outputs] == outputs
    latest = gan.load(tmp_path, "latest", network="discriminator")
    from_file = gan.load(tmp_path / "discriminator.keras", network="discriminator")
    assert same(weights_of(loaded), weights_of(latest))
    assert same(weights_of(loaded), weights_of(from_file))


@pytest.mark.parametrize("outputs", [(1, 3, 2), (1, (2, 2)), (2, 3)])
def test_what_has_other_outputs_is_no_discriminator(outputs, tmp_path):
    """More than a logit and a head of one row an image."""
    flat = keras.layers.Flatten()(images := keras.Input(SHAPE))
    made = [
        keras.layers.Dense(n)(flat)
        if isinstance(n, int)
        else keras.layers.Reshape(n)(keras.layers.Dense(4)(flat))
        for n in outputs
    ]
    keras.Model(images, made).save(tmp_path / "d.keras")
    with pytest.raises(
        UserError, match=r"d.keras: maps .*, must map \(None, 28, 28, 1\) to \(None, 1\)"
    ):
        gan.load(tmp_path / "d.keras", network="discriminator")


def test_own_discriminators_are_saved_too(tiny_config, tmp_path):
    own = keras.Sequential([keras.Input(SHAPE), keras.layers.Flatten(), keras.layers.Dense(1)])
    train(tiny_config(), tmp_path, discriminator=own, quiet=True)
    for checkpoint in ("", "latest"):
        loaded = gan.load(tmp_path, checkpoint, network="discriminator")
        assert same(weights_of(loaded), weights_of(own))
    (tmp_path / "discriminator.keras").unlink()
    with pytest.raises(UserError, match=r"^path=.*: Python code gave its discriminator, and it"):
        gan.load(tmp_path, "latest", network="discriminator")


def test_one_that_cannot_be_loaded_again_is_named_and_left_out(tiny_config, tmp_path, capsys):
    own = keras.Sequential([
        keras.Input(SHAPE), keras.layers.Lambda(lambda x: 2 * x), keras.layers.Flatten(),
        keras.layers.Dense(1),
    ])  # fmt: skip
    summary = train(tiny_config(), tmp_path, discriminator=own)
    assert summary["status"] == "completed"
    assert not (tmp_path / "discriminator.keras").exists()
    (line,) = [s for s in capsys.readouterr().err.splitlines() if "discriminator.keras" in s]
    assert line.startswith("warning: discriminator: has the Lambda layer")


def test_what_is_no_discriminator_is_refused(run_dir, tmp_path):
    load = discriminators.load_discriminator
    file = run_dir / "discriminator.keras"
    with pytest.raises(UserError, match="--weights=ema: must be raw, a discriminator has no aver"):
        load(run_dir, "latest", "ema")
    with pytest.raises(UserError, match="--checkpoint=latest: is for runs"):
        load(file, "latest")
    with pytest.raises(UserError, match=r"^--checkpoint=7: must be one of latest, 6, 12"):
        load(run_dir, "7")
    with pytest.raises(UserError, match=r"generator\.keras: takes \[\(None, 8\)\]|maps \(None, 8"):
        load(run_dir / "generator.keras")
    with pytest.raises(UserError, match=r"^network='critic': must be one of generator, discrim"):
        gan.load(run_dir, network="critic")
    with pytest.raises(UserError, match=r"discriminator\.keras: makes \(None, 1\), must make imag"):
        gan.load(file)
    with pytest.raises(UserError, match=r"^generator: takes images \[28, 28, 1\], must take laten"):
        gan.sample(gan.load(run_dir, network="discriminator"), seeds=[1])
    file.write_bytes(b"torn")
    with pytest.raises(UserError, match=r"discriminator\.keras: cannot be loaded"):
        load(run_dir)
    file.unlink()
    with pytest.raises(UserError, match=r"^--run_dir=.*: has no discriminator\.keras, it comes"):
        load(run_dir)
    file.mkdir()
    with pytest.raises(UserError, match=r"discriminator\.keras: must be a file, as training makes"):
        load(run_dir)
    shutil.rmtree(run_dir / "checkpoints")
    file.rmdir()
    with pytest.raises(UserError, match="has no checkpoint yet"):
        load(run_dir)
    with pytest.raises(UserError, match="is not a run, it has no config"):
        load(tmp_path)
