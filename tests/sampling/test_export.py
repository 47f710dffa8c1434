"""Exported generators, run in their own runtimes."""

import re
import shutil
import sys

import keras
import numpy as np
import pytest
import tensorflow as tf

import gan
from gan.cli import export as command
from gan.errors import UserError
from gan.models.build import build_generator
from gan.models.checks import all_layers
from gan.models.layers import NetworkSpec
from gan.models.registry import GENERATORS
from gan.run import run_directory
from gan.run.presets import from_preset
from gan.sampling import export
from gan.sampling.latents import latents_of
from gan.training.trainer import train
from support import status_of

SHAPE = (8, 8, 1)


def anonymous(**kwargs):
    """A network of the user's, whose input has no name of ours."""
    del kwargs
    return keras.Sequential([
        keras.Input((8,)), keras.layers.Dense(64, activation="tanh"), keras.layers.Reshape(SHAPE),
    ])  # fmt: skip


def generator_of(name, **kwargs):
    if name == "anonymous":
        return anonymous()
    shape = (2,) if name.startswith("toy") else SHAPE
    generator = GENERATORS[name].build(NetworkSpec(shape, 8, seed=1, **kwargs))
    for variable in generator.trainable_variables:  # away from what is trivial, such as zeros
        variable.assign(variable + 0.1 * np.random.default_rng(0).normal(size=variable.shape))
    return generator


# What layers and inputs there are, and formats that have nothing of their own to do about it:
# Keras saves all networks in test_registry.py, and halves of weights are made of what TFLite made.
MADE_ALIKE = ("keras", "tflite_float16")
EXPORTED = (
    ("tiny", {}, ()),
    ("tiny", {"classes": 3}, MADE_ALIKE[1:]),
    ("tiny", {"categories": 3}, MADE_ALIKE),  # of an InfoGAN
    ("tiny", {"policy": "mixed_bfloat16"}, ()),
    ("dcgan_dense_tiny", {}, MADE_ALIKE[:1]),
    ("sndcgan_dense_tiny", {}, MADE_ALIKE),
    ("resnet_tiny", {}, MADE_ALIKE),
    ("toy_tiny", {}, MADE_ALIKE),
    ("anonymous", {}, MADE_ALIKE[1:]),
)


@pytest.mark.parametrize(
    ("name", "network", "kwargs"),
    [
        (name, network, kwargs)
        for network, kwargs, without in EXPORTED
        for name in export.FORMATS
        if name not in without
    ],
)
def test_every_format_draws_what_keras_draws(name, network, kwargs, tmp_path):
    generator = generator_of(network, **kwargs)
    path, difference = export.export(generator, name, tmp_path)
    mixed = "mixed" in kwargs.get("policy", "")
    assert difference <= (0.05 if mixed or "16" in name else 1e-3)
    assert [one.name for one in tmp_path.iterdir()] == [path.name]
    # Other latents than those that were compared, and another number of them.
    latents = np.random.default_rng(1).normal(size=(3, 8)).astype(np.float32)
    classes = kwargs.get("classes")
    labels = np.array([0, 2, 1], np.int32) if classes else None
    expected = generator([latents, labels] if classes else latents).numpy()
    found = export.FORMATS[name].run(path, export.Inputs(latents, labels))
    allowed = 0.02 if "mixed" in kwargs.get("policy", "") or "16" in name else 1e-3
    np.testing.assert_allclose(found, expected, atol=allowed)
    if "mixed" in kwargs.get("policy", "") and "16" not in name:
        assert difference > 1e-4  # what is printed is the difference from what is drawn here
    assert np.ptp(expected) > 10 * allowed


def test_a_signature_for_serving(tmp_path):
    path, _ = export.export(generator_of("tiny"), "savedmodel", tmp_path)
    signatures = tf.saved_model.load(str(path)).signatures
    assert "serving_default" in signatures
    (latents,) = signatures["serving_default"].structured_input_signature[1].values()
    assert (latents.name, latents.shape.as_list()) == ("latents", [None, 8])


def test_what_differs_is_refused_and_nothing_is_left(tmp_path, monkeypatch):
    form = export.FORMATS["keras"]
    export.export(generator_of("tiny"), "keras", tmp_path)
    before = (tmp_path / "generator.keras").read_bytes()
    for broken, message in (
        (form._replace(run=lambda path, inputs: form.run(path, inputs) + 0.5), "would differ"),
        (form._replace(run=lambda path, inputs: np.nan * form.run(path, inputs)), "would differ"),
        (form._replace(write=lambda model, path: 1 / 0), r"cannot be made \(division by zero\)"),
    ):
        monkeypatch.setitem(export.FORMATS, "keras", broken)
        with pytest.raises(export.ExportFailed, match=f"--formats=keras: {message}"):
            export.export(generator_of("tiny"), "keras", tmp_path)
        assert [one.name for one in tmp_path.iterdir()] == ["generator.keras"]
        assert (tmp_path / "generator.keras").read_bytes() == before


