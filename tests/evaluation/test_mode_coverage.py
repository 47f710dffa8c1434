import re

import numpy as np
import pytest

from gan.data.datasets import Dataset, Mixture, draw_mixture, load_dataset
from gan.errors import UserError
from gan.evaluation import evaluate, mode_coverage, records
from gan.evaluation.features import Extractor
from gan.evaluation.metrics.comparison import Features
from gan.run.config import Config

SQUARE = Mixture(np.array([[0.0, 0.0], [0.0, 10.0], [10.0, 0.0], [10.0, 10.0]]), 0.5)


def test_counts_by_hand():
    """Of five points one lies 3.2 sd from its centre, two share a mode, one mode has none."""
    points = np.array([[0.1, 0.0], [-0.1, 0.0], [10.0, 1.4], [0.0, 11.6], [9.0, 10.0]])
    found = mode_coverage.mixture_metrics(points, SQUARE)
    assert found["high_quality"] == pytest.approx(4 / 5)
    assert found["modes"] == 3.0
    shares = np.array([2, 1, 1, 1]) / 5
    assert found["reverse_kl"] == pytest.approx(np.sum(shares * np.log(4 * shares)))
    # The only mode with two good points: each 0.1 from their mean, over two axes.
    assert found["sd_ratio"] == pytest.approx(0.1 / (0.97437 * 0.5), rel=1e-4)


def test_nothing_good_is_no_mode():
    found = mode_coverage.mixture_metrics(np.full((10, 2), 5.0), SQUARE)
    assert (found["modes"], found["high_quality"], found["sd_ratio"]) == (0.0, 0.0, 0.0)


@pytest.mark.parametrize("width", [0.5, 1.0])
def test_the_width_of_modes(width):
    points, _ = draw_mixture(SQUARE._replace(sd=0.5 * width), 100_000, 0)
    found = mode_coverage.mixture_metrics(points, SQUARE)
    expected = 0.5 / 0.97437 if width == 0.5 else 1.0  # half as wide: nothing is cut off
    assert found["sd_ratio"] == pytest.approx(expected, abs=0.01)


@pytest.mark.parametrize(("name", "count"), [("gaussian_grid", 25), ("gaussian_ring", 8)])
def test_real_points_reach_the_ceiling(name, count):
    data = load_dataset(name, "", print)
    floors = evaluate.load_modes(name, data).floors(2500)
    assert floors["modes"] == (count, 0.0)
    assert floors["high_quality"].mean == pytest.approx(0.98889, abs=0.002)
    assert floors["high_quality"].sd == pytest.approx(np.sqrt(0.98889 * 0.01111 / 2500), rel=0.5)
    assert floors["reverse_kl"].mean == pytest.approx((count - 1) / 5000, rel=0.2)
    assert floors["sd_ratio"].mean == pytest.approx(1.0, abs=0.01)
    assert data.train_images.shape == (1_000_000, 2)
    assert (data.shape, data.classes) == ((2,), count)
    assert data.train_images.std() == pytest.approx(
        np.sqrt(8.0025) if count == 25 else 0.7072, 0.01
    )


def test_stacks_are_counted_by_the_digits_of_their_channels():
    """A classifier that reads the brightness; 26,000 real stacks have a KL of 0.0236."""

    def extractor(images):
        probabilities = np.eye(10)[images[:, 0, 0, 0]]
        return Features(np.zeros([len(images), 1]), probabilities)

    digits = np.arange(10, dtype=np.uint8).reshape(10, 1, 1, 1)
    data = Dataset(digits, digits.ravel(), digits, digits.ravel(), stack=3)
    assert (data.classes, data.shape) == (1000, (1, 1, 3))
    found = mode_coverage.StackModes("stacked_mnist", data, data.train_labels, extractor)
    samples = np.array([[1, 2, 3], [1, 2, 3], [9, 9, 9], [0, 0, 0]], np.uint8).reshape(4, 1, 1, 3)
    labels = found.data.stacked(*map(found.classify, np.split(samples, 3, axis=-1)))
    assert labels.tolist() == [123, 123, 999, 0]
    metrics = found.compute(samples)
    assert metrics["modes"] == 3.0
    expected = 0.5 * np.log(500) + 2 * 0.25 * np.log(250)
    assert metrics["reverse_kl"] == pytest.approx(expected)
    # Equal classes: (modes - 1) / 2 N.
    assert found.floors(26_000)["reverse_kl"].mean == pytest.approx(999 / 52_000, rel=0.05)


def test_the_floor_of_stacked_mnist():
    data = load_dataset("stacked_mnist", "", print)
    floors = evaluate.load_modes("stacked_mnist", data).floors(26_000)
    assert floors["reverse_kl"].mean == pytest.approx(0.0236, abs=0.0011)
    assert floors["modes"].mean == 1000


def test_a_metric_that_is_not_computed_cannot_keep_the_best():
    data = load_dataset("gaussian_ring", "", print)
    with pytest.raises(UserError, match="keep_best=fcd: gaussian_ring has other metrics"):
        evaluate.evaluators(Config(dataset="gaussian_ring", keep_best="fcd"), data)


def test_a_record_has_floors_and_ideals_and_makes_a_table():
    data = load_dataset("gaussian_grid", "", print)
    points, _ = draw_mixture(data.mixture, 2500, 99)
    record = records.mode_record(evaluate.load_modes("gaussian_grid", data), points, floors=True)
    assert record["features"] is None
    text = records.markdown_table(record)
    assert "| modes ↑ | 25 | 25 (0) | 25 |" in text
    assert re.search(r"\| high_quality ↑ \| 0.9\d+ \| 0.98\d+ \(0.00\d+\) \| 0.9889 \|", text)


def test_the_network_that_tells_digits_is_that_of_the_images():
    assert isinstance(
        evaluate.load_modes("stacked_mnist", load_dataset("stacked_mnist", "", print)).extractor,
        Extractor,
    )
