"""BatchNorm's statistics of the averaged generator, measured on what it computes itself.

The moving statistics that training leaves are those of the generator's weights of the last few
steps. They do not belong to the average of the weights, and neither does an average of statistics.
"""

from typing import Any

import keras
import numpy as np
import tensorflow as tf

from gan.algorithm import collectives
from gan.rng import BATCH_NORM, draw_latents

BATCHES, BATCH = 16, 512  # 8,192 images: means are off by about 1 % of a standard deviation
ROUGHLY = 4  # batches for a picture, of which there are many: 2 %


def statistics_inputs(latent_dim: int, classes: int) -> list[list[np.ndarray]]:
    """Returns the generator's inputs to measure with, `BATCHES` lists, always the same.

    Each holds latents [BATCH, latent_dim] float32 and, with classes, labels [BATCH] int32.
    """
    latents = draw_latents([BATCHES, BATCH, latent_dim], 0, BATCH_NORM, 0).numpy()
    if not classes:
        return [[batch] for batch in latents]
    labels = np.arange(BATCHES * BATCH, dtype=np.int32).reshape(BATCHES, BATCH) % classes
    return [list(pair) for pair in zip(latents, labels, strict=True)]


def measure_statistics(generator: keras.Model, inputs: list[list[np.ndarray]]) -> None:
    """Gives BatchNorm layers the means over batches of the means and variances they see.

    Changes nothing else: not where there is no such layer, or where it is frozen or called in
    inference mode, and so sees nothing. Runs in every replica.

    References:
        Brock et al. 2019, arXiv:1809.11096, section 3 and appendix A ("standing statistics").
        Izmailov et al. 2018, arXiv:1803.05407, section 3.2, for averaged weights.
    """
    norms = [n for n in collectives.batch_norm_layers(generator) if n.momentum < 1.0]  # 1: frozen
    kept = [(v, n.momentum) for n in norms for v in (n.moving_mean, n.moving_variance)]
    if not kept:
        return
    sums, calls = [tf.zeros_like(variable.value) for variable, _ in kept], [0] * len(kept)
    for batch in inputs:
        with Moves() as scope:
            generator(batch if len(batch) > 1 else batch[0], training=True)
        for index, (variable, momentum) in enumerate(kept):
            # Each call of the layer has moved the old value towards that of this batch.
            for before, after in scope.of(variable):
                sums[index] += (after - momentum * before) / (1.0 - momentum)
                calls[index] += 1
    moved = [index for index, count in enumerate(calls) if count]
    means = collectives.mean([sums[index] / calls[index] for index in moved])
    for index, value in zip(moved, means, strict=True):
        kept[index][0].assign(value)


class Moves(keras.StatelessScope):
    """Keeps every value that a variable gets, not only the last: a layer may be called twice.

    But not of kernels, which SpectralNormalization divides by their norm in training mode: the
    statistics are for those that inference has.
    """

    def __init__(self) -> None:
        super().__init__()
        self.moves: dict[int, list[tuple[Any, Any]]] = {}

    def add_update(self, update: tuple[keras.Variable, Any]) -> None:
        """Is told by Keras of an assignment in this scope."""
        variable, _ = update
        if variable.trainable:
            return
        before = variable.value  # as this scope has it
        super().add_update(update)
        self.moves.setdefault(id(variable), []).append((before, variable.value))

    def of(self, variable: keras.Variable) -> list[tuple[Any, Any]]:
        """Returns the values before and after each assignment to a variable."""
        return self.moves.get(id(variable), [])
