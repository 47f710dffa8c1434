"""The start from another run: what is taken, what is refused, and that it is needed once."""

import dataclasses
import json
import shutil

import keras
import numpy as np
import pytest
import tensorflow as tf

from gan.data.datasets import DATASETS, Dataset, DataSource
from gan.data.digests import array_digest
from gan.errors import UserError
from gan.run.presets import from_preset
from gan.run.saved_config import read_values
from gan.sampling import posthoc_averages
from gan.training import init_from
from gan.training.checkpoints import checkpoint_manager
from gan.training.state import build_state
from gan.training.trainer import train
from support import checkpoint, on_two_devices, same, weights_of

SHAPE = (28, 28, 1)
PLAYERS = ("generator", "discriminator", "ema_generator")


TRAINED = {}


@pytest.fixture
def source(tiny_config, tmp_path, tmp_path_factory):
    """A run of 12 steps whose average is far from its generator, with checkpoints at 6 and 12."""
    if "source" not in TRAINED:
        TRAINED["source"] = tmp_path_factory.mktemp("init_from") / "source"
        train(tiny_config(ema_half_life=10**6), TRAINED["source"], quiet=True)
    return shutil.copytree(TRAINED["source"], tmp_path / "source")


def weights_at(run_dir, step, config, **kwargs):
    """Weights of each player in a checkpoint."""
    state = build_state(config, SHAPE, **kwargs)
    manager = checkpoint_manager(state, run_dir, 3)
    manager.checkpoint.restore(str(run_dir / f"checkpoints/step-{step}")).expect_partial()
    return {name: weights_of(getattr(state, name)) for name in PLAYERS}


@pytest.mark.parametrize(
    ("place", "step"), [("", 12), ("checkpoints/step-6", 6), ("checkpoints/step-12.index", 12),
                        ("checkpoints", 12)]
)  # fmt: skip
def test_networks_and_average_start_as_the_other_run_ended(place, step, source, tiny_config):
    """Optimizers and step do not; another seed and loss are another run's business."""
    config = tiny_config(init_from=str(source / place), seed=3, loss="hinge", steps=2)
    run_dir = source.parent / "new"
    train(config, run_dir, quiet=True)
    there, here = (weights_at(d, n, tiny_config()) for d, n in ((source, step), (run_dir, 0)))
    for name in PLAYERS:
        assert same(there[name], here[name]), name
    began = checkpoint(run_dir, 0)
    counters = [name for name in began if "iterations" in name or name.startswith("step/")]
    assert len(counters) == 3
    assert all(began[name] == 0 for name in counters)
    moments = [v for name, v in began.items() if "_optimizer/_variables" in name and v.shape]
    assert moments
    assert not any(v.any() for v in moments)
    origin = read_values(run_dir)["init_from"]
    arrays = [w for name in ("generator", "ema_generator", "discriminator") for w in there[name]]
    assert origin == {
        "run_dir": str(source), "step": step, "images": step * 16, "anew": [],
        "weights": array_digest(*arrays),
    }  # fmt: skip


def test_the_average_goes_on_where_it_was(source, tiny_config, tmp_path):
    """One step after 12 of batch 16: the half-life is 5 % of 208 images, by hand."""
    train(tiny_config(init_from=str(source), steps=1, ema_half_life=10**6), tmp_path / "new")
    before = weights_at(source, 12, tiny_config())
    after = weights_at(tmp_path / "new", 1, tiny_config())
    decay = 0.5 ** (16 / (0.05 * 208))
    average, weight = before["ema_generator"][0], after["generator"][0]
    expected = weight + decay * (average - weight)
    assert after["ema_generator"][0] == pytest.approx(expected, abs=1e-6)
    assert np.abs(expected - weight).max() > 5e-5  # a run that began anew has its own weights
    train(tiny_config(init_from=str(tmp_path / "new"), steps=1), tmp_path / "third", quiet=True)
    assert read_values(tmp_path / "third")["init_from"]["images"] == (12 + 1) * 16


