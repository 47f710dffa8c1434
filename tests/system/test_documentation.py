"""Every command in README and docs is understood; the notebook runs."""

import base64
import io
import json
import os
import re
import shlex
import shutil
import time
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
from absl import flags as absl_flags
from absl.flags import FlagValues
from PIL import Image

import gan
from gan.algorithm.augment import AUGMENTATIONS, apply_augmentations
from gan.algorithm.penalties import PENALTIES
from gan.cli import flags, sample, sweep
from gan.evaluation.reference import RealFeatures
from gan.run.presets import from_preset
from gan.sampling.export import export
from gan.training.trainer import train
from support import COMMANDS, ROOT, status_of

PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
OF_MAKE = {
    "bench": "benchmark",
    "docs": "docs_site",
}  # targets that are called otherwise than their command
RUN_FLAG = {
    "report": "runs",
    "compare": "runs",
    "table": "runs",
    "ls": "runs",
    "linear_units": "runs",
    "stacked_channels": "runs",
    "discriminator_overfitting": "runs",
    "tensorboard": "runs",
}  # where RUN goes, if not to run_dir
ONE_PLACE = (
    "sample",
    "project",
    "export",
    "evaluate",
    "data",
)  # as a plain argument; those above take several
NO_FLAGS = ("test", "lint", "help", "format", "clean", "explorer")

MODULE = re.compile(r"(?:.* )?python -m experiments\.(\w+)(?![\w/.])(.*)")
PROGRAM = re.compile(r"tapegan (\w+)(.*)")
TARGET = re.compile(r"make ([a-z]+)((?: +(?:RUN|ARGS)=.*)?)(?: +#.*)?$")


def commands_in(text):
    """Yields (command, arguments) of what a page tells to type."""
    for code in re.findall(r"```(?:sh|python)?\n(.*?)```|`([^`\n]+)`", text, re.DOTALL):
        for line in "".join(code).replace("\\\n", " ").splitlines():
            yield from command_in(line.strip())


def command_in(line):
    if found := MODULE.match(line) or PROGRAM.match(line):
        name, rest = found.groups()
        if rest.count("'") % 2:  # the end of what a shell gets in quotes
            rest = rest.rstrip("'")
        yield name, shlex.split(rest, comments=True)
    elif (found := TARGET.match(line)) and found[1] not in NO_FLAGS:
        name = OF_MAKE.get(found[1], found[1])
        given = dict(one.split("=", 1) for one in shlex.split(found[2], comments=True))
        run = [f"--{RUN_FLAG.get(name, 'run_dir')}={given['RUN']}"] if "RUN" in given else []
        yield name, [*shlex.split(given.get("ARGS", "")), *run]


FOUND = sorted(
    {(page.name, name, *arguments) for page in PAGES
     for name, arguments in commands_in(page.read_text())}
)  # fmt: skip


def test_commands_were_found():
    """The others would pass if none was."""
    assert len(FOUND) > 40
    assert {name for _, name, *_ in FOUND} >= {"train", "sample", "evaluate", "export", "report",
                                               "compare", "study", "benchmark"}  # fmt: skip


@pytest.mark.parametrize("found", FOUND, ids=" ".join)
def test_a_command_of_the_documentation_is_understood(found):
    """Names, types and ranges of flags; combinations too, of train and sample."""
    _, name, *arguments = found
    if name == "launch" and "--" in arguments:  # training's flags follow
        at = arguments.index("--")
        check("train", arguments[at + 1 :])
        arguments = arguments[:at]
    check(name, arguments)


def check(name, arguments):
    mine = "--import=mine.py" in arguments  # a file that is not here, with rows of its own
    if mine or any("NAME" in one or "..." in one for one in arguments):  # stands for something
        return
    values = FlagValues()
    COMMANDS[name].define(values)
    absl_flags.DEFINE_boolean("help", False, "", flag_values=values)
    extra = values([name, *arguments])[1:]
    assert not extra or name in RUN_FLAG or (name in ONE_PLACE and len(extra) == 1)
    if name == "train" and not values["config"].value:  # of a run that is not here
        flags.config_from_flags(values)
    if name == "sweep":
        sweep.runs_of(values, Path("out"))
    if name == "sample":
        sample.kind_of(values)


NOTEBOOK = ROOT / "experiments/tour.ipynb"


def code_cells():
    """The cells of the notebook that run, in their order."""
    cells = json.loads(NOTEBOOK.read_text())["cells"]
    return [cell for cell in cells if cell["cell_type"] == "code"]


