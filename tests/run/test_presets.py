"""Every preset: a dry run, and two calls of training on its own data with its own networks."""

import pytest

from gan.data.datasets import dataset_from_config
from gan.run.presets import PRESETS, from_preset
from gan.training import trainer
from gan.training.state import build_state
from support import call, weights_of

SHORT = {"steps": 2, "steps_per_call": 1, "batch_size": 4, "evaluate_every": 0, "sample_every": 2}


@pytest.mark.parametrize("name", PRESETS)
def test_a_dry_run_takes_it(name, monkeypatch, capsys, tmp_path):
    monkeypatch.chdir(tmp_path)
    assert call(monkeypatch, f"--preset={name}", "--dry_run") == 0
    assert f'"run_dir": "runs/{name}"' in capsys.readouterr().out


@pytest.mark.parametrize("name", PRESETS)
def test_it_trains(name, tmp_path, monkeypatch):
    """Without XLA, which takes its time; both networks move, and the pictures are there."""
    config = from_preset(name, {**SHORT, "precision": "float32", "jit_compile": False})
    data, states = dataset_from_config(config, print), []
    monkeypatch.setattr(
        trainer, "build_state", lambda *a, **k: states.append(build_state(*a, **k)) or states[-1]
    )
    summary = trainer.train(config, tmp_path / "run", data=data, quiet=True)
    assert (summary["status"], summary["step"], summary["traces"]) == ("completed", 2, 1)
    start = build_state(config, data.shape, classes=data.classes)
    for trained, initial in ((states[0].generator, start.generator),
                             (states[0].discriminator, start.discriminator)):  # fmt: skip
        kernels = [[w for w in weights_of(network) if w.ndim > 1] for network in (trained, initial)]
        assert kernels[0]
        moved = [a for a, b in zip(*kernels, strict=True) if not (a == b).all()]
        assert len(moved) >= 0.6 * len(kernels[0])  # blurs and scaled zeros stay
    for picture in ("reals.png", "step_00000000.png", "step_00000002.png"):
        assert (tmp_path / "run" / "samples" / picture).stat().st_size > 500
