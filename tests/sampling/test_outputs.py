"""Pictures and samples of conditional generators, of points and of single seeds."""

import base64
import json
import re
import shutil
import types
from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from gan.cli import sample as sample_command
from gan.data.datasets import Dataset, Parts, load_dataset
from gan.data.images import CAPTION_HEIGHT, image_grid
from gan.errors import UserError
from gan.evaluation import (
    classification_accuracy,
    evaluate,
    features,
    nearest,
    reference,
    samples,
)
from gan.models.checks import classes_of
from gan.run.config import Config
from gan.run.presets import from_preset
from gan.sampling import drawing, generators, outputs
from gan.sampling.latents import latents_of, truncate
from gan.training import sample_grids
from gan.training.trainer import train
from support import status_of


def conditional_generator(classes=3):
    """Draws the class as brightness, and the first latent entry as a spot in the corner."""
    latents, labels = keras.Input([4]), keras.Input([], dtype="int32")
    ramp = np.linspace(-1, 1, classes)[:, None]
    embedding = keras.layers.Embedding(classes, 1)
    level = embedding(labels)
    embedding.set_weights([ramp])
    pixels = keras.layers.Dense(64, kernel_initializer="zeros")
    spot = keras.layers.Dense(64, kernel_initializer="zeros")
    flat = keras.layers.Add()([pixels(level), spot(latents)])
    pixels.set_weights([np.ones([1, 64]), np.zeros(64)])
    corner = np.zeros([4, 64])
    corner[0, 0] = 1.0
    spot.set_weights([corner, np.zeros(64)])
    return keras.Model([latents, labels], keras.layers.Reshape([8, 8, 1])(flat))


def test_a_row_is_a_class_and_a_column_a_latent():
    images = sample_grids.class_rows(
        Config(conditional=True, latent_dim=4), conditional_generator()
    )
    assert images.shape == (30, 8, 8, 1)
    middle = images[:, 4, 4, 0].reshape(3, 10)
    assert [set(row) for row in middle.tolist()] == [{0}, {128}, {255}]
    corner = images[:, 0, 0, 0].reshape(3, 10).astype(int)
    assert len(set(corner[1])) > 5  # latents of their own in a row
    inside = (corner[1] > 0) & (corner[1] < 255)
    assert inside.any()
    # The same ones in each row: what is added to black is added to grey.
    shown = (corner[0] > 0) & inside & (corner[0] < 128)
    np.testing.assert_allclose(corner[0][shown] + 128, corner[1][shown], atol=1)


def test_the_seed_of_a_run_decides_the_latents_of_its_pictures():
    generator = keras.Sequential([keras.Input([4]), keras.layers.Reshape([2, 2, 1])])
    for draw in (
        lambda seed: sample_grids.sample_images(Config(latent_dim=4, seed=seed), generator, 5),
        lambda seed: sample_grids.class_rows(
            Config(latent_dim=4, seed=seed), conditional_generator()
        ),
    ):
        np.testing.assert_array_equal(draw(1), draw(1))
        assert not np.array_equal(draw(1), draw(2))


def test_at_most_ten_classes_are_shown():
    images = sample_grids.class_rows(Config(latent_dim=4), conditional_generator(1000))
    middle = images[::10, 4, 4, 0].astype(int)
    np.testing.assert_allclose(middle, np.linspace(0, 255, 10), atol=1)


def test_samples_of_a_conditional_generator_go_round_the_classes():
    images = drawing.sample(conditional_generator(), range(7))
    assert images[:, 4, 4, 0].tolist() == [0, 128, 255, 0, 128, 255, 0]
    assert classes_of(conditional_generator()) == 3
    for labels in ([0.5], [3], [-1], [0, 1]):
        with pytest.raises(UserError, match=r"labels: must be one in 0\.\.2 for each seed"):
            drawing.sample(conditional_generator(), [7], labels=labels)
    latents, labels = keras.Input([4]), keras.Input([], dtype="int32")
    joined = keras.layers.Concatenate()([latents, keras.layers.Reshape([1])(labels)])
    without_embedding = keras.Model([latents, labels], joined)
    with pytest.raises(UserError, match="must have an Embedding"):
        classes_of(without_embedding)


