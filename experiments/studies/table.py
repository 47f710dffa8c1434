"""The table of studies: a study is a preset, some variants of it and some seeds."""

from pathlib import Path
from typing import Any, NamedTuple

from experiments.folder_sets import PLACE, SETS
from gan.algorithm.losses import LOSSES
from gan.run.config import FOLDER
from gan.run.presets import PRESETS, R3
from gan.sweeps.runs import Run


class Study(NamedTuple):
    """Which runs to do: each variant with each seed."""

    preset: str
    seeds: tuple[int, ...]
    variants: dict[str, dict[str, Any]]  # name -> what it changes
    common: dict[str, Any]  # what all runs change; the data set belongs here
    curve: tuple[int, ...] = ()  # steps of the checkpoints that the plot shows
    num_images: int = 10_000  # of the final evaluation; where modes are counted the field's number
    folder_set: str = ""  # key of `folder_sets.SETS`, the data set; made before, if it is not there


# Evaluated from the checkpoints, so that the seconds are those of training alone.
CHECKPOINTS_ONLY = {"checkpoint_every": 2000, "keep_checkpoints": 1000, "evaluate_every": 0}
LAST_ONLY = {"evaluate_every": 0}
POSTHOC = {"evaluate_every": 5000, "posthoc_averages": True}
USUAL = {"evaluate_every": 1000, "checkpoint_every": 10_000}
USUAL_START = {**USUAL, "steps": 5000}  # convolutions are slow on CPUs
FIVE = tuple(range(5))
# Batches near those of the papers, about 100, and fewer: days of a CPU become hours.
SHORT = {"batch_size": 64, "steps": 10_000}
CURVE = (2000, 4000, 8000, 14_000, 20_000, 30_000)
FASTER = {name: PRESETS["mlp_r3"][name] for name in ("d_learning_rate", "g_learning_rate")}


def normal(steps: int) -> dict[str, Any]:
    """Returns what the presets of points were before their latents had a category."""
    return {
        "generator": "toy", "latent_dim": 2, "steps": steps, "learning_rate_decay_steps": steps,
        "penalty_decay_steps": steps * 3 // 4, "beta_2": 0.99,
    }  # fmt: skip


# What D sees of few images; ADA with the policy that DiffAugment applies always.
AUGMENTED: dict[str, dict[str, Any]] = {
    "none": {},
    "diffaugment": {"augment": "translation_cutout"},
    "ada": {"augment": "translation_cutout", "ada_target": 0.6},
}

