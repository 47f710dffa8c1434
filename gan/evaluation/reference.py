"""Real images as metrics see them: the reference, and the floors that real data gets.

A floor is what a metric gives to training images, as many as the samples, against the same
reference. The floors of the usual counts come with the package; others are computed once and kept
in the user's cache.
"""

import dataclasses
import functools
from collections.abc import Callable, Collection
from typing import Any

import numpy as np

from gan.data.datasets import Dataset, Labelled, Parts
from gan.data.digests import array_digest
from gan.errors import UserError
from gan.evaluation import features, own_features
from gan.evaluation.constants import Constants, floors_key
from gan.evaluation.features import Extractor
from gan.evaluation.metrics.comparison import Comparison, Features
from gan.evaluation.metrics.distances import nearest, nearest_images
from gan.evaluation.metrics.floors import FLOOR_DRAWS, Floor, floor_without_copies, floors_of
from gan.evaluation.metrics.memorisation import dcr_share, memorisation_threshold
from gan.evaluation.metrics.neighbours import RealNeighbours, real_neighbours
from gan.evaluation.metrics.pixel_statistics import PixelStatistics, pixel_statistics
from gan.evaluation.metrics.table import METRICS, applicable, compute_metrics

LEAST_REAL = 100  # images to compare with; blocks of KID would have fewer than ten
MOST_TESTS = 10_000  # images of a folder that are held out and looked at
MOST_POOL = 60_000  # training images that floors are of; all of MNIST's
AT_ONCE = 1000  # of these that are in memory at a time, of a larger folder


@dataclasses.dataclass
class RealFeatures:
    """A data set seen through a feature network; what is costly is computed once."""

    dataset: str
    data: Parts
    extractor: Extractor
    print_fn: Callable[[str], None] = lambda line: None  # is told in one line what takes time
    chosen: np.ndarray | None = None  # the training images that are learned, if these are not all

    @property
    def has_classes(self) -> bool:
        """Whether the images have classes that the network tells."""
        return self.data.train_labels is not None and "task" not in self.extractor.provenance

    @functools.cached_property
    def digest(self) -> str:
        """The digest of all images and labels, which every constant depends on."""
        return array_digest(*self.data)

    @property
    def constants(self) -> Constants:
        """What is measured of these images once."""
        return Constants(self.extractor.provenance, self.digest, self.print_fn)

    @functools.cached_property
    def test(self) -> Features:
        """The features of the test images."""
        return self.extractor(self.data.test_images)

    @functools.cached_property
    def training(self) -> Features:
        """The features of the training images."""
        self.print_fn(f"looking at {len(self.data.train_images):,} training images")
        return self.extractor(self.data.train_images)

    @property
    def learned(self) -> np.ndarray:
        """The training images that a generator may have copied."""
        return self.data.train_images if self.chosen is None else self.chosen

    @functools.cached_property
    def training_learned(self) -> Features:
        """The features of the images in `learned`."""
        return self.training if self.chosen is None else self.extractor(self.chosen)

    @functools.cached_property
    def order(self) -> np.ndarray:
        """A fixed permutation of the training images: the reference, then what floors draw from."""
        return np.random.default_rng(0).permutation(len(self.data.train_images))

    def features_of(self, numbers: np.ndarray) -> tuple[Features, np.ndarray]:
        """Returns features of training images, and where [N] those of each of `numbers` are.

        Of a large folder only of these.
        """
        images = self.data.train_images
        if len(images) <= MOST_POOL:
            return self.training, np.arange(len(images))
        chosen, places = np.sort(numbers), np.zeros(len(images), np.int64)
        places[chosen] = np.arange(len(chosen))
        self.print_fn(f"looking at {len(chosen):,} training images")
        batches = np.split(chosen, np.arange(AT_ONCE, len(chosen), AT_ONCE))
        found = [self.extractor(images[batch]) for batch in batches]
        features, probabilities = (np.concatenate(part) for part in zip(*found, strict=True))
        return Features(features, probabilities), places

    @functools.cached_property
    def thresholds(self) -> dict[str, float]:
        """Squared distances that 1 % of the test images are nearer than to a training image.

        To one that is learned: few images lie farther from others than many do.
        """
        return self.constants.cached(self.key("thresholds"), lambda: compute_thresholds(self))

    @functools.cached_property
    def dcr_share(self) -> tuple[float, int]:
        """The share of training images nearer to another one than to test images, and of how many.

        Of those that are learned.
        """
        found = self.constants.cached(self.key("dcr share"), lambda: compute_dcr_share(self))
        return found["share"], found["images"]

    def key(self, name: str) -> str:
        """Returns the key of a constant that depends on the images that are learned."""
        return name if self.chosen is None else f"{name} of {self.chosen_in_words}"

    @functools.cached_property
    def chosen_in_words(self) -> str:
        """How many and which training images are learned, where it is not all of them."""
        return f"{len(self.learned)}, {array_digest(self.learned)[:12]}"

    def reference(self, split: str = "test", count: int = 10_000) -> "Reference":
        """Returns the reference for `count` samples.

        As many real images, a fixed draw: of "test" at most all; of "train" at most half, so that
        floors can be drawn from the other half. A draw, because MNIST's first 5,000 test images are
        easier than the others.
        """
        half = len(self.data.train_images) // 2
        most = len(self.data.test_images) if split == "test" else half
        return Reference(self, self.data, split, min(count, most))


