"""What numbers can be compared, and which way is better: known without TensorFlow."""

import json
from collections.abc import Mapping
from typing import Any

from gan.evaluation.constants import floors_of_record
from gan.evaluation.metrics.table import row_of

# Of metrics that have no row in `METRICS`.
BETTER = {
    "modes": "higher", "high_quality": "higher", "reverse_kl": "lower", "sd_ratio": "real",
    "class_diversity": "real", "head_accuracy": "higher", "linear_units": "lower",
}  # fmt: skip
ARROWS = {"lower": "↓", "higher": "↑", "real": "", "": ""}

# What says what a number is of; numbers of records that differ in one of these are not compared.
OF_KIND = ("features", "num_images", "reference", "weights", "ema_sigma", "seed")


def kind_of(record: Mapping[str, Any]) -> str:
    """Returns what is the same for evaluations whose numbers can be compared.

    How many images were learned is none of it: samples are compared with the same real images.
    """
    about = {name: record.get(name) for name in OF_KIND}
    reference = about["reference"]
    if isinstance(reference, Mapping):
        about["reference"] = {n: value for n, value in reference.items() if n != "learned"}
    return json.dumps(about, sort_keys=True)


def in_one(before: Mapping[str, Any] | None, record: Mapping[str, Any]) -> dict[str, Any]:
    """Returns an evaluation and what one before it has besides, of the same kind and step.

    One comes after the other, as --metrics asked for them; the last number of a metric counts.
    """
    before = before or {"metrics": {}}
    return {
        **before,
        **record,
        "metrics": {**before["metrics"], **record["metrics"]},
        "floors": {**before.get("floors", {}), **floors_of_record(record)},
    }


def weights_of(record: Mapping[str, Any]) -> str:
    """Returns in words which weights were evaluated, "" if the record does not say."""
    words = [str(record["weights"])] if "weights" in record else []
    return " ".join([*words, *([f"sigma {record['ema_sigma']}"] if "ema_sigma" in record else [])])


def better(name: str) -> str:
    """Returns "lower", "higher", "real" (as real images, not more), or "" of a name unknown."""
    if name in BETTER:
        return BETTER[name]
    try:
        return row_of(name).better
    except KeyError:
        return ""
