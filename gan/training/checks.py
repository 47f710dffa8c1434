"""What a configuration names, looked up in the tables, and what must hold between such rows.

Nothing here needs TensorFlow, so that a mistake in a flag is found at once.
"""

from collections.abc import Collection, Mapping
from typing import Any

from gan.algorithm.augment import AUGMENTATIONS
from gan.algorithm.auxiliary import AUXILIARIES, Auxiliary
from gan.algorithm.losses import LOSSES, Loss
from gan.algorithm.optimizer_table import OPTIMIZERS, Optimizer
from gan.algorithm.penalties import MAKE_LINEAR, PENALTIES
from gan.algorithm.schedules import DECAYS
from gan.data.datasets import DATASETS, DataSource
from gan.errors import UserError
from gan.models.registry import DISCRIMINATORS, GENERATORS, Network
from gan.run.config import FOLDER, Config
from gan.run.fields import OWN_ROWS, lookup, matches
from gan.run.heads import HEADS
from gan.run.sides import halvings_of, nearest_sides

# The tables that fields of a configuration name a row of.
TABLES: Mapping[str, Mapping[str, Any]] = {
    "dataset": DATASETS,
    "generator": GENERATORS,
    "discriminator": DISCRIMINATORS,
    "loss": LOSSES,
    "auxiliary": AUXILIARIES,
    "penalty": PENALTIES,
    "augment": AUGMENTATIONS,
    "optimizer": OPTIMIZERS,
    "d_learning_rate_decay": DECAYS,
    "g_learning_rate_decay": DECAYS,
}
# What a row of theirs is, if it is no function.
ROWS: Mapping[str, type] = {
    "dataset": DataSource,
    "generator": Network,
    "discriminator": Network,
    "loss": Loss,
    "auxiliary": Auxiliary,
    "optimizer": Optimizer,
    "augment": tuple,
}
MAY_BE_NONE = ("auxiliary", "penalty")


def check_rows(config: Config, given: Collection[str] = ()) -> None:
    """Checks the names of a configuration, and what their rows do not go together with.

    Fields in `given` may have any name: Python code gave the network, or the data, itself.

    Raises:
        UserError: Names the flag, its value and the valid ones.
    """
    for name, table in TABLES.items():
        value = getattr(config, name)
        folder = name == "dataset" and matches(value, f"{FOLDER}PATH")
        if name not in given and not folder:
            check_row(name, value, lookup(table, name, value, OWN_ROWS))
    loss, source = LOSSES[config.loss], DATASETS.get(config.dataset)
    smoothed = (config.real_label, config.fake_label) != (1.0, 0.0)
    if smoothed and (not loss.has_labels or config.schedule == "classic"):
        have = ", ".join(name for name, row in LOSSES.items() if row.has_labels)
        raise UserError(
            f"--real_label={config.real_label} --fake_label={config.fake_label}: only the losses "
            f"{have} have labels, and not in --schedule=classic"
        )
    if loss.log_odds and config.real_label > 1:
        raise UserError(
            f"--real_label={config.real_label}: is a probability in --loss={config.loss}, must be "
            "at most 1"
        )
    for name in ("beta_1", "beta_2"):
        valid = getattr(Config, name)
        if getattr(config, name) != valid and name not in OPTIMIZERS[config.optimizer].reads:
            readers = " and ".join(n for n, row in OPTIMIZERS.items() if name in row.reads)
            raise UserError(
                f"--{name}={getattr(config, name)}: --optimizer={config.optimizer} does not read "
                f"it, only {readers}; must be {valid}, as where nobody says"
            )
    if source:
        check_kind_of_data(config, source.points, source.counts_modes)
    if config.ada_target and not loss.absolute:
        have = ", ".join(name for name, row in LOSSES.items() if row.absolute)
        raise UserError(
            f"--ada_target={config.ada_target}: --loss={config.loss} gives logits no sign, must be "
            f"one of {have}"
        )
    if config.halvings and not halving_networks(config, given):
        raise UserError(f"--halvings={config.halvings}: no network halves images, valid is 0")
    # What light evaluations see: modes, where they do not count them, and D's linear units.
    of_images = not (source and source.points) and config.penalty in MAKE_LINEAR
    seen = config.evaluate_every and (not (source and source.counts_modes) or of_images)
    check_watched(config, evaluated=bool(seen))


def check_watched(config: Config, evaluated: bool) -> None:
    """Refuses to stop on collapse where no rule could see one, in D's logits or an evaluation."""
    if config.on_collapse == "stop" and not (has_log_odds(config) or evaluated):
        raise UserError(
            "--on_collapse=stop: none of the rules in docs/evaluation.md looks at this run, "
            "valid is warn"
        )


def check_row(flag: str, name: str, row: Any) -> None:
    """Refuses a row of a table that is of another kind than the others, as own ones may be."""
    kind = ROWS.get(flag)
    right = (row is None and flag in MAY_BE_NONE) or (
        isinstance(row, kind) if kind else callable(row)
    )
    if not right:
        must = "a function" if kind is None else f"of type {kind.__name__}"
        raise UserError(f"--{flag}={name}: its row is {type(row).__name__}, must be {must}")
    if isinstance(row, Auxiliary) and HEADS.get(name) != row.head:
        raise UserError(f"--{flag}={name}: its head must be the row {name} of gan.run.heads.HEADS")


def check_kind_of_data(config: Config, points: bool, has_modes: bool) -> None:
    """Refuses what is not for points, or not for stacks and mixtures.

    Asked of a row of the table before data are loaded, and of the data: own rows need not say it.
    """
    if has_modes and config.auxiliary != "none":
        raise UserError(
            f"--auxiliary={config.auxiliary}: is not for {config.dataset}, valid is none"
        )
    if points and config.augment != "none":
        raise UserError(f"--augment={config.augment}: is for images, valid is none")
    if points and config.train_images:
        raise UserError(f"--train_images={config.train_images}: is for images, valid is 0")
    if points and config.flip:
        raise UserError("--flip=True: is for images, valid is false")


def halving_networks(config: Config, given: Collection[str] = ()) -> list[str]:
    """Returns the players whose networks halve images by convolutions; not those in `given`."""
    players = [name for name in ("generator", "discriminator") if name not in given]
    return [name for name in players if TABLES[name][getattr(config, name)].halves]


def check_image_size(config: Config, given: Collection[str] = ()) -> None:
    """Refuses a side of a folder's images that its networks do not halve, before it is read.

    Raises:
        UserError: Names the nearest sides that they do.
    """
    side, times = config.image_size, config.halvings
    even = halvings_of(side, side) if not times else side % 2**times == 0
    players = halving_networks(config, given)
    if even or not players or not config.dataset.startswith(FOLDER):
        return
    name = f"--{players[0]}={getattr(config, players[0])}"
    if times:
        raise UserError(
            f"--image_size={side}: {name} halves it --halvings={times} times, must be a multiple "
            f"of {2**times}"
        )
    raise UserError(
        f"--image_size={side}: {name} halves it until 4 to 7 pixels are left, must be "
        f"{' or '.join(map(str, nearest_sides(side)))}"
    )


def has_log_odds(config: Config) -> bool:
    """Returns whether D's logits are log-odds of "real", so that size and sign mean something.

    Not under other losses than the cross-entropy, and not where a penalty or clipping keeps them
    small.
    """
    row = LOSSES.get(config.loss)
    return bool(row and row.log_odds) and config.penalty == "none" and not config.d_weight_clip
