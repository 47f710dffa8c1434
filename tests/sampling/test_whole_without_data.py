"""A conditional run of a folder: samples of the classes that are asked for, and without the folder.

Read again, what it drew is the same classes; without its folder it still draws.
"""

import json
import shutil

import numpy as np
import pytest
from PIL import Image

import gan
from gan.cli import evaluate as evaluate_command
from gan.cli import export as export_command
from gan.cli import project as project_command
from gan.cli import report as report_command
from gan.cli import sample as sample_command
from gan.cli import train as train_command
from gan.data.datasets import load_dataset
from gan.data.images import image_grid
from gan.errors import UserError
from gan.run.config import Config
from gan.run.data_facts import DataFacts, read_data_facts
from gan.sampling import drawing, generators
from gan.training.trainer import train
from support import status_of

TINY = {
    "image_size": 8, "image_channels": 1, "generator": "tiny", "discriminator": "tiny",
    "conditional": True, "latent_dim": 8, "batch_size": 4, "steps": 2, "steps_per_call": 2,
    "evaluate_every": 0, "precision": "float32", "jit_compile": False,
}  # fmt: skip


@pytest.fixture(scope="module")
def original(tmp_path_factory):
    """A directory with a folder of classes and a run of it; what both are moved or changed of."""
    place = tmp_path_factory.mktemp("original")
    rng = np.random.default_rng(0)
    for name, count in (("bird", 3), ("cat", 4), ("dog", 5)):
        (place / "pictures" / name).mkdir(parents=True)
        for i in range(count):
            image = Image.fromarray(rng.integers(0, 256, (8, 8), np.uint8))
            image.save(place / "pictures" / name / f"{i}.png")
    train(Config(dataset=f"image_folder:{place / 'pictures'}", **TINY), place / "run", quiet=True)
    return place


@pytest.fixture
def moved(original, tmp_path):
    """A run on another machine: a copy of it, and its config names a folder that is not here."""
    shutil.copytree(original / "run", tmp_path / "run")
    values = json.loads((tmp_path / "run/config.json").read_text())
    values["config"]["dataset"] = "image_folder:/no/such/pictures"
    (tmp_path / "run/config.json").write_text(json.dumps(values))
    return tmp_path / "run"


def call(monkeypatch, *arguments, command=sample_command):
    return status_of(monkeypatch, command, *arguments)


def read(folder):
    return load_dataset(f"image_folder:{folder}", "", print, image_size=8, image_channels=1)


def test_what_the_config_says_of_the_data(original):
    facts = read_data_facts(original / "run")
    assert facts == DataFacts((8, 8, 1), 3, ("bird", "cat", "dog"), (3, 4, 5))


@pytest.mark.parametrize("flags", [(), ("--checkpoint=latest",)])
def test_a_folder_of_samples_is_read_as_the_same_classes(flags, moved, monkeypatch, capsys):
    out = moved.parent / "drawn"
    assert call(monkeypatch, moved, "--per_class=4", f"--out={out}", *flags) == 0
    assert capsys.readouterr().out.endswith(f"{out}: 12 images in 3 folders\n")
    data = read(out)
    assert data.class_names == ("bird", "cat", "dog")
    assert np.bincount(data.train_labels).tolist() == [4, 4, 4]
    generator = generators.load_saved_generator(moved)
    seeds = [0, 3, 6, 9, 1, 4, 7, 10, 2, 5, 8, 11]  # each of the class that it has without labels
    assert sorted(p.name for p in (out / "cat").iterdir()) == [
        "00001.png", "00004.png", "00007.png", "00010.png"
    ]  # fmt: skip
    expected = drawing.sample(generator, seeds)
    np.testing.assert_allclose(data.train_images.astype(int), expected.astype(int), atol=1)
    if flags:
        return
    again = Config(dataset=f"image_folder:{out}", **TINY)
    train(again, moved.parent / "again", quiet=True)
    assert read_data_facts(moved.parent / "again").class_names == ("bird", "cat", "dog")


def test_each_seed_is_drawn_for_each_label(moved, monkeypatch, capsys):
    out = moved.parent / "drawn"
    assert call(monkeypatch, moved, "--labels=dog,0", "--seeds=5,7", f"--out={out}") == 0
    assert sorted(str(p.relative_to(out)) for p in out.rglob("*.png")) == [
        "bird/00005.png", "bird/00007.png", "dog/00005.png", "dog/00007.png",
    ]  # fmt: skip
    generator = generators.load_saved_generator(moved)
    image = np.asarray(Image.open(out / "dog/00007.png"))
    np.testing.assert_array_equal(image, drawing.sample(generator, [5, 7], [2, 2])[1, ..., 0])
    (out / "dog/extra.png").touch()
    capsys.readouterr()
    assert call(monkeypatch, moved, "--labels=dog", "--per_class=2", f"--out={out}") == 0
    assert capsys.readouterr().out.endswith(
        f"{out}: 2 images in 1 folders, beside 4 others that were there\n"
    )  # of 00002 and 00005 the second was there
    npz = moved.parent / "a.npz"
    assert call(monkeypatch, moved, "--labels=dog,0", "--seeds=5,7", f"--out={npz}") == 0
    with np.load(npz) as file:
        assert file["seeds"].tolist() == [5, 7, 5, 7]
        assert file["labels"].tolist() == [2, 2, 0, 0]
        expected = drawing.sample(generator, [5, 7, 5, 7], [2, 2, 0, 0])
        np.testing.assert_array_equal(file["images"], expected)
    assert call(monkeypatch, moved, "--seeds=5-7", f"--out={npz}") == 0
    with np.load(npz) as file:
        assert file["labels"].tolist() == [2, 0, 1]


