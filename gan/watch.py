"""Signs that a run has collapsed, from what it logs anyway. Pure functions on records.

The rules are coarse on purpose: a healthy run must never raise one (docs/evaluation.md shows how
far away it stays), so that ``--on_collapse=stop`` can be trusted overnight. Spans are in thousands
of real images (kimg), because log intervals and batch sizes differ.
"""

from collections.abc import Sequence
from typing import Any

Record = dict[str, Any]  # of metrics.jsonl or evaluations.jsonl

SPAN_KIMG = 256.0  # what a rule on D looks back at: 1,000 steps of the default run
LEAST_RECORDS = 3  # in that span
GRACE_KIMG = 500.0  # before, few modes are normal

WON_ACCURACY, WON_GAP = 0.99, 6.0  # both images sides; mean real logit minus mean fake logit
DEAD_ACCURACY, DEAD_GAP = 0.52, 0.05
LOW_COVERAGE = 0.1  # a twentieth of what real images get would be 0.05
LOW_CLASSES = 0.5  # of all classes


def signs(records: Sequence[Record], evaluations: Sequence[Record]) -> dict[str, str]:
    """Returns the signs of collapse at the last record, each with what it means in one sentence.

    Args:
        records: Of metrics.jsonl up to now, or its end of at least `SPAN_KIMG`.
        evaluations: The light evaluations up to now, or the last two of them.
    """
    found = {}
    now = records[-1]["kimg"] if records else 0.0
    span = [record for record in records if record["kimg"] > now - SPAN_KIMG]
    if now >= SPAN_KIMG and len(span) >= LEAST_RECORDS:
        worst = [min(r["accuracy/real"], r["accuracy/fake"]) for r in span]
        mean = sum((r["accuracy/real"] + r["accuracy/fake"]) / 2 for r in span) / len(span)
        gaps = [r["logits/real"] - r["logits/fake"] for r in span]
        if min(worst) >= WON_ACCURACY and min(gaps) >= WON_GAP:
            found["discriminator_won"] = (
                f"D tells every image for {SPAN_KIMG:.0f} kimg (logit gap {min(gaps):.1f} and "
                "more): G learns nothing any more"
            )
        if mean <= DEAD_ACCURACY and max(map(abs, gaps)) <= DEAD_GAP:
            found["discriminator_dead"] = (
                f"D tells real from fake no better than chance for {SPAN_KIMG:.0f} kimg "
                f"(accuracy {mean:.2f}, logit gap below {DEAD_GAP}): G learns nothing from it"
            )
    last = [e for e in evaluations if e["kimg"] >= GRACE_KIMG][-2:]
    if len(last) == 2 and all(few_modes(e) for e in last):
        metrics = last[-1]["metrics"]
        found["mode_collapse"] = (
            f"two evaluations in a row found few modes (now coverage {metrics['coverage']:.2f}, "
            f"{metrics['classes']:.0f} classes)"
        )
    return found


def few_modes(evaluation: Record) -> bool:
    """Tells whether an evaluation found a small part of the data only."""
    metrics, classes = evaluation["metrics"], len(evaluation["class_counts"])
    return metrics["coverage"] < LOW_COVERAGE or metrics["classes"] <= LOW_CLASSES * classes


def history(records: Sequence[Record], evaluations: Sequence[Record]) -> dict[str, int]:
    """Returns the signs of a whole run and the step at which each came first."""
    first: dict[str, int] = {}
    start = 0
    for i, record in enumerate(records):
        while records[start]["kimg"] <= record["kimg"] - SPAN_KIMG:
            start += 1
        before = [e for e in evaluations if e["step"] <= record["step"]]
        for name in signs(records[start : i + 1], before[-2:]):
            first.setdefault(name, record["step"])
    return first
