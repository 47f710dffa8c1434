"""Real images as metrics see them: the reference, and the floors that real data gets.

A floor is what a metric gives to training images, as many as the samples, against the same
reference. The floors of the usual counts come with the package; others are computed once and kept
in the user's cache.
"""

import dataclasses
import functools
import json
import re
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import platformdirs

from gan.data.datasets import Dataset
from gan.errors import UserError
from gan.evaluation import features, metrics
from gan.evaluation.features import Extractor, Features
from gan.evaluation.mode_coverage import FLOOR_DRAWS, Floor
from gan.run.atomic_files import write_json
from gan.version import __version__

# What is computed together. Memorisation is apart: its floor is 1 % by definition.
GROUPS: dict[str, tuple[str, ...]] = {
    "frechet": ("fcd",),
    "extrapolation": ("fcd_infinity",),
    "kernel": ("kid",),
    "neighbours": ("precision", "recall", "density", "coverage", "one_nn_accuracy"),
    "classes": ("classifier_score", "classes", "class_kl"),
    "memorisation": ("memorised_features", "memorised_pixels"),
}


class Found(NamedTuple):
    """Values of metrics, and what comes with them."""

    values: dict[str, float]
    extras: dict[str, Any]  # kid_standard_error, class_counts


@dataclasses.dataclass
class RealImages:
    """A labelled data set seen through a feature network; what is costly is computed once."""

    dataset: str
    data: Dataset
    extractor: Extractor
    print_fn: Callable[[str], None] = lambda line: None  # is told in one line what takes time

    @functools.cached_property
    def test(self) -> Features:
        """The features of the test images."""
        assert self.data.test_images is not None
        return self.extractor(self.data.test_images)

    @functools.cached_property
    def training(self) -> Features:
        """The features of the training images."""
        self.print_fn(f"looking at {len(self.data.train_array):,} training images")
        return self.extractor(self.data.train_array)

    @functools.cached_property
    def training_pixels(self) -> np.ndarray:
        """[N, H * W * C] uint8."""
        return flatten(self.data.train_array)

    @functools.cached_property
    def order(self) -> np.ndarray:
        """A fixed permutation of the training images: the reference, then what floors draw from."""
        return np.random.default_rng(0).permutation(len(self.data.train_array))

    @functools.cached_property
    def thresholds(self) -> dict[str, float]:
        """Squared distances that 1 % of the test images are nearer than to a training image."""
        return cached(self, "thresholds", lambda: compute_thresholds(self))

    def reference(self, split: str = "test", count: int = 10_000) -> "Reference":
        """Returns the reference for `count` samples.

        As many real images, a fixed draw: of "test" at most all; of "train" at most half, so that
        floors can be drawn from the other half. A draw, because MNIST's first 5,000 test images are
        easier than the others.
        """
        assert self.data.test_images is not None
        half = len(self.data.train_array) // 2
        most = len(self.data.test_images) if split == "test" else half
        return Reference(self, split, min(count, most))


@dataclasses.dataclass
class Reference:
    """Real images of a split to compare with."""

    real: RealImages
    split: str
    count: int

    @functools.cached_property
    def features(self) -> Features:
        """The features of the reference images, [count, D]."""
        if self.split == "train":
            return self.real.extractor(self.real.data.train_array[self.real.order[: self.count]])
        order = np.random.default_rng(0).permutation(len(self.real.test.features))
        chosen = np.sort(order[: self.count])
        return Features(*(part[chosen] for part in self.real.test))

    @functools.cached_property
    def neighbours(self) -> metrics.RealNeighbours:
        """The reference features with the distances among themselves."""
        return metrics.real_neighbours(self.features.features)

    def ideals(self, count: int) -> dict[str, float]:
        """Returns what `count` images of the same distribution get on average, or the ceiling."""
        assert self.real.data.test_labels is not None
        found = {name: metric.ideal for name, metric in metrics.METRICS.items()}
        _, covariance = metrics.moments(self.features.features)
        found["fcd"] = metrics.frechet_bias(covariance, count, self.count)
        found["coverage"] = metrics.coverage_ceiling(self.count, count)
        found["classifier_score"] = metrics.score_ceiling(self.real.data.test_labels)
        found["classes"] = self.features.probabilities.shape[1]
        return found


