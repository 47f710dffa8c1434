"""The networks that metrics look through, and the table of them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

from gan.lazy import keras

FEATURE_DIM = 128
SMALL_SIDE, LARGE_SIDE = 40, 64  # pixels
PACKAGED = Path(__file__).parent / "weights"  # with tables of floors beside them


def cnn(
    image_shape: Sequence[int],
    classes: int,
    dropout: float = 0.0,
    *,
    width: int,
    any_side: bool = False,
) -> keras.Model:
    """Returns an untrained feature network for images [batch, H, W, C] float32 in -1..1.

    Four convolutions, two of them with stride 2, and two dense layers, with BatchNorm and ReLU;
    0.50 M parameters for width 32 and 28x28x1. `width` is that of the first convolution. With
    `any_side` no side costs much more than 32 pixels do: from `SMALL_SIDE` on another convolution
    has stride 2, and above `LARGE_SIDE` means over squares of pixels come first. It returns
    features [batch, FEATURE_DIM] after ReLU, and logits [batch, classes], float32.
    """
    layers = keras.layers
    # Explicit, because Keras' global settings must not change what a feature is.
    floats = {"dtype": "float32"}
    images = keras.Input(tuple(image_shape), dtype="float32")
    x, side, second = images, max(image_shape[:2]), 1
    if any_side and side > LARGE_SIDE:
        factor = -(-side // LARGE_SIDE)
        x = layers.AveragePooling2D(factor, data_format="channels_last", **floats)(x)
        side //= factor
    if any_side and side > SMALL_SIDE:
        second = 2
    for filters, kernel, stride in ((1, 5, 2), (2, 3, second), (2, 3, 2), (2, 3, 1)):
        x = layers.Conv2D(
            filters * width, kernel, stride, "same", "channels_last", use_bias=False, **floats
        )(x)
        x = layers.ReLU(**floats)(layers.BatchNormalization(**floats)(x))
    x = layers.Dropout(dropout, **floats)(layers.Flatten("channels_last", **floats)(x))
    x = layers.Dense(FEATURE_DIM, use_bias=False, **floats)(x)
    x = layers.BatchNormalization(**floats)(x)
    features = layers.ReLU(name="features", **floats)(x)
    x = layers.Dropout(dropout, **floats)(features)
    logits = layers.Dense(classes, name="logits", **floats)(x)
    return keras.Model(images, [features, logits])


# The second one has another width and start: nothing is tuned on it, so it can check a ranking.
NETWORKS: dict[str, Callable[..., keras.Model]] = {
    "cnn-a": partial(cnn, width=32),
    "cnn-b": partial(cnn, width=20),
}
