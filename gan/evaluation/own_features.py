"""Feature networks for data that no one has published a recipe for: folders, and no labels at all.

With classes a network learns to tell them. Without, it learns which of four rotations an image has
got: to see that, it must know what is in images, and which way up that stands. The networks are
those of feature_networks.py; the recipe has a budget, so that a folder of any size, at any side,
takes some minutes. Images are read where they lie.

References:
    Gidaris et al. 2018, arXiv:1803.07728 (rotations).
"""

from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from gan.data.datasets import Labelled, Parts, with_labels
from gan.data.digests import array_digest
from gan.data.images import to_float
from gan.evaluation import features
from gan.evaluation.features import Cycle, Extractor, shifted

ROTATIONS = 4
ROTATED = "rotations"  # the task of a network that tells these
FOLDER_NAME = "image_folder"  # what networks of folders are called, wherever these lie

BUDGET = 120_000  # images that a network is shown, in all
MOST_EPOCHS = 60
MOST_LEARNED = 40_000  # images that it is shown, each several times
MOST_TESTED = 2_000  # images that its accuracy is measured on
LEAST_OF_CLASS = 10  # training images a class, on average, or classes are no use to learn from


def load_extractor(
    source: str, network: str, parts: Parts, print_fn: Callable[[str], None]
) -> Extractor:
    """Returns the feature network of such data from the user's cache, or trained now.

    Args:
        source: What the data set is called in the network's name, `FOLDER_NAME` for folders.
        network: A key of ``feature_networks.NETWORKS``.
        parts: The images; without labels they must be square.
        print_fn: Is told in one line what takes time, and how good the network is.
    """
    labelled = learnable(parts)
    kind = network if labelled else f"{ROTATED}-{network}"

    def train() -> tuple[keras.Model, float, dict[str, Any]]:
        if labelled:
            return *train_classes(network, labelled), {"any_side": True}
        return *train_rotations(network, parts), {"any_side": True, "task": ROTATED}

    extractor = features.cached_extractor(
        features.versioned_name(source, kind), network, array_digest(*parts), train, print_fn
    )
    if labelled:
        features.tell_accuracy(extractor, labelled.test_labels, print_fn)
    else:
        tell_rotations(extractor, print_fn)
    return extractor


def learnable(parts: Parts) -> Labelled | None:
    """Returns images with classes if there are some to learn from: at least two, not too small."""
    labelled = with_labels(parts)
    if labelled is None:
        return None
    classes = len(np.unique(labelled.train_labels))
    enough = len(labelled.train_images) >= LEAST_OF_CLASS * classes
    return labelled if classes > 1 and enough else None


def tell_rotations(extractor: Extractor, print_fn: Callable[[str], None]) -> None:
    """Says how many rotations a network knows, with a warning if guessing is nearly as good."""
    accuracy, guessing = extractor.provenance["test_accuracy"], 1 / ROTATIONS
    line = (
        f"the feature network {extractor.name}, trained without labels, tells {accuracy:.2%} of "
        f"the rotations of test images (guessing: {guessing:.0%})"
    )
    if features.has_learned_little(accuracy, guessing):
        line = f"warning: {line}: metrics that look through it mean little"
    print_fn(line)


def recipe(shown: int) -> tuple[Cycle, ...]:
    """Returns the cycles of a network that is shown so many images an epoch.

    As features.RECIPE, with epochs that keep to `BUDGET`.
    """
    epochs = max(3, min(MOST_EPOCHS, BUDGET // shown))
    return Cycle(epochs - epochs // 3, 2e-3, 0.4), Cycle(epochs // 3, 1e-3, 0.1)


def chosen_images(count: int, most: int) -> np.ndarray:
    """Returns the numbers of at most so many of `count` images, a fixed draw, ascending."""
    return np.sort(np.random.default_rng(0).permutation(count)[:most])


def train_classes(network: str, data: Labelled) -> tuple[keras.Model, float]:
    """Returns a network that learned to tell the classes, and its accuracy on test images."""
    chosen = chosen_images(len(data.train_images), MOST_LEARNED)
    labels = data.train_labels.astype(np.int32)[chosen]

    def batches(number: int) -> tf.data.Dataset:
        numbers = shuffled(len(chosen), features.BATCH_SIZE, number)
        read = reader(data.train_images, chosen)
        return numbers.map(lambda i: (shifted(read(i)), tf.gather(labels, i))).prefetch(2)

    shape = (*data.train_images.shape[1:], int(data.train_labels.max()) + 1)
    steps = -(-len(chosen) // features.BATCH_SIZE)
    model, classifier = features.train_cycles(
        network, shape, recipe(len(chosen)), batches, steps, any_side=True
    )
    tested = chosen_images(len(data.test_images), MOST_TESTED)
    logits = predicted(classifier, data.test_images[tested])
    return model, float(np.mean(logits.argmax(1) == data.test_labels[tested]))


def train_rotations(network: str, parts: Parts) -> tuple[keras.Model, float]:
    """Returns a network that learned to tell rotations, and its accuracy on test images.

    Each image is shown in all four of them at once.
    """
    chosen = chosen_images(len(parts.train_images), MOST_LEARNED // ROTATIONS)
    at_once = features.BATCH_SIZE // ROTATIONS

    def batches(number: int) -> tf.data.Dataset:
        read = reader(parts.train_images, chosen)

        def rotated(i: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
            images, labels = in_all_rotations(read(i))
            return shifted(images), labels

        return shuffled(len(chosen), at_once, number).map(rotated).prefetch(2)

    shape = (*parts.train_images.shape[1:], ROTATIONS)
    model, classifier = features.train_cycles(
        network, shape, recipe(ROTATIONS * len(chosen)), batches, -(-len(chosen) // at_once),
        any_side=True,
    )  # fmt: skip
    tested = parts.test_images[chosen_images(len(parts.test_images), MOST_TESTED)]
    right = [
        predicted(classifier, np.rot90(tested, turns, (1, 2))).argmax(1) == turns
        for turns in range(ROTATIONS)
    ]
    return model, float(np.mean(right))


def in_all_rotations(images: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """Returns square images [4 n, S, S, C], those [n, ...] turned anticlockwise, and the turns."""
    turned = [tf.image.rot90(images, turns) for turns in range(ROTATIONS)]
    return tf.concat(turned, 0), tf.repeat(tf.range(ROTATIONS), tf.shape(images)[0])


def shuffled(count: int, batch: int, number: int) -> tf.data.Dataset:
    """Returns an epoch of the numbers 0 to `count` - 1, in an order of its own each time."""
    seed = features.SEED + number
    return tf.data.Dataset.range(count).shuffle(count, seed=seed).batch(batch)


def reader(images: np.ndarray, chosen: np.ndarray) -> Callable[[tf.Tensor], tf.Tensor]:
    """Returns what gets the chosen images [N, H, W, C] uint8 of some numbers, as floats in -1..1.

    Where they lie: they may be mapped from a file that is larger than the memory.
    """

    def read(numbers: tf.Tensor) -> tf.Tensor:
        found = tf.numpy_function(lambda i: images[chosen[i]], [numbers], tf.uint8)
        return to_float(tf.ensure_shape(found, [None, *images.shape[1:]]))

    return read


def predicted(classifier: keras.Model, images: np.ndarray) -> np.ndarray:
    """Returns the logits [N, classes] of images [N, H, W, C] uint8."""
    size = features.EXTRACT_BATCH
    parts = [to_float(images[start : start + size]) for start in range(0, len(images), size)]
    return np.concatenate([classifier(part, training=False) for part in parts])
