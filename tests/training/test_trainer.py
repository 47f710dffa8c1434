import dataclasses
import itertools
import json
import logging
import os
import re
import threading
import types

import keras
import numpy as np
import pytest
import tensorflow as tf
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tensorboard.plugins.hparams import plugin_data_pb2

from gan.algorithm.augment import AUGMENTATIONS
from gan.algorithm.losses import LOSSES
from gan.algorithm.step import STEP_METRICS
from gan.data import datasets
from gan.data.images import image_grid
from gan.errors import TrainingFailed, UserError
from gan.models.registry import DISCRIMINATORS, Network
from gan.run import jsonl, saved_config
from gan.run.scalars import SCALARS
from gan.training import builders, collapse, console, devices, loop, metrics_log, trainer
from gan.training.builders import build_objective
from gan.training.checkpoints import checkpoint_manager, restore, save
from gan.training.state import build_state
from gan.training.trainer import train
from support import differ_everywhere, run_module, same, train_whole_and_resumed, weights_of

CONTRACT = {
    "config.json", "metrics.jsonl", "samples/reals.png", "samples/step_00000000.png",
    "checkpoints/checkpoint", "generator.keras", "discriminator.keras", "losses.png",
    "summary.json", "log.txt",
}  # fmt: skip


def files(directory):
    return {str(p.relative_to(directory)) for p in directory.rglob("*") if p.is_file()}


def snapshot(directory):
    return {p: p.read_bytes() for p in directory.rglob("*") if p.is_file()}


def events(run_dir):
    accumulator = EventAccumulator(str(run_dir / "tensorboard"), {"tensors": 0})
    accumulator.Reload()
    return accumulator


def test_a_run_directory_holds_what_the_contract_says(tiny_config, tmp_path, capsys):
    summary = train(tiny_config(steps=14), tmp_path / "run")
    found = files(tmp_path / "run")
    assert found > CONTRACT
    assert {f"samples/step_{n:08d}.png" for n in (6, 12, 14)} < found
    assert {f"checkpoints/step-{n}.index" for n in (6, 12, 14)} < found
    assert not [name for name in found if ".tmp" in name]
    assert json.loads((tmp_path / "run/summary.json").read_text()) == summary
    assert (summary["status"], summary["step"], summary["traces"]) == ("completed", 14, 1)
    assert summary["kimg"] == pytest.approx(14 * 16 / 1000)
    tasks = {"data", "networks", "pictures", "pipeline", "first call", "steps", "records",
             "checkpoints", "averages"}  # fmt: skip
    assert set(summary["seconds_by_task"]) == tasks
    outside = ("data", "networks")  # before the loop starts
    inside = [t for name, t in summary["seconds_by_task"].items() if name not in outside]
    assert min(inside) > 0
    config = json.loads((tmp_path / "run/config.json").read_text())
    assert config["config"]["batch_size"] == 16
    assert config["environment"]["tensorflow"] == tf.__version__
    records = jsonl.read_records(tmp_path / "run/metrics.jsonl")
    assert [r["step"] for r in records] == [4, 8, 12, 14]
    lines = [line for line in capsys.readouterr().err.splitlines() if "[D loss" in line]
    assert lines[0].startswith(
        f"4 [D loss: {records[0]['loss/d']:.6f}, acc.: "
        f"{50 * (records[0]['accuracy/real'] + records[0]['accuracy/fake']):.2f}%] "
        f"[G loss: {records[0]['loss/g']:.6f}]"
    )
    assert len(lines) == 4
    rate = records[0]["time/steps_per_second"]
    assert lines[0].endswith(f"] {rate:.3g} steps/s, {10 / rate:.0f} s left")


