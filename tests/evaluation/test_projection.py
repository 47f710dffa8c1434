"""Latents of images: found again where they are known, and said where there are none."""

import re

import keras
import numpy as np
import pytest
from PIL import Image

from gan.cli import project as command
from gan.data.datasets import Dataset, load_dataset
from gan.errors import UserError
from gan.evaluation import projection, targets
from gan.evaluation.projection import Judge, project
from gan.run.presets import from_preset
from gan.sampling import drawing, generators, posthoc_averages
from gan.sampling.latents import latents_of
from gan.training.trainer import train
from support import status_of


def generator_of(classes=0):
    """Latents can be read off its images, [4, 4, 1]; a class is a corner of its own."""
    latents = keras.Input([4])
    layer = keras.layers.Dense(16, "tanh", use_bias=False)
    x, inputs = layer(latents), latents
    kernel = 0.3 * np.eye(4, 16) + 0.2 * np.eye(4, 16, 5)
    if classes:
        labels = keras.Input([], dtype="int32")
        embedding = keras.layers.Embedding(classes, 16)
        x, inputs = keras.layers.Add()([0.5 * x, embedding(labels)]), [latents, labels]
        embedding.set_weights([0.5 * np.eye(classes, 16, 12 - classes + 1)])
    network = keras.Model(inputs, keras.layers.Reshape([4, 4, 1])(x))
    layer.set_weights([kernel])
    return network


def test_latents_of_a_sample_are_found_again():
    """Of a seed that no way begins at."""
    generator, wanted = generator_of(), latents_of([5000, 7001], 4)
    images = drawing.draw(generator, wanted, np.zeros(2))
    found = project(generator, images, Judge(), [None] * 2, starts=3, steps=150)
    assert found.latents.dtype == np.float32
    np.testing.assert_allclose(found.latents, wanted, atol=0.05)
    assert found.pixels.max() < 1.0
    assert np.isnan(found.features).all()
    assert found.images.shape == (2, 6, 4, 4, 1)
    starts = drawing.sample(generator, found.seeds)
    np.testing.assert_array_equal(found.images[:, 0], starts)
    nearer = np.abs(found.images.astype(int) - images[:, None]).mean((2, 3, 4))
    assert np.all(nearer[:, -1] < nearer[:, 0])
    differences = (found.images[:, -1].astype(float) - images) ** 2
    np.testing.assert_allclose(found.pixels, np.sqrt(differences.mean((1, 2, 3))))


def test_what_a_generator_does_not_draw_stays_far():
    generator = generator_of()
    checks = np.indices([4, 4]).sum(0) % 2 * 255
    image = checks[np.newaxis, :, :, np.newaxis].astype(np.uint8)
    found = project(generator, image, Judge(), [None], starts=3, steps=150)
    assert found.pixels[0] > 80


def test_latents_stay_as_short_as_those_of_training():
    generator = generator_of()
    far = drawing.draw(generator, np.full([1, 4], 9.0, np.float32), np.zeros(1))
    found = project(generator, far, Judge(), [None], starts=2, steps=150)
    assert np.linalg.norm(found.latents[0]) == pytest.approx(2 + 2, abs=1e-4)


def test_the_class_is_found_or_given():
    generator = generator_of(classes=3)
    images = drawing.sample(generator, [5000, 5001], labels=[2, 0])
    found = project(generator, images, Judge(), [None, 1], starts=2, steps=100)
    assert found.labels.tolist() == [2, 1]
    assert found.pixels[0] < 1.0 < found.pixels[1]


def test_two_real_images_are_one_apart():
    """In each part: what is far in features and near in pixels is far."""
    data = load_dataset("mnist", "", print)
    real, _ = targets.numbered_examples(data, targets.draw_tests(data, 400))
    flat = keras.Sequential([keras.Input([28, 28, 1]), keras.layers.Flatten()])
    network = keras.Model(flat.inputs[0], [2.0 * flat.outputs[0], flat.outputs[0]])
    judge = projection.judge_of(real, network)
    pairs = projection.differences(real[:200], real[200:], judge)
    assert np.mean(pairs[1] ** 2) == pytest.approx(1, abs=0.05)
    shares = (pairs[0] / 127.5) ** 2 / judge.pixels
    np.testing.assert_allclose(shares, pairs[1] ** 2, rtol=1e-5)
    both = judge(
        *(projection.batches(real[:200])[0], judge.features_of(real[:200] / 127.5 - 1.0)),
        *(projection.batches(real[200:])[0], judge.features_of(real[200:] / 127.5 - 1.0)),
    )
    np.testing.assert_allclose(both, 2 * shares, rtol=1e-3)