def load_real_images(
    dataset: str,
    data: Dataset,
    network: str = "cnn-a",
    print_fn: Callable[[str], None] = lambda line: None,
) -> RealImages:
    """Returns a data set seen through one of its feature networks.

    Args:
        dataset: Its name.
        data: With labels and test images.
        network: A key of ``features.NETWORKS``.
        print_fn: Is told in one line what takes time.

    Raises:
        UserError: The data set has no labels or no test images.
    """
    if data.train_labels is None or data.test_images is None or data.test_labels is None:
        raise UserError(f"--dataset={dataset}: has no labels or no test images to compare with")
    return RealImages(
        dataset, data, features.load_extractor(dataset, network, data, print_fn), print_fn
    )


def compute(
    reference: Reference,
    found: Features,
    images: np.ndarray | None,
    names: Iterable[str],
    advance: Callable[[str], None] = lambda group: None,
) -> Found:
    """Returns the metrics `names` of images with these features.

    Args:
        reference: What to compare with.
        found: Features of the images.
        images: [N, H, W, C] uint8; needed for memorisation only.
        names: Keys of ``metrics.METRICS``.
        advance: Is told the name of each group that begins.
    """
    names = list(names)
    values: dict[str, float] = {}
    extras: dict[str, Any] = {}
    real, fake = reference.features.features, found.features
    for group, members in GROUPS.items():
        if not set(members) & set(names):
            continue
        advance(group)
        if group == "frechet":
            values["fcd"] = metrics.frechet_distance(real, fake)
        elif group == "extrapolation":
            values["fcd_infinity"] = metrics.frechet_infinity(real, fake)
        elif group == "kernel":
            values["kid"], extras["kid_standard_error"] = metrics.kid(real, fake)
        elif group == "neighbours":
            values |= metrics.neighbour_metrics(reference.neighbours, fake)
        elif group == "classes":
            labels = reference.real.data.train_labels
            assert labels is not None
            values["classifier_score"] = metrics.classifier_score(found.probabilities)
            values |= metrics.class_metrics(found.probabilities, labels)
            extras["class_counts"] = metrics.class_counts(found.probabilities).tolist()
        else:
            assert images is not None
            for name, of_samples, of_training in (
                ("features", fake, reference.real.training.features),
                ("pixels", flatten(images), reference.real.training_pixels),
            ):
                distances, extras[f"nearest_in_{name}"] = metrics.nearest(of_samples, of_training)
                extras[f"distances_in_{name}"] = distances
                values[f"memorised_{name}"] = metrics.memorised_share(
                    distances, reference.real.thresholds[name]
                )
    return Found({name: values[name] for name in names}, extras)


def most_images(reference: Reference) -> int:
    """Returns the most images that have floors: half of the training images, for "train" a quarter.

    Draws of nearly all images would be nearly the same, and their spread no spread.
    """
    return len(reference.real.data.train_array) // (4 if reference.split == "train" else 2)


def floors(reference: Reference, count: int) -> dict[str, Floor]:
    """Returns the floor of each metric for `count` images, from the package, the cache, or now.

    Raises:
        UserError: There are more than `most_images`.
    """
    if count > most_images(reference):
        raise UserError(
            f"{count} images: must be at most {most_images(reference)} to have floors with "
            f"--split={reference.split}"
        )
    rows = cached(
        reference.real, floors_key(reference, count), lambda: compute_floors(reference, count)
    )
    return {name: Floor(*row) for name, row in rows.items()}


def floors_key(reference: Reference, count: int) -> str:
    """Returns the name of an entry of the table of constants."""
    return f"floors of {count} against {reference.count} {reference.split}"


