"""What exports say of themselves, read by the tools that users have."""

import dataclasses
import json
import zipfile

import numpy as np
import pytest
import tensorflow as tf

import gan
from gan.models.layers import NetworkSpec
from gan.models.registry import GENERATORS
from gan.run.jsonl import append_record
from gan.run.saved_config import write_config
from gan.sampling import export, export_facts, generators
from gan.training.trainer import train

OF_RUN = {"run": "3", "step": 12, "weights": "ema", "dataset": "mnist", "class_names": ["a", "é|"]}
FACTS = {
    **OF_RUN,
    "tapegan": gan.__version__,
    "latents": "float32 [batch, 8], entries independent, from N(0, 1)",
    "latent_dim": 8,
    "labels": "int32 [batch], 0 to 2",
    "classes": 3,
    "images": "float32 [batch, 8, 8, 1], -1 to 1",
    "image_shape": [8, 8, 1],
    "image_range": [-1, 1],
    "to_uint8": "round(clip(images * 0.5 + 0.5, 0, 1) * 255)",
}


@pytest.fixture(scope="module")
def exported(tmp_path_factory):
    """A directory with all formats of a conditional generator."""
    directory = tmp_path_factory.mktemp("exports")
    generator = GENERATORS["dcgan_dense_tiny"].build(NetworkSpec((8, 8, 1), 8, 3, seed=1))
    for name in export.FORMATS:
        export.export(generator, name, directory, OF_RUN)
    return directory


def test_names_and_facts_of_onnx(exported):
    import onnxruntime

    session = onnxruntime.InferenceSession(exported / "generator.onnx")
    inputs = {one.name: (one.shape, one.type) for one in session.get_inputs()}
    assert inputs == {
        "latents": (["batch", 8], "tensor(float)"),
        "labels": (["batch"], "tensor(int32)"),
    }
    (output,) = session.get_outputs()
    assert (output.name, output.shape) == ("images", ["batch", 8, 8, 1])
    texts = session.get_modelmeta().custom_metadata_map
    assert texts["run"] == "3"
    assert (texts["step"], texts["image_range"]) == ("12", "[-1, 1]")
    assert texts["to_uint8"] == FACTS["to_uint8"]
    assert json.loads(texts["class_names"]) == ["a", "é|"]
    assert set(texts) == set(FACTS)


def test_names_and_facts_of_a_saved_model(exported):
    serve = tf.saved_model.load(str(exported / "savedmodel")).signatures["serving_default"]
    _, inputs = serve.structured_input_signature
    assert {name: (spec.shape.as_list(), spec.dtype) for name, spec in inputs.items()} == {
        "latents": ([None, 8], tf.float32),
        "labels": ([None], tf.int32),
    }
    assert {name: spec.shape.as_list() for name, spec in serve.structured_outputs.items()} == {
        "images": [None, 8, 8, 1]
    }
    assert json.loads((exported / "savedmodel/assets.extra/tapegan.json").read_text()) == FACTS


@pytest.mark.parametrize("name", ["generator.tflite", "generator_float16.tflite"])
def test_names_and_facts_of_litert(exported, name):
    from ai_edge_litert.interpreter import Interpreter

    interpreter = Interpreter(str(exported / name))
    assert interpreter.get_signature_list() == {
        "serving_default": {"inputs": ["labels", "latents"], "outputs": ["images"]}
    }
    draw = interpreter.get_signature_runner()
    details = draw.get_input_details()
    assert details["latents"]["shape_signature"].tolist() == [-1, 8]
    for count in (5, 1, 2):  # any number of images a call, one after the other
        latents = np.ones([count, 8], np.float32)
        images = draw(latents=latents, labels=np.zeros(count, np.int32))["images"]
        assert images.shape == (count, 8, 8, 1)
        np.testing.assert_allclose(images, images[:1].repeat(count, 0), atol=1e-6)
    with zipfile.ZipFile(exported / name) as archive:
        assert json.loads(archive.read("tapegan.json")) == FACTS


def test_facts_of_a_keras_file(exported):
    with zipfile.ZipFile(exported / "generator.keras") as archive:
        assert json.loads(archive.read("tapegan.json")) == FACTS
    loaded = generators.load_generator(exported / "generator.keras")
    assert loaded.output_shape == (None, 8, 8, 1)