def test_a_grid_has_the_labels_in_rows(moved, monkeypatch):
    generator, out = generators.load_saved_generator(moved), moved.parent / "a.png"

    def shown():
        return np.asarray(Image.open(out))[..., np.newaxis]

    assert call(monkeypatch, moved, "--labels=dog,bird", "--side=3", f"--out={out}") == 0
    images = drawing.sample(generator, [0, 1, 2, 0, 1, 2], [2, 2, 2, 0, 0, 0])
    np.testing.assert_array_equal(shown(), image_grid(images, 3))
    assert call(monkeypatch, moved, "--labels=cat", "--side=2", f"--out={out}") == 0
    images = drawing.sample(generator, range(4), [1] * 4)
    np.testing.assert_array_equal(shown(), image_grid(images, 2))
    flags = ("--labels=cat,dog", "--seeds=7-9", "--side=2", f"--out={out}")
    assert call(monkeypatch, moved, *flags) == 0
    images = drawing.sample(generator, [7, 8, 9] * 2, [1] * 3 + [2] * 3)
    white = np.full((1, 8, 8, 1), 255, np.uint8)
    images = np.concatenate([images[:3], white, images[3:], white])
    np.testing.assert_array_equal(shown(), image_grid(images, 2))
    flags = ("--latent=interpolate", "--labels=dog", "--seeds=0-1", f"--out={out}")
    assert call(monkeypatch, moved, *flags) == 0
    ends = drawing.sample(generator, [0, 1], [2, 2])
    cells = shown()[::3, ::3, 0]
    assert cells.shape == (10 + 2, 10 * 10 + 2)
    for column, image in ((0, ends[0]), (9, ends[1])):
        cell = cells[2:10, 2 + 10 * column :][:, :8]
        np.testing.assert_allclose(cell.astype(int), image[..., 0].astype(int), atol=1)


def test_the_images_that_were_learned_from_are_not_drawn_over(original, monkeypatch, capsys):
    for out in (original / "pictures", original / "pictures/cat", original / "run/../pictures"):
        assert call(monkeypatch, original / "run", "--per_class=1", f"--out={out}") == 2
        assert f"--out={out}: holds the images that " in capsys.readouterr().err
    for out in (original / "pictures/cat/0.png", original / "pictures/new.png"):
        for command in (sample_command, project_command):
            more = (f"--image={original / 'pictures/dog/0.png'}",) * (command is project_command)
            flags = (original / "run", f"--out={out}", *more)
            assert call(monkeypatch, *flags, command=command) == 2
            assert f"--out={out}: holds the images that " in capsys.readouterr().err
    assert len(list((original / "pictures").rglob("*"))) == 3 + 12


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (("--labels=zebra",), "--labels=zebra: 'zebra' is no class, must be in 0-2, or among bird"),
        (("--labels=3",), "--labels=3: '3' is no class, must be in 0-2, or among bird, cat, dog"),
        (("--per_class=333334",), "--per_class=333334: are 1,000,002 images, must be at most 1,0"),
        (("--labels=0-1", "--seeds=0-500000", "--out=x"), "--labels=0-1: are 1,000,002 images, mu"),
    ],
)
def test_what_cannot_be_drawn_is_refused(flags, message, moved, monkeypatch, capsys):
    before = sorted(moved.parent.rglob("*"))
    monkeypatch.chdir(moved.parent)
    assert call(monkeypatch, moved, *flags) == 2
    assert capsys.readouterr().err.startswith(f"error: {message}")
    assert sorted(moved.parent.rglob("*")) == before


def test_names_that_are_no_folders_are_numbers(moved, monkeypatch, capsys):
    values = json.loads((moved / "config.json").read_text())
    values["data"]["class_names"] = ["../x", "cat", "dog"]
    (moved / "config.json").write_text(json.dumps(values))
    out = moved.parent / "drawn"
    assert call(monkeypatch, moved, "--labels=../x,dog", "--seeds=1", f"--out={out}") == 0
    assert sorted(p.name for p in out.iterdir()) == ["0", "2"]
    said = capsys.readouterr().out
    assert said.endswith(", named by number because '../x' is no name of a folder\n")


