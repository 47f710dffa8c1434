"""What ``tapegan compare`` says of each run of a page, or why it says nothing."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from gan.errors import UserError
from gan.reports.compare import comparable, compare_run, judged
from gan.reports.reference_curves import (
    Band,
    differing_fields,
    load_references,
    nearest_reference,
)
from gan.run.reader import History


class Beside(NamedTuple):
    """A run beside the reference runs of its preset."""

    short: str  # "inside", "outside", or "" where there is nothing to say
    line: str  # in a sentence
    preset: str = ""  # of the reference runs
    metrics: Sequence[str] = ()  # that mean the same in both


def verdict_of(run: History) -> Beside:
    """Returns whether a run looks like the reference runs of its preset.

    Other networks are another preset's, and ``tapegan compare`` would compare with the nearest one.
    """
    try:
        reference = nearest_reference(run.config)
    except UserError:
        return Beside("", f"no reference runs are of {run.config.dataset}")
    others = {"generator", "discriminator"} & set(differing_fields(run.config, reference.config))
    if others or run.own_networks:
        known = ", ".join(load_references())
        return Beside("", f"no reference runs have these networks ({run.networks}), only {known}")
    try:
        verdict = compare_run(run, reference)
    except UserError as error:
        return Beside("", str(error).removeprefix(f"--runs={run.path}: "))
    metrics, _ = comparable(run, reference)
    return Beside(
        "outside" if verdict.outside else "inside",
        f"beside {verdict.line}",
        reference.preset,
        judged(run.config, metrics),
    )


def common_bands(verdicts: Sequence[Beside]) -> Mapping[str, Band]:
    """Returns the bands of the metrics that can be compared in all runs, with the same preset."""
    (preset, *others) = {verdict.preset for verdict in verdicts}
    if others or not preset:
        return {}
    bands = load_references()[preset].bands
    shared = set.intersection(*(set(verdict.metrics) for verdict in verdicts))
    return {metric: band for metric, band in bands.items() if metric in shared}
