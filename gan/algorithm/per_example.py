"""Whether a network treats each example alone, so that several batches may be one."""

from typing import Any

import keras

# Left out are those that draw random numbers, and those whose weights or results depend on the
# batch.
LAYERS = {
    "Activation", "Add", "AveragePooling2D", "Concatenate", "Conv2D", "Dense", "Dot", "Embedding",
    "Flatten", "GlobalAveragePooling2D", "InputLayer", "LeakyReLU", "MaxPooling2D", "ReLU",
    "Rescaling", "Reshape",
}  # fmt: skip
FUNCTIONS = {"Cos", "Sin"}  # of keras.ops
REDUCTIONS = {"Logsumexp"}  # of keras.ops, over an axis that is not that of examples


def per_example(operation: Any) -> bool:
    """Returns whether what a network computes for an example depends on that one alone.

    Code that is not Keras' own counts as if it did not. So do layers that add losses of their
    activities, which are sums over a batch.

    Args:
        operation: A functional or sequential network; or one of its layers, or a function on
            Keras tensors.
    """
    kind = type(operation)
    if kind.__module__.startswith("keras.src.ops."):
        if kind.__name__ in REDUCTIONS:
            return getattr(operation, "axis", None) in range(1, len(operation.input.shape))
        return kind.__name__ in FUNCTIONS
    if not kind.__module__.startswith("keras.src."):
        return False
    if isinstance(operation, keras.Model):
        return all(map(per_example, getattr(operation, "operations", operation.layers)))
    activation = getattr(operation, "activation", keras.activations.linear)
    return (
        kind.__name__ in LAYERS
        and activation.__module__.startswith("keras.src.activations.")
        and getattr(operation, "activity_regularizer", None) is None
        and getattr(operation, "axis", None) not in (0, -len(operation.output.shape))
    )
