"""How linear a discriminator is: hidden units that have one sign for all real examples.

A LeakyReLU or ReLU whose input never changes its sign is a linear function. A discriminator with
such a layer alone has lost its depth, which happens under R1 and R2, see docs/results.md.
"""

from __future__ import annotations

from collections.abc import Iterator

import keras
import numpy as np
import tensorflow as tf

from gan.data.datasets import Dataset
from gan.data.images import to_float
from gan.data.input_pipeline import examples_at
from gan.run.config import Config

EXAMPLES = 500
AT_ONCE = 50  # examples; all activations of some are in memory
ALMOST_ALL = 0.999  # of a unit's inputs


def units_of_one_sign(
    discriminator: keras.Model, config: Config, data: Dataset
) -> list[tuple[int, int]]:
    """Returns of each LeakyReLU and ReLU how many of its inputs have one sign, and how many it has.

    One sign is that of at least `ALMOST_ALL` of a unit's inputs over `EXAMPLES` training examples.
    A unit of a convolution is a channel, at all places. Layers that a network calls more than once
    are left out.
    """
    inputs = [layer.input for layer in discriminator.layers if is_called_once(layer)]
    if not inputs:
        return []
    before = keras.Model(discriminator.inputs, inputs)
    positive = [np.zeros(x.shape[-1]) for x in inputs]
    numbers = [0] * len(inputs)
    for examples in examples_seen(config, data, with_labels=len(discriminator.inputs) == 2):
        for i, values in enumerate(keras.tree.flatten(before(examples, training=False))):
            of_units = tf.reshape(values > 0, [-1, values.shape[-1]]).numpy()
            positive[i] += of_units.sum(0)
            numbers[i] += len(of_units)
    shares = [count / number for count, number in zip(positive, numbers, strict=True)]
    return [(int(np.sum(np.maximum(x, 1 - x) >= ALMOST_ALL)), len(x)) for x in shares]


def linear_share(counts: list[tuple[int, int]]) -> float:
    """Returns the share 0..1 of the units of one sign, of the layer that has most of them."""
    return max(count / units for count, units in counts)


def is_called_once(layer: keras.layers.Layer) -> bool:
    """Tells whether a layer is a LeakyReLU or a ReLU that one network calls, once."""
    kinds = (keras.layers.LeakyReLU, keras.layers.ReLU)
    return isinstance(layer, kinds) and len(layer._inbound_nodes) == 1


def examples_seen(config: Config, data: Dataset, with_labels: bool) -> Iterator[list[tf.Tensor]]:
    """Yields what a discriminator may see: examples, and their labels if it takes some.

    They are from all over the data, which may be in the order of classes. Packed ones are alike.
    """
    places = np.linspace(0, len(data.train_images) - 1, EXAMPLES).astype(int)
    for start in range(0, EXAMPLES, AT_ONCE):
        at = places[start : start + AT_ONCE]
        if data.stack > 1:
            examples, labels = examples_at(data.train_images, at, data, config.seed)
        else:
            examples = tf.constant(data.train_images[at])
            labels = None if data.train_labels is None else data.train_labels[at]
        examples = tf.repeat(to_float(examples), config.pack, axis=-1)
        yield [examples, tf.constant(labels, tf.int32)] if with_labels else [examples]
