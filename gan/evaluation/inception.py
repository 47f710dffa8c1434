"""FID and its kin as papers compute them: through Inception-2015-12-05, beside real images.

The numbers of METRICS are of small classifiers, each data set has its own; these are of the
literature's network and have other names, such as fid_inception_10k.
"""

import dataclasses
import functools
import time
from collections.abc import Callable, Collection
from typing import Any

import numpy as np

from gan.data.datasets import Dataset
from gan.data.digests import array_digest
from gan.errors import UserError
from gan.evaluation import metrics
from gan.evaluation.inception_features import (
    RESIZE,
    InceptionExtractor,
    Progress,
    load_extractor,
    real_features,
)
from gan.evaluation.inception_network import FEATURE_DIM
from gan.evaluation.metrics import (
    INCEPTION_METRICS,
    METRICS,
    Comparison,
    Features,
    Floor,
    RealNeighbours,
)
from gan.evaluation.records import now
from gan.evaluation.reference import LEAST_REAL, cached
from gan.version import __version__

FEATURES = "inception"  # the value of --features
FLOOR_DRAWS = 10
POOL = 2  # times as many training images as samples are what floors are drawn from


@dataclasses.dataclass
class InceptionReference:
    """All real images of a split, and training images for floors; a ``metrics.Reference``."""

    extractor: InceptionExtractor
    images: np.ndarray  # [N, H, W, C] uint8
    split: str
    training_images: np.ndarray
    print_fn: Callable[[str], None]

    @functools.cached_property
    def features(self) -> Features:
        """The features [N, 2048] of the reference images."""
        return self.look(self.images, f"{self.split} images")

    @functools.cached_property
    def neighbours(self) -> RealNeighbours:
        """The features with the distances among themselves."""
        return metrics.real_neighbours(self.features.features)

    @functools.cached_property
    def digest(self) -> str:
        """The digest of all images, which the floors depend on."""
        return array_digest(self.images, self.training_images)

    def look(self, images: np.ndarray, what: str) -> Features:
        """Returns the features of real images, from the user's cache if they are there."""
        found = real_features(self.extractor, images, what, self.print_fn)
        return Features(found, np.empty((len(found), 0), np.float32))

    def compare(self, samples: Features, images: np.ndarray) -> Comparison:
        """Returns samples beside the reference, to compute metrics of that need no labels."""
        reference: Any = self
        return Comparison(reference, samples, images)

    def floors(self, count: int, names: Collection[str]) -> dict[str, Floor]:
        """Returns the floors of `count` images, {} where there are none.

        There are some beside test images where there are `POOL` times as many training images;
        beside all training images there are none left to draw.
        """
        if self.split != "test" or len(self.training_images) < POOL * count:
            return {}
        key = f"floors of {count} against {len(self.images)} test: {', '.join(names)}"
        real: Any = self  # has what `cached` asks for
        rows = cached(real, key, lambda: self.compute_floors(count, names))
        return {name: Floor(*row) for name, row in rows.items()}

    def compute_floors(self, count: int, names: Collection[str]) -> dict[str, list[float]]:
        """Returns [mean, sd] of metrics over `FLOOR_DRAWS` draws of `count` training images.

        The draws are from `POOL` times as many, because to look at all of them takes hours. They
        share images, so the sd is corrected as for a finite population.
        """
        order = np.random.default_rng(0).permutation(len(self.training_images))[: POOL * count]
        images = self.training_images[order]
        pool = self.look(images, "training images")
        self.print_fn(f"measuring what {count:,} real images get, {FLOOR_DRAWS} draws, once")
        draws = []
        for draw in range(FLOOR_DRAWS):
            chosen = np.random.default_rng([1, draw]).choice(len(images), count, replace=False)
            samples = Features(*(part[chosen] for part in pool))
            draws.append(compute(self.compare(samples, images[chosen]), names))
        correction = np.sqrt(1 - 1 / POOL)
        floors = metrics.floors_of(draws)
        return {name: [floor.mean, floor.sd / correction] for name, floor in floors.items()}


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
    reference = InceptionReference(extractor, real, split, data.train_images, print_fn)
    _ = reference.features  # what is kept comes first
    print_fn(f"looking at {count:,} samples through Inception")
    began, busy = time.monotonic(), time.process_time()
    samples = extractor(images, Progress("samples", count, print_fn))
    minutes, busy = (time.monotonic() - began) / 60, time.process_time() - busy
    print_fn(f"that took {minutes:.1f} minutes, {busy / count:.2f} s of CPU time an image")
    comparison = reference.compare(samples, images)
    values = compute(comparison, names, lambda name: print_fn(f"computing: {name}"))
    floors = reference.floors(count, names)
    rows = {name: METRICS[INCEPTION_METRICS[name]] for name in names}
    ideals = {n: r.ideal(comparison.reference, count) if callable(r.ideal) else r.ideal
              for n, r in rows.items()}  # fmt: skip
    full = {name: f"{name}_inception_{short(count)}" for name in names}
    return {
        "num_images": count,
        "reference": {"dataset": dataset, "split": split, "num_images": len(real)},
        "features": extractor.provenance,
        "tapegan": __version__,
        "date": now(),
        "metrics": {full[name]: value for name, value in values.items()},
        **({"kid_standard_error": comparison.kid[1]} if "kid" in names else {}),
        "floors": {full[name]: floor._asdict() for name, floor in floors.items()},
        "ideals": {full[name]: ideal for name, ideal in ideals.items()},
        "suspicious": [
            full[name] for name, floor in floors.items()
            if rows[name].suspicious(values[name], *floor)
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


def compute(
    comparison: Comparison,
    names: Collection[str],
    advance: Callable[[str], None] = lambda name: None,
) -> dict[str, float]:
    """Returns the metrics `names`, keys of `INCEPTION_METRICS`; `advance` is told each."""
    values = {}
    for name in names:
        advance(name)
        values[name] = METRICS[INCEPTION_METRICS[name]].compute(comparison)
    return values


def short(count: int) -> str:
    """Returns a number of images as papers write it, such as 10k."""
    return str(count) if count % 1000 else f"{count // 1000}k"
