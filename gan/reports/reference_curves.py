"""What runs of a preset look like; gan/reports/compare.py says whether a run looks like them.

The package brings curves of some presets: median and range over seeds, at every 1,000 steps.
``python -m experiments.reference`` makes them from runs.
"""

import dataclasses
import json
from collections.abc import Mapping, Sequence
from importlib import resources
from typing import Any

import numpy as np

from gan.errors import UserError
from gan.run.config import Config, from_dict

WINDOW = 1000  # steps; a point is the mean over the records of so many, for single ones scatter
AGAIN = 1.5  # times the range over seeds, on either side of it, are usual too

# What is compared; the last one is that of the light evaluation.
COMPARED = (
    "loss/d", "loss/g", "accuracy/real", "accuracy/fake", "logits/real", "logits/fake", "fcd",
)  # fmt: skip

# Knobs that do not change what is trained.
INDIFFERENT = (
    "seed", "data_dir", "precision", "jit_compile", "strategy", "steps", "steps_per_call",
    "log_every", "sample_every", "checkpoint_every", "keep_checkpoints", "evaluate_every",
    "keep_best", "on_collapse", "on_nan",
)  # fmt: skip

Curves = dict[str, dict[int, float]]  # metric -> step -> value


def curves_of(
    records: Sequence[Mapping[str, Any]], evaluations: Sequence[Mapping[str, Any]]
) -> Curves:
    """Returns the curves of a run, a point every `WINDOW` steps.

    Args:
        records: Of metrics.jsonl.
        evaluations: Of evaluations.jsonl; only the light ones count.
    """
    curves: Curves = {}
    for name in COMPARED[:-1]:
        points: dict[int, list[float]] = {}
        for record in records:
            if record.get(name) is not None:
                end = -(-record["step"] // WINDOW) * WINDOW
                points.setdefault(end, []).append(record[name])
        last = records[-1]["step"] if records else 0
        curves[name] = {step: float(np.mean(v)) for step, v in points.items() if step <= last}
    curves["fcd"] = {
        one["step"]: one["metrics"]["fcd"]
        for one in evaluations
        if one.get("evaluator") == "light"
        and one["metrics"].get("fcd") is not None
        and one["step"] % WINDOW == 0
    }
    return curves


def band_of(runs: Sequence[Curves]) -> dict[str, dict[str, list[float]]]:
    """Returns median and range over runs of each metric, at the steps that all runs have.

    Returns:
        metric -> {"steps", "median", "low", "high"}, lists of one length.
    """
    bands = {}
    for name in COMPARED:
        steps = sorted(set.intersection(*(set(curves[name]) for curves in runs)))
        values = np.array([[curves[name][step] for step in steps] for curves in runs])
        bands[name] = {
            "steps": steps,
            "median": np.median(values, 0).tolist() if steps else [],
            "low": values.min(0).tolist() if steps else [],
            "high": values.max(0).tolist() if steps else [],
        }
    return bands


def limits_of(name: str, band: Mapping[str, Sequence[float]]) -> tuple[list[float], list[float]]:
    """Returns the lowest and the highest usual value of a metric at each step of its band.

    The range over seeds, and one and a half times as much again on either side: one more run of the
    kind would leave the bare range of five at every third point. The widest range of a point and
    its neighbours counts, for five seeds may agree by chance, and at least 2 % of the median, or
    0.02. FCD falls by orders of magnitude: there all this is of its logarithm, and at least 10 %,
    for what 2,000 images say scatters so much by itself.
    """
    low, high, median = (np.asarray(band[key], float) for key in ("low", "high", "median"))
    least = np.maximum(0.02 * np.abs(median), 0.02)
    if name == "fcd":
        low, high, least = np.log(low), np.log(high), np.log(1.1)
    spread = np.maximum(high - low, least)
    padded = np.pad(spread, 1)
    spread = np.max([padded[:-2], spread, padded[2:]], axis=0)
    limits = low - AGAIN * spread, high + AGAIN * spread
    lows, highs = map(np.exp, limits) if name == "fcd" else limits
    return lows.tolist(), highs.tolist()


def load_references() -> dict[str, dict[str, Any]]:
    """Returns the references that come with the package, by preset."""
    files = resources.files("gan.reports") / "curves"
    if not files.is_dir():
        return {}
    found = [json.loads(one.read_text()) for one in files.iterdir() if one.name.endswith(".json")]
    return {one["preset"]: one for one in sorted(found, key=lambda one: str(one["preset"]))}


def differing_fields(config: Config, reference: Mapping[str, Any]) -> dict[str, Any]:
    """Returns the knobs of a run that train something else than the reference, and values."""
    other = from_dict(reference["config"])
    return {
        field.name: getattr(config, field.name)
        for field in dataclasses.fields(Config)
        if field.name not in INDIFFERENT
        and getattr(config, field.name) != getattr(other, field.name)
    }


def nearest_reference(config: Config, name: str = "") -> dict[str, Any]:
    """Returns the reference of a preset, or the one that a configuration is nearest to.

    Raises:
        UserError: The package has none of this preset, or none for this data set.
    """
    references = load_references()
    if name:
        if name not in references:
            raise UserError(f"--reference={name}: must be one of {', '.join(references)}")
        return references[name]
    alike = [one for one in references.values() if one["config"]["dataset"] == config.dataset]
    if not alike:
        raise UserError(
            f"--reference: there is none for {config.dataset}, only of the presets "
            f"{', '.join(references)}"
        )
    return min(alike, key=lambda one: (len(differing_fields(config, one)), one["preset"] != "mlp"))
