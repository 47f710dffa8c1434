"""What a run says of itself, and runs that begin from what another one says."""

import json
import platform
import sys

import pytest

from gan.cli import train as train_command
from gan.errors import UserError
from gan.run import saved_config
from gan.run.saved_config import read_config
from support import call, status_of

SHORT = [
    "--preset=tiny", "--steps=4", "--batch_size=16", "--latent_dim=8", "--steps_per_call=2",
    "--precision=float32", "--nojit_compile", "--evaluate_every=0", "--loss=hinge", "--seed=3",
]  # fmt: skip


@pytest.fixture(scope="module")
def begun(tmp_path_factory):
    """A run of 4 steps with flags of its own."""
    run_dir = tmp_path_factory.mktemp("begun") / "run"
    with pytest.MonkeyPatch.context() as patch:
        assert status_of(patch, train_command, *SHORT, f"--run_dir={run_dir}") == 0
    return run_dir


def values_of(run_dir):
    return json.loads((run_dir / "config.json").read_text())


def test_a_run_alone_goes_on_with_what_is_there(begun, monkeypatch, capsys):
    """Neither the preset nor any other flag is needed; every start is noted."""
    assert call(monkeypatch, f"--run_dir={begun}") == 0
    assert "is complete: it has done 4 steps, --steps=4" in capsys.readouterr().out
    assert call(monkeypatch, f"--run_dir={begun}", "--steps=6") == 0
    saved, values = read_config(begun), values_of(begun)
    assert (saved.steps, saved.loss, saved.seed, saved.generator) == (6, "hinge", 3, "tiny")
    assert values["preset"] == "tiny"
    first, second = values["starts"]
    assert (first["step"], second["step"]) == (0, 4)
    assert first["host"] == platform.node()
    assert first["command"] == " ".join(["command", *SHORT, f"--run_dir={begun}"])
    assert second["command"].startswith("train --run_dir=")
    assert first["date"] <= second["date"]


def test_what_is_there_is_not_changed(begun, monkeypatch, capsys):
    before = (begun / "config.json").read_bytes()
    assert call(monkeypatch, f"--run_dir={begun}", "--loss=relativistic") == 2
    assert "(loss: hinge -> relativistic)" in capsys.readouterr().err
    assert call(monkeypatch, f"--run_dir={begun}", "--preset=mlp") == 2
    assert (begun / "config.json").read_bytes() == before


@pytest.mark.parametrize("place", ["", "config.json"])
def test_a_run_begins_from_the_configuration_of_another(place, begun, monkeypatch, tmp_path):
    flags = (f"--config={begun / place}", f"--run_dir={tmp_path / 'new'}", "--seed=5", "--steps=2")
    assert call(monkeypatch, *flags) == 0
    saved = read_config(tmp_path / "new")
    assert (saved.loss, saved.generator, saved.latent_dim) == ("hinge", "tiny", 8)
    assert (saved.seed, saved.steps) == (5, 2)
    assert values_of(tmp_path / "new")["preset"] == ""


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["--config=@", "--preset=tiny", "--run_dir=new"], "is instead of --preset=tiny"),
        (["--config=@"], "needs --run_dir, where the new run is stored"),
        (["--config=nowhere", "--run_dir=new"], "must be a config.json, or a run"),
        (["--config=.", "--run_dir=new"], "must be a config.json, or a run"),
        (["--config=own.json", "--run_dir=new"], "names no generator, Python code gave it"),
        (["--config=list.json", "--run_dir=new"], "list.json: is not a configuration"),
        (["--config=@", "--loss=none", "--run_dir=new"], "--loss=none: must be one of"),
    ],
)
def test_what_no_run_can_begin_from(flags, message, begun, monkeypatch, tmp_path, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "list.json").write_text("[]")
    own = {**values_of(begun), "own_networks": ["generator"]}
    (tmp_path / "own.json").write_text(json.dumps(own))
    assert call(monkeypatch, *[flag.replace("@", str(begun)) for flag in flags]) == 2
    error = capsys.readouterr().err
    assert message in error
    assert error.count("\n") == 1
    assert not (tmp_path / "new").exists()


def test_a_directory_of_other_programs_holds_no_runs(tmp_path):
    (tmp_path / "bert").mkdir()
    (tmp_path / "bert/config.json").write_text('{"hidden_size": 3}')
    with pytest.raises(UserError, match=r"it has no config.json$"):
        saved_config.read_values(tmp_path)
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine/config.json").write_text('{"config": {}}')
    with pytest.raises(UserError, match=r"it holds runs, such as .*/mine$"):
        saved_config.read_values(tmp_path)
    (tmp_path / "mnist").mkdir()
    with pytest.raises(UserError, match="it hides the generator of that name, which comes with"):
        saved_config.read_values(tmp_path / "mnist")


def test_a_command_of_any_bytes_is_kept_as_text(monkeypatch):
    monkeypatch.setattr(sys, "argv", ["/bin/tapegan", "train", "caf\udce9 1"])
    assert saved_config.start_at(0)["command"] == r"tapegan train 'caf\xe9 1'"
