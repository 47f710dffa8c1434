"""What each target of the Makefile installs: Python in .venv only notes what it is told."""

import os
import re
import shutil
import subprocess

import pytest

from support import ROOT

TOOL = '#!/bin/sh\necho "$(basename "$0") $*" >> "$LOG"\n'

NEEDS = {  # extras, in the order of the calls; "" is the package alone
    "train": [""], "sample": [""], "project": [""], "evaluate": [""], "report": [""],
    "compare": [""], "tensorboard": [""], "export": ["", "export"], "bench": ["", "keras2"],
    "study": ["", "study"], "docs": ["", "docs"], "test": ["", "dev"], "lint": ["", "dev"],
    "format": ["", "dev"], "help": [],
}  # fmt: skip


@pytest.fixture
def make(tmp_path):
    """Runs targets in a copy of the Makefile and returns the extras that pip installs."""
    for name in ("Makefile", "pyproject.toml"):
        shutil.copy(ROOT / name, tmp_path)
    (tmp_path / ".venv/bin").mkdir(parents=True)
    for name in ("python", "ruff", "mypy"):
        (tmp_path / ".venv/bin" / name).write_text(TOOL)
        (tmp_path / ".venv/bin" / name).chmod(0o755)
    log = tmp_path / "log"

    def run(*targets):
        log.write_text("")
        environment = {**os.environ, "LOG": str(log)}
        done = subprocess.run(
            ["make", "-C", tmp_path, *targets], env=environment, capture_output=True, text=True
        )
        assert done.returncode == 0, done.stderr
        calls = log.read_text().splitlines()
        pips = [line for line in calls if " -m pip install " in line]
        assert calls[: len(pips)] == pips  # before the command itself
        assert len(calls) > len(pips) or targets == ("help",)
        return [re.search(r"--editable \.(?:\[(\w+)\])?$", line)[1] or "" for line in pips]

    run.place = tmp_path
    return run


@pytest.mark.parametrize("target", NEEDS)
def test_a_target_installs_what_it_needs_and_only_once(target, make):
    assert make(target) == NEEDS[target]
    assert make(target) == []


def test_every_target_is_known_here():
    targets = re.findall(r"(?m)^([a-z]+):.*##", (ROOT / "Makefile").read_text())
    assert set(targets) - {"explorer", "clean"} == set(NEEDS)


def test_one_after_the_other_adds_what_is_missing(make):
    assert make("sample") == [""]
    assert make("export") == ["export"]
    assert make("evaluate") == []
    assert make("test") == ["dev"]
    assert [make(target) for target in ("lint", "export", "study", "docs", "bench")] == [[]] * 5


def test_the_extra_of_the_tests_holds_the_others(make):
    assert make("test") == ["", "dev"]
    assert [make(target) for target in ("export", "study", "docs", "bench")] == [[]] * 4
    (inside,) = re.findall(
        r'(?m)^dev = \["tapegan\[(.*?)\]"', (ROOT / "pyproject.toml").read_text()
    )
    (known,) = re.findall(r"(?m)^EXTRAS := (.*)$", (ROOT / "Makefile").read_text())
    assert {*inside.split(","), "dev"} == set(known.split())


def test_a_report_needs_the_exporter_once_there_is_an_explorer(make):
    assert make("report") == [""]
    (make.place / ".explorer").mkdir()
    assert make("report") == ["export"]
    assert make("report") == []


def test_another_pyproject_installs_anew_what_is_asked_for(make):
    assert make("export") == ["", "export"]
    for path in (make.place / "pyproject.toml", *(make.place / ".venv").glob(".*")):
        os.utime(path, (10**9, 10**9))  # all alike, long ago
    assert make("export") == []
    os.utime(make.place / "pyproject.toml", (10**9 + 1, 10**9 + 1))
    assert make("sample") == [""]
    assert make("sample") == []
    assert make("export") == ["export"]
    assert make("export") == []