def test_a_run_needs_no_images_to_draw_export_load_and_report(moved, monkeypatch, capsys):
    flags = ("--checkpoint=latest", "--formats=keras")
    assert call(monkeypatch, moved, *flags, command=export_command) == 0
    assert call(monkeypatch, moved, "--explorer=none", command=report_command) == 0
    generator = gan.load(moved, checkpoint="latest")
    np.testing.assert_array_equal(gan.sample(generator, [1]), gan.sample(gan.load(moved), [1]))


def test_what_needs_images_says_so_and_takes_their_place(original, moved, monkeypatch, capsys):
    missing = (
        f"error: --run_dir={moved}: needs the images that it was trained on, /no/such/pictures is "
        "no directory here; --data=DIR says where they are\n"
    )
    assert call(monkeypatch, moved, "--nearest") == 2
    assert capsys.readouterr().err == missing
    assert call(monkeypatch, moved, command=evaluate_command) == 2
    assert capsys.readouterr().err == missing
    assert call(monkeypatch, moved, "--nearest", "--data=/nor/here") == 2
    assert "--data=/nor/here: must be the directory of" in capsys.readouterr().err
    here = f"--data={original / 'pictures'}"
    assert call(monkeypatch, moved, "--nearest", here) == 0
    capsys.readouterr()
    assert call(monkeypatch, moved, here, command=evaluate_command) == 2
    assert "needs the images" not in capsys.readouterr().err  # but test images
    other = moved.parent / "other"
    shutil.copytree(original / "pictures", other)
    (other / "dog/4.png").unlink()
    for command, flags in ((sample_command, ("--nearest",)), (evaluate_command, ())):
        assert call(monkeypatch, moved, *flags, f"--data={other}", command=command) == 2
        assert (
            f"--run_dir={moved}: was trained on other data than {other} has (12 examples, now 11)"
        ) in capsys.readouterr().err
    (other / "dog/4.png").write_bytes((other / "dog/3.png").read_bytes() + b"\0")
    assert call(monkeypatch, moved, "--nearest", f"--data={other}") == 2
    assert "as many of the same shape and classes, but others" in capsys.readouterr().err


def test_going_on_says_where_the_images_may_be(original, moved, monkeypatch, capsys):
    flags = [f"--{name}={value}" for name, value in TINY.items()] + [f"--run_dir={moved}"]
    gone = "--dataset=image_folder:/no/such/pictures"
    for more in ((), ("--dry_run",)):
        assert call(monkeypatch, *flags, gone, *more, command=train_command) == 2
        assert capsys.readouterr().err == (
            f"error: {gone}: is no directory, {moved} needs its images to go on; "
            "--dataset=image_folder:DIR says where they are now\n"
        )
    here = f"--dataset=image_folder:{original / 'pictures'}"
    assert call(monkeypatch, *flags, here, "--steps=3", command=train_command) == 0


def test_an_old_run_says_nothing_of_its_data_and_needs_them(original, moved, capsys):
    path = moved / "config.json"
    values = json.loads(path.read_text())
    del values["data"]["class_counts"]  # as versions wrote it that did not count
    path.write_text(json.dumps(values))
    assert read_data_facts(moved).class_counts == ()
    expected = gan.sample(gan.load(moved, checkpoint="latest"), [1])
    del values["data"]
    path.write_text(json.dumps(values))
    with pytest.raises(UserError, match="image_folder:/no/such/pictures: not a directory"):
        gan.load(moved, checkpoint="latest")
    values["config"]["dataset"] = f"image_folder:{original / 'pictures'}"
    path.write_text(json.dumps(values))
    np.testing.assert_array_equal(gan.sample(gan.load(moved, checkpoint="latest"), [1]), expected)


@pytest.mark.parametrize(
    "data",
    [
        [], {}, {"shape": [8, 8, 1]}, {"shape": [8, 8], "classes": 3},
        {"shape": [2**14, 2**14, 1], "classes": 3}, {"shape": [8, 8, -1], "classes": 3},
        {"shape": [8, 8, 1], "classes": -1}, {"shape": [8, 8, 1], "classes": True},
        {"shape": [8, 8, 1], "classes": 3, "class_names": [1]},
        {"shape": [8, 8, 1], "classes": 3, "class_counts": "many"},
    ],
)  # fmt: skip
def test_what_a_hostile_config_says_of_its_data_is_refused(data, moved):
    values = json.loads((moved / "config.json").read_text())
    (moved / "config.json").write_text(json.dumps({**values, "data": data}))
    with pytest.raises(UserError, match='"data" must have shape, classes, class_names and class_'):
        gan.load(moved, checkpoint="latest")


def test_no_data_set_is_loaded_to_draw(tiny_config, tmp_path, monkeypatch):
    """Of MNIST, say, which would be downloaded."""
    train(tiny_config(), tmp_path / "run", quiet=True)
    monkeypatch.setattr(generators, "dataset_from_config", None)
    assert gan.load(tmp_path / "run", checkpoint="latest").output_shape == (None, 28, 28, 1)
