"""Every preset: a dry run, and two calls of training on its own data with its own networks."""

import pytest

from gan.data.datasets import dataset_from_config
from gan.errors import UserError
from gan.run.presets import PRESETS, from_preset
from gan.training import trainer
from gan.training.checks import check_rows
from gan.training.state import build_state
from support import call, weights_of

SHORT = {"steps": 2, "steps_per_call": 1, "batch_size": 4, "evaluate_every": 0, "sample_every": 2}


@pytest.mark.parametrize("name", PRESETS)
def test_a_dry_run_takes_it(name, monkeypatch, capsys, tmp_path):
    monkeypatch.chdir(tmp_path)
    assert call(monkeypatch, f"--preset={name}", "--dry_run") == 0
    assert f'"run_dir": "runs/{name}"' in capsys.readouterr().out


@pytest.mark.parametrize("name", PRESETS)
def test_it_trains(name, tmp_path, monkeypatch):
    """Eagerly, test_compiled_step.py compiles them; both networks move, the pictures are there."""
    config = from_preset(name, {**SHORT, "precision": "float32", "jit_compile": False})
    data, built = dataset_from_config(config, print), []

    def build(*arguments, **more):
        state = build_state(*arguments, **more)
        networks = (state.generator, state.discriminator)
        built.extend((network, weights_of(network)) for network in networks)
        return state

    monkeypatch.setattr(trainer, "build_state", build)
    summary = trainer.train(config, tmp_path / "run", data=data, run_eagerly=True, quiet=True)
    assert (summary["status"], summary["step"]) == ("completed", 2)
    assert len(built) == 2
    for network, initial in built:
        kernels = [[w for w in part if w.ndim > 1] for part in (weights_of(network), initial)]
        assert kernels[0]
        moved = [a for a, b in zip(*kernels, strict=True) if not (a == b).all()]
        assert len(moved) >= 0.6 * len(kernels[0])  # blurs and scaled zeros stay
    for picture in ("reals.png", "step_00000000.png", "step_00000002.png"):
        assert (tmp_path / "run" / "samples" / picture).stat().st_size > 500


R3 = {
    "loss": "relativistic", "penalty": "r1_r2", "penalty_weight": 1.0, "penalty_decay": 0.1,
    "beta_1": 0.0, "beta_2": 0.99,
}  # fmt: skip
DENSE = {
    **R3, "generator": "dcgan_dense", "discriminator": "dcgan_dense", "d_norm": "none",
    "batch_size": 64,
    "steps": 20_000, "penalty_decay": 0.3, "penalty_decay_steps": 10_000,
    "g_learning_rate_decay": "cosine", "learning_rate_decay_steps": 20_000,
}  # fmt: skip
POINTS = {
    **R3, "penalty_decay": 1e-3, "generator": "toy_categorical", "discriminator": "toy",
    "latent_dim": 130, "batch_size": 512, "beta_2": 0.9, "d_learning_rate": 1e-3,
    "g_learning_rate": 3e-3,
    "g_learning_rate_decay": "cosine", "ema_half_life": 50_000, "steps_per_call": 500,
    "sample_every": 2000,
}  # fmt: skip

# Spelled out from the papers, and from docs/results.md where the choice is ours.
LITERAL = {
    "mlp": {},
    "classic": {"schedule": "classic", "sample_weights": "raw"},
    "dcgan": {"generator": "dcgan", "discriminator": "dcgan"},
    "cgan": {"conditional": True},
    "wgan": {
        "loss": "wasserstein", "d_steps": 5, "d_weight_clip": 0.01, "optimizer": "rmsprop",
        "beta_2": 0.99, "d_learning_rate": 5e-5, "g_learning_rate": 5e-5, "batch_size": 64,
    },
    "wgan_gp": {
        "loss": "wasserstein", "penalty": "wgan_gp", "d_steps": 5, "beta_1": 0.0, "beta_2": 0.9,
        "d_learning_rate": 1e-4, "g_learning_rate": 1e-4,
    },
    "lsgan": {"loss": "least_squares"},
    "hinge_sn": {
        "loss": "hinge", "d_norm": "spectral", "beta_1": 0.0, "beta_2": 0.9,
        "d_learning_rate": 4e-4, "g_learning_rate": 1e-4,
    },
    "r3gan": {
        **R3, "penalty_decay_steps": 15_000, "generator": "resnet", "discriminator": "resnet",
        "batch_size": 64,
    },
    "mlp_r3": {
        **R3, "penalty_decay_steps": 15_000, "d_learning_rate": 4e-4, "g_learning_rate": 1e-3,
    },
    "cgan_r3": {
        **R3, "penalty_decay_steps": 7500, "d_learning_rate": 8e-4, "g_learning_rate": 2e-3,
        "g_learning_rate_decay": "cosine", "learning_rate_decay_steps": 15_000, "steps": 15_000,
        "discriminator": "mlp_on_black", "conditional": True, "latent_dim": 32,
    },
    "ring": {
        **POINTS, "dataset": "gaussian_ring", "steps": 10_000, "learning_rate_decay_steps": 10_000,
        "penalty_decay_steps": 7500,
    },
    "grid": {
        **POINTS, "dataset": "gaussian_grid", "steps": 20_000, "learning_rate_decay_steps": 20_000,
        "penalty_decay_steps": 15_000,
    },
    "stacked": {**DENSE, "dataset": "stacked_mnist"},
    "small": {
        **DENSE, "generator": "sndcgan_dense", "conditional": True, "latent_dim": 32,
        "d_learning_rate": 4e-4, "g_learning_rate": 1e-3,
    },
    "images32": {
        **DENSE, "d_learning_rate": 4e-4, "g_learning_rate": 1e-3,
        "augment": "brightness_translation_cutout", "image_size": 32,
    },
    "images64": {
        **DENSE, "d_learning_rate": 4e-4, "g_learning_rate": 1e-3,
        "augment": "brightness_translation_cutout", "image_size": 64,
    },
    "infogan": {
        **R3, "penalty_decay_steps": 15_000, "auxiliary": "infogan", "auxiliary_weight": 0.1,
        "latent_dim": 74, "d_learning_rate": 4e-4, "g_learning_rate": 1e-3,
    },
    "acgan": {"auxiliary": "acgan", "conditional": True},
    "sgan": {"auxiliary": "sgan", "labelled_images": "100"},
    "tiny": {"generator": "tiny", "discriminator": "tiny", "steps": 2000},
}  # fmt: skip


@pytest.mark.parametrize("name", [n for n, row in LITERAL.items() if "beta_1" in row])
def test_its_betas_are_for_its_optimizer(name):
    for optimizer in ("adam", "rmsprop", "sgd"):
        config = from_preset(name, {"optimizer": optimizer})
        check_rows(config)
        expected = (0.0, LITERAL[name]["beta_2"]) if optimizer == "adam" else (0.5, 0.999)
        assert (config.beta_1, config.beta_2) == expected
    given = from_preset(name, {"optimizer": "rmsprop", "beta_2": 0.9})
    assert (given.beta_1, given.beta_2) == (0.5, 0.9)
    with pytest.raises(UserError, match=r"^--beta_1=0.1: --optimizer=sgd does not read it"):
        check_rows(from_preset(name, {"optimizer": "sgd", "beta_1": 0.1}))


def test_presets_are_those_that_are_written_here():
    assert PRESETS == LITERAL
