"""Whether a network treats each example alone, so that several batches may be one."""

from typing import Any

import keras

# Layers and functions of Keras. Left out are those that draw random numbers, and those whose
# weights or results depend on the batch.
PER_EXAMPLE = {
    "Activation", "Add", "AveragePooling2D", "Concatenate", "Conv2D", "Cos", "Dense", "Dot",
    "Embedding", "Flatten", "GlobalAveragePooling2D", "InputLayer", "LeakyReLU", "MaxPooling2D",
    "ReLU", "Rescaling", "Reshape", "Sin",
}  # fmt: skip


def per_example(operation: Any) -> bool:
    """Returns whether what a network computes for an example depends on that one alone.

    Code that is not Keras' own counts as if it did not. So do layers that add losses of their
    activities, which are sums over a batch.

    Args:
        operation: A functional or sequential network; or one of its layers, or a function on
            Keras tensors.
    """
    if not type(operation).__module__.startswith("keras.src."):
        return False
    if isinstance(operation, keras.Model):
        return all(map(per_example, getattr(operation, "operations", operation.layers)))
    activation = getattr(operation, "activation", keras.activations.linear)
    return (
        type(operation).__name__ in PER_EXAMPLE
        and activation.__module__.startswith("keras.src.activations.")
        and getattr(operation, "activity_regularizer", None) is None
        and getattr(operation, "axis", -1) != 0
    )
