"""What the networks share: seeded layers of one dtype policy and one normalisation, and labels.

Inner layers compute in the policy of their network. What enters and leaves a network is float32
always, and so is the head of a discriminator. All layers are Keras' own, so that a saved network
opens without this package.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import keras
import numpy as np
from keras import layers

from gan.rng import seeds
from gan.run.config import NORMS

# From the seed of a layer to its initializer.
Kernel = Callable[[int], keras.initializers.Initializer]


def initializers(
    seed: int, stream: int, kernel: Kernel = keras.initializers.GlorotUniform
) -> Iterator[keras.initializers.Initializer]:
    """Yields an initializer for each layer, by default Glorot uniform as Keras has it."""
    return (kernel(one) for one in seeds(seed, stream))


def scaled(gain: float) -> Kernel:
    """Returns normal weights that multiply the variance of what comes in by `gain`."""
    if not gain:
        return lambda seed: keras.initializers.Zeros()
    return lambda seed: keras.initializers.VarianceScaling(
        gain, "fan_in", "untruncated_normal", seed
    )


def resolve_norm(norm: str, default: str, allowed: Sequence[str] = NORMS) -> str:
    """Returns the normalisation that `norm` stands for.

    Args:
        norm: One of `allowed`.
        default: What "default" stands for.
        allowed: What the network can have.

    Raises:
        ValueError: It can't have this one.
    """
    if norm not in allowed:
        raise ValueError(f"norm={norm}: must be one of {', '.join(allowed)}")
    return default if norm == "default" else norm


def smallest_map(image_shape: Sequence[int], halvings: int) -> tuple[int, int, int]:
    """Returns H and W after some halvings, and C.

    Raises:
        ValueError: They cannot be halved so often.
    """
    factor = 2**halvings
    if len(image_shape) != 3 or image_shape[0] % factor or image_shape[1] % factor:
        raise ValueError(
            f"needs images [H, W, C] with H and W multiples of {factor}, "
            f"the data has the shape {list(image_shape)}"
        )
    height, width, channels = image_shape
    return height // factor, width // factor, channels


class LayerBuilder:
    """Makes the layers of one network; layers with weights take the next seed."""

    def __init__(
        self,
        seed: int,
        stream: int,
        policy: str,
        norm: str = "none",
        kernel: Kernel = keras.initializers.GlorotUniform,
        momentum: float = 0.9,
    ) -> None:
        """Makes no layer yet.

        Args:
            seed: Of the initial weights.
            stream: Of the network.
            policy: Keras dtype policy of the inner layers.
            norm: "none", "batch" or "spectral".
            kernel: Initializer of the layers that are given no other.
            momentum: Of BatchNorm's moving statistics.
        """
        self.seeds = seeds(seed, stream)
        self.policy, self.norm, self.kernel, self.momentum = policy, norm, kernel, momentum

    def weighted(
        self,
        layer: type[keras.layers.Layer],
        *args: Any,
        kernel: Kernel | None = None,
        initializer: str = "kernel_initializer",
        dtype: str | None = None,
        name: str | None = None,
        **kwargs: Any,
    ) -> keras.layers.Layer:
        """Returns a Dense, convolution or Embedding, under spectral normalisation if asked for.

        Keras' wrapper divides the kernel itself by its norm, in place, and so in float32: in half
        precision every call would round the weights. A gradient is that by the divided kernel, as
        if the norm was a constant; in the paper it goes through the norm too.

        References:
            Miyato et al. 2018, arXiv:1802.05957.
        """
        kwargs[initializer] = (kernel or self.kernel)(next(self.seeds))
        dtype = dtype or self.policy
        if self.norm != "spectral":
            return layer(*args, dtype=dtype, name=name, **kwargs)
        inner = layer(*args, dtype=dtype, **kwargs)
        return layers.SpectralNormalization(inner, dtype="float32", name=name)

    def dense(self, x: Any, units: int, **kwargs: Any) -> Any:
        """Returns [batch, units]."""
        return self.weighted(layers.Dense, units, **kwargs)(x)

    def conv(self, x: Any, filters: int, size: int, strides: int = 1, **kwargs: Any) -> Any:
        """Returns [batch, H / strides, W / strides, filters]."""
        made = self.weighted(layers.Conv2D, filters, size, strides, padding="same", **kwargs)
        return made(x)

    def leaky(self, x: Any) -> Any:
        """Returns LeakyReLU of slope 0.2."""
        return layers.LeakyReLU(negative_slope=0.2, dtype=self.policy)(x)

    def batch_norm(self, x: Any) -> Any:
        """Returns BatchNorm where the network has it, else `x`."""
        if self.norm != "batch":
            return x
        return layers.BatchNormalization(momentum=self.momentum, dtype=self.policy)(x)

    def waves(self, x: Any, count: int, lowest: float, highest: float) -> Any:
        """Returns x [batch, D] beside sines and cosines of it, [batch, D + 2 * count].

        In random directions that stay, with angular frequencies that are uniform in the logarithm.
        Without them a network learns what is narrow very late.

        References:
            Tancik et al. 2020, arXiv:2006.10739.
        """
        rng = np.random.default_rng(next(self.seeds))
        directions = rng.standard_normal((x.shape[-1], count))
        frequencies = np.exp(rng.uniform(np.log(lowest), np.log(highest), count))
        dense = layers.Dense(count, use_bias=False, trainable=False, dtype="float32", name="waves")
        phases = dense(x)
        dense.set_weights([frequencies * directions / np.linalg.norm(directions, axis=0)])
        parts = [x, keras.ops.sin(phases), keras.ops.cos(phases)]
        return layers.Concatenate(dtype="float32")(parts)

    def latents(self, latent_dim: int, classes: int) -> tuple[Any, Any]:
        """Returns the inputs of a generator and what its first layer sees.

        A label becomes as many numbers as a latent vector has, of the same size at first.

        Returns:
            latents [batch, latent_dim] and itself; with classes, latents and labels [batch] int32,
            and [batch, 2 * latent_dim].
        """
        latents = keras.Input([latent_dim], name="latents")
        if not classes:
            return latents, latents
        labels = keras.Input([], dtype="int32", name="labels")
        initial = keras.initializers.RandomNormal(stddev=1.0, seed=next(self.seeds))
        embedded = layers.Embedding(
            classes, latent_dim, embeddings_initializer=initial, dtype=self.policy
        )(labels)
        return [latents, labels], layers.Concatenate(dtype=self.policy)([latents, embedded])

    def discriminator(self, images: Any, features: Any, classes: int) -> keras.Model:
        """Returns the model that ends in a Dense 1, and with classes in a projection.

        The logit of features h and label y is w . h + b + e(y) . h, in float32.

        Args:
            images: Input of the model.
            features: [batch, n], the last hidden ones.
            classes: How many; 0 makes a model without labels.

        References:
            Miyato and Koyama 2018, arXiv:1802.05637, equation 4.
        """
        if not classes:
            logits = self.dense(features, 1, dtype="float32", name="logits")
            return self.model(images, logits, "discriminator")
        labels = keras.Input([], dtype="int32", name="labels")
        indices = labels
        if self.norm == "spectral":  # the wrapper gives its output the type of its input
            indices = layers.Rescaling(1.0, dtype="float32")(labels)
        size = features.shape[-1]
        embedded = self.weighted(
            layers.Embedding, classes, size, initializer="embeddings_initializer", dtype="float32"
        )(indices)
        projected = layers.Dot(1, dtype="float32")([embedded, features])
        unconditional = self.dense(features, 1, dtype="float32", name="unconditional")
        logits = layers.Add(dtype="float32", name="logits")([unconditional, projected])
        return self.model([images, labels], logits, "discriminator")

    def model(self, inputs: Any, outputs: Any, name: str) -> keras.Model:
        """Returns the model, with seeded vectors where spectral normalisation starts."""
        model = keras.Model(inputs, outputs, name=name)
        for layer in model.layers:
            if isinstance(layer, layers.SpectralNormalization):  # its own have no seed
                vector = np.random.default_rng(next(self.seeds)).standard_normal(
                    layer.vector_u.shape
                )
                layer.vector_u.assign(vector / np.linalg.norm(vector))
        return model
