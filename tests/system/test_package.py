"""The wheel, the Makefile and the README as somebody meets them."""

import json
import os
import re
import shutil
import subprocess
import sys
import tarfile
import zipfile

import pytest

import gan
from gan.run.presets import from_preset
from gan.training.trainer import train
from support import ROOT

BESIDE = ("docs", "experiments", "tests")  # in the source, not in the wheel


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    out, source = tmp_path_factory.mktemp("dist"), tmp_path_factory.mktemp("source")
    # A copy, because setuptools would put a stale build/ of the checkout into the wheel.
    for path in ROOT.iterdir():
        if path.is_file() and not path.name.startswith("."):
            shutil.copy(path, source)
    for name in ("gan", *BESIDE):
        shutil.copytree(ROOT / name, source / name, ignore=shutil.ignore_patterns("__pycache__"))
    build = [sys.executable, "-m", "build", "--outdir", str(out), str(source)]
    done = subprocess.run(build, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    (path,) = out.glob("tapegan-*.whl")
    return path


def test_the_wheel_holds_the_package_and_nothing_else(wheel):
    names = zipfile.ZipFile(wheel).namelist()
    assert {name.split("/")[0] for name in names} == {
        "gan",
        "tapegan.py",
        wheel.name.split("-py3")[0] + ".dist-info",
        wheel.name.split("-py3")[0] + ".data",
    }
    pages = {f"docs/{path.name}" for path in (ROOT / "docs").glob("*.md")}
    found = {name.partition("/share/doc/tapegan/")[2] for name in names if ".data/" in name}
    assert found == {"README.md", "CHANGELOG.md", *pages}
    modules = {str(path.relative_to(ROOT / "gan")) for path in (ROOT / "gan").rglob("*.py")}
    packaged = {name for name in names if name.startswith("gan/")}
    weights = {
        f"evaluation/weights/{path.name}" for path in (ROOT / "gan/evaluation/weights").iterdir()
    }
    assert len(weights) == 6  # three networks and their floors
    page = {f"reports/templates/{path.name}" for path in (ROOT / "gan/reports/templates").iterdir()}
    curves = {f"reports/curves/{preset}.json" for preset in ("mlp", "dcgan", "r3gan")}
    drawing = {
        f"sampling/weights/{name}.{suffix}"
        for name in ("mnist", "fashion_mnist")
        for suffix in ("keras", "json")
    }
    files = modules | weights | page | curves | drawing | {"py.typed"}
    assert packaged == {f"gan/{name}" for name in files}
    (metadata,) = [n for n in names if n.endswith("METADATA")]
    text = zipfile.ZipFile(wheel).read(metadata).decode()
    for line in ("Name: tapegan", "Requires-Python: >=3.10", "License-Expression: MIT",
                 "Requires-Dist: tensorflow<2.22,>=2.20", "Provides-Extra: gpu"):  # fmt: skip
        assert line in text
    assert "# TapeGAN" in text
    assert re.findall(r"\]\((?!https?://)[^)]*\)", text) == []  # an index cannot follow these


def test_the_source_holds_all_that_its_tests_need(wheel):
    (archive,) = wheel.parent.glob("tapegan-*.tar.gz")
    with tarfile.open(archive) as file:
        names = {name.split("/", 1)[1] for name in file.getnames() if "/" in name}
    here = [path for place in BESIDE for path in (ROOT / place).rglob("*.*")]
    expected = {str(path.relative_to(ROOT)) for path in here if path.suffix != ".pyc"}
    assert len(expected) > 100
    assert expected | {"Makefile", "CHANGELOG.md", "CITATION.cff", "LICENSE"} <= names
    assert not [name for name in names if "__pycache__" in name or name.startswith("runs")]


def test_the_citations_are_of_this_version():
    for name in ("CITATION.cff", "README.md"):
        found = re.findall(r"(?m)^ *version(?:: | = \{)(\d[\d.]*)", (ROOT / name).read_text())
        assert found == [gan.__version__], name


def test_twine_has_nothing_to_complain_about(wheel):
    archives = [str(path) for path in wheel.parent.iterdir()]
    assert len(archives) == 2  # the wheel and the source
    check = [sys.executable, "-m", "twine", "check", "--strict", *archives]
    done = subprocess.run(check, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.count("PASSED") == 2


def test_an_installed_wheel_has_the_command(wheel, tmp_path):
    """Beside the environment's packages, in a place of its own, away from the checkout."""
    place = tmp_path / "place"
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--ignore-installed"]
    subprocess.run([*pip, f"--prefix={place}", str(wheel)], check=True, capture_output=True)
    (site,) = place.glob("lib/python*/site-packages")

    def run(*command_line):
        return subprocess.run(
            command_line, cwd=tmp_path, capture_output=True, text=True,
            env={**os.environ, "PYTHONPATH": str(site)},
        )  # fmt: skip

    def tapegan(*arguments):
        return run(place / "bin/tapegan", *arguments)

    done = tapegan()
    assert (done.returncode, done.stderr) == (0, "")
    names = re.findall(r"^  (\w+) ", done.stdout, re.MULTILINE)
    assert names == [
        "data", "train", "evaluate", "sample", "project", "export", "report", "compare",
        "ls", "tensorboard", "sweep", "table",
    ]  # fmt: skip
    assert re.fullmatch(r"tapegan \d+\.\d+\.\d+\n", tapegan("--version").stdout)
    done = tapegan("digits")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == f"error: digits: must be one of {', '.join(names)}, --help, --version\n"
    assert tapegan("trian").stderr.endswith(", --help, --version; did you mean train?\n")
    assert tapegan("help").stdout == tapegan().stdout
    flags = ("--preset=tiny", "--steps=3", "--evaluate_every=0", "--nojit_compile")
    done = tapegan("train", *flags, "--run_dir=run")
    assert done.returncode == 0, done.stderr
    assert done.stdout.endswith(
        "\nnext: tapegan sample run, tapegan evaluate run, tapegan report run\n"
    )
    # The others in one process, for TensorFlow takes longer than they do.
    code = """
import sys, tapegan
for arguments in (["sample", "run"], ["report", "run"], ["export", "run", "--formats=savedmodel"]):
    sys.argv[1:] = arguments
    try:
        tapegan.main()
    except SystemExit as end:
        print("status", end.code)
"""
    done = run(sys.executable, "-c", code)
    assert done.stdout.startswith("run/samples/grid.png\nstatus 0\n"), done.stderr
    assert done.stdout.count("status 0\n") == 3, done.stderr
    assert (tmp_path / "run/report.html").exists()


@pytest.mark.parametrize(
    ("where", "message"),
    [
        ("mine/gan.py", "{}/mine/gan.py; it comes first on Python's path: rename it, or start Py"),
        ("mine/gan/__init__.py", "{}/mine/gan; it comes first on Python's path: rename it, or st"),
        ("site/gan/__init__.py", "{}/site/gan; another package has overwritten it: pip uninstall"),
    ],
)
def test_another_module_of_that_name_is_named(where, message, wheel, tmp_path):
    """A file of the user's, and PyPI's package, in Python code and on the command line."""
    zipfile.ZipFile(wheel).extractall(tmp_path / "site")
    (tmp_path / where).parent.mkdir(parents=True, exist_ok=True)
    (tmp_path / where).write_text("__version__ = '9.9'\n")
    path = os.pathsep.join([str(tmp_path / "mine"), str(tmp_path / "site")])

    def python(*arguments):
        return subprocess.run(
            [sys.executable, *arguments], cwd=tmp_path, capture_output=True, text=True,
            env={**os.environ, "PYTHONPATH": path},
        )  # fmt: skip

    line = f"the module gan is not TapeGAN's but {message.format(tmp_path)}"
    done = python("-m", "tapegan", "--version")
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (2, "", 1)
    assert done.stderr.startswith(f"error: {line}")
    done = python("-c", "import tapegan; tapegan.load")
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1].startswith(f"ImportError: {line}")
    (tmp_path / where).unlink()
    if not where.startswith("site"):
        assert re.fullmatch(r"tapegan \d+\.\d+\.\d+\n", python("-m", "gan", "--version").stdout)
        code = (
            "import gan, tapegan; assert dir(tapegan) == dir(gan)\n"
            "print(tapegan.Config is gan.Config)"  # `load` would need TensorFlow, seconds
        )
        assert python("-c", code).stdout == "True\n"


def run_with_wheel(code, wheel, directory):
    """Runs Python code in `directory` with the wheel's `gan` and returns what it prints."""
    zipfile.ZipFile(wheel).extractall(directory / "site")
    check = "import sys, gan; assert gan.__file__.startswith(sys.argv[1]), gan.__file__"
    done = subprocess.run(
        [sys.executable, "-c", f"{check}\n{code}", str(directory / "site")],
        cwd=directory,
        env={**os.environ, "PYTHONPATH": str(directory / "site")},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_evaluation_works_outside_the_checkout(wheel, tmp_path):
    code = """
from gan.data import datasets
from gan.evaluation import evaluate, reference
images = datasets.load_dataset("mnist", "", print)
against = reference.load_real_features("mnist", images).reference(count=2000)
record, _ = evaluate.evaluate(images.train_images[:2000], against, ["fcd"])
assert record["features"]["packaged"]
assert 0 < record["metrics"]["fcd"] < 1, record
assert record["floors"]["fcd"]["sd"] > 0
"""
    assert "measuring" not in run_with_wheel(code, wheel, tmp_path)


def test_the_documentation_states_every_metric_as_the_code_does():
    from gan.evaluation.metrics.table import METRICS

    text = (ROOT / "docs/evaluation.md").read_text()
    for name, metric in METRICS.items():
        assert f"| `{name}` | {metric.better} | {metric.convention} |" in text


def test_the_python_snippet_of_the_readme_runs(tmp_path, monkeypatch):
    _, snippet, _ = snippets()
    monkeypatch.chdir(tmp_path)
    exec(short(snippet), names := {})
    assert names["summary"]["step"] == 2
    assert names["generator"].output_shape == (None, 28, 28, 1)


def test_the_five_lines_of_the_readme_run(fewer_samples, tmp_path, monkeypatch):
    snippet, *_ = snippets()
    monkeypatch.chdir(tmp_path)
    train(from_preset("tiny", {"steps": 2, "jit_compile": False}), "runs/mlp", quiet=True)
    exec(short(snippet), names := {})
    assert names["record"]["num_images"] == 2000
    assert names["images"].shape == (64, 28, 28, 1)
    assert names["record"]["metrics"]["fcd"] > 1
    assert names["summary"]["step"] == 2


def short(snippet):
    """A snippet that trains, for two steps that nobody compiles."""
    assert snippet.count("steps=2000") == 1
    return snippet.replace("steps=2000", "steps=2, jit_compile=False")


def snippets():
    """The Python code in the README."""
    return re.findall(r"```python\n(.*?)```", (ROOT / "README.md").read_text(), re.DOTALL)


def test_a_loss_a_penalty_a_network_and_a_data_set_of_your_own_take_a_table_entry_each(
    tmp_path, monkeypatch
):
    for table in (gan.DATASETS, gan.LOSSES, gan.GENERATORS, gan.PENALTIES):
        for name in ("half", "margin", "wide", "r1_twice"):
            monkeypatch.setitem(table, name, None)  # taken out again after the test
            monkeypatch.delitem(table, name)
    monkeypatch.chdir(tmp_path)
    *_, snippet = snippets()
    lines = [
        line for line in snippet.splitlines() if line and not line.startswith(("from", "import"))
    ]
    assert len(lines) <= 10
    exec(short(snippet), names := {})
    assert names["summary"]["step"] == 2
    saved = json.loads((tmp_path / "runs/mine/config.json").read_text())["config"]
    assert [saved[k] for k in ("loss", "penalty", "generator", "dataset")] == [
        "margin", "r1_twice", "wide", "half",
    ]  # fmt: skip
    assert "loss/penalty" in names["summary"]
    assert names["summary"]["loss/penalty"] > 0


def makefile_targets():
    return set(re.findall(r"^([a-z]+):.*##", (ROOT / "Makefile").read_text(), re.MULTILINE))


def test_make_help_lists_every_target():
    done = subprocess.run(["make", "help"], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0
    for target in makefile_targets():
        assert f"  make {target} " in done.stdout


def test_commands_and_files_in_the_documentation_exist():
    for path in [ROOT / "README.md", *(ROOT / "docs").glob("*.md")]:
        text = path.read_text()
        assert (
            set(re.findall(r"make ([a-z]+)\b(?! it| a)", " ".join(code(text))))
            <= makefile_targets()
        )
        for module in re.findall(r"python -m experiments\.(\w+)", text):
            assert (ROOT / "experiments" / f"{module}.py").exists(), module
        for link in re.findall(r"\]\(([^)#:]+)\)", text):
            assert (path.parent / link).exists(), link


def code(text):
    """The code blocks and code spans of a Markdown text."""
    return re.findall(r"```.*?```|`[^`]+`", text, re.DOTALL)


def test_flags_in_the_documentation_exist():
    from absl import flags

    from support import COMMANDS

    known = {"help", "version", "import", "flagfile"}  # of every command; the last is of absl
    for command in COMMANDS.values():
        values = flags.FlagValues()
        command.define(values)
        known |= {*values, *(f"no{name}" for name in values if values[name].boolean)}
    for path in [ROOT / "README.md", *(ROOT / "docs").glob("*.md")]:
        assert set(re.findall(r"--([a-z][a-z_0-9]*)", path.read_text())) <= known
