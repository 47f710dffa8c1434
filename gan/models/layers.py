"""What the networks share: their specification, seeded layers of one dtype policy, labels.

Inner layers compute in the policy of their network. What enters and leaves a network is float32
always, and so is the head of a discriminator. All layers are Keras' own, so that a saved network
opens without this package.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from gan.lazy import keras, np
from gan.rng import seeds
from gan.run.config import NORMS
from gan.run.sides import halvings_of, nearest_sides

# From the seed of a layer to its initializer.
Kernel = Callable[[int], "keras.initializers.Initializer"]


class NetworkSpec(NamedTuple):
    """What a network is built for.

    A generator maps latents [batch, latent_dim] float32 to images of `image_shape`, float32 in
    -1..1, or to points without a bound. A discriminator maps those to logits [batch, 1] float32.
    """

    image_shape: tuple[int, ...]  # (H, W, C), or (D,) for points
    latent_dim: int = 100  # entries of a latent vector; discriminators have none
    classes: int = 0  # more than 0: labels [batch] int32 are a second input
    norm: str = "default"  # one of `NORMS`; default: what the network's paper has
    policy: str = "float32"  # Keras dtype policy of the inner layers
    seed: int = 0  # of the initial weights
    halvings: int = 0  # of images by convolutions; 0: until 4 to 7 pixels are left
    categories: int = 0  # the first so many latent entries say which of them is the largest
    head: int = 0  # units of a discriminator's second output, a head; 0: none
    sums_to_logit: bool = False  # its logit is the log of the sum of the head's exponentials

    def halved(self) -> tuple[int, int, int, int]:
        """Returns how often images are halved, the H and W that this leaves, and C.

        Raises:
            ValueError: These are no images, or their sides do not allow it; names sides that do.
        """
        if len(self.image_shape) != 3:
            raise ValueError(
                f"needs images [H, W, C], the data has the shape {list(self.image_shape)}"
            )
        height, width, channels = self.image_shape
        times = self.halvings or halvings_of(height, width)
        if times is None or height % 2**times or width % 2**times:
            needed = f"with H and W multiples of {2**self.halvings}, as --halvings says"
            if not self.halvings:
                sides = " and ".join(map(str, nearest_sides(min(height, width))))
                needed = f"that halve until 4 to 7 pixels are left, the nearest sides are {sides}"
            raise ValueError(
                f"needs images [H, W, C] {needed}; the data has the shape {list(self.image_shape)}"
            )
        return times, height // 2**times, width // 2**times, channels

    def resolved_norm(self, default: str, allowed: Sequence[str] = NORMS) -> str:
        """Returns the normalisation, which is `default` unless another one is asked for."""
        if self.norm not in allowed:
            raise ValueError(f"norm={self.norm}: must be one of {', '.join(allowed)}")
        return default if self.norm == "default" else self.norm


def widths_of(widths: Sequence[int], count: int) -> list[int]:
    """Returns the first `count` of some widths; the last one goes on."""
    return [widths[min(i, len(widths) - 1)] for i in range(count)]


def scaled(gain: float) -> Kernel:
    """Returns normal weights that multiply the variance of what comes in by `gain`."""
    if not gain:
        return lambda seed: keras.initializers.Zeros()
    return lambda seed: keras.initializers.VarianceScaling(
        gain, "fan_in", "untruncated_normal", seed
    )


class LayerBuilder:
    """Makes the layers of one network; each layer with weights takes the next seed."""

    def __init__(
        self,
        spec: NetworkSpec,
        stream: int,
        norm: str,
        kernel: Kernel | None = None,
        momentum: float = 0.9,
    ) -> None:
        """Makes no layer yet.

        `stream` chooses the seeds. `norm` is "none", "batch" or "spectral", `momentum` that of
        BatchNorm. `kernel` initializes layers that are given nothing else, by default Glorot's.
        """
        self.spec, self.policy, self.norm, self.momentum = spec, spec.policy, norm, momentum
        self.seeds = seeds(spec.seed, stream)
        self.kernel = kernel or keras.initializers.GlorotUniform

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
        return keras.layers.SpectralNormalization(inner, dtype="float32", name=name)

    def dense(self, x: Any, units: int, **kwargs: Any) -> Any:
        """Returns [batch, units]."""
        return self.weighted(keras.layers.Dense, units, **kwargs)(x)

    def conv(self, x: Any, filters: int, size: int, strides: int = 1, **kwargs: Any) -> Any:
        """Returns [batch, H / strides, W / strides, filters]."""
        kwargs["padding"] = "same"
        return self.weighted(keras.layers.Conv2D, filters, size, strides, **kwargs)(x)

    def conv_transpose(self, x: Any, filters: int, size: int, strides: int) -> Any:
        """Returns [batch, H * strides, W * strides, filters]."""
        transposed = keras.layers.Conv2DTranspose
        return self.weighted(transposed, filters, size, strides, padding="same")(x)

    def leaky(self, x: Any) -> Any:
        """Returns LeakyReLU of slope 0.2."""
        return keras.layers.LeakyReLU(negative_slope=0.2, dtype=self.policy)(x)

    def relu(self, x: Any) -> Any:
        """Returns max(0, x)."""
        return keras.layers.ReLU(dtype=self.policy)(x)

    def batch_norm(self, x: Any) -> Any:
        """Returns BatchNorm where the network has it, else `x`."""
        if self.norm != "batch":
            return x
        return keras.layers.BatchNormalization(momentum=self.momentum, dtype=self.policy)(x)

    def flatten(self, x: Any) -> Any:
        """Returns [batch, the product of the other sizes]."""
        return keras.layers.Flatten(dtype=self.policy)(x)

    def reshape(self, x: Any, *shape: int) -> Any:
        """Returns [batch, *shape]."""
        return keras.layers.Reshape(shape, dtype=self.policy)(x)

    def fourier_features(self, x: Any, count: int, lowest: float, highest: float) -> Any:
        """Returns x [batch, D] beside sines and cosines of it, [batch, D + 2 * count].

        In random directions that stay, with angular frequencies that are uniform in the logarithm.
        Without them a network learns what is narrow very late.

        References:
            Tancik et al. 2020, arXiv:2006.10739.
        """
        rng = np.random.default_rng(next(self.seeds))
        directions = rng.standard_normal((x.shape[-1], count))
        frequencies = np.exp(rng.uniform(np.log(lowest), np.log(highest), count))
        dense = keras.layers.Dense(
            count, use_bias=False, trainable=False, dtype="float32", name="waves"
        )
        phases = dense(x)
        dense.set_weights([frequencies * directions / np.linalg.norm(directions, axis=0)])
        features = [x, keras.ops.sin(phases), keras.ops.cos(phases)]
        return keras.layers.Concatenate(dtype="float32")(features)

    def latents(self) -> tuple[Any, Any]:
        """Returns the inputs of a generator and what its first layer sees.

        A label becomes as many numbers as a latent vector has, which at first are together as
        long as a one-hot code. Entries that are a category become such a code, so that latents of
        any kind are ~ N(0, 1).

        Returns:
            latents [batch, latent_dim] and itself; with classes, latents and labels [batch] int32,
            and [batch, 2 * latent_dim].
        """
        latent_dim, categories = self.spec.latent_dim, self.spec.categories
        latents = keras.Input([latent_dim], name="latents")
        if categories:
            entries, others = keras.ops.split(latents, [categories], 1)
            # Not Keras' argmax, whose look at the signs of zeros TFLite and ONNX do not have.
            largest = keras.ops.max(entries, 1, keepdims=True)
            code = keras.ops.cast(keras.ops.greater_equal(entries, largest), "float32")
            return latents, keras.layers.Concatenate(dtype=self.policy)([code, others])
        if not self.spec.classes:
            return latents, latents
        labels = keras.Input([], dtype="int32", name="labels")
        # BatchNorm needs something to vary within a batch. Where classes vary as much as latents
        # that is enough for it, and G learns one image of each class.
        length_one = latent_dim**-0.5
        initial = keras.initializers.RandomNormal(stddev=length_one, seed=next(self.seeds))
        embedded = keras.layers.Embedding(
            self.spec.classes, latent_dim, embeddings_initializer=initial, dtype=self.policy
        )(labels)
        joined = keras.layers.Concatenate(dtype=self.policy)([latents, embedded])
        return [latents, labels], joined

    def images(self, offset: float = 0.0) -> tuple[Any, Any]:
        """Returns the input of a discriminator and what its first layer sees: images plus `offset`.

        With 1 black is 0, and so is the padding of convolutions. Where most pixels are black and
        count as -1, each step of Adam moves what a unit gets from them by the sum of its kernel. R1
        and R2 shrink how much a unit varies, not this: in the end units have one sign for all
        images, and D is linear, see docs/results.md.

        References:
            LeCun et al. 1998, Efficient BackProp, section 4.3: inputs should have means near 0.
        """
        images = keras.Input(self.spec.image_shape, name="images")
        if not offset:
            return images, images
        return images, keras.layers.Rescaling(1.0, offset, dtype="float32")(images)

    def tanh_images(self, x: Any) -> Any:
        """Returns images in -1..1, float32."""
        return keras.layers.Activation("tanh", dtype="float32", name="images")(x)

    def discriminator(self, images: Any, features: Any) -> keras.Model:
        """Returns the model that ends in a Dense 1, and with classes in a projection.

        The logit of the last hidden features h [batch, n] and label y is w . h + b + e(y) . h, in
        float32. A head is a Dense layer on the same features, in float32.

        References:
            Miyato and Koyama 2018, arXiv:1802.05637, equation 4.
        """
        if self.spec.head:
            head = self.dense(features, self.spec.head, dtype="float32", name="head")
            if self.spec.sums_to_logit:
                logits = keras.ops.logsumexp(head, axis=1, keepdims=True)
            else:
                logits = self.dense(features, 1, dtype="float32", name="logits")
            return self.model(images, [logits, head], "discriminator")
        if not self.spec.classes:
            logits = self.dense(features, 1, dtype="float32", name="logits")
            return self.model(images, logits, "discriminator")
        labels = keras.Input([], dtype="int32", name="labels")
        indices = labels
        if self.norm == "spectral":  # the wrapper gives its output the type of its input
            indices = keras.layers.Rescaling(1.0, dtype="float32")(labels)
        embedded = self.weighted(
            keras.layers.Embedding,
            self.spec.classes,
            features.shape[-1],
            initializer="embeddings_initializer",
            dtype="float32",
        )(indices)
        projected = keras.layers.Dot(1, dtype="float32")([embedded, features])
        unconditional = self.dense(features, 1, dtype="float32", name="unconditional")
        logits = keras.layers.Add(dtype="float32", name="logits")([unconditional, projected])
        return self.model([images, labels], logits, "discriminator")

    def model(self, inputs: Any, outputs: Any, name: str) -> keras.Model:
        """Returns the model, with seeded vectors where spectral normalisation starts."""
        model = keras.Model(inputs, outputs, name=name)
        for layer in model.layers:
            if isinstance(layer, keras.layers.SpectralNormalization):  # its own have no seed
                vector = np.random.default_rng(next(self.seeds)).standard_normal(
                    layer.vector_u.shape
                )
                layer.vector_u.assign(vector / np.linalg.norm(vector))
        return model
