"""Classification accuracy score: what a classifier learns from samples, tested on real images.

References:
    Ravuri and Vinyals 2019, arXiv:1905.10887.
"""

import keras
import numpy as np

from gan.data.datasets import Labelled, with_labels
from gan.errors import UserError
from gan.evaluation import features
from gan.evaluation.features import Cycle
from gan.evaluation.reference import RealFeatures, cached
from gan.models.checks import classes_of
from gan.sampling.generators import sample

RECIPE = (Cycle(5, 2e-3, 0.4),)  # for samples and for real images alike
NETWORK = "cnn-a"


def classification_accuracy(
    generator: keras.Model, real: RealFeatures, count: int, seed: int = 0
) -> dict[str, float]:
    """Returns the score of a conditional generator, "samples", beside that of real images, "real".

    A new classifier of the feature network's kind learns from `count` samples, or from as many
    training images; a score is its accuracy 0..1 on the test images. `seed` is that of the noise.
    """
    classes = classes_of(generator)
    if not classes:
        raise UserError("--classification_accuracy: needs a run with --conditional")
    data = labelled(real)
    real.print_fn(f"training a classifier on {count:,} samples")
    known = np.unique(data.train_labels)  # it has learned no others
    labels = known[np.arange(count) % len(known)]
    images = sample(generator, range(count), labels, noise_seed=seed)
    accuracy = train_and_test(images, labels, data)
    return {"samples": accuracy, **real_accuracy(real, count), "num_images": count}


def labelled(real: RealFeatures) -> Labelled:
    """Returns the real images with their labels."""
    data = with_labels(real.data)
    if data is None:
        raise UserError(f"--classification_accuracy: {real.dataset} has no labels of test images")
    return data


def real_accuracy(real: RealFeatures, count: int) -> dict[str, float]:
    """Returns the accuracy after learning from `count` training images, computed once."""

    def compute() -> dict[str, float]:
        real.print_fn(f"training a classifier on {count:,} real images, once")
        chosen, data = real.order[:count], labelled(real)
        return {"real": train_and_test(data.train_images[chosen], data.train_labels[chosen], data)}

    return cached(real, f"classification accuracy of {count}", compute)


def train_and_test(images: np.ndarray, labels: np.ndarray, data: Labelled) -> float:
    """Returns the accuracy on the test images of `data` after learning from `images`."""
    data = data._replace(train_images=images, train_labels=labels)
    _, accuracy = features.train_classifier(NETWORK, data, RECIPE, verbose=0)
    return accuracy
