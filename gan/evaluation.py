"""Evaluation: run directory -> generator -> samples -> features -> metrics -> one record."""

from collections.abc import Callable, Iterable
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf

import gan
from gan import real, runs
from gan.config import Config
from gan.datasets import Dataset
from gan.drawing import image_grid
from gan.features import load as load_features
from gan.image_folder import ImageFiles
from gan.knobs import UserError
from gan.metrics import METRICS, nearest
from gan.modes import BETTER, Modes
from gan.real import Found, Reference
from gan.samples import to_judge

# The light evaluation during training.
LIGHT_IMAGES = 2000
LIGHT_METRICS = ("fcd", "coverage", "classes")
LIGHT_STACKS = 5000

NEAREST_SHOWN = 10  # samples of each kind in the picture of nearest training images


def evaluators(
    config: Config, data: Dataset, say: Callable[[str], None] = lambda line: None
) -> dict[str, Callable[[keras.Model, int], dict[str, Any]]]:
    """Returns what `train` calls every `evaluate_every` steps: the light evaluation.

    Nothing for data without labels or test images, which have nothing to compare with.

    Args:
        config: Of the run.
        data: Its data set.
        say: Is told in one line what takes time.

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
        modes = modes_of(config.dataset, data, say=say)
        count = modes.count if data.mixture else LIGHT_STACKS

        def count_modes(generator: keras.Model, step: int) -> dict[str, Any]:
            return {"seed": 0, **mode_record(modes, to_judge(generator, data, count))}

        return {"light": count_modes}
    if data.train_labels is None or data.test_labels is None:
        say(f"no evaluation while training: {config.dataset} has no labels or no test images")
        return {}
    reference = real.load(config.dataset, data, say=say).reference(count=LIGHT_IMAGES)

    def light(generator: keras.Model, step: int) -> dict[str, Any]:
        images = to_judge(generator, data, LIGHT_IMAGES)
        found = real.compute(reference, reference.real.extractor(images), images, LIGHT_METRICS)
        return {"seed": 0, **record(reference, len(images), found)}

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
    if len(images) > real.most_images(reference):
        real.floors(reference, len(images))  # says so before anything is computed
    advance("features")
    found = real.compute(reference, reference.real.extractor(images), images, names, advance)
    advance("floors")
    floors = real.floors(reference, len(images))
    ideals = reference.ideals(len(images))
    result = record(reference, len(images), found)
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
    say: Callable[[str], None] = lambda line: None,
) -> Modes:
    """Returns what counts the modes of a data set; `network` tells the digits of a stack."""
    if data.mixture:
        return Modes(dataset, data, None)
    return Modes(dataset, data, load_features(dataset.removeprefix("stacked_"), network, data, say))


def mode_record(modes: Modes, samples: np.ndarray, floors: bool = False) -> dict[str, Any]:
    """Returns the record of counting modes, if asked for with floors and ideals."""
    result = {
        "num_images": len(samples),
        "reference": {"dataset": modes.dataset},
        "features": modes.provenance,
        "tapegan": gan.__version__,
        "date": now(),
        "metrics": modes.compute(samples),
    }
    if floors:
        result["floors"] = {n: f._asdict() for n, f in modes.floors(len(samples)).items()}
        result |= {"ideals": modes.ideals(), "suspicious": []}
    return result


def check_names(names: Iterable[str]) -> None:
    """Refuses names that are no metrics.

    Raises:
        UserError: Names the metric and the valid ones.
    """
    for name in names:
        if name not in METRICS:
            raise UserError(f"--metrics={name}: must be among {', '.join(METRICS)}")


def record(reference: Reference, count: int, found: Found) -> dict[str, Any]:
    """Returns what every evaluation records: metrics and what they were computed from."""
    small = {name: x for name, x in found.extras.items() if not isinstance(x, np.ndarray)}
    return {
        "num_images": count,
        "reference": {
            "dataset": reference.real.dataset,
            "split": reference.split,
            "num_images": reference.count,
        },
        "features": reference.real.extractor.provenance,
        "tapegan": gan.__version__,
        "date": now(),
        "metrics": found.values,
        **small,
    }  # fmt: skip


def now() -> str:
    """Returns the time of a record."""
    return datetime.now(timezone.utc).isoformat(timespec="seconds")


def table(result: dict[str, Any]) -> str:
    """Returns the metrics of a record as a Markdown table with floors and ideals."""
    lines = ["| metric | value | real images (sd) | ideal | |", "| --- | --- | --- | --- | --- |"]
    for name, value in result["metrics"].items():
        floor, ideal = result["floors"][name], result["ideals"][name]
        error = result.get("kid_standard_error") if name == "kid" else None
        cells = [
            f"{name} {ARROWS[BETTER[name] if name in BETTER else METRICS[name].better]}".strip(),
            number(value) + (f" ± {number(error)}" if error is not None else ""),
            f"{number(floor['mean'])} ({number(floor['sd'])})",
            number(ideal) if ideal is not None else "",
            "suspicious" if name in result["suspicious"] else "",
        ]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


ARROWS = {"lower": "↓", "higher": "↑", "real": ""}


def number(value: float) -> str:
    """Returns a number with four significant digits; whole ones without a point."""
    return f"{value:.0f}" if value == int(value) else f"{value:.4g}"


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
    images: np.ndarray, dataset: str, data: Dataset, say: Callable[[str], None]
) -> dict[str, np.ndarray]:
    """Returns images and the training images that are nearest to them, rows by what they show.

    Nearest in pixels, and where the data set has a feature network also in features.

    Args:
        images: [n, H, W, C] uint8.
        dataset: The name of the data set.
        data: It.
        say: Is told in one line what takes time.

    Raises:
        UserError: The data set has no training images in memory, as they are.
    """
    if data.has_modes or isinstance(data.train_images, ImageFiles):
        raise UserError(f"--nearest: {dataset} has no training images in memory to compare with")
    training = data.train_images
    _, indices = nearest(real.flat(images), real.flat(training))
    rows = {"samples": images, "nearest in pixels": training[indices]}
    if data.train_labels is not None and data.test_labels is not None:
        seen = real.load(dataset, data, say=say)
        _, indices = nearest(seen.extractor(images).features, seen.training.features)
        rows["nearest in features"] = training[indices]
    return rows


def write_tensorboard(run_dir: Path, step: int, prefix: str, values: dict[str, float]) -> None:
    """Adds scalars named ``eval/PREFIX_METRIC``, or ``eval/METRIC``, to a run's TensorBoard.

    Raises:
        UserError: It cannot be written.
    """
    directory = run_dir / runs.TENSORBOARD_DIR
    try:
        writer = tf.summary.create_file_writer(str(directory))
        with writer.as_default(step):
            for name, value in values.items():
                tf.summary.scalar(f"eval/{prefix}_{name}" if prefix else f"eval/{name}", value)
        writer.close()
    except tf.errors.OpError as error:
        raise UserError(f"{directory}: cannot be written ({type(error).__name__})") from None
