import json
import shutil

import keras
import numpy as np
import pytest
from keras import layers
from PIL import Image

from gan.data.datasets import Dataset, load_dataset
from gan.errors import UserError
from gan.run.config import Config
from gan.run.presets import from_preset
from gan.run.saved_config import write_config
from gan.training.identity import check_same, describe
from gan.training.setup import resolve
from support import call

RNG = np.random.default_rng(0)
IMAGES, LABELS = RNG.integers(0, 256, (60, 8, 8, 1), np.uint8), np.arange(60) % 3
DATA = Dataset(IMAGES, LABELS, class_names=("bird", "cat", "dog"))
CONFIG = Config()


def network(*, units=8, activation="relu", seed=1):
    return keras.Sequential([
        keras.Input((8, 8, 1)), layers.Flatten(),
        layers.Dense(units, activation, kernel_initializer=keras.initializers.HeNormal(seed=seed)),
        layers.Dropout(0.5, seed=seed), layers.Dense(1),
    ])  # fmt: skip


class WithoutConfig(layers.Layer):
    def __init__(self, power):
        super().__init__()
        self.power = power

    def call(self, x):
        return x**self.power


def write_run(run_dir, data=DATA, config=CONFIG, **own):
    write_config(run_dir, config, {"keras": keras.__version__}, **describe(data, own))
    return run_dir


def go_on(run_dir, data=DATA, config=CONFIG, **own):
    return check_same(run_dir, config, **describe(data, own))


def changed(array, index, value):
    array = array.copy()
    array[index] = value
    return array


@pytest.mark.parametrize(
    ("data", "named"),
    [
        (DATA._replace(train_images=IMAGES[:50], train_labels=LABELS[:50]),
         "60 examples, now 50"),
        (DATA._replace(class_names=("cat", "dog", "zebra")),
         r"3 classes \(bird, cat, dog\), now 3 classes \(cat, dog, zebra\)"),
        (DATA._replace(train_labels=LABELS % 2, class_names=("a", "b")), "now 2 classes"),
        (DATA._replace(train_labels=None, class_names=()), "now 0 classes"),
        (DATA._replace(train_images=IMAGES.reshape(60, 4, 16, 1)), r"shape \[8, 8, 1\], now \[4"),
        (DATA._replace(train_images=changed(IMAGES, (59, 7, 7, 0), IMAGES[59, 7, 7, 0] ^ 1)),
         "but others"),
        (DATA._replace(train_labels=changed(LABELS, 59, 0)), "but others"),
    ],
)  # fmt: skip
def test_other_data_are_refused_by_what_is_other(data, named, tmp_path):
    with pytest.raises(UserError, match=f"was trained on other data .*{named}"):
        go_on(write_run(tmp_path), data)


def test_the_same_data_go_on(tmp_path):
    assert go_on(write_run(tmp_path), DATA._replace(train_images=IMAGES.copy())) == []
    assert go_on(tmp_path / "new") == []


@pytest.fixture
def folder(tmp_path):
    for name, value in (("bird", 40), ("cat", 120), ("dog", 200)):
        (tmp_path / "pictures" / name).mkdir(parents=True)
        for i in range(3):
            image = Image.new("L", (8, 8), value + i)
            image.save(tmp_path / "pictures" / name / f"{i}.png")
    return tmp_path / "pictures"


def read(folder):
    dataset = f"image_folder:{folder}"
    data = load_dataset(dataset, "", lambda line: None, image_size=8, image_channels=1)
    return data, Config(dataset=dataset, image_size=8, image_channels=1)


@pytest.mark.parametrize(
    ("change", "named"),
    [
        (lambda d: (d / "bird").rename(d / "zebra"), r"\(bird, cat, dog\), now .*\(cat, dog, zeb"),
        (lambda d: (d / "dog/1.png").unlink(), "9 examples, now 8"),
        (lambda d: (d / "dog/1.png").rename(d / "cat/1b.png"), "but others"),
        (lambda d: shutil.copy(d / "dog/0.png", d / "dog/3.png"), "9 examples, now 10"),
        (lambda d: Image.new("RGB", (90, 90), "red").save(d / "dog/0.png"), "but others"),
    ],
)
def test_a_folder_that_changed_is_refused(change, named, folder, tmp_path):
    data, config = read(folder)
    write_run(tmp_path / "run", data, config)
    change(folder)
    with pytest.raises(UserError, match=named):
        go_on(tmp_path / "run", *read(folder))


