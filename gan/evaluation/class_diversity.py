"""Diversity within classes: whether the samples of a class differ from each other as real ones do.

A conditional generator may draw one image a class: each class is there, and each sample is what was
asked for. The distance from a sample to the nearest other one of its class, in features, is then
near 0. It is compared with that of as many real images of the class.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from gan.evaluation.metrics.distances import own_neighbours

DRAWS = 5  # of real images of a class
CLASSES_SHOWN = 20  # rows of a table; of more classes those of the least diversity


def class_diversity(
    samples: np.ndarray,
    asked: np.ndarray,
    real: np.ndarray,
    labels: np.ndarray,
    class_names: Sequence[str] = (),
) -> list[dict[str, Any]]:
    """Returns how far samples of each class are apart, over how far real images of it are.

    Args:
        samples: [N, D] features of samples.
        asked: [N] integers, the label that each sample was drawn for.
        real: [M, D] features of real images.
        labels: [M] integers, their labels.
        class_names: Of the labels 0, 1, ..., where they have names.

    Returns:
        A row for each class with at least two samples and four real images: "name"; "samples", the
        mean distance to the nearest neighbour over that of real images; "real", 1 by definition,
        with the "sd" of as many real images over `DRAWS` draws; "num_images" of each kind, which
        are at most half of the real images of the class.
    """
    rows: list[dict[str, Any]] = []
    for label in np.unique(asked).tolist():
        drawn, of_real = samples[asked == label], real[labels == label]
        count = min(len(drawn), len(of_real) // 2)
        if count < 2:
            continue
        found = []
        for draw in range(DRAWS):
            chosen = np.random.default_rng([label, draw]).permutation(len(of_real))[:count]
            found.append(mean_distance(of_real[chosen]))
        usual = float(np.mean(found))
        if not usual:  # all real images of the class are one
            continue
        name = class_names[label] if label < len(class_names) else str(label)
        rows.append({
            "name": name.encode(errors="backslashreplace").decode(),  # as JSON can hold it
            "samples": mean_distance(drawn[:count]) / usual,
            "real": 1.0,
            "sd": float(np.std(found, ddof=1)) / usual,
            "num_images": count,
        })  # fmt: skip
    return rows


def mean_distance(features: np.ndarray) -> float:
    """Returns the mean distance from each of some features [N, D] to its nearest neighbour."""
    return float(np.mean(np.sqrt(np.maximum(own_neighbours(features, 1)[:, 0], 0.0))))


def lines_of(rows: Sequence[Mapping[str, Any]]) -> list[str]:
    """Returns the diversity within classes as a line and a Markdown table."""
    least = min(rows, key=lambda row: row["samples"])
    shown = sorted(rows, key=lambda row: row["samples"])[:CLASSES_SHOWN]
    lines = [
        "diversity within classes, real images 1: the least is "
        f"{least['samples']:.2f}, of class {least['name']}",
        "| class | samples | real images (sd) |",
        "| --- | --- | --- |",
    ]
    for row in rows if len(rows) <= CLASSES_SHOWN else shown:
        name = str(row["name"]).replace("|", "\\|")
        lines.append(f"| {name} | {row['samples']:.2f} | 1 ({row['sd']:.2f}) |")
    return lines
