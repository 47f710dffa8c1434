"""Evaluation: run directory -> generator -> samples -> features -> metrics -> one record."""

from collections.abc import Callable, Collection, Sequence
from typing import Any

import keras
import numpy as np

from gan.data.datasets import Dataset
from gan.errors import UserError
from gan.evaluation.class_diversity import class_diversity
from gan.evaluation.classification_accuracy import classification_accuracy
from gan.evaluation.condition_alignment import condition_alignment
from gan.evaluation.constants import floors_of_record
from gan.evaluation.image_files import LEAST_IMAGES
from gan.evaluation.inception import evaluate as inception
from gan.evaluation.metrics.comparison import Comparison, known
from gan.evaluation.metrics.table import METRICS, applicable, check_names
from gan.evaluation.mode_coverage import MixtureModes, Modes, StackModes
from gan.evaluation.nearest import nearest_picture
from gan.evaluation.own_features import MOST_LEARNED
from gan.evaluation.records import evaluation_record, in_short, mode_record
from gan.evaluation.reference import (
    RealFeatures,
    Reference,
    incomparable,
    load_real_features,
    most_images,
    usual_images,
)
from gan.evaluation.reference import floors as floors_of
from gan.evaluation.samples import Samples
from gan.run.config import Config
from gan.sampling.drawing import labels_for_evaluation, sample_for_evaluation

# The light evaluation during training.
LIGHT_IMAGES = 2000
LIGHT_METRICS = ("fcd", "coverage", "classes")
LIGHT_STACKS = 5000


def evaluators(
    config: Config, data: Dataset, print_fn: Callable[[str], None] = lambda line: None
) -> dict[str, Callable[[keras.Model, int], dict[str, Any]]]:
    """Returns what `train` calls every `evaluate_every` steps: the light evaluation.

    Nothing for data without test images or with too few, who have nothing to compare with. Of a
    folder the records have floors, which are computed now.

    Args:
        config: Of the run.
        data: Its data set.
        print_fn: Is told in one line what takes time, and what each evaluation found.

    Raises:
        UserError: The feature network cannot be had, or `keep_best` names a metric that is not
            computed for these data.
    """
    if not config.evaluate_every:
        return {}
    if data.has_modes:
        if config.keep_best != "none":
            raise UserError(
                f"--keep_best={config.keep_best}: {config.dataset} has other metrics, valid is none"
            )
        modes = load_modes(config.dataset, data, print_fn=print_fn)
        count = modes.count if data.mixture else LIGHT_STACKS
        of_real = {name: floor._asdict() for name, floor in modes.floors(count).items()}

        def count_modes(generator: keras.Model, step: int) -> dict[str, Any]:
            record = mode_record(modes, sample_for_evaluation(generator, data, count))
            print_fn(f"{step} {in_short(record, of_real)}")
            return {"seed": 0, **record}

        return {"light": count_modes}
    if lacking := incomparable(data):
        if config.keep_best != "none":
            raise UserError(f"--keep_best={config.keep_best}: {config.dataset} {lacking}")
        print_fn(f"no evaluation while training: {config.dataset} {lacking}")
        return {}
    real = load_real_features(config.dataset, data, print_fn=print_fn)
    names, count = applicable(LIGHT_METRICS, real.has_classes), LIGHT_IMAGES
    more: dict[str, Any] = {"seed": 0}
    if data.folder:
        count = usual_images(data, "test", count)
    reference = real.reference(count=count)
    if data.folder and count <= most_images(reference):
        floors = floors_of(reference, count, names)
        more["floors"] = {name: floor._asdict() for name, floor in floors.items()}

    def light(generator: keras.Model, step: int) -> dict[str, Any]:
        images = sample_for_evaluation(generator, data, count)
        comparison = reference.compare(images)
        record = {**more, **evaluation_record(reference, comparison, names)}
        if config.conditional:
            asked = labels_for_evaluation(generator, data, count)
            add_class_diversity(record, comparison, real, asked, data.class_names)
        print_fn(f"{step} {in_short(record, floors_of_record(record))}")
        return record

    return {"light": light}