def test_the_notebook_runs_from_top_to_bottom(tmp_path, monkeypatch):
    """With four steps instead of hundreds, not compiled; off Colab its first cell does nothing."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setitem(os.environ, "MPLBACKEND", "agg")
    names = {}
    for cell in code_cells():
        source = re.sub(r"\bsteps=\d+", "steps=4, jit_compile=False", "".join(cell["source"]))
        exec(re.sub(r"_steps=\d+", "_steps=4", source), names)
    assert names["images"].shape == (60, 28, 28, 1)
    assert names["way"].shape == (10, 28, 28, 1)
    assert set(names["record"]["metrics"]) == {"fcd", "coverage", "classes"}
    assert names["summary"]["step"] == 4
    assert sorted(path.name for path in Path("runs").iterdir()) == ["notebook", "notebook_conv"]


def test_the_notebook_shows_what_its_cells_did():
    """In one go, from the first to the last, without an error or a word on stderr."""
    cells = code_cells()
    assert [cell["execution_count"] for cell in cells] == list(range(1, len(cells) + 1))
    outputs = [one for cell in cells for one in cell["outputs"]]
    assert {one["output_type"] for one in outputs} == {"stream", "display_data", "execute_result"}
    assert {one["name"] for one in outputs if one["output_type"] == "stream"} == {"stdout"}
    assert NOTEBOOK.stat().st_size < 10**6
    assert re.findall(r"(?<![\w./])/(?!s\b)\w+/\w+", json.dumps(outputs_as_text(outputs))) == []


def outputs_as_text(outputs):
    """What outputs say, without their pictures."""
    return [
        "".join(one.get("text", [])) + "".join(one.get("data", {}).get("text/plain", []))
        for one in outputs
    ]


def test_the_notebook_shows_success():
    """Of the generator that comes with the package, and of the one that it trains."""
    outputs = [one for cell in code_cells() for one in cell["outputs"]]
    text = "\n".join(outputs_as_text(outputs))
    packaged, trained = (float(value) for value in re.findall(r"(?m)^fcd +([\d.]+) ", text))
    assert 0.2 < packaged < 0.6  # of 2,000 samples, which makes it larger than that of 10,000
    assert packaged < trained < 20
    assert re.findall(r"(?m)^classes +([\d.]+) ", text) == ["10.000", "10.000"]
    assert re.findall(r"(?m)^(\d+) \[D loss: .* left$", text)[:8] == [
        str(step) for step in range(100, 801, 100)
    ]
    shown = [one["data"]["image/png"] for one in outputs if "image/png" in one.get("data", {})]
    pictures = [np.asarray(Image.open(io.BytesIO(base64.b64decode(one)))) for one in shown]
    assert len(pictures) == 3
    for picture in pictures:
        digits = picture[..., 0].astype(float)
        assert digits.std() > 50  # black and white, not grey


def test_the_python_of_the_docs_runs(runs_of_the_docs, fewer_samples, monkeypatch):
    """That of the README has tests of its own, see test_package.py."""
    monkeypatch.chdir(runs_of_the_docs)
    found = []
    for page in PAGES[1:]:
        if page.name in ("algorithm.md", "package.md"):  # have tests of their own
            continue
        found += re.findall(r"```python\n(.*?)```", page.read_text(), re.DOTALL)
    assert len(found) == 1
    exec(found[0], names := {})
    assert names["images"].shape == (3, 28, 28, 1)
    assert set(names["record"]["metrics"]) == {"fcd", "recall"}


def test_the_python_of_the_packages_page_runs(fewer_samples, tmp_path, monkeypatch):
    """With two steps instead of 2,000."""
    monkeypatch.chdir(tmp_path)
    page = (ROOT / "docs/package.md").read_text()
    (block,) = re.findall(r"```python\n(.*?)```", page, re.DOTALL)
    short = block.replace("steps=2000", "steps=2, evaluate_every=0, jit_compile=False")
    assert short != block
    exec(short, names := {})
    assert names["images"].shape == (64, 28, 28, 1)
    assert names["record"]["metrics"]["fcd"] < 1
    assert names["summary"]["step"] == 2


def test_the_onnx_of_the_docs_draws_what_sample_draws(runs_of_the_docs, monkeypatch):
    pytest.importorskip("onnxruntime")
    monkeypatch.chdir(runs_of_the_docs)
    generator = gan.load("runs/mlp")
    export(generator, "onnx", Path("runs/mlp/export"))
    (block,) = re.findall(
        r"```py\n(.*?)```", (ROOT / "docs/after-training.md").read_text(), re.DOTALL
    )
    exec(block, names := {})
    expected = gan.sample(generator, [7, 8])
    assert names["images"].dtype == np.uint8
    assert np.abs(names["images"].astype(int) - expected).max() <= 1


def test_the_penalty_of_the_docs_trains(tmp_path, monkeypatch):
    """And is what the page says, of a discriminator that returns the mean of its image."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setitem(PENALTIES, "consistency", None)  # to be as before afterwards
    page = (ROOT / "docs/algorithm.md").read_text()
    (code,) = re.findall(r"```python\n(.*?)```", page, re.DOTALL)
    exec(code.replace("steps=20", "steps=20, jit_compile=False"), names := {})
    assert names["summary"]["step"] == 20
    assert names["summary"]["loss/penalty"] > 0

    def mean(images, training):
        return tf.reduce_mean(images, [1, 2, 3])[:, None]

    # The hole shows the background, -1, and so do the borders: a white image loses all of these.
    white, key = tf.ones([64, 28, 28, 1]), tf.constant([1, 2], tf.int64)
    found = names["consistency"](mean, white, None, key).numpy()
    seen = apply_augmentations(white, AUGMENTATIONS["translation_cutout"], key).numpy()
    lost = (seen < 0).mean((1, 2, 3))
    assert found.shape == (64,)
    assert found == pytest.approx((2 * lost) ** 2, abs=1e-5)
    assert names["consistency"](mean, -white, None, key).numpy() == pytest.approx(0, abs=1e-9)