def test_test_images_are_the_same_ones_always_and_stacked_where_training_is():
    images = np.arange(20, dtype=np.uint8).reshape(20, 1, 1, 1)
    data = Dataset(images, np.arange(20) % 2, images, np.arange(20) % 2, stack=3)
    found, labels = targets.numbered_examples(data, np.array([0, 2]))
    assert found.reshape(2, 3).tolist() == [[0, 1, 2], [6, 7, 8]]
    assert labels.tolist() == [0b010, 0b010]
    chosen = targets.draw_tests(data, 5)
    assert len(set(chosen.tolist())) == 5
    assert chosen.tolist() == targets.draw_tests(data, 5).tolist()
    assert len(targets.draw_tests(data, 50)) == 20
    assert len(targets.draw_tests(Dataset(images), 50)) == 0


def save(path, array):
    Image.fromarray(array).save(path)
    return path


def test_images_are_refused_at_the_door(tmp_path):
    grey = np.arange(64, dtype=np.uint8).reshape(8, 8)
    colours = np.stack([grey, 255 - grey, grey], -1)
    as_grey = save(tmp_path / "grey.png", np.stack([grey] * 3, -1))
    images, names = targets.read_targets(as_grey, (8, 8, 1))
    np.testing.assert_array_equal(images, grey[np.newaxis, :, :, np.newaxis])
    assert names == ["grey.png"]
    for path, shape, message in (
        (save(tmp_path / "wide.png", grey[:6]), (8, 8, 1), "wide.png: is 6x8, must be 8x8 as"),
        (save(tmp_path / "red.png", colours), (8, 8, 1), "red.png: has colours, the generator"),
        (as_grey, (8, 6, 1), "needs a generator of squares, this one draws 8x6"),
    ):
        with pytest.raises(UserError, match=message):
            targets.read_targets(path, shape)
    resized, names = targets.read_targets(tmp_path, (4, 4, 3), "white")  # as for a folder's run
    assert resized.shape == (3, 4, 4, 3)
    assert names == ["grey.png", "red.png", "wide.png"]


def test_an_inverted_image_is_doubted():
    real = np.full([5, 4, 4, 1], 30, np.uint8)
    real[0] += 10
    images = np.stack([np.full([4, 4, 1], level, np.uint8) for level in (35, 225)])
    (line,) = targets.brightness_warning(images, ["a", "b"], real)
    assert line == (
        "warning: b: its mean is 225 of 255, that of test images 30 to 40; is it inverted?"
    )


@pytest.fixture(scope="module")
def run_dir(tmp_path_factory):
    run = tmp_path_factory.mktemp("projected") / "run"
    changes = {"steps": 4, "evaluate_every": 0, "jit_compile": False, "conditional": True}
    train(from_preset("tiny", changes), run, quiet=True)
    return run


FEW = ("--steps=2", "--starts=2", "--compare=3")


def test_a_sample_of_the_run_comes_nearest(run_dir, tmp_path, monkeypatch, capsys):
    generator = generators.load_saved_generator(run_dir)
    sample = drawing.sample(generator, [17])[0]
    image = save(tmp_path / "mine.png", sample[..., 0])
    assert status_of(monkeypatch, command, run_dir, f"--image={image}", *FEW) == 0
    said = capsys.readouterr()
    warnings = said.err.splitlines()
    first, second, last = said.out.splitlines()
    assert all(line.startswith("warning: mine.png: its mean is ") for line in warnings)
    assert first.startswith("mine.png: ")
    assert first.endswith(" in features, as class 7; 0 of 3 test images come nearer")
    assert second.startswith("3 test images: ")
    out = run_dir / "samples/projection.png"
    assert last == f"{out}, {out.with_suffix('.npz')}: the ways of 1 image"
    with np.load(out.with_suffix(".npz")) as file:
        arrays = dict(file)
    assert arrays["names"].tolist() == ["mine.png"]
    assert arrays["seeds"].tolist() == [17]
    assert arrays["labels"].tolist() == [7]
    np.testing.assert_array_equal(arrays["targets"], sample[np.newaxis])
    again = drawing.draw(generator, arrays["latents"], arrays["labels"])
    np.testing.assert_array_equal(again, arrays["images"])
    assert arrays["test_latents"].shape == (3, 100)
    assert np.all(arrays["test_pixels"] > arrays["pixels"])
    with Image.open(out) as picture:  # the image, steps 0 to 2, the difference; 4 rows, a caption
        assert picture.size == ((5 * 30 + 2) * 3, (4 * 30 + 2) * 3 + 20)


def test_test_images_can_be_asked_for_and_have_a_class(run_dir, tmp_path, monkeypatch, capsys):
    out = tmp_path / "a.png"
    arguments = ("--test=0,3", "--label=5", f"--out={out}", *FEW)
    assert status_of(monkeypatch, command, run_dir, *arguments) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split(":")[0] for line in lines[:2]] == ["test image 0", "test image 3"]
    assert all("as class 5" in line for line in lines[:2])
    data = load_dataset("mnist", "", print)
    with np.load(out.with_suffix(".npz")) as file:
        np.testing.assert_array_equal(file["targets"], data.test_images[[0, 3]])
        own = data.test_labels[targets.draw_tests(data, 3)]  # these have their own
        assert file["test_labels"].tolist() == own.tolist()


