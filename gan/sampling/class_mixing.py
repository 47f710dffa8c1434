"""Conditional generators between their classes."""

from typing import Any

import keras
import numpy as np

from gan.errors import UserError
from gan.models.checks import call, classes_of
from gan.sampling.export import in_float32

TOLERANCE = 1e-3  # difference of images in -1..1 that rounding makes
REFUSAL = "--latent=classes: labels must go into an Embedding or a one-hot encoding alone"


def mixing_generator(generator: keras.Model, shares: np.ndarray) -> tuple[keras.Model, str]:
    """Returns a generator whose class i is a mixture of the given one's, and what is mixed.

    Where a label chooses a row of an embedding, the rows are mixed, so that the way from one class
    to another is a straight line there. Where labels become one-hot rows, these are.

    Args:
        generator: From latents and labels [batch], to images.
        shares: [mixtures, classes], each row of sum 1. Rows of one class alone check the result.

    Returns:
        The generator, in float32, and "embeddings" or "one-hot rows".

    Raises:
        UserError: Labels go into something else.
    """
    generator, classes = in_float32(generator), classes_of(generator)
    shares = np.asarray(shares, np.float32)
    pairs: list[tuple[Any, Any]] = []
    mixed: dict[str, None] = {}

    def converted(layer: Any) -> Any:
        kind = type(layer).__name__
        if kind == "Embedding":
            mixed["embeddings"] = None
            new = keras.layers.Embedding(len(shares), layer.output_dim)
        elif kind in ("CategoryEncoding", "OneHot"):
            mixed["one-hot rows"] = None
            new = keras.layers.Embedding(len(shares), classes)
        else:
            new = layer.__class__.from_config(layer.get_config())
        pairs.append((layer, new))
        return new

    try:
        mixing = keras.models.clone_model(generator, clone_function=converted)
        for old, new in pairs:
            if type(old).__name__ == "Embedding":
                new.set_weights([shares @ old.get_weights()[0][:classes]])
            elif isinstance(new, keras.layers.Embedding):
                new.set_weights([shares])
            elif old.weights:
                new.set_weights(old.get_weights())
        whole = np.flatnonzero(shares.max(1) == 1)
        latents = np.full([len(whole), generator.inputs[0].shape[-1]], 0.5, np.float32)
        found, expected = (
            call(network, latents, labels)
            for network, labels in ((mixing, whole), (generator, shares[whole].argmax(1)))
        )
    except Exception as error:  # layers that see labels otherwise fail in their own ways
        reason = " ".join(str(error).split())[:100]
        raise UserError(f"{REFUSAL} ({reason})") from None
    if not np.abs(found - expected).max(initial=0.0) <= TOLERANCE:
        raise UserError(REFUSAL)
    return mixing, " and ".join(mixed)