USUAL_RUN = ("--run_dir=runs/mlp", "--runs=runs/mlp")  # the flag may as well be left out
AFTER_TRAINING = sorted(
    {
        (name, *(one for one in arguments if one not in USUAL_RUN))
        for _, name, *arguments in FOUND
        if name in ("sample", "project", "report", "export", "compare")
    }
)


@pytest.fixture(scope="module")
def runs_of_the_docs(tmp_path_factory):
    """A directory with the runs that the pages speak of."""
    place = tmp_path_factory.mktemp("docs")
    run_dir = place / "runs/mlp"
    short = {"steps": 2, "evaluate_every": 0, "jit_compile": False}
    train(from_preset("tiny", short), run_dir, quiet=True)
    record = json.loads((run_dir / "metrics.jsonl").read_text().splitlines()[-1])
    lines = [json.dumps({**record, "step": step}) for step in range(100, 2001, 100)]
    (run_dir / "metrics.jsonl").write_text("\n".join(lines) + "\n")  # enough to compare
    digit = np.zeros([28, 28], np.uint8)
    digit[6:22, 12:16] = 255
    Image.fromarray(digit).save(place / "seven.png")
    for other in ("a", "b", "mine"):
        shutil.copytree(run_dir, place / "runs" / other)
    for run, more in (("cgan", {"conditional": True}), ("any", {"posthoc_averages": True})):
        train(from_preset("tiny", {**short, **more}), place / "runs" / run, quiet=True)
    evaluated = {"step": 2, "source": "training", "num_images": 2000, "metrics": {"fcd": 5.0}}
    for run, seed in (("sweep/seed=0", 0), ("sweep/seed=1", 1), ("cgan", None)):
        directory = place / "runs" / run
        if seed is not None:
            shutil.copytree(run_dir, directory)
            saved = json.loads((directory / "config.json").read_text())
            saved["config"]["seed"] = seed
            (directory / "config.json").write_text(json.dumps(saved))
        (directory / "evaluations.jsonl").write_text(json.dumps(evaluated) + "\n")
    return place


@pytest.mark.parametrize("found", AFTER_TRAINING, ids=" ".join)
def test_a_command_of_the_docs_does_what_it_says(found, runs_of_the_docs, monkeypatch, capsys):
    """To its end, with fewer images or steps; `evaluate` has a file of tests of its own."""
    monkeypatch.chdir(runs_of_the_docs)
    few = property(lambda real: real.extractor(real.data.train_images[:1000]))
    monkeypatch.setattr(RealFeatures, "training_learned", few)  # for --nearest
    name, *arguments = (one.replace("0-9999", "0-9") for one in found)
    arguments += ["--steps=2"] if name == "project" else []
    before = time.time_ns()
    assert status_of(monkeypatch, COMMANDS[name], *arguments) == 0
    written = re.split(":|, ", capsys.readouterr().out.strip().splitlines()[-1])[0]
    assert written
    assert (runs_of_the_docs / written).stat().st_mtime_ns > before - 5 * 10**7  # coarse
