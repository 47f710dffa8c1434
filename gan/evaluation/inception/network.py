"""Inception-2015-12-05: the network that the Fréchet Inception distance looks through.

References:
    Szegedy et al. 2015, arXiv:1512.00567. TensorFlow's graph of 5 December 2015 differs: average
    pools leave the padding out, and in the last block a maximum pool stands in place of one.
"""

from __future__ import annotations

import zipfile
from typing import Any, BinaryIO

from gan.lazy import keras, np

SIDE = 299  # pixels that every image is resized to
FEATURE_DIM = 2048
CONVOLUTIONS = 94
CONVOLUTION = "convolution_{}"  # the name of a layer, by number
STORAGE = "out_jit_module/data/{}"  # in a TorchScript archive: the bytes of an array, by number
EPSILON = 1e-3  # of BatchNorm, which has no scale here


def network() -> keras.Model:
    """Returns the network without its weights: [batch, 299, 299, 3] to features [batch, 2048].

    float32 in -1..1 to float32 from 0; 21.8 M parameters. The convolutions are numbered in the
    order in which TorchScript stores their weights; BatchNorm is part of them.
    """
    made = 0

    def conv(
        x: Any,
        filters: int,
        size: int | tuple[int, int],
        stride: int = 1,
        padding: str = "same",
        activation: str | None = "relu",
    ) -> Any:
        nonlocal made
        name, made = CONVOLUTION.format(made), made + 1
        return keras.layers.Conv2D(
            filters, size, stride, padding, "channels_last",
            activation=activation, dtype="float32", name=name,
        )(x)  # fmt: skip

    def shrink(x: Any) -> Any:
        return keras.layers.MaxPooling2D(3, 2, "valid", "channels_last", dtype="float32")(x)

    def mean(x: Any, filters: int) -> Any:
        # The pool comes first in the paper. Both are linear, so the order does not matter, and
        # fewer channels are averaged here.
        x = conv(x, filters, 1, activation=None)
        x = keras.layers.AveragePooling2D(3, 1, "same", "channels_last", dtype="float32")(x)
        return keras.layers.ReLU(dtype="float32")(x)

    def maximum(x: Any, filters: int) -> Any:
        x = keras.layers.MaxPooling2D(3, 1, "same", "channels_last", dtype="float32")(x)
        return conv(x, filters, 1)

    def join(*parts: Any) -> Any:
        return keras.layers.Concatenate(-1, dtype="float32")(parts)

    x = images = keras.Input((SIDE, SIDE, 3), dtype="float32")
    x = conv(x, 32, 3, 2, "valid")
    x = conv(x, 32, 3, 1, "valid")
    x = shrink(conv(x, 64, 3))
    x = conv(x, 80, 1)
    x = shrink(conv(x, 192, 3, 1, "valid"))

    for filters in (32, 64, 64):  # 35x35
        a = conv(x, 64, 1)
        b = conv(conv(x, 48, 1), 64, 5)
        c = conv(conv(conv(x, 64, 1), 96, 3), 96, 3)
        x = join(a, b, c, mean(x, filters))

    a = conv(x, 384, 3, 2, "valid")
    b = conv(conv(conv(x, 64, 1), 96, 3), 96, 3, 2, "valid")
    x = join(a, b, shrink(x))

    for filters in (128, 160, 160, 192):  # 17x17
        a = conv(x, 192, 1)
        b = conv(conv(conv(x, filters, 1), filters, (1, 7)), 192, (7, 1))
        c = conv(conv(conv(x, filters, 1), filters, (7, 1)), filters, (1, 7))
        c = conv(conv(c, filters, (7, 1)), 192, (1, 7))
        x = join(a, b, c, mean(x, 192))

    a = conv(conv(x, 192, 1), 320, 3, 2, "valid")
    b = conv(conv(conv(x, 192, 1), 192, (1, 7)), 192, (7, 1))
    x = join(a, conv(b, 192, 3, 2, "valid"), shrink(x))

    for pool in (mean, maximum):  # 8x8
        a = conv(x, 320, 1)
        b = conv(x, 384, 1)
        b = join(conv(b, 384, (1, 3)), conv(b, 384, (3, 1)))
        c = conv(conv(x, 448, 1), 384, 3)
        c = join(conv(c, 384, (1, 3)), conv(c, 384, (3, 1)))
        x = join(a, b, c, pool(x, 192))

    features = keras.layers.GlobalAveragePooling2D("channels_last", dtype="float32")(x)
    return keras.Model(images, features)


def read_weights(model: keras.Model, file: BinaryIO) -> None:
    """Gives the `network` the weights of a TorchScript archive.

    Only the bytes of the arrays are read, by their numbers: kernel, BatchNorm's offset, mean and
    variance of each convolution. What the archive has pickled, and its code, stay untouched, so the
    caller must know by a digest that it is the right one.

    Raises:
        ValueError, KeyError, zipfile.BadZipFile: It is another one.
    """
    with zipfile.ZipFile(file) as archive:

        def array(number: int, *shape: int) -> np.ndarray:
            return np.frombuffer(archive.read(STORAGE.format(number)), "<f4").reshape(shape)

        for i in range(CONVOLUTIONS):
            layer = model.get_layer(CONVOLUTION.format(i))
            height, width, channels, filters = layer.kernel.shape
            kernel = array(4 * i, filters, channels, height, width)
            offset, mean, variance = (array(4 * i + j, filters) for j in (1, 2, 3))
            scale = 1 / np.sqrt(variance.astype(np.float64) + EPSILON)
            layer.set_weights([kernel.transpose(2, 3, 1, 0) * scale, offset - mean * scale])
