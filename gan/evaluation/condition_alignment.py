"""Condition alignment: how many samples are, to a classifier, of the class that was asked for.

The share among real test images stands beside it: a classifier is wrong about some of them too.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from gan.evaluation.metrics.comparison import Features

CLASSES_SHOWN = 20  # rows of a table; of more classes those that are met the least


def condition_alignment(
    samples: Features,
    asked: np.ndarray,
    real: Features,
    labels: np.ndarray,
    class_names: Sequence[str] = (),
) -> dict[str, Any]:
    """Returns the share of samples that a classifier calls what was asked, in all and a class.

    Args:
        samples: Of N samples, through a network whose classes are those of the labels.
        asked: [N] integers, the label that each sample was drawn for.
        real: Of M real images.
        labels: [M] integers, their labels.
        class_names: Of the labels 0, 1, ..., where they have names.

    Returns:
        "samples" and "real", shares 0..1; that of real images is weighted by how often each class
        was asked for. "classes" has a row for each class that was asked for: "name", "samples" and
        "real", None without images, and the counts "num_samples" and "num_real".
    """
    rows: list[dict[str, Any]] = []
    for label in np.unique(asked).tolist():
        found = [
            features.probabilities[chosen == label].argmax(1) == label
            for features, chosen in ((samples, asked), (real, labels))
        ]
        of_samples, of_real = (float(right.mean()) if len(right) else None for right in found)
        name = class_names[label] if label < len(class_names) else str(label)
        name = name.encode(errors="backslashreplace").decode()  # JSON has no halves of characters
        counts = {"num_samples": len(found[0]), "num_real": len(found[1])}
        rows.append({"name": name, "samples": of_samples, "real": of_real, **counts})
    return {
        "samples": float(np.mean(samples.probabilities.argmax(1) == asked)),
        "real": weighted_mean([row["real"] for row in rows], [row["num_samples"] for row in rows]),
        "classes": rows,
    }


def weighted_mean(values: Sequence[float | None], weights: Sequence[int]) -> float | None:
    """Returns the weighted mean of those that are known, None if none is."""
    known = [(v, w) for v, w in zip(values, weights, strict=True) if v is not None]
    if not known:
        return None
    return float(np.average([v for v, _ in known], weights=[w for _, w in known]))


def lines_of(alignment: Mapping[str, Any]) -> list[str]:
    """Returns a condition alignment as a line and a Markdown table."""
    rows = alignment["classes"]
    shown = sorted(rows, key=lambda row: row["samples"])[:CLASSES_SHOWN]
    chosen = f", the {CLASSES_SHOWN} least of {len(rows)}" if len(rows) > CLASSES_SHOWN else ""
    lines = [
        f"condition alignment: {in_words(alignment['samples'])} of the samples are what was asked, "
        f"to a classifier that is right about {in_words(alignment['real'])} of real images{chosen}",
        "| class | samples, as asked | real images, as labelled |",
        "| --- | --- | --- |",
    ]
    for row in rows if len(rows) <= CLASSES_SHOWN else shown:
        cells = [
            str(row["name"]).replace("|", "\\|"),
            f"{in_words(row['samples'])} of {row['num_samples']:,}",
            f"{in_words(row['real'])} of {row['num_real']:,}" if row["num_real"] else "-",
        ]
        lines.append(f"| {' | '.join(cells)} |")
    return lines


def in_words(share: float | None) -> str:
    """Returns a share in percent, "-" if it is not known."""
    return "-" if share is None else f"{share:.2%}"