def test_the_source_is_not_needed_again(source, tiny_config, tmp_path):
    config = tiny_config(init_from=str(source), steps=12)
    whole = train(config, tmp_path / "whole", quiet=True)
    train(dataclasses.replace(config, steps=6), tmp_path / "parts", quiet=True)
    origin = read_values(tmp_path / "parts")["init_from"]
    shutil.rmtree(source)
    parts = train(config, tmp_path / "parts", quiet=True)
    assert parts["loss/g"] == whole["loss/g"]
    a, b = (checkpoint(tmp_path / name, 12) for name in ("whole", "parts"))
    assert a.keys() == b.keys()
    assert all(np.array_equal(a[name], b[name]) for name in a)
    assert read_values(tmp_path / "parts")["init_from"] == origin
    shutil.rmtree(tmp_path / "parts/checkpoints")
    assert train(config, tmp_path / "parts", quiet=True)["status"] == "completed"


def test_a_run_that_was_killed_at_once_does_not_need_it_either(
    source, tiny_config, tmp_path, monkeypatch
):
    config = tiny_config(init_from=str(source))

    def killed(run, run_steps):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("gan.training.trainer.loop", killed)
        with pytest.raises(KeyboardInterrupt):
            train(config, tmp_path / "new", quiet=True)
    began = weights_at(source, 12, tiny_config())
    shutil.rmtree(source)
    train(dataclasses.replace(config, keep_checkpoints=9), tmp_path / "new", quiet=True)
    found = weights_at(tmp_path / "new", 0, tiny_config())
    assert same(found["generator"], began["generator"])


def test_before_its_first_checkpoint_a_run_begins_from_the_same_weights_only(
    source, tiny_config, tmp_path, monkeypatch
):
    config = tiny_config(init_from=str(source), steps=2)
    train(config, tmp_path / "new", quiet=True)
    for path in (tmp_path / "new/checkpoints").iterdir():
        if path.is_file():
            path.unlink()
    for name in ("summary.json", "generator.keras", "metrics.jsonl"):
        (tmp_path / "new" / name).unlink()
    again = shutil.copytree(tmp_path / "new", tmp_path / "again")
    train(config, again, quiet=True)
    train(tiny_config(ema_half_life=10**6, steps=18), source, quiet=True)  # it went on
    with pytest.raises(UserError, match="has other weights than when this run began, at step 12"):
        train(config, tmp_path / "new", quiet=True)
    assert not (tmp_path / "new/checkpoints/checkpoint").exists()


def test_layers_of_another_shape_start_anew_and_are_named(source, tiny_config, tmp_path, capsys):
    """Another latent size: G's first layer. All others are the other run's."""
    config = tiny_config(init_from=str(source), latent_dim=5, steps=2)
    train(config, tmp_path / "new")
    line = next(s for s in capsys.readouterr().err.splitlines() if "anew" in s)
    assert line.startswith(f"warning: --init_from={source}: layers that have another shape there ")
    assert "generator dense" in line
    assert line.endswith("(kernel [8, 32], here [5, 32])")
    there, fresh = weights_at(source, 12, tiny_config()), build_state(config, SHAPE)
    here = weights_at(tmp_path / "new", 0, config)
    for name in ("generator", "ema_generator"):
        assert same(here[name][:2], weights_of(fresh.generator)[:2]), name
        assert same(here[name][2:], there[name][2:]), name
    assert same(here["discriminator"], there["discriminator"])
    origin = read_values(tmp_path / "new")["init_from"]
    assert (origin["images"], len(origin["anew"])) == (0, 1)  # its average warms up


def test_the_average_stays_where_only_layers_of_d_start_anew(source, tiny_config, tmp_path):
    train(tiny_config(init_from=str(source), pack=2, steps=2), tmp_path / "new", quiet=True)
    origin = read_values(tmp_path / "new")["init_from"]
    assert [layer.split()[0] for layer in origin["anew"]] == ["discriminator"]
    assert origin["images"] == 12 * 16


