"""What a configuration names, looked up in the tables, and what must hold between such rows.

Nothing here needs TensorFlow, so that a mistake in a flag is found at once.
"""

from collections.abc import Collection, Mapping
from typing import Any

from gan.algorithm.augment import AUGMENTATIONS
from gan.algorithm.losses import LOSSES
from gan.algorithm.penalties import PENALTIES
from gan.algorithm.schedules import DECAYS
from gan.data.datasets import DATASETS
from gan.errors import UserError
from gan.models.registry import DISCRIMINATORS, GENERATORS
from gan.run.config import FOLDER, Config
from gan.run.fields import lookup, matches

# The tables that fields of a configuration name a row of.
TABLES: Mapping[str, Mapping[str, Any]] = {
    "dataset": DATASETS,
    "generator": GENERATORS,
    "discriminator": DISCRIMINATORS,
    "loss": LOSSES,
    "penalty": PENALTIES,
    "augment": AUGMENTATIONS,
    "d_learning_rate_decay": DECAYS,
    "g_learning_rate_decay": DECAYS,
}


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
            lookup(table, name, value)
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
    if source and source.points and config.augment != "none":
        raise UserError(f"--augment={config.augment}: is for images, valid is none")
    evaluated = config.evaluate_every and not (source and source.counts_modes)
    if config.on_collapse == "stop" and not (has_log_odds(config) or evaluated):
        raise UserError(
            "--on_collapse=stop: none of the rules in docs/evaluation.md looks at this run, "
            "valid is warn"
        )


def has_log_odds(config: Config) -> bool:
    """Returns whether D's logits are log-odds of "real", so that size and sign mean something.

    Not under other losses than the cross-entropy, and not where a penalty or clipping keeps them
    small.
    """
    row = LOSSES.get(config.loss)
    return bool(row and row.log_odds) and config.penalty == "none" and not config.d_weight_clip
