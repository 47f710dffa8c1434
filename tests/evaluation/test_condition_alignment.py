"""Whether samples are what was asked for: literal values, real images, and a conditional run."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from gan.cli import evaluate as evaluate_command
from gan.cli import report as report_command
from gan.data.datasets import load_dataset
from gan.evaluation import evaluate, reference
from gan.evaluation.condition_alignment import condition_alignment, lines_of
from gan.evaluation.metrics.comparison import Comparison, Features
from gan.evaluation.samples import draw_from_run
from gan.run import jsonl
from gan.run.presets import from_preset
from gan.sampling.drawing import draw
from gan.sampling.latents import latents_of
from gan.training.trainer import train
from support import status_of


def seen(*classes):
    """Features of images that a classifier takes for these classes, of three."""
    return Features(np.zeros((len(classes), 2)), np.eye(3)[list(classes)] * 0.4 + 0.2)


def test_shares_are_those_of_each_class():
    samples, asked = seen(0, 0, 1, 1, 1, 2), np.array([0, 0, 0, 1, 1, 1])
    real, labels = seen(0, 0, 0, 1, 2, 2), np.array([0, 0, 0, 0, 2, 2])
    found = condition_alignment(samples, asked, real, labels, ("cat", "dog|s"))
    assert found["samples"] == pytest.approx(4 / 6)
    assert found["real"] == pytest.approx(3 / 4)  # class 1 has none, class 2 was not asked for
    assert found["classes"] == [
        {"name": "cat", "samples": pytest.approx(2 / 3), "real": 0.75, "num_samples": 3,
         "num_real": 4},
        {"name": "dog|s", "samples": pytest.approx(2 / 3), "real": None, "num_samples": 3,
         "num_real": 0},
    ]  # fmt: skip
    assert lines_of(found) == [
        "condition alignment: 66.67% of the samples are what was asked, to a classifier that is "
        "right about 75.00% of real images",
        "| class | samples, as asked | real images, as labelled |",
        "| --- | --- | --- |",
        "| cat | 66.67% of 3 | 75.00% of 4 |",
        r"| dog\|s | 66.67% of 3 | - |",
    ]


def test_real_images_are_weighted_as_classes_were_asked_for():
    asked, labels = np.array([0, 1, 1, 1]), np.array([0, 0, 1, 1])
    found = condition_alignment(seen(0, 1, 1, 1), asked, seen(0, 0, 1, 0), labels)
    assert found["samples"] == 1
    assert found["real"] == pytest.approx(0.25 * 1 + 0.75 * 0.5)
    assert [row["name"] for row in found["classes"]] == ["0", "1"]


def test_of_many_classes_the_table_has_the_worst():
    rows = [
        {"name": str(i), "samples": i / 30, "real": 1.0, "num_samples": 9, "num_real": 9}
        for i in range(30)[::-1]
    ]
    lines = lines_of({"samples": 0.5, "real": 1.0, "classes": rows})
    assert lines[0].endswith("of real images, the 20 least of 30")
    assert [line.split(" | ")[0] for line in lines[3:]] == [f"| {i}" for i in range(20)]


def test_real_digits_are_what_their_labels_say(monkeypatch):
    data = load_dataset("mnist", "", print)
    real = reference.load_real_features("mnist", data)
    images, labels = data.train_images[:2000], data.train_labels[:2000].astype(np.int64)
    names = tuple("abcdefghij")
    arguments = (real.reference(count=2000), ["classes"], lambda stage: None)
    found, _ = evaluate.evaluate(images, *arguments, labels, names)
    alignment = found["condition_alignment"]
    assert 0.995 < alignment["samples"] <= 1  # training images
    assert alignment["real"] == pytest.approx(0.9956, abs=0.001)  # docs/evaluation.md
    assert "".join(row["name"] for row in alignment["classes"]) == "abcdefghij"
    assert [row["num_real"] for row in alignment["classes"]] == [
        980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009,
    ]  # fmt: skip
    shifted, _ = evaluate.evaluate(images, *arguments, (labels + 1) % 10, names)
    assert 0 <= shifted["condition_alignment"]["samples"] < 0.005
    without, _ = evaluate.evaluate(images, *arguments)
    assert "condition_alignment" not in without
    # A network that tells rotations knows no classes, also where the data have four too.
    monkeypatch.setattr(reference.RealFeatures, "has_classes", False)
    rotations, _ = evaluate.evaluate(
        images, arguments[0], ["coverage"], arguments[2], labels, names
    )
    assert "condition_alignment" not in rotations


def test_a_network_of_other_classes_judges_none():
    data = load_dataset("mnist", "", print).labelled
    against = reference.RealFeatures("mnist", data, None).reference(count=10)
    for classes, knows in ((10, True), (9, False), (1008, False)):
        features = Features(np.zeros((5, 2)), np.zeros((5, classes)))
        labels = evaluate.known_labels(Comparison(against, features, None))
        assert labels is (data.test_labels if knows else None)
    unlabelled = data._replace(train_labels=None, test_labels=None)
    against = reference.RealFeatures("mnist", unlabelled, None).reference(count=10)
    features = Features(np.zeros((5, 2)), np.zeros((5, 10)))
    assert evaluate.known_labels(Comparison(against, features, None)) is None


def judged(run_dir, config, monkeypatch, capsys):
    """Trains, evaluates and reports; returns the record, what was printed, and the page."""
    train(config, run_dir, quiet=True)
    flags = ("--num_images=2000", "--metrics=classes")
    assert status_of(monkeypatch, evaluate_command, run_dir, *flags) == 0
    said = capsys.readouterr().out
    (record,) = jsonl.read_records(run_dir / "evaluations.jsonl")
    assert status_of(monkeypatch, report_command, run_dir, "--explorer=none") == 0
    return record, said, (run_dir / "report.html").read_text()


def test_a_conditional_run_gets_it_in_its_record_and_on_its_page(
    tiny_config, tmp_path, monkeypatch, capsys
):
    config = tiny_config(dataset="mnist", steps=4, conditional=True, auxiliary="acgan")
    record, said, page = judged(tmp_path / "run", config, monkeypatch, capsys)
    assert "condition alignment: " in said
    assert "Condition alignment" in page
    alignment = record["condition_alignment"]
    digits = load_dataset("mnist", "", print)
    asked = np.bincount(digits.random_labels(2000, 0))
    assert [row["num_samples"] for row in alignment["classes"]] == asked.tolist()
    assert 0 < alignment["samples"] < 0.4  # it has learned next to nothing
    assert 0.99 < alignment["real"] < 1
    cells = "".join(f"<td>{alignment[name]:.2%}</td>" for name in ("samples", "real"))
    assert f"<th>all</th>{cells}" in page
    for row in alignment["classes"]:
        cells = f"<td>{row['samples']:.2%}</td><td>{row['real']:.2%}</td>"
        assert f"<th>{row['name']}</th>{cells}" in page

    diversity = record["class_diversity"]
    assert [row["name"] for row in diversity] == list("0123456789")
    for row in diversity:
        assert row["samples"] < 1  # of blurs
        cells = f"<td>{row['samples']:.2f}</td><td>1 ({row['sd']:.2f})</td>"
        assert f"<th>{row['name']}</th>{cells}" in page
    assert "diversity within classes, real images 1: the least is " in said

    network = keras.models.load_model(tmp_path / "run/discriminator.keras")
    _, head = network.predict(digits.test_images / 127.5 - 1, batch_size=1000, verbose=0)
    share = np.mean(head.argmax(1) == digits.test_labels)
    assert record["metrics"]["head_accuracy"] == pytest.approx(share, abs=1e-4)
    assert f"| head_accuracy ↑ | {record['metrics']['head_accuracy']:.4g} | - | - |  |" in said
    least = min(row["samples"] for row in diversity)
    assert record["metrics"]["class_diversity"] == least
    assert f"| class_diversity | {least:.4g} | 1 (0) | - |  |" in said
    board = EventAccumulator(str(tmp_path / "run/tensorboard"), {"tensors": 0})
    board.Reload()
    (event,) = board.Tensors("eval/2000_class_diversity")
    assert tf.make_ndarray(event.tensor_proto).item() == pytest.approx(least)


def test_another_run_gets_none_of_it(tiny_config, tmp_path, monkeypatch, capsys):
    config = tiny_config(dataset="mnist", steps=4)
    record, said, page = judged(tmp_path / "run", config, monkeypatch, capsys)
    assert not {"condition_alignment", "class_diversity"} & set(record)
    assert set(record["metrics"]) == {"classes"}
    for words in ("alignment", "diversity", "head_accuracy"):
        assert words not in said.lower()
    assert "Condition alignment" not in page
    assert "Diversity within classes" not in page


def test_images_of_another_seed_are_judged_by_its_labels(tmp_path, trained_once):
    config = from_preset("tiny", {
        "steps": 4, "steps_per_call": 2, "checkpoint_every": 4, "jit_compile": False,
        "batch_size": 16, "evaluate_every": 0, "conditional": True,
    })  # fmt: skip
    trained_once(config, tmp_path / "run")
    drawn = draw_from_run(
        tmp_path / "run", config, "raw", "latest", count=200, seed=5, data_dir="", print_fn=print
    )
    assert sorted(set(drawn.labels.tolist())) == list(range(10))
    latents = latents_of(np.arange(200), config.latent_dim, 5)
    images = draw(drawn.generator, latents, drawn.labels)
    np.testing.assert_array_equal(drawn.images, images)
    assert not np.array_equal(images, draw(drawn.generator, latents, np.roll(drawn.labels, 1)))
