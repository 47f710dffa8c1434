"""Data sets as the command line names them."""

import json

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from gan.data.datasets import (
    DATASETS,
    Dataset,
    DataSource,
    check_dataset,
    dataset_from_config,
    draw_mixture,
    grid,
    load_dataset,
    ring,
)
from gan.errors import UserError
from gan.run.config import Config
from support import call


@pytest.fixture
def folder(tmp_path):
    """Two classes of four grey images, dark and bright, 12 x 20 pixels, and a broken file."""
    for name, value in (("bright", 200), ("dark", 10)):
        (tmp_path / "images" / name).mkdir(parents=True)
        for i in range(4):
            image = np.full((12, 20, 3), value + i, np.uint8)
            path = tmp_path / "images" / name / f"{i}.png"
            path.write_bytes(tf.io.encode_png(image).numpy())
    (tmp_path / "images" / "bright" / "torn.png").write_bytes(b"\x89PNG")
    return tmp_path / "images"


def test_a_folder_is_trained_on_without_its_bad_files(folder, tmp_path, monkeypatch, capsys):
    flags = [
        f"--dataset=image_folder:{folder}", f"--run_dir={tmp_path / 'run'}", "--preset=tiny",
        "--conditional", "--image_size=8", "--image_channels=1", "--steps=4", "--batch_size=8",
        "--steps_per_call=2", "--nojit_compile", "--precision=float32",
    ]  # fmt: skip
    assert call(monkeypatch, *flags) == 2
    error = capsys.readouterr().err
    assert "torn.png" in error
    assert "--skip_bad_images" in error
    assert not (tmp_path / "run").exists()
    assert call(monkeypatch, *flags, "--skip_bad_images") == 0
    out = capsys.readouterr().err
    assert "8 images (8 PNG; 20 x 12 pixels), 2 classes: bright 4, dark 4\n" in out
    assert "no evaluation while training" in out
    assert json.loads((tmp_path / "run/summary.json").read_text())["status"] == "completed"
    grid = tf.io.decode_png((tmp_path / "run/samples/step_00000004.png").read_bytes())
    assert grid.shape == ((2 * 10 + 2) * 3, (10 * 10 + 2) * 3, 1)  # two classes, ten latents
    reals = tf.io.decode_png((tmp_path / "run/samples/reals.png").read_bytes()).numpy()
    assert set(np.unique(reals)) == {*range(10, 14), *range(200, 204), 255}


def test_a_data_set_says_what_it_is_and_not_its_pixels():
    images, points = np.zeros((1200, 8, 6, 3), np.uint8), np.zeros((5, 2), np.float32)
    labels = np.arange(1200) % 4
    whole = Dataset(images, labels, images[:20], labels[:20])
    assert repr(whole) == "Dataset(1,200 images of 8x6x3, 20 test images, 4 classes)"
    assert repr(Dataset(images)) == "Dataset(1,200 images of 8x6x3, no test images, no classes)"
    mixture = load_dataset("gaussian_ring", "", print).mixture
    found = repr(Dataset(points, mixture=mixture))
    assert found == "Dataset(5 points of 2, no test points, no classes)"


def test_classes_are_the_subfolders_in_order(folder):
    data = load_dataset(
        f"image_folder:{folder}", "", print, image_size=12, image_channels=3, skip_bad_images=True
    )
    assert (data.shape, data.classes, len(data.train_images)) == ((12, 12, 3), 2, 8)
    assert data.train_labels.tolist() == [0] * 4 + [1] * 4
    assert data.train_images[:, 0, 0, 0].tolist() == [
        *range(200, 204), *range(10, 14),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("lost", "classes", "said"),
    [
        ("b", ("a", "c"), "class 1 (b)"), ("c", ("a", "b"), "class 2 (c)"),
        ("ab", ("c",), "classes 0 (a), 1 (b)"),
    ],
)  # fmt: skip
def test_a_class_that_lost_its_images_is_left_out_of_the_numbers(lost, classes, said, tmp_path):
    for number, name in enumerate("abc"):
        (tmp_path / name).mkdir()
        Image.new("L", (8, 8 + number), 90 + number).save(tmp_path / name / "x.png")
        if name in lost:
            (tmp_path / name / "x.png").write_bytes(b"")
    lines = []
    data = load_dataset(
        f"image_folder:{tmp_path}", "", lines.append, image_size=8, skip_bad_images=True
    )
    assert data.class_names == classes
    assert data.train_labels.tolist() == list(range(len(classes)))
    kept = [name for name in "abc" if name not in lost]
    assert data.train_images[:, 0, 0, 0].tolist() == [90 + "abc".index(name) for name in kept]
    assert data.folder.names.tolist() == [f"{name}/x.png".encode() for name in kept]
    assert f"warning: left out {said}, without a sound image; the others move up" in lines
    sizes = [f"8 x {8 + 'abc'.index(name)}" for name in kept]
    assert data.folder.said[0] == (
        f"{tmp_path}: {len(kept)} images ({len(kept)} PNG; {' to '.join(sizes)} pixels), "
        f"{len(kept)} classes: {', '.join(f'{name} 1' for name in kept)}"
    )


