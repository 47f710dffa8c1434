import json
import os

import pytest

from gan.run.files import BadFile
from gan.training.metrics_log import MetricsLog, write_loss_plot
from gan.training.trainer import train
from support import once_more

VALUES = {"loss/d": 1.0}


def replaced(path):
    path.rename(path.with_suffix(".old"))
    path.write_text("")


DAMAGE = {
    "removed": (lambda path: path.unlink(), [2, 3]),
    "replaced": (replaced, [2, 3]),
    "cut": (lambda path: path.write_text(""), [2, 3]),
    "nothing": (lambda path: None, [1, 2, 3]),
    "read and touched": (lambda path: (path.read_text(), os.utime(path)), [1, 2, 3]),
}


@pytest.mark.parametrize("damage", DAMAGE)
def test_records_that_somebody_takes_away_are_named_and_the_file_made_again(damage, tmp_path):
    act, expected = DAMAGE[damage]
    log = MetricsLog(tmp_path, 0)
    assert log.scalars(1, 0.1, 1.0, VALUES) == ""
    act(log.path)
    warning = log.scalars(2, 0.2, 2.0, VALUES)
    gone = f"{log.path}: was removed, replaced or cut; its records begin again here"
    assert warning == (gone if len(expected) == 2 else "")
    assert log.scalars(3, 0.3, 3.0, VALUES) == ""
    log.close()
    assert [json.loads(line)["step"] for line in log.path.read_text().splitlines()] == expected


def test_a_pipe_in_its_place_is_not_waited_for(tmp_path):
    log = MetricsLog(tmp_path, 0)
    log.path.unlink()
    os.mkfifo(log.path)
    with pytest.raises(BadFile, match="Is a pipe"):
        log.scalars(1, 0.1, 1.0, VALUES)


def test_a_run_says_so_and_completes(tiny_config, tmp_path, monkeypatch, capsys):
    path = tmp_path / "metrics.jsonl"
    monkeypatch.setattr(MetricsLog, "scalars", once_more(MetricsLog.scalars, path.unlink))
    assert train(tiny_config(), tmp_path)["status"] == "completed"
    out = capsys.readouterr().err
    assert out.count(f"warning: {path}: was removed, replaced or cut") == 1
    assert [json.loads(line)["step"] for line in path.read_text().splitlines()] == [8, 12]


def test_a_folder_whose_name_is_not_utf8_is_told_to_tensorboard(tmp_path):
    log = MetricsLog(tmp_path, 0)
    name = os.fsdecode(b"image_folder:caf\xe9")
    log.text("config", 0, f"| dataset | {name} |\n| steps | 3 |")
    log.hyper_parameters({"dataset": name, "steps": 3, "conditional": False})
    log.close()
    events = b"".join(path.read_bytes() for path in (tmp_path / "tensorboard").iterdir())
    assert b"| image_folder:caf\\udce9 |\n| steps" in events
    assert events.count(b"image_folder:caf\\udce9") == 2


def test_a_picture_for_which_there_is_no_place_is_not_taken_for_one_that_cannot_be_drawn(tmp_path):
    """A warning would say that its numbers are too large; a full disk ends the run instead."""
    record = {"step": 1, "loss/d": 1.0, "loss/g": 2.0}
    with pytest.raises(FileNotFoundError):
        write_loss_plot(tmp_path / "nowhere/losses.png", [record])


def test_a_run_that_goes_on_looks_back_at_the_records_from_before(tmp_path):
    """Three of a D that wins would say that it has won for 256 kimg."""
    log = MetricsLog(tmp_path, 0)
    for i in range(1, 13):
        log.scalars(i, 25.6 * i, float(i), VALUES)
    before = list(log.recent)
    log.close()
    assert [record["step"] for record in before] == list(range(3, 13))
    again = MetricsLog(tmp_path, 12)
    assert list(again.recent) == before
    again.close()
    back = MetricsLog(tmp_path, 5)
    assert [record["step"] for record in back.recent] == [1, 2, 3, 4, 5]
    back.close()