def evaluate(
    images: np.ndarray,
    reference: Reference,
    names: Collection[str] = METRICS,
    advance: Callable[[str], None] = lambda stage: None,
    asked: np.ndarray | None = None,
    class_names: Sequence[str] = (),
) -> tuple[dict[str, Any], np.ndarray | None]:
    """Returns the record of an evaluation, with floors and ideals, and a picture.

    No floors, {}, where no number of images that can be judged would have some.

    Args:
        images: [N, H, W, C] uint8, at least ``image_files.LEAST_IMAGES``; of a small folder as many
            as have floors.
        reference: What to compare with.
        names: Keys of `METRICS`; of all of them those are left out that need classes, where there
            are none.
        advance: Is told each stage that begins: features, metrics by name, floors.
        asked: [N] labels that the images were drawn for; None: for none. With them there is the
            condition alignment too, if the feature network knows these classes.
        class_names: Of the labels 0, 1, ..., where they have names.

    Returns:
        Record, and `nearest_picture` if a metric looked for copies of training images, else None.

    Raises:
        UserError: Unknown metric, one that needs classes, or too many images to have floors.
    """
    names = computable(names, reference)
    most = most_images(reference)
    has_floors = len(images) <= most or most >= LEAST_IMAGES
    if has_floors and len(images) > most:
        floors_of(reference, len(images), ())  # says so before anything is computed
    advance("features")
    comparison = reference.compare(images)
    record = evaluation_record(reference, comparison, names, advance)
    advance("floors" if has_floors else "no floors, there are too few training images to draw from")
    floors = floors_of(reference, len(images), names) if has_floors else {}
    ideals = reference.ideals(len(images), names)
    record["floors"] = {name: floor._asdict() for name, floor in floors.items()}
    record["ideals"] = ideals
    record["suspicious"] = [
        name for name, floor in floors.items()
        if METRICS[name].suspicious(record["metrics"][name], *floor)
    ]  # fmt: skip
    # A network that tells rotations has four classes too, of its own.
    test_labels = known_labels(comparison) if reference.real.has_classes else None
    if asked is not None and test_labels is not None:
        record["condition_alignment"] = condition_alignment(
            comparison.samples,
            asked,
            reference.real.test,
            test_labels,
            class_names,
        )
    if asked is not None:
        add_class_diversity(record, comparison, reference.real, asked, class_names)
    if any(METRICS[name].no_copies for name in names):
        return record, nearest_picture(comparison)
    return record, None


def add_class_diversity(
    record: dict[str, Any],
    comparison: Comparison,
    real: RealFeatures,
    asked: np.ndarray,
    class_names: Sequence[str],
) -> None:
    """Adds the diversity within classes to a record, where the test images have classes.

    That of the least diverse class is a metric.
    """
    if real.data.test_labels is None:
        return
    rows = class_diversity(
        comparison.samples.features, asked, real.test.features, real.data.test_labels, class_names
    )
    if rows:
        record["class_diversity"] = rows
        record["metrics"]["class_diversity"] = min(row["samples"] for row in rows)


def known_labels(comparison: Comparison) -> np.ndarray | None:
    """Returns the labels of the test images, None if the feature network knows other classes."""
    data = comparison.reference.data
    classes = 0 if data.train_labels is None else int(data.train_labels.max()) + 1
    return data.test_labels if comparison.samples.probabilities.shape[1:] == (classes,) else None


def computable(names: Collection[str], reference: Reference) -> tuple[str, ...]:
    """Returns the metrics `names`; of all of them those that need no classes if there are none.

    Raises:
        UserError: One is unknown, or was asked for and needs classes.
    """
    check_names(names)
    left = applicable(names, reference.real.has_classes)
    if len(left) < len(names) and set(names) != set(METRICS):
        name = next(name for name in names if name not in left)
        raise UserError(f"--metrics={name}: needs classes, which {reference.real.dataset} lacks")
    return left


def check_comparable(dataset: str, data: Dataset, network: str, split: str) -> None:
    """Refuses a data set that has too little to compare samples with, see `evaluate_samples`."""
    if data.has_modes:
        return
    if network == inception.FEATURES:
        inception.real_images(dataset, data.whole or data, split)
    elif reason := incomparable(data, split):
        raise UserError(f"--dataset={dataset}: {reason}")


def evaluate_samples(
    samples: Samples,
    names: Collection[str],
    *,
    network: str,
    split: str,
    with_accuracy: bool,
    print_fn: Callable[[str], None],
) -> tuple[dict[str, Any], np.ndarray | None]:
    """Returns the record of samples of any data set, with floors and ideals, and a picture.

    Args:
        samples: With a generator, if `with_accuracy`.
        names: Keys of `METRICS`, or of `INCEPTION_METRICS`; not looked at where modes
            are counted.
        network: A key of ``feature_networks.NETWORKS``, or ``inception.FEATURES``.
        split: "test" or "train": real images to compare with.
        with_accuracy: Whether to compute the classification accuracy score as well.
        print_fn: Is told in one line what takes time.

    Returns:
        As `evaluate`.
    """
    dataset, data, images = samples.dataset, samples.data, samples.images
    check_comparable(dataset, data, network, split)
    if data.has_modes:
        modes = load_modes(dataset, data, network, print_fn)
        return mode_record(modes, images, floors=True), None
    if network == inception.FEATURES:
        return inception.evaluate(dataset, data, images, names, split, print_fn), None
    real = load_real_features(dataset, data, network, print_fn)
    reference = real.reference(split, len(images))
    record, picture = evaluate(
        images,
        reference,
        names,
        lambda stage: print_fn(f"computing: {stage}"),
        samples.labels,
        data.class_names,
    )
    if with_accuracy:
        count, seed = len(real.data.train_images), samples.origin["seed"]
        if data.folder:
            count = min(count, MOST_LEARNED)
        record["classification_accuracy"] = classification_accuracy(
            samples.generator, real, count, seed
        )
    return record, picture


def load_modes(
    dataset: str,
    data: Dataset,
    network: str = "cnn-a",
    print_fn: Callable[[str], None] = lambda line: None,
) -> Modes:
    """Returns what counts the modes of a data set; `network` tells the digits of a stack."""
    if data.mixture:
        return MixtureModes(dataset, data, data.mixture)
    real = load_real_features(dataset.removeprefix("stacked_"), data, network, print_fn)
    return StackModes(dataset, data, known(real.data.train_labels), real.extractor)
