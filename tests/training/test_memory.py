import dataclasses

import pytest

from gan.errors import UserError
from gan.run.config import Config
from gan.run.presets import PRESETS, from_preset
from gan.training import memory
from gan.training.memory import check_memory
from gan.training.trainer import train
from support import call

MOST = 2**31 - 1
GB = 10**9


@pytest.fixture
def machine(monkeypatch):
    monkeypatch.setattr(memory, "memory", lambda: 16 * GB)


@pytest.mark.parametrize("name", ["latent_dim", "batch_size", "steps_per_call", "d_steps"])
def test_sizes_that_no_machine_has_are_refused_before_anything_is_written(
    name, tiny_config, tmp_path
):
    with pytest.raises(UserError, match=rf"^--{name}={MOST}: is too much with --\w+=\d+, "):
        train(tiny_config(**{name: MOST}), tmp_path / "run", quiet=True)
    assert not (tmp_path / "run").exists()


def test_a_dry_run_refuses_them_too(monkeypatch, capsys, tmp_path):
    monkeypatch.chdir(tmp_path)
    assert call(monkeypatch, f"--batch_size={MOST}", "--dry_run") == 2
    assert f"error: --batch_size={MOST}: is too much with" in capsys.readouterr().err


def test_what_is_needed_is_counted_and_said(machine):
    """2 x 10 x 1,000 images of 1,000,000 bytes and a label; 2 x 2 x 10,000 noises of 400 bytes."""
    config = Config(steps_per_call=10, batch_size=1000)
    check_memory(config, (500, 1000, 1))
    with pytest.raises(UserError) as error:
        check_memory(config, (1000, 1000, 1))
    assert str(error.value) == (
        "--batch_size=1000: is too much with --latent_dim=100, --steps_per_call=10, --d_steps=1 "
        "(needs 20 GB of memory at least, has 16)"
    )
    # A weight of a layer that takes latents is kept four times.
    narrow = dataclasses.replace(config, batch_size=1, steps_per_call=1)
    for latent_dim, right in ((100_000_000, True), (150_000_000, False)):
        wide = dataclasses.replace(narrow, latent_dim=latent_dim)
        if right:
            check_memory(wide, (28, 28, 1))
        else:
            with pytest.raises(UserError, match="needs 22 GB of memory at least"):
                check_memory(wide, (28, 28, 1))


def test_what_tensorflow_cannot_count_is_refused_whatever_the_memory(monkeypatch):
    monkeypatch.setattr(memory, "memory", lambda: 10**15)
    config = Config(batch_size=2**20, steps_per_call=2**11, latent_dim=1)
    with pytest.raises(UserError, match=r"a call has 2,147,483,648 images, must be below 2\^31"):
        check_memory(config, (2,))
    check_memory(dataclasses.replace(config, steps_per_call=2**11 - 1), (2,))


@pytest.mark.parametrize("preset", PRESETS)
def test_no_preset_is_refused_on_a_small_machine(preset, monkeypatch):
    monkeypatch.setattr(memory, "memory", lambda: 2 * GB)
    config = from_preset(preset)
    check_memory(config, (2,) if config.dataset.startswith("gaussian") else (32, 32, 3))


def test_the_limit_of_a_container_counts(monkeypatch, tmp_path):
    machine = memory.memory()
    (tmp_path / "job").mkdir()
    for name, text in (("limit", "max\n"), ("job/limit", "1000000\n")):
        (tmp_path / name).write_text(text)
    monkeypatch.setattr(memory, "CGROUP_LIMITS", (str(tmp_path / "limit"),))
    assert memory.memory() >= machine
    monkeypatch.setattr(memory, "CGROUP_LIMITS", (str(tmp_path / "job/limit"),))
    assert memory.memory() == 1_000_000
