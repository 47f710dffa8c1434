"""The benchmark's second table: how the cost of a step grows."""

import dataclasses
from typing import Any

import keras
import numpy as np

from experiments.benchmarks.loops import tape_loop
from experiments.benchmarks.measure import measure as measure_loops
from experiments.benchmarks.measure import median_and_quartiles, quartiles
from gan.models.layers import NetworkSpec
from gan.models.registry import DISCRIMINATORS, GENERATORS, mlp_discriminator, mlp_generator
from gan.run.config import Config
from gan.run.streams import tell

BATCH_SIZES = (64, 256, 1024, 4096)
STEPS_PER_CALL = (1, 10, 50, 200)
WIDTH_FACTORS = (0.5, 2)


def measure(images: np.ndarray, repeats: int, seconds: float) -> list[dict[str, Any]]:
    """Returns a row for each variant: steps and images a second, in quartiles.

    Args:
        images: [N, 28, 28, 1] uint8.
        repeats: Turns of each variant.
        seconds: Length of a turn.
    """
    loops, units, batches = {}, {}, {}
    for name, changes in variants().items():
        tell(f"preparing {name}")
        changes = dict(changes)
        factor = changes.pop("width", 1)
        config = dataclasses.replace(Config(), **changes)
        networks = wider(images, factor) if factor != 1 else (None, None)
        loops[name] = tape_loop(images, networks, **changes)
        units[name], batches[name] = config.steps_per_call, config.batch_size
    rates = measure_loops(loops, repeats, seconds, units)
    return [
        {
            "variant": name,
            "steps_per_second": quartiles(found),
            "images_per_second": quartiles(np.multiply(found, batches[name])),
        }
        for name, found in rates.items()
    ]


def variants() -> dict[str, dict[str, Any]]:
    """Returns what each row changes in the default configuration; "width" is a factor."""
    found: dict[str, dict[str, Any]] = {}
    for size in BATCH_SIZES:
        # As many images a call as by default, so that a block takes the same memory.
        per_call = max(1, 50 * 256 // max(256, size))
        found[f"batch {size}"] = {"batch_size": size, "steps_per_call": per_call}
    for count in STEPS_PER_CALL:
        found[f"{count} steps a call"] = {"steps_per_call": count}
    for factor in WIDTH_FACTORS:
        found[f"width x {factor:g}"] = {"width": factor}
    for name in GENERATORS:
        if name in DISCRIMINATORS and not GENERATORS[name].points:
            found[f"model {name}"] = {"generator": name, "discriminator": name}
    return found


def wider(images: np.ndarray, factor: float) -> tuple[keras.Model, keras.Model]:
    """Returns the default networks with hidden layers of other widths."""
    g_widths, d_widths = ([int(w * factor) for w in ws] for ws in ((256, 512, 1024), (512, 256)))
    spec = NetworkSpec(images.shape[1:])
    return mlp_generator(spec, g_widths), mlp_discriminator(spec, d_widths)


def table(rows: list[dict[str, Any]]) -> str:
    """Returns the rows as a Markdown table."""
    lines = ["| variant of the default | steps/s | images/s |", "| --- | --- | --- |"]
    for row in rows:
        cells = [
            median_and_quartiles(row["steps_per_second"], 1),
            median_and_quartiles(row["images_per_second"], 0),
        ]
        lines.append(f"| {row['variant']} | {' | '.join(cells)} |")
    return "\n".join(lines)
