"""What a training that was killed has left, and what is nobody's left-over."""

import json
import os
from types import SimpleNamespace

import pytest

from gan.errors import UserError
from gan.run.config import Config
from gan.run.run_directory import check_run_dir, clear_leftovers
from gan.run.saved_config import read_config, with_saved_choices, write_config

LEFT = [
    ".0a1b2c3d.tapegan-tmp.json",
    "samples/.0a1b2c3d.tapegan-tmp.png",
    "checkpoints/step-30_temp/part-00000-of-00001.data-00000-of-00001",
    "checkpoints/best/step-2_temp/part-00000-of-00001.index",
    f"checkpoints/checkpoint.tmp{'0a' * 16}",
    "checkpoints/step-30.index.tempstate123456789",
]
KEPT = [
    "config.json",
    "samples/step_00000001.png",
    "samples/.hidden.png",
    "checkpoints/checkpoint",
    "checkpoints/step-30.data-00000-of-00001",
    "checkpoints/step-30.index",
    "checkpoints/step-x_temp/mine",
    "checkpoints/my-step-3_temp/mine",
    "mine/.0a1b2c3d.tapegan-tmp.json",
]


def files_in(directory):
    return {os.path.join(a, name) for a, _, names in os.walk(directory) for name in names}


def test_what_a_killed_training_left_is_removed_and_nothing_else(tmp_path):
    run_dir = tmp_path / "runs/run[1]"
    for name in (*LEFT, *KEPT):
        (run_dir / name).parent.mkdir(parents=True, exist_ok=True)
        (run_dir / name).touch()
    clear_leftovers(run_dir)
    assert files_in(run_dir) == {str(run_dir / name) for name in KEPT}
    assert not (run_dir / "checkpoints/step-30_temp").exists()


@pytest.mark.parametrize("place", ["samples", "checkpoints", "checkpoints/best"])
def test_no_link_out_of_the_run_is_followed(place, tmp_path):
    elsewhere, run_dir = tmp_path / "elsewhere", tmp_path / "run"
    for name in (".0a1b2c3d.tapegan-tmp.json", "step-3_temp/mine"):
        (elsewhere / name).parent.mkdir(parents=True, exist_ok=True)
        (elsewhere / name).touch()
    (run_dir / place).parent.mkdir(parents=True)
    (run_dir / place).symlink_to(elsewhere)
    (run_dir / "checkpoints").mkdir(exist_ok=True)
    (run_dir / "checkpoints/step-4_temp").symlink_to(elsewhere)
    clear_leftovers(run_dir)
    assert len(files_in(elsewhere)) == 2


def test_training_does_so_at_its_start(tiny_config, tmp_path):
    from gan.training.trainer import train

    for name in LEFT[:3]:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    write_config(tmp_path, tiny_config(steps=2), {}, [])
    train(tiny_config(steps=2), tmp_path, quiet=True)
    assert not any((tmp_path / name).parent.joinpath(name).exists() for name in LEFT)
    assert not any(name.endswith("_temp") for name in os.listdir(tmp_path / "checkpoints"))


@pytest.mark.parametrize("name", ["config.json", "checkpoints/checkpoint"])
def test_a_pipe_among_the_files_of_a_run_is_not_waited_for(name, tmp_path):
    write_config(tmp_path, Config(), {}, [])
    (tmp_path / "checkpoints").mkdir()
    (tmp_path / name).unlink(missing_ok=True)
    os.mkfifo(tmp_path / name)
    with pytest.raises(UserError, match=rf"^{tmp_path / name}: .*Is a pipe, must be a file"):
        check_run_dir(tmp_path, Config())
    if name == "config.json":
        with pytest.raises(UserError, match=r"must be JSON \(Is a pipe, must be a file\)$"):
            read_config(tmp_path)


@pytest.mark.parametrize(
    ("data", "halvings"),
    [
        ({"shape": [28, 28, 1]}, 0),
        ({"shape": [16, 24, 3]}, 0),
        ({"shape": [32, 32, 3]}, 2),
        ({"shape": [8, 8, 3]}, 2),
        ({"shape": [2]}, 0),
        ({"shape": "x"}, 2),
        (None, 2),  # an older version did not say
    ],
)
def test_networks_of_older_runs_halve_twice(data, halvings, tmp_path):
    """0 stands for what the side says, which for 16 to 28 pixels is twice as well."""
    write_config(tmp_path, Config(generator="dcgan", halvings=0), {}, {}, data)
    assert read_config(tmp_path).halvings == 0
    values = json.loads((tmp_path / "config.json").read_text())
    del values["config"]["halvings"]
    (tmp_path / "config.json").write_text(json.dumps(values))
    assert read_config(tmp_path).halvings == halvings
    assert with_saved_choices(tmp_path, Config(generator="dcgan")).halvings == halvings
    for of_networks, expected in (
        ({}, 0),  # the default's are dense
        ({"generator": "toy", "discriminator": "toy"}, 0),
        ({"generator": "mlp", "discriminator": "resnet"}, halvings),
        ({"generator": "infogan", "discriminator": "mlp"}, halvings),  # as it was called then
    ):
        (tmp_path / "config.json").write_text(json.dumps({**values, "config": of_networks}))
        assert read_config(tmp_path).halvings == expected, of_networks


@pytest.mark.parametrize(("old", "new"), [("infogan", "dcgan_dense"), ("dcgan", "dcgan")])
def test_networks_have_their_names_of_today(old, new, tmp_path):
    """Of a run that began before InfoGAN was an objective; a row of the user's keeps its name."""
    write_config(tmp_path, Config(generator=old, discriminator=f"{old}_tiny"), {}, {})
    assert read_config(tmp_path).generator == old
    values = json.loads((tmp_path / "config.json").read_text())
    del values["config"]["auxiliary"]
    (tmp_path / "config.json").write_text(json.dumps(values))
    config = read_config(tmp_path)
    assert (config.generator, config.discriminator) == (new, f"{new}_tiny")
    check_run_dir(tmp_path, Config(generator=new, discriminator=f"{new}_tiny"))


@pytest.mark.parametrize(
    ("read_only", "why"), [(True, "on a read-only file system:"), (False, "no permission in")]
)
def test_why_a_place_cannot_be_written(read_only, why, tmp_path, monkeypatch):
    flags = os.ST_RDONLY if read_only else 0
    monkeypatch.setattr(os, "access", lambda path, mode: False)
    monkeypatch.setattr(os, "statvfs", lambda path: SimpleNamespace(f_flag=flags | os.ST_NOSUID))
    with pytest.raises(UserError) as raised:
        check_run_dir(tmp_path / "run", Config())
    assert (
        str(raised.value) == f"--run_dir={tmp_path / 'run'}: cannot be written ({why} {tmp_path})"
    )
