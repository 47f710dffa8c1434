import json

import pytest

from experiments import linear_units
from gan.run.presets import from_preset
from support import status_of

TINY = {
    "steps": 4, "steps_per_call": 2, "checkpoint_every": 2, "jit_compile": False, "batch_size": 16,
    "evaluate_every": 0,
}  # fmt: skip


@pytest.mark.parametrize(
    ("changes", "layers"),
    [
        ({"conditional": True, "generator": "dcgan_tiny", "discriminator": "dcgan_tiny"}, [8, 16]),
        ({"auxiliary": "acgan", "conditional": True}, [32]),
    ],
)
def test_a_table_of_all_checkpoints(changes, layers, tmp_path, trained_once, monkeypatch, capsys):
    trained_once(from_preset("tiny", {**TINY, **changes}), tmp_path / "run")
    monkeypatch.chdir(tmp_path)
    capsys.readouterr()
    assert status_of(monkeypatch, linear_units, "run") == 0
    _, _, *rows = capsys.readouterr().out.splitlines()
    cells = [[cell.strip() for cell in row.strip("|").split("|")] for row in rows]
    assert [cell[:2] for cell in cells] == [["run", "2"], ["run", "4"]]
    for cell in cells:
        counts = [count.split(" of ") for count in cell[2].split(", ")]
        assert [int(units) for _, units in counts] == layers
        assert all(0 <= int(count) <= int(units) for count, units in counts)


def test_other_data_are_refused(tmp_path, trained_once, monkeypatch, capsys):
    trained_once(from_preset("tiny", {**TINY, "conditional": True}), tmp_path / "run")
    config = tmp_path / "run/config.json"
    values = json.loads(config.read_text())
    values["data"]["digest"] = "0" * 64
    config.write_text(json.dumps(values))
    capsys.readouterr()
    assert status_of(monkeypatch, linear_units, tmp_path / "run") == 2
    assert "was trained on other data" in capsys.readouterr().err.splitlines()[-1]
