"""What ``--help`` says, and what an unknown flag may have meant."""

import difflib
import textwrap
from collections.abc import Mapping, Sequence
from importlib import metadata
from pathlib import Path

from absl import flags

from gan import version
from gan.run.presets import ABOUT

WIDTH, INDENT = 100, " " * 6

# Flags of training by subject; those that most people want come first.
GROUPS: Mapping[str, Sequence[str]] = {
    "Most used": (
        "preset", "run_dir", "dataset", "steps", "batch_size", "d_learning_rate",
        "g_learning_rate", "loss", "penalty", "latent_dim", "conditional", "seed",
    ),
    "Data": (
        "data_dir", "image_size", "image_channels", "background", "skip_bad_images", "test_share",
        "data_cache", "train_images", "flip", "augment", "augment_probability", "ada_target",
    ),
    "Networks": ("generator", "discriminator", "g_norm", "d_norm", "halvings", "pack"),
    "Loss": (
        "real_label", "fake_label", "penalty_weight", "penalty_decay", "penalty_decay_steps",
        "auxiliary", "auxiliary_weight", "categories", "continuous_codes", "labelled_images",
    ),
    "Optimisation": (
        "schedule", "d_steps", "d_warmup_steps", "optimizer", "beta_1", "beta_2",
        "d_learning_rate_decay", "g_learning_rate_decay", "learning_rate_decay_steps",
        "d_weight_clip", "ema_half_life", "posthoc_averages", "init_from",
    ),
    "Run": (
        "config", "dry_run", "import", "precision", "jit_compile", "deterministic", "strategy",
        "sync_batch_norm", "steps_per_call", "on_collapse", "on_nan",
    ),
    "Output": (
        "log_every", "sample_every", "checkpoint_every", "keep_checkpoints", "evaluate_every",
        "keep_best", "sample_weights",
    ),
}  # fmt: skip

EXAMPLES = """\
Examples
  tapegan train --preset=mlp_r3 --run_dir=runs/try --steps=10000
  tapegan train --run_dir=runs/try
      goes on with what is there, such as after Ctrl-C
  tapegan train --dataset=image_folder:PHOTOS --image_size=64 --flip
In a checkout: make train RUN=runs/try ARGS="--preset=mlp_r3 --steps=10000"
"""

# What other programs call it.
MEANT = {
    "lr": ("d_learning_rate", "g_learning_rate"),
    "learning_rate": ("d_learning_rate", "g_learning_rate"),
    "epoch": ("steps",),
    "epochs": ("steps",),
    "iters": ("steps",),
    "iterations": ("steps",),
    "kimg": ("steps",),
    "batch": ("batch_size",),
    "run_dir": ("runs", "out"),
    "runs": ("run_dir",),
    "outdir": ("run_dir", "out"),
    "output": ("run_dir", "out"),
    "output_dir": ("run_dir", "out"),
    "logdir": ("run_dir", "out"),
    "class": ("labels", "label", "conditional"),
    "classes": ("labels", "label", "conditional"),
    "cond": ("conditional",),
    "data": ("dataset",),
    "z_dim": ("latent_dim",),
    "nz": ("latent_dim",),
    "resolution": ("image_size",),
    "size": ("image_size",),
    "gpus": ("strategy",),
    "mirror": ("flip",),
    "resume": ("run_dir",),
    "count": ("seeds", "num_images"),
    "num": ("seeds", "num_images"),
}


def help_lines(usage: str, values: flags.FlagValues) -> list[str]:
    """Returns what a command does, its flags with their defaults, and of training more."""
    if not set(GROUPS["Most used"]) <= set(values):
        return [usage, "", *lines_of(values, list(values))]
    lines = [usage, "", *EXAMPLES.splitlines(), *where_docs_are()]
    for group, names in GROUPS.items():
        lines += ["", group, *lines_of(values, names)]
    known = {name for names in GROUPS.values() for name in names}
    lines += ["", "Other", *lines_of(values, [name for name in values if name not in known])]
    width = max(map(len, ABOUT))
    return [*lines, "", "Presets", *(f"  {name:{width}}  {text}" for name, text in ABOUT.items())]


def where_docs_are() -> list[str]:
    """Returns in a line where README and docs are that messages name: in a checkout or a wheel."""
    checkout = Path(version.__file__).parent.parent
    if (checkout / "docs/run-directory.md").is_file():
        return [f"README and docs are in {checkout}"]
    try:
        files = metadata.files("tapegan") or []
    except metadata.PackageNotFoundError:
        return []
    places = [file.locate() for file in files if file.as_posix().endswith("tapegan/README.md")]
    return [f"README and docs are in {Path(str(place)).resolve().parent}" for place in places]


def lines_of(values: flags.FlagValues, names: Sequence[str]) -> list[str]:
    """Returns some lines a flag: its name with the default, and what it means."""
    lines = []
    for name in names:
        flag = values[name]
        if flag.boolean and flag.default is not None:
            shown = f"--[no]{name} (default: {'yes' if flag.default else 'no'})"
        elif flag.default in (None, ""):
            shown = f"--{name} (default: {'chosen for the machine' if flag.boolean else 'empty'})"
        else:
            shown = f"--{name}={flag.default}"
        lines.append(f"  {shown}")
        lines += textwrap.wrap(
            flag.help, WIDTH, initial_indent=INDENT, subsequent_indent=INDENT,
            break_on_hyphens=False, break_long_words=False,
        )  # fmt: skip
    return lines


def unknown_flag(name: str, values: flags.FlagValues) -> str:
    """Returns the message about a flag that a command does not have."""
    bare = name.lower().replace("-", "_")
    meant = [one for one in MEANT.get(bare, ()) if one in values]
    meant += [one for one in values if bare.startswith("no") and one == bare[2:]]
    if not meant:
        meant = [one for one in values if len(bare) > 2 and one.startswith(bare)]
        meant = meant or difflib.get_close_matches(bare, list(values), 2, 0.75)
    question = f", did you mean {' or '.join(f'--{one}' for one in meant[:3])}?" if meant else ","
    return f"--{name}: is not a flag of this command{question} --help lists all"