@dataclasses.dataclass
class Reference:
    """Real images of a split to compare with; a `comparison.Reference`."""

    real: RealFeatures
    data: Parts
    split: str
    count: int

    @functools.cached_property
    def numbers(self) -> np.ndarray:
        """Which images of the split are the reference, [count] integers."""
        if self.split == "train":
            return self.real.order[: self.count]
        order = np.random.default_rng(0).permutation(len(self.data.test_images))
        return np.sort(order[: self.count])

    @property
    def images(self) -> np.ndarray:
        """The reference images, [count, H, W, C] uint8."""
        of_test = self.split == "test"
        return (self.data.test_images if of_test else self.data.train_images)[self.numbers]

    @functools.cached_property
    def features(self) -> Features:
        """The features of the reference images, [count, D]."""
        whole = self.count == len(self.data.test_images) or "test" in vars(self.real)
        if self.split == "test" and whole:  # are there already, or will be for others too
            return Features(*(part[self.numbers] for part in self.real.test))
        return self.real.extractor(self.images)

    @functools.cached_property
    def pixels(self) -> PixelStatistics:
        """The pixel statistics of the reference images."""
        return pixel_statistics(self.images)

    @functools.cached_property
    def neighbours(self) -> RealNeighbours:
        """The reference features with the distances among themselves."""
        return real_neighbours(self.features.features)

    @property
    def learned(self) -> np.ndarray:
        """The training images that a generator may have copied."""
        return self.real.learned

    @property
    def training(self) -> Features:
        """The features of the images in `learned`."""
        return self.real.training_learned

    @property
    def held_out(self) -> Features:
        """The features of all test images."""
        return self.real.test

    @property
    def thresholds(self) -> dict[str, float]:
        """See `RealFeatures`."""
        return self.real.thresholds

    @property
    def dcr_share(self) -> tuple[float, int]:
        """See `RealFeatures`."""
        return self.real.dcr_share

    def compare(self, images: np.ndarray) -> Comparison:
        """Returns samples [N, H, W, C] uint8 beside the reference, to compute metrics of."""
        return Comparison(self, self.real.extractor(images), images)

    def ideals(self, count: int, names: Collection[str] = METRICS) -> dict[str, float]:
        """Returns what `count` images of the same distribution get on average, or the ceiling.

        Of the metrics `names`, without those that need classes where there are none.
        """
        rows = {name: METRICS[name] for name in applicable(names, self.real.has_classes)}
        return {
            name: metric.ideal(self, count) if callable(metric.ideal) else metric.ideal
            for name, metric in rows.items()
        }


def load_real_features(
    dataset: str,
    data: Dataset,
    network: str = "cnn-a",
    print_fn: Callable[[str], None] = lambda line: None,
) -> RealFeatures:
    """Returns a data set seen through one of its feature networks, a key of `NETWORKS`.

    Raises:
        UserError: The data set has no test images, or ones that no network could be trained on.
    """
    parts, chosen = data.parts, data.train_images if data.whole else None
    if parts is None or lacking(data):
        raise UserError(f"--dataset={dataset}: {lacking(data)}")
    if data.folder is None and data.labelled and has_two_classes(parts):
        extractor = features.load_extractor(dataset, network, data, print_fn)
        return RealFeatures(dataset, parts, extractor, print_fn, chosen)
    source = dataset
    if data.folder:
        source, labels = own_features.FOLDER_NAME, parts.test_labels
        parts = parts._replace(
            test_images=parts.test_images[:MOST_TESTS],
            test_labels=None if labels is None else labels[:MOST_TESTS],
        )
    extractor = own_features.load_extractor(source, network, parts, print_fn)
    return RealFeatures(dataset, parts, extractor, print_fn, chosen)


def incomparable(data: Dataset, split: str = "test") -> str:
    """Returns why samples cannot be compared with a data set, in words; "" if they can."""
    return lacking(data) or (too_few(data.parts, split) if data.parts else "")


def lacking(data: Dataset) -> str:
    """Returns why a data set can have no feature network, in words; "" if it can."""
    parts = data.parts
    if parts is None and data.folder:
        return "has no test images, none are held out (see --test_share)"
    if parts is None:
        return "has no test images to compare with"
    _, height, width, _ = parts.train_images.shape
    if not has_two_classes(parts) and height != width:
        classes = "no labels" if parts.train_labels is None else "one class only"
        return f"has {classes}, and images that are not square, whose rotations none can learn"
    return ""


