"""The record of an evaluation through Inception.

The numbers of METRICS are of small classifiers, each data set has its own; these are of the
literature's network and have other names, such as fid_inception_10k.
"""

import time
from collections.abc import Callable, Collection
from typing import Any

import numpy as np

from gan.data.datasets import Dataset
from gan.errors import UserError
from gan.evaluation.inception.features import PROGRESS_SECONDS, RESIZE, load_extractor
from gan.evaluation.inception.network import FEATURE_DIM
from gan.evaluation.inception.reference import Reference
from gan.evaluation.metrics.table import compute_metrics, row_of
from gan.evaluation.records import now
from gan.evaluation.reference import LEAST_REAL
from gan.run.progress import Progress
from gan.version import __version__

FEATURES = "inception"  # the value of --features


def evaluate(
    dataset: str,
    data: Dataset,
    images: np.ndarray,
    names: Collection[str],
    split: str,
    print_fn: Callable[[str], None],
) -> dict[str, Any]:
    """Returns the record of samples beside all real images of a split, as papers have it.

    Args:
        dataset: Its name.
        data: With test images, for the split "test".
        images: [N, H, W, C] uint8, the samples.
        names: Keys of `INCEPTION_METRICS`.
        split: "test" or "train".
        print_fn: Is told in one line what takes time.

    Raises:
        UserError: There is nothing to compare with, or the weights cannot be had.
    """
    data = data.whole or data  # nothing here looks for copies
    real = real_images(dataset, data, split)
    count, smaller = len(images), min(len(images), len(real))
    extractor = load_extractor(print_fn)
    print_fn(f"{count:,} samples beside all {len(real):,} {split} images, {RESIZE}")
    if smaller <= FEATURE_DIM:
        print_fn(
            f"warning: {smaller:,} images are too few for a covariance of {FEATURE_DIM:,} "
            "features: compare this FID with others of the same numbers of images only"
        )
    reference = Reference(extractor, real, split, data.train_images, print_fn)
    _ = reference.features  # what is kept comes first
    print_fn(f"looking at {count:,} samples through Inception")
    began, busy = time.monotonic(), time.process_time()
    samples = extractor(images, Progress("samples", count, print_fn, PROGRESS_SECONDS))
    minutes, busy = (time.monotonic() - began) / 60, time.process_time() - busy
    print_fn(f"that took {minutes:.1f} minutes, {busy / count:.2f} s of CPU time an image")
    comparison = reference.compare(samples, images)
    full = [f"{name}_inception_{short(count)}" for name in names]
    values = compute_metrics(comparison, full, lambda name: print_fn(f"computing: {name}"))
    floors = reference.floors(count, full)
    ideals = {}
    for name in full:
        ideal = row_of(name).ideal
        ideals[name] = ideal(comparison.reference, count) if callable(ideal) else ideal
    return {
        "num_images": count,
        "reference": {"dataset": dataset, "split": split, "num_images": len(real)},
        "features": extractor.provenance,
        "tapegan": __version__,
        "date": now(),
        "metrics": values,
        **({"kid_standard_error": comparison.kid[1]} if "kid" in names else {}),
        "floors": {name: floor._asdict() for name, floor in floors.items()},
        "ideals": ideals,
        "suspicious": [
            name for name, floor in floors.items()
            if row_of(name).suspicious(values[name], *floor)
        ],
    }  # fmt: skip


def real_images(dataset: str, data: Dataset, split: str) -> np.ndarray:
    """Returns the images to compare with, [N, H, W, C] uint8.

    Raises:
        UserError: There are too few, or they are neither grey nor colour.
    """
    real = data.test_images if split == "test" else data.train_images
    count = 0 if real is None else len(real)
    if real is None or count < LEAST_REAL:
        raise UserError(
            f"--features={FEATURES}: {dataset} has {count} {split} images, must have at least "
            f"{LEAST_REAL} to compare with"
        )
    if real.shape[-1] not in (1, 3):
        raise UserError(
            f"--features={FEATURES}: {dataset} has {real.shape[-1]} channels, must have 1 or 3"
        )
    return real


def short(count: int) -> str:
    """Returns a number of images as papers write it, such as 10k."""
    return str(count) if count % 1000 else f"{count // 1000}k"
