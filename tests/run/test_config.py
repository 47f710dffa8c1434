import dataclasses
import enum
from pathlib import Path

import numpy as np
import pytest

from gan.errors import UserError
from gan.run import config, presets
from gan.run.config import Config, from_dict
from gan.run.paths import user_path
from gan.training.checks import check_rows

# Spelled out once more: a default that changes by mistake changes all runs, and says so nowhere.
DEFAULTS = {
    "dataset": "mnist", "data_dir": "", "image_size": 32, "image_channels": 3,
    "background": "white", "skip_bad_images": False, "test_share": 0.1, "data_cache": "",
    "generator": "mlp", "discriminator": "mlp", "g_norm": "default",
    "d_norm": "default", "halvings": 0, "conditional": False, "latent_dim": 100,
    "loss": "non_saturating", "auxiliary": "none", "auxiliary_weight": 1.0, "categories": 10,
    "continuous_codes": 2, "labelled_images": "all",
    "real_label": 1.0, "fake_label": 0.0, "penalty": "none", "penalty_weight": 10.0,
    "penalty_decay": 1.0, "penalty_decay_steps": 0, "schedule": "alternating", "d_steps": 1,
    "d_warmup_steps": 0, "batch_size": 256, "steps": 30_000, "augment": "none", "flip": False,
    "pack": 1, "train_images": 0, "augment_probability": 1.0, "ada_target": 0.0,
    "optimizer": "adam",
    "d_weight_clip": 0.0, "d_learning_rate_decay": "constant", "g_learning_rate_decay": "constant",
    "learning_rate_decay_steps": 30_000, "d_learning_rate": 2e-4, "g_learning_rate": 2e-4,
    "beta_1": 0.5, "beta_2": 0.999, "ema_half_life": 200_000, "seed": 0, "precision": "auto",
    "init_from": "", "posthoc_averages": False,
    "jit_compile": None, "deterministic": False, "strategy": "auto", "sync_batch_norm": False,
    "steps_per_call": 50,
    "log_every": 100, "sample_every": 200, "checkpoint_every": 1000, "keep_checkpoints": 3,
    "evaluate_every": 5000, "keep_best": "none", "on_collapse": "warn", "on_nan": "stop",
    "sample_weights": "ema",
}  # fmt: skip
RESUMABLE = {
    "data_dir", "data_cache", "steps", "strategy", "steps_per_call", "log_every", "sample_every",
    "checkpoint_every", "keep_checkpoints", "evaluate_every", "keep_best", "on_collapse", "on_nan",
    "sample_weights",
}  # fmt: skip

# Another valid value of each field, with what it needs.
OTHERS = {
    "dataset": "fashion_mnist", "data_dir": "elsewhere", "image_size": 64, "image_channels": 1,
    "background": "black", "skip_bad_images": True, "test_share": 0.2, "data_cache": "kept",
    "generator": "dcgan", "discriminator": "dcgan", "g_norm": "none",
    "d_norm": "batch", "halvings": 3, "conditional": True, "latent_dim": 99, "loss": "minimax",
    "auxiliary": "infogan", "auxiliary_weight": 0.5, "categories": 5, "continuous_codes": 3,
    "labelled_images": "100",
    "real_label": 0.9, "fake_label": 0.1, "penalty": "r1", "penalty_weight": 9.0,
    "penalty_decay": 0.5, "penalty_decay_steps": 10, "schedule": "simultaneous", "d_steps": 2,
    "d_warmup_steps": 1, "batch_size": 255, "steps": 29_999, "augment": "translation",
    "flip": True, "pack": 2, "train_images": 100, "augment_probability": 0.5, "ada_target": 0.6,
    "optimizer": "rmsprop",
    "d_weight_clip": 0.01, "d_learning_rate_decay": "cosine", "g_learning_rate_decay": "linear",
    "learning_rate_decay_steps": 29_999, "d_learning_rate": 1e-4, "g_learning_rate": 1e-4,
    "beta_1": 0.4, "beta_2": 0.99, "ema_half_life": 0, "seed": 1, "precision": "float32",
    "init_from": "runs/other", "posthoc_averages": True,
    "jit_compile": False, "deterministic": True, "strategy": "none", "sync_batch_norm": True,
    "steps_per_call": 49,
    "log_every": 99, "sample_every": 199, "checkpoint_every": 999, "keep_checkpoints": 2,
    "evaluate_every": 0, "keep_best": "fcd", "on_collapse": "stop", "on_nan": "rollback",
    "sample_weights": "raw",
}  # fmt: skip
BASES = {
    "image_size": {"dataset": "image_folder:here"}, "penalty_decay": {"penalty_decay_steps": 5},
    "image_channels": {"dataset": "image_folder:here"},
    "skip_bad_images": {"dataset": "image_folder:here"},
    "background": {"dataset": "image_folder:here"},
    "test_share": {"dataset": "image_folder:here"},
    "auxiliary_weight": {"auxiliary": "infogan"}, "categories": {"auxiliary": "infogan"},
    "continuous_codes": {"auxiliary": "infogan"}, "labelled_images": {"auxiliary": "sgan"},
    "augment_probability": {"augment": "translation"}, "ada_target": {"augment": "translation"},
}  # fmt: skip