def test_an_export_that_does_not_look_at_the_labels_is_refused(tmp_path, monkeypatch):
    form = export.FORMATS["keras"]

    def of_class_0(path, inputs):
        return form.run(path, inputs._replace(labels=np.zeros_like(inputs.labels)))

    monkeypatch.setitem(export.FORMATS, "keras", form._replace(run=of_class_0))
    with pytest.raises(export.ExportFailed, match="would differ"):
        export.export(generator_of("tiny", classes=3), "keras", tmp_path)


def test_half_of_a_file_of_halves_is_left(tmp_path):
    """Its weights are float16, not the 8 bits that TensorFlow Lite takes without being told."""
    from ai_edge_litert.interpreter import Interpreter

    generator = GENERATORS["mlp"].build(NetworkSpec(SHAPE, 100, seed=1))
    sizes, types = {}, {}
    for name in ("tflite", "tflite_float16"):
        path, _ = export.export(generator, name, tmp_path)
        interpreter = Interpreter(str(path))
        details = interpreter.get_tensor_details()
        sizes[name] = path.stat().st_size
        types[name] = {np.dtype(one["dtype"]).name for one in details if len(one["shape"]) == 2}
    assert sizes["tflite_float16"] / sizes["tflite"] == pytest.approx(0.5, abs=0.05)
    assert types == {"tflite": {"float32"}, "tflite_float16": {"float16", "float32"}}


def test_what_is_not_an_export_is_not_replaced(tmp_path):
    for name in ("savedmodel", "generator.keras"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "thesis.txt").write_text("mine")
    for name in ("savedmodel", "keras"):
        with pytest.raises(UserError, match="is something else"):
            export.export(generator_of("tiny"), name, tmp_path)
    assert len(list(tmp_path.rglob("thesis.txt"))) == 2
    shutil.rmtree(tmp_path / "savedmodel")
    (tmp_path / "savedmodel").write_text("mine")
    with pytest.raises(UserError, match="is something else"):
        export.export(generator_of("tiny"), "savedmodel", tmp_path)


def test_the_generator_of_a_run_is_not_replaced(saved, tmp_path, monkeypatch, capsys):
    other, link = tmp_path / "other", tmp_path / "link"
    other.mkdir()
    (other / "config.json").write_text('{"config": {}}')
    link.symlink_to(other)
    for out in (other, link, other / "checkpoints"):
        assert call(monkeypatch, saved, f"--out={out}") == 2
        assert f"is kept by the run {other}, must be another place" in capsys.readouterr().err
    assert [one.name for one in other.iterdir()] == ["config.json"]
    file = tmp_path / "mine.jsonl"
    file.symlink_to(other / "metrics.jsonl")
    with pytest.raises(UserError, match=r"mine.jsonl: is kept by the run .*/other, must be"):
        run_directory.check_output(file)
    (tmp_path / "circle").symlink_to(tmp_path / "circle")
    run_directory.check_output(tmp_path / "circle/a.png")


def test_other_programs_have_a_config_too(saved, tmp_path, monkeypatch):
    (tmp_path / "config.json").write_text("[]")
    out = tmp_path / "checkpoints/mine"
    assert call(monkeypatch, saved, "--formats=keras", f"--out={out}") == 0
    assert {one.name for one in out.iterdir()} == {"generator.keras", "README.md"}


@pytest.fixture
def saved(tmp_path):
    generator_of("tiny").save(tmp_path / "g.keras")
    return tmp_path / "g.keras"


def call(monkeypatch, *arguments):
    return status_of(monkeypatch, command, *arguments)


def test_the_command_writes_all_formats_beside_the_generator(saved, monkeypatch, capsys):
    for _ in range(2):  # again is no mistake
        assert call(monkeypatch, f"--run_dir={saved}") == 0
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 2 * (len(export.FORMATS) + 1)
    assert lines[len(export.FORMATS)] == f"{saved.parent / 'export/README.md'}: the model card"
    for line, form in zip(lines, export.FORMATS.values(), strict=False):
        assert line.startswith(f"{saved.parent / 'export' / form.name}: ")
        assert "differs from Keras by at most" in line
    again = gan.load(saved.parent / "export/generator.keras")
    assert np.array_equal(gan.sample(again, range(9)), gan.sample(gan.load(saved), range(9)))


def test_a_format_whose_modules_are_missing_is_refused_or_passed_over(saved, monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "tf2onnx", None)  # importing it fails
    reason = "--formats=onnx: needs tf2onnx, install the extra `export`\n"
    assert call(monkeypatch, f"--run_dir={saved}", "--formats=onnx") == 2
    assert capsys.readouterr().err == f"error: {reason}"
    assert call(monkeypatch, f"--run_dir={saved}") == 0
    assert reason in capsys.readouterr().err
    assert not (saved.parent / "export/generator.onnx").exists()


