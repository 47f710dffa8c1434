"""Presets: named recipes, each a few changes of the default configuration."""

import dataclasses
from collections.abc import Mapping
from typing import Any

from gan.errors import UserError
from gan.run.config import FOLDER, Config, from_dict
from gan.run.fields import OWN_ROWS, new_name

# Shared by several presets.
R3: dict[str, Any] = {
    "loss": "relativistic", "penalty": "r1_r2", "penalty_weight": 1.0, "penalty_decay": 0.1,
    "penalty_decay_steps": 15_000, "beta_1": 0.0, "beta_2": 0.99,
}  # fmt: skip
# On the networks of the script with faster players: at the rates of the script it is far from done
# after as many steps, see docs/results.md.
MLP_R3: dict[str, Any] = {**R3, "d_learning_rate": 4e-4, "g_learning_rate": 1e-3}
POINTS: dict[str, Any] = {
    **R3, "penalty_decay": 1e-3, "penalty_decay_steps": 7500, "generator": "toy_categorical",
    "discriminator": "toy", "latent_dim": 130, "batch_size": 512, "steps": 10_000,
    "learning_rate_decay_steps": 10_000, "g_learning_rate_decay": "cosine",
    "d_learning_rate": 1e-3, "g_learning_rate": 3e-3,
    "beta_2": 0.9,  # with 0.99 categories hop from mode to mode, and now and then past all of them
    "ema_half_life": 50_000, "steps_per_call": 500, "sample_every": 2000,
}  # fmt: skip
# Networks in the manner of Chen et al. 2016, arXiv:1606.03657, but narrower.
DENSE: dict[str, Any] = {
    **R3, "generator": "dcgan_dense", "discriminator": "dcgan_dense", "d_norm": "none",
    "batch_size": 64,
    # With a tenth of it at the end, as elsewhere, some digits of stacks come too often.
    "steps": 20_000, "penalty_decay": 0.3, "penalty_decay_steps": 10_000,
    "g_learning_rate_decay": "cosine", "learning_rate_decay_steps": 20_000,
}  # fmt: skip
# Players as fast as the penalty allows.
FAST: dict[str, Any] = {**DENSE, "d_learning_rate": 4e-4, "g_learning_rate": 1e-3}
# Folders hold few images, most in colour; --flip is left to who knows what they show.
IMAGES: dict[str, Any] = {**FAST, "augment": "brightness_translation_cutout"}

# Differences from the default, which is the recipe of the original script on the tape step.
PRESETS: dict[str, dict[str, Any]] = {
    "mlp": {},
    # The original script: two Adam updates of D, fakes from G in inference mode, no average in use.
    "classic": {"schedule": "classic", "sample_weights": "raw"},
    # Radford et al. 2016, arXiv:1511.06434.
    "dcgan": {"generator": "dcgan", "discriminator": "dcgan"},
    # Mirza and Osindero 2014, arXiv:1411.1784, on the networks of the script.
    "cgan": {"conditional": True},
    # Arjovsky et al. 2017, arXiv:1701.07875, Algorithm 1. The decay of RMSprop, which the paper
    # does not give, is that of its authors' code.
    "wgan": {
        "loss": "wasserstein",
        "d_weight_clip": 0.01,
        "d_steps": 5,
        "optimizer": "rmsprop",
        "beta_2": 0.99,
        "d_learning_rate": 5e-5,
        "g_learning_rate": 5e-5,
        "batch_size": 64,
    },
    # Gulrajani et al. 2017, arXiv:1704.00028, Algorithm 1.
    "wgan_gp": {
        "loss": "wasserstein",
        "penalty": "wgan_gp",
        "d_steps": 5,
        "beta_1": 0.0,
        "beta_2": 0.9,
        "d_learning_rate": 1e-4,
        "g_learning_rate": 1e-4,
    },
    # Mao et al. 2017, arXiv:1611.04076.
    "lsgan": {"loss": "least_squares"},
    # Miyato et al. 2018, arXiv:1802.05957; learning rates of Zhang et al. 2019, arXiv:1805.08318.
    "hinge_sn": {
        "loss": "hinge",
        "d_norm": "spectral",
        "beta_1": 0.0,
        "beta_2": 0.9,
        "d_learning_rate": 4e-4,
        "g_learning_rate": 1e-4,
    },
    # Huang et al. 2024, arXiv:2501.05441: relativistic pairing, R1 and R2, annealed.
    "r3gan": {"generator": "resnet", "discriminator": "resnet", "batch_size": 64, **R3},
    # The same loss on the networks of the script.
    "mlp_r3": MLP_R3,
    # With labels, and a D that does not become linear: faster still, see docs/results.md.
    "cgan_r3": {
        **R3,
        "discriminator": "mlp_on_black",
        "conditional": True,
        "latent_dim": 32,
        "d_learning_rate": 8e-4,
        "g_learning_rate": 2e-3,
        "g_learning_rate_decay": "cosine",
        "steps": 15_000,
        "learning_rate_decay_steps": 15_000,
        "penalty_decay_steps": 7500,
    },
    # Mixtures of Gaussians in the plane.
    "ring": {"dataset": "gaussian_ring", **POINTS},
    # More modes take longer to part.
    "grid": {
        "dataset": "gaussian_grid",
        **POINTS,
        "steps": 20_000,
        "learning_rate_decay_steps": 20_000,
        "penalty_decay_steps": 15_000,
    },
    # Three digits as channels, 1,000 modes.
    "stacked": {"dataset": "stacked_mnist", **DENSE},
    # Good images from few parameters: labels and faster players, see docs/results.md.
    "small": {**FAST, "generator": "sndcgan_dense", "conditional": True, "latent_dim": 32},
    # Your own images; `of_folder` chooses one by their side.
    "images32": {**IMAGES, "image_size": 32},
    "images64": {**IMAGES, "image_size": 64},
    # A second output of D, on the networks of the script, see docs/algorithm.md. Chen et al. 2016,
    # arXiv:1606.03657, appendix C.1: 62 entries of noise, 12 of codes. With the paper's loss and
    # weight G draws nearly by codes alone, see docs/results.md.
    "infogan": {**MLP_R3, "auxiliary": "infogan", "auxiliary_weight": 0.1, "latent_dim": 74},
    # Odena et al. 2017, arXiv:1610.09585.
    "acgan": {"auxiliary": "acgan", "conditional": True},
    # Salimans et al. 2016, arXiv:1606.03498, section 5, with ten labels of each digit.
    "sgan": {"auxiliary": "sgan", "labelled_images": "100"},
    # A minute on any machine, to see that an installation works.
    "tiny": {"generator": "tiny", "discriminator": "tiny", "steps": 2000},
}