@pytest.fixture
def classes(monkeypatch):
    """Sets how many classes the data set "synthetic" has."""

    def set_classes(count):
        images = np.random.default_rng(0).integers(0, 256, (96, *SHAPE), np.uint8)
        data = Dataset(images, np.arange(96) % count)
        monkeypatch.setitem(DATASETS, "synthetic", DataSource(lambda *_: data))

    return set_classes


def test_conditional_runs_with_other_classes(classes, tiny_config, tmp_path, capsys):
    classes(3)
    config = tiny_config(conditional=True, steps=2, precision="mixed_float16")
    train(config, tmp_path / "source", quiet=True)
    classes(4)
    train(dataclasses.replace(config, init_from=str(tmp_path / "source")), tmp_path / "new")
    line = next(s for s in capsys.readouterr().err.splitlines() if "anew" in s)
    for part in ("generator embedding", "(embeddings [3, 8], here [4, 8])", "discriminator emb"):
        assert part in line
    there = weights_at(tmp_path / "source", 2, config, classes=3)
    here = weights_at(tmp_path / "new", 0, config, classes=4)
    for name in PLAYERS:
        alike = [np.array_equal(a, b) for a, b in zip(here[name], there[name], strict=True)]
        assert alike.count(False) == 1, name


def test_own_networks_start_from_runs_and_runs_from_own_networks(tiny_config, tmp_path):
    def networks(latent_dim=8):
        return {
            "generator": keras.Sequential([
                keras.Input((latent_dim,)), keras.layers.Dense(784, activation="tanh"),
                keras.layers.Reshape(SHAPE),
            ]),
            "discriminator": keras.Sequential([
                keras.Input(SHAPE), keras.layers.Flatten(), keras.layers.Dense(1),
            ]),
        }  # fmt: skip

    first = networks()
    train(tiny_config(), tmp_path / "source", **first, quiet=True)
    trained = {name: weights_of(network) for name, network in first.items()}
    config = tiny_config(init_from=str(tmp_path / "source"), steps=2)
    train(config, tmp_path / "new", **networks(), quiet=True)
    began = weights_at(tmp_path / "new", 0, tiny_config(), **networks())
    for name, weights in trained.items():
        assert same(began[name], weights), name
    with pytest.raises(UserError, match=r"source: no layer of its generator has the shape of one"):
        train(dataclasses.replace(config, latent_dim=5), tmp_path / "other", **networks(5))
    (tmp_path / "source/discriminator.keras").unlink()
    with pytest.raises(UserError, match="Python code gave its discriminator, and it has no discri"):
        train(config, tmp_path / "other", **networks(), quiet=True)
    assert not (tmp_path / "other").exists()


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"generator": "dcgan_tiny"},
         "its generator has other layers (generator=tiny, here dcgan_tiny), must have the same"),
        ({"g_norm": "none"}, "its generator has other layers (g_norm=default, here none), must ha"),
        ({"d_norm": "spectral"}, "its discriminator has other layers (d_norm=default, here spectr"),
        ({"auxiliary": "infogan", "categories": 2},
         "its generator has other layers (auxiliary=none, here infogan; categories=10, here 2)"),
    ],
)  # fmt: skip
def test_other_layers_are_refused(changes, reason, source, tiny_config, tmp_path):
    with pytest.raises(UserError) as error:
        train(tiny_config(init_from=str(source), **changes), tmp_path / "new", quiet=True)
    assert str(error.value).startswith(f"--init_from={source}: {reason}")
    assert not (tmp_path / "new").exists()


