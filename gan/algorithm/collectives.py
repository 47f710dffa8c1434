"""What the step knows of other replicas: means over all of them, and random numbers by example.

A replica is one device's copy of the networks. It learns from its part of the global batch, one
after the other in the order of the replicas, so that the step on several devices computes what
the step on one computes. Outside of a strategy there is one replica, and each function here is what
its name says without replicas, to the bit.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from gan.lazy import keras, tf


def count() -> int:
    """Returns how many replicas train together, on all machines; 1 outside of a strategy."""
    return int(tf.distribute.get_replica_context().num_replicas_in_sync)


def mean(values: Any) -> Any:
    """Returns the mean over replicas of each tensor in a structure.

    The parts of a batch are equal, so the mean of a replica's means is the mean over the global
    batch; a gradient of it is the gradient of the global loss.
    """
    if count() == 1:
        return values
    leaves = tf.nest.flatten(values)
    # Dense ones, and new ones: a tensor that an inner graph handed out has no device, and is not
    # reduced without one. None is the gradient of a variable that was not used.
    tensors = [tf.identity(tf.convert_to_tensor(leaf)) for leaf in leaves if leaf is not None]
    context = tf.distribute.get_replica_context()
    means = iter(context.all_reduce(tf.distribute.ReduceOp.MEAN, tensors))
    means_of_all = [None if leaf is None else next(means) for leaf in leaves]
    return tf.nest.pack_sequence_as(values, means_of_all)


def standard_deviation(values: tf.Tensor) -> tf.Tensor:
    """Returns that of all entries of the global batch, a scalar."""
    if count() == 1:
        return tf.math.reduce_std(values)
    centre = mean(tf.reduce_mean(values))
    return tf.sqrt(mean(tf.reduce_mean(tf.square(values - centre))))


def uniform(
    shape: Sequence[Any],
    key: tf.Tensor,
    low: float = 0.0,
    high: float = 1.0,
    dtype: str | tf.DType = "float32",
) -> tf.Tensor:
    """Returns uniform random numbers, a function of the key and of the example's global index.

    Every replica draws them for the global batch and takes its part: the cost does not fall with
    the number of replicas.

    `shape` is [batch, ...] of this replica, `key` [2] int64 the same on each. All numbers are at
    least `low` and less than `high`.
    """
    replicas = count()
    if replicas == 1:
        return tf.random.stateless_uniform(shape, key, low, high, dtype, alg="philox")
    batch, *rest = shape
    drawn = tf.random.stateless_uniform(
        [replicas * batch, *rest], key, low, high, dtype, alg="philox"
    )
    parts = tf.reshape(drawn, [replicas, batch, *rest])
    return parts[tf.distribute.get_replica_context().replica_id_in_sync_group]


def share_statistics(network: keras.Model) -> None:
    """Gives every replica the mean of the moving statistics that BatchNorm has on each of them."""
    if count() == 1:
        return
    kept = [
        v
        for layer in batch_norm_layers(network)
        for v in (layer.moving_mean, layer.moving_variance)
    ]
    if kept:
        for variable, value in zip(kept, mean([v.value for v in kept]), strict=True):
            variable.assign(value)


def batch_norm_layers(network: keras.Model) -> list[keras.layers.BatchNormalization]:
    """Returns the BatchNormalization layers of a network, however deep."""
    layers = network._flatten_layers(include_self=False)  # also in wrappers and layers of layers
    return [layer for layer in layers if isinstance(layer, keras.layers.BatchNormalization)]
