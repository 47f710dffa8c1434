"""Power-function averages against sums written out, and the fit against a stored trajectory."""

import keras
import numpy as np
import pytest
import scipy.integrate
import tensorflow as tf

from gan.algorithm import power_averages
from gan.algorithm.power_averages import WIDTHS, exponent_of, fit, inner_products, update_averages


def shares_of_steps(exponent, steps, before=0):
    """What an average after `steps` weighs each step's weights: a sum, as the docstring says."""
    t = np.arange(steps + before) + 1.0
    whole = (t / steps) ** (exponent + 1) - ((t - 1) / steps) ** (exponent + 1)
    return np.where(t <= steps, whole, 0.0)


@pytest.mark.parametrize(("width", "exponent"), [(0.05, 16.97), (0.10, 6.94), (12**-0.5, 0.0)])
def test_exponents_are_the_papers(width, exponent):
    """Its section 3.1 has two; the third is a uniform profile, whose sd is known."""
    assert exponent_of(width) == pytest.approx(exponent, abs=0.005)


@pytest.mark.parametrize("width", [0.01, 0.05, 0.1, 0.2, 0.28])
def test_the_width_is_the_standard_deviation_of_the_profile(width):
    g = exponent_of(width)
    profile = lambda t: (g + 1) * t**g  # noqa: E731
    near = 1 - 20 * width  # where a narrow profile begins
    moments = [
        scipy.integrate.quad(lambda t, k=k: t**k * profile(t), max(0, near), 1)[0] for k in range(3)
    ]
    assert moments[0] == pytest.approx(1, abs=1e-4)
    assert np.sqrt(moments[2] - moments[1] ** 2) == pytest.approx(width, rel=1e-3)


def toy(values):
    """A network whose one trainable weight is this vector."""
    network = keras.Sequential([keras.Input((1,)), keras.layers.Dense(len(values), use_bias=False)])
    network.layers[0].kernel.assign(np.float32(values)[None])
    return network


@pytest.fixture(scope="module")
def trajectory():
    """400 steps of three weights: noise around a fall, a random walk, and one that stays."""
    rng = np.random.default_rng(0)
    fall = 3 * np.exp(-np.arange(400) / 60) + rng.normal(0, 0.3, 400)
    return np.stack([fall, 0.1 * rng.normal(size=400).cumsum(), np.full(400, 0.7)], axis=1)


@pytest.fixture(scope="module")
def stored(trajectory):
    """{step: [2, 3]} the kept averages after each step, computed by the compiled update."""
    generator, averages = toy([9, 9, 9]), [toy([5, 5, 5]), toy([-5, -5, -5])]

    @tf.function(autograph=False)
    def update(step, values):
        generator.trainable_variables[0].assign(values[None])
        update_averages(averages, generator, step)

    found = {}
    for step, values in enumerate(trajectory):
        update(tf.constant(step, tf.int64), tf.constant(values, tf.float32))
        found[step + 1] = np.stack([a.trainable_variables[0].numpy()[0] for a in averages])
    return found


def test_the_kept_averages_are_the_sums_that_they_stand_for(trajectory, stored):
    for steps in (1, 2, 37, 400):
        for number, width in enumerate(WIDTHS):
            expected = shares_of_steps(exponent_of(width), steps) @ trajectory[:steps]
            assert stored[steps][number] == pytest.approx(expected, abs=2e-6), (steps, width)
    assert stored[1][0] == pytest.approx(trajectory[0], abs=1e-6)  # nothing of what was before


def test_late_steps_weigh_what_they_should():
    """After a million steps float32 would be off by 6 % in 1 - 1/t."""
    average, generator = toy([0.0]), toy([1.0])
    update_averages([average], generator, tf.constant(999_999, tf.int64))
    gain = average.trainable_variables[0].numpy()[0, 0]
    assert gain == pytest.approx(-np.expm1((exponent_of(0.05) + 1) * np.log1p(-1e-6)), rel=1e-6)
    assert gain == pytest.approx(17.97e-6, rel=1e-3)


