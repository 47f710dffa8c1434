"""The table of optimizers: how each is made, and what it reads of a configuration.

An optimizer is one function and one row of `OPTIMIZERS`. It takes gradients as they are, see
gan/algorithm/optimizers.py.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    import keras

    from gan.algorithm.schedules import Schedule

ADAM_EPSILON = 1e-7  # Keras' default, spelled out because the algorithm depends on it

# Keras adds it under the root, where it counts as 1e-8 does outside: gradients of a clipped critic
# are so small that Keras' own, 1e-7, would make their steps shorter.
RMSPROP_EPSILON = 1e-16


class Optimizer(NamedTuple):
    """A row of `OPTIMIZERS`."""

    # (learning rate, beta_1, beta_2) -> optimizer
    make: Callable[[Schedule, float, float], keras.optimizers.Optimizer]
    reads: tuple[str, ...]  # of the fields beta_1 and beta_2
    slots: int  # numbers that it keeps for each weight


def adam(learning_rate: Schedule, beta_1: float, beta_2: float) -> keras.optimizers.Optimizer:
    """Returns Adam.

    References:
        Kingma and Ba 2015, arXiv:1412.6980.
    """
    from gan.algorithm.optimizers import FusedAdam

    return FusedAdam(learning_rate, beta_1=beta_1, beta_2=beta_2, epsilon=ADAM_EPSILON)


def rmsprop(learning_rate: Schedule, beta_1: float, beta_2: float) -> keras.optimizers.Optimizer:
    """Returns RMSprop, which divides a gradient by the root of its mean square.

    References:
        Hinton 2012, "Neural Networks for Machine Learning", lecture 6.5.
    """
    from gan.algorithm.optimizers import RMSprop

    del beta_1
    return RMSprop(learning_rate, rho=beta_2, epsilon=RMSPROP_EPSILON)


def sgd(learning_rate: Schedule, beta_1: float, beta_2: float) -> keras.optimizers.Optimizer:
    """Returns gradient descent, without momentum."""
    from gan.algorithm.optimizers import SGD

    del beta_1, beta_2
    return SGD(learning_rate)


OPTIMIZERS: dict[str, Optimizer] = {
    "adam": Optimizer(adam, ("beta_1", "beta_2"), 2),
    "rmsprop": Optimizer(rmsprop, ("beta_2",), 1),
    "sgd": Optimizer(sgd, (), 0),
}
