"""Mistakes of users, for every command: status 2, one line that helps, and nothing is touched."""

import functools
import os
import sys

import pytest

import bad_files
import bad_flags
import bad_places
from gan.cli import command
from gan.data import sources
from support import COMMANDS, ROOT, run_module

BACKEND = "KERAS_BACKEND={0}: must be tensorflow, or not set"
PROCESSES = [  # (command, flags, environment variables, what the line says first)
    *((name, "", {"KERAS_BACKEND": backend}, BACKEND.format(backend)) for name, backend in (
        ("train", "torch"), ("evaluate", "jax"), ("sample", "numpy"), ("study", ""),
        ("benchmark", "openvino"), ("train_features", "TensorFlow"),
    )),
    ("train", "--preset=dcgan", {"KERAS_HOME": "@/keras", "MPLBACKEND": "x"},
     "image_data_format=channels_first: Keras' setting, see its file keras.json, must be channels"),
    ("evaluate", "--run_dir=@/runs/bad_list", {}, "@/runs/bad_list/config.json: is not a config"),
    ("sample", "--seeds=9-3", {}, "--seeds=9-3: must be numbers and ranges, such as 0-99 or"),
    ("study", "--jobs=-1", {}, "--jobs=-1: must be an integer at least 1"),
    ("benchmark", "--table=speed", {}, "--table=speed: must be one of loops, scaling"),
    ("train_features", "--network=cnn", {}, "--network=cnn: must be one of cnn-a, cnn-b"),
]  # fmt: skip
TABLE = [
    *bad_flags.FLAGS, *bad_flags.RANGES, *bad_flags.TYPES, *bad_flags.COMBINATIONS,
    *bad_files.RUNS, *bad_files.SAMPLES, *bad_files.DATA, *bad_files.PLACES,
]  # fmt: skip


@pytest.fixture(scope="module")
def scenario(tmp_path_factory):
    root = tmp_path_factory.mktemp("bad") / "x"
    root.mkdir()
    bad_places.build(root)
    return root


@functools.lru_cache(1)
def mnist():
    """Reads the data once for all rows."""
    return sources.load_arrays("mnist")


@pytest.fixture
def fast(no_work, monkeypatch):
    load, digits = sources.load_arrays, mnist()

    def cached(name, data_dir="", print_fn=print):
        return digits if (name, data_dir) == ("mnist", "") else load(name, data_dir, print_fn)

    monkeypatch.setattr(sources, "load_arrays", cached)


def snapshot(*directories):
    """Size and time of every file, and which directories there are; links are not followed."""
    found = {}
    for directory in directories:
        for folder, subfolders, files in os.walk(directory):
            found.update(dict.fromkeys(os.path.join(folder, name) for name in subfolders))
            for path in (os.path.join(folder, name) for name in files):
                status = os.lstat(path)
                found[path] = (status.st_size, status.st_mtime_ns, status.st_ino)
    return found


def check_line(text, expected, scenario):
    *progress, line = text.splitlines()
    assert line.startswith(f"error: {expected.replace('@', str(scenario))}")
    assert not any(one.startswith("error") for one in progress)
    assert "Traceback" not in text


@pytest.mark.parametrize(
    ("name", "arguments", "expected"), TABLE, ids=[f"{n} {a[-60:]}" for n, a, _ in TABLE]
)
def test_bad_input_ends_with_2_and_one_line(
    name, arguments, expected, scenario, fast, tmp_path, monkeypatch, capfd
):
    monkeypatch.chdir(tmp_path)
    arguments = arguments.replace("@", str(scenario)).split()
    monkeypatch.setattr(sys, "argv", [name, *arguments])
    before = snapshot(scenario, tmp_path)
    with pytest.raises(SystemExit) as end:
        command.run("usage", COMMANDS[name].define, COMMANDS[name].main)
    out, err = capfd.readouterr()
    assert end.value.code == 2
    check_line(err, expected, scenario)
    assert "Traceback" not in out
    assert snapshot(scenario, tmp_path) == before


@pytest.mark.parametrize(("name", "arguments", "variables", "expected"), PROCESSES)
def test_the_same_in_a_process_of_its_own(name, arguments, variables, expected, scenario, tmp_path):
    arguments = arguments.replace("@", str(scenario)).split()
    variables = {name: text.replace("@", str(scenario)) for name, text in variables.items()}
    before = snapshot(scenario)
    done = run_module(f"experiments.{name}", *arguments, env={**os.environ, **variables})
    assert (done.returncode, done.stdout) == (2, "")
    check_line(done.stderr, expected, scenario)
    assert snapshot(scenario) == before


def test_the_table_has_every_command_and_no_row_twice():
    assert len({(name, arguments) for name, arguments, _ in TABLE}) == len(TABLE)
    assert {name for name, _, _ in TABLE} == set(COMMANDS)
    assert set(COMMANDS) == {
        path.stem
        for place in ("experiments", "gan/cli")
        for path in (ROOT / place).glob("*.py")
        if "command.run" in path.read_text()
    }
