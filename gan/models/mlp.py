"""Networks of Dense layers: the original script's for images, and those of toy distributions."""

from __future__ import annotations

from collections.abc import Sequence

from gan.lazy import keras, np
from gan.models.layers import LayerBuilder, NetworkSpec
from gan.rng import DISCRIMINATOR_STREAM, GENERATOR_STREAM

FREQUENCIES = (0.5, 60.0)  # radians a unit: wavelengths from 12 units to a tenth of one


def mlp_generator(spec: NetworkSpec, widths: Sequence[int] = (256, 512, 1024)) -> keras.Model:
    """Returns the generator of the original script, by default with BatchNorm.

    Dense, LeakyReLU and BatchNorm for each width, then Dense and tanh. 1,493,520 parameters for
    100 latent entries and 28x28x1.
    """
    make = LayerBuilder(spec, GENERATOR_STREAM, spec.resolved_norm("batch"), momentum=0.8)
    inputs, x = make.latents()
    for width in widths:
        x = make.batch_norm(make.leaky(make.dense(x, width)))
    x = make.dense(x, int(np.prod(spec.image_shape)))
    x = keras.layers.Activation("tanh", dtype="float32")(x)
    images = keras.layers.Reshape(spec.image_shape, dtype="float32", name="images")(x)
    return make.model(inputs, images, "generator")


def mlp_discriminator(
    spec: NetworkSpec, widths: Sequence[int] = (512, 256), offset: float = 0.0
) -> keras.Model:
    """Returns the discriminator of the original script, without its sigmoid, by default plain.

    Dense and LeakyReLU for each width, then Dense 1. 533,505 parameters for 28x28x1. For `offset`
    see `LayerBuilder.images`.
    """
    make = LayerBuilder(spec, DISCRIMINATOR_STREAM, spec.resolved_norm("none"), momentum=0.8)
    images, x = make.images(offset)
    x = make.flatten(x)
    for width in widths:
        x = make.batch_norm(make.leaky(make.dense(x, width)))
    return make.discriminator(images, x)


def toy_generator(
    spec: NetworkSpec,
    widths: Sequence[int] = (128, 128, 128, 128),
    categorical: bool = False,
) -> keras.Model:
    """Returns a generator of points: Dense and LeakyReLU for each width, then Dense.

    A categorical one sees of the latents but the last two only which is the largest. A continuous
    function of normal latents draws bridges between modes; a category needs none. The last two
    count a tenth at first: as large as the category they move points from mode to mode themselves,
    and some stay between modes.

    References:
        Gurumurthy et al. 2017, arXiv:1706.02071, learn a mixture as the latents' distribution; this
        one is fixed, and uniform.

    Raises:
        ValueError: These are no points; or if categorical, fewer than two categories are left, or
            labels are asked for.
    """
    if categorical:
        if spec.latent_dim < 4:
            raise ValueError(f"needs at least 4 latents, has {spec.latent_dim}")
        if spec.classes:
            raise ValueError("has categories, and takes no labels")
        spec = spec._replace(categories=spec.latent_dim - 2)
    make = LayerBuilder(spec, GENERATOR_STREAM, spec.resolved_norm("none"))
    (coordinates,) = point_shape(spec)
    inputs, x = make.latents()
    if categorical:
        code, others = keras.ops.split(x, [spec.categories], 1)
        x = keras.ops.concatenate([code, 0.1 * others], 1)
    for width in widths:
        x = make.batch_norm(make.leaky(make.dense(x, width)))
    points = make.dense(x, coordinates, dtype="float32", name="images")
    return make.model(inputs, points, "generator")


def toy_discriminator(
    spec: NetworkSpec, widths: Sequence[int] = (128, 128), waves: int = 64
) -> keras.Model:
    """Returns a discriminator of points: Fourier features, Dense layers, then Dense 1.

    The first layer sees `waves` sines and as many cosines beside the point itself.
    """
    make = LayerBuilder(spec, DISCRIMINATOR_STREAM, spec.resolved_norm("none"))
    points = keras.Input(point_shape(spec), name="images")
    x = make.fourier_features(points, waves, *FREQUENCIES)
    for width in widths:
        x = make.batch_norm(make.leaky(make.dense(x, width)))
    return make.discriminator(points, x)


def point_shape(spec: NetworkSpec) -> tuple[int]:
    """Returns (D,)."""
    if len(spec.image_shape) != 1:
        raise ValueError(f"makes points [D], the data has the shape {list(spec.image_shape)}")
    return (spec.image_shape[0],)
