"""Signs that a run has collapsed, from what it logs anyway. Pure functions on records.

The rules are coarse on purpose: a healthy run must never raise one, so that ``--on_collapse=stop``
can be trusted overnight. Spans are in thousands of real images (kimg), because log intervals and
batch sizes differ.
"""

from collections import deque
from collections.abc import Sequence
from typing import Any

from gan.run.records import is_number

Record = dict[str, Any]  # of metrics.jsonl or evaluations.jsonl

# Each has a row in gan/run/advice.py.
SIGNS = (
    "discriminator_won", "discriminator_dead", "discriminator_linear", "mode_collapse",
    "class_collapse",
)  # fmt: skip

SPAN_KIMG = 256.0  # what a rule on D looks back at: 1,000 steps of the default run
LEAST_RECORDS = 3  # in that span
SPACING_KIMG = SPAN_KIMG / 100  # of them: a denser log costs no more than this one

WON_ACCURACY, WON_GAP = 0.99, 6.0  # on both kinds of images; mean real minus mean fake logit
DEAD_ACCURACY, DEAD_GAP = 0.52, 0.05  # over both kinds of images
D_METRICS = ("accuracy/real", "accuracy/fake", "logits/real", "logits/fake")
MODE_METRICS = ("fcd", "coverage")  # and classes, of data that have some
LEAST_EVALUATIONS = 2  # two in a row, and one before them
NAMED = 5  # classes in a message
LOW_COVERAGE = 0.1  # real images get 0.95
LOW_CLASSES = 0.5  # of those that as many real images have
LINEAR_UNITS = 0.9  # of a layer of D; recipes that do well have at most a third
LOW_DIVERSITY = 0.2  # within a class; real images get 1, see gan/evaluation/class_diversity.py
IMPROVEMENT = 0.95  # an FCD below this part of the best one before is progress


def collapse_signs(
    records: Sequence[Record], evaluations: Sequence[Record], log_odds: bool = True
) -> dict[str, str]:
    """Returns the signs of collapse at the last record, each with what it means in one sentence.

    Records may be those that `remember` keeps, and the last one. Evaluations are all so far. Those
    of either kind that lack a number which a rule needs, or hold one that was not finite, are
    passed over. Where logits are no log-odds, the rules on D mean nothing.
    """
    signs = {}
    now = records[-1]["kimg"] if records else 0.0
    span = [
        r
        for r in records
        if r["kimg"] > now - SPAN_KIMG and None not in r.values() and has_numbers(r, D_METRICS)
    ]
    if log_odds and now >= SPAN_KIMG and len(span) >= LEAST_RECORDS:
        lowest = min(min(r["accuracy/real"], r["accuracy/fake"]) for r in span)
        mean = sum((r["accuracy/real"] + r["accuracy/fake"]) / 2 for r in span) / len(span)
        gaps = [r["logits/real"] - r["logits/fake"] for r in span]
        if lowest >= WON_ACCURACY and min(gaps) >= WON_GAP:
            signs["discriminator_won"] = (
                f"D tells every image for {SPAN_KIMG:.0f} kimg (logit gap at least "
                f"{min(gaps):.1f}), so G learns nothing any more"
            )
        if mean <= DEAD_ACCURACY and max(gaps) <= DEAD_GAP:
            signs["discriminator_dead"] = (
                f"D does not tell real from fake for {SPAN_KIMG:.0f} kimg (accuracy {mean:.2f}, "
                f"logit gap at most {max(gaps):.2f}), so G learns nothing from it"
            )
    of_units = [e["metrics"].get("linear_units") for e in evaluations]
    of_units = [share for share in of_units if is_number(share)]
    if len(of_units) > 1 and min(of_units[-2:]) >= LINEAR_UNITS:
        signs["discriminator_linear"] = (
            f"{min(of_units[-2:]):.0%} of the units of a layer of D have one sign for all images, "
            "so D is nearly linear"
        )
    complete = [e for e in evaluations if tells_modes(e)]
    if len(complete) > LEAST_EVALUATIONS:
        *before, last_but_one, last = complete
        progress = min(fcd(last_but_one), fcd(last)) <= IMPROVEMENT * min(map(fcd, before))
        if few_modes(last_but_one) and few_modes(last) and not progress:
            signs["mode_collapse"] = (
                f"two evaluations in a row found few modes and no progress (coverage "
                f"{last['metrics']['coverage']:.2f}, {classes_found(last)}FCD {fcd(last):.1f})"
            )
        if (classes := flat_classes(last_but_one) & flat_classes(last)) and not progress:
            signs["class_collapse"] = (
                f"two evaluations in a row found samples of a class all alike and no progress "
                f"(class {', '.join(sorted(classes)[:NAMED])}, {len(classes)} in all, FCD "
                f"{fcd(last):.1f})"
            )
    return signs


