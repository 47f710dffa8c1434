"""Samples, records and the evaluation command."""

import json
import os
import shutil
import subprocess
import sys
from types import SimpleNamespace

import keras
import numpy as np
import pytest
import tensorflow as tf
from absl.flags import FlagValues
from PIL import Image
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from gan.cli import evaluate as command_line
from gan.data.datasets import Dataset, load_dataset, with_train_images
from gan.errors import UserError
from gan.evaluation import (
    evaluate,
    feature_networks,
    features,
    image_files,
    nearest,
    records,
    reference,
    samples,
)
from gan.evaluation.metrics.comparison import Comparison
from gan.evaluation.metrics.table import METRICS, compute_metrics
from gan.models.build import build_generator
from gan.run import jsonl, scalars
from gan.run.config import Config
from gan.sampling import drawing, generators
from gan.sampling.latents import latents_of
from gan.training.checkpoints import checkpoint_manager, restore
from gan.training.state import build_state
from gan.training.trainer import train
from pages import write_run
from support import ROOT, status_of

SHAPE = (28, 28, 1)
DATA = Dataset(np.zeros((1, 28, 28, 1), np.uint8))


@pytest.fixture
def generator():
    return keras.Sequential([
        keras.Input((3,)), keras.layers.Dense(784, activation="tanh"), keras.layers.Reshape(SHAPE),
    ])  # fmt: skip


def test_samples_do_not_depend_on_the_batch(generator, monkeypatch):
    whole = drawing.sample(generator, range(1100), noise_seed=1)
    assert (whole.shape, whole.dtype) == ((1100, *SHAPE), np.uint8)
    monkeypatch.setattr(drawing, "SAMPLE_BATCH", 77)
    parts = drawing.sample(generator, range(1100), noise_seed=1)
    assert np.abs(whole.astype(int) - parts).max() <= 1
    assert (whole == parts).mean() > 0.999
    images = generator(latents_of([0], 3, 1)).numpy()
    assert np.array_equal(whole[0], np.round((images[0] + 1) * 127.5).astype(np.uint8))


@pytest.fixture
def run_dir(trained_once, tiny_config, tmp_path):
    trained_once(tiny_config(ema_half_life=10**6), tmp_path / "run")
    return tmp_path / "run"


def test_any_checkpoint_gives_its_generator(run_dir, tiny_config):
    for checkpoint, step in (("latest", 12), ("6", 6), ("12", 12)):
        for weights, part in (("ema", "ema_generator"), ("raw", "generator")):
            got, found = generators.restore_generator(run_dir, DATA, weights, checkpoint)
            assert (found, got.input_shape) == (step, (None, 8))
            state = build_state(tiny_config(), SHAPE)
            manager = checkpoint_manager(state, run_dir, 3)
            manager.checkpoint.restore(str(run_dir / f"checkpoints/step-{step}")).expect_partial()
            expected = getattr(state, part).get_weights()
            assert all(
                np.array_equal(a, b) for a, b in zip(got.get_weights(), expected, strict=True)
            )
    for checkpoint in ("7", "best", "", "x"):
        with pytest.raises(
            UserError, match=f"--checkpoint={checkpoint}: must be one of latest, 6, 1"
        ):
            generators.restore_generator(run_dir, DATA, "ema", checkpoint)


def test_a_generator_given_from_python_can_be_evaluated(tiny_config, tmp_path, generator):
    own = keras.Sequential([
        keras.Input((8,)), keras.layers.Dense(784, activation="tanh"), keras.layers.Reshape(SHAPE),
    ])  # fmt: skip
    train(tiny_config(), tmp_path, generator=own, quiet=True)
    raw, *_ = generators.restore_generator(tmp_path, DATA, "raw", "latest")
    assert all(
        np.array_equal(a, b) for a, b in zip(raw.get_weights(), own.get_weights(), strict=True)
    )