# A line about each, for --help.
ABOUT = {
    "mlp": "the default: the original script's networks, alternating updates",
    "classic": "exactly the updates of the original script; samples from raw weights",
    "dcgan": "DCGAN-style networks, as deep as the images' side asks for",
    "cgan": "class-conditional G and D",
    "wgan": "the Wasserstein GAN as published: weight clipping, RMSprop, five updates of D a step",
    "wgan_gp": "Wasserstein loss with gradient penalty",
    "lsgan": "least squares",
    "hinge_sn": "hinge loss with spectral normalisation",
    "r3gan": "relativistic pairing loss with R1 and R2, on a small ResNet",
    "mlp_r3": "the same objective on the script's networks, at higher learning rates",
    "cgan_r3": "the same with labels, faster still: the best digits of dense layers",
    "ring": "mode coverage: 8 Gaussians",
    "grid": "mode coverage: 25 Gaussians",
    "stacked": "mode coverage: 1,000 stacks of three digits",
    "small": "the best digits from few parameters: convolutions, class-conditional",
    "images32": "your own images at 32 pixels",
    "images64": "your own images at 64 pixels",
    "infogan": "codes that G's images show, by a second output of D",
    "acgan": "classes that a second output of D names",
    "sgan": "semi-supervised: classes learned from 100 labels",
    "tiny": "a minute, to see that everything works",
}


def of_folder(image_size: int) -> str:
    """Returns the preset for a folder of images where none is named."""
    return "images32" if image_size < 48 else "images64"


def from_preset(name: str, overrides: Mapping[str, Any] | None = None) -> Config:
    """Returns the configuration of a preset with some fields changed.

    The side of images in a preset is for folders; other data sets have their own. Its betas are for
    its optimizer; another one has the defaults.

    Raises:
        UserError: Unknown preset, unknown field or invalid value.
    """
    if not isinstance(name, str) or name not in PRESETS:
        meant = new_name(str(name), PRESETS)
        raise UserError(f"--preset={name}: must be one of {', '.join(PRESETS)}{OWN_ROWS}{meant}")
    changes, preset = dict(overrides or {}), dict(PRESETS[name])
    if not str(changes.get("dataset", "")).startswith(FOLDER):
        preset.pop("image_size", None)
    if changes.get("optimizer", (own := preset.get("optimizer", Config.optimizer))) != own:
        preset.pop("beta_1", None)
        preset.pop("beta_2", None)
    return checked(from_dict({**preset, **changes}))


def changed(config: Config, overrides: Mapping[str, Any]) -> Config:
    """Returns a configuration with some fields changed.

    Raises:
        UserError: Unknown field or invalid value.
    """
    return checked(from_dict({**dataclasses.asdict(config), **overrides}))


def checked(config: Config) -> Config:
    """Returns a configuration that somebody asks for now, if all of it can be had."""
    # Not in Config: runs from before this was refused are still read.
    if config.keep_best != "none" and config.evaluate_every > config.steps:
        raise UserError(
            f"--keep_best={config.keep_best}: --evaluate_every={config.evaluate_every} is beyond "
            f"--steps={config.steps} and gives it nothing to compare, must be at most as many"
        )
    if config.d_warmup_steps >= config.steps:
        raise UserError(
            f"--d_warmup_steps={config.d_warmup_steps}: G would never learn, must be below "
            f"--steps={config.steps}"
        )
    return config
