"""What the machine could do at best: a step's matrix products and Adam's memory traffic, alone."""

import itertools
from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
import tensorflow as tf


class Product(NamedTuple):
    """A matrix product [rows, inner] x [inner, columns], as often as a step does it."""

    rows: int
    inner: int
    columns: int
    transposed: str  # "", "a" or "b": which operand is stored the other way round
    times: int

    @property
    def flops(self) -> float:
        """Floating-point operations of all of them."""
        return 2.0 * self.rows * self.inner * self.columns * self.times


def products(
    g_widths: Sequence[int], d_widths: Sequence[int], batch: int, schedule: str = "alternating"
) -> list[Product]:
    """Returns the matrix products of one step of dense networks.

    D's update: G forward, D forward and backward on real and on fake images; the images need no
    gradient. G's update: G forward, D forward, gradients through D to the images, G backward; the
    latents need no gradient. The simultaneous schedule has one forward pass for both.

    Args:
        g_widths: Entries of the latents, of each layer, of the image: 100, 256, ..., 784.
        d_widths: Pixels, entries of each layer, 1.
        batch: Images a batch.
        schedule: "alternating" or "simultaneous".
    """
    once = 1 if schedule == "simultaneous" else 2
    found = []
    for widths, forward, weights, first_inputs, inputs in (
        (g_widths, once, 1, 0, 1),
        (d_widths, 1 + once, 2, 1, 3),
    ):
        for i, (m, n) in enumerate(itertools.pairwise(widths)):
            found.append(Product(batch, m, n, "", forward))
            found.append(Product(m, batch, n, "a", weights))
            backward = inputs if i else first_inputs
            if backward:
                found.append(Product(batch, n, m, "b", backward))
    return found


def adam_bytes(g_widths: Sequence[int], d_widths: Sequence[int]) -> float:
    """Returns the bytes that Adam must move: weight, gradient and two moments in, three out."""
    weights = sum(
        (m + 1) * n for widths in (g_widths, d_widths) for m, n in itertools.pairwise(widths)
    )
    return 7.0 * 4 * weights


def products_loop(wanted: Sequence[Product], dtype: str) -> Callable[[int], None]:
    """Returns a function that does the products of n steps with ``tf.matmul`` and nothing else."""
    rng = np.random.default_rng(0)

    def variable(rows: int, columns: int, swapped: bool) -> tf.Variable:
        shape = (columns, rows) if swapped else (rows, columns)
        return tf.Variable(tf.cast(rng.standard_normal(shape, np.float32), dtype), trainable=False)

    operands = [
        (variable(p.rows, p.inner, p.transposed == "a"),
         variable(p.inner, p.columns, p.transposed == "b"), p)
        for p in wanted
    ]  # fmt: skip

    @tf.function
    def run(steps: tf.Tensor) -> None:
        step = tf.constant(0)
        while step < steps:
            # The operands are read each time, so no product can be moved out of the loop, and
            # what depends on each result keeps all of them.
            done = []
            for a, b, p in operands:
                for _ in range(p.times):
                    result = tf.matmul(
                        a.read_value(),
                        b.read_value(),
                        transpose_a=p.transposed == "a",
                        transpose_b=p.transposed == "b",
                    )
                    done.append(tf.reshape(result, [-1])[0])
            with tf.control_dependencies(done):
                step += 1

    return lambda steps: run(tf.constant(steps))


def copy_loop(traffic: float) -> Callable[[int], None]:
    """Returns a function that moves the bytes of n steps, half of them in and half out."""
    source = tf.Variable(tf.random.normal([int(traffic / 8)]), trainable=False)
    target = tf.Variable(tf.zeros_like(source), trainable=False)

    @tf.function
    def run(steps: tf.Tensor) -> None:
        step = tf.constant(0)
        while step < steps:
            moved = target.assign(source.read_value() * 1.5)  # else nothing would be copied
            with tf.control_dependencies([moved]):
                step += 1

    return lambda steps: run(tf.constant(steps))