def test_a_checkpoint_that_lacks_a_layer_is_refused(tiny_config, tmp_path):
    def network(*more):
        return keras.Sequential([
            keras.Input((8,)), keras.layers.Dense(784), keras.layers.Reshape(SHAPE), *more,
        ])  # fmt: skip

    train(tiny_config(), tmp_path, generator=network(), quiet=True)
    network(keras.layers.BatchNormalization()).save(tmp_path / "generator.keras")
    with pytest.raises(UserError, match="step-12: cannot be restored into the generator"):
        generators.restore_generator(tmp_path, DATA)


def test_what_is_no_run_or_has_no_checkpoint_is_refused(run_dir, tmp_path):
    with pytest.raises(UserError, match="is not a run, it has no config"):
        generators.restore_generator(tmp_path, DATA, "ema", "latest")
    for path in (run_dir / "checkpoints").iterdir():
        path.unlink()
    with pytest.raises(UserError, match="has no checkpoint yet"):
        generators.restore_generator(run_dir, DATA, "ema", "latest")


def test_a_damaged_checkpoint_is_refused(run_dir):
    (run_dir / "checkpoints/step-12.data-00000-of-00001").write_bytes(b"")
    with pytest.raises(UserError, match=r"step-12: cannot be restored into the generator"):
        generators.restore_generator(run_dir, DATA, "ema", "12")


@pytest.fixture
def digits():
    return np.random.default_rng(0).integers(0, 256, (1000, *SHAPE), np.uint8)


def test_samples_from_npz_files(digits, tmp_path):
    path = tmp_path / "x.npz"
    for array, how in ((digits, "uint8"), (digits[..., 0], "uint8"),
                       (digits / np.float32(255), "floats in 0..1"),
                       (digits / 127.5 - 1, "floats in -1..1")):  # fmt: skip
        for name in ("images", "arr_0", "whatever"):
            np.savez(path, **{name: array})
            got, read_as = image_files.read_samples(path, SHAPE)
            assert np.array_equal(got, digits), how
            assert (read_as, got.dtype) == (how, np.uint8)
    np.savez(path, images=digits, labels=np.zeros(1000))
    assert np.array_equal(image_files.read_samples(path, SHAPE)[0], digits)


def test_samples_from_png_files(digits, tmp_path):
    for i, image in enumerate(digits):
        path = tmp_path / f"{i % 10}" / f"{i:04d}.png"
        path.parent.mkdir(exist_ok=True)
        if i % 2:  # other programs write grey images as colour
            image = image.repeat(3, 2)
        path.write_bytes(tf.io.encode_png(image).numpy())
    (tmp_path / "readme.txt").write_text("no image")
    (tmp_path / "0" / "0010.png").rename(tmp_path / "0" / "0010.PNG")
    for hidden in ("._0000.png", ".trash/0000.png"):  # as macOS leaves behind
        (tmp_path / hidden).parent.mkdir(exist_ok=True)
        (tmp_path / hidden).write_bytes(b"\0\5\26\7Mac OS X")
    got, how = image_files.read_samples(tmp_path, SHAPE)
    order = sorted(range(1000), key=lambda i: (i % 10, i))
    assert np.abs(got.astype(int) - digits[order]).max() <= 1  # grey of three equal channels
    assert how == "PNG files"
    (tmp_path / "0" / "0000.png").write_bytes(tf.io.encode_png(digits[0, :20]).numpy())
    with pytest.raises(UserError, match=r"0000\.png: is \[20, 28, 1\], must be \[28, 28, 1\]"):
        image_files.read_samples(tmp_path, SHAPE)
    grey = Image.fromarray(digits[0, ..., 0])
    for alpha, right in ((255, True), (254, False)):
        rgba = Image.merge("RGBA", [grey, grey, grey, Image.new("L", (28, 28), alpha)])
        rgba.save(tmp_path / "0" / "0000.png")
        if right:
            assert np.array_equal(image_files.read_samples(tmp_path, SHAPE)[0][0], digits[0])
        else:
            with pytest.raises(UserError, match=r"0000\.png: cannot be read \(has transparent pix"):
                image_files.read_samples(tmp_path, SHAPE)
    (tmp_path / "0" / "0000.png").write_bytes(b"torn")
    with pytest.raises(UserError, match=r"0000\.png: cannot be read"):
        image_files.read_samples(tmp_path, SHAPE)
    (tmp_path / "0" / "0000.png").unlink()
    with pytest.raises(UserError, match="holds 999 PNG files, must be at least 1000"):
        image_files.read_samples(tmp_path, SHAPE)