def test_a_mapped_folder_is_a_data_set_like_others(folder):
    """A run from Python may take it, or a part of it, which is no folder any more."""
    data = load_dataset(f"image_folder:{folder}", "", print, image_size=8, skip_bad_images=True)
    digest = data.digest()
    part = Dataset(data.train_images[2:6], data.train_labels[2:6])
    assert check_dataset("part", part).train_labels.tolist() == [0, 0, 1, 1]
    assert part.digest() != data._replace(folder=None).digest() != digest


@pytest.mark.parametrize(
    ("of_run", "given", "read"), [("a", "", "a"), ("", "b", "b"), ("a", "b", "b"), ("", "", "")]
)
def test_a_directory_that_is_given_comes_before_that_of_the_run(of_run, given, read, monkeypatch):
    """The data of a run may have moved since."""
    images, asked = np.arange(256, dtype=np.uint8).reshape(1, 16, 16, 1), []
    source = DataSource(lambda data_dir, print_fn: asked.append(data_dir) or Dataset(images))
    monkeypatch.setitem(DATASETS, "mine", source)
    dataset_from_config(Config(dataset="mine", data_dir=of_run), print, given)
    assert asked == [read]


def test_where_the_gaussians_are():
    assert sorted(map(tuple, grid(3, 2.0, 0.1).centres.tolist())) == [
        (x, y) for x in (-2.0, 0.0, 2.0) for y in (-2.0, 0.0, 2.0)
    ]
    four = ring(4, 2.0, 0.1).centres
    np.testing.assert_allclose(four, [(2, 0), (0, 2), (-2, 0), (0, -2)], atol=1e-9)
    points, modes = draw_mixture(ring(4, 2.0, 0.1), 40_000, 1)
    assert points.dtype == np.float32
    np.testing.assert_allclose(np.bincount(modes), 10_000, rtol=0.05)
    np.testing.assert_allclose((points - four[modes]).std(0), 0.1, rtol=0.02)
    again, _ = draw_mixture(ring(4, 2.0, 0.1), 40_000, 1)
    np.testing.assert_array_equal(points, again)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"image_size": 0}, "--image_size=0: must be an integer"),
        ({"image_size": 5.5}, "--image_size=5.5: must be an integer"),
        ({"image_size": 10**6}, "--image_size=1000000: must be an integer"),
        ({"image_channels": 4}, "--image_channels=4: must be"),
        ({"image_channels": "3"}, "--image_channels=3: must be"),
        ({"test_share": 2}, "--test_share=2: must be a number"),
        ({"test_share": float("nan")}, "--test_share=nan: must be a number"),
        ({"background": None}, "--background=None: must be text"),
        ({"data_cache": "a\0b"}, "--data_cache=a\0b: must be UTF-8, without characters 0"),
    ],
)
def test_settings_of_folders_are_those_of_the_flags(settings, message, tmp_path):
    Image.fromarray(np.arange(64, dtype=np.uint8).reshape(8, 8)).save(tmp_path / "a.png")
    with pytest.raises(UserError) as error:
        load_dataset(f"image_folder:{tmp_path}", "", print, **settings)
    assert str(error.value).startswith(message)
    with pytest.raises(UserError, match=r"^dataset=3: must be text$"):
        load_dataset(3, "", print)


def test_classes_may_be_more_than_test_images():
    """As of many people with few pictures each. What nobody learns from is still refused."""
    images = np.random.default_rng(0).integers(0, 256, (2300, 8, 8, 1), np.uint8)
    labels = np.arange(2300) % 1150
    data = Dataset(images, labels, images[:500], labels[650:1150])
    assert check_dataset("people", data).test_labels.max() == 1149
    unknown = data._replace(test_labels=np.full(500, 1150))
    with pytest.raises(UserError, match="test_labels have class 1150, which no tr"):
        check_dataset("people", unknown)
