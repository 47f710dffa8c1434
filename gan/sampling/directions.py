"""Directions in latent space that change the images of a generator most."""

import keras
import numpy as np

from gan.errors import UserError
from gan.models.checks import call
from gan.sampling.latents import Numbers, latents_of, truncate

REACH = 5.0  # how far a direction is walked to either side
STEPS = 11  # images on the way, an odd number: the one in the middle is the seed's own
NEEDED = "must be a Dense layer or a transposed convolution of one pixel"


def directions_of(generator: keras.Model) -> tuple[np.ndarray, np.ndarray]:
    """Returns the directions of the latents that the first layer enlarges most, and by how much.

    They are the singular vectors of its kernel, as latents see it: where labels go into the same
    layer, their rows of the kernel do not count. Neither do latents that only say which of them is
    the largest: a category is not walked.

    Args:
        generator: From latents [batch, D], and labels if it is conditional.

    Returns:
        Unit vectors [n, D] float64, perpendicular to each other, the largest entry of each above 0;
        and their singular values [n], falling. n is the number of latents that are walked, or
        less if the layer has fewer units.

    Raises:
        UserError: The first layer that sees the latents is of another kind.

    References:
        Shen and Zhou 2021, arXiv:2007.06600, equation 6 (SeFa).
    """
    kernel = first_kernel(generator)
    walked = kernel.any(axis=1)
    _, values, of_walked = np.linalg.svd(kernel[walked].T, full_matrices=False)
    vectors = np.zeros([len(values), len(kernel)])
    vectors[:, walked] = of_walked
    largest = np.take_along_axis(vectors, np.abs(vectors).argmax(1)[:, np.newaxis], 1)
    return vectors * np.sign(largest), values


def first_kernel(generator: keras.Model) -> np.ndarray:
    """Returns [D, units] float64: what the first layer adds for each entry of the latents.

    0 for entries that it does not see in proportion.
    """
    entries = generator.inputs[0].shape[-1]
    units = np.concatenate([np.zeros([1, entries]), np.eye(entries), 2 * np.eye(entries)])
    for layer in generator.layers:
        if not layer.weights:
            continue
        before = keras.Model(generator.inputs, layer.input)
        if isinstance(layer.input, list):
            raise UserError(f"--directions: the layer {layer.name} has several inputs, {NEEDED}")
        seen = call(before, units.astype(np.float32)).astype(np.float64)
        once, twice = (seen[1:] - seen[0]).reshape(2, entries, -1)
        if once.any():
            proportional = np.isclose(twice, 2 * once, rtol=0.01, atol=1e-6).all(axis=1)
            return (once * proportional[:, np.newaxis]) @ kernel_of(layer, seen.shape[1:])
    raise UserError(f"--directions: no layer with weights sees the latents, one {NEEDED}")


def kernel_of(layer: keras.layers.Layer, seen: tuple[int, ...]) -> np.ndarray:
    """Returns the kernel [entries, units] float64 of a layer that sees `seen`."""
    if isinstance(layer, keras.layers.SpectralNormalization):
        layer = layer.layer
    flat = len(seen) == 1
    if isinstance(layer, keras.layers.Dense) and flat:
        kernel = np.asarray(layer.kernel)
    elif isinstance(layer, keras.layers.Conv2DTranspose) and seen[:2] == (1, 1):
        kernel = np.moveaxis(np.asarray(layer.kernel), 3, 0).reshape(seen[2], -1)
    else:
        kind = type(layer).__name__
        raise UserError(f"--directions: the first layer is {kind} of {list(seen)}, {NEEDED}")
    return kernel.astype(np.float64)


def walks(
    generator: keras.Model, seeds: Numbers, count: int, reach: float, truncation: float = 0.0
) -> tuple[np.ndarray, float]:
    """Returns latents on the ways from each seed along the first directions.

    Args:
        generator: Whose directions they are.
        seeds: [n], each the middle of its ways.
        count: Of directions.
        reach: How far a way goes to either side; an entry of the latents has a deviation of 1.
        truncation: Of the seeds' latents, as in ``gan.sample``; 0: none.

    Returns:
        [n, count, STEPS, D] float32, and the share 0..1 that these directions have in the sum of
        all squared singular values.

    Raises:
        UserError: There are fewer directions, or none.
    """
    vectors, values = directions_of(generator)
    if count > len(vectors):
        raise UserError(f"--directions={count}: must be at most {len(vectors)}, there are no more")
    middles = latents_of(seeds, generator.inputs[0].shape[-1])
    if truncation:
        middles = truncate(middles, truncation)
    steps = np.linspace(-reach, reach, STEPS)[:, np.newaxis]
    ways = middles[:, np.newaxis, np.newaxis] + steps * vectors[:count, np.newaxis]
    energy = values**2
    return ways.astype(np.float32), float(energy[:count].sum() / energy.sum())