NAN = np.zeros((1000, *SHAPE), np.float32)
NAN[3, 4, 5] = np.nan
BAD_ARRAYS = [
    (NAN, "has pixels that are NaN or infinite"),
    (np.full((1000, *SHAPE), np.inf), "has pixels that are NaN or infinite"),
    (np.full((1000, *SHAPE), 255.0), "has floats from 255 to 255, must be in 0..1, in -1..1"),
    (np.full((1000, *SHAPE), -1.1), "has floats from -1.1 to -1.1, must be in 0..1"),
    (np.linspace(-0.5, 0.5, 784_000).reshape(1000, *SHAPE), "has floats from -0.5 to 0.5, must be"),
    (np.linspace(-1, 0, 784_000).reshape(1000, *SHAPE), "has floats from -1 to 0, must be in 0..1"),
    (
        np.linspace(0, 0.06, 784_000).reshape(1000, *SHAPE),
        "images are nearly black, no value is ab",
    ),
    (
        np.arange(784_000).astype(np.uint8).reshape(1000, *SHAPE) // 16,
        "images are nearly black, no",
    ),
    (np.full((1000, *SHAPE), 200, np.uint8), "images are all of one colour (200)"),
    (np.full((1000, *SHAPE), -0.01), "has floats from -0.01 to -0.01, must be in 0..1"),
    (np.full((999, *SHAPE), 9, np.uint8), "holds 999 images, must be at least 1000"),
    (np.full((1000, 32, 32), 9, np.uint8), "images are [32, 32, 1], must be [28, 28, 1]"),
    (np.full((1000, 28, 28, 3), 9, np.uint8), "images are [28, 28, 3], must be [28, 28, 1]"),
    (np.zeros((1000, 784), np.uint8), "is [1000, 784], must be [N, H, W] or [N, H, W, C]"),
    (np.zeros((0, 28, 28), np.uint8), "is [0, 28, 28], must be [N, H, W] or"),
    (np.ones((1000, 28, 28), np.uint8), "is uint8 with nothing above 1, must be in 0..255"),
    (np.zeros((1000, 28, 28), np.int64), "is int64, must be uint8 or floats"),
    (np.array([{}], object), "is not an npz file of images"),
]


@pytest.mark.parametrize(("array", "message"), BAD_ARRAYS, ids=[m[:40] for _, m in BAD_ARRAYS])
def test_bad_arrays_are_refused(array, message, tmp_path):
    np.savez(tmp_path / "x.npz", array)
    with pytest.raises(UserError) as error:
        image_files.read_samples(tmp_path / "x.npz", SHAPE)
    assert str(error.value).startswith(f"--samples={tmp_path / 'x.npz'}: {message}")
    assert "\n" not in str(error.value)