def test_inner_products_against_integrals():
    a, ends_a = np.array([16.97, 6.94]), np.array([0.3, 1.0])
    b, ends_b = np.array([0.5, 6.94, 40.0]), np.array([0.8, 1.0, 0.2])
    found = inner_products(a, ends_a, b, ends_b)
    for i in range(2):
        for j in range(3):
            first = min(ends_a[i], ends_b[j])
            product = lambda t: (  # noqa: E731
                (a[i] + 1) * t ** a[i] / ends_a[i] ** (a[i] + 1)  # noqa: B023
                * (b[j] + 1) * t ** b[j] / ends_b[j] ** (b[j] + 1)  # noqa: B023
            )  # fmt: skip
            expected = scipy.integrate.quad(product, 0, first)[0]
            assert found[i, j] == pytest.approx(expected, rel=1e-6)


# Errors of weights and of the profile, as a separate least-squares fit over all 400 steps has them.
@pytest.mark.parametrize(
    ("width", "near", "error"),
    [(0.03, 2e-3, 0.0262), (0.07, 1e-4, 0.0024), (0.15, 2e-4, 0.0058), (0.25, 0.03, 0.0599)],
)
def test_any_average_is_found_afterwards(width, near, error, trajectory, stored):
    """Beside a sum over the whole trajectory, from 20 snapshots of two averages each."""
    steps = np.arange(20, 401, 20)
    exponents = [exponent_of(kept) for kept in WIDTHS]
    made = fit(np.tile(exponents, 20), np.repeat(steps, 2), exponent_of(width), 400)
    assert made.shares.sum() == pytest.approx(1, abs=1e-9)
    found = made.shares @ np.concatenate([stored[step] for step in steps])
    expected = shares_of_steps(exponent_of(width), 400) @ trajectory
    assert found[:2] == pytest.approx(expected[:2], abs=near)
    assert found[2] == pytest.approx(0.7, abs=1e-6)
    assert np.abs(stored[400] - expected)[:, 1].min() > 10 * near  # the kept ones are others
    profiles = [shares_of_steps(g, s, 400 - s) for s in steps for g in exponents]
    wanted = shares_of_steps(exponent_of(width), 400)
    missed = np.linalg.norm(made.shares @ profiles - wanted) / np.linalg.norm(wanted)
    assert missed == pytest.approx(error, abs=6e-5)
    assert made.error == pytest.approx(missed, rel=0.02)


def test_a_kept_average_is_itself():
    steps = np.repeat([100, 200, 300], 2)
    exponents = np.tile([exponent_of(kept) for kept in WIDTHS], 3)
    made = fit(exponents, steps, exponent_of(0.1), 300)
    assert made.shares == pytest.approx([0, 0, 0, 0, 0, 1], abs=1e-6)
    assert made.error < 1e-4
    earlier = fit(exponents[:4], steps[:4], exponent_of(0.05), 200)
    assert earlier.shares == pytest.approx([0, 0, 1, 0], abs=1e-6)


def test_too_few_snapshots_say_so():
    exponents = np.array([exponent_of(kept) for kept in WIDTHS])
    made = fit(exponents, np.array([300, 300]), exponent_of(0.25), 300)
    assert made.shares.sum() == pytest.approx(1, abs=1e-9)
    assert 0.3 < made.error < 1.1


def test_several_hundred_snapshots_are_no_harder():
    """Of which neighbours are nearly the same: no huge shares that would blow up rounding."""
    steps = np.arange(1, 301) * 1000
    exponents = [exponent_of(kept) for kept in WIDTHS]
    made = fit(np.tile(exponents, 300), np.repeat(steps, 2), exponent_of(0.15), 300_000)
    assert made.error < 0.01
    assert np.abs(made.shares).max() < 10
    assert pytest.approx(0.2887, abs=1e-4) == power_averages.WIDEST
