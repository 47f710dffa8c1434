"""Runs that several files of tests show on pages."""

import json
import shutil
from pathlib import Path

import pytest

from gan.run.presets import from_preset
from gan.training.trainer import train

SMALL = {"steps": 6, "sample_every": 2, "log_every": 1, "evaluate_every": 3, "jit_compile": False}


def evaluator(generator, step):
    return {"metrics": {"fcd": 100.0 / step, "coverage": 0.5}}


@pytest.fixture(scope="session")
def run_dirs(tmp_path_factory):
    """A plain run and a conditional one."""
    place = tmp_path_factory.mktemp("report")
    for name, changes in (("plain", {}), ("labelled", {"conditional": True, "seed": 1})):
        config = from_preset("tiny", {**SMALL, **changes})
        train(config, place / name, make_evaluators=lambda *_: {"light": evaluator}, quiet=True)
    record = {
        "source": "evaluate", "step": 6, "weights": "ema", "num_images": 1000,
        "metrics": {"fcd": 12.345678}, "floors": {"fcd": {"mean": 0.12, "sd": 0.01}},
    }  # fmt: skip
    with (place / "plain/evaluations.jsonl").open("a") as file:
        file.write(json.dumps(record) + "\n")
    return [place / "plain", place / "labelled"]


@pytest.fixture
def run_dir(run_dirs, tmp_path):
    """A copy of the plain run, to damage."""
    return Path(shutil.copytree(run_dirs[0], tmp_path / "run"))