def has_two_classes(parts: Parts) -> bool:
    """Tells whether there are classes to tell: of a single one a network would learn nothing."""
    return parts.train_labels is not None and len(np.unique(parts.train_labels)) > 1


def too_few(data: Parts | Labelled, split: str = "test") -> str:
    """Returns why a data set is too small to compare with, in words; "" if it is not."""
    count = len(data.test_images) if split == "test" else len(data.train_images) // 2
    if count >= LEAST_REAL:
        return ""
    of = "test images" if split == "test" else "training images that floors need not"
    return f"has {count} {of}, must have at least {LEAST_REAL} to compare with"


def most_images(reference: Reference) -> int:
    """Returns the most images that have floors: half of the training images, for "train" a quarter.

    Draws of nearly all images would be nearly the same, and their spread no spread.
    """
    return len(reference.data.train_images) // (4 if reference.split == "train" else 2)


def usual_images(data: Dataset, split: str, count: int) -> int:
    """Returns how many samples are compared with a data set where nobody says: `count`.

    Of a folder at most as many as have floors, if these are not too few to have any.
    """
    all_images = (data.whole or data).train_images
    most = len(all_images) // (4 if split == "train" else 2)
    return min(count, most) if data.folder and most >= LEAST_REAL else count


def floors(reference: Reference, count: int, names: Collection[str] = METRICS) -> dict[str, Floor]:
    """Returns the floors of the metrics `names` for `count` images; what no table has is measured.

    Those that need classes are left out where there are none.

    Raises:
        UserError: There are more than `most_images`.
    """
    if count > most_images(reference):
        raise UserError(
            f"{count} images: must be at most {most_images(reference)} to have floors beside the "
            f"{reference.split} images"
        )
    names = applicable(names, reference.real.has_classes)
    constants, key = reference.real.constants, floors_key(count, reference.count, reference.split)
    # Tables are of all training images; what is no copy of a part of them is told apart.
    apart = [] if reference.real.chosen is None else [n for n in names if METRICS[n].no_copies]
    rows = constants.find(key)
    if new := [name for name in names if name not in rows and name not in apart]:
        rows |= constants.add(key, compute_floors(reference, count, new))
    if apart:
        rows |= compute_floors(reference, count, apart)
    return {name: Floor(*rows[name]) for name in names}


def compute_floors(
    reference: Reference, count: int, names: Collection[str] = METRICS
) -> dict[str, list[float]]:
    """Returns [mean, sd] of metrics over `FLOOR_DRAWS` draws of `count` training images.

    With the split "train" the draws come from the training images outside of the reference.
    Metrics that find copies have their own, see `floor_without_copies`.
    """
    found: dict[str, Floor] = {}
    for name in names:
        if no_copies := METRICS[name].no_copies:
            found[name] = floor_without_copies(*no_copies(reference), count)
    if drawn := [name for name in names if name not in found]:
        found |= draw_floors(reference, count, drawn)
    return {name: list(found[name]) for name in names}


def draw_floors(reference: Reference, count: int, names: Collection[str]) -> dict[str, Floor]:
    """Returns floors from `FLOOR_DRAWS` draws of `count` training images."""
    real = reference.real
    real.print_fn(f"measuring what {count:,} real images get, {FLOOR_DRAWS} draws, once")
    available = real.order[reference.count if reference.split == "train" else 0 :]
    pool = available[: max(MOST_POOL, 2 * count)]
    seen, places = real.features_of(pool)
    draws = []
    for draw in range(FLOOR_DRAWS):
        chosen = np.random.default_rng([1, draw]).choice(pool, count, replace=False)
        samples = Features(*(part[places[chosen]] for part in seen))
        comparison = Comparison(reference, samples, real.data.train_images[chosen])
        draws.append(compute_metrics(comparison, names))
    return floors_of(draws)


def compute_thresholds(real: RealFeatures) -> dict[str, float]:
    """Returns the memorisation thresholds in features and in pixels."""
    real.print_fn("measuring how near test images are to training images, once")
    in_features, _ = nearest(real.test.features, real.training_learned.features)
    in_pixels, _ = nearest_images(real.data.test_images, real.learned)
    return {
        "features": memorisation_threshold(in_features),
        "pixels": memorisation_threshold(in_pixels),
    }


def compute_dcr_share(real: RealFeatures) -> dict[str, Any]:
    """Returns the "share" of training images nearer to another one than to test images.

    And of how many "images": all that are learned, of a large folder a fixed draw.
    """
    real.print_fn("measuring how near training images are to the others, once")
    training = real.training_learned.features
    most = MOST_POOL if len(training) <= MOST_POOL else MOST_TESTS
    drawn = np.random.default_rng(0).permutation(len(training))[:most]
    to_others, _ = nearest(training[drawn], training, drawn)
    to_test, _ = nearest(training[drawn], real.test.features)
    return {"share": dcr_share(to_others, to_test), "images": len(drawn)}
