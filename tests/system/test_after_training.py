"""``gan.report``, ``gan.export`` and ``gan.compare`` do what the commands do."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

import gan
from gan.run.presets import from_preset
from gan.run.saved_config import write_config
from gan.sampling.export import FORMATS
from gan.training.trainer import train


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    run_dir = tmp_path_factory.mktemp("runs") / "run"
    changes = {"steps": 2, "latent_dim": 8, "jit_compile": False, "evaluate_every": 0}
    train(from_preset("tiny", changes), run_dir, quiet=True)
    return run_dir


@pytest.fixture
def run(trained, tmp_path, monkeypatch):
    """A copy of the run, in the working directory."""
    monkeypatch.chdir(tmp_path)
    return Path(shutil.copytree(trained, tmp_path / "run"))


def test_a_page_of_one_run_or_of_several(run, tmp_path):
    assert gan.report(run) == run / "report.html"
    assert "<html" in (run / "report.html").read_text()[:200]
    write_config(tmp_path / "other", from_preset("mlp"), {}, {})
    assert gan.report(["run", tmp_path / "other"]) == Path("report.html")
    page = Path("report.html").read_text()
    assert "other" in page
    assert gan.report(str(run), out=tmp_path / "a.html") == tmp_path / "a.html"


def test_exports_draw_what_sample_draws(run, tmp_path):
    generator = gan.load(run)
    paths = gan.export(generator, tmp_path / "out", ["savedmodel"])
    assert list(paths) == ["savedmodel"]
    loaded = tf.saved_model.load(str(paths["savedmodel"]))
    served = loaded.serve(gan.latents_of([3, 4], 8))["images"]
    drawn = np.round((served.numpy() + 1) * 127.5).astype(int)
    assert np.abs(drawn - gan.sample(generator, [3, 4]).astype(int)).max() <= 1


def test_exports_of_a_run_say_where_they_come_from(run, tmp_path):
    assert gan.export(run, tmp_path / "out", "keras") == {"keras": tmp_path / "out/generator.keras"}
    facts = FORMATS["keras"].read_facts(tmp_path / "out/generator.keras")
    about = {"run": "run", "weights": "ema", "step": 2, "dataset": "mnist", "latent_dim": 8}
    assert facts.items() >= about.items()
    assert "`run`, trained" in (tmp_path / "out/README.md").read_text()
    gan.export(gan.load(run), tmp_path / "loaded", "keras")  # which does not know it
    assert "run" not in FORMATS["keras"].read_facts(tmp_path / "loaded/generator.keras")
    assert not (tmp_path / "loaded/README.md").exists()
    gan.export("mnist", tmp_path / "packaged", "keras")
    facts = FORMATS["keras"].read_facts(tmp_path / "packaged/generator.keras")
    assert (facts["run"], facts["step"]) == ("mnist", 20000)


def test_a_run_is_compared(tmp_path):
    """Losses of 9 are no training of `mlp`, whose D loss stays below 1.5."""
    write_config(tmp_path / "run", from_preset("mlp"), {}, {})
    names = ("loss/d", "loss/g", "accuracy/real", "accuracy/fake", "logits/real", "logits/fake")
    lines = [
        json.dumps({"step": 100 * i, "kimg": 1, "seconds": 1, **dict.fromkeys(names, 9.0)}) + "\n"
        for i in range(1, 21)
    ]
    (tmp_path / "run/metrics.jsonl").write_text("".join(lines))
    verdict = gan.compare(tmp_path / "run")
    assert verdict.line.startswith("mlp: outside the band since step 1,000: ")
    assert {deviation.metric for deviation in verdict.outside} == set(names)
    assert verdict.curves["loss/d"] == {1000: 9.0, 2000: 9.0}
    assert repr(verdict) == f"Verdict({verdict.line!r})"


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: gan.report("nowhere"), "runs=nowhere: is not a run, it has no config.json"),
        (lambda: gan.report([]), "runs: must be at least one"),
        (
            lambda: gan.report("run", out="a.txt"),
            "out=a.txt: must be a file whose name ends in .ht",
        ),
        (lambda: gan.report("run", explorer="no"), "explorer=no: must be a directory"),
        (lambda: gan.report("run", out="run/config.json"), "out=run/config.json: must be a file w"),
        (lambda: gan.export(gan.load("run"), "x", "jpg"), "formats=jpg: must be among keras"),
        (lambda: gan.export(gan.load("run"), "x", []), "formats: must be at least one"),
        (lambda: gan.compare("nowhere"), "run_dir=nowhere: is not a run"),
        (lambda: gan.compare("run", "wgan"), "reference=wgan: must be one of"),
    ],
)
def test_mistakes_are_named_as_arguments(call, message, run):
    with pytest.raises(gan.UserError) as error:
        call()
    assert str(error.value).startswith(message)
    assert not Path("x").exists()
