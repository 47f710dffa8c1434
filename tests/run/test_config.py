import dataclasses

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