def flat_classes(evaluation: Record) -> set[str]:
    """Returns the classes whose samples hardly differ, of a conditional run."""
    rows = evaluation.get("class_diversity", [])
    return {row["name"] for row in rows if row["samples"] < LOW_DIVERSITY}


def tells_modes(evaluation: Record) -> bool:
    """Tells whether an evaluation has what the rule on modes looks at."""
    metrics = evaluation["metrics"]
    names = [*MODE_METRICS, *(["classes"] if has_classes(evaluation) else [])]
    return has_numbers(metrics, names) and ("class_counts" in evaluation) == ("classes" in metrics)


def has_classes(evaluation: Record) -> bool:
    """Tells whether an evaluation counted classes; there are data without."""
    return "classes" in evaluation["metrics"]


def classes_found(evaluation: Record) -> str:
    """Returns in words how many classes an evaluation found, "" if it counted none."""
    return f"{evaluation['metrics']['classes']:.0f} classes, " if has_classes(evaluation) else ""


def has_numbers(values: Record, names: Sequence[str]) -> bool:
    """Tells whether all of these values are there, as numbers."""
    return all(is_number(values.get(name)) for name in names)


def few_modes(evaluation: Record) -> bool:
    """Tells whether an evaluation found a small part of the data only."""
    metrics = evaluation["metrics"]
    if metrics["coverage"] < LOW_COVERAGE or not has_classes(evaluation):
        return bool(metrics["coverage"] < LOW_COVERAGE)
    counts = evaluation["class_counts"]
    # What as many real images have; older evaluations do not say it.
    known = [evaluation.get(name) for name in ("expected_classes", "real_classes")]
    classes = next((float(number) for number in known if number is not None), len(counts))
    return bool(metrics["classes"] <= LOW_CLASSES * classes)


def fcd(evaluation: Record) -> float:
    """Returns the FCD of an evaluation."""
    return float(evaluation["metrics"]["fcd"])


def first_signs(
    records: Sequence[Record], evaluations: Sequence[Record], log_odds: bool = True
) -> dict[str, int]:
    """Returns the signs of a whole run and the step at which each came first."""
    first: dict[str, int] = {}
    recent = deque[Record]()
    for record in records:
        before = [e for e in evaluations if e["step"] <= record["step"]]
        for name in collapse_signs([*recent, record], before, log_odds):
            first.setdefault(name, record["step"])
        remember(recent, record)
    return first


def remember(recent: deque[Record], record: Record) -> None:
    """Adds a record of metrics.jsonl to those that the rules on D look back at, in place.

    Of a log that is denser than `SPACING_KIMG` it keeps the first record of each such interval.
    """
    kimg = record["kimg"]
    if not recent or kimg // SPACING_KIMG > recent[-1]["kimg"] // SPACING_KIMG:
        recent.append(record)
    while len(recent) > 1 and recent[0]["kimg"] <= kimg - SPAN_KIMG:
        recent.popleft()
