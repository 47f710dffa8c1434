"""Which images of a folder are held out, and that nothing is ever learned from them."""

import json
import os
import shutil

import numpy as np
import pytest
from PIL import Image

from gan.data.datasets import Dataset, Folder, load_dataset
from gan.data.folders import held_out
from gan.data.folders import load as load_module
from gan.data.folders.image_cache import cached_pixels
from gan.errors import UserError
from gan.run import run_directory, saved_config
from gan.run.config import Config


def write(path, level):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("L", (8, 8), level).save(path)


@pytest.fixture(scope="module")
def flat(tmp_path_factory):
    """600 images; the first one has the name 0000.png and the grey level 0."""
    place = tmp_path_factory.mktemp("flat")
    for i in range(600):
        write(place / f"{i:04}.png", i % 256)
    return place


def load(folder, say=lambda line: None, **options):
    options = {"image_size": 8, "image_channels": 1, **options}
    return load_dataset(f"image_folder:{folder}", "", say, **options)


def test_the_order_is_always_the_same():
    """Another one would train old runs on what was held out."""
    names = [b"%d.png" % i for i in range(12)]
    order = [2, 3, 0, 10, 5, 8, 7, 11, 6, 4, 9, 1]
    assert held_out.hashed_order(names, None).tolist() == order
    some = [names[i] for i in (1, 5, 9, 2)]  # whatever else there is, in whichever order
    assert [some[i] for i in held_out.hashed_order(some, None)] == [names[i] for i in (2, 5, 9, 1)]


def test_one_image_of_each_class_comes_first():
    names, labels = [b"%d.png" % i for i in range(12)], [0] * 6 + [1] * 5 + [2]
    order = held_out.hashed_order(names, labels).tolist()
    assert order == [2, 10, 11, 3, 0, 5, 8, 7, 6, 4, 9, 1]


@pytest.mark.parametrize(
    ("count", "share", "held"),
    [
        (399, 0.1, 0), (400, 0.1, 100), (1000, 0.1, 250), (3999, 0.1, 999), (4000, 0.1, 1000),
        (9000, 0.1, 1000), (20_000, 0.1, 2000), (4000, 0.5, 2000), (300, 0.5, 150),
        (4000, 0.0, 0), (199, 0.5, 0), (5000, 0.001, 1000),
    ],
)  # fmt: skip
def test_how_many_are_held_out(count, share, held):
    assert held_out.count_held_out(count, share) == held
    line = held_out.described(count, held, share)
    assert ("no metrics" in line) == (held == 0)
    assert ("are known to" in line) == (0 < held < 1000)
    assert held_out.described(100, 0, 0.1).endswith("must be at least 400")
    assert held_out.described(1000, 250, 0.1).endswith("are known to ±3.2 % only")  # 0.5 / 15.8


def test_the_parts_share_no_image_and_are_mapped(flat):
    data = load(flat)
    assert data.folder.said[1] == f"{flat}: {held_out.described(600, 150, 0.1)}"
    parts = (data.train_images, data.test_images)
    assert [part.shape for part in parts] == [(450, 8, 8, 1), (150, 8, 8, 1)]
    assert all(isinstance(part, np.memmap) for part in parts)  # nothing is in memory
    names = [name.decode() for name in data.folder.names]
    assert sorted(names) == [f"{i:04}.png" for i in range(600)]
    levels = [int(name[:4]) % 256 for name in names]
    assert data.train_images[:, 0, 0, 0].tolist() == levels[:450]
    assert data.test_images[:, 0, 0, 0].tolist() == levels[450:]
    assert (data.train_labels, data.test_labels) == (None, None)
    tests = {int(name[:4]) for name in names[450:]}
    assert 200 < np.mean(list(tests)) < 400  # from everywhere
    assert data.parts.train_labels is None
    assert data.labelled is None


def test_what_is_held_out_stays_when_files_come_or_the_folder_moves(flat, tmp_path):
    def tests(data):
        return set(data.folder.names[len(data.train_images) :].tolist())

    before = tests(load(flat))
    moved = shutil.copytree(flat, tmp_path / "elsewhere")
    assert tests(load(moved)) == before
    for i in range(60):
        write(moved / f"new/{i}.png", 9)
    after = tests(load(moved))
    assert len(after) == 165
    assert len(before & after) > 140  # each share has its own threshold


