"""The kernel distance written out, and over many draws."""

import numpy as np
import pytest

from gan.evaluation.metrics.kid import kid, squared_mmd
from support import gaussians


def test_squared_mmd_written_out():
    x, y = gaussians(0, 30, 5), gaussians(1, 30, 5, mean=0.5)
    kernel = np.vectorize(lambda a, b: (np.dot(a, b) / 5 + 1) ** 3, signature="(d),(d)->()")
    pairs = [(i, j) for i in range(30) for j in range(30) if i != j]
    within = np.mean([kernel(x[i], x[j]) + kernel(y[i], y[j]) for i, j in pairs])
    between = np.mean([kernel(a, b) for a in x for b in y])
    assert squared_mmd(x, y) == pytest.approx(within - 2 * between, rel=1e-10)


def test_kid_is_the_mean_of_disjoint_blocks_with_its_standard_error():
    x, y = gaussians(0, 400, 5), gaussians(1, 500, 5, mean=0.5)
    rng = np.random.default_rng(7)
    a, b = rng.permutation(400).reshape(10, 40), rng.permutation(500)[:400].reshape(10, 40)
    values = [squared_mmd(x[i], y[j]) for i, j in zip(a, b, strict=True)]
    mean, error = kid(x, y, seed=7)
    assert mean == pytest.approx(np.mean(values), rel=1e-10)
    assert error == pytest.approx(np.std(values, ddof=1) / np.sqrt(10), rel=1e-10)


def test_kid_is_unbiased():
    found = [kid(gaussians(2 * i, 500, 8), gaussians(2 * i + 1, 500, 8)) for i in range(30)]
    means, errors = np.array(found).T
    assert abs(means.mean()) < 3 * means.std() / np.sqrt(30)
    assert errors.mean() == pytest.approx(means.std(), rel=0.35)  # the error bar is honest
