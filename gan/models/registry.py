"""The tables of generators and discriminators that a configuration names.

A network is one builder and one row of `GENERATORS` or `DISCRIMINATORS`.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import NamedTuple

from gan.lazy import keras
from gan.models.dcgan import dcgan_discriminator, dcgan_generator
from gan.models.layers import NetworkSpec
from gan.models.mlp import mlp_discriminator, mlp_generator, toy_discriminator, toy_generator
from gan.models.resnet import resnet_discriminator, resnet_generator


class Network(NamedTuple):
    """A row: how a network is built, and what must be known before it is."""

    build: Callable[[NetworkSpec], keras.Model]  # ValueError: not for these data, or this norm
    dense: bool = False  # without convolutions: float32 is faster under XLA on CPUs
    points: bool = False  # of points instead of images
    halves: bool = False  # images by convolutions, as often as --halvings or their side says


GENERATORS: dict[str, Network] = {
    "mlp": Network(mlp_generator, dense=True),
    "tiny": Network(partial(mlp_generator, widths=(32, 32)), dense=True),
    "dcgan": Network(dcgan_generator, halves=True),
    "dcgan_tiny": Network(partial(dcgan_generator, widths=(8, 16)), halves=True),
    "dcgan_dense": Network(partial(dcgan_generator, hidden=448), halves=True),
    "dcgan_dense_tiny": Network(partial(dcgan_generator, widths=(8, 16), hidden=32), halves=True),
    "sndcgan_dense": Network(partial(dcgan_generator, hidden=448, last=24), halves=True),
    "sndcgan_dense_tiny": Network(
        partial(dcgan_generator, widths=(8, 16), hidden=32, last=4), halves=True
    ),
    "resnet": Network(resnet_generator, halves=True),
    "resnet_tiny": Network(partial(resnet_generator, widths=(8, 8, 16)), halves=True),
    "toy": Network(toy_generator, dense=True, points=True),
    "toy_categorical": Network(partial(toy_generator, categorical=True), dense=True, points=True),
    "toy_tiny": Network(partial(toy_generator, widths=(32, 32)), dense=True, points=True),
}
DISCRIMINATORS: dict[str, Network] = {
    "mlp": Network(mlp_discriminator, dense=True),
    # For images on black, where R1 and R2 make a discriminator linear.
    "mlp_on_black": Network(partial(mlp_discriminator, offset=1.0), dense=True),
    "tiny": Network(partial(mlp_discriminator, widths=(32,)), dense=True),
    "dcgan": Network(dcgan_discriminator, halves=True),
    "dcgan_tiny": Network(partial(dcgan_discriminator, widths=(8, 16)), halves=True),
    "dcgan_dense": Network(partial(dcgan_discriminator, hidden=448), halves=True),
    "dcgan_dense_on_black": Network(
        partial(dcgan_discriminator, hidden=448, offset=1.0), halves=True
    ),
    "dcgan_dense_tiny": Network(
        partial(dcgan_discriminator, widths=(8, 16), hidden=32), halves=True
    ),
    "resnet": Network(resnet_discriminator, halves=True),
    "resnet_tiny": Network(partial(resnet_discriminator, widths=(8, 8, 16)), halves=True),
    "toy": Network(toy_discriminator, dense=True, points=True),
    "toy_tiny": Network(
        partial(toy_discriminator, widths=(32, 32), waves=8), dense=True, points=True
    ),
}

SHIPPED = (*GENERATORS.values(), *DISCRIMINATORS.values())  # rows that users add are none of these