def test_samples_of_half_a_range_get_a_warning(digits, tmp_path):
    """Floats of 0..1 that were converted as if of -1..1, by whoever wrote them."""
    said = []
    np.savez(tmp_path / "x.npz", 127 + digits // 2)
    image_files.read_samples(tmp_path / "x.npz", SHAPE, said.append)
    assert [line.startswith(f"warning: --samples={tmp_path}") for line in said] == [True]
    assert "images use only the values 127 to 254 of 0..255" in said[0]
    np.savez(tmp_path / "x.npz", digits // 2 + digits % 7)
    image_files.read_samples(tmp_path / "x.npz", SHAPE, said.append)
    assert len(said) == 1


def test_bad_files_are_refused(tmp_path):
    with pytest.raises(UserError, match="must be a directory of PNG files or an npz file"):
        image_files.read_samples(tmp_path / "nothing", SHAPE)
    (tmp_path / "x.npz").write_bytes(b"not a zip file")
    with pytest.raises(UserError, match="is not an npz file of images"):
        image_files.read_samples(tmp_path / "x.npz", SHAPE)
    np.savez(tmp_path / "y.npz", a=np.zeros(3), b=np.zeros(3))
    with pytest.raises(UserError, match="holds a, b, one must be named images"):
        image_files.read_samples(tmp_path / "y.npz", SHAPE)


def call(monkeypatch, *arguments):
    return status_of(monkeypatch, command_line, *arguments)


def mnist_images(count):
    return load_dataset("mnist", "", print).test_images[:count]


def test_images_from_elsewhere_get_a_table_and_a_record(tmp_path, monkeypatch, capsys):
    """The test images themselves: everything about them is suspiciously good."""
    images = mnist_images(10_000)
    chosen = np.sort(np.random.default_rng(0).permutation(10_000)[:2000])  # the reference's
    np.savez(tmp_path / "x.npz", images[chosen])
    names = "fcd,kid,precision,coverage,one_nn_accuracy,classifier_score,class_kl"
    out = tmp_path / "records.jsonl"
    flags = (f"--samples={tmp_path / 'x.npz'}", f"--metrics={names}", f"--out={out}")
    assert call(monkeypatch, *flags) == 0
    printed, progress = capsys.readouterr()
    (record,) = map(json.loads, out.read_text().splitlines())
    assert list(record["metrics"]) == names.split(",")
    assert record["metrics"]["fcd"] == pytest.approx(0, abs=1e-6)
    assert record["metrics"]["precision"] == record["metrics"]["coverage"] == 1
    assert record["metrics"]["one_nn_accuracy"] == 0
    assert set(record["suspicious"]) >= {"fcd", "precision", "coverage", "one_nn_accuracy"}
    assert (record["num_images"], record["read_as"]) == (2000, "uint8")
    assert record["reference"] == {"dataset": "mnist", "split": "test", "num_images": 2000}
    assert record["features"]["sha256"] == features.DIGESTS["mnist-cnn-a-v1"]
    assert sum(record["class_counts"]) == 2000
    assert "| one_nn_accuracy ↓ | 0 | 0.5" in printed
    assert printed.count("suspicious") == len(record["suspicious"])
    assert "computing: precision\n" in progress
    assert "computing" not in printed
    assert "measuring what" not in progress  # the floors of 2,000 come with the package
    assert call(monkeypatch, *flags) == 0
    assert len(out.read_text().splitlines()) == 2  # appended, never overwritten


def test_the_table_has_floors_and_ideals():
    images = load_dataset("mnist", "", print)
    against = reference.load_real_features("mnist", images).reference(count=2000)
    result, picture = evaluate.evaluate(images.train_images[:2000], against, ["fcd", "classes"])
    assert picture is None
    floor = reference.floors(against, 2000)["fcd"]
    lines = records.markdown_table(result).splitlines()
    assert lines[2] == (
        f"| fcd ↓ | {result['metrics']['fcd']:.4g} | {floor.mean:.4g} ({floor.sd:.4g}) "
        f"| {against.ideals(2000)['fcd']:.4g} |  |"
    )
    assert lines[3] == "| classes ↑ | 10 | 10 (0) | 10 |  |"
    assert result["suspicious"] == []
    # Two independent draws of real images: within 4 sd of the floor, and near the closed form.
    assert result["metrics"]["fcd"] == pytest.approx(floor.mean, abs=4 * floor.sd)
    with pytest.raises(UserError, match="--metrics=fid: must be among fcd"):
        evaluate.evaluate(images.train_images[:2000], against, ["fid"])


def test_the_picture_of_nearest_training_images():
    images = np.arange(30, dtype=np.uint8).reshape(30, 1, 1, 1)
    training = 100 + np.arange(50, dtype=np.uint8).reshape(50, 1, 1, 1)
    comparison = Comparison(SimpleNamespace(learned=training), None, images)
    comparison.nearest_in_features = np.arange(30)[::-1], np.arange(30) + 1
    comparison.nearest_in_pixels = None, np.arange(30) + 2
    picture = nearest.nearest_picture(comparison)
    cells = picture[::3, ::3, 0][2::3, 2::3]
    columns = np.concatenate([np.arange(10), np.arange(29, 19, -1)])
    assert cells.tolist() == [list(columns), list(101 + columns), list(102 + columns)]


def test_light_evaluations_are_called_by_the_trainer(tiny_config, tmp_path):
    config = tiny_config(dataset="mnist", steps=4, evaluate_every=2)
    data = load_dataset("mnist", "", print)
    said = []
    watchers = evaluate.evaluators(config, data, said.append)
    train(config, tmp_path, data=data, make_evaluators=lambda *_: watchers, quiet=True)
    records = jsonl.read_records(tmp_path / "evaluations.jsonl")
    assert [r["step"] for r in records] == [2, 4]
    for record in records:
        assert list(record["metrics"]) == ["fcd", "coverage", "classes"]
        assert record["metrics"]["fcd"] > 10
        assert (record["num_images"], record["evaluator"]) == (2000, "light")
        assert (record["weights"], record["seed"]) == ("ema", 0)
        assert record["source"] == "training"
        fcd, coverage = (record["metrics"][name] for name in ("fcd", "coverage"))
        assert said.pop(0) == (
            f"{record['step']} evaluation of 2,000 samples: fcd {fcd:.4g} (real 0.4115), coverage "
            f"{coverage:.4g} (real 0.9538), classes {record['metrics']['classes']:.0f} (real 10)"
        )
    assert said == []
    # The same images judged again, from the checkpoint.
    generator, *_ = generators.restore_generator(tmp_path, DATA, "ema", "latest")
    state = build_state(config, SHAPE)
    restore(state, checkpoint_manager(state, tmp_path, 3))
    images = drawing.sample(generator, range(2000))
    seen = reference.load_real_features("mnist", data)
    comparison = seen.reference(count=2000).compare(images)
    again = compute_metrics(comparison, evaluate.LIGHT_METRICS)
    assert again == pytest.approx(records[-1]["metrics"], rel=1e-6)
    assert evaluate.evaluators(tiny_config(evaluate_every=0), data) == {}


def test_every_convention_is_one_sentence():
    for metric in METRICS.values():
        assert 10 < len(metric.convention) < 120
        assert metric.convention.count(".") <= 1
        assert "\n" not in metric.convention


def test_a_record_can_be_written_as_json():
    against = reference.load_real_features("mnist", load_dataset("mnist", "", print)).reference(
        count=2000
    )
    result, _ = evaluate.evaluate(mnist_images(2000), against, ["fcd_infinity", "classifier_score"])
    again = json.loads(json.dumps(result, allow_nan=False))
    assert again["ideals"]["classifier_score"] == pytest.approx(9.98, abs=0.01)


@pytest.fixture
def mnist_run(trained_once, tiny_config, tmp_path):
    config = tiny_config(dataset="mnist", d_steps=2, ema_half_life=10**6)
    trained_once(config, tmp_path / "run")
    return tmp_path / "run"


@pytest.mark.parametrize(
    ("of_run", "flags", "judged"),
    [("raw", (), "raw"), ("ema", (), "ema"), ("raw", ("--weights=ema",), "ema"),
     ("ema", ("--weights=raw",), "raw")],
)  # fmt: skip
def test_it_judges_what_the_run_draws_unless_told(
    of_run, flags, judged, tmp_path, monkeypatch, capsys
):
    run_dir = write_run(tmp_path / "run", dataset="mnist", sample_weights=of_run)

    def draw(run_dir, config, weights, *others, **more):
        raise UserError(f"asked for {weights}")

    monkeypatch.setattr(samples, "draw_from_run", draw)
    assert call(monkeypatch, f"--run_dir={run_dir}", *flags) == 2
    assert f"asked for {judged}\n" in capsys.readouterr().err


def test_what_samples_add_is_not_asked_of_few_images(tmp_path, monkeypatch, capsys):
    """The classifiers that it compares would learn from images that the run never had."""
    run_dir = write_run(tmp_path / "run", dataset="mnist", conditional=True, train_images=100)
    assert call(monkeypatch, f"--run_dir={run_dir}", "--classification_accuracy") == 2
    assert "the run had --train_images=100\n" in capsys.readouterr().err


def test_a_run_gets_a_record_scalars_and_a_picture(mnist_run, monkeypatch, capsys):
    flags = (f"--run_dir={mnist_run}", "--num_images=2000")
    assert call(monkeypatch, *flags) == 0
    out = capsys.readouterr().out
    assert call(monkeypatch, *flags, "--weights=raw", "--checkpoint=6", "--metrics=fcd",
                "--features=cnn-b", "--seed=5") == 0  # fmt: skip
    first, second = jsonl.read_records(mnist_run / "evaluations.jsonl")
    assert list(first["metrics"]) == list(METRICS)
    assert {name: first[name] for name in ("step", "weights", "checkpoint", "seed", "source")} == {
        "step": 12, "weights": "ema", "checkpoint": "latest", "seed": 0, "source": "evaluate",
    }  # fmt: skip
    assert first["kimg"] == pytest.approx(12 * 2 * 16 / 1000)  # two updates of D a step
    assert first["floors"].keys() == first["ideals"].keys() == first["metrics"].keys()
    assert (second["step"], second["weights"], list(second["metrics"])) == (6, "raw", ["fcd"])
    assert (first["features"]["name"], second["features"]["name"], second["seed"]) == (
        "mnist-cnn-a-v1", "mnist-cnn-b-v1", 5,
    )  # fmt: skip
    assert "| fcd ↓ |" in out
    pictures = [path.name for path in (mnist_run / "samples").glob("nearest*")]
    assert pictures == ["nearest_2000_00000012.png"]
    board = EventAccumulator(str(mnist_run / "tensorboard"), {"tensors": 0})
    board.Reload()
    for tag, step, record in (("2000", 12, first), ("raw_cnn-b_2000_seed5", 6, second)):
        for name, value in record["metrics"].items():
            (event,) = board.Tensors(f"eval/{tag}_{name}")
            words = board.SummaryMetadata(f"eval/{tag}_{name}").summary_description
            assert words == scalars.METRICS[name]
            assert event.step == step
            assert tf.make_ndarray(event.tensor_proto).item() == pytest.approx(value, rel=1e-6)
    # The record is about these very images.
    generator, _ = generators.restore_generator(mnist_run, DATA)
    seen = reference.load_real_features("mnist", load_dataset("mnist", "", print))
    images = drawing.sample(generator, range(2000))
    again = compute_metrics(seen.reference(count=2000).compare(images), ["fcd"])
    assert again["fcd"] == pytest.approx(first["metrics"]["fcd"], rel=1e-6)
    generator, _ = generators.restore_generator(mnist_run, DATA, "raw", "6")
    images = drawing.sample(generator, range(2000), noise_seed=5)
    seen = reference.load_real_features("mnist", load_dataset("mnist", "", print), "cnn-b")
    again = compute_metrics(seen.reference(count=2000).compare(images), ["fcd"])
    assert again["fcd"] == pytest.approx(second["metrics"]["fcd"], rel=1e-6)


def test_a_generator_of_anywhere_is_judged_as_that_of_a_run(mnist_run, tmp_path, monkeypatch):
    out, file = tmp_path / "records.jsonl", tmp_path / "mine.keras"
    shutil.copy(mnist_run / "generator.keras", file)
    flags = ("--metrics=fcd", "--num_images=1500", "--seed=3")
    assert call(monkeypatch, f"--samples={file}", f"--out={out}", *flags) == 0
    assert call(monkeypatch, mnist_run, *flags) == 0
    alone = json.loads(out.read_text())
    (of_run,) = jsonl.read_records(mnist_run / "evaluations.jsonl")
    assert (alone["num_images"], alone["read_as"], alone["seed"]) == (1500, "drawn by it", 3)
    assert alone["metrics"] == of_run["metrics"]


@pytest.mark.parametrize(
    ("features", "reason"),
    [
        ("cnn-a", "--dataset=synthetic: has no test images to compare with"),
        ("inception", "--features=inception: synthetic has 0 test images, must have at least 100"),
    ],
)
@pytest.mark.parametrize("place", ["--run_dir={0}", "--samples={0}/generator.keras"])
def test_data_without_test_images_are_refused_before_anything_is_drawn(
    place, features, reason, run_dir, monkeypatch, synthetic, capsys
):
    monkeypatch.setattr(samples, "dataset_from_config", lambda *arguments: Dataset(synthetic))
    monkeypatch.setattr(samples.drawing, "sample_for_evaluation", None)
    flags = ["--dataset=synthetic"] if place.startswith("--samples") else []
    assert call(monkeypatch, place.format(run_dir), f"--features={features}", *flags) == 2
    assert f"error: {reason}" in capsys.readouterr().err


@pytest.mark.parametrize("seed", [0, 5])
@pytest.mark.parametrize("place", ["--run_dir={0}", "--samples={0}/generator.keras"])
def test_the_seed_is_that_of_the_flag(place, seed, run_dir, monkeypatch, synthetic):
    """What is judged are the images of these very latents, drawn here without the product."""
    judged = []

    def stop(drawn, *arguments, **more):
        judged.append(drawn)
        raise UserError("enough")

    data = Dataset(synthetic)
    monkeypatch.setattr(evaluate, "evaluate_samples", stop)
    monkeypatch.setattr(evaluate, "check_comparable", lambda *arguments, **more: None)
    monkeypatch.setattr(samples, "dataset_from_config", lambda *arguments: data)
    flags = (place.format(run_dir), f"--seed={seed}", "--num_images=1000", "--metrics=fcd")
    assert call(monkeypatch, *flags) == 2
    (drawn,) = judged
    assert drawn.origin["seed"] == seed
    generator = keras.models.load_model(run_dir / "generator.keras")
    images = generator(latents_of(range(1000), 8, seed), training=False).numpy()
    expected = np.round((images + 1) * 127.5)
    assert np.abs(drawn.images - expected).max() <= 1
    others = generator(latents_of(range(1000), 8, seed + 1), training=False).numpy()
    assert np.abs(drawn.images - np.round((others + 1) * 127.5)).max() > 2


def test_the_split_is_that_of_the_flag(mnist_run, monkeypatch):
    judged = []

    def stop(images, against, names, advance, asked, class_names):
        judged.append((len(images), against.split))
        raise UserError("enough")

    monkeypatch.setattr(evaluate, "evaluate", stop)
    flags = (f"--run_dir={mnist_run}", "--split=train", "--num_images=1500", "--metrics=fcd")
    assert call(monkeypatch, *flags) == 2
    assert judged == [(1500, "train")]


@pytest.mark.parametrize(
    ("flags", "tag"),
    [
        ((), ""),
        (("--num_images=10000",), ""),
        (("--weights=ema", "--num_images=10000", "--metrics=fcd", "--checkpoint=6"), ""),
        (("--split=train",), "train"),
        (("--seed=5", "--split=train"), "train_seed5"),
        (("--features=cnn-b", "--num_images=2000"), "cnn-b_2000"),
    ],
)
def test_curves_of_other_evaluations_have_other_names(flags, tag):
    """Whether weights were named or are those that the run draws."""
    values = FlagValues()
    command_line.define(values)
    values(["evaluate", *flags])
    assert command_line.tag_of(values, "ema", None) == tag
    assert command_line.tag_of(values, "raw", None) == "_".join(filter(None, ["raw", tag]))
    values["ema_sigma"].value = 0.05
    of_sigma = "_".join(filter(None, ["sigma0.05", tag]))
    assert command_line.tag_of(values, "posthoc", None) == of_sigma


@pytest.mark.parametrize(
    ("flags", "tag"),
    [
        ((), ""),
        (("--num_images=2500",), ""),
        (("--num_images=10000",), "10000"),
        (("--num_images=5000", "--seed=5"), "5000_seed5"),
    ],
)
def test_where_another_number_is_usual_it_has_no_name(flags, tag):
    """As of points: 2,500."""
    values = FlagValues()
    command_line.define(values)
    values(["evaluate", *flags])
    assert command_line.tag_of(values, "ema", 2500) == tag


@pytest.mark.parametrize(("name", "kind"), [("evaluations.jsonl", "file"), ("tensorboard", "dir")])
def test_what_cannot_be_written_is_named_in_one_line(name, kind, mnist_run, monkeypatch, capsys):
    path = mnist_run / name
    if path.is_dir():
        shutil.rmtree(path)
        path.write_text("")
    else:
        path.mkdir()
    flags = (f"--run_dir={mnist_run}", "--num_images=2000", "--metrics=classes")
    assert call(monkeypatch, *flags) == 2
    err = capsys.readouterr().err
    assert err.startswith(f"error: {path}: must be a {kind}")
    assert err.count("\n") == 1


def test_a_run_in_a_read_only_place_is_refused_before_anything_is_computed(
    mnist_run, monkeypatch, capsys
):
    # Tests may run as root, who may write everywhere.
    monkeypatch.setattr(os, "access", lambda path, mode: False)
    monkeypatch.setattr(drawing, "sample", None)
    assert call(monkeypatch, f"--run_dir={mnist_run}") == 2
    assert f"--run_dir={mnist_run}: cannot be written" in capsys.readouterr().err


def test_more_images_than_have_floors_are_refused():
    seen = reference.load_real_features("mnist", load_dataset("mnist", "", print))
    with pytest.raises(UserError, match=r"30001 images: must be at most 30000 to have floors"):
        evaluate.evaluate(np.zeros((30_001, *SHAPE), np.uint8), seen.reference(), ["fcd"])
    assert reference.most_images(seen.reference("train", 10_000)) == 15_000


def test_help_needs_no_tensorflow():
    code = """
import sys
sys.argv = ["evaluate", "--help"]
from experiments import train_features
from gan.cli import evaluate
try:
    evaluate.run()
finally:
    assert not {"tensorflow", "keras", "numpy"} & set(sys.modules), "imported for --help"
"""
    result = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=60
    )
    assert result.returncode == 0, result.stderr
    assert f"must be one of {', '.join(feature_networks.NETWORKS)}" in result.stdout


def test_labels_for_evaluation_are_as_frequent_as_in_all_data_where_few_are_learned():
    """A choice of few images is balanced; what metrics compare with is not."""
    labels = np.repeat([0, 1], [900, 100])
    data = Dataset(np.zeros([1000, 8, 8, 1], np.uint8), labels)
    few = with_train_images("mine", data, 100)
    assert np.bincount(few.train_labels).tolist() == [50, 50]
    generator = build_generator(
        Config(generator="tiny", conditional=True, latent_dim=4, precision="float32"), (8, 8, 1), 2
    )
    for some in (data, few):
        asked = drawing.labels_for_evaluation(generator, some, 2000)
        assert np.bincount(asked)[1] == pytest.approx(200, abs=50)