def test_a_dry_run_refuses_other_data_too(folder, tmp_path, monkeypatch, capsys):
    data, config = read(folder)
    fields = {"dataset": config.dataset, "image_size": 8, "image_channels": 1, "batch_size": 4}
    run_dir = tmp_path / "run"
    write_run(run_dir, data, resolve(from_preset("tiny", fields), run_dir))
    flags = [f"--{name}={value}" for name, value in fields.items()]
    flags += ["--preset=tiny", f"--run_dir={run_dir}", "--dry_run"]
    assert call(monkeypatch, *flags) == 0
    (folder / "dog/1.png").unlink()
    assert call(monkeypatch, *flags) == 2
    assert "was trained on other data (9 examples, now 8" in capsys.readouterr().err


def test_a_folder_that_moved_goes_on(folder, tmp_path, monkeypatch):
    data, config = read(folder)
    write_run(tmp_path / "run", data, config)
    folder.rename(tmp_path / "moved")
    for place in (tmp_path / "moved", f"{tmp_path}/moved/"):
        assert go_on(tmp_path / "run", *read(place)) == []
    monkeypatch.chdir(tmp_path)
    assert go_on(tmp_path / "run", *read("moved")) == []


@pytest.mark.parametrize(
    ("had", "has", "named"),
    [
        ({}, {"discriminator": network}, "discriminator: .* has --discriminator=mlp"),
        ({"discriminator": network}, {}, "--discriminator=mlp: .* a discriminator that Python"),
        ({"generator": network}, {"generator": lambda: network(units=9)}, "other layers"),
        ({"generator": network}, {"generator": lambda: network(activation="tanh")}, "other layers"),
    ],
)
def test_other_networks_are_refused(had, has, named, tmp_path):
    write_run(tmp_path, **{name: make() for name, make in had.items()})
    with pytest.raises(UserError, match=named):
        go_on(tmp_path, **{name: make() for name, make in has.items()})


def test_the_same_networks_go_on(tmp_path):
    """Names count up in a process, and random seeds are drawn anew."""
    write_run(tmp_path, discriminator=network())
    assert go_on(tmp_path, discriminator=network(seed=5)) == []


def test_a_discriminator_that_cannot_be_serialised_is_known_by_its_layers(tmp_path):
    def made(*others):
        return keras.Sequential([
            keras.Input((8, 8, 1)), WithoutConfig(2), layers.Flatten(), *others, layers.Dense(1)
        ])  # fmt: skip

    write_run(tmp_path, discriminator=made())
    assert go_on(tmp_path, discriminator=made()) == []
    with pytest.raises(UserError, match="other layers"):
        go_on(tmp_path, discriminator=made(layers.ReLU()))


def test_another_version_of_keras_may_write_the_same_network_otherwise(tmp_path):
    write_run(tmp_path, discriminator=network())
    path = tmp_path / "config.json"
    values = json.loads(path.read_text())
    values["architectures"]["discriminator"]["digest"] = "of another version"
    path.write_text(json.dumps(values))
    with pytest.raises(UserError, match="other layers"):
        go_on(tmp_path, discriminator=network())
    values["environment"]["keras"] = "3.0"
    path.write_text(json.dumps(values))
    assert go_on(tmp_path, discriminator=network()) == []


def test_an_old_run_says_nothing_of_them_and_goes_on_where_it_was(folder, tmp_path):
    data, config = read(folder)
    write_run(tmp_path / "run", data, config)
    path = tmp_path / "run/config.json"
    values = json.loads(path.read_text())
    path.write_text(json.dumps({key: values[key] for key in ("config", "environment")}))
    (line,) = go_on(tmp_path / "run", data, config)
    assert "older version" in line
    folder.rename(tmp_path / "moved")
    with pytest.raises(UserError, match="older version wrote it"):
        go_on(tmp_path / "run", *read(tmp_path / "moved"))
