"""Features of images: small classifiers, trained once, with a version, that metrics look through.

Inception's features mean little on digits, so each data set has classifiers of its own. Those of
MNIST and Fashion-MNIST are part of the package, checked by SHA-256, so that numbers stay comparable
between machines and years. For another labelled data set one is trained and kept in the user's
cache.
"""

import contextlib
import functools
import hashlib
import json
import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import keras
import numpy as np
import tensorflow as tf

from gan.data import sources
from gan.data.datasets import Dataset, Labelled
from gan.data.digests import array_digest
from gan.data.formats import NAMES, open_npz
from gan.data.images import to_float
from gan.data.sources import one_line
from gan.errors import UserError
from gan.evaluation import feature_networks
from gan.evaluation.feature_networks import NETWORKS
from gan.evaluation.metrics.comparison import Features
from gan.run.atomic_files import replacing
from gan.run.cache import alone, cache_directory
from gan.run.files import sha256

VERSION = 1  # of networks and recipe; a change of either makes all numbers incomparable

BATCH_SIZE, WEIGHT_DECAY = 256, 0.02
MAX_SHIFT = 2  # pixels in each direction; the only augmentation
SEED = 0


class Cycle(NamedTuple):
    """A part of the recipe: AdamW with cosine decay to 0, started afresh."""

    epochs: int
    learning_rate: float
    dropout: float


# One cycle is enough for MNIST. With that much dropout Fashion-MNIST is underfitted (training
# accuracy 92.9 %), hence two more with less; other data are taken to be as difficult.
RECIPES: dict[str, tuple[Cycle, ...]] = {"mnist": (Cycle(20, 2e-3, 0.4),)}
RECIPE = (Cycle(20, 2e-3, 0.4), Cycle(8, 1e-3, 0.1), Cycle(8, 1e-3, 0.1))

LEARNED = 1 / 3  # of the way from guessing to knowing all; below it a network has learned little

MOST_WEIGHTS = 2**28  # bytes of a network's weights; ours have a few MB
EXTRACT_BATCH = 250  # images at once; what a feature is does not depend on it

# SHA-256 of the weight files in the package.
DIGESTS: dict[str, str] = {
    "mnist-cnn-a-v1": "558764ea985b459e0141afd046fdae88096fb4023c7f6f9b6dd9e4f3fce20191",
    "mnist-cnn-b-v1": "b782475e022405fe83f026d44233405e05a32ab0d9e7fc87b79fd60a81f7ee53",
    "fashion_mnist-cnn-a-v1": "851a92ea15090850f819cab0f31c57cc638dcd0a5241bbfe2c2a54dbb56b275f",
}


class Extractor(NamedTuple):
    """A trained feature network and where it comes from."""

    name: str  # such as mnist-cnn-a-v1
    model: keras.Model  # float32 images in -1..1 to (features, logits)
    provenance: dict[str, Any]  # name, SHA-256 of the weights, test accuracy, packaged or not

    def __call__(self, images: np.ndarray) -> Features:
        """Returns the features of images [N, H, W, C] uint8."""
        model = compiled(self.model)
        parts = [
            model(to_float(images[start : start + EXTRACT_BATCH]))
            for start in range(0, len(images), EXTRACT_BATCH)
        ]
        features, logits = (np.concatenate([part[i] for part in parts]) for i in range(2))
        return Features(features, tf.nn.softmax(logits).numpy())


@functools.lru_cache(maxsize=2)
def compiled(model: keras.Model) -> Callable[[tf.Tensor], tuple[tf.Tensor, tf.Tensor]]:
    """Returns a network as one graph for batches of any size: a third faster than op by op."""
    shape = tf.TensorSpec(model.input_shape, tf.float32)
    return tf.function(functools.partial(model, training=False), input_signature=[shape])


def versioned_name(dataset: str, network: str) -> str:
    """Returns the full name of a feature network, such as mnist-cnn-a-v1."""
    return f"{dataset}-{network}-v{VERSION}"


def load_extractor(
    dataset: str,
    network: str,
    data: Dataset,
    print_fn: Callable[[str], None] = lambda line: None,
) -> Extractor:
    """Returns the feature network of a data set: from the package, the cache, or trained now.

    The package's is for the very images and labels that it was trained and tested on, whatever a
    data set is called; others are found by the digest of theirs. `print_fn` is told how good one is
    that does not come with the package.

    Raises:
        UserError: The data set has no labels, or the package's file is damaged.
    """
    labelled = data.labelled
    if labelled is None:
        raise UserError(
            f"--dataset={dataset}: has no labels or no test images, "
            "so no feature network can be trained for it"
        )
    name = versioned_name(dataset, network)
    if name in DIGESTS and is_original(dataset, labelled):
        path = feature_networks.PACKAGED / f"{name}.npz"
        if not path.exists() or sha256(path) != DIGESTS[name]:
            raise UserError(f"{path}: is missing or damaged, install tapegan again")
        return read_weights(path, name, network, packaged=True)
    extractor = own_extractor(dataset, network, labelled, print_fn)
    tell_accuracy(extractor, labelled.test_labels, print_fn)
    return extractor


