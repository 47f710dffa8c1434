"""ADA's controller, against numbers worked out by hand; its runs are tested beside training's."""

import numpy as np
import pytest
import tensorflow as tf

from gan.algorithm.ada import adapt, new_controller
from gan.algorithm.losses import LOSSES


def moved(shares, images, target=0.6, jit_compile=False):
    """Returns the probability after each step."""
    controller = new_controller()

    @tf.function(jit_compile=jit_compile, autograph=False)
    def step(number, share):
        adapt(controller, share, target, number, images)
        return tf.identity(controller.probability)

    numbers = range(1, len(shares) + 1)
    return [
        float(step(tf.constant(number, tf.int64), tf.constant(share, tf.float32)))
        for number, share in zip(numbers, shares, strict=True)
    ]


@pytest.mark.parametrize("jit_compile", [False, True])
def test_every_four_steps_it_moves_by_the_images_seen(jit_compile):
    """256 images a step: 4 x 256 / 500,000 = 0.002048."""
    step = 0.002048
    # All real images are taken for real: r = 1. Then none: r = -1.
    found = moved([1.0] * 9 + [0.0] * 8, 256, jit_compile=jit_compile)
    expected = [0] * 3 + [step] * 4 + [2 * step] * 4 + [step] * 4 + [0] * 2
    np.testing.assert_allclose(found, expected, atol=1e-7)


def test_it_looks_at_the_mean_of_four_steps():
    """r = 0.6 is a share of 0.8; of 1, 1, 1, 0.25 the mean is 0.8125, of 1, 1, 1, 0.1 0.775."""
    assert moved([1, 1, 1, 0.25], 256)[-1] > 0
    assert moved([1.0] * 4 + [1, 1, 1, 0.1], 256)[-1] == 0.0
    assert moved([0.6] * 4, 256, target=0.1)[-1] > 0


def test_it_stays_between_0_and_1():
    assert moved([0.0] * 8, 256) == [0.0] * 8
    many = moved([1.0] * 20, 62_500)  # half of the way in a move
    assert many[3::4] == [0.5, 1.0, 1.0, 1.0, 1.0]
    assert moved([1.0] * 20 + [0.0] * 4, 62_500)[-1] == 0.5  # nothing beyond 1 is remembered


def test_relativistic_losses_and_wasserstein_have_no_sign():
    assert [name for name, row in LOSSES.items() if not row.absolute] == [
        "wasserstein", "relativistic", "relativistic_average",
        "relativistic_average_least_squares", "relativistic_average_hinge",
    ]  # fmt: skip


def test_a_controller_is_two_numbers():
    assert [float(variable) for variable in new_controller()] == [0.0, 0.0]