def compute_floors(
    reference: Reference, count: int, names: Iterable[str] = tuple(metrics.METRICS)
) -> dict[str, list[float]]:
    """Returns [mean, sd] of metrics over `FLOOR_DRAWS` draws of `count` training images.

    With the split "train" the draws come from the training images outside of the reference.
    Memorisation is 1 % by definition: its threshold is that quantile of the test images.
    """
    real = reference.real
    real.print_fn(f"measuring what {count:,} real images get, {FLOOR_DRAWS} draws, once")
    drawn = [name for name in names if name not in GROUPS["memorisation"]]
    available = real.order[reference.count if reference.split == "train" else 0 :]
    draws = []
    for draw in range(FLOOR_DRAWS):
        rng = np.random.default_rng([1, draw])
        chosen = rng.choice(available, count, replace=False)
        found = Features(*(part[chosen] for part in real.training))
        draws.append(compute(reference, found, None, drawn).values)
    table = np.array([[draw[name] for name in drawn] for draw in draws])
    rows = {
        name: [float(column.mean()), float(column.std(ddof=1))]
        for name, column in zip(drawn, table.T, strict=True)
    }
    assert real.data.test_images is not None
    share = metrics.MEMORISED_QUANTILE
    sd = np.sqrt(share * (1 - share) * (1 / count + 1 / len(real.data.test_images)))
    return rows | {name: [share, float(sd)] for name in GROUPS["memorisation"] if name in names}


def compute_thresholds(real: RealImages) -> dict[str, float]:
    """Returns the memorisation thresholds in features and in pixels."""
    assert real.data.test_images is not None
    real.print_fn("measuring how near test images are to training images, once")
    of_features, _ = metrics.nearest(real.test.features, real.training.features)
    of_pixels, _ = metrics.nearest(flatten(real.data.test_images), real.training_pixels)
    return {
        "features": metrics.memorisation_threshold(of_features),
        "pixels": metrics.memorisation_threshold(of_pixels),
    }


def cached(real: RealImages, key: str, compute: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    """Returns an entry of the table of a feature network's constants, computing it if needed.

    The package's table stands beside the weights, the user's in the cache; each version of the
    package has its own there, because it may compute otherwise.
    """
    about = real.extractor.provenance
    name = f"{about['name']}-{about['sha256'][:12]}.json"
    own = Path(platformdirs.user_cache_dir("tapegan")) / "floors" / __version__ / name
    shipped = [features.PACKAGED / f"{about['name']}.floors.json"] if about["packaged"] else []
    for path in (*shipped, own):
        table = read_constants(path)
        if key in table and table.get("sha256", about["sha256"]) == about["sha256"]:
            return table[key]
    value = compute()
    try:
        own.parent.mkdir(parents=True, exist_ok=True)
        write_json(own, {**read_constants(own), key: value})
    except OSError as error:
        real.print_fn(f"cannot write the cache {own} ({error.strerror})")
    return value


def packaged_floors(record: Mapping[str, Any]) -> dict[str, dict[str, float]]:
    """Returns the floors of an evaluation's metrics that come with the package, {} if none do.

    Args:
        record: Of evaluations.jsonl, from anybody.
    """
    about, reference = record.get("features"), record.get("reference")
    if not isinstance(about, dict) or not isinstance(reference, dict):
        return {}
    name = about.get("name")
    if not isinstance(name, str) or not re.fullmatch(r"[\w-]+", name):
        return {}
    table = read_constants(features.PACKAGED / f"{name}.floors.json")
    count, split = reference.get("num_images"), reference.get("split")
    rows = table.get(f"floors of {record.get('num_images')} against {count} {split}", {})
    if table.get("sha256") != about.get("sha256"):
        return {}
    return {metric: Floor(*row)._asdict() for metric, row in rows.items()}


def read_constants(path: Path) -> dict[str, Any]:
    """Returns the table in a file, an empty one if there is none or it is damaged."""
    try:
        table = json.loads(path.read_text())
        return table if isinstance(table, dict) else {}
    except (OSError, ValueError):
        return {}


def flatten(images: np.ndarray) -> np.ndarray:
    """Returns images [N, H, W, C] as [N, H * W * C]."""
    return images.reshape(len(images), -1)
