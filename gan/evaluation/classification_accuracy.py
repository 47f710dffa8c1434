"""Classification accuracy score: what a classifier learns from samples, tested on real images.

And what samples add to real images: a classifier that learns from both, beside one that learns from
the real ones alone for as many steps.

References:
    Ravuri and Vinyals 2019, arXiv:1905.10887.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import keras
import numpy as np

from gan.data.datasets import Labelled, with_labels
from gan.errors import UserError
from gan.evaluation import features
from gan.evaluation.features import BATCH_SIZE, Cycle
from gan.evaluation.reference import RealFeatures
from gan.models.checks import classes_of
from gan.sampling.drawing import sample

RECIPE = (Cycle(5, 2e-3, 0.4),)  # for samples and for real images alike
NETWORK = "cnn-a"


def classification_accuracy(
    generator: keras.Model, real: RealFeatures, count: int, seed: int = 0
) -> dict[str, Any]:
    """Returns how good classifiers are that learned from samples, real images, or both.

    A score is the accuracy 0..1 on the test images of a new classifier of the feature network's
    kind. "samples" learned from `count` samples of a conditional generator, "real" from as many
    training images of the same classes. "real_and_samples" learned from both together, "real_alone"
    from the training images in twice the epochs, so that what samples add is not what more steps
    add. "steps" says how many each had. `seed` is that of the noise.
    """
    classes = classes_of(generator)
    if not classes:
        raise UserError("--classification_accuracy: needs a run with --conditional")
    data = labelled(real)
    real.print_fn(f"training a classifier on {count:,} samples")
    chosen = real.order[:count]
    labels = np.resize(data.train_labels[chosen], count)  # of classes as frequent as real ones
    images = sample(generator, range(count), labels, noise_seed=seed)
    accuracy = train_and_test(images, labels, data, RECIPE)
    real.print_fn(f"training a classifier on {len(chosen):,} real images and {count:,} samples")
    accuracy_of_both = train_and_test(
        np.concatenate([data.train_images[chosen], images]),
        np.concatenate([data.train_labels[chosen], labels]),
        data,
        RECIPE,
    )
    return {
        "samples": accuracy,
        **real_accuracy(real, count),
        "real_and_samples": accuracy_of_both,
        "real_alone": real_accuracy(real, count, 2)["real"],
        "num_images": count,
        "num_real": len(chosen),
        "steps": {
            "samples": steps_of(count, RECIPE),
            "real": steps_of(len(chosen), RECIPE),
            "real_and_samples": steps_of(len(chosen) + count, RECIPE),
            "real_alone": steps_of(len(chosen), longer(2)),
        },
    }


def labelled(real: RealFeatures) -> Labelled:
    """Returns the real images with their labels."""
    data = with_labels(real.data)
    if data is None:
        raise UserError(f"--classification_accuracy: {real.dataset} has no labels of test images")
    return data


def longer(times: int = 1) -> tuple[Cycle, ...]:
    """Returns the recipe with so many times its epochs."""
    return tuple(cycle._replace(epochs=times * cycle.epochs) for cycle in RECIPE)


def steps_of(count: int, recipe: Sequence[Cycle]) -> int:
    """Returns the steps of a recipe on `count` images."""
    return sum(cycle.epochs * -(-count // BATCH_SIZE) for cycle in recipe)


def real_accuracy(real: RealFeatures, count: int, epochs: int = 1) -> dict[str, float]:
    """Returns the accuracy after learning from `count` training images, computed once.

    `epochs` is a multiple of those of the recipe.
    """

    def compute() -> dict[str, float]:
        real.print_fn(f"training a classifier on {count:,} real images, once")
        chosen, data = real.order[:count], labelled(real)
        images, labels = data.train_images[chosen], data.train_labels[chosen]
        return {"real": train_and_test(images, labels, data, longer(epochs))}

    longer_in_words = f", epochs times {epochs}" if epochs > 1 else ""
    return real.constants.cached(f"classification accuracy of {count}{longer_in_words}", compute)


def train_and_test(
    images: np.ndarray, labels: np.ndarray, data: Labelled, recipe: Sequence[Cycle]
) -> float:
    """Returns the accuracy on the test images of `data` after learning from `images`."""
    data = data._replace(train_images=images, train_labels=labels)
    _, accuracy = features.train_classifier(NETWORK, data, recipe, verbose=0)
    return accuracy


def lines_of(score: Mapping[str, Any]) -> list[str]:
    """Returns what `classification_accuracy` found, in two lines."""
    steps = score["steps"]
    return [
        f"classification accuracy score: {score['samples']:.4f}, learned from "
        f"{score['num_images']:,} samples in {steps['samples']:,} steps (from as many real images: "
        f"{score['real']:.4f})",
        f"real images and samples: {score['real_and_samples']:.4f}, learned from "
        f"{score['num_real']:,} and {score['num_images']:,} in {steps['real_and_samples']:,} steps "
        f"(from the real images alone: {score['real_alone']:.4f}, in {steps['real_alone']:,})",
    ]
