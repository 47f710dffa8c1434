import keras
import numpy as np
import pytest

from experiments import linear_units
from gan.run.presets import from_preset
from support import status_of

TINY = {
    "steps": 4, "steps_per_call": 2, "checkpoint_every": 2, "jit_compile": False, "batch_size": 16,
    "evaluate_every": 0,
}  # fmt: skip


def test_units_of_one_sign_by_hand():
    """Of 2,000 images two are bright, so 1,998 are exactly 99.9 %."""
    images = keras.Input([1, 1, 1])
    dense = keras.layers.Dense(6)
    x = keras.layers.LeakyReLU()(dense(keras.layers.Flatten()(images)))
    x = keras.layers.Dense(2)(x)
    model = keras.Model(images, keras.layers.LeakyReLU()(x))
    always, never, at_two, at_three, at_half = 5.0, -9.0, -7.0, -5.95, 0.0
    dense.set_weights(
        [np.ones([1, 6]), np.array([always, never, at_two, at_three, at_half, -at_two])]
    )
    model.layers[-2].set_weights([np.zeros([6, 2]), np.array([1.0, -1.0])])
    values = np.linspace(-1, 1, 2000)
    values[:2], values[2] = 8.0, 6.0
    found = linear_units.units_of_one_sign(model, [values.astype(np.float32).reshape(-1, 1, 1, 1)])
    assert found == [(4, 6), (2, 2)]


def test_a_channel_is_a_unit_at_all_places():
    images = keras.Input([2, 1, 1])
    conv = keras.layers.Conv2D(2, 1)
    model = keras.Model(images, keras.layers.LeakyReLU()(conv(images)))
    conv.set_weights([np.ones([1, 1, 1, 2]), np.array([0.0, 3.0])])
    values = np.tile(np.array([-1.0, 1.0], np.float32).reshape(1, 2, 1, 1), [10, 1, 1, 1])
    assert linear_units.units_of_one_sign(model, [values]) == [(1, 2)]


@pytest.mark.parametrize(
    ("changes", "layers"),
    [
        ({}, [32]),
        ({"conditional": True}, [32]),
        ({"auxiliary": "acgan", "conditional": True}, [32]),
        ({"generator": "dcgan_tiny", "discriminator": "dcgan_tiny"}, [8, 16]),
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


def test_what_it_cannot_look_at(tmp_path, trained_once, monkeypatch, capsys):
    changes = {**TINY, "pack": 2}
    trained_once(from_preset("tiny", changes), tmp_path / "run")
    capsys.readouterr()
    assert status_of(monkeypatch, linear_units, str(tmp_path / "run")) == 2
    assert (
        capsys.readouterr()
        .err.splitlines()[-1]
        .endswith("must have test images, which D sees one at a time")
    )
