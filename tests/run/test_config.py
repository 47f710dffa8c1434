import dataclasses
import enum
from pathlib import Path

import numpy as np
import pytest

from gan.errors import UserError
from gan.run import config, presets
from gan.run.config import Config


def test_defaults_are_the_original_script():
    c = Config()
    assert (c.latent_dim, c.batch_size, c.steps, c.sample_every) == (100, 256, 30_000, 200)
    assert (c.d_learning_rate, c.g_learning_rate, c.beta_1) == (2e-4, 2e-4, 0.5)
    assert (c.schedule, c.dataset, c.generator, c.discriminator) == (
        "alternating", "mnist", "mlp", "mlp",
    )  # fmt: skip


@pytest.mark.parametrize("name", presets.PRESETS)
def test_presets_are_valid_and_change_only_what_they_list(name):
    made = dataclasses.asdict(presets.from_preset(name))
    default = dataclasses.asdict(Config())
    assert {k: v for k, v in made.items() if v != default[k]} == presets.PRESETS[name]


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"steps": 0}, "--steps=0: must be an integer at least 1 and below 2^31"),
        ({"steps": 2.0}, "--steps=2.0: must be an integer at least 1"),
        ({"steps": True}, "--steps=True: must be an integer at least 1"),
        ({"batch_size": -1}, "--batch_size=-1: must be an integer at least 1"),
        ({"seed": 2**31}, "--seed=2147483648: must be an integer at least 0 and below 2^31"),
        ({"steps": 10**400}, "0: must be an integer at least 1 and below 2^31"),
        ({"beta_1": 1.0}, "--beta_1=1.0: must be a number at least 0 and below 1"),
        ({"g_learning_rate": 0}, "--g_learning_rate=0: must be a number above 0"),
        ({"g_learning_rate": float("nan")}, "--g_learning_rate=nan: must be a number above 0"),
        ({"schedule": "both"}, "must be one of alternating, simultaneous, classic"),
        ({"jit_compile": 1}, "--jit_compile=1: must be true or false"),
        ({"data_dir": None}, "--data_dir=None: must be text"),
        ({"stepz": 3}, "--stepz: unknown, valid are dataset, data_dir"),
        ({"schedule": "classic", "loss": "mine"}, "--loss=mine: --schedule=classic has its own"),
    ],
)
def test_invalid_values_are_named_with_the_valid_ones(values, message):
    with pytest.raises(UserError) as error:
        config.from_dict(values)
    assert message in str(error.value)
    assert "\n" not in str(error.value)


def test_python_code_may_name_rows_that_the_command_line_does_not_know():
    assert Config(loss="mine").loss == "mine"


def test_only_resumable_fields_may_change():
    old = Config()
    new = dataclasses.replace(old, steps=5, log_every=7, batch_size=8, schedule="simultaneous")
    assert config.changed_fields(old, new) == [
        "schedule: alternating -> simultaneous",
        "batch_size: 256 -> 8",
    ]
    assert config.changed_fields(old, dataclasses.replace(old, steps=5, data_dir="x")) == []


class Kind(str, enum.Enum):
    HINGE = "hinge"


@pytest.mark.parametrize(
    ("name", "value", "plain"),
    [
        ("steps", np.int64(20), 20),
        ("steps", np.uint8(20), 20),
        ("steps", np.array(20), 20),
        ("seed", np.arange(3)[2], 2),
        ("g_learning_rate", np.logspace(-4, -3, 3)[0], 1e-4),
        ("g_learning_rate", np.float32(0.5), 0.5),
        ("g_learning_rate", np.int32(1), 1.0),
        ("conditional", np.bool_(True), True),
        ("jit_compile", np.bool_(False), False),
        ("jit_compile", None, None),
        ("data_dir", Path("a/b"), "a/b"),
        ("data_dir", np.str_("a"), "a"),
        ("loss", Kind.HINGE, "hinge"),
    ],
)
def test_numbers_and_paths_of_other_python_code_become_plain(name, value, plain):
    made = getattr(Config(**{name: value}), name)
    assert (made, type(made)) == (plain, type(plain))


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("steps", np.float64(20.0)),
        ("steps", np.bool_(True)),
        ("steps", np.array([20])),
        ("steps", np.int64(0)),
        ("g_learning_rate", np.nan),
        ("g_learning_rate", np.complex64(1)),
        ("g_learning_rate", True),
        ("g_learning_rate", 10**400),
        ("conditional", np.int64(1)),
        ("data_dir", b"a"),
        ("data_dir", 3),
    ],
)
def test_what_stands_for_nothing_of_a_kind_is_refused(name, value):
    with pytest.raises(UserError, match=f"--{name}=.*: must be "):
        Config(**{name: value})


@pytest.mark.parametrize(("every", "steps"), [(5000, 3000), (13, 12)])
def test_keeping_the_best_of_nothing_is_refused_and_still_read(every, steps):
    values = {"keep_best": "fcd", "evaluate_every": every, "steps": steps}
    with pytest.raises(UserError, match=f"--evaluate_every={every} is beyond --steps={steps}"):
        presets.from_preset("tiny", values)
    assert config.from_dict(values).steps == steps  # of a run from before
    assert presets.from_preset("tiny", {**values, "steps": every}).steps == every
    assert presets.from_preset("tiny", {**values, "keep_best": "none"}).steps == steps