def test_each_format_reads_what_it_wrote(exported):
    for row in export.FORMATS.values():
        assert row.read_facts(exported / row.name) == FACTS


def test_litert_draws_one_image_where_more_cannot_be_converted(tmp_path):
    """Behind two upsamplings the converter does not know how high images are."""
    generator = GENERATORS["resnet_tiny"].build(NetworkSpec((16, 16, 1), 8, seed=1))
    path, _ = export.export(generator, "tflite", tmp_path)
    assert export.draws_one(path)
    other, _ = export.export(anonymous_points(), "tflite", tmp_path)
    assert not export.draws_one(other)
    assert export.FORMATS["tflite"].read_facts(other) == {
        "tapegan": gan.__version__,
        "latents": "float32 [batch, 8], entries independent, from N(0, 1)",
        "latent_dim": 8,
        "points": "float32 [batch, 2]",
    }


def anonymous_points():
    return GENERATORS["toy_tiny"].build(NetworkSpec((2,), 8, seed=1))


def test_facts_of_runs_and_of_what_is_none(tiny_config, tmp_path, monkeypatch):
    run = tmp_path / "place/mine"
    train(tiny_config(posthoc_averages=True), run, quiet=True)

    def facts(checkpoint="", weights="", width=0.0):
        from gan.sampling import posthoc_averages

        _, step = posthoc_averages.load_any_with_step(run, checkpoint, weights, width)
        return export_facts.facts_of_run(run, step, checkpoint, weights, width)

    about = {"run": "mine", "weights": "ema", "step": 12, "dataset": "synthetic"}
    assert facts() == about
    assert facts("6", "raw") == {**about, "weights": "raw", "step": 6}
    assert facts("latest") == about
    assert facts("6", width=0.1) == {**about, "weights": "posthoc", "ema_sigma": 0.1, "step": 6}
    monkeypatch.chdir(run)
    assert export_facts.facts_of_run(type(run)("."), None)["run"] == "mine"
    assert export_facts.facts_of_run(run / "generator.keras", None) == {}

    # The weights in generator.keras are those that the run ended with, whatever it is told now.
    config = json.loads((run / "config.json").read_text())
    config["config"]["sample_weights"] = "raw"
    (run / "config.json").write_text(json.dumps(config))
    assert facts() == about
    assert facts("latest") == {**about, "weights": "raw"}
    summary = json.loads((run / "summary.json").read_text())
    assert summary.pop("weights") == "ema"
    (run / "summary.json").write_text(json.dumps(summary))  # of an older version
    assert facts() == {**about, "weights": "raw"}
    append_record(run / "metrics.jsonl", {"step": 13, "kimg": 1, "seconds": 1e6})  # and it goes on
    assert "weights" not in facts()

    failed = {**summary, "status": "stopped", "reason": "loss/d is not finite"}
    for text in (json.dumps(failed), "damaged"):  # the generator may be older than that
        (run / "summary.json").write_text(text)
        assert not {"step", "weights"} & facts().keys()


def test_a_process_that_died_between_the_generator_and_its_summary(tiny_config, tmp_path):
    config = tiny_config(sample_weights="raw")
    train(config, tmp_path, quiet=True)
    before = (tmp_path / "summary.json").read_bytes()
    train(dataclasses.replace(config, steps=14, sample_weights="ema"), tmp_path, quiet=True)
    about = {"run": tmp_path.name, "weights": "ema", "step": 14, "dataset": "synthetic"}

    def facts():
        return export_facts.facts_of_run(tmp_path, generators.load_with_step(tmp_path)[1])

    assert facts() == about
    (tmp_path / "summary.json").write_bytes(before)  # of step 12
    assert facts() == {"run": tmp_path.name, "dataset": "synthetic"}


def test_facts_of_a_generator_that_comes_with_the_package():
    from pathlib import Path

    _, step = generators.load_with_step(Path("mnist"))
    assert export_facts.facts_of_run(Path("mnist"), step) == {
        "run": "mnist", "weights": "ema", "step": 20000, "dataset": "mnist",
    }  # fmt: skip


def test_where_a_folder_of_images_is_stays_here(tiny_config, tmp_path):
    config = tiny_config(dataset="image_folder:/home/somebody/cats\n")
    write_config(tmp_path / "run", config, {}, {})
    facts = export_facts.facts_of_run(tmp_path / "run", 3)
    assert facts["dataset"] == r"image_folder:cats\n"