def is_original(dataset: str, data: Labelled) -> bool:
    """Tells whether images and labels are those of a row of ``sources.ROWS``, bit for bit."""
    originals = sources.ROWS[dataset].digests
    for name, array in zip(NAMES, data, strict=True):
        if array.dtype != np.uint8:  # labels may have another type
            if array.min() < 0 or array.max() > 255:
                return False
            array = array.astype(np.uint8)
        if hashlib.sha256(np.ascontiguousarray(array).data).hexdigest() != originals[name]:
            return False
    return True


def own_extractor(
    dataset: str, network: str, data: Labelled, print_fn: Callable[[str], None]
) -> Extractor:
    """Returns a feature network from the user's cache, trained now if it is not there."""
    recipe = RECIPES.get(dataset, RECIPE)
    return cached_extractor(
        versioned_name(dataset, network),
        network,
        array_digest(*data),
        lambda: train_classifier(network, data, recipe, verbose=0),
        print_fn,
    )


def cached_extractor(
    name: str,
    network: str,
    digest: str,
    train: Callable[[], tuple[Any, ...]],
    print_fn: Callable[[str], None],
) -> Extractor:
    """Returns a feature network from the user's cache, or what `train` returns now.

    Args:
        name: Of the network with its version.
        network: A key of ``feature_networks.NETWORKS``.
        digest: Of the data that it is for.
        train: Returns the arguments of `write_weights` after the path.
        print_fn: Is told in one line what takes time.
    """
    path = cache_directory() / "features" / f"{name}-{digest[:12]}.npz"

    def found(say: Callable[[str], None]) -> Extractor | None:
        if not path.exists():
            return None
        try:
            return read_weights(path, name, network, packaged=False)
        except UserError as error:
            say(f"{path} is damaged and will be replaced ({one_line(error)})")
            return None

    if extractor := found(lambda line: None):
        return extractor
    wait = f"another process trains the feature network {name}; waiting for it"
    with contextlib.ExitStack() as stack:
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            tempfile.TemporaryFile(dir=path.parent).close()  # found out before the training
        except OSError as error:
            raise UserError(f"{path}: cannot be written ({error.strerror})") from None
        # Two processes would train two networks, whose numbers cannot be compared.
        with contextlib.suppress(OSError):  # a file system without locks
            stack.enter_context(alone(path.with_suffix(".lock"), lambda: print_fn(wait)))
        if extractor := found(print_fn):
            return extractor
        print_fn(f"training the feature network {name}, once")
        write_weights(path, *train())
        return read_weights(path, name, network, packaged=False)


def tell_accuracy(
    extractor: Extractor, test_labels: np.ndarray, print_fn: Callable[[str], None]
) -> None:
    """Says how many test images a network knows, with a warning if guessing is nearly as good."""
    accuracy = extractor.provenance["test_accuracy"]
    guessing = float(np.bincount(test_labels).max() / len(test_labels))
    line = f"the feature network {extractor.name} has a test accuracy of {accuracy:.2%}"
    if has_learned_little(accuracy, guessing):
        line = (
            f"warning: {line}, where naming the commonest class has {guessing:.2%}: metrics that "
            "look through it mean little; do the labels belong to the images?"
        )
    print_fn(line)


def has_learned_little(accuracy: float, guessing: float) -> bool:
    """Tells whether an accuracy 0..1 is hardly better than that of guessing."""
    return accuracy < guessing + LEARNED * (1 - guessing)


