"""Classification accuracy score: what a classifier learns from samples, tested on real images.

References:
    Ravuri and Vinyals 2019, arXiv:1905.10887.
"""

import keras
import numpy as np

from gan.data.datasets import Dataset
from gan.errors import UserError
from gan.evaluation import features
from gan.evaluation.features import Cycle
from gan.evaluation.reference import RealImages, cached
from gan.sampling.generators import classes_of, sample

RECIPE = (Cycle(5, 2e-3, 0.4),)  # for samples and for real images alike
NETWORK = "cnn-a"


def classification_accuracy(
    generator: keras.Model, real: RealImages, count: int, seed: int = 0
) -> dict[str, float]:
    """Returns the score of a conditional generator beside that of real images.

    The classifier is a new one of the feature network's kind, trained on as many images of each
    class.

    Args:
        generator: From [latents, labels] to images.
        real: With test images, and with training images for the comparison.
        count: Samples, and training images at most, to learn from.
        seed: Of the noise.

    Returns:
        samples: Accuracy 0..1 on the test images after learning from samples.
        real: The same after learning from `count` training images.
        num_images: `count`.

    Raises:
        UserError: The generator is not conditional.
    """
    classes = classes_of(generator)
    if not classes:
        raise UserError("--classification_accuracy: needs a run with --conditional")
    real.print_fn(f"training a classifier on {count:,} samples")
    labels = np.arange(count) % classes
    of_samples = learned(sample(generator, range(count), noise_seed=seed), labels, real.data)
    return {"samples": of_samples, **of_real(real, count), "num_images": count}


def of_real(real: RealImages, count: int) -> dict[str, float]:
    """Returns the accuracy after learning from `count` training images, computed once."""

    def compute() -> dict[str, float]:
        real.print_fn(f"training a classifier on {count:,} real images, once")
        chosen = real.order[:count]
        labels = real.data.train_labels
        assert labels is not None
        return {"real": learned(real.data.train_array[chosen], labels[chosen], real.data)}

    return cached(real, f"classification accuracy of {count}", compute)


def learned(images: np.ndarray, labels: np.ndarray, data: Dataset) -> float:
    """Returns the accuracy on the test images after learning from `images`."""
    learning = data._replace(train_images=images, train_labels=labels)
    _, accuracy = features.train_classifier(NETWORK, learning, RECIPE, verbose=0)
    return accuracy