def test_images_to_judge_have_the_classes_of_the_training_images():
    """Unequal ones; classes that are not the data set's go round."""
    labels = np.repeat([0, 1, 2], [70, 20, 10])
    data = Dataset(np.zeros([100, 8, 8, 1], np.uint8), labels)

    def classes(seed=0, count=3000, data=data):
        images = drawing.sample_for_evaluation(conditional_generator(), data, count, seed)
        return images[:, 4, 4, 0] // 127

    shares = np.bincount(classes()) / 3000
    np.testing.assert_allclose(shares, [0.7, 0.2, 0.1], atol=0.03)  # over 3 sd of a share
    assert classes(count=50).tolist() == classes()[:50].tolist()
    assert classes(seed=1).tolist() != classes().tolist()
    assert classes(count=4, data=data._replace(train_labels=None)).tolist() == [0, 1, 2, 0]
    assert classes(count=4, data=data._replace(train_labels=labels % 2)).tolist() == [0, 1, 2, 0]
    stacks = data._replace(stack=2).random_labels(30_000, 0)
    expected = np.outer([0.7, 0.2, 0.1], [0.7, 0.2, 0.1]).ravel()
    np.testing.assert_allclose(np.bincount(stacks) / 30_000, expected, atol=0.01)


def test_points_are_scattered_over_real_ones():
    data = load_dataset("gaussian_ring", "", print)
    generator = keras.Sequential([keras.Input([3]), keras.layers.Dense(2)])
    picture = sample_grids.sample_picture(
        Config(dataset="gaussian_ring", latent_dim=3), generator, data
    )
    assert picture.shape == (500, 500, 3)
    colours = {tuple(c) for c in picture.reshape(-1, 3).tolist()}
    assert (153, 153, 153) in colours  # real points, grey
    assert (214, 39, 40) in colours  # samples, red


def test_a_conditional_run_has_a_row_a_class(tmp_path, tiny_config, monkeypatch):
    from gan.data.datasets import DATASETS, DataSource

    images = np.random.default_rng(0).integers(0, 256, (60, 28, 28, 1), np.uint8)
    labelled = Dataset(images, np.arange(60, dtype=np.uint8) % 3)
    monkeypatch.setitem(DATASETS, "labelled", DataSource(lambda data_dir, print_fn: labelled))
    config = tiny_config(dataset="labelled", conditional=True, steps=4)
    train(config, tmp_path / "run", quiet=True)
    grid = tf.io.decode_png((tmp_path / "run/samples/step_00000004.png").read_bytes())
    assert grid.shape == ((3 * 30 + 2) * 3, (10 * 30 + 2) * 3, 1)
    generator, step = generators.restore_generator(tmp_path / "run", labelled)
    assert (step, classes_of(generator)) == (4, 3)
    saved = generators.load_saved_generator(tmp_path / "run")
    np.testing.assert_array_equal(
        drawing.sample(saved, range(9)), drawing.sample(generator, range(9))
    )


def test_the_grid_of_a_conditional_generator_has_a_row_a_class_too(tmp_path):
    generator = conditional_generator()
    request = outputs.Request(tmp_path, generator, None, None, 4, 0.0)
    outputs.write_grid(request, tmp_path / "a.png")
    cells = picture(tmp_path / "a.png")[::3, ::3, 0]
    assert cells.shape == (3 * 10 + 2, 4 * 10 + 2)
    for row, label in enumerate(range(3)):
        for column, seed in enumerate(range(4)):
            cell = cells[2 + 10 * row :, 2 + 10 * column :][:8, :8]
            image = drawing.sample(generator, [seed], labels=[label])[0, ..., 0]
            np.testing.assert_array_equal(cell, image)


def test_an_interpolation_has_a_row_a_class(tmp_path):
    request = outputs.Request(tmp_path, conditional_generator(), None, [0, 1], 4, 0.0)
    outputs.write_interpolation(request, tmp_path / "a.png")
    middles = picture(tmp_path / "a.png")[::3, ::3, 0][6::10, 6::10]
    assert middles.tolist() == [[0] * 10, [128] * 10, [255] * 10]


def call(monkeypatch, *arguments):
    return status_of(monkeypatch, sample_command, *arguments)


