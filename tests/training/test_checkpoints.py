"""Checkpoints that a crash, a disk or somebody else has damaged, and those of older versions."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from gan.data.datasets import Dataset
from gan.errors import NotFinite, UserError
from gan.run import run_directory
from gan.training.checkpoints import checkpoint_manager, restore, save
from gan.training.state import build_state
from gan.training.trainer import train
from support import checkpoint, same, weights_of


@pytest.fixture(scope="module")
def original(tmp_path_factory):
    """Where the first test leaves the run that all of them damage copies of."""
    return tmp_path_factory.mktemp("original") / "run"


@pytest.fixture
def saved(original, tiny_config, tmp_path):
    """A run with checkpoints of the steps 4, 8 and 12."""
    if not original.exists():
        train(tiny_config(checkpoint_every=4), original, quiet=True)
    return Path(shutil.copytree(original, tmp_path / "run"))


def paths(run_dir, step):
    index, data = sorted((run_dir / "checkpoints").glob(f"step-{step}.*"), reverse=True)
    return index, data


def half(path):
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def flipped(path):
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 8
    path.write_bytes(content)


DAMAGE = {
    "no index, as when a crash comes between the two files": lambda i, d: i.unlink(),
    "no data": lambda i, d: d.unlink(),
    "half of the index": lambda i, d: half(i),
    "half of the data": lambda i, d: half(d),
    "empty index": lambda i, d: i.write_bytes(b""),
    "empty data": lambda i, d: d.write_bytes(b""),
    "a bit of the index": lambda i, d: flipped(i),
    "a bit of the data": lambda i, d: flipped(d),
    "text": lambda i, d: i.write_text("no checkpoint"),
}


@pytest.mark.parametrize("damage", DAMAGE)
def test_a_damaged_newest_checkpoint_is_named_and_the_one_before_it_used(
    damage, saved, tiny_config, tmp_path, capsys
):
    whole = checkpoint(saved, 12)
    DAMAGE[damage](*paths(saved, 12))
    (saved / "summary.json").unlink()
    train(tiny_config(checkpoint_every=4), saved)
    out = capsys.readouterr().err
    assert f"warning: {saved}/checkpoints/step-12: cannot be restored" in out
    assert f"going on from {saved}/checkpoints/step-8" in out
    again = checkpoint(saved, 12)  # written once more, with the same bits
    assert again.keys() == whole.keys()
    assert all(np.array_equal(again[name], whole[name]) for name in whole)


def test_two_damaged_ones_are_both_named(saved, tiny_config, capsys):
    half(paths(saved, 12)[1])
    flipped(paths(saved, 8)[1])
    state = build_state(tiny_config(), (28, 28, 1))
    assert restore(state, checkpoint_manager(state, saved, 3)) == 4
    lines = capsys.readouterr().err.splitlines()
    assert [line.split(": ")[1] for line in lines] == [
        f"{saved}/checkpoints/step-{step}" for step in (12, 8)
    ]


def test_a_foreign_newest_checkpoint_is_passed_over(saved, tiny_config, tmp_path, capsys):
    """Somebody copied a checkpoint of other networks into the run."""
    train(tiny_config(generator="dcgan_tiny", steps=20), tmp_path / "other", quiet=True)
    for path in paths(tmp_path / "other", 20):
        shutil.copy(path, saved / "checkpoints")
    state = build_state(tiny_config(), (28, 28, 1))
    assert restore(state, checkpoint_manager(state, saved, 3)) == 12
    assert f"{saved}/checkpoints/step-20: cannot be restored" in capsys.readouterr().err


def test_without_a_sound_one_the_run_is_refused_and_nothing_deleted(saved, tiny_config):
    for step in (4, 8, 12):
        half(paths(saved, step)[1])
    before = {p: p.read_bytes() for p in saved.rglob("*") if p.is_file()}
    message = r"step-12: cannot be restored into these networks \(.*\), nor can the 2 before it$"
    with pytest.raises(UserError, match=message):
        train(tiny_config(steps=20, checkpoint_every=4), saved)
    assert {p: p.read_bytes() for p in saved.rglob("*") if p.is_file()} == before


@pytest.mark.parametrize("content", [None, ""])
def test_the_file_that_names_the_newest_one_may_be_lost(content, saved, tiny_config, capsys):
    """A run does not start anew because of it."""
    listing = saved / "checkpoints/checkpoint"
    listing.unlink() if content is None else listing.write_text(content)
    state = build_state(tiny_config(), (28, 28, 1))
    assert restore(state, checkpoint_manager(state, saved, 3)) == 12
    assert capsys.readouterr().err == ""


def test_other_files_are_no_checkpoints(tmp_path):
    names = ("checkpoint", "step-3.index.tmp", "step-x.index", "best", "astep-4.index", "step-5")
    for name in names:
        (tmp_path / name).touch()
    (tmp_path / "step-30.index").touch()
    (tmp_path / "step-4.data-00000-of-00001").touch()
    expected = [(30, str(tmp_path / "step-30")), (4, str(tmp_path / "step-4"))]
    assert run_directory.checkpoints(tmp_path) == expected
    assert run_directory.checkpoints(tmp_path / "nowhere") == []


def test_restoring_brings_back_every_bit(saved, tiny_config, tmp_path):
    states = [build_state(tiny_config(), (28, 28, 1)) for _ in range(2)]
    restore(states[0], checkpoint_manager(states[0], saved, 3))
    states[0].rollbacks.assign(2)
    save(checkpoint_manager(states[0], tmp_path, 3), states[0])
    restore(states[1], checkpoint_manager(states[1], tmp_path, 3))
    assert int(states[1].rollbacks.numpy()) == 2
    for ours, theirs in zip(states[0][:3], states[1][:3], strict=True):
        assert same(weights_of(ours), weights_of(theirs))


@pytest.mark.parametrize("network", ["generator", "discriminator"])
@pytest.mark.parametrize("trainable", [True, False])
@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_what_is_not_finite_is_not_saved(network, trainable, bad, tiny_config, tmp_path):
    state = build_state(tiny_config(d_norm="batch"), (28, 28, 1))
    part = getattr(state, network)
    variable = (part.trainable_variables if trainable else part.non_trainable_variables)[-1]
    values = variable.numpy()
    values.flat[-1] = bad
    variable.assign(values)
    with pytest.raises(NotFinite, match=f"{network}: .* is not finite at step 0"):
        save(checkpoint_manager(state, tmp_path, 3), state)
    assert not list(tmp_path.rglob("step-*"))


def test_a_run_whose_networks_an_older_version_built_goes_on_with_them(tiny_config, tmp_path):
    """That version halved images of 32 pixels twice, and config.json says nothing of it."""
    images = np.random.default_rng(0).integers(0, 256, (32, 32, 32, 3), np.uint8)
    settings = {"generator": "resnet_tiny", "discriminator": "dcgan_tiny", "steps_per_call": 1}

    def run(name, **changes):
        config = tiny_config(**{**settings, **changes})
        train(config, tmp_path / name, data=Dataset(images), run_eagerly=True, quiet=True)

    run("whole", steps=2, checkpoint_every=1, halvings=2)
    run("old", steps=1, halvings=2)
    file = tmp_path / "old/config.json"
    values = json.loads(file.read_text())
    assert values["config"].pop("halvings") == 2
    file.write_text(json.dumps(values))
    run("old", steps=2)
    assert json.loads(file.read_text())["config"]["halvings"] == 2
    whole, old = checkpoint(tmp_path / "whole", 2), checkpoint(tmp_path / "old", 2)
    assert whole.keys() == old.keys()
    assert all(np.array_equal(old[name], whole[name]) for name in whole)