def test_the_log_has_every_line_with_its_time(tiny_config, tmp_path, capsys):
    """Also of a run that is quiet, and of what follows; the last lines say what may be next."""
    run_dir = tmp_path / "my run"
    train(tiny_config(steps=4), run_dir)
    said = capsys.readouterr()
    result = said.out.splitlines()
    printed = said.err.splitlines() + result
    assert result[0].startswith(f"{run_dir}: completed at step 4 after ")
    assert result[1].startswith("time went to: ")
    assert len(result) == 3
    # Nothing can be evaluated: the data have no test images.
    after = (f"tapegan {command} '{run_dir}'" for command in ("sample", "report"))
    assert printed[-1] == f"next: {', '.join(after)}"
    lines = (run_dir / "log.txt").read_text().splitlines()
    assert [line[20:] for line in lines] == printed
    assert all(re.fullmatch(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d ", line[:20]) for line in lines)
    train(tiny_config(steps=8), run_dir, quiet=True)
    assert capsys.readouterr() == ("", "")
    longer = (run_dir / "log.txt").read_text().splitlines()
    assert longer[: len(lines)] == lines
    assert f"{run_dir}: alternating schedule on synthetic, steps 4 to 8" in longer[len(lines)]


def test_the_log_is_not_written_through_a_link(tiny_config, tmp_path):
    """It may lead to a file of the user's, in a run that somebody else sent."""
    train(tiny_config(steps=4), tmp_path / "run", quiet=True)
    mine = tmp_path / "mine"
    mine.write_text("mine")
    (tmp_path / "run/log.txt").unlink()
    (tmp_path / "run/log.txt").symlink_to(mine)
    train(tiny_config(steps=8), tmp_path / "run", quiet=True)
    assert mine.read_text() == "mine"


def test_tensorboard_has_the_numbers_of_metrics_jsonl(trained_once, tiny_config, tmp_path):
    trained_once(tiny_config(), tmp_path)
    records, board = jsonl.read_records(tmp_path / "metrics.jsonl"), events(tmp_path)
    names = records[0].keys() - {"step", "kimg", "seconds"}
    more = {"weights/d_norm", "weights/g_norm", "time/steps_per_second", "memory/peak_mb"}
    assert names == {*STEP_METRICS, *more, "collapse/signs"}
    for name in names:
        words = board.SummaryMetadata(name).summary_description
        assert words == SCALARS[name]
        got = [(e.step, tf.make_ndarray(e.tensor_proto).item()) for e in board.Tensors(name)]
        assert got == [(r["step"], r[name]) for r in records]
    about = board.SummaryMetadata("_hparams_/session_start_info").plugin_data.content
    trial = plugin_data_pb2.HParamsPluginData.FromString(about).session_start_info
    assert (trial.group_name, trial.hparams["batch_size"].number_value) == ("", 16)
    (config,) = board.Tensors("config")
    assert b"| batch_size | 16 |" in tf.make_ndarray(config.tensor_proto).item()
    images = {e.step: tf.make_ndarray(e.tensor_proto)[2] for e in board.Tensors("samples")}
    assert sorted(images) == [0, 6, 12]
    for step, png in images.items():
        file = (tmp_path / f"samples/step_{step:08d}.png").read_bytes()
        assert np.array_equal(tf.io.decode_png(png), tf.io.decode_png(file))
    assert len(board.Tensors("reals")) == 1


def trained_in(run_dir, config):
    """All variables that a run trained, from its newest checkpoint."""
    state = build_state(config, (28, 28, 1))
    assert restore(state, checkpoint_manager(state, run_dir, 3)) == config.steps
    return [value for part in state[:5] for value in weights_of(part)]


def test_cadences_change_nothing_and_cost_no_trace(tiny_config, tmp_path):
    names = ("steps_per_call", "log_every", "sample_every", "checkpoint_every")
    found = []
    for cadences in ((4, 4, 6, 6), (50, 1, 3, 7), (5, 100, 2, 100), (1, 1, 1, 1)):
        run_dir = tmp_path / "-".join(map(str, cadences))
        config = tiny_config(steps=13, **dict(zip(names, cadences, strict=True)))
        summary = train(config, run_dir)
        assert (summary["traces"], summary["step"]) == (1, 13)
        found.append(([summary[name] for name in STEP_METRICS], trained_in(run_dir, config)))
    for metrics, weights in found[1:]:
        assert metrics == found[0][0]
        assert same(weights, found[0][1])


@pytest.mark.parametrize("precision", ["float32", "mixed_bfloat16", "mixed_float16"])
def test_every_precision_trains_and_resumes_exactly(precision, tiny_config, tmp_path):
    once = tiny_config(precision=precision, steps=12)
    train_whole_and_resumed(once, tmp_path)
    states = []
    for run in ("once", "twice"):
        state = build_state(once, (28, 28, 1))
        manager = checkpoint_manager(state, tmp_path / run, 3)
        assert restore(state, manager) == 12
        states.append(state)
    fresh = build_state(once, (28, 28, 1))
    for i in range(3):
        assert same(weights_of(states[0][i]), weights_of(states[1][i]))
        assert differ_everywhere(weights_of(states[0][i]), weights_of(fresh[i]))
    for i in (3, 4):  # slots, iterations and loss scale
        network = states[0].generator if i == 3 else states[0].discriminator
        assert len(states[0][i].variables) >= 2 + 2 * len(network.trainable_variables)
        assert same(weights_of(states[0][i]), weights_of(states[1][i]))
    one, two = (jsonl.read_records(tmp_path / run / "metrics.jsonl") for run in ("once", "twice"))
    for a, b in zip(one, two, strict=True):
        assert [a[name] for name in STEP_METRICS] == [b[name] for name in STEP_METRICS]
    for name in ("samples/step_00000012.png", "samples/reals.png"):
        assert (tmp_path / "once" / name).read_bytes() == (tmp_path / "twice" / name).read_bytes()


@pytest.mark.parametrize(
    ("optimizer", "precision", "jit"),
    [
        ("rmsprop", "mixed_float16", True),
        ("sgd", "mixed_float16", False),
    ],
)
def test_every_optimizer_trains_and_resumes_exactly(
    optimizer, precision, jit, tiny_config, tmp_path
):
    """Adam is in the tests of precisions. Without its state a resumed RMSprop would start again."""
    settings = {"optimizer": optimizer, "precision": precision, "jit_compile": jit, "log_every": 1}
    once = tiny_config(**settings, steps=4)
    whole, parts = train_whole_and_resumed(once, tmp_path)
    assert [whole[name] for name in STEP_METRICS] == [parts[name] for name in STEP_METRICS]
    assert same(trained_in(tmp_path / "once", once), trained_in(tmp_path / "twice", once))
    state = build_state(once, (28, 28, 1))
    trained = trained_in(tmp_path / "once", once)[: len(state.generator.variables)]
    assert differ_everywhere(trained, weights_of(state.generator))


def test_a_run_goes_on_with_the_optimizer_it_began_with(tiny_config, tmp_path):
    """That of a run from before there was a choice is Adam."""
    train(tiny_config(steps=2), tmp_path / "run", quiet=True)
    path = tmp_path / "run/config.json"
    values = json.loads(path.read_text())
    del values["config"]["optimizer"]
    path.write_text(json.dumps(values))
    with pytest.raises(UserError, match="optimizer: adam -> rmsprop"):
        train(tiny_config(steps=4, optimizer="rmsprop"), tmp_path / "run", quiet=True)
    assert train(tiny_config(steps=4), tmp_path / "run", quiet=True)["step"] == 4


@pytest.mark.parametrize(
    ("loss", "schedule"),
    [
        *zip(LOSSES, itertools.cycle(["alternating", "simultaneous"]), strict=False),
        ("relativistic", "simultaneous"),  # its alternating row is above
    ],
)
def test_every_loss_trains(loss, schedule, tiny_config, tmp_path):
    """No schedule knows what a loss is, so one of them is enough; the first that pairs has both."""
    config = tiny_config(steps=2, steps_per_call=1, log_every=1, loss=loss, schedule=schedule)
    summary = train(config, tmp_path, quiet=True)
    assert (summary["status"], summary["step"]) == ("completed", 2)
    assert summary["grads/g_norm"] > 0


@pytest.mark.parametrize(
    ("penalty", "jit"),
    [("wgan_gp", False), ("r1_r2", False), ("dragan", True)],
)
def test_penalties_train_and_resume_exactly(penalty, jit, tiny_config, tmp_path):
    """R1 and R2 are the halves of R1 + R2; the other two draw random points, one under XLA."""
    settings = {"penalty": penalty, "jit_compile": jit, "log_every": 1, "loss": "wasserstein"}
    whole, parts = train_whole_and_resumed(tiny_config(**settings, steps=4), tmp_path)
    assert whole["loss/penalty"] > 0
    assert [whole[name] for name in STEP_METRICS] == [parts[name] for name in STEP_METRICS]


def test_augmentations_resume_exactly(tiny_config, tmp_path):
    """The policy that has all of them."""
    longest = max(AUGMENTATIONS, key=lambda name: len(AUGMENTATIONS[name]))
    assert set(AUGMENTATIONS[longest]) == set().union(*AUGMENTATIONS.values())
    config = tiny_config(augment=longest, steps=4, log_every=1)
    whole, parts = train_whole_and_resumed(config, tmp_path)
    assert [whole[name] for name in STEP_METRICS] == [parts[name] for name in STEP_METRICS]


def test_flips_are_the_same_after_a_resume_and_in_other_calls(tiny_config, tmp_path):
    settings = {"flip": True, "log_every": 1}
    whole = train(tiny_config(**settings, steps=4), tmp_path / "once", quiet=True)
    train(tiny_config(**settings, steps=2), tmp_path / "twice", quiet=True)
    other = {**settings, "steps": 4, "steps_per_call": 1}
    parts = train(tiny_config(**other), tmp_path / "twice", quiet=True)
    assert [whole[name] for name in STEP_METRICS] == [parts[name] for name in STEP_METRICS]


def test_points_have_no_mirror_images(tiny_config, tmp_path):
    data = datasets.load_dataset("gaussian_ring", "", print)
    config = tiny_config(dataset="mine", generator="toy_tiny", discriminator="toy_tiny", flip=True)
    with pytest.raises(UserError, match=r"^--flip=True: is for images, valid is false$"):
        train(config, tmp_path / "run", data=data)
    assert not (tmp_path / "run").exists()


def test_augmentation_does_the_same_under_xla(tiny_config, tmp_path):
    """Without brightness: XLA has other uniform floats for the same key."""
    settings = {"augment": "translation_cutout", "steps": 1, "steps_per_call": 1, "log_every": 1}
    plain, compiled = (
        train(tiny_config(**settings, jit_compile=jit), tmp_path / str(jit), quiet=True)
        for jit in (False, True)
    )
    for name in STEP_METRICS:
        assert compiled[name] == pytest.approx(plain[name], rel=1e-3, abs=1e-5), name


def test_a_penalty_refuses_batch_norm_in_the_discriminator(tiny_config, tmp_path):
    inner = keras.Sequential(
        [keras.layers.Dense(4), keras.layers.BatchNormalization(), keras.layers.Dense(1)]
    )
    outer = keras.Sequential([keras.Input((28, 28, 1)), keras.layers.Flatten(), inner])
    with pytest.raises(UserError, match="penalty=r1: needs a discriminator without BatchNorm"):
        train(tiny_config(penalty="r1"), tmp_path / "run", discriminator=outer)
    assert not (tmp_path / "run").exists()


def test_labels_reach_the_discriminator_and_are_refused_where_there_are_none(
    tiny_config, tmp_path, monkeypatch
):
    config = tiny_config(real_label=0.9, fake_label=0.2)
    zeros = tf.zeros([1, 1])
    losses = build_objective(config).loss
    with tf.GradientTape() as tape:
        tape.watch(zeros)
        loss = losses.discriminator(zeros, zeros)
    assert tape.gradient(loss, zeros).numpy().item() == pytest.approx(0.5 - 0.9 + 0.5 - 0.2)
    monkeypatch.setitem(LOSSES, "mine", LOSSES["hinge"])
    with pytest.raises(
        UserError,
        match="the losses non_saturating, minimax, least_squares, boundary_seeking have labels",
    ):
        train(dataclasses.replace(config, loss="mine"), tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_a_run_goes_on_with_the_precision_it_began_with(tiny_config, tmp_path, monkeypatch):
    """Also on a machine that would choose another one."""
    for capability, steps in ((None, 3), ((8, 0), 6)):
        monkeypatch.setattr(devices, "compute_capability", lambda found=capability: found)
        config = tiny_config(steps=steps, precision="auto", jit_compile=None)
        summary = train(config, tmp_path / "run", run_eagerly=True, quiet=True)
        assert summary["step"] == steps
        chosen = saved_config.read_config(tmp_path / "run")
        assert (chosen.precision, chosen.jit_compile) == ("float32", True)
    train(config, tmp_path / "new", run_eagerly=True, quiet=True)
    assert saved_config.read_config(tmp_path / "new").precision == "mixed_bfloat16"
    with pytest.raises(UserError, match="precision: float32 -> mixed_bfloat16"):
        train(dataclasses.replace(config, precision="mixed_bfloat16"), tmp_path / "run")


def test_a_complete_run_says_so_and_is_left_alone(trained_once, tiny_config, tmp_path, capsys):
    summary = trained_once(tiny_config(), tmp_path)
    before = snapshot(tmp_path)
    assert train(tiny_config(), tmp_path) == summary
    assert train(tiny_config(steps=5), tmp_path) == summary
    assert "is complete: it has done 12 steps" in capsys.readouterr().out
    assert snapshot(tmp_path) == before


def test_a_run_killed_before_its_summary_is_finished(trained_once, tiny_config, tmp_path):
    trained_once(tiny_config(), tmp_path)
    for name in ("summary.json", "generator.keras"):
        (tmp_path / name).unlink()
    summary = train(tiny_config(), tmp_path)
    assert (summary["status"], summary["step"]) == ("completed", 12)
    assert summary["loss/d"] > 0
    assert files(tmp_path) > CONTRACT


def test_a_longer_run_killed_before_its_summary_is_finished(trained_once, tiny_config, tmp_path):
    trained_once(tiny_config(), tmp_path)
    files_of_the_end = ("summary.json", "generator.keras")
    old = {name: (tmp_path / name).read_bytes() for name in files_of_the_end}
    train(tiny_config(steps=20), tmp_path)
    for name, content in old.items():
        (tmp_path / name).write_bytes(content)
    assert train(tiny_config(steps=20), tmp_path)["step"] == 20
    assert all((tmp_path / name).read_bytes() != content for name, content in old.items())


def test_a_broken_summary_is_written_again(trained_once, tiny_config, tmp_path):
    trained_once(tiny_config(), tmp_path)
    for content in ("", "{}", "[]", '{"status": "completed"}'):
        (tmp_path / "summary.json").write_text(content)
        assert train(tiny_config(), tmp_path)["step"] == 12
        assert json.loads((tmp_path / "summary.json").read_text())["step"] == 12


def test_random_layers_resume_exactly_too(tiny_config, tmp_path):
    def dropout():
        return keras.Sequential([
            keras.Input((28, 28, 1)), keras.layers.Flatten(), keras.layers.Dropout(0.5, seed=1),
            keras.layers.Dense(1, kernel_initializer=keras.initializers.GlorotUniform(seed=2)),
        ])  # fmt: skip

    ends = []
    for run, parts in (("once", [12]), ("twice", [6, 12])):
        for steps in parts:
            d = dropout()
            train(tiny_config(steps=steps), tmp_path / run, discriminator=d)
        ends.append(weights_of(d))
    assert same(*ends)
    config = json.loads((tmp_path / "once/config.json").read_text())
    assert config["own_networks"] == ["discriminator"]


def test_an_overflow_on_the_last_step_does_not_lose_the_summary(tiny_config, tmp_path, monkeypatch):
    huge = LOSSES["non_saturating"]._replace(discriminator=lambda r, f: (r + f) * 1e35)
    monkeypatch.setitem(LOSSES, "huge", huge)
    for jit in (False, True):
        config = tiny_config(loss="huge", precision="mixed_float16", jit_compile=jit, steps=3)
        summary = train(config, tmp_path / str(jit))
        assert (summary["status"], summary["grads/d_norm"]) == ("completed", None)


@pytest.mark.parametrize("precision", ["mixed_bfloat16", "mixed_float16"])
def test_half_precision_trains_under_xla(precision, tiny_config, tmp_path):
    """What GPUs get by default."""
    config = tiny_config(precision=precision, jit_compile=True)
    summary = train(config, tmp_path)
    assert summary["grads/g_norm"] > 0
    fresh = build_state(config, (28, 28, 1))
    before = [value for part in fresh[:3] for value in weights_of(part)]
    assert differ_everywhere(before, trained_in(tmp_path, config)[: len(before)])


@pytest.mark.parametrize(("precision", "jit"), [("float32", True), ("mixed_bfloat16", False)])
def test_the_full_networks_resume_exactly(precision, jit, tiny_config, tmp_path):
    """Wide layers are computed by several threads, which is where bits could change."""
    full = {"generator": "mlp", "discriminator": "mlp", "latent_dim": 100, "batch_size": 256}
    config = tiny_config(precision=precision, jit_compile=jit, **full)
    train_whole_and_resumed(config, tmp_path)
    assert same(trained_in(tmp_path / "once", config), trained_in(tmp_path / "twice", config))


def test_optimizers_are_those_of_the_configuration(tiny_config):
    config = tiny_config(d_learning_rate=3e-4, g_learning_rate=1e-4, beta_1=0.25, beta_2=0.9)
    state = build_state(config, (28, 28, 1))
    for optimizer, rate in ((state.d_optimizer, 3e-4), (state.g_optimizer, 1e-4)):
        found = optimizer.get_config()
        assert found["learning_rate"] == pytest.approx(rate)
        assert [found[name] for name in ("beta_1", "beta_2", "epsilon")] == [0.25, 0.9, 1e-7]


@pytest.mark.parametrize(
    ("schedule", "d_steps", "updates"),
    [("classic", 1, 2), ("classic", 3, 6), ("alternating", 3, 3)],
)
def test_learning_rates_fall_by_steps_not_by_updates(schedule, d_steps, updates, tiny_config):
    """After half of the steps a cosine is at a half, whatever updates D has made."""
    config = tiny_config(
        schedule=schedule, d_steps=d_steps, d_learning_rate_decay="cosine",
        g_learning_rate_decay="cosine", learning_rate_decay_steps=100, d_learning_rate=4e-4,
    )  # fmt: skip
    state = build_state(config, (28, 28, 1))
    for optimizer, done, start in (
        (state.d_optimizer, 50 * updates, 4e-4), (state.g_optimizer, 50, 2e-4),
    ):  # fmt: skip
        optimizer.iterations.assign(done)
        assert float(optimizer.learning_rate) == pytest.approx(start / 2, rel=1e-3)
        optimizer.iterations.assign(2 * done)
        assert float(optimizer.learning_rate) == pytest.approx(0.0, abs=1e-9)


def test_a_changed_configuration_is_refused_and_nothing_is_touched(
    trained_once, tiny_config, tmp_path
):
    trained_once(tiny_config(), tmp_path)
    before = snapshot(tmp_path)
    with pytest.raises(UserError, match=r"\(batch_size: 16 -> 8; seed: 0 -> 1\)"):
        train(tiny_config(batch_size=8, seed=1, steps=20), tmp_path)
    assert snapshot(tmp_path) == before


@pytest.mark.parametrize("content", ["", "{", "[]", '{"config": {"stepz": 1}}', '{"config": 3}'])
def test_a_broken_config_is_refused(content, tiny_config, tmp_path):
    (tmp_path / "config.json").write_text(content)
    with pytest.raises(UserError, match=r"config\.json: is not a configuration"):
        train(tiny_config(), tmp_path)
    assert files(tmp_path) == {"config.json"}


def test_records_beyond_the_checkpoint_and_torn_lines_are_dropped(
    trained_once, tiny_config, tmp_path
):
    trained_once(tiny_config(), tmp_path)
    path = tmp_path / "metrics.jsonl"
    whole = path.read_text()
    path.write_text(whole + '{"step": 13, "kimg": 1, "seconds": 1}\n{"step": 14, "sec')
    log = metrics_log.MetricsLog(tmp_path, 12)
    log.close()
    assert path.read_text() == whole


def test_numbers_that_json_lacks_become_null():
    record = {"step": 1, "a": float("inf"), "b": 0.5, "c": float("nan")}
    assert jsonl.without_infinities(record) == {"step": 1, "a": None, "b": 0.5, "c": None}


def test_a_checkpoint_of_other_networks_is_refused(trained_once, tiny_config, tmp_path):
    trained_once(tiny_config(), tmp_path)
    with pytest.raises(UserError, match=r"discriminator: .* has --discriminator=tiny, must go on"):
        train(tiny_config(steps=20), tmp_path, discriminator=own_discriminator())


def own_discriminator():
    return keras.Sequential([
        keras.Input((28, 28, 1)), keras.layers.Conv2D(4, 5, strides=4, activation="relu"),
        keras.layers.Flatten(), keras.layers.Dense(1),
    ])  # fmt: skip


def own_generator():
    latents = keras.Input((8,))
    x = keras.layers.Reshape((7, 7, 1))(keras.layers.Dense(49)(latents))
    x = keras.layers.Conv2DTranspose(4, 4, strides=2, padding="same")(x)
    x = keras.layers.BatchNormalization()(x)
    x = keras.layers.Conv2DTranspose(1, 4, strides=2, padding="same", activation="tanh")(x)
    return keras.Model(latents, x)


def maker(activation, *after):
    return keras.Sequential([
        keras.Input((8,)), keras.layers.Dense(784, activation=activation),
        keras.layers.Reshape((28, 28, 1)), *after,
    ])  # fmt: skip


def judge(activation, *first, trainable=True):
    network = keras.Sequential([
        keras.Input((28, 28, 1)), *first, keras.layers.Flatten(),
        keras.layers.Dense(1, activation=activation),
    ])  # fmt: skip
    network.trainable = trainable
    return network


def test_doubts_about_own_networks_are_said_before_the_first_step(tiny_config, tmp_path, capsys):
    blinded = judge(None, keras.layers.Rescaling(1 / 127.5, offset=-1))
    frozen = maker("tanh", keras.layers.Conv2D(1, 3, padding="same", activation="tanh"))
    frozen.layers[0].trainable = False
    train(tiny_config(steps=4), tmp_path, generator=frozen, discriminator=blinded)
    said = capsys.readouterr().err
    for doubt in ("is a Rescaling meant for 0..255?", "are frozen, they do not learn"):
        assert 0 < said.index(doubt) < said.index("D loss")


@pytest.mark.parametrize("schedule", ["alternating", "simultaneous", "classic"])
def test_any_pair_of_keras_models_can_be_trained(schedule, tiny_config, tmp_path):
    g, d = own_generator(), own_discriminator()
    before = weights_of(g) + weights_of(d)
    config = tiny_config(schedule=schedule, jit_compile=schedule == "alternating")
    train(config, tmp_path, generator=g, discriminator=d)
    assert differ_everywhere(before, weights_of(g) + weights_of(d))
    drawn = keras.models.load_model(tmp_path / "generator.keras")
    assert drawn.count_params() == g.count_params()


def test_an_own_discriminator_may_see_several_images_at_once(tiny_config, tmp_path):
    d = keras.Sequential([
        keras.Input((28, 28, 3)), keras.layers.Flatten(), keras.layers.Dense(1)
    ])  # fmt: skip
    config = tiny_config(pack=3, batch_size=6, steps=1)
    summary = train(config, tmp_path, discriminator=d, run_eagerly=True, quiet=True)
    assert (summary["status"], summary["step"]) == ("completed", 1)


@pytest.mark.parametrize(
    ("networks", "message"),
    [
        ({"generator": keras.Sequential([keras.Input((8,)), keras.layers.Dense(3)])},
         r"generator: maps \(None, 8\) to \(None, 3\), must map .* to \(None, 28, 28, 1\)"),
        ({"discriminator": keras.Sequential([keras.Input((28, 28, 1)), keras.layers.Flatten()])},
         r"discriminator: maps .* to \(None, 784\), must map \(None, 28, 28, 1\) to \(None, 1\)"),
        ({"discriminator": keras.Sequential([
            keras.Input((28, 28, 1)), keras.layers.Flatten(),
            keras.layers.Dense(1, dtype="bfloat16")])},
         "discriminator: returns bfloat16, must return float32"),
        ({"generator": keras.Sequential([keras.layers.Dense(3)])}, "generator: must be a Keras"),
        ({"generator": lambda latents: latents}, "generator: must be a Keras"),
        ({"generator": maker("sigmoid")}, "generator: ends in sigmoid, its images lie in 0..1"),
        ({"discriminator": judge("sigmoid")}, "discriminator: ends in sigmoid, must return logits"),
        ({"discriminator": judge(None, trainable=False)},
         "discriminator: has no trainable weights"),
        ({"generator": maker("linear", keras.layers.Lambda(keras.ops.tanh))},
         "generator: has the Lambda layer"),
    ],
)  # fmt: skip
def test_networks_that_do_not_fit_are_refused(networks, message, tiny_config, tmp_path):
    with pytest.raises(UserError, match=message):
        train(tiny_config(), tmp_path / "run", **networks)
    assert not (tmp_path / "run").exists()


def test_networks_of_a_row_that_somebody_added_are_looked_at_too(
    tiny_config, tmp_path, monkeypatch
):
    def build(spec):
        d = own_discriminator()
        return keras.Model(d.inputs, keras.layers.Activation("sigmoid")(d.outputs[0]))

    monkeypatch.setitem(DISCRIMINATORS, "mine", Network(build))
    with pytest.raises(UserError, match="discriminator: ends in sigmoid, must return logits"):
        train(tiny_config(discriminator="mine"), tmp_path / "run", quiet=True)
    assert not (tmp_path / "run").exists()


def test_unknown_rows_are_refused_with_the_known_ones(tiny_config, tmp_path):
    for change, names in (({"dataset": "cats"}, "mnist, fashion_mnist"),
                          ({"generator": "big"}, "mlp, tiny"),
                          ({"loss": "mine"}, "non_saturating")):  # fmt: skip
        with pytest.raises(UserError, match=f"must be one of {names}"):
            train(tiny_config(**change), tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_training_stops_at_a_loss_that_is_not_finite(tiny_config, tmp_path, monkeypatch):
    loss = LOSSES["non_saturating"]
    bad = {"step": None}

    def discriminator(real_logits, fake_logits):
        nan = tf.where(bad["state"].step == 9, np.nan, 0.0)
        return loss.discriminator(real_logits, fake_logits) + nan

    built = build_state
    monkeypatch.setattr(
        trainer, "build_state", lambda *a, **k: bad.setdefault("state", built(*a, **k))
    )
    monkeypatch.setitem(LOSSES, "poisoned", loss._replace(discriminator=discriminator))
    with pytest.raises(TrainingFailed) as error:
        train(tiny_config(loss="poisoned"), tmp_path)
    text = str(error.value)
    assert text == (
        "loss/d is not finite at step 10, in the call of steps 9 to 12; newest checkpoint: step 6; "
        "what usually helps: --on_nan=rollback, or lower learning rates "
        '(README, "When something is wrong", row "Not finite")'
    )
    summary = json.loads((tmp_path / "summary.json").read_text())
    assert (summary["status"], summary["reason"], summary["step"]) == ("stopped", text, 6)
    assert summary["logged_step"] == 8  # beyond the checkpoint
    assert not (tmp_path / "generator.keras").exists()
    state = build_state(tiny_config(), (28, 28, 1))
    assert restore(state, checkpoint_manager(state, tmp_path, 3)) == 6
    assert all(np.isfinite(w).all() for w in weights_of(state.generator))


def test_a_checkpoint_is_never_written_with_weights_that_are_not_finite(tiny_config, tmp_path):
    state = build_state(tiny_config(), (28, 28, 1))
    manager = checkpoint_manager(state, tmp_path, 3)
    state.discriminator.trainable_variables[-1].assign([np.inf])
    with pytest.raises(TrainingFailed, match="discriminator: logits/bias is not finite at step 0"):
        save(manager, state)
    assert not files(tmp_path)


def test_samples_are_of_the_average_or_of_the_raw_weights(tiny_config, tmp_path):
    for weights in ("ema", "raw"):
        train(tiny_config(sample_weights=weights, ema_half_life=10**6), tmp_path / weights)
        state = build_state(tiny_config(), (28, 28, 1))
        restore(state, checkpoint_manager(state, tmp_path / weights, 3))
        network = state.ema_generator if weights == "ema" else state.generator
        saved = keras.models.load_model(tmp_path / weights / "generator.keras")
        assert same(weights_of(saved), weights_of(network))
        assert not same(weights_of(state.ema_generator), weights_of(state.generator))
    assert (tmp_path / "ema/samples/step_00000012.png").read_bytes() != (
        tmp_path / "raw/samples/step_00000012.png"
    ).read_bytes()


def test_only_the_newest_checkpoints_are_kept(tiny_config, tmp_path):
    train(tiny_config(checkpoint_every=2, keep_checkpoints=2), tmp_path)
    kept = {name for name in files(tmp_path) if name.endswith(".index")}
    assert kept == {"checkpoints/step-10.index", "checkpoints/step-12.index"}


def test_xla_compiles_the_step_once(tmp_path):
    """Whatever the lengths of the calls are; a trace can be compiled more than once."""
    run = run_module(
        "experiments.train", "--preset=tiny", "--steps=23", "--steps_per_call=5", "--log_every=7",
        "--jit_compile", f"--run_dir={tmp_path / 'run'}",
        env={**os.environ, "XLA_FLAGS": f"--xla_dump_to={tmp_path / 'dump'}"},
    )  # fmt: skip
    assert run.returncode == 0, run.stderr
    compiled = (tmp_path / "dump").glob("*run_steps*.before_optimizations.txt")
    assert len(list(compiled)) == 1


def test_what_a_crash_leaves_before_the_configuration_is_no_obstacle(tiny_config, tmp_path):
    (tmp_path / ".half.tmp.json").write_text("{")
    assert train(tiny_config(), tmp_path)["status"] == "completed"


def test_run_eagerly_trains_too(tiny_config, tmp_path):
    assert train(tiny_config(steps=2), tmp_path, run_eagerly=True)["traces"] == 0


def test_training_works_outside_the_main_thread(tiny_config, tmp_path):
    thread = threading.Thread(target=train, args=(tiny_config(), tmp_path))
    thread.start()
    thread.join()
    assert (tmp_path / "summary.json").exists()


def test_memory_is_flat(tmp_path):
    """In a process of its own, because peak memory only ever grows."""
    done = run_module(
        "experiments.train", "--preset=tiny", "--log_every=500", "--sample_every=50",
        "--checkpoint_every=100", f"--run_dir={tmp_path / 'run'}",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    records = jsonl.read_records(tmp_path / "run/metrics.jsonl")
    assert [record["step"] for record in records] == [500, 1000, 1500, 2000]
    assert records[-1]["memory/peak_mb"] - records[0]["memory/peak_mb"] < 15


@pytest.mark.parametrize(("isatty", "bar"), [(True, True), (False, False)])
def test_the_progress_bar_is_for_terminals(isatty, bar, tiny_config, tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "100")
    monkeypatch.setattr(console.sys.stderr, "isatty", lambda: isatty, raising=False)
    monkeypatch.setenv("FORCE_COLOR", "1")
    train(tiny_config(), tmp_path)
    out = capsys.readouterr().err
    assert ("step 12 of 12" in out) == bar
    assert bool(re.search(r"[0-9.]+ steps/s.*[0-9]:[0-9]{2}:[0-9]{2}", out)) == bar
    assert ("\x1b[" in out) == bar
    assert "12 [D loss" in out


def test_the_sample_grid():
    images = np.arange(4, dtype=np.uint8).reshape(4, 1, 1, 1)
    grid = image_grid(images, 2)
    assert grid.shape == (8 * 3, 8 * 3, 1)
    cells = grid[::3, ::3, 0]
    assert np.array_equal(cells.repeat(3, 0).repeat(3, 1), grid[..., 0])
    assert cells[2, [2, 5]].tolist() == [0, 1]
    assert cells[5, [2, 5]].tolist() == [2, 3]
    assert (cells == 255).sum() == 64 - 4
    with pytest.raises(ValueError, match="3 images do not fill rows of 2"):
        image_grid(images[:3], 2)


def test_matplotlib_never_opens_a_window(tiny_config, tmp_path, monkeypatch):
    import sys

    monkeypatch.setenv("MPLBACKEND", "TkAgg")
    monkeypatch.setitem(sys.modules, "matplotlib.pyplot", None)  # importing it would fail
    logging.getLogger("matplotlib").setLevel(logging.ERROR)
    metrics_log.write_loss_plot(tmp_path / "l.png", [{"step": 1, "loss/d": 1.0, "loss/g": 2.0}])
    assert tf.io.decode_png((tmp_path / "l.png").read_bytes()).shape[2] == 4


def scripted(fcds):
    """An evaluator that finds these FCDs, one after the other, whatever the generator is."""
    calls = []

    def evaluator(generator, step):
        calls.append((step, weights_of(generator)))
        metrics = {"fcd": fcds[step], "coverage": 0.5, "classes": 10.0}
        return {"metrics": metrics, "class_counts": [1] * 10}

    evaluator.calls = calls
    return evaluator


FCDS = {3: 9.0, 6: 4.0, 9: 5.0, 12: 6.0}


def test_evaluations_are_recorded_and_shown(tiny_config, tmp_path):
    evaluator = scripted(FCDS)
    config = tiny_config(evaluate_every=3, log_every=100)
    summary = train(config, tmp_path, make_evaluators=lambda *_: {"mine": evaluator}, quiet=True)
    assert summary["traces"] == 1
    assert summary["collapse"] == {}
    records = jsonl.read_records(tmp_path / "evaluations.jsonl")
    assert [(r["step"], r["metrics"]["fcd"]) for r in records] == list(FCDS.items())
    assert [r["kimg"] for r in records] == pytest.approx([s * 16 / 1000 for s in FCDS])
    assert all(r["evaluator"] == "mine" and r["seconds"] > 0 for r in records)
    for name in ("fcd", "coverage", "classes"):
        got = [(e.step, tf.make_ndarray(e.tensor_proto).item())
               for e in events(tmp_path).Tensors(f"eval/mine_{name}")]  # fmt: skip
        assert got == [(r["step"], r["metrics"][name]) for r in records]
    step, weights = evaluator.calls[-1]
    drawn = keras.models.load_model(tmp_path / "generator.keras")
    assert step == 12
    assert same(weights, weights_of(drawn))  # the network that draws samples was evaluated


def test_evaluating_changes_nothing(trained_once, tiny_config, tmp_path):
    config = tiny_config()
    trained_once(config, tmp_path / "without")
    train(dataclasses.replace(config, evaluate_every=3), tmp_path / "with", quiet=True,
          make_evaluators=lambda *_: {"mine": scripted(FCDS)})  # fmt: skip
    assert same(trained_in(tmp_path / "without", config), trained_in(tmp_path / "with", config))


def test_a_resumed_run_repeats_no_evaluation(tiny_config, tmp_path):
    config = tiny_config(evaluate_every=3, checkpoint_every=6)
    train(
        dataclasses.replace(config, steps=6),
        tmp_path,
        make_evaluators=lambda *_: {"mine": scripted(FCDS)},
    )
    path = tmp_path / "evaluations.jsonl"
    by_hand = {"source": "evaluate", "step": 6, "metrics": {"fcd": 1.0}}
    beyond = {"source": "training", "step": 9, "metrics": {"fcd": 99.0}}
    for record in (by_hand, beyond):
        jsonl.append_record(path, record)
    with path.open("a") as file:
        file.write('{"torn')
    evaluator = scripted(FCDS)
    train(config, tmp_path, make_evaluators=lambda *_: {"mine": evaluator})
    assert [step for step, _ in evaluator.calls] == [9, 12]
    records = jsonl.read_records(path)
    assert [(r["source"], r["step"]) for r in records] == [
        ("training", 3), ("training", 6), ("evaluate", 6), ("training", 9), ("training", 12),
    ]  # fmt: skip
    assert records[3]["metrics"]["fcd"] == 5.0
    assert path.read_text().endswith("}\n")


def test_a_torn_line_is_taken_off_before_the_next_one(tmp_path):
    path = tmp_path / "x.jsonl"
    path.write_text('{"a": 1}\n{"a": 2')
    jsonl.append_record(path, {"a": 3})
    assert path.read_text() == '{"a": 1}\n{"a": 3}\n'
    path.write_text('{"a": 2')  # the first one
    jsonl.append_record(path, {"a": 3})
    assert path.read_text() == '{"a": 3}\n'


def test_the_best_checkpoint_is_kept_beside_the_newest(tiny_config, tmp_path):
    config = tiny_config(evaluate_every=3, keep_best="fcd", keep_checkpoints=1)
    train(config, tmp_path, make_evaluators=lambda *_: {"mine": scripted(FCDS)}, quiet=True)
    kept = {name for name in files(tmp_path) if name.endswith(".index")}
    assert kept == {"checkpoints/best/step-6.index", "checkpoints/step-12.index"}
    state = build_state(config, (28, 28, 1))
    best = checkpoint_manager(state, tmp_path, 1, "checkpoints/best")
    assert restore(state, best) == 6
    # Going on after the end compares with what was best before.
    # What was found while the best one was not kept has no checkpoint and does not count.
    without = dataclasses.replace(config, steps=15, keep_best="none")
    train(without, tmp_path, make_evaluators=lambda *_: {"mine": scripted({15: 1.0})}, quiet=True)
    longer = dataclasses.replace(config, steps=21)
    train(
        longer,
        tmp_path,
        make_evaluators=lambda *_: {"mine": scripted({18: 3.0, 21: 5.0})},
        quiet=True,
    )
    kept = {name for name in files(tmp_path) if name.endswith(".index")}
    assert kept == {"checkpoints/best/step-18.index", "checkpoints/step-21.index"}


@pytest.mark.parametrize("every", [3, 4])
def test_the_best_checkpoint_outlives_what_a_resume_forgets(every, tiny_config, tmp_path):
    """The best one is newer than where the run goes on, and is evaluated again, or never."""
    config = tiny_config(evaluate_every=3, keep_best="fcd")
    first = scripted({3: 10.0, 6: 8.0, 9: 5.0, 12: 7.0})
    train(config, tmp_path, make_evaluators=lambda *_: {"mine": first}, quiet=True)
    best = tmp_path / "checkpoints/best/step-9.index"
    saved = best.stat().st_mtime_ns
    for path in (tmp_path / "checkpoints").glob("step-12.*"):
        path.unlink()
    again = scripted({8: 6.0, 9: 6.0, 12: 5.5})
    other = dataclasses.replace(config, evaluate_every=every)
    train(other, tmp_path, make_evaluators=lambda *_: {"mine": again}, quiet=True)
    assert [path.stem for path in best.parent.glob("*.index")] == ["step-9"]
    assert best.stat().st_mtime_ns == saved


@pytest.mark.parametrize("content", [None, "{", '{"step": 9, "value": 1.0}', '{"step": 6}'])
def test_the_best_checkpoint_of_older_runs_is_compared_by_its_record(
    content, tiny_config, tmp_path
):
    """Its value is not beside it, or not in a file that says so."""
    config = tiny_config(evaluate_every=3, keep_best="fcd")
    train(config, tmp_path, make_evaluators=lambda *_: {"mine": scripted(FCDS)}, quiet=True)
    value = tmp_path / "checkpoints/best/value.json"
    assert json.loads(value.read_text()) == {"step": 6, "value": FCDS[6]}
    value.unlink() if content is None else value.write_text(content)
    for steps, fcd, best in ((15, FCDS[6] + 0.5, 6), (18, FCDS[6] - 0.5, 18)):
        longer, found = dataclasses.replace(config, steps=steps), scripted({steps: fcd})
        train(longer, tmp_path, make_evaluators=lambda *_, e=found: {"mine": e}, quiet=True)
        assert [path.stem for path in value.parent.glob("*.index")] == [f"step-{best}"]


def test_keeping_the_best_needs_something_that_evaluates(tiny_config, tmp_path):
    with pytest.raises(UserError, match="--keep_best=fcd: needs evaluators, none were given"):
        train(tiny_config(keep_best="fcd"), tmp_path / "run")
    with pytest.raises(UserError, match="--evaluate_every=0 gives it nothing to compare"):
        tiny_config(keep_best="fcd", evaluate_every=0)
    assert not (tmp_path / "run").exists()


def test_a_sign_of_collapse_warns_or_stops(tiny_config, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(collapse, "collapse_signs", lambda records, evaluations, log_odds: (
        {"mode_collapse": "few modes"} if round(records[-1]["kimg"] / 0.016) >= 8 else {}
    ))  # fmt: skip
    summary = train(tiny_config(), tmp_path / "warn")
    assert (summary["status"], summary["collapse"]) == ("completed", {"mode_collapse": 8})
    warnings = [line for line in capsys.readouterr().err.splitlines() if "warning" in line]
    assert warnings == ["warning: mode_collapse at step 8: few modes"]  # once
    signs = [r["collapse/signs"] for r in jsonl.read_records(tmp_path / "warn/metrics.jsonl")]
    assert signs == [0, 1, 1]
    assert len(events(tmp_path / "warn").Tensors("collapse")) == 1
    with pytest.raises(TrainingFailed, match="collapsed at step 8, saved: mode_collapse: few mo"):
        train(tiny_config(on_collapse="stop"), tmp_path / "stop")
    summary = json.loads((tmp_path / "stop/summary.json").read_text())
    assert (summary["status"], summary["step"]) == ("stopped", 8)
    assert summary["collapse"] == {"mode_collapse": 8}
    assert (tmp_path / "stop/checkpoints/step-8.index").exists()


def test_it_does_not_stop_where_nothing_looks(tiny_config, tmp_path):
    """A loss whose logits mean nothing, and no evaluation, as of a folder without test images."""
    config = tiny_config(on_collapse="stop", loss="relativistic", evaluate_every=6)
    with pytest.raises(UserError, match="none of the rules in docs/"):
        train(config, tmp_path / "run", make_evaluators=lambda *_: {}, quiet=True)
    assert not list((tmp_path / "run").rglob("step-*"))


def test_a_run_that_collapses_has_its_averages(tiny_config, tmp_path, monkeypatch):
    """Of the step at which it stops: going on does not come by there again."""
    signs = {"mode_collapse": "few modes"}
    monkeypatch.setattr(collapse, "collapse_signs", lambda records, evaluations, log_odds: (
        signs if round(records[-1]["kimg"] / 0.016) == 8 else {}
    ))  # fmt: skip
    config = tiny_config(on_collapse="stop", posthoc_averages=True, checkpoint_every=4)
    with pytest.raises(TrainingFailed, match="collapsed at step 8"):
        train(config, tmp_path, quiet=True)
    signs.clear()
    train(config, tmp_path, quiet=True)
    assert sorted(path.name for path in (tmp_path / "averages").iterdir()) == [
        f"step_{step:08d}.npz" for step in (4, 8, 12)
    ]


def test_a_run_that_collapsed_at_its_last_step_does_not_become_complete(
    tiny_config, tmp_path, monkeypatch
):
    monkeypatch.setattr(collapse, "collapse_signs", lambda records, evaluations, log_odds: (
        {"mode_collapse": "few modes"} if round(records[-1]["kimg"] / 0.016) >= 12 else {}
    ))  # fmt: skip
    config = tiny_config(on_collapse="stop")
    for message in ("collapsed at step 12", "ended at its last step: collapsed at step 12"):
        with pytest.raises(TrainingFailed, match=message):
            train(config, tmp_path)
        assert json.loads((tmp_path / "summary.json").read_text())["status"] == "stopped"


def test_an_evaluator_may_compute_other_metrics(tiny_config, tmp_path):
    evaluators = {"mine": lambda generator, step: {"metrics": {"kid": float("inf")}}}
    train(
        tiny_config(evaluate_every=2), tmp_path, make_evaluators=lambda *_: evaluators, quiet=True
    )
    records = jsonl.read_records(tmp_path / "evaluations.jsonl")
    assert [r["metrics"] for r in records] == [{"kid": None}] * 6


def test_a_run_with_a_record_that_is_none_does_not_go_on(trained_once, tiny_config, tmp_path):
    trained_once(tiny_config(), tmp_path)
    path = tmp_path / "metrics.jsonl"
    first, second, *_ = path.read_text().splitlines()
    for line, message in (
        ({"seconds": None}, "line 2 has seconds=null, must be a number"),
        ({"kimg": "x"}, 'line 2 has kimg="x", must be a number'),
        ({"step": 4}, "line 2 has step=4, must be after step 4 before it"),
        ({"loss/d": 10**400}, "line 2 has an integer beyond 64 bits"),
    ):
        path.write_text("\n".join([first, json.dumps({**json.loads(second), **line}), ""]))
        before = snapshot(tmp_path)
        with pytest.raises(UserError) as error:
            train(tiny_config(steps=20), tmp_path, quiet=True)
        assert str(error.value).startswith(f"{path}: {message}")
        assert snapshot(tmp_path) == before


@pytest.mark.parametrize(
    ("change", "warning"),
    [
        (
            lambda r: r.update({"loss/d": 1e308 * (-1) ** (r["step"] // 4)}),
            "png: cannot be drawn (",
        ),
        (lambda r: r.update(seconds="x"), 'jsonl: line 1 has seconds="x", must be a number from 0'),
        (lambda r: r.pop("loss/g"), ""),  # a gap
    ],
)
def test_a_picture_of_losses_is_not_worth_a_run(
    change, warning, tiny_config, tmp_path, monkeypatch, capsys
):
    """Somebody damages the records while the run goes on."""
    write_losses = trainer.write_losses

    def damaged(run):
        records = jsonl.read_records(run.log.path)
        for record in records:
            change(record)
        jsonl.write_records(run.log.path, records)
        return write_losses(run)

    monkeypatch.setattr(trainer, "write_losses", damaged)
    summary = train(tiny_config(), tmp_path)
    assert (summary["status"], summary["collapse"]) == ("completed", {})
    assert files(tmp_path) >= CONTRACT - {"losses.png"}
    said = [line for line in capsys.readouterr().err.splitlines() if line.startswith("warning: ")]
    assert len(said) == bool(warning)
    assert (tmp_path / "losses.png").exists() != bool(warning)
    assert warning in "".join(said)


def test_kimg_counts_the_images_of_every_update_of_d(tiny_config, tmp_path):
    summary = train(tiny_config(d_steps=3), tmp_path, quiet=True)
    kimg = [record["kimg"] for record in jsonl.read_records(tmp_path / "metrics.jsonl")]
    assert [*kimg, summary["kimg"]] == [0.192, 0.384, 0.576, 0.576]  # 48 images a step


def test_the_clock_of_a_resumed_run_goes_on(tiny_config, tmp_path, monkeypatch):
    """Each call of four steps takes two seconds; between the two processes lies an hour."""
    now, call = [0.0], loop.call

    def timed(*arguments):
        call(*arguments)
        now[0] += 2.0

    monkeypatch.setattr(loop, "call", timed)
    clock = types.SimpleNamespace(perf_counter=lambda: now[0])
    monkeypatch.setattr(loop, "time", clock)
    for steps in (8, 16):
        summary = train(tiny_config(steps=steps), tmp_path, quiet=True)
        now[0] += 3600.0
    records = jsonl.read_records(tmp_path / "metrics.jsonl")
    # Pictures and checkpoints at steps 6 and 12 make calls of two steps.
    assert [record["seconds"] for record in records] == [2.0, 6.0, 8.0, 10.0]
    assert [record["time/steps_per_second"] for record in records] == [2.0, 1.0, 2.0, 2.0]
    assert summary["seconds"] == 10.0


def test_a_metric_that_is_null_is_no_best_one(tiny_config, tmp_path):
    config = tiny_config(keep_best="fcd", evaluate_every=4, steps=8)
    values = {4: np.inf, 8: np.nan, 12: 7.0}
    for steps in (8, 12):
        train(
            dataclasses.replace(config, steps=steps),
            tmp_path,
            make_evaluators=lambda *_: {"mine": lambda g, step: {"metrics": {"fcd": values[step]}}},
            quiet=True,
        )
        path = tmp_path / "evaluations.jsonl"
        path.write_text(path.read_text().replace("5.0}", "null}"))  # as 4 is
    assert {name for name in files(tmp_path) if "best/step" in name and ".index" in name} == {
        "checkpoints/best/step-12.index"
    }


def test_several_runs_in_a_process_are_no_retracing(tiny_config, monkeypatch, caplog):
    monkeypatch.setattr(builders, "train_steps", lambda *a, **k: ({}, tf.constant(True)))
    state = types.SimpleNamespace(rollbacks=tf.Variable(0, dtype=tf.int64))
    monkeypatch.setattr(logging.getLogger("tensorflow"), "propagate", True)
    for _ in range(8):
        steps = builders.compile_train_steps(tiny_config(), state)
        steps((tf.zeros([2]),), 0, 1)
        steps((tf.zeros([2]),), 0, 1)
        assert steps.experimental_get_tracing_count() == 1
    assert not caplog.records


@pytest.mark.parametrize(
    ("changes", "message"),
    [({"seed": 5}, "holds a run of another configuration .*seed"),
     ({}, "was trained on other data")],
)  # fmt: skip
def test_a_run_that_began_meanwhile_is_not_gone_on_with_by_another_command(
    changes, message, tiny_config, synthetic, tmp_path, monkeypatch
):
    """Data may take hours to read, and nothing is locked so long."""
    config = tiny_config(dataset="slow", steps=4)

    def load(data_dir, print_fn):
        train(config, tmp_path / "run", data=datasets.Dataset(synthetic), quiet=True)
        before.update(snapshot(tmp_path / "run"))
        return datasets.Dataset(synthetic if changes else synthetic[::-1].copy())

    before = {}
    monkeypatch.setitem(datasets.DATASETS, "slow", datasets.DataSource(load))
    with pytest.raises(UserError, match=message):
        train(dataclasses.replace(config, **changes), tmp_path / "run", quiet=True)
    assert snapshot(tmp_path / "run") == before


def test_a_weight_of_an_own_generator_may_be_frozen_alone(tiny_config, tmp_path):
    layers = [keras.layers.Dense(16), keras.layers.Dense(784, "tanh")]
    generator = keras.Sequential([keras.Input([8]), *layers, keras.layers.Reshape([28, 28, 1])])
    layers[0].bias.assign(np.full(16, 0.3))
    layers[0].bias.trainable = False
    config = tiny_config(steps=4, latent_dim=8, posthoc_averages=True)
    train(config, tmp_path / "run", generator=generator, quiet=True)
    saved = keras.models.load_model(tmp_path / "run/generator.keras")
    for network in (generator, saved):
        assert network.layers[0].bias.numpy().tolist() == [np.float32(0.3)] * 16
        assert not np.array_equal(network.layers[1].bias.numpy(), np.zeros(784))
