"""How often the head of a discriminator names the class of an image."""

import keras
import numpy as np
import tensorflow as tf

from gan.data.images import to_float

AT_ONCE = 500  # images that a head looks at


def head_accuracy(discriminator: keras.Model, images: np.ndarray, labels: np.ndarray) -> float:
    """Returns the share 0..1 of images [N, H, W, C] uint8 whose label the head of D names."""
    right = 0
    for start in range(0, len(images), AT_ONCE):
        part = slice(start, start + AT_ONCE)
        floats = to_float(tf.constant(images[part]))
        _, head = keras.tree.flatten(discriminator(floats, training=False))
        right += int(np.sum(np.argmax(head.numpy(), 1) == labels[part]))
    return right / len(images)