def test_the_same_weights_in_another_function_are_refused(tmp_path):
    """A category is no layer with weights."""
    toy = {"generator": "toy", "discriminator": "toy", "steps": 2, "jit_compile": False,
           "steps_per_call": 2, "latent_dim": 66, "precision": "float32"}  # fmt: skip
    train(from_preset("ring", toy), tmp_path / "source", quiet=True)
    changes = {**toy, "generator": "toy_categorical", "init_from": str(tmp_path / "source")}
    with pytest.raises(UserError, match=r"other layers \(generator=toy, here toy_categorical\)"):
        train(from_preset("ring", changes), tmp_path / "new", quiet=True)
    assert not (tmp_path / "new").exists()


def damaged_checkpoints(source):
    for path in (source / "checkpoints").glob("*.data*"):
        path.write_bytes(path.read_bytes()[:100])


DAMAGE = {
    "gone": (shutil.rmtree, "is not a run, it has no config.json"),
    "no checkpoint": (lambda s: shutil.rmtree(s / "checkpoints"), "has no checkpoint yet"),
    "torn checkpoints": (damaged_checkpoints, "{0}/checkpoints/step-12: cannot be restored into"),
    "torn config": (
        lambda s: (s / "config.json").write_text("{"),
        "{0}/config.json: is not a configuration, must be JSON",
    ),
    "another program's config": (
        lambda s: (s / "config.json").write_text('{"model": 1}'),
        "{0}/config.json: is not a configuration, must be an object",
    ),
    "a wrong origin": (
        lambda s: (s / "config.json").write_text(
            json.dumps({**read_values(s), "init_from": {"images": "many"}})
        ),
        '{0}/config.json: is not a configuration, "init_from" must be as training writes it',
    ),
}


@pytest.mark.parametrize("name", DAMAGE)
def test_what_cannot_be_started_from_is_refused_in_a_line(name, source, tiny_config, tmp_path):
    damage, reason = DAMAGE[name]
    damage(source)
    with pytest.raises(UserError) as error:
        train(tiny_config(init_from=str(source)), tmp_path / "new", quiet=True)
    assert str(error.value).startswith(f"--init_from={source}: {reason.format(source)}")
    assert "\n" not in str(error.value)
    assert not (tmp_path / "new").exists()


def test_a_checkpoint_that_is_not_there_is_refused(source):
    best = source / "checkpoints/best"
    for place, reason in (
        ("checkpoints/step-7", "--checkpoint=7: must be one of latest, 6, 12"),
        ("checkpoints/best", "--checkpoint=best: must be one of latest, 6, 12"),
        ("samples", "is not a run, it has no config.json"),
        ("generator.keras", "is not a run, it has no config.json"),
    ):
        with pytest.raises(UserError) as error:
            init_from.find_source(source / place)
        text = str(error.value)
        assert text.startswith(f"--init_from={source / place}: ")
        assert reason in text
    best.mkdir()
    for path in (source / "checkpoints").glob("step-12.*"):
        shutil.copy(path, best)
    assert init_from.find_source(best / "step-12").checkpoint == "best"
    with pytest.raises(UserError, match=f"^--init_from={best}/step-6: must be {best}/step-12$"):
        init_from.find_source(best / "step-6")


def test_two_devices_start_from_what_one_saved(source, tiny_config, tmp_path):
    """And keep their averages: after the first step they are the generator, on both."""
    flags = (
        f"--init_from={source}", f"--run_dir={tmp_path / 'new'}", "--preset=tiny", "--latent_dim=8",
        "--strategy=mirrored", "--nojit_compile", "--precision=float32", "--steps=2",
        "--batch_size=16", "--checkpoint_every=1", "--evaluate_every=0", "--posthoc_averages",
    )  # fmt: skip
    done = on_two_devices("train", *flags)
    assert done.returncode == 0, done.stderr
    assert "2 replicas" in done.stderr
    there, here = (
        weights_at(d, n, tiny_config()) for d, n in ((source, 12), (tmp_path / "new", 0))
    )
    for name in PLAYERS:
        assert same(there[name], here[name]), name
    generator = build_state(tiny_config(), SHAPE).generator
    checkpoint_reader = tf.train.Checkpoint(generator=generator)
    checkpoint_reader.restore(str(tmp_path / "new/checkpoints/step-1")).expect_partial()
    with np.load(tmp_path / "new/averages/step_00000001.npz") as file:
        for number in range(2):
            for place, variable in enumerate(generator.trainable_variables):
                kept = file[posthoc_averages.name_of(number, place)]
                assert kept == pytest.approx(variable.numpy(), abs=1e-6)


