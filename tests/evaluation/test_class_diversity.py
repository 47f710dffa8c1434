"""One class is collapsed and the others are not: what is measured, recorded and said."""

import numpy as np
import pytest

from gan.data.datasets import load_dataset
from gan.errors import UserError
from gan.evaluation import evaluate, reference
from gan.evaluation.class_diversity import class_diversity, lines_of
from gan.run import records
from gan.training import collapse

RNG = np.random.default_rng(0)


def test_a_line_of_points_has_the_distances_of_its_neighbours():
    """Three apart where real ones are so far as those that are drawn."""
    real = np.array([[0.0], [0.5], [6.0], [8.0], [1.0], [5.0]])
    labels = np.array([0, 0, 0, 0, 1, 1])
    samples = np.array([[1.0], [4.0], [9.0]])
    (row,) = class_diversity(samples, np.array([0, 0, 1]), real, labels, ("cat",))
    drawn = [np.random.default_rng([0, draw]).permutation(4)[:2] for draw in range(5)]
    usual = np.mean([abs(real[a, 0] - real[b, 0]) for a, b in drawn])
    assert usual > 0
    assert (row["name"], row["num_images"], row["real"]) == ("cat", 2, 1.0)
    assert row["samples"] == pytest.approx(3 / usual)  # class 1 has one sample and two images


def test_one_collapsed_class_of_ten_stands_out():
    real, labels = RNG.normal(size=(2000, 16)), np.arange(2000) % 10
    samples, asked = RNG.normal(size=(1000, 16)), np.arange(1000) % 10
    samples[asked == 7] = samples[7] + 1e-3 * RNG.normal(size=(100, 16))
    rows = class_diversity(samples, asked, real, labels)
    assert [row["name"] for row in rows if row["samples"] < collapse.LOW_DIVERSITY] == ["7"]
    others = [row["samples"] for row in rows if row["name"] != "7"]
    assert others == pytest.approx([1.0] * 9, abs=0.1)
    assert max(row["sd"] for row in rows) < 0.1
    samples[asked == 7] = samples[[7, 17, 27, 37, 47]].repeat(20, axis=0)  # five images
    assert class_diversity(samples, asked, real, labels)[7]["samples"] < 1e-6
    lines = lines_of(rows)
    assert lines[0].endswith("the least is 0.00, of class 7")
    assert len(lines) == 3 + 10


def test_real_digits_of_a_class_in_place_of_samples():
    """Through the packaged network; other images of the class get what its own get."""
    data = load_dataset("mnist", "", print)
    real = reference.load_real_features("mnist", data)
    images, labels = data.train_images[:2000].copy(), data.train_labels[:2000]
    collapsed = np.flatnonzero(labels == 3)
    images[collapsed] = images[collapsed[0]]
    comparison = real.reference(count=2000).compare(images)
    record = {"metrics": {"fcd": 1.0}}
    evaluate.add_class_diversity(record, comparison, real, labels, ())
    rows = {row["name"]: row["samples"] for row in record["class_diversity"]}
    assert record["metrics"] == {"fcd": 1.0, "class_diversity": rows["3"]}
    assert rows.pop("3") < 1e-3
    assert len(rows) == 9
    assert min(rows.values()) > 0.8
    assert max(rows.values()) < 1.2


def evaluation(step, fcd, **diversity):
    rows = [{"name": n, "samples": v, "real": 1.0, "sd": 0.05} for n, v in diversity.items()]
    metrics = {"fcd": fcd, "coverage": 0.7, "classes": 10}
    return {"step": step, "metrics": metrics, "class_counts": [9] * 10, "class_diversity": rows}


def test_the_sign_names_the_collapsed_class():
    healthy = [evaluation(1, 9.0, a=0.9, b=0.9), evaluation(2, 5.0, a=0.8, b=0.9)]
    flat = [evaluation(3, 5.0, a=0.8, b=0.1), evaluation(4, 5.1, a=0.8, b=0.0)]
    found = collapse.collapse_signs([], [*healthy, *flat])
    assert list(found) == ["class_collapse"]
    assert "(class b, 1 in all, FCD 5.1)" in found["class_collapse"]
    assert set(found) <= set(collapse.SIGNS)
    # Once is not enough, nor another class each time; progress is no collapse.
    assert not collapse.collapse_signs([], [*healthy, flat[0]])
    assert not collapse.collapse_signs([], [*healthy, flat[0], evaluation(4, 5.1, a=0.1, b=0.9)])
    assert not collapse.collapse_signs([], [*healthy, flat[0], evaluation(4, 4.0, a=0.8, b=0.0)])
    assert not collapse.collapse_signs([], [*healthy, evaluation(3, 5.0), evaluation(4, 5.0)])


@pytest.mark.parametrize("rows", [{}, [1], [{"name": "a"}], [{"name": 1, "samples": 1, "real": 1}]])
def test_a_damaged_record_is_refused(rows, tmp_path):
    import json

    path = tmp_path / "evaluations.jsonl"
    path.write_text(json.dumps({**evaluation(1, 2.0), "class_diversity": rows}) + "\n")
    with pytest.raises(UserError, match="class_diversity"):
        records.read_evaluations(path)


def test_more_samples_than_half_of_the_real_images_count_as_many():
    """Neighbours of a larger set are nearer."""
    real, samples = RNG.normal(size=(200, 2)), RNG.normal(size=(2000, 2))
    (row,) = class_diversity(samples, np.zeros(2000, int), real, np.zeros(200, int))
    assert row["num_images"] == 100
    assert 0 < row["sd"] < 0.3
    assert row["samples"] == pytest.approx(1, abs=0.25)
