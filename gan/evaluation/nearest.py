"""Samples beside the training images that are nearest to them."""

from collections.abc import Callable

import numpy as np

from gan.data.datasets import Dataset
from gan.data.images import image_grid
from gan.errors import UserError
from gan.evaluation.metrics.comparison import Comparison
from gan.evaluation.metrics.distances import nearest, nearest_images
from gan.evaluation.reference import lacking, load_real_features

SHOWN = 10  # samples of each kind in the picture


def nearest_picture(comparison: Comparison) -> np.ndarray:
    """Returns samples above their nearest training images, in features and in pixels.

    The first ten columns are the first ten samples, the others the ten that are nearest to a
    training image in features.
    """
    distances, in_features = comparison.nearest_in_features
    _, in_pixels = comparison.nearest_in_pixels
    columns = np.concatenate([np.arange(SHOWN), np.argsort(distances)[:SHOWN]])
    training_images = comparison.reference.learned
    rows = [
        comparison.images[columns],
        training_images[in_features[columns]],
        training_images[in_pixels[columns]],
    ]
    return image_grid(np.concatenate(rows), 2 * SHOWN)


def nearest_rows(
    images: np.ndarray, dataset: str, data: Dataset, print_fn: Callable[[str], None]
) -> dict[str, np.ndarray]:
    """Returns images [n, H, W, C] uint8 and the training images nearest to them, rows by title.

    Nearest in pixels, and where the data set has a feature network also in features.
    """
    if data.has_modes:
        raise UserError(f"--nearest: {dataset} has no training images to compare with")
    training_images = data.train_images
    _, indices = nearest_images(images, training_images)
    rows = {"samples": images, "nearest in pixels": training_images[indices]}
    if not lacking(data):
        real = load_real_features(dataset, data, print_fn=print_fn)
        _, indices = nearest(real.extractor(images).features, real.training_learned.features)
        rows["nearest in features"] = training_images[indices]
    return rows
