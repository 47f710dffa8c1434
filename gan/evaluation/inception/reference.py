"""Real images as Inception sees them, to compare samples with, and what real images get."""

import dataclasses
import functools
from collections.abc import Callable, Collection
from typing import Any

import numpy as np

from gan.data.digests import array_digest
from gan.evaluation.constants import Constants, floors_key
from gan.evaluation.inception.features import InceptionExtractor, real_features
from gan.evaluation.metrics.comparison import Comparison, Features
from gan.evaluation.metrics.floors import Floor, floors_of
from gan.evaluation.metrics.neighbours import RealNeighbours, real_neighbours
from gan.evaluation.metrics.table import compute_metrics

INCEPTION_DRAWS = 10
POOL = 2  # times as many training images as samples are what floors are drawn from


@dataclasses.dataclass
class Reference:
    """All real images of a split, and training images for floors; a `comparison.Reference`."""

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
        return real_neighbours(self.features.features)

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

        `names` are those of a record, such as fid_inception_10k.

        There are some beside test images where there are `POOL` times as many training images;
        beside all training images there are none left to draw.
        """
        if self.split != "test" or len(self.training_images) < POOL * count:
            return {}
        constants = Constants(self.extractor.provenance, self.digest, self.print_fn)
        key = f"{floors_key(count, len(self.images), 'test')}: {', '.join(names)}"
        rows = constants.cached(key, lambda: self.compute_floors(count, names))
        return {name: Floor(*row) for name, row in rows.items()}

    def compute_floors(self, count: int, names: Collection[str]) -> dict[str, list[float]]:
        """Returns [mean, sd] of metrics over `INCEPTION_DRAWS` draws of `count` training images.

        The draws are from `POOL` times as many, because to look at all of them takes hours. They
        share images, so the sd is corrected as for a finite population. That is right for what
        is linear in the draw. Near its floor FID is quadratic, where sqrt(1 - 1/P^2)
        would do in place of sqrt(1 - 1/P), so its sd is up to a fifth too wide.
        """
        order = np.random.default_rng(0).permutation(len(self.training_images))[: POOL * count]
        images = self.training_images[order]
        pool = self.look(images, "training images")
        self.print_fn(f"measuring what {count:,} real images get, {INCEPTION_DRAWS} draws, once")
        draws = []
        for draw in range(INCEPTION_DRAWS):
            chosen = np.random.default_rng([1, draw]).choice(len(images), count, replace=False)
            samples = Features(*(part[chosen] for part in pool))
            draws.append(compute_metrics(self.compare(samples, images[chosen]), names))
        correction = np.sqrt(1 - 1 / POOL)
        floors = floors_of(draws)
        return {name: [floor.mean, floor.sd / correction] for name, floor in floors.items()}