def test_the_generator_itself_is_not_replaced(saved, monkeypatch, capsys, tmp_path):
    before = saved.read_bytes()
    assert call(monkeypatch, f"--run_dir={saved}", f"--out={saved.parent}") == 2
    assert "holds the generator itself" in capsys.readouterr().err
    outside = tmp_path / "outside"
    outside.mkdir()
    (saved.parent / "export").symlink_to(outside)
    assert call(monkeypatch, f"--run_dir={saved}") == 2
    assert "is a link, --out says where to write" in capsys.readouterr().err
    assert (saved.read_bytes(), list(outside.iterdir())) == (before, [])


def test_a_format_that_fails_does_not_spare_the_others(saved, monkeypatch, capsys):
    broken = export.FORMATS["savedmodel"]._replace(write=lambda model, path: 1 / 0)
    monkeypatch.setitem(export.FORMATS, "savedmodel", broken)
    assert call(monkeypatch, f"--run_dir={saved}") == 1
    said = capsys.readouterr()
    assert said.err == "error: --formats=savedmodel: cannot be made (division by zero)\n"
    assert len(said.out.splitlines()) == len(export.FORMATS)  # one less, and the card
    assert "savedmodel" not in (saved.parent / "export/README.md").read_text().split("## Draw")[1]


@pytest.mark.parametrize(
    ("changes", "shape"),
    [
        ({"generator": "tiny"}, (28, 28, 1)),
        ({"generator": "tiny", "g_norm": "spectral"}, (28, 28, 1)),  # a layer in a layer
        ({"generator": "tiny", "conditional": True}, (28, 28, 1)),
        ({"generator": "dcgan_tiny", "auxiliary": "infogan"}, (28, 28, 1)),  # operations between
        ({"generator": "toy_categorical", "discriminator": "toy"}, (2,)),
    ],
)
def test_networks_in_half_precision_become_those_in_full(changes, shape):
    """Bit for bit those that float32 builds of the same weights, whatever a network is made of."""
    changes = {"latent_dim": 16, "seed": 1, **changes}
    half, full = (
        build_generator(from_preset("tiny", {**changes, "precision": precision}), shape, 10)
        for precision in ("mixed_bfloat16", "float32")
    )
    inputs = [latents_of(range(20), 16)]
    if changes.get("conditional"):
        inputs.append(np.arange(20, dtype=np.int32) % 10)
    found = export.in_float32(half)
    assert {layer.compute_dtype for layer in all_layers(found) if layer.weights} == {"float32"}
    for network, alike in ((found, True), (half, False)):
        assert np.array_equal(network(inputs).numpy(), full(inputs).numpy()) is alike


def test_of_several_formats_all_or_none_is_written(saved, tmp_path, monkeypatch, capsys):
    out = tmp_path / "out"
    (out / "savedmodel").mkdir(parents=True)
    (out / "savedmodel/thesis.txt").write_text("mine")
    assert call(monkeypatch, saved, "--formats=keras,savedmodel", f"--out={out}") == 2
    taken = f"error: {out / 'savedmodel'}: is something else, nothing was written\n"
    assert capsys.readouterr().err == taken
    assert call(monkeypatch, saved, f"--out={out}") == 2  # all
    monkeypatch.setitem(sys.modules, "tf2onnx", None)
    assert call(monkeypatch, saved, "--formats=keras,onnx", f"--out={out}") == 2
    with pytest.raises(UserError, match="needs tf2onnx"):
        gan.export(saved, out, ["keras", "onnx"])
    assert [one.name for one in out.iterdir()] == ["savedmodel"]


def test_a_damaged_record_is_found_before_anything_is_written(
    tiny_config, tmp_path, monkeypatch, capsys
):
    train(tiny_config(), tmp_path / "run", quiet=True)
    (tmp_path / "run/evaluations.jsonl").write_text('{bad\n{"step": 50}\n')
    out = tmp_path / "out"
    assert call(monkeypatch, tmp_path / "run", "--formats=keras", f"--out={out}") == 2
    assert "evaluations.jsonl: line 1 is no record" in capsys.readouterr().err
    with pytest.raises(UserError, match="line 1 is no record"):
        gan.export(tmp_path / "run", out, ["keras"])
    assert not out.exists()


def test_points_have_no_grey_levels(tmp_path, monkeypatch, capsys):
    GENERATORS["toy_tiny"].build(NetworkSpec((2,), 8, seed=1)).save(tmp_path / "p.keras")
    assert call(monkeypatch, tmp_path / "p.keras", "--formats=savedmodel") == 0
    line = capsys.readouterr().out.splitlines()[0]
    assert re.search(r"differs from Keras by at most [\de.-]+ over 100 seeds$", line)