def test_without_data_nothing_is_compared(run_dir, tmp_path, monkeypatch, capsys):
    image = save(tmp_path / "mine.png", np.zeros([28, 28], np.uint8))
    path, few = run_dir / "generator.keras", ("--steps=2", f"--out={tmp_path / 'a.png'}")
    assert status_of(monkeypatch, command, path, f"--image={image}", *few) == 0
    said = capsys.readouterr()
    assert said.err == f"nothing is compared: {path} is a file, --dataset names test images\n"
    assert "features" not in said.out
    assert "test images" not in said.out
    with np.load(tmp_path / "a.npz") as file:
        assert not any(name.startswith("test_") for name in file.files)
    more = ("--dataset=mnist", "--compare=2", *few)
    assert status_of(monkeypatch, command, path, f"--image={image}", *more) == 0
    assert "2 test images: " in capsys.readouterr().out


def test_every_class_is_looked_at_however_many_there_are():
    """The image of a class shows its number; latents change nothing."""
    latents, labels = keras.Input([4]), keras.Input([], dtype="int32")
    embedding = keras.layers.Embedding(1200, 16)
    shown = keras.layers.Add()([0.0 * keras.layers.Dense(16)(latents), embedding(labels)])
    generator = keras.Model([latents, labels], keras.layers.Reshape([4, 4, 1])(shown))
    numbers = np.arange(1200)[:, None] >> np.arange(16) & 1
    embedding.set_weights([numbers * 1.6 - 0.8])
    target = drawing.sample(generator, [0], labels=[1100])
    found = project(generator, target, Judge(), [None], starts=2, steps=1)
    assert (found.labels.tolist(), found.pixels.tolist()) == ([1100], [0.0])


def test_the_images_that_are_projected_are_not_written_over(run_dir, tmp_path, monkeypatch, capsys):
    folder = tmp_path / "mine"
    folder.mkdir()
    image = save(folder / "a.png", np.zeros([28, 28], np.uint8))
    np.savez(folder / "b.npz", images=np.zeros([1, 28, 28], np.uint8))
    before = {path: path.read_bytes() for path in folder.iterdir()}
    for given, out in (
        (image, image),
        (image, folder / "../mine/a.png"),
        (folder / "b.npz", folder / "b.png"),  # the latents would go over it
        (folder, folder / "new.png"),  # which would be projected next time
    ):
        assert status_of(monkeypatch, command, run_dir, f"--image={given}", f"--out={out}") == 2
        error = capsys.readouterr().err
        assert re.fullmatch(rf"error: --out=.*: is what --image={given} names, .*\n", error)
    assert {path: path.read_bytes() for path in folder.iterdir()} == before


def test_what_is_averaged_must_be_there(run_dir, tmp_path, monkeypatch, capsys):
    image = save(tmp_path / "mine.png", np.zeros([28, 28], np.uint8))
    arguments = (run_dir, f"--image={image}", "--ema_sigma=0.07", *FEW)
    assert status_of(monkeypatch, command, *arguments) == 2
    error = capsys.readouterr().err
    assert error.startswith(
        f"error: --ema_sigma=0.07: needs a run with --posthoc_averages, {run_dir}"
    )
    assert error.count("\n") == 1
    given = []

    def load_any(path, *rest):
        given.append(rest)
        return generators.load_generator(path)

    monkeypatch.setattr(posthoc_averages, "load_any", load_any)
    out = f"--out={tmp_path / 'found.png'}"
    assert status_of(monkeypatch, command, *arguments, "--checkpoint=latest", out) == 0
    assert given == [("latest", "", 0.07)]


def test_many_images_are_projected_some_at_once(monkeypatch):
    generator = generator_of(classes=3)
    images = drawing.sample(generator, range(5000, 5005), labels=[2, 0, 1, 1, 2])
    arguments = (generator, images, Judge(), [None, 0, None, 1, None])
    whole = project(*arguments, starts=2, steps=20)
    monkeypatch.setattr(projection, "ROWS", 4)  # two images
    parts = project(*arguments, starts=2, steps=20)
    for name in ("latents", "labels", "images", "pixels"):
        one, other = getattr(whole, name), getattr(parts, name)
        assert one.shape == other.shape, name
        np.testing.assert_allclose(one.astype(float), other, atol=1.0 if name == "images" else 1e-3)
    assert whole.seeds.tolist() == parts.seeds.tolist()
    assert len(set(whole.seeds.tolist())) > 1
