"""Runs whose checkpoints were deleted, of which other files are left."""

import json
import shutil

import pytest

from gan.errors import UserError
from gan.run.config import Config
from gan.run.reader import check_checkpoints, reached
from gan.run.saved_config import write_config


@pytest.fixture
def run_dir(tmp_path):
    write_config(tmp_path, Config(checkpoint_every=10), {}, {}, {})
    (tmp_path / "checkpoints").mkdir()
    return tmp_path


def write_records(run_dir, *steps, name="metrics.jsonl"):
    values = {"metrics": {}} if name == "evaluations.jsonl" else {"loss/d": 1.0}
    lines = [json.dumps({"step": n, "kimg": 1.0, "seconds": 1.0, **values}) for n in steps]
    (run_dir / name).write_text("".join(f"{line}\n" for line in lines))


def write_summary(run_dir, status, step):
    reason = {"reason": "collapsed"} if status == "stopped" else {}
    (run_dir / "summary.json").write_text(json.dumps({"status": status, "step": step, **reason}))


LEFT = {
    "records beyond the first checkpoint": lambda run: write_records(run, 5, 10, 15),
    "evaluations": lambda run: write_records(run, 20, name="evaluations.jsonl"),
    "pictures": lambda run: (run / "samples/step_00000011.png").touch(),
    "a generator": lambda run: (run / "generator.keras").touch(),
    "a preempted run": lambda run: write_summary(run, "preempted", 3),
    "a stopped run": lambda run: write_summary(run, "stopped", 5),
    "a completed run that is to go on": lambda run: write_summary(run, "completed", 20),
}


@pytest.mark.parametrize("left", LEFT)
def test_a_run_is_not_begun_again_over_what_it_left(left, run_dir):
    LEFT[left](run_dir)
    with pytest.raises(UserError, match="its checkpoints are gone"):
        check_checkpoints(run_dir, 30)
    for name in ("step-20.data-00000-of-00001", "step-20.index"):
        (run_dir / "checkpoints" / name).touch()
    check_checkpoints(run_dir, 30)


def test_what_came_before_the_first_checkpoint_is_begun_again(run_dir):
    check_checkpoints(run_dir, 30)
    write_records(run_dir, 5, 10)  # a record comes before the checkpoint of its step
    (run_dir / "samples/step_00000010.png").touch()
    write_summary(run_dir, "stopped", 0)
    check_checkpoints(run_dir, 30)
    assert reached(run_dir) == 10


def test_a_complete_run_needs_no_checkpoints(run_dir):
    write_summary(run_dir, "completed", 30)
    write_records(run_dir, 10, 20, 30)
    (run_dir / "generator.keras").touch()
    check_checkpoints(run_dir, 30)
    check_checkpoints(run_dir, 20)
    with pytest.raises(UserError, match="has done 30 steps"):
        check_checkpoints(run_dir, 31)


def test_a_new_directory_has_none(tmp_path):
    check_checkpoints(tmp_path / "new", 30)


def test_training_says_so_and_changes_nothing(tiny_config, tmp_path, capsys):
    import dataclasses

    from gan.training.trainer import train

    summary = train(tiny_config(), tmp_path)
    shutil.rmtree(tmp_path / "checkpoints")
    before = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    capsys.readouterr()
    assert train(tiny_config(), tmp_path) == summary
    assert "is complete: it has done 12 steps" in capsys.readouterr().out
    with pytest.raises(UserError, match="its checkpoints are gone"):
        train(dataclasses.replace(tiny_config(), steps=20), tmp_path)
    assert before == {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
