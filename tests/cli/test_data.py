import numpy as np
import pytest
from PIL import Image

from gan.cli import data
from gan.data.datasets import Dataset, load_dataset
from gan.data.folders.doubts import doubts
from support import call, status_of


def write(path, image):
    path.parent.mkdir(parents=True, exist_ok=True)
    image.save(path)


@pytest.fixture
def pictures(tmp_path):
    """Two classes, of 13 red and 2 blue images of 16 pixels, and a file of something else."""
    for name, colour, count in (("red", (255, 0, 0), 13), ("blue", (0, 0, 255), 2)):
        for i in range(count):
            image = Image.new("RGB", (16, 16), colour)
            image.putpixel((0, 0), (i, i, i))
            write(tmp_path / "pictures" / name / f"{i:02}.png", image)
    (tmp_path / "pictures/notes.txt").write_text("mine")
    return tmp_path / "pictures"


def test_the_command_says_what_a_folder_holds_and_draws_it(pictures, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert status_of(monkeypatch, data, pictures, "--image_size=16") == 0
    said = capsys.readouterr()
    assert said.err.splitlines() == [
        "left out 1 other file (1 .txt)",
        "warning: 15 images are few: networks learn them by heart below some 1,000",
    ]
    assert said.out.splitlines() == [
        f"{pictures}: 15 images (15 PNG; 16 x 16 pixels), 2 classes: blue 2, red 13",
        f"{pictures}: 15 images are too few to hold some out, so there are no metrics; must be at "
        "least 400",
        "data.png: 10 of the images as networks will see them",
        f"next: tapegan train --dataset=image_folder:{pictures} --image_size=16",
    ]
    drawn = np.asarray(Image.open(tmp_path / "data.png"))
    assert drawn.shape == ((16 + 4) * 3, (10 * 18 + 2) * 3, 3)
    assert drawn[20, 20].tolist() == [0, 0, 255]
    assert drawn[20, -20].tolist() == [255, 0, 0]


def test_a_dry_run_says_it_too_and_draws_nothing(pictures, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    flags = (f"--dataset=image_folder:{pictures}", "--image_size=16", "--preset=tiny", "--dry_run")
    assert call(monkeypatch, *flags) == 0
    out = capsys.readouterr().err
    assert "15 images (15 PNG; 16 x 16 pixels), 2 classes: blue 2, red 13\n" in out
    assert "warning: 15 images are few: networks learn them by heart below some 1,000\n" in out
    assert "the command data draws the images as networks will see them\n" in out
    assert [path.name for path in tmp_path.iterdir()] == ["pictures"]


def test_the_picture_may_not_lie_in_the_folder(pictures, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(pictures)
    assert status_of(monkeypatch, data, ".") == 2
    assert (
        "--out=data.png: must not lie in the folder, it would be one of" in capsys.readouterr().err
    )
    assert not (pictures / "data.png").exists()


def test_a_picture_of_large_images_is_no_larger(pictures, tmp_path, monkeypatch, capsys):
    out = tmp_path / "a.png"
    assert status_of(monkeypatch, data, pictures, "--image_size=256", f"--out={out}") == 0
    assert Image.open(out).size == ((3 * 258 + 2) * 3, (3 * 258 + 2) * 3)


def test_the_picture_shows_every_part_of_a_folder(tmp_path, monkeypatch):
    for i in range(150):
        write(tmp_path / f"a/{i:03}.png", Image.new("L", (8, 8), i))
    out = tmp_path / "a.png"
    flags = ("--image_size=8", "--image_channels=1", f"--out={out}")
    assert status_of(monkeypatch, data, tmp_path / "a", *flags) == 0
    cells = np.asarray(Image.open(out))[15::30, 15::30]
    assert (cells.shape, cells[0, 0], cells[-1, -1]) == ((10, 10), 0, 149)
    assert np.diff(cells.ravel().astype(int)).max() == 2


def read(folder, **options):
    said = doubts(load_dataset(f"image_folder:{folder}", "", lambda line: None, **options))
    return [line for line in said if "are few" not in line]


def test_what_looks_right_is_not_doubted(pictures):
    assert read(pictures, image_size=16) == []
    assert doubts(Dataset(np.zeros([3, 8, 8, 1], np.uint8))) == []


def test_doubts(tmp_path):
    for i in range(20):
        image = Image.new("L", (31, 40 + i), min(i, 18))
        write(tmp_path / "a" / ("few" if i == 0 else "many") / f"{i}.png", image)
    assert read(tmp_path / "a") == [
        "20 images have a side below 32 pixels and are enlarged",
        "1 image is a copy of another, pixel by pixel",
        "all images are grey: --image_channels=1 makes smaller networks",
        "class many has 19 images, few has 1",
    ]
    assert read(tmp_path / "a", image_size=31, image_channels=1) == [
        "1 image is a copy of another, pixel by pixel",
        "class many has 19 images, few has 1",
    ]


def test_few_images_are_doubted():
    for count in (999, 1000):
        images = np.zeros([count, 8, 8, 1], np.uint8)
        images[:, 0, 0, 0], images[:, 0, 1, 0] = np.arange(count) % 256, np.arange(count) // 256
        sides = np.full(count, 8)
        folder = load_folder_of(sides)
        said = doubts(Dataset(images, folder=folder))
        assert [line for line in said if "few" in line] == [
            "999 images are few: networks learn them by heart below some 1,000"
        ][: 1000 - count]  # fmt: skip


def load_folder_of(sides):
    from gan.data.datasets import Folder

    return Folder(np.array([], object), np.array([]), sides, "")
