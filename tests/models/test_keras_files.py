"""Keras files that older versions of Keras load too."""

import json
import zipfile
from pathlib import Path

import keras
import numpy as np
import pytest

import gan
from gan.errors import UserError
from gan.models import keras_files
from gan.sampling.generators import read_network

NEWER = {"quantization_config", "renorm", "renorm_clipping", "renorm_momentum"}  # than 3.12


def description_of(path):
    with zipfile.ZipFile(path) as archive:
        return json.loads(archive.read("config.json"))


def arguments_of(value):
    """The names of all arguments in a description."""
    if isinstance(value, list):
        return set().union(*map(arguments_of, value))
    return (
        set(value).union(*map(arguments_of, value.values())) if isinstance(value, dict) else set()
    )


def make_network():
    label = keras.Input([], dtype="int32")
    x = keras.layers.Embedding(3, 4)(label)
    x = keras.layers.BatchNormalization()(keras.layers.Dense(5)(x))
    return keras.Model(label, keras.layers.SpectralNormalization(keras.layers.Dense(2))(x))


def test_what_older_versions_refuse_is_left_out(tmp_path):
    network, path = make_network(), tmp_path / "network.keras"
    keras_files.save(network, path)
    arguments = arguments_of(description_of(path))
    assert not arguments & NEWER
    assert {"embeddings_initializer", "momentum", "units", "power_iterations"} <= arguments
    again = keras.models.load_model(path, compile=False)
    labels = np.array([0, 2])
    assert np.array_equal(network(labels).numpy(), again(labels).numpy())
    with zipfile.ZipFile(path) as archive:
        assert set(archive.namelist()) == {"metadata.json", "config.json", "model.weights.h5"}


def test_the_packaged_generator_has_none_of_it():
    path = Path(gan.__file__).parent / "sampling/weights/mnist.keras"
    assert not arguments_of(description_of(path)) & NEWER


@pytest.mark.parametrize(
    ("module", "argument", "kept"),
    [
        ("keras.layers", {"renorm": False}, False),
        ("keras.layers", {"renorm": True}, True),  # it does something
        ("keras.layers", {"quantization_config": {"mode": "int8"}}, True),
        ("mine", {"renorm": False}, True),
        (None, {"renorm": False}, True),
        ("kerasish.layers", {"renorm": False}, True),
    ],
)
def test_what_does_something_or_is_of_another_module_stays(module, argument, kept):
    layer = {"module": module, "class_name": "Some", "config": {"name": "a", **argument}}
    expected = {"name": "a", **(argument if kept else {})}
    (found,) = keras_files.without_newer({"layers": [layer]})["layers"]
    assert found == {**layer, "config": expected}
    wrapper = {"module": "keras.layers", "class_name": "Wrapper", "config": {"layer": layer}}
    assert keras_files.without_newer(wrapper)["config"]["layer"]["config"] == expected


def test_a_file_of_a_newer_version_is_named(tmp_path):
    path, later = tmp_path / "network.keras", tmp_path / "later.keras"
    keras_files.save(make_network(), path)
    with zipfile.ZipFile(path) as archive, zipfile.ZipFile(later, "w") as changed:
        for name in archive.namelist():
            content = archive.read(name)
            if name == "metadata.json":
                content = json.dumps({"keras_version": "9.8.7"}).encode()
            changed.writestr(name, content.replace(b'"use_bias"', b'"uses_bias"'))
    with pytest.raises(UserError) as raised:
        read_network(later)
    said = str(raised.value)
    assert said.startswith(f"{later}: cannot be loaded (")
    assert "uses_bias" in said
    assert said.endswith(f"; Keras 9.8.7 wrote it, this is {keras.__version__})")
    assert read_network(path).count_params() > 0
