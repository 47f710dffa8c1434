"""Evaluation: run directory -> generator -> samples -> features -> metrics -> one record."""

from collections.abc import Callable, Iterable
from typing import Any

import keras
import numpy as np

from gan.data.datasets import Dataset
from gan.data.image_folder import ImageFiles
from gan.data.images import image_grid
from gan.errors import UserError
from gan.evaluation.features import load_extractor
from gan.evaluation.metrics import METRICS, nearest
from gan.evaluation.mode_coverage import Modes
from gan.evaluation.records import evaluation_record, mode_record
from gan.evaluation.reference import (
    Found,
    Reference,
    compute,
    flatten,
    load_real_images,
    most_images,
)
from gan.evaluation.reference import floors as floors_of
from gan.run.config import Config
from gan.sampling.generators import sample_for_evaluation

# The light evaluation during training.
LIGHT_IMAGES = 2000
LIGHT_METRICS = ("fcd", "coverage", "classes")
LIGHT_STACKS = 5000

NEAREST_SHOWN = 10  # samples of each kind in the picture of nearest training images


def evaluators(
    config: Config, data: Dataset, print_fn: Callable[[str], None] = lambda line: None
) -> dict[str, Callable[[keras.Model, int], dict[str, Any]]]:
    """Returns what `train` calls every `evaluate_every` steps: the light evaluation.

    Nothing for data without labels or test images, which have nothing to compare with.

    Args:
        config: Of the run.
        data: Its data set.
        print_fn: Is told in one line what takes time.

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
        modes = modes_of(config.dataset, data, print_fn=print_fn)
        count = modes.count if data.mixture else LIGHT_STACKS

        def count_modes(generator: keras.Model, step: int) -> dict[str, Any]:
            return {"seed": 0, **mode_record(modes, sample_for_evaluation(generator, data, count))}

        return {"light": count_modes}
    if data.train_labels is None or data.test_labels is None:
        print_fn(f"no evaluation while training: {config.dataset} has no labels or no test images")
        return {}
    reference = load_real_images(config.dataset, data, print_fn=print_fn).reference(
        count=LIGHT_IMAGES
    )

    def light(generator: keras.Model, step: int) -> dict[str, Any]:
        images = sample_for_evaluation(generator, data, LIGHT_IMAGES)
        found = compute(reference, reference.real.extractor(images), images, LIGHT_METRICS)
        return {"seed": 0, **evaluation_record(reference, len(images), found)}

    return {"light": light}


def evaluate(
    images: np.ndarray,
    reference: Reference,
    names: Iterable[str] = tuple(METRICS),
    advance: Callable[[str], None] = lambda stage: None,
) -> tuple[dict[str, Any], Found]:
    """Returns the record of an evaluation, with floors and ideals, and what was found.

    Args:
        images: [N, H, W, C] uint8, at least ``foreign.LEAST_IMAGES``.
        reference: What to compare with.
        names: Keys of `METRICS`.
        advance: Is told each stage that begins.

    Raises:
        UserError: Unknown metric.
    """
    names = list(names)
    check_names(names)
    if len(images) > most_images(reference):
        floors_of(reference, len(images))  # says so before anything is computed
    advance("features")
    found = compute(reference, reference.real.extractor(images), images, names, advance)
    advance("floors")
    floors = floors_of(reference, len(images))
    ideals = reference.ideals(len(images))
    result = evaluation_record(reference, len(images), found)
    result["floors"] = {name: floors[name]._asdict() for name in names}
    result["ideals"] = {name: ideals[name] if np.isfinite(ideals[name]) else None for name in names}
    result["suspicious"] = [
        name for name in names if METRICS[name].suspicious(found.values[name], *floors[name])
    ]
    return result, found


def modes_of(
    dataset: str,
    data: Dataset,
    network: str = "cnn-a",
    print_fn: Callable[[str], None] = lambda line: None,
) -> Modes:
    """Returns what counts the modes of a data set; `network` tells the digits of a stack."""
    if data.mixture:
        return Modes(dataset, data, None)
    return Modes(
        dataset, data, load_extractor(dataset.removeprefix("stacked_"), network, data, print_fn)
    )


def check_names(names: Iterable[str]) -> None:
    """Refuses names that are no metrics.

    Raises:
        UserError: Names the metric and the valid ones.
    """
    for name in names:
        if name not in METRICS:
            raise UserError(f"--metrics={name}: must be among {', '.join(METRICS)}")


def nearest_picture(
    images: np.ndarray, training_images: np.ndarray, found: Found
) -> np.ndarray | None:
    """Returns samples above their nearest training images, None if those were not looked for.

    Three rows: samples, nearest in features, nearest in pixels. The first ten columns are the first
    ten samples, the others the ten that are nearest to a training image in features.
    """
    if "nearest_in_features" not in found.extras:
        return None
    closest = np.argsort(found.extras["distances_in_features"])[:NEAREST_SHOWN]
    shown = np.concatenate([np.arange(NEAREST_SHOWN), closest])
    rows = [images[shown]]
    for space in ("features", "pixels"):
        rows.append(training_images[found.extras[f"nearest_in_{space}"][shown]])
    return image_grid(np.concatenate(rows), 2 * NEAREST_SHOWN)


def with_nearest(
    images: np.ndarray, dataset: str, data: Dataset, print_fn: Callable[[str], None]
) -> dict[str, np.ndarray]:
    """Returns images and the training images that are nearest to them, rows by what they show.

    Nearest in pixels, and where the data set has a feature network also in features.

    Args:
        images: [n, H, W, C] uint8.
        dataset: The name of the data set.
        data: It.
        print_fn: Is told in one line what takes time.

    Raises:
        UserError: The data set has no training images in memory, as they are.
    """
    if data.has_modes or isinstance(data.train_images, ImageFiles):
        raise UserError(f"--nearest: {dataset} has no training images in memory to compare with")
    training = data.train_images
    _, indices = nearest(flatten(images), flatten(training))
    rows = {"samples": images, "nearest in pixels": training[indices]}
    if data.train_labels is not None and data.test_labels is not None:
        seen = load_real_images(dataset, data, print_fn=print_fn)
        _, indices = nearest(seen.extractor(images).features, seen.training.features)
        rows["nearest in features"] = training[indices]
    return rows
