"""Optimizers as the step uses them, made by the rows of gan/algorithm/optimizer_table.py.

They apply gradients as they are: `step.apply_gradients` has averaged them over replicas already.
Keras would add them up, and has no public way to leave that out. The mean is taken before, so that
norms are those of the global gradient and loss scaling decides about an overflow on all replicas
alike.
"""

from typing import Any

import keras
import tensorflow as tf


def as_they_are(optimizer: keras.optimizers.Optimizer, grads_and_vars: list[Any]) -> list[Any]:
    """Returns the gradients as they are."""
    del optimizer
    return grads_and_vars


class RMSprop(keras.optimizers.RMSprop):
    """Keras' RMSprop, on gradients that are averaged."""

    _all_reduce_sum_gradients = as_they_are


class SGD(keras.optimizers.SGD):
    """Keras' gradient descent, on gradients that are averaged."""

    _all_reduce_sum_gradients = as_they_are


class FusedAdam(keras.optimizers.Adam):
    """Keras' Adam, with the same arithmetic in TensorFlow's own kernel; also under XLA.

    Keras' makes about a dozen passes over the weights where XLA is off.

    Variables, checkpoints and options are those of ``keras.optimizers.Adam``, without `amsgrad`.

    References:
        Kingma and Ba 2015, arXiv:1412.6980, section 2 (the second form, with epsilon outside of
        the bias correction).
    """

    _all_reduce_sum_gradients = as_they_are

    def update_step(self, gradient: tf.Tensor, variable: tf.Variable, learning_rate: Any) -> None:
        """Updates one variable and its two moments."""
        index = self._get_variable_index(variable)
        step = tf.cast(self.iterations + 1, variable.dtype)
        beta_1, beta_2 = (tf.constant(beta, variable.dtype) for beta in (self.beta_1, self.beta_2))
        tf.raw_ops.ResourceApplyAdam(
            var=variable.handle,
            m=self._momentums[index].value.handle,
            v=self._velocities[index].value.handle,
            beta1_power=tf.pow(beta_1, step),
            beta2_power=tf.pow(beta_2, step),
            lr=tf.cast(learning_rate, variable.dtype),
            beta1=beta_1,
            beta2=beta_2,
            epsilon=tf.constant(self.epsilon, variable.dtype),
            grad=tf.cast(gradient, variable.dtype),
        )
