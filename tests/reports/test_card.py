"""The model card beside exports: true, runnable, and never over somebody's own."""

import json
import re
import shutil
from pathlib import Path

import numpy as np
import pytest
import yaml

from gan.cli import export as command
from gan.data import datasets
from gan.reports import card
from gan.run.presets import from_preset
from gan.sampling import export
from gan.training.trainer import train
from support import status_of


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A run of a moment, on what nobody has to download."""
    with pytest.MonkeyPatch.context() as patch:
        images = np.random.default_rng(0).integers(0, 256, (96, 28, 28, 1), np.uint8)
        row = datasets.DataSource(lambda data_dir, print_fn: datasets.Dataset(images))
        patch.setitem(datasets.DATASETS, "synthetic", row)
        changes = {"steps": 12, "evaluate_every": 0, "checkpoint_every": 6, "batch_size": 16}
        changes |= {"dataset": "synthetic", "jit_compile": False}
        config = from_preset("tiny", changes)
        directory = tmp_path_factory.mktemp("runs") / "run"
        train(config, directory, quiet=True)
        return directory


@pytest.fixture
def run(trained, tmp_path):
    directory = tmp_path / "a|b`<i>"
    shutil.copytree(trained, directory)
    return directory


def call(monkeypatch, run, *arguments):
    return status_of(monkeypatch, command, f"--run_dir={run}", *arguments)


def front_matter(text):
    """What YAML reads there."""
    return yaml.safe_load(text.split("---\n")[1])


def test_every_example_of_the_card_draws(run, monkeypatch):
    assert call(monkeypatch, run) == 0
    text = (run / "export/README.md").read_text()
    examples = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
    assert len(examples) == len(export.FORMATS)
    monkeypatch.chdir(run / "export")
    drawn = []
    for example in examples:
        exec(example, names := {})
        drawn.append(names["images"].astype(int))
    assert drawn[0].shape == (16, 28, 28, 1)
    assert np.ptp(drawn[0]) > 5
    for images in drawn[1:]:
        assert np.abs(images - drawn[0]).max() <= 2


def test_examples_of_other_generators_draw(tmp_path, monkeypatch):
    """Of a conditional one, of points, and of one that LiteRT draws image by image."""
    from gan.models.layers import NetworkSpec
    from gan.models.registry import GENERATORS

    monkeypatch.chdir(tmp_path)
    for network, shape, classes in (
        ("tiny", (8, 8, 1), 3),
        ("toy_tiny", (2,), 0),
        ("resnet_tiny", (16, 16, 3), 0),
    ):
        generator = GENERATORS[network].build(NetworkSpec(shape, 8, classes, seed=1))
        facts = export.all_facts(generator, {})
        for name in ("tflite", "onnx"):
            export.export(generator, name, tmp_path)
        path, written = card.write_card(tmp_path, tmp_path / "g.keras", facts)
        assert written
        text = path.read_text()
        examples = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
        assert len(examples) == 2
        made = "points" if network == "toy_tiny" else "images"
        for example in examples:
            exec(example, names := {})
            assert names[made].shape == (16, *shape)
        assert ("draws one of them a call" in text) == (network == "resnet_tiny")
        assert "None of these weights." in text
        assert "Not known." in text


def test_a_card_has_the_facts_and_the_evaluations(run, monkeypatch):
    about = {
        "step": 12, "weights": "ema", "num_images": 2000, "features": {"name": "own-cnn"},
        "reference": {"dataset": "synthetic", "split": "test"},
    }  # fmt: skip
    floor = {"mean": 0.25, "sd": 0.0125}
    records = [
        {**about, "source": "training", "metrics": {"fcd": 7.5}},
        {**about, "source": "evaluate", "metrics": {"fcd": 3.25}, "floors": {"fcd": floor}},
        {**about, "source": "evaluate", "metrics": {"kid": None, "recall": 0.5}},
        {**about, "source": "evaluate", "step": 6, "metrics": {"fcd": 99.0}},
        {**about, "source": "evaluate", "weights": "raw", "metrics": {"fcd": 88.0}},
    ]
    (run / "evaluations.jsonl").write_text("".join(json.dumps(one) + "\n" for one in records))
    assert call(monkeypatch, run, "--formats=keras") == 0
    text = (run / "export/README.md").read_text()
    assert "| fcd ↓ | 3.25 | 0.25 (0.0125) | Fréchet distance of Gaussians" in text
    assert "| kid ↓ | not finite | - | squared MMD" in text
    assert "| recall ↑ | 0.5 | - |" in text
    assert "2,000 samples beside `synthetic test`, through the features of `own-cnn`." in text
    assert not re.search(r"\b(7\.5|99|88)\b", text)
    (result,) = front_matter(text)["model-index"]
    assert result["name"] == "a|b`<i>"
    assert result["results"][0]["metrics"] == [
        {"type": "fcd", "value": 3.25}, {"type": "recall", "value": 0.5},
    ]  # fmt: skip
    assert front_matter(text)["library_name"] == "keras"
    assert "# a\\|b\\`\\<i\\>\n" in text
    assert "| run | `a¦b'<i>` |" in text
    assert "| image_range | `[-1, 1]` |" in text
    assert "- training images: `96`" in text


def test_a_card_does_not_say_where_a_folder_lies(run, monkeypatch):
    record = {
        "step": 12, "weights": "ema", "source": "evaluate", "metrics": {"fcd": 7.5},
        "reference": {"dataset": "image_folder:/home/alice/secret/faces", "split": "test"},
    }  # fmt: skip
    (run / "evaluations.jsonl").write_text(json.dumps(record) + "\n")
    assert call(monkeypatch, run, "--formats=keras") == 0
    text = (run / "export/README.md").read_text()
    assert "Samples beside `image_folder:faces test`." in text
    assert "alice" not in text


@pytest.mark.parametrize(
    "value",
    [1e-05, -2e16, 1.5e-7, 0.25, 3, True, None, "run\U0001f600", "a: 'b' \"c\" \\ {}", [], {}],
)
def test_what_other_programs_read_in_a_card(value):
    found = yaml.safe_load(card.yaml({"key": [value, {"name: ": value}]}))
    assert found == {"key": [value, {"name: ": value}]}
    assert type(found["key"][0]) is type(value)


def test_the_newest_light_evaluation_is_shown_where_there_is_no_other(run, monkeypatch):
    record = {"step": 12, "weights": "ema", "source": "training", "metrics": {"fcd": 7.5}}
    (run / "evaluations.jsonl").write_text(json.dumps(record) + "\n")
    assert call(monkeypatch, run, "--formats=keras") == 0
    assert "| fcd ↓ | 7.5 | - |" in (run / "export/README.md").read_text()


def test_a_card_is_about_the_files_of_one_generator(run, monkeypatch, capsys):
    def headings():
        return re.findall(r"^### (\S+):", (run / "export/README.md").read_text(), re.MULTILINE)

    assert call(monkeypatch, run, "--formats=keras") == 0
    assert call(monkeypatch, run, "--formats=onnx") == 0
    assert headings() == ["generator.keras", "generator.onnx"]
    assert call(monkeypatch, run, "--formats=onnx", "--checkpoint=6") == 0
    assert headings() == ["generator.onnx"]
    (run / "export/generator.keras").write_bytes(b"damaged")
    assert call(monkeypatch, run, "--formats=onnx") == 0
    assert headings() == ["generator.onnx"]
    assert "README.md: the model card\n" in capsys.readouterr().out


@pytest.mark.parametrize("what", ["mine", "changed", "link", "directory"])
def test_a_card_of_somebody_else_stays(what, run, monkeypatch, capsys, tmp_path):
    place = run / "export/README.md"
    if what == "changed":
        assert call(monkeypatch, run, "--formats=keras") == 0
        place.write_text(place.read_text().replace("Not chosen yet.", "MIT."))
    elif what == "link":
        (run / "export").mkdir()
        assert call(monkeypatch, run, "--formats=keras") == 0
        place.rename(tmp_path / "other.md")
        place.symlink_to(tmp_path / "other.md")
    else:
        (run / "export").mkdir()
        place.mkdir() if what == "directory" else place.write_text("My thesis\n")
    before = None if what == "directory" else place.read_bytes()
    assert call(monkeypatch, run, "--formats=keras", "--checkpoint=6") == 0
    said = f"{place}: is not as export wrote it, and stays\n"
    assert capsys.readouterr().out.endswith(said)
    assert place.is_dir() if before is None else place.read_bytes() == before
    assert place.is_symlink() == (what == "link")


def test_the_generator_of_the_package_has_its_licence(tmp_path, monkeypatch):
    from gan.models.layers import NetworkSpec
    from gan.models.registry import GENERATORS

    monkeypatch.chdir(tmp_path)  # where nothing else is called mnist
    facts = export.all_facts(GENERATORS["tiny"].build(NetworkSpec((8, 8, 1), 8, 0, seed=1)), {})
    for origin, licence in ((Path("mnist"), "mit"), (Path("own.keras"), None)):
        path, _ = card.write_card(tmp_path, origin, facts)
        text = path.read_text()
        assert front_matter(text).get("license") == licence
        assert ("MIT, as TapeGAN" in text, "Not chosen yet." in text) == (
            (True, False) if licence else (False, True)
        )