def test_another_share_reads_nothing_again(flat, tmp_path, monkeypatch):
    places = set()

    def watched(*arguments):
        found = cached_pixels(*arguments)
        places.add(found.images.filename)
        return found

    monkeypatch.setattr(load_module, "cached_pixels", watched)
    cache = str(tmp_path / "cache")
    shares = {share: load(flat, data_cache=cache, test_share=share) for share in (0.1, 0.3, 0.6)}
    assert [len(data.test_images) for data in shares.values()] == [150, 180, 360]
    assert len(places) == 1
    held = [set(d.folder.names[len(d.train_images) :].tolist()) for d in shares.values()]
    assert held[0] < held[1] < held[2]


def test_each_class_keeps_training_images(tmp_path):
    for name, count in (("many", 500), ("few", 2), ("one", 1)):
        for i in range(count):
            write(tmp_path / name / f"{i}.png", i % 200 + 20)
    data = load(tmp_path, test_share=0.98)
    assert len(data.test_images) == 492
    assert set(data.train_labels.tolist()) == {0, 1, 2}
    said = []
    data = load(tmp_path, said.append, test_share=0.999)
    assert (len(data.train_images), len(data.test_images)) == (3, 500)
    assert set(data.train_labels.tolist()) == {0, 1, 2}
    wanted = 0
    for i, name in enumerate(data.folder.names.tolist()):
        label = data.train_labels[i] if i < 3 else data.test_labels[i - 3]
        assert name.startswith(data.class_names[label].encode())
        wanted += i >= 3
    assert wanted == 500


def test_a_class_whose_first_image_is_bad_keeps_another(tmp_path):
    for i in range(500):
        write(tmp_path / "a" / f"{i}.png", i % 200 + 20)
    for i in range(4):
        write(tmp_path / "b" / f"{i}.png", i + 40)
    order = load(tmp_path).folder.names.tolist()
    first = next(name for name in order[:2] if name.startswith(b"b/"))
    (tmp_path / first.decode()).write_bytes(b"")
    data = load(tmp_path, skip_bad_images=True, test_share=0.99)
    assert len(data.folder.names) == 503
    assert 1 in data.train_labels
    assert held_out.most_held_out(np.array([0, 0, 0, 1, 0]), 5) == 1
    assert "take all images of a class" in held_out.described(503, 300, 0.99)


def test_runs_from_before_go_on(flat, tmp_path):
    """They held out nothing, and saw the images in the order of their names."""
    files = Folder(np.array([b"a/1.png", b"b/2.png"], object), np.array([10, 20]), np.array([8, 8]),
                   "")  # fmt: skip
    data = Dataset(np.zeros([2, 8, 8, 1], np.uint8), np.array([0, 1]), folder=files)
    assert data.digest() == "e394102ebed4f49f8bfb1d8bcaac01b80af8757777c7caa110dc22fa2fccb9b7"
    old = load(flat, test_share=0)
    assert old.test_images is None
    assert old.folder.names.tolist() == sorted(os.fsencode(name) for name in os.listdir(flat))
    digests = {old.digest(), *(load(flat, test_share=share).digest() for share in (0.1, 0.3))}
    assert len(digests) == 3

    (tmp_path / "config.json").write_text(json.dumps({"config": {"dataset": "image_folder:x"}}))
    assert saved_config.read_config(tmp_path).test_share == 0
    again = Config(dataset="image_folder:x")
    assert again.test_share == 0.1
    again = saved_config.with_saved_choices(tmp_path, again)
    assert again.test_share == 0
    run_directory.check_run_dir(tmp_path, again)
    saved_config.write_config(tmp_path, again, {}, {})
    again = saved_config.with_saved_choices(tmp_path, Config(dataset="image_folder:x"))
    run_directory.check_run_dir(tmp_path, again)
    other = saved_config.with_saved_choices(
        tmp_path, Config(dataset="image_folder:x", test_share=0.2)
    )
    with pytest.raises(UserError, match=r"test_share: 0\.0 -> 0\.2"):
        run_directory.check_run_dir(tmp_path, other)
    (tmp_path / "config.json").write_text(json.dumps({"config": {"dataset": "mnist"}}))
    assert saved_config.read_config(tmp_path).test_share == 0.1  # no folder
    (tmp_path / "config.json").write_text(json.dumps({"config": {"dataset": "image_folder:x"}}))
    assert saved_config.with_saved_choices(tmp_path, Config()).test_share == 0.1


def test_only_folders_have_a_share():
    with pytest.raises(UserError, match=r"--test_share=0\.2: is for --dataset=image_folder:PATH"):
        Config(test_share=0.2)
    for share in (-0.1, 1.0):
        with pytest.raises(UserError, match="must be a number at least 0 and below 1"):
            Config(dataset="image_folder:x", test_share=share)
