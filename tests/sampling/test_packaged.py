"""Generators that come with the package: what is in their files, and how they are found."""

import json

import numpy as np
import pytest

import gan.api
from experiments import package_generator
from gan.cli import evaluate, export, project, sample
from gan.data.datasets import Dataset
from gan.errors import UserError
from gan.evaluation import feature_networks, features
from gan.run import jsonl, saved_config
from gan.run.config import Config
from gan.run.presets import from_preset
from gan.sampling import drawing, generators, packaged
from gan.training.trainer import train
from support import status_of

NAMES = ("ant", "bee", "cat")
DATA = Dataset(
    np.random.default_rng(0).integers(0, 256, (96, 28, 28, 1), np.uint8),
    np.arange(96) % 3,
    class_names=NAMES,
)


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A conditional run, and the folder of what was made of it under the name "ants"."""
    place = tmp_path_factory.mktemp("packaged")
    config = Config(
        dataset="mnist", generator="tiny", discriminator="tiny", latent_dim=8, batch_size=16,
        steps=2, conditional=True, precision="float32", jit_compile=False, ema_half_life=100,
    )  # fmt: skip
    train(config, place / "run", data=DATA, quiet=True)
    judged = []

    def judge(generator, run_dir, config):
        judged.append((generator, config.dataset))
        return {"metrics": {"fcd": 1.5}, "floors": {"fcd": {"mean": 0.5, "sd": 0.1}}}

    with pytest.MonkeyPatch.context() as patch:
        flags = (f"--run_dir={place / 'run'}", "--name=ants", f"--out={place / 'weights'}")
        # Not of MNIST's own images: it is not judged beside those, and nothing is left.
        assert status_of(patch, package_generator, *flags) == 2
        assert list((place / "weights").iterdir()) == []
        patch.setattr(package_generator, "judge", judge)
        assert status_of(patch, package_generator, *flags) == 0
    ((generator, dataset),) = judged
    assert dataset == "mnist"
    return place, generator


@pytest.fixture
def package(made, monkeypatch, tmp_path):
    """The same as if it came with the package, in an empty working directory."""
    place, _ = made
    monkeypatch.setattr(packaged, "DIRECTORY", place / "weights")
    packaged.names.cache_clear()
    monkeypatch.chdir(tmp_path)
    yield place
    packaged.names.cache_clear()


def test_weights_are_those_of_the_run_rounded_to_half_precision(package, made):
    saved = generators.load_saved_generator(package / "run")
    loaded = gan.load("ants")
    assert len(saved.variables) == len(loaded.variables) > 4
    for exact, rounded in zip(saved.variables, loaded.variables, strict=True):
        assert rounded.dtype == "float32"
        np.testing.assert_array_equal(exact.numpy().astype(np.float16), rounded.numpy())
    whole = (package / "run/generator.keras").stat().st_size
    assert (package / "weights/ants.keras").stat().st_size < 0.6 * whole
    # What was judged is what users get.
    for one, other in zip(made[1].variables, loaded.variables, strict=True):
        np.testing.assert_array_equal(one.numpy(), other.numpy())


def test_the_record_says_where_it_is_from(package):
    record = json.loads((package / "weights/ants.json").read_text())
    assert record["class_names"] == list(NAMES)
    assert record["config"]["generator"] == "tiny"
    assert record["config"]["latent_dim"] == 8
    assert record["evaluation"]["metrics"] == {"fcd": 1.5}
    assert len(record["sha256"]) == 64


def test_commands_take_the_name_and_write_here(package, monkeypatch, tmp_path):
    assert status_of(monkeypatch, sample, "ants", "--labels=bee", "--side=3") == 0
    assert status_of(monkeypatch, export, "ants", "--formats=savedmodel") == 0
    assert [path.name for path in tmp_path.iterdir()] == ["ants_samples"]
    written = sorted(path.name for path in (tmp_path / "ants_samples").iterdir())
    assert written == ["export", "grid.png"]
    flags = ("--seeds=3,4", "--labels=bee", "--out=a.npz")
    assert status_of(monkeypatch, sample, "ants", *flags) == 0
    with np.load("a.npz") as file:
        expected = drawing.sample(gan.load("ants"), [3, 4], labels=[1, 1])
        np.testing.assert_array_equal(file["images"], expected)


def test_what_is_here_under_that_name_wins(package, tmp_path):
    """A file is taken for what it is, and so is an empty directory."""
    file = tmp_path / "ants"
    file.write_bytes(b"none")
    with pytest.raises(UserError, match=r"^ants: cannot be loaded"):
        gan.load("ants")
    file.unlink()
    file.mkdir()
    with pytest.raises(UserError, match=r"ants.*(no run|config.json)"):
        gan.load("ants")
    file.rmdir()
    assert gan.load("ants").output_shape == (None, 28, 28, 1)


def test_damage_is_noticed(package, made, monkeypatch, tmp_path):
    damaged = tmp_path / "weights"
    damaged.mkdir()
    for path in (made[0] / "weights").iterdir():
        (damaged / path.name).write_bytes(path.read_bytes())
    content = bytearray((damaged / "ants.keras").read_bytes())
    content[len(content) // 2] ^= 1
    (damaged / "ants.keras").write_bytes(content)
    monkeypatch.setattr(packaged, "DIRECTORY", damaged)
    with pytest.raises(UserError, match=r"ants\.keras: is damaged, install the package again$"):
        gan.load("ants")
    (damaged / "ants.keras").unlink()
    with pytest.raises(UserError, match="is damaged"):
        gan.load("ants")


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        ({"checkpoint": "latest"}, "checkpoint=latest: is for runs, ants is a file"),
        ({"ema_sigma": 0.05}, "ema_sigma=0.05: is for runs, ants is a file"),
        ({"network": "discriminator"}, "ants: comes with the package, without a discriminator"),
    ],
)
def test_what_only_runs_have_is_refused(package, flags, message):
    with pytest.raises(UserError, match=message):
        gan.load("ants", **flags)


def test_there_are_those_of_mnist_and_fashion_mnist():
    assert packaged.names() == ("fashion_mnist", "mnist")
    for name in packaged.names():
        assert packaged.record_of(name)["dataset"] == name
        assert (packaged.DIRECTORY / f"{name}.keras").stat().st_size <= 4.5e6
    assert set(saved_config.PACKAGED) == set(packaged.names())


@pytest.mark.parametrize("name", ["mnist", "fashion_mnist"])
def test_they_are_what_the_preset_makes(name):
    """But for fields that change no weights, or that a machine decides."""
    saved = Config(**packaged.record_of(name)["config"])
    machine = ("precision", "jit_compile", "strategy", "posthoc_averages")
    resolved = {field: getattr(saved, field) for field in machine}
    unchanging = {"evaluate_every": saved.evaluate_every}
    assert saved == from_preset("small", {"dataset": name, **resolved, **unchanging})


@pytest.mark.parametrize("name", ["mnist", "fashion_mnist"])
def test_commands_compare_it_with_the_data_that_it_learned(name, tmp_path, monkeypatch, capsys):
    """The packaged record has 0.157 and 0.418 of 10,000 samples; fewer are a bit further away."""
    monkeypatch.chdir(tmp_path)
    flags = (f"--samples={name}", "--num_images=2000", "--metrics=fcd", "--out=record.jsonl")
    assert status_of(monkeypatch, evaluate, *flags) == 0
    (record,) = jsonl.read_records(tmp_path / "record.jsonl")
    assert record["reference"]["dataset"] == name
    assert record["seed"] == 0
    assert 0.1 < record["metrics"]["fcd"] < {"mnist": 0.9, "fashion_mnist": 1.3}[name]
    capsys.readouterr()
    few = ("--test=3", "--starts=1", "--steps=2", "--compare=1", "--out=way.png")
    assert status_of(monkeypatch, project, name, *few) == 0
    assert "1 test images: " in capsys.readouterr().out


def test_that_of_mnist_is_as_good_as_its_record_says(tmp_path, monkeypatch):
    """FCD of 5,000 samples, which by their number is 0.08 larger."""
    monkeypatch.chdir(tmp_path)
    generator, record = gan.load("mnist"), packaged.record_of("mnist")
    metrics = gan.evaluate(generator, "mnist", ("fcd", "recall"), 5000)["metrics"]
    said = record["evaluation"]["metrics"]["fcd"]
    assert said + 0.05 < metrics["fcd"] < said + 0.15
    assert metrics["recall"] > 0.7


@pytest.mark.parametrize(("name", "share"), [("mnist", 0.95), ("fashion_mnist", 0.85)])
def test_those_of_the_package_draw_the_classes_they_are_asked_for(
    name, share, tmp_path, monkeypatch
):
    """To the classifier that judges them, which needs no data set to be there."""
    monkeypatch.chdir(tmp_path)
    labels = np.arange(500) % 10
    images = drawing.sample(gan.load(name), range(500), labels=labels)
    full_name = features.versioned_name(name, "cnn-a")
    judge = features.read_weights(
        feature_networks.PACKAGED / f"{full_name}.npz", full_name, "cnn-a", packaged=True
    )
    seen = judge(images)
    assert (seen.probabilities.argmax(1) == labels).mean() > share
    spread = [seen.features[labels == label].std(0).mean() for label in range(10)]
    assert min(spread) > 0.05 * seen.features.std(0).mean()  # not one image of each class