def test_the_run_itself_and_another_origin_are_refused(source, tiny_config):
    for own in (source, source.parent / "else"):
        config = tiny_config(ema_half_life=10**6, init_from=str(own), steps=20)
        with pytest.raises(
            UserError, match=r"holds a run of another configuration \(init_from:  ->"
        ):
            train(config, source, quiet=True)


@pytest.mark.parametrize(
    "change",
    [{"activation": "tanh"}, {"between": keras.layers.LeakyReLU(0.3)}, {"negative_slope": 0.4}],
)
def test_the_same_weights_with_another_activation_are_refused(change, tiny_config, tmp_path):
    def generator(activation="relu", between=None, negative_slope=0.2):
        steps = [
            keras.Input([8]),
            keras.layers.Dense(16, activation),
            keras.layers.LeakyReLU(negative_slope),
            *([between] if between else []),
            keras.layers.Dense(784, "tanh"),
            keras.layers.Reshape([28, 28, 1]),
        ]
        return keras.Sequential(steps)

    config = tiny_config(steps=2, latent_dim=8)
    train(config, tmp_path / "a", generator=generator(), quiet=True)
    started = dataclasses.replace(config, init_from=str(tmp_path / "a"))
    with pytest.raises(UserError, match="its generator has other layers"):
        train(started, tmp_path / "b", generator=generator(**change), quiet=True)
    assert not (tmp_path / "b").exists()
    train(started, tmp_path / "c", generator=generator(), quiet=True)


@pytest.mark.parametrize(
    "change",
    [
        {"strides": 1}, {"padding": "valid"}, {"pool_size": 3}, {"scale": 2.0},
        {"dilation_rate": 2, "strides": 1}, {"epsilon": 0.1},
    ],
)  # fmt: skip
def test_the_same_weights_in_another_place_are_refused(change, tiny_config, tmp_path):
    def discriminator(
        strides=2, padding="same", pool_size=2, scale=1.0, dilation_rate=1, epsilon=1e-3
    ):
        steps = [
            keras.Input([28, 28, 1]),
            keras.layers.Rescaling(scale),
            keras.layers.Conv2D(4, 3, strides, padding, dilation_rate=dilation_rate),
            keras.layers.LayerNormalization(epsilon=epsilon),
            keras.layers.AveragePooling2D(pool_size),
            keras.layers.GlobalAveragePooling2D(),
            keras.layers.Dense(1),
        ]
        return keras.Sequential(steps)

    usual = {"strides": 1} if "dilation_rate" in change else {}
    config = tiny_config(steps=2, latent_dim=8)
    train(config, tmp_path / "a", discriminator=discriminator(**usual), quiet=True)
    started = dataclasses.replace(config, init_from=str(tmp_path / "a"))
    with pytest.raises(UserError, match="its discriminator has other layers"):
        train(started, tmp_path / "b", discriminator=discriminator(**change), quiet=True)
    assert not (tmp_path / "b").exists()


def test_codes_of_other_sizes_are_another_generator(tiny_config, tmp_path):
    """Of the same weights: rows of its first kernel would get other entries of the latents."""
    codes = {"auxiliary": "infogan", "latent_dim": 16, "steps": 2}
    train(tiny_config(**codes, categories=4), tmp_path / "a", quiet=True)
    config = tiny_config(**codes, categories=3, init_from=str(tmp_path / "a"))
    with pytest.raises(UserError, match=r"its generator has other layers \(categories=4, here 3\)"):
        train(config, tmp_path / "b", quiet=True)
    assert not (tmp_path / "b").exists()