def test_defaults_are_those_that_are_written_here():
    assert dataclasses.asdict(Config()) == DEFAULTS


@pytest.mark.parametrize("name", DEFAULTS)
def test_only_resumable_fields_may_change(name):
    old = dataclasses.replace(Config(), **BASES.get(name, {}))
    new = dataclasses.replace(old, **{name: OTHERS[name]})
    assert OTHERS[name] != getattr(old, name)
    line = f"{name}: {getattr(old, name)} -> {OTHERS[name]}"
    assert config.changed_fields(old, new) == ([] if name in RESUMABLE else [line])


def test_all_changes_are_listed():
    new = dataclasses.replace(Config(), steps=5, batch_size=8, schedule="simultaneous")
    assert config.changed_fields(Config(), new) == [
        "schedule: alternating -> simultaneous",
        "batch_size: 256 -> 8",
    ]


@pytest.mark.parametrize("name", presets.PRESETS)
def test_presets_are_valid_and_change_only_what_they_list(name):
    side = presets.PRESETS[name].get("image_size")
    changes = {"dataset": "image_folder:here"} if side else {}
    made = dataclasses.asdict(presets.from_preset(name, changes))
    assert made == {**dataclasses.asdict(Config()), **presets.PRESETS[name], **changes}


def test_the_side_of_a_preset_is_for_folders():
    folder = {"dataset": "image_folder:here"}
    assert presets.from_preset("images64", folder).image_size == 64
    assert presets.from_preset("images64", {**folder, "image_size": 96}).image_size == 96
    assert presets.from_preset("images64").dataset == "mnist"
    with pytest.raises(UserError, match="image_size=96: is for --dataset=image_folder:PATH only"):
        presets.from_preset("images64", {"image_size": 96})


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


@pytest.mark.parametrize(("warm_up", "steps"), [(12, 12), (5000, 3000)])
def test_a_generator_that_never_learns_is_refused_and_still_read(warm_up, steps):
    values = {"d_warmup_steps": warm_up, "steps": steps}
    with pytest.raises(UserError, match=f"--d_warmup_steps={warm_up}: G would never learn, must "):
        presets.from_preset("tiny", values)
    assert config.from_dict(values).steps == steps
    assert presets.from_preset("tiny", {**values, "steps": warm_up + 1}).steps == warm_up + 1


@pytest.mark.parametrize("text", ["a\0b", "caf\udce9"])
def test_text_that_no_file_or_path_can_hold_is_refused(text):
    for name in ("data_dir", "dataset", "init_from", "data_cache"):
        with pytest.raises(UserError, match=r"must be UTF-8, without characters 0$"):
            from_dict({name: text})
    with pytest.raises(UserError, match=r"^run_dir=.*has a character 0, which no path has$"):
        user_path("a\0b", "run_dir")


@pytest.mark.parametrize(
    ("flag", "given", "meant"),
    [("preset", "tinny", "tiny"), ("dataset", "minst", "mnist"), ("loss", "hing", "hinge"),
     ("schedule", "simultanous", "simultaneous"), ("penalty", "qqq", "")],
)  # fmt: skip
def test_what_may_be_meant_is_asked(flag, given, meant):
    with pytest.raises(UserError) as error:
        presets.from_preset(given) if flag == "preset" else check_rows(Config(**{flag: given}))
    assert str(error.value).startswith(f"--{flag}={given}: must be one of ")
    assert str(error.value).partition("; did you mean ")[2].rstrip("?") == meant
