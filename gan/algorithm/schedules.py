"""How a number falls over the steps: a learning rate, or the weight of a penalty."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

from gan.lazy import keras, tf

# What Keras' optimizers take: a number, or a function of the step.
Schedule: TypeAlias = "float | Callable[[tf.Tensor], tf.Tensor]"

# (value at the start, steps, share of it that is left after them)
DECAYS: dict[str, Callable[[float, int, float], Schedule]] = {
    "constant": lambda start, steps, left: start,
    "linear": lambda start, steps, left: keras.optimizers.schedules.PolynomialDecay(
        start, steps, left * start
    ),
    "cosine": lambda start, steps, left: keras.optimizers.schedules.CosineDecay(start, steps, left),
}


def value_at(schedule: Schedule, step: tf.Tensor) -> tf.Tensor:
    """Returns the value after `step` steps, a float32 scalar."""
    return schedule(step) if callable(schedule) else tf.constant(schedule, tf.float32)
