import os
import re
from pathlib import Path

import pytest

from gan.data.folders.find import find_images
from gan.errors import UserError


def make(directory, *names):
    for name in names:
        path = directory / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"")


def relative(paths, directory):
    return [Path(path).relative_to(directory).as_posix() for path in paths]


def test_images_are_found_at_any_depth_in_order(tmp_path):
    make(tmp_path, "z.png", "a b/ü 1.JPG", "a b/.hidden.png", ".cache/x.png", "b/c/d.GiF",
         "b/e.webp", "README.txt", "b/f.npz", "y.bmp", "y.jpeg", "日本.png", "png", "b/g.jfif",
         "b/h.jpe", "b/i.tif", "b/j.TIFF", "b/k.avif", "b/l.npz")  # fmt: skip
    said = []
    found = find_images(tmp_path, said.append)
    assert relative(found.paths, tmp_path) == [
        "a b/ü 1.JPG", "b/c/d.GiF", "b/e.webp", "b/g.jfif", "b/h.jpe", "b/i.tif", "b/j.TIFF",
        "b/k.avif", "y.bmp", "y.jpeg", "z.png", "日本.png",
    ]  # fmt: skip
    assert (found.labels, found.classes) == (None, [])
    assert sorted(said[0].removeprefix("left out 4 other files (").rstrip(")").split(", ")) == [
        "1 .txt", "1 without extension", "2 .npz"
    ]  # fmt: skip
    assert find_images(tmp_path) == found


def test_subfolders_are_classes_if_all_images_lie_in_them(tmp_path):
    make(tmp_path, "dogs/1.png", "cats/deep/2.png", "cats/1.png", "empty/x.txt", "Zebras/1.png")
    said = []
    found = find_images(tmp_path, said.append)
    assert found.classes == ["Zebras", "cats", "dogs"]
    assert relative(found.paths, tmp_path) == [
        "Zebras/1.png", "cats/1.png", "cats/deep/2.png", "dogs/1.png",
    ]  # fmt: skip
    assert found.labels == [0, 1, 1, 2]
    assert said == [
        "left out 1 other file (1 .txt)", "warning: without images, and so no classes: empty"
    ]  # fmt: skip
    paths, labels, classes = find_images(tmp_path / "cats")  # one in it, one in a subfolder
    assert (len(paths), labels, classes) == (2, None, [])
    (tmp_path / "cats/1.png").unlink()
    assert find_images(tmp_path / "cats")[1:] == (None, [])  # one subfolder is no class


def test_numbers_are_classes_in_their_order(tmp_path):
    make(tmp_path, *(f"{i}/x.png" for i in range(12)))
    found = find_images(tmp_path)
    assert found.classes == [str(i) for i in range(12)]
    assert [found.classes[label] for label in found.labels] == [
        Path(path).parent.name for path in found.paths
    ]
    make(tmp_path, "b/x.png")
    assert find_images(tmp_path).classes[:4] == ["0", "1", "10", "11"]


def test_an_image_beside_the_classes_is_named(tmp_path):
    make(tmp_path, "cat/1.png", "dog/1.png", "preview.png")
    said = []
    assert find_images(tmp_path, said.append)[1:] == (None, [])
    assert said == ["warning: no classes, because of 1 image beside the 2 folders: preview.png"]
    make(tmp_path, *(f"{i}.png" for i in range(7)))
    find_images(tmp_path, said.append)
    assert said[1].endswith("because of 8 images beside the 2 folders: 0.png, 1.png, 2.png, 3.png, "
                            "4.png, 3 more")  # fmt: skip


@pytest.mark.parametrize("names", [("train", "val"), ("Train", "TEST", "validation")])
def test_parts_of_a_data_set_are_no_classes(names, tmp_path):
    make(tmp_path, *(f"{name}/cat/1.png" for name in names))
    with pytest.raises(UserError, match=rf"are parts of a data set and no .*/{sorted(names)[0]}$"):
        find_images(tmp_path)
    make(tmp_path, "bus/1.png")  # vehicles
    assert len(find_images(tmp_path).classes) == len(names) + 1


def test_links_to_folders_are_followed_once(tmp_path):
    make(tmp_path, "store/cat/1.png", "store/eel/1.png", "d/ape/1.png", "d/bee/1.png")
    d = tmp_path / "d"
    (d / "cat").symlink_to(tmp_path / "store/cat")
    (d / "again").symlink_to(tmp_path / "store/cat")
    (d / "bee/up").symlink_to(d)  # a circle
    (d / "a").symlink_to(d / "ape")  # before what it leads to
    (d / "link.png").symlink_to(tmp_path / "store/eel/1.png")  # a file
    said = []
    found = find_images(d, said.append)
    assert relative(found.paths, d) == ["again/1.png", "ape/1.png", "bee/1.png", "link.png"]
    (d / "link.png").unlink()
    assert find_images(d).classes == ["again", "ape", "bee"]
    left_out = [line for line in said if "link to a folder" in line]
    assert sorted(re.findall(r"left out (\S+), a link", line)[0] for line in left_out) == [
        str(d / "a"), str(d / "bee/up"), str(d / "cat")
    ]  # fmt: skip
    only = tmp_path / "only"
    only.mkdir()
    for name in ("cat", "eel"):
        (only / name).symlink_to(tmp_path / "store" / name)
    (only / "cat" / "all").symlink_to(tmp_path / "store")
    found = find_images(only)
    assert (relative(found.paths, only), found.labels) == (["cat/1.png", "eel/1.png"], [0, 1])


def test_directories_without_images_are_refused(tmp_path, monkeypatch):
    flag = "--dataset=image_folder:"
    (tmp_path / "README.txt").write_text("no image")
    for path in ("nowhere", "README.txt"):
        with pytest.raises(UserError, match=f"^{flag}.*{path}: not a directory; must hold images"):
            find_images(tmp_path / path)
    with pytest.raises(UserError, match=rf"^{flag}.*: holds no images, must hold some \(\.jpg"):
        find_images(tmp_path)

    def denied(path):
        raise PermissionError(13, "Permission denied", path)

    monkeypatch.setattr(os, "scandir", denied)  # chmod does not stop root
    with pytest.raises(UserError, match=f"^{flag}{tmp_path}: cannot read .*: Permission denied"):
        find_images(tmp_path)


def test_runs_in_a_folder_are_no_images(tmp_path):
    """A run's pictures would be learned by the next one, and its own data would grow."""
    make(tmp_path, "a/1.png", "b/1.png", "runs/tiny/samples/reals.png", "c/2.png", "c/deep/3.png")
    (tmp_path / "runs/tiny/config.json").write_text('{"config": {"seed": 0}}')
    (tmp_path / "c/config.json").write_text('{"hidden_size": 3}')  # of another program
    said = []
    found = find_images(tmp_path, said.append)
    assert found.classes == ["a", "b", "c"]
    assert relative(found.paths, tmp_path) == ["a/1.png", "b/1.png", "c/2.png", "c/deep/3.png"]
    run = tmp_path / "runs/tiny"
    assert f"left out {run}, a run, whose pictures are not data" in said
    assert relative(find_images(run).paths, run) == ["samples/reals.png"]  # asked for by name


def test_names_of_classes_are_text_that_a_file_can_hold(tmp_path):
    for name in (b"a", b"caf\xe9"):
        folder = os.path.join(os.fsencode(tmp_path), name)
        os.mkdir(folder)
        with open(os.path.join(folder, b"1.png"), "wb"):
            pass
    assert find_images(tmp_path).classes == ["a", r"caf\xe9"]