def train_classifier(
    network: str, data: Labelled, recipe: Sequence[Cycle] = RECIPE, verbose: str | int = "auto"
) -> tuple[keras.Model, float]:
    """Returns a feature network trained by a recipe, and its accuracy 0..1 on the test images.

    Cycles follow each other, each from the weights that the one before left. The test images only
    measure the result.
    """
    images, labels = data.train_images, data.train_labels.astype(np.int32)

    def batches(number: int) -> tf.data.Dataset:
        dataset = tf.data.Dataset.from_tensor_slices((images, labels))
        dataset = dataset.shuffle(len(images), seed=SEED + number).batch(BATCH_SIZE)
        return dataset.map(lambda x, y: (shifted(to_float(x)), y)).prefetch(2)

    shape = (*images.shape[1:], int(labels.max()) + 1)
    steps = -(-len(images) // BATCH_SIZE)
    model, classifier = train_cycles(network, shape, recipe, batches, steps, verbose)
    logits = classifier.predict(to_float(data.test_images), EXTRACT_BATCH, verbose=0)
    return model, float(np.mean(logits.argmax(1) == data.test_labels))


def train_cycles(
    network: str,
    shape: Sequence[int],
    recipe: Sequence[Cycle],
    batches: Callable[[int], tf.data.Dataset],
    steps_per_epoch: int,
    verbose: str | int = 0,
    **options: Any,
) -> tuple[keras.Model, keras.Model]:
    """Returns a feature network trained by a recipe, and the classifier in it, to logits.

    Args:
        network: A key of ``feature_networks.NETWORKS``, see there.
        shape: (H, W, C, classes).
        recipe: Its cycles.
        batches: From the number of a cycle to an epoch of (images in -1..1, labels).
        steps_per_epoch: Batches in it.
        verbose: Of Keras.
        **options: Of the network.
    """
    weights = None
    for number, cycle in enumerate(recipe):
        keras.utils.set_random_seed(SEED + list(NETWORKS).index(network) + number)
        model = NETWORKS[network](shape[:-1], shape[-1], cycle.dropout, **options)
        if weights:
            model.set_weights(weights)
        steps = cycle.epochs * steps_per_epoch
        schedule = keras.optimizers.schedules.CosineDecay(cycle.learning_rate, steps)
        classifier = keras.Model(model.inputs, model.outputs[1])
        classifier.compile(
            keras.optimizers.AdamW(schedule, weight_decay=WEIGHT_DECAY),
            keras.losses.SparseCategoricalCrossentropy(from_logits=True),
            metrics=["accuracy"],
            jit_compile=False,  # XLA's convolutions are several times slower on CPUs
        )
        classifier.fit(batches(number), epochs=cycle.epochs, shuffle=False, verbose=verbose)
        weights = model.get_weights()
    return model, classifier


def shifted(images: tf.Tensor) -> tf.Tensor:
    """Returns images [batch, H, W, C], each moved by up to `MAX_SHIFT` pixels; -1 moves in."""
    batch, height, width = tf.shape(images)[0], images.shape[1], images.shape[2]
    edge = [MAX_SHIFT, MAX_SHIFT]
    padded = tf.pad(images, [[0, 0], edge, edge, [0, 0]], constant_values=-1.0)
    for axis, size in ((1, height), (2, width)):
        first = tf.random.uniform([batch, 1], 0, 2 * MAX_SHIFT + 1, tf.int32)
        padded = tf.gather(padded, first + tf.range(size), axis=axis, batch_dims=1)
    return padded


def write_weights(
    path: Path, model: keras.Model, accuracy: float, more: Mapping[str, Any] | None = None
) -> None:
    """Writes weights [in Keras' order], image shape, number of classes and accuracy as npz.

    `more` may say what else there is to know: "task", if the network tells no classes of the data,
    and "any_side", see ``feature_networks.cnn``.
    """
    about = {
        "image_shape": model.input_shape[1:],
        "classes": model.output_shape[1][-1],
        "test_accuracy": accuracy,
        **(more or {}),
    }
    weights = {f"weight_{i:02d}": weight for i, weight in enumerate(model.get_weights())}
    with replacing(path) as temporary:
        np.savez(temporary, about=np.array(json.dumps(about)), **weights)


def read_weights(path: Path, name: str, network: str, packaged: bool) -> Extractor:
    """Returns the network of a file that `write_weights` made. Never unpickles."""
    try:
        with open_npz(path, MOST_WEIGHTS) as file:
            about = json.loads(str(file["about"]))
            weights = [file[key] for key in sorted(file.files) if key.startswith("weight_")]
        options = {"any_side": True} if about.get("any_side") else {}
        model = NETWORKS[network](about["image_shape"], about["classes"], **options)
        model.set_weights(weights)
        accuracy = float(about["test_accuracy"])
    except Exception as error:  # damage has many faces, see numpy.load, zipfile and keras
        reason = one_line(error)[:200]
        raise UserError(
            f"{path}: must be weights of {network}, cannot be read ({reason})"
        ) from None
    provenance = {
        "name": name,
        "sha256": sha256(path),
        "test_accuracy": accuracy,
        "packaged": packaged,
    }
    if "task" in about:
        provenance["task"] = str(about["task"])
    return Extractor(name, model, provenance)
