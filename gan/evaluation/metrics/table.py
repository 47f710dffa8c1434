"""The table of metrics.

A metric is one function, in a file beside this, and one row of `METRICS`, which states its
convention in one sentence.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from typing import Any, NamedTuple

from gan.errors import UserError
from gan.evaluation.metrics.classes import (
    PRESENT_SHARE,
    class_counts,
    classifier_score,
    expected_classes,
    score_ceiling,
)
from gan.evaluation.metrics.comparison import Comparison, Reference, known
from gan.evaluation.metrics.frechet import (
    EXTRAPOLATION_SIZES,
    fcd_ideal,
    frechet_distance,
    frechet_infinity,
)
from gan.evaluation.metrics.kid import KID_BLOCKS
from gan.evaluation.metrics.memorisation import MEMORISED_QUANTILE, dcr_share, memorised_share
from gan.evaluation.metrics.neighbours import K_DENSITY, K_PRECISION, coverage_ceiling
from gan.evaluation.metrics.pixel_statistics import (
    histogram_distance,
    spectrum_distance,
    spectrum_ratios,
)
from gan.lazy import np


class Metric(NamedTuple):
    """A row of `METRICS`: how a number is computed and how to read it."""

    better: str  # "lower", "higher", or "real": as real images, not more
    # What a perfect generator gets: a number, or a function of reference and number of samples.
    ideal: float | Callable[[Reference, int], float]
    compute: Callable[[Comparison], float]
    convention: str
    details: Mapping[str, Callable[[Comparison], Any]] = {}  # what else stands in the record
    # Set where it finds copies of training images, whose floor cannot be drawn from these: what
    # images get that are no copies, a share 0..1, and of how many images that is known.
    no_copies: Callable[[Reference], tuple[float, int]] | None = None
    needs_classes: bool = False  # data with labels, and a feature network that tells them

    def suspicious(self, value: float, mean: float, sd: float) -> bool:
        """Tells whether a value is better than real images by more than 2 sd.

        No generator can be better than new real images, so something else is going on: copies of
        training images, too little diversity, or a mistake. For shares of copies more is worse.
        """
        return value < mean - 2 * sd if self.better == "lower" else value > mean + 2 * sd


CLASS_COUNTS = {
    "class_counts": lambda c: class_counts(
        c.samples.probabilities, known(c.reference.data.train_labels)
    ).tolist(),
    "real_classes": lambda c: len(np.unique(known(c.reference.data.train_labels))),
    "expected_classes": lambda c: expected_classes(
        known(c.reference.data.train_labels), len(c.images)
    ),
}


METRICS: dict[str, Metric] = {
    "fcd": Metric(
        "lower", lambda reference, count: fcd_ideal(reference.features.features, count),
        lambda c: frechet_distance(c.real, c.fake),
        "Fréchet distance of Gaussians fitted to classifier features (FID's formula)",
    ),
    "fcd_infinity": Metric(
        "lower", 0, lambda c: frechet_infinity(c.real, c.fake),
        f"FCD at {EXTRAPOLATION_SIZES} sizes N, extrapolated linearly in 1/N to 0",
    ),
    "kid": Metric(
        "lower", 0, lambda c: c.kid[0],
        f"squared MMD, kernel (xy/D + 1)^3, mean of {KID_BLOCKS} disjoint blocks",
        {"kid_standard_error": lambda c: c.kid[1]},
    ),
    "precision": Metric(
        "higher", 1, lambda c: c.neighbours["precision"],
        f"share of samples within a real image's distance to its neighbour {K_PRECISION}",
    ),
    "recall": Metric(
        "higher", 1, lambda c: c.neighbours["recall"],
        f"share of real images within a sample's distance to its neighbour {K_PRECISION}",
    ),
    "density": Metric(
        "higher", 1, lambda c: c.neighbours["density"],
        f"mean number of real {K_DENSITY}-neighbour balls a sample lies in, over {K_DENSITY}",
    ),
    "coverage": Metric(
        "higher", lambda reference, count: coverage_ceiling(len(reference.features[0]), count),
        lambda c: c.neighbours["coverage"],
        f"share of real images with a sample within the distance to their neighbour {K_DENSITY}",
    ),
    "one_nn_accuracy": Metric(
        "lower", 0.5, lambda c: c.neighbours["one_nn_accuracy"],
        "leave-one-out accuracy of 1-nearest-neighbour on real against samples",
    ),
    "classifier_score": Metric(
        "higher", lambda reference, count: score_ceiling(known(reference.data.test_labels)),
        lambda c: classifier_score(c.samples.probabilities),
        "exp of the mean KL of p(y given x) from p(y); the Inception Score's formula",
        CLASS_COUNTS, needs_classes=True,
    ),
    "classes": Metric(
        "higher", lambda reference, count: len(np.unique(known(reference.data.train_labels))),
        lambda c: c.classes["classes"],
        f"classes with at least {PRESENT_SHARE:.0%} of their share among training images",
        CLASS_COUNTS, needs_classes=True,
    ),
    "class_kl": Metric(
        "lower", 0, lambda c: c.classes["class_kl"],
        "KL(samples, training labels) of class shares in nats, with Miller-Madow's correction",
        CLASS_COUNTS, needs_classes=True,
    ),
    "memorised_features": Metric(
        "real", MEMORISED_QUANTILE,
        lambda c: memorised_share(c.nearest_in_features[0], c.reference.thresholds["features"]),
        "share of samples nearer to a training image, in features, than the 1 % nearest test "
        "images", no_copies=lambda reference: (MEMORISED_QUANTILE, len(reference.data.test_images)),
    ),
    "memorised_pixels": Metric(
        "real", MEMORISED_QUANTILE,
        lambda c: memorised_share(c.nearest_in_pixels[0], c.reference.thresholds["pixels"]),
        "the same, in pixels",
        no_copies=lambda reference: (MEMORISED_QUANTILE, len(reference.data.test_images)),
    ),
    "dcr_share": Metric(
        "real", lambda reference, count: reference.dcr_share[0],
        lambda c: dcr_share(c.nearest_in_features[0], c.nearest_held_out[0]),
        "share of samples nearer to a training image, in features, than to all test images",
        no_copies=lambda reference: reference.dcr_share,
    ),
    "histogram_distance": Metric(
        "lower", 0, lambda c: histogram_distance(c.reference.pixels, c.pixels),
        "total variation distance of the histograms of 256 grey levels, mean over channels",
    ),
    "spectrum_distance": Metric(
        "lower", 0, lambda c: spectrum_distance(c.reference.pixels, c.pixels),
        "mean over rings of the absolute log ratio of radial power spectra",
        {"spectrum_ratios": lambda c: spectrum_ratios(c.reference.pixels, c.pixels).tolist()},
    ),
}  # fmt: skip


# What papers compute of Inception's features, by its name there, and the row that it is.
INCEPTION_METRICS = {
    "fid": "fcd", "kid": "kid", "precision": "precision", "recall": "recall",
    "density": "density", "coverage": "coverage",
}  # fmt: skip


def row_of(name: str) -> Metric:
    """Returns the row of a metric of a record, such as fcd or fid_inception_10k."""
    own, inception, _ = name.partition("_inception_")
    return METRICS[INCEPTION_METRICS[own] if inception else name]


def check_names(names: Collection[str], valid: Collection[str] = METRICS) -> None:
    """Refuses names that are no metrics."""
    for name in names:
        if name not in valid:
            raise UserError(f"--metrics={name}: must be among {', '.join(valid)}")


def applicable(names: Collection[str], has_classes: bool) -> tuple[str, ...]:
    """Returns those of the metrics `names` that can be computed with classes or without."""
    return tuple(name for name in names if has_classes or not METRICS[name].needs_classes)


def compute_metrics(
    comparison: Comparison,
    names: Collection[str],
    advance: Callable[[str], None] = lambda name: None,
) -> dict[str, float]:
    """Returns metrics by their names, see `row_of`; `advance` is told each that begins."""
    values = {}
    for name in names:
        advance(name)
        values[name] = row_of(name).compute(comparison)
    return values


def metric_details(comparison: Comparison, names: Collection[str]) -> dict[str, Any]:
    """Returns what stands in a record beside the metrics `names`, such as the class counts."""
    rows = [row for name, row in METRICS.items() if name in names]
    functions = {key: function for row in rows for key, function in row.details.items()}
    return {key: function(comparison) for key, function in functions.items()}
