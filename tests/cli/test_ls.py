"""The list of runs."""

import json

import pytest

from gan.cli import ls
from gan.run.lock import is_locked, locked
from gan.run.presets import from_preset
from gan.run.saved_config import write_config
from support import status_of


def write_run(place, steps=100, step=0, evaluations=(), **summary):
    write_config(place, from_preset("mlp", {"steps": steps, "evaluate_every": 0}), {}, {},
                 preset="mlp_r3")  # fmt: skip
    numbers = dict.fromkeys(("loss/d", "loss/g", "accuracy/real", "accuracy/fake"), 0.5)
    record = {"step": step, "kimg": 1.0, "seconds": 1.0, **numbers}
    (place / "metrics.jsonl").write_text(json.dumps(record) + "\n")
    lines = [json.dumps(one) + "\n" for one in evaluations]
    (place / "evaluations.jsonl").write_text("".join(lines))
    if summary:
        (place / "summary.json").write_text(json.dumps({"step": step, **summary}))


@pytest.fixture
def runs(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    rows = [
        {"step": n, "source": "training", "num_images": 2000, "metrics": {"fcd": value}}
        for n, value in ((50, 9.0), (100, 8.0), (100, 1.234), (70, 7.0))
    ]
    write_run(tmp_path / "runs/done", 100, 100, rows, status="completed")
    write_run(tmp_path / "runs/deep/broken", 3000, 1200, status="stopped", reason="it broke")
    write_run(tmp_path / "runs/open", 30_000, 700)
    write_run(tmp_path / "runs/busy", 10, 4)
    write_run(tmp_path / "runs/bad", 10, 4)
    (tmp_path / "runs/bad/metrics.jsonl").write_text("[]\n[]\n")
    odd = json.loads((tmp_path / "runs/bad/config.json").read_text())
    (tmp_path / "runs/odd").mkdir()
    (tmp_path / "runs/odd/config.json").write_text(json.dumps({**odd, "starts": ["x"]}))
    return tmp_path


def test_every_run_has_a_line(runs, monkeypatch, capsys):
    with locked(runs / "runs/busy"):
        assert status_of(monkeypatch, ls) == 0
    headings, _, *lines = capsys.readouterr().out.splitlines()
    assert headings.split() == ["run", "preset", "dataset", "step", "status", "FCD", "started"]
    date = json.loads((runs / "runs/done/config.json").read_text())["starts"][0]["date"]
    when = date[:16].replace("T", " ")
    found = {line.split()[0]: " ".join(line.split()[1:]) for line in lines}
    assert found == {
        "runs/bad": "damaged",
        "runs/busy": f"mlp_r3 mnist 4 of 10 training - {when}",
        "runs/deep/broken": f"mlp_r3 mnist 1,200 of 3,000 failed - {when}",
        "runs/done": f"mlp_r3 mnist 100 of 100 completed 1.23 (2,000) {when}",
        "runs/odd": "mlp_r3 mnist 0 of 10 unfinished -",
        "runs/open": f"mlp_r3 mnist 700 of 30,000 unfinished - {when}",
    }
    assert status_of(monkeypatch, ls, "runs/done", "runs/open") == 0
    assert len(capsys.readouterr().out.splitlines()) == 4


def test_looking_takes_no_lock(runs):
    """Two may look at once, and training begins meanwhile."""
    assert not is_locked(runs / "runs/open")
    with locked(runs / "runs/open"):
        assert is_locked(runs / "runs/open")
    assert not is_locked(runs / "runs/open")
    assert not is_locked(runs / "nowhere")