STUDIES: dict[str, Study] = {
    "mlp": Study(
        "mlp",
        seeds=(0, 1, 2),
        variants={
            "classic": {"schedule": "classic"},
            "alternating": {"schedule": "alternating"},
            "simultaneous": {"schedule": "simultaneous"},
        },
        common=CHECKPOINTS_ONLY,
        curve=CURVE,
    ),
    "precision": Study(
        "mlp",
        seeds=tuple(range(10)),  # a lost diversity is rare: three seeds could not tell
        variants={
            "float32": {"precision": "float32"},
            "bfloat16": {"precision": "mixed_bfloat16"},
        },
        common={**SHORT, "evaluate_every": 2500},
    ),
    "r3": Study(
        "mlp",
        seeds=(0, 1, 2),
        # Two presets, and each at the rates of the other.
        variants={
            "mlp": {},
            "mlp_r3": PRESETS["mlp_r3"],
            "mlp_faster": FASTER,
            "mlp_r3_slower": R3,
        },
        common=CHECKPOINTS_ONLY,
        curve=CURVE,
    ),
    "grid": Study("grid", seeds=tuple(range(20)), variants={"grid": {}}, common=LAST_ONLY),
    "ring": Study("ring", seeds=tuple(range(20)), variants={"ring": {}}, common=LAST_ONLY),
    # Normal latents, which draw bridges between modes, and for three and four times the steps.
    "grid_normal": Study(
        "grid", seeds=tuple(range(20)), variants={"normal": normal(60_000)}, common=LAST_ONLY
    ),
    "ring_normal": Study(
        "ring", seeds=tuple(range(20)), variants={"normal": normal(40_000)}, common=LAST_ONLY
    ),
    "cgan_r3": Study("cgan_r3", seeds=(0, 1, 2), variants={"cgan_r3": {}}, common=LAST_ONLY),
    # Seed 0 of each comes with the package.
    "small": Study("small", seeds=(0, 1, 2), variants={"small": {}}, common=POSTHOC),
    # With the D that does not become linear on images on black; see docs/results.md, stage 5.
    "small_on_black": Study(
        "small",
        seeds=(0, 1, 2),
        variants={"small": {"discriminator": "dcgan_dense_on_black"}},
        common=POSTHOC,
    ),
    "small_fashion": Study(
        "small",
        seeds=(0, 1, 2),
        variants={"small": {}},
        common={"dataset": "fashion_mnist", **POSTHOC},
    ),
    "infogan": Study(
        "infogan",
        seeds=(0, 1, 2),
        variants={"infogan": {}},
        common={**SHORT, **LAST_ONLY},
    ),
    # The same class labels, named by D or told to it.
    "acgan": Study(
        "acgan",
        seeds=(0, 1, 2),
        variants={"acgan": {}, "cgan": {"auxiliary": "none"}},
        common={**SHORT, "evaluate_every": 2500},
    ),
    # The accuracy of D's head is in evaluations.jsonl of each run.
    "sgan": Study(
        "sgan",
        seeds=(0, 1, 2),
        variants={name: {"labelled_images": name} for name in ("100", "1000", "all")},
        common={**SHORT, "steps": 5000, "evaluate_every": 1000},
    ),
    # The losses of --loss that need no penalty, all else alike.
    "losses": Study(
        "mlp",
        seeds=(0, 1, 2),
        variants={name: {"loss": name} for name in LOSSES if name != "wasserstein"},
        common={**SHORT, "evaluate_every": 2500},
    ),
    "stacked": Study("stacked", seeds=(0, 1, 2), variants={"stacked": {}}, common=LAST_ONLY),
    # What augmentation is worth where images are few; its loss has logits with a sign, for ADA.
    "few_images": Study(
        "mlp",
        seeds=(0, 1, 2),
        variants={
            f"{name}_{count}": {"train_images": count, **augmented}
            for count in (1000, 5000)
            for name, augmented in AUGMENTED.items()
        },
        common={**SHORT, **LAST_ONLY},  # 640 passes over 1,000 images
    ),
    # What runs of a preset look like, for ``tapegan compare``; see experiments/reference.py.
    "usual_mlp": Study("mlp", seeds=FIVE, variants={"mlp": {}}, common=USUAL),
    "usual_dcgan": Study("dcgan", seeds=FIVE, variants={"dcgan": {}}, common=USUAL_START),
    "usual_r3gan": Study("r3gan", seeds=FIVE, variants={"r3gan": {}}, common=USUAL_START),
    "tiny_modes": Study(  # likewise, where modes are counted
        "ring",
        seeds=(0, 1),
        variants={"short": {}, "diverging": {"d_learning_rate": 1e38}},
        common={"steps": 100, "steps_per_call": 50, "jit_compile": False, **LAST_ONLY},
    ),
    "tiny": Study(  # a minute, to see that it works
        "tiny",
        seeds=(0,),
        variants={
            "alternating": {},
            "diverging": {"d_learning_rate": 1e38},  # a run that fails is counted
        },
        common={
            "steps": 100,
            "jit_compile": False,
            "checkpoint_every": 50,
            "keep_checkpoints": 1000,
            "evaluate_every": 0,
        },
        curve=(50, 100),
        num_images=2000,
    ),
}


# Real images that are free. Convolutions are slow on CPUs: half of the presets' batch, and a fifth
# of their steps, of 64 pixels a tenth.
for set_name in SETS:
    for side, steps in ((32, 4000), (64, 2000)):
        STUDIES[f"{set_name}_{side}"] = Study(
            f"images{side}",
            seeds=(0,),
            variants={f"images{side}": {}},
            common={
                "dataset": f"{FOLDER}{PLACE}/{set_name}",
                "skip_bad_images": True,  # three of the clip art are too large
                "batch_size": 32,
                "steps": steps,
                "learning_rate_decay_steps": steps,
                "penalty_decay_steps": steps // 2,
                **LAST_ONLY,
            },
            num_images=2000,  # twice as many as are held out
            folder_set=set_name,
        )


def runs_of(study: Study, out: Path) -> list[Run]:
    """Returns the runs of a study, seed by seed, so that early results compare variants."""
    return [
        Run(
            out / f"{variant}-{seed}",
            study.preset,
            {**study.common, **changes, "seed": seed},
            variant,
        )
        for seed in study.seeds
        for variant, changes in study.variants.items()
    ]
