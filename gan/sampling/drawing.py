"""The images that generators draw: of seeds, and for evaluations."""

from numbers import Real

import keras
import numpy as np

from gan.data.datasets import Dataset
from gan.data.images import to_stored
from gan.errors import UserError
from gan.models.checks import check_images, classes_of
from gan.run.forks import refuse_fork
from gan.sampling.latents import Numbers, latents_of, truncate

SAMPLE_BATCH = 500
POINTS_SHOWN = 2500  # of each kind, in the picture of a data set of points
CLASS_ROWS = 10  # most rows of a class-conditional grid, spread over all classes


def sample(
    generator: keras.Model,
    seeds: Numbers,
    labels: Numbers | None = None,
    truncation: float = 0.0,
    *,
    noise_seed: int = 0,
) -> np.ndarray:
    """Returns images [len(seeds), H, W, C] uint8, or points [len(seeds), D] float32.

    A seed always gives the same image.

    Args:
        generator: What ``gan.load`` returns.
        seeds: Numbers from 0 on, such as ``range(64)``.
        labels: Classes, one a seed, of a conditional generator; None: ``seed % classes``.
        truncation: Bound of the latents' entries: fewer odd images, less diversity; 0: none.
        noise_seed: 0..2**31-1; another one gives other images for the same seeds.

    Raises:
        UserError: A seed, label or bound is out of range, or there are no seeds.
    """
    refuse_fork()
    if not isinstance(generator, keras.Model):
        kind = type(generator).__name__
        raise UserError(f"generator: is {kind}, must be a Keras model, as gan.load returns")
    if len(generator.inputs[0].shape) != 2:
        takes = list(generator.inputs[0].shape)[1:]
        raise UserError(f"generator: takes images {takes}, must take latents [batch, n]")
    numbers, classes = np.asarray(seeds), classes_of(generator)
    check_range("generator", generator)
    whole = numbers.ndim == 1 and numbers.size and np.issubdtype(numbers.dtype, np.integer)
    if not whole or numbers.min() < 0:
        raise UserError("seeds: must be a list of whole numbers from 0 on, at least one")
    if not isinstance(truncation, Real) or not 0 <= truncation < np.inf:
        raise UserError(f"truncation={truncation!r}: must be a number at least 0")
    classes_drawn = numbers % max(1, classes) if labels is None else np.asarray(labels)
    if labels is not None and not classes:
        raise UserError("labels: are for conditional generators only")
    inside = not classes or bool(np.all(np.isin(classes_drawn, np.arange(classes))))
    if classes_drawn.shape != numbers.shape or not inside:
        raise UserError(f"labels: must be one in 0..{classes - 1} for each seed")
    latents = latents_of(numbers, generator.inputs[0].shape[-1], noise_seed)
    if truncation:
        latents = truncate(latents, truncation)
    return draw(generator, latents, classes_drawn)


def check_range(name: str, generator: keras.Model) -> list[str]:
    """Refuses a generator whose images are not in -1..1, returns doubts; points are not looked at.

    Raises:
        UserError: Its images lie in 0..1, or far outside.
    """
    return check_images(name, generator) if len(generator.output_shape) == 4 else []


def sample_for_evaluation(
    generator: keras.Model, data: Dataset, count: int, noise_seed: int = 0
) -> np.ndarray:
    """Returns the images of the seeds 0 to `count` - 1 that evaluations look at.

    Conditional generators draw classes as often as they are among the training images, as real
    images have them, and not equally often.

    References:
        Karras et al. 2020, arXiv:2006.06676: their evaluations draw labels from the data set.
    """
    latents = latents_of(np.arange(count), generator.inputs[0].shape[-1], noise_seed)
    return draw(generator, latents, labels_for_evaluation(generator, data, count, noise_seed))


def labels_for_evaluation(
    generator: keras.Model, data: Dataset, count: int, noise_seed: int = 0
) -> np.ndarray:
    """Returns the labels [count] integers of `sample_for_evaluation`, 0 if not conditional.

    As frequent as in all data, with which metrics compare; a choice of few images is balanced.
    """
    classes = classes_of(generator)
    if classes == data.classes > 0:
        return (data.whole or data).random_labels(count, noise_seed)
    return np.arange(count) % max(1, classes)


def draw(generator: keras.Model, latents: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Returns what a generator makes of latents [n, latent_dim], as data sets store it.

    `labels` [n] integers are for conditional generators; others do not look at them.
    """
    conditional, parts = len(generator.inputs) == 2, []
    for start in range(0, len(latents), SAMPLE_BATCH):
        part = slice(start, start + SAMPLE_BATCH)
        inputs = [latents[part], labels[part].astype(np.int32)] if conditional else latents[part]
        parts.append(to_stored(generator(inputs, training=False)))
    return np.concatenate(parts)


def shown_classes(generator: keras.Model) -> np.ndarray:
    """Returns the classes that get a row, [rows] integers; none if it is not conditional."""
    classes = classes_of(generator)
    spread = np.linspace(0, classes - 1, CLASS_ROWS if classes else 0)
    return np.unique(spread.round().astype(int))
