"""Curves of reference runs: what training a preset looks like, as bands over seeds.

The package brings them for some presets; ``python -m experiments.reference`` makes them from runs.
gan/reports/compare.py compares a run with them.
"""

import dataclasses
import json
from collections import defaultdict
from collections.abc import Mapping, Sequence
from importlib import resources
from typing import Any, NamedTuple

import numpy as np

from gan.errors import UserError
from gan.run.config import Config, from_dict
from gan.run.fields import lookup

WINDOW = 1000  # steps; a point is the mean of their records, for single ones scatter
MARGIN = 1.5  # widths of the range over seeds that a band reaches beyond it, on either side

Curves = Mapping[str, Mapping[int, float]]  # metric -> step -> value
Band = Mapping[str, Sequence[float]]  # "steps", "median", "low" and "high", of one length


class ComparedMetric(NamedTuple):
    """A metric that is compared, and the usual causes of a curve outside its band."""

    above: str
    below: str
    of_level: bool = False  # whether it tells the level of logits, not only their differences


D_WINS = "D wins: its learning rate is too high for G's, its images are few, or G cannot follow"
D_TOO_SURE = "D grows too sure: a penalty or a lower learning rate of D calms it"
D_LESS_SURE = "D is less sure than in reference runs, or drifts"

COMPARED: dict[str, ComparedMetric] = {
    "loss/d": ComparedMetric(
        above="D is too weak: its learning rate, or its size, is too small, or a penalty or "
        "augmentation holds it down",
        below=D_WINS,
    ),
    "loss/g": ComparedMetric(above=D_WINS, below="D is too weak, and G fools it too easily"),
    "accuracy/real": ComparedMetric(
        above="D wins on real images: it may know them by heart",
        below="D is too weak, or real images are not what it was made for: look at "
        "samples/reals.png",
        of_level=True,
    ),
    "accuracy/fake": ComparedMetric(
        above="D wins on fakes: G is behind, or has collapsed",
        below="G fools D: a D that learns too slowly",
        of_level=True,
    ),
    "logits/real": ComparedMetric(above=D_TOO_SURE, below=D_LESS_SURE, of_level=True),
    "logits/fake": ComparedMetric(above=D_LESS_SURE, below=D_TOO_SURE, of_level=True),
    "fcd": ComparedMetric(
        above="worse images than those of reference runs: too few modes, or training is behind",
        below="better images than those of reference runs; where that is a surprise, make evaluate "
        "tells whether they are copies",
    ),
}
LOGGED = tuple(name for name in COMPARED if name != "fcd")  # which light evaluations have

# What a continuation may change does not change what is trained, and neither do these. But FCD is
# of the sample weights.
INDIFFERENT = {"seed", "precision", "jit_compile", "deterministic"} | {
    field.name for field in dataclasses.fields(Config) if field.metadata["resumable"]
} - {"sample_weights"}


class ReferenceRuns(NamedTuple):
    """Several seeds of one configuration, and the bands of their curves."""

    preset: str
    config: Config
    bands: Mapping[str, Band]  # by metric


def curves_of(
    records: Sequence[Mapping[str, Any]], evaluations: Sequence[Mapping[str, Any]]
) -> Curves:
    """Returns the curves of a run, a point every `WINDOW` steps.

    Args:
        records: Of metrics.jsonl.
        evaluations: Of evaluations.jsonl; only the light ones count.
    """
    curves: dict[str, dict[int, float]] = {}
    last = records[-1]["step"] if records else 0
    for name in LOGGED:
        windows = defaultdict(list)  # by their last step
        for record in records:
            if record.get(name) is not None:
                windows[-(-record["step"] // WINDOW) * WINDOW].append(record[name])
        curves[name] = {end: mean(v) for end, v in windows.items() if end <= last}
    curves["fcd"] = {
        record["step"]: record["metrics"]["fcd"]
        for record in light_with_fcd(evaluations)
        if record["step"] % WINDOW == 0
    }
    return curves


def light_with_fcd(evaluations: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """Returns the light evaluations that have an FCD."""
    return [
        record
        for record in evaluations
        if record.get("evaluator") == "light" and record["metrics"].get("fcd") is not None
    ]


def mean(values: Sequence[float]) -> float:
    """Returns the mean of finite numbers; their sum need not be finite."""
    with np.errstate(over="ignore"):
        usual = np.mean(values)
    return float(usual if np.isfinite(usual) else np.sum(np.divide(values, len(values))))


def bands_of(runs: Sequence[Curves]) -> dict[str, dict[str, list[float]]]:
    """Returns median and range over runs of each metric, at the steps that all runs have."""
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


def limits_of(name: str, band: Band) -> tuple[list[float], list[float]]:
    """Returns the lower and upper limits of a metric's band, at each of its steps.

    They lie `MARGIN` widths of the range over seeds beyond it: one more run of the kind would leave
    the bare range of five at every third point. The width is the widest of a point and its
    neighbours, for five seeds may agree by chance, and at least 2 % of the median, or 0.02. FCD
    falls by orders of magnitude: there all this is of its logarithm, and the width is at least
    10 %, for what 2,000 images say scatters so much by itself. Limits of shares are shares.
    """
    low, high, median = (np.asarray(band[key], float) for key in ("low", "high", "median"))
    least = np.maximum(0.02 * np.abs(median), 0.02)
    if name == "fcd":
        low, high, least = np.log(low), np.log(high), np.log(1.1)
    width = np.maximum(high - low, least)
    padded = np.pad(width, 1)
    width = np.max([padded[:-2], width, padded[2:]], axis=0)
    limits = low - MARGIN * width, high + MARGIN * width
    lower, upper = map(np.exp, limits) if name == "fcd" else limits
    if name.startswith("accuracy"):  # a share
        lower, upper = np.clip(lower, 0, 1), np.clip(upper, 0, 1)
    return lower.tolist(), upper.tolist()


def load_references() -> dict[str, ReferenceRuns]:
    """Returns the reference runs that come with the package, by preset."""
    files = (resources.files("gan.reports") / "curves").iterdir()
    contents = [json.loads(file.read_text()) for file in files if file.name.endswith(".json")]
    return {
        str(content["preset"]): ReferenceRuns(
            content["preset"], from_dict(content["config"]), content["bands"]
        )
        for content in sorted(contents, key=lambda content: str(content["preset"]))
    }


def differing_fields(config: Config, reference: Config) -> dict[str, Any]:
    """Returns the fields of a run that train something else than the reference, with values."""
    return {
        field.name: getattr(config, field.name)
        for field in dataclasses.fields(Config)
        if field.name not in INDIFFERENT
        and getattr(config, field.name) != getattr(reference, field.name)
    }


def nearest_reference(config: Config, preset: str = "") -> ReferenceRuns:
    """Returns the reference runs of a preset, or those that a configuration is nearest to.

    Raises:
        UserError: The package has none of this preset, or none for this data set.
    """
    references = load_references()
    if preset:
        return lookup(references, "reference", preset)
    candidates = [runs for runs in references.values() if runs.config.dataset == config.dataset]
    if not candidates:
        raise UserError(
            f"--reference: there is none for {config.dataset}, only of the presets "
            f"{', '.join(references)}"
        )
    return min(
        candidates,
        key=lambda runs: (len(differing_fields(config, runs.config)), runs.preset != "mlp"),
    )