def test_single_images_by_their_seed(tmp_path, tiny_config, monkeypatch, capsys):
    train(tiny_config(steps=4), tmp_path / "run", quiet=True)
    run = f"--run_dir={tmp_path / 'run'}"
    assert call(monkeypatch, run, "--seeds=3-6", f"--out={tmp_path / 'few'}") == 0
    assert sorted(p.name for p in (tmp_path / "few").iterdir()) == [
        f"0000{i}.png" for i in range(3, 7)
    ]
    assert call(monkeypatch, run, "--seeds=5", f"--out={tmp_path / 'one'}") == 0
    one, of_few = ((tmp_path / d / "00005.png").read_bytes() for d in ("one", "few"))
    assert one == of_few
    expected = drawing.sample(generators.load_saved_generator(tmp_path / "run"), [5])[0]
    np.testing.assert_array_equal(tf.io.decode_png(one), expected)
    capsys.readouterr()
    for bad, message in (
        ("--seeds=9-3", "--seeds=9-3: must be numbers and ranges, such as 0-99 or 3,41,7"),
        ("--seeds=x", "--seeds=x: must be numbers and ranges, such as 0-99 or 3,41,7"),
    ):
        assert call(monkeypatch, run, bad) == 2
        assert capsys.readouterr().err == f"error: {message}\n"
    assert call(monkeypatch, run, "--seeds=1", "--side=3") == 2
    assert "--side=3: is not for single images" in capsys.readouterr().err


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A run of the tiny networks on real MNIST, four steps with a picture each."""
    run_dir = tmp_path_factory.mktemp("trained") / "run"
    changes = {"steps": 4, "sample_every": 1, "evaluate_every": 0, "jit_compile": False}
    train(from_preset("tiny", changes), run_dir, quiet=True)
    return run_dir


def picture(path):
    return tf.io.decode_png(path.read_bytes()).numpy()


def test_a_grid_shows_the_first_seeds_or_those_that_are_named(trained, tmp_path, monkeypatch):
    generator = generators.load_saved_generator(trained)
    run, out = f"--run_dir={trained}", tmp_path / "a.png"
    assert call(monkeypatch, run, "--side=3", f"--out={out}") == 0
    expected = image_grid(drawing.sample(generator, range(9)), 3)
    np.testing.assert_array_equal(picture(out), expected)
    assert call(monkeypatch, run, "--side=2", "--seeds=4-6", f"--out={out}") == 0
    images = drawing.sample(generator, [4, 5, 6])
    blank = np.full_like(images[:1], 255)
    expected = image_grid(np.concatenate([images, blank]), 2)
    np.testing.assert_array_equal(picture(out), expected)


@pytest.mark.parametrize(
    ("arguments", "columns"),
    [(("--side=3",), 3), (("--seeds=4-6", "--side=2"), 2), (("--latent=interpolate",), 10)],
)
def test_pictures_for_papers_are_the_same_pictures(
    arguments, columns, trained, tmp_path, monkeypatch
):
    for suffix in ("png", "svg", "pdf"):
        assert call(monkeypatch, trained, *arguments, f"--out={tmp_path}/a.{suffix}") == 0
    expected = picture(tmp_path / "a.png")
    assert expected.shape[1] == 3 * (30 * columns + 2)
    (found,) = re.findall(r'href="data:image/png;base64,([^"]*)"', (tmp_path / "a.svg").read_text())
    shown = tf.io.decode_png(base64.b64decode(found), 3).numpy()
    times = shown.shape[1] // expected.shape[1]
    np.testing.assert_array_equal(shown[::times, ::times], expected.repeat(3, -1))
    assert (tmp_path / "a.pdf").read_bytes().count(b"/Subtype /Image") == 1


def test_points_for_papers_are_points(tmp_path, monkeypatch):
    keras.Sequential([keras.Input([3]), keras.layers.Dense(2)]).save(tmp_path / "g.keras")
    assert call(monkeypatch, tmp_path / "g.keras", f"--out={tmp_path}/a.svg") == 0
    text = (tmp_path / "a.svg").read_text()
    assert "<image" not in text
    assert text.count("<use ") > drawing.POINTS_SHOWN
    assert 'width="234pt" height="234pt"' in text
    assert "font-size: 7px" in text


def test_seeds_may_be_listed(trained, tmp_path, monkeypatch, capsys):
    out = tmp_path / "a.png"
    arguments = ("--side=2", "--seeds=41,3,7-8", f"--out={out}")
    assert call(monkeypatch, trained, *arguments) == 0  # a run without --run_dir=
    assert call(monkeypatch, trained, "other", *arguments) == 2
    assert "error: other: is one too many, " in capsys.readouterr().err
    images = drawing.sample(generators.load_saved_generator(trained), [41, 3, 7, 8])
    np.testing.assert_array_equal(picture(out), image_grid(images, 2))


def test_a_checkpoint_draws_before_the_run_has_ended(trained, tmp_path, monkeypatch, capsys):
    run, out = tmp_path / "run", tmp_path / "a.npz"
    shutil.copytree(trained, run)
    (run / "generator.keras").unlink()
    assert call(monkeypatch, run, "--side=3") == 2
    assert "its checkpoints have one: --checkpoint=latest" in capsys.readouterr().err
    drawn = {}
    for weights in ("ema", "raw"):
        arguments = ("--seeds=0-3", "--checkpoint=4", f"--weights={weights}", f"--out={out}")
        assert call(monkeypatch, run, *arguments) == 0
        with np.load(out) as file:
            drawn[weights] = file["images"]
    ended = drawing.sample(generators.load_saved_generator(trained), range(4))
    np.testing.assert_array_equal(drawn["ema"], ended)
    assert not np.array_equal(drawn["raw"], ended)


def test_a_checkpoint_draws_what_the_run_itself_draws_from(trained, tmp_path, capsys):
    run = tmp_path / "run"
    shutil.copytree(trained, run)
    drawn = {
        w: drawing.sample(generators.load_generator(run, "4", w), range(4))
        for w in ("", "ema", "raw")
    }
    np.testing.assert_array_equal(drawn[""], drawn["ema"])
    values = json.loads((run / "config.json").read_text())
    values["config"]["sample_weights"] = "raw"  # as the preset classic
    (run / "config.json").write_text(json.dumps(values))
    again = drawing.sample(generators.load_generator(run, "4"), range(4))
    np.testing.assert_array_equal(again, drawn["raw"])
    for path in (run, run / "generator.keras"):
        with pytest.raises(UserError, match="--weights=raw: needs --checkpoint"):
            generators.load_generator(path, weights="raw")
    values["own_networks"] = ["generator"]
    (run / "config.json").write_text(json.dumps(values))
    (run / "generator.keras").unlink()
    for checkpoint in ("", "4"):  # the network itself is nowhere yet
        with pytest.raises(UserError, match=r"has no generator.keras yet, it comes when \w+ ends$"):
            generators.load_generator(run, checkpoint)


@pytest.mark.parametrize(
    ("side", "columns", "most"),
    [(512, 0, 2730), (512, 10, 75), (512, 1, 75), (31, 1, 10_100)],  # 10,101 rows and a gap: over
)
def test_files_have_bounds(side, columns, most):
    generator = types.SimpleNamespace(output_shape=(None, side, side, 3))
    request = outputs.Request(Path("run"), generator, None, None, 10, 0.0)
    request.check_count(most, columns)
    with pytest.raises(UserError, match=f"images of {side}x{side}, .* holds at most {most:,}$"):
        request.check_count(most + 1, columns)


def test_single_files_beside_others_are_said(trained, tmp_path, monkeypatch, capsys):
    out = tmp_path / "many"
    assert call(monkeypatch, trained, "--seeds=0-4", f"--out={out}") == 0
    assert call(monkeypatch, trained, "--seeds=3-4,3", "--truncation=0.5", f"--out={out}") == 0
    assert capsys.readouterr().out.splitlines() == [
        f"{out}: 5 images", f"{out}: 2 images, beside 3 others that were there",
    ]  # fmt: skip


def test_a_generator_of_anywhere_draws_the_same(trained, tmp_path, monkeypatch, capsys):
    shutil.copy(trained / "generator.keras", tmp_path / "g.keras")
    assert call(monkeypatch, f"--run_dir={tmp_path / 'g.keras'}", "--side=3") == 0
    assert call(monkeypatch, f"--run_dir={trained}", "--side=3", f"--out={tmp_path / 'a.png'}") == 0
    np.testing.assert_array_equal(picture(tmp_path / "grid.png"), picture(tmp_path / "a.png"))
    capsys.readouterr()
    for flag in ("--gif", "--nearest"):
        assert call(monkeypatch, f"--run_dir={tmp_path / 'g.keras'}", flag) == 2
        assert f"{flag}: needs a run" in capsys.readouterr().err


def test_every_kind_that_the_command_knows_is_drawn_by_something():
    assert set(sample_command.KINDS) == set(outputs.WRITERS)


def test_arrays_of_seeds(trained, tmp_path, monkeypatch):
    out = tmp_path / "a.npz"
    arguments = ("--seeds=998-1002", "--truncation=0.7", f"--out={out}")
    assert call(monkeypatch, f"--run_dir={trained}", *arguments) == 0
    with np.load(out) as file:
        assert file["seeds"].tolist() == [998, 999, 1000, 1001, 1002]
        generator = generators.load_saved_generator(trained)
        latents = truncate(latents_of(file["seeds"], 100), 0.7)
        outputs = generator(latents).numpy()
        np.testing.assert_array_equal(file["images"], np.round(outputs * 127.5 + 127.5))


def test_an_interpolation_has_the_seeds_at_the_ends_of_its_rows(trained, tmp_path, monkeypatch):
    out = tmp_path / "a.png"
    arguments = ("--latent=interpolate", "--seeds=5-7", f"--out={out}")
    assert call(monkeypatch, f"--run_dir={trained}", *arguments) == 0
    cells = picture(out)[::3, ::3].reshape(2 * 30 + 2, 10 * 30 + 2)
    ends = drawing.sample(generators.load_saved_generator(trained), [5, 6, 7])[..., 0].astype(int)
    for row, column, seed in ((0, 0, 0), (0, 9, 1), (1, 0, 1), (1, 9, 2)):
        cell = cells[2 + 30 * row :, 2 + 30 * column :][:28, :28]
        assert np.abs(cell - ends[seed]).max() <= 1
    middle = cells[2:30, 2 + 30 * 4 :][:, :28]
    assert np.abs(middle - ends[0]).max() > 1
    with Image.open(tmp_path / "a.gif") as animation:
        assert (animation.n_frames, animation.info["loop"]) == (19, 0)
        assert animation.info["duration"] == 100  # milliseconds


def test_an_interpolation_without_a_place_for_its_animation_is_refused(
    trained, tmp_path, monkeypatch, capsys
):
    (tmp_path / "way.gif").mkdir()
    flags = ("--latent=interpolate", f"--out={tmp_path / 'way.png'}")
    assert call(monkeypatch, f"--run_dir={trained}", *flags) == 2
    assert f"--out={tmp_path / 'way.gif'}: must be a file whose" in capsys.readouterr().err
    assert not (tmp_path / "way.png").exists()


def test_an_interpolation_is_truncated_as_images_are(trained, tmp_path, monkeypatch):
    out = tmp_path / "a.png"
    arguments = ("--latent=interpolate", "--seeds=5-6", "--truncation=0.4", f"--out={out}")
    assert call(monkeypatch, f"--run_dir={trained}", *arguments) == 0
    cells = picture(out)[::3, ::3].reshape(30 + 2, 10 * 30 + 2)
    generator = generators.load_saved_generator(trained)
    for column, seed in ((0, 5), (9, 6)):
        cell = cells[2:30, 2 + 30 * column :][:, :28]
        expected, other = (
            drawing.sample(generator, [seed], truncation=bound)[0, ..., 0].astype(int)
            for bound in (0.4, 0.0)
        )
        assert np.abs(cell - expected).max() <= 1
        assert np.abs(expected - other).max() > 10


def test_an_animation_of_training_has_the_step_on_each_picture(trained, tmp_path, monkeypatch):
    out = tmp_path / "a.gif"
    assert call(monkeypatch, f"--run_dir={trained}", "--gif", f"--out={out}") == 0
    with Image.open(out) as animation:
        assert animation.n_frames == 5  # steps 0 to 4
        captions = []
        for frame, step in enumerate(range(5)):
            animation.seek(frame)
            shown = np.asarray(animation.convert("RGB"))
            captions.append(shown[:CAPTION_HEIGHT].tobytes())
            below = shown[CAPTION_HEIGHT:].astype(int)
            grid = picture(trained / f"samples/step_{step:08d}.png")
            assert np.abs(below - grid).mean() < 3  # 256 colours
    assert len(set(captions)) == 5


def test_the_nearest_training_images(trained, tmp_path, monkeypatch, capsys):
    out = tmp_path / "a.png"
    arguments = ("--nearest", "--seeds=0-20", f"--out={out}")
    assert call(monkeypatch, f"--run_dir={trained}", *arguments) == 0
    assert f"{out}: samples, nearest in pixels, nearest in features" in capsys.readouterr().out
    shown = picture(out)[::3, ::3]
    assert shown.shape == (6 * 30 + 2, 20 * 30 + 2, 1)  # 20 columns, then the last one
    drawn = drawing.sample(generators.load_saved_generator(trained), [0, 19, 20])
    for image, row, column in zip(drawn, (0, 0, 3), (0, 19, 0), strict=True):
        found = shown[2 + 30 * row :, 2 + 30 * column :][:28, :28]
        # In a batch of another size, so a last digit may be rounded otherwise.
        np.testing.assert_allclose(found.astype(int), image.astype(int), atol=1)
    assert shown[3 * 30 + 2 :, 32:].min() == 255


def test_nearest_is_nearest():
    rng = np.random.default_rng(0)
    training = rng.integers(0, 256, (50, 4, 4, 1), np.uint8)
    images = np.clip(training[[7, 3]].astype(int) + 2, 0, 255).astype(np.uint8)
    rows = nearest.nearest_rows(images, "mine", Dataset(training), print)
    assert list(rows) == ["samples", "nearest in pixels"]  # no labels, no network of features
    np.testing.assert_array_equal(rows["nearest in pixels"], training[[7, 3]])
    with pytest.raises(UserError, match="has no training images to compare"):
        nearest.nearest_rows(images, "stacked_mnist", Dataset(training, stack=3), print)


def no_table(monkeypatch, cached):
    """Has `cached` take the place of the tables of what is measured once."""
    constants = types.SimpleNamespace(cached=cached)
    monkeypatch.setattr(reference.RealFeatures, "constants", constants)


def test_what_a_classifier_learns_from_samples(monkeypatch):
    """Brightness is the class, and so the classifier learns it, if it gets the labels."""
    monkeypatch.setattr(classification_accuracy, "RECIPE", (features.Cycle(2, 2e-3, 0.0),))
    no_table(monkeypatch, lambda key, compute: compute())
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 3, 300)
    images = np.array([20, 128, 235])[labels][:, None, None, None] + rng.integers(
        -20, 20, (300, 8, 8, 1)
    )
    images = images.astype(np.uint8)
    found = reference.RealFeatures("test", Parts(images, labels, images, labels), None)
    good = classification_accuracy.classification_accuracy(conditional_generator(), found, 300)
    assert (good["num_images"], good["num_real"]) == (300, 300)
    for name in ("samples", "real", "real_and_samples", "real_alone"):
        assert 0.9 < good[name] <= 1
    # Two epochs of two batches, of three batches for both, and four epochs of two.
    assert good["steps"] == {"samples": 4, "real": 4, "real_and_samples": 6, "real_alone": 8}
    learned = []
    monkeypatch.setattr(
        classification_accuracy, "train_and_test", lambda i, labels, *_: learned.append(labels) or 1
    )
    gap = reference.RealFeatures("test", Parts(images, labels // 2 * 2, images, labels), None)
    classification_accuracy.classification_accuracy(conditional_generator(), gap, 5)
    real_labels = gap.data.train_labels[gap.order[:5]].tolist()  # none of 1: G has seen nothing
    assert learned[0].tolist() == real_labels
    assert learned[1].tolist() == [*real_labels, *real_labels]
    assert [labels.tolist() for labels in learned[2:]] == [real_labels, real_labels]
    plain = keras.Sequential([keras.Input([4]), keras.layers.Dense(2)])
    with pytest.raises(UserError, match="needs a run with --conditional"):
        classification_accuracy.classification_accuracy(plain, found, 300)


def test_a_classifier_learns_from_samples_of_the_seed_of_the_evaluation(monkeypatch):
    labels = np.arange(300) % 3
    images = np.zeros([300, 8, 8, 1], np.uint8)
    data = Dataset(images, labels, images, labels)
    learned = []
    monkeypatch.setattr(
        classification_accuracy, "train_and_test", lambda images, *_: learned.append(images) or 1
    )
    no_table(monkeypatch, lambda key, compute: {"real": 1})
    real = reference.RealFeatures("test", data.labelled, None)
    monkeypatch.setattr(evaluate, "load_real_features", lambda *_: real)
    monkeypatch.setattr(evaluate, "evaluate", lambda *_: ({}, None))
    generator = conditional_generator()
    drawn = samples.Samples(images, "test", data, {"seed": 5}, generator)
    evaluate.evaluate_samples(
        drawn, ["fcd"], network="cnn-a", split="test", with_accuracy=True, print_fn=print
    )
    asked = labels[real.order[:300]].astype(np.int32)
    outputs = generator([latents_of(range(300), 4, 5), asked]).numpy()
    np.testing.assert_array_equal(learned[0], np.round(np.clip(outputs, -1, 1) * 127.5 + 127.5))
