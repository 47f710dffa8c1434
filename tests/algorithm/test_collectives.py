"""Several devices of one machine, in processes with two logical CPUs: see two_devices.py."""

import json
import os
import zlib

import keras
import numpy as np
import pytest
import tensorflow as tf

from gan.algorithm import collectives
from gan.errors import UserError
from gan.run.config import Config
from gan.training import cluster, devices, strategy
from gan.training.checkpoints import checkpoint_manager, restore
from gan.training.state import build_state
from gan.training.trainer import train
from support import on_two_devices
from two_devices import DATA, SHAPE, configured

R3 = {"loss": "relativistic", "penalty": "r1_r2", "beta_1": 0.0, "beta_2": 0.99}
CASES = {
    "relativistic": R3,
    "relativistic_average": {"loss": "relativistic_average"},
    "rmsprop": {"optimizer": "rmsprop", "d_weight_clip": 0.05},
    "sgd": {"optimizer": "sgd", "d_learning_rate": 0.1, "g_learning_rate": 0.1},
    "augmented": {"augment": "translation_cutout", "flip": True},
    "wgan_gp": {"loss": "wasserstein", "penalty": "wgan_gp", "d_steps": 2},
    "pack": {"pack": 2},
    "dragan": {"penalty": "dragan"},
    "sync_batch_norm": {"g_norm": "batch", "sync_batch_norm": True},
}
# Of these, what is done to images and to statistics; the rest is in the test in float64.
FLOAT32 = {name: CASES[name] for name in ("relativistic_average", "augmented", "sync_batch_norm")}
OTHERS = {
    "classic": {"schedule": "classic"},
    "simultaneous": {"schedule": "simultaneous", "d_warmup_steps": 5},
    "warm-up": {"d_warmup_steps": 5},
    "colours": {"augment": "brightness_translation_cutout"},
    "half": {"augment": "translation_cutout", "augment_probability": 0.5},
    "ada": {
        "augment": "translation_cutout",
        "ada_target": 0.1,
        "d_learning_rate": 0.01,
        "batch_size": 48,
    },
}
NETWORKS = {
    "spectral": {"d_norm": "spectral"},
    "conditional": {"conditional": True},
    "average_hinge": {"loss": "relativistic_average_hinge", "schedule": "simultaneous"},
    "infogan": {"auxiliary": "infogan", "latent_dim": 16},
    "acgan": {"auxiliary": "acgan", "conditional": True},
    "sgan": {"auxiliary": "sgan", "labelled_images": "20", "augment": "translation"},
}
HALF = {"mixed_bfloat16": {}, "mixed_float16": {"d_warmup_steps": 5}}
# Both devices have their own statistics of a batch here; only that they end equal is compared.
APART = {"batch_norm": {"g_norm": "batch"}}


def answer(command, question):
    done = on_two_devices(command, json.dumps(question))
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


@pytest.mark.slow
@pytest.mark.parametrize("cases", [FLOAT32, OTHERS, NETWORKS], ids=["cases", "others", "networks"])
def test_two_devices_do_the_steps_of_one(cases):
    """20 steps; the metrics that one replica returns are those of the whole batch."""
    found = answer("agree", {name: ["float32", changes] for name, changes in cases.items()})
    assert min(one["moved"] for one in found.values()) > 0.1
    # 1 % is promised; Adam makes 2.5e-4 of rounding where means of logits are subtracted.
    assert {name: one["difference"] for name, one in found.items()} == {
        name: pytest.approx(0, abs=1e-3 if "average" in name else 1e-4) for name in cases
    }
    for name, one in found.items():
        alone, both = one["metrics"]
        if name in ("conditional", "acgan"):  # alone: of an embedding's rows before they add up
            for norm in ("grads/g_norm", "grads/d_norm"):
                del alone[norm], both[norm]
        rounding = 2e-4 if "average" in name else 1e-5
        assert both == pytest.approx(alone, rel=1e-3, abs=rounding), name


@pytest.mark.slow
def test_two_devices_in_half_precision_and_with_statistics_of_their_own():
    cases = {name: [name, changes] for name, changes in HALF.items()}
    apart = {name: ["float32", changes] for name, changes in APART.items()}
    found = answer("agree", {**cases, **apart})
    assert min(one["moved"] for one in found.values()) > 0.1
    # A wrong scale of the loss would make it 1.
    assert {name: one["difference"] for name, one in found.items()} == {
        name: pytest.approx(0, abs=0.03) for name in cases
    } | {name: pytest.approx(0.25, abs=0.2) for name in apart}


@pytest.mark.slow
def test_in_float64_nothing_but_rounding_is_left():
    exact = {**CASES, "augmented": {"augment": "translation", "flip": True}}
    found = answer("agree", {name: ["float64", changes] for name, changes in exact.items()})
    assert min(one["moved"] for one in found.values()) > 0.1
    for name, one in found.items():
        alone, both = one["metrics"]
        assert both == pytest.approx(alone, rel=1e-5, abs=1e-6), name
    differences = {name: one["difference"] for name, one in found.items()}
    assert differences == {name: pytest.approx(0, abs=1e-11) for name in CASES}  # promised: 1e-8


def sums_of(state):
    values = [v for part in state[:5] for v in part.variables]
    return [zlib.crc32(v.numpy().tobytes()) for v in values]


@pytest.fixture(scope="module")
def exchanged(tmp_path_factory):
    """Directory and answer of `exchange`, and the state that one device saved for it."""
    read, write = tmp_path_factory.mktemp("one"), tmp_path_factory.mktemp("two")
    train(configured(steps=4), read, data=DATA, quiet=True)
    state = build_state(configured(), SHAPE)
    assert restore(state, checkpoint_manager(state, read, 3)) == 4
    return write, answer("exchange", {"read": str(read), "write": str(write)}), state


@pytest.mark.slow
def test_what_one_device_saved_is_restored_on_each_of_two(exchanged):
    _, found, state = exchanged
    assert found["step"] == 4
    assert found["sums"] == [sums_of(state)] * 2


@pytest.mark.slow
def test_what_two_devices_saved_is_restored_on_one(exchanged):
    """And is what a run on one device has, up to rounding."""
    write, found, one = exchanged
    assert (found["summary"]["status"], found["summary"]["step"]) == ("completed", 4)
    state = build_state(configured(), SHAPE)
    assert restore(state, checkpoint_manager(state, write, 3)) == 4
    reader = tf.train.load_checkpoint(str(write / "checkpoints" / "step-4"))
    names = [n for n in reader.get_variable_to_shape_map() if n.endswith("VARIABLE_VALUE")]
    saved = sorted(zlib.crc32(np.asarray(reader.get_tensor(name)).tobytes()) for name in names)
    counters = [zlib.crc32(np.int64(n).tobytes()) for n in (4, 2, 0)]  # steps, saves, rollbacks
    assert saved == sorted([*sums_of(state), *counters])
    for ours, theirs in zip(state[:3], one[:3], strict=True):
        for a, b in zip(ours.variables, theirs.variables, strict=True):
            np.testing.assert_allclose(a.numpy(), b.numpy(), atol=1e-6)
    generator = keras.models.load_model(write / "generator.keras")
    np.testing.assert_array_equal(generator.get_weights()[0], state.ema_generator.get_weights()[0])


@pytest.mark.slow
def test_an_overflow_on_one_replica_skips_the_update_on_both(exchanged):
    """The scale is halved on both, and no weight moves."""
    before, after = exchanged[1]["scales"]
    assert before == [2.0**15] * 2
    assert after == [2.0**14] * 2
    assert not exchanged[1]["moved"]


@pytest.mark.slow
def test_a_replica_with_other_weights_is_found(exchanged):
    complaint = exchanged[1]["complaint"]
    assert complaint.startswith("discriminator ")
    assert "replica 1 holds other numbers than replica 0, at step 4" in complaint


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        ("--batch_size=15", "--batch_size=15: must split evenly between 2 replicas"),
        (
            "--batch_size=18 --pack=2 --g_norm=none",
            "--batch_size=18: must split evenly between 2 replicas of --pack=2 images",
        ),
        ("--jit_compile", "--strategy=mirrored: several replicas need --nojit_compile"),
    ],
)
def test_what_cannot_be_split_is_refused(flags, message, tmp_path):
    done = on_two_devices(
        "train", "--preset=tiny", "--strategy=mirrored", f"--run_dir={tmp_path / 'run'}",
        *flags.split(),
    )  # fmt: skip
    assert done.returncode == 2
    (line,) = [text for text in done.stderr.splitlines() if text.startswith("error:")]
    assert message in line
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "run").exists()


def test_on_one_device_random_numbers_and_means_are_tensorflows():
    key = tf.constant([3, 4], tf.int64)
    for low, high, dtype in ((0.0, 1.0, tf.float32), (-0.5, 0.5, tf.float32), (0, 9, tf.int32)):
        ours = collectives.uniform([5, 2], key, low, high, dtype)
        expected = tf.random.stateless_uniform([5, 2], key, low, high, dtype, alg="philox")
        np.testing.assert_array_equal(ours, expected)
    values = [tf.constant([1.0, 4.0])]
    assert collectives.mean(values) is values
    assert float(collectives.standard_deviation(values[0])) == 1.5
    assert collectives.count() == 1


def test_strategies_by_machine(monkeypatch):
    """auto: the machines of TF_CONFIG, else several GPUs, else one device."""
    gpus = []
    monkeypatch.delenv("TF_CONFIG", raising=False)
    monkeypatch.setattr(devices, "compute_capability", lambda: (7, 0))
    monkeypatch.setattr(tf.config, "list_physical_devices", lambda kind: gpus)
    monkeypatch.setattr(cluster, "local_devices", lambda: gpus)
    for name, jit in (("none", True), ("none", True), ("mirrored", False)):  # with 0, 1, 2 GPUs
        resolved = devices.resolve(Config(), {})
        assert (resolved.strategy, resolved.jit_compile) == (name, jit)
        gpus.append("GPU")
    assert devices.resolve(Config(strategy="none"), {}).jit_compile is True
    monkeypatch.setenv("TF_CONFIG", tf_config(["x:1", "y:1"]))
    assert devices.resolve(Config(), {}).strategy == "multiworker"
    assert devices.resolve(Config(), {}).jit_compile is False
    monkeypatch.setenv("TF_CONFIG", tf_config(["x:1"]))
    del gpus[1:]
    assert devices.resolve(Config(), {}).strategy == "none"


def tf_config(workers, kind="worker", index=0, **jobs):
    return json.dumps(
        {"cluster": {"worker": workers, **jobs}, "task": {"type": kind, "index": index}}
    )


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", None),
        ("{}", None),
        (tf_config(["x:1", "y:1"], index=1), (("x:1", "y:1"), 1)),
        (tf_config(["x:1", "y:1"], index=1, chief=["z:1"]), (("z:1", "x:1", "y:1"), 2)),
        (tf_config(["x:1", "y:1"], kind="chief", chief=["z:1"]), (("z:1", "x:1", "y:1"), 0)),
    ],
)
def test_who_is_who_in_tf_config(text, expected, monkeypatch):
    monkeypatch.setenv("TF_CONFIG", text)
    assert cluster.cluster() == expected


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "TF_CONFIG: must be JSON with cluster.worker and task (JSONDecodeError"),
        ('{"cluster": {"worker": ["x:1"]}}', "TF_CONFIG: must be JSON with cluster.worker and t"),
        ('["x:1"]', "TF_CONFIG: must be JSON"),
        (tf_config(["x:1"], index=1), "TF_CONFIG: task worker 1 is none of the workers"),
        (tf_config(["x:1"], kind="ps"), "TF_CONFIG: task ps 0 is none of the workers"),
        (tf_config("x:1"), "TF_CONFIG: must be JSON with cluster.worker and task (TypeError"),
    ],
)
def test_a_wrong_tf_config_is_refused(text, message, monkeypatch):
    monkeypatch.setenv("TF_CONFIG", text)
    with pytest.raises(UserError) as error:
        devices.resolve(Config(), {})
    assert message in str(error.value)


@pytest.fixture
def srun(monkeypatch):
    """What Slurm sets for the second task on the second of three nodes; names sort differently."""
    monkeypatch.delenv("TF_CONFIG", raising=False)
    for name, value in {
        "SLURM_JOB_ID": "1234567", "SLURM_STEP_NUM_TASKS": "5", "SLURM_STEP_NODELIST": "n[9-11]",
        "SLURM_STEP_TASKS_PER_NODE": "2(x2),1", "SLURM_PROCID": "3", "SLURM_LOCALID": "1",
        "SLURMD_NODENAME": "n10",
    }.items():  # fmt: skip
        monkeypatch.setenv(name, value)


def test_who_is_who_in_a_step_of_slurm(srun, monkeypatch):
    """Every task finds the same list, and itself by its node: not by its number, 3."""
    addresses = ("n10:19567", "n10:19568", "n11:19567", "n9:19567", "n9:19568")
    assert cluster.slurm_cluster() == (addresses, 1)
    assert "CUDA_VISIBLE_DEVICES" not in os.environ
    monkeypatch.setenv("SLURM_PROCID", "0")
    monkeypatch.setenv("SLURM_LOCALID", "0")
    monkeypatch.setenv("SLURMD_NODENAME", "n9")
    assert cluster.slurm_cluster() == (addresses, 3)
    assert devices.resolve(Config(), {}).strategy == "none"  # only where it is asked for
    monkeypatch.delenv("SLURM_STEP_NUM_TASKS")
    assert cluster.slurm_cluster() is None


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("SLURM_JOB_ID", None), ("SLURM_STEP_NUM_TASKS", "x"), ("SLURM_STEP_NUM_TASKS", "4"),
        ("SLURM_STEP_NODELIST", "n[9"), ("SLURM_STEP_TASKS_PER_NODE", None),
        ("SLURMD_NODENAME", "n12"), ("SLURM_LOCALID", "2"), ("SLURM_PROCID", None),
    ],
)  # fmt: skip
def test_a_wrong_step_of_slurm_is_refused(name, value, srun, monkeypatch):
    if value is None:
        monkeypatch.delenv(name)
    else:
        monkeypatch.setenv(name, value)
    with pytest.raises(UserError, match="needs what srun sets, or TF_CONFIG") as error:
        strategy.replicas_of(Config(strategy="multiworker", jit_compile=False))
    assert "\n" not in str(error.value)


def test_multiworker_needs_a_cluster(monkeypatch):
    monkeypatch.delenv("TF_CONFIG", raising=False)
    monkeypatch.delenv("SLURM_STEP_NUM_TASKS", raising=False)
    with pytest.raises(UserError, match="--strategy=multiworker: needs TF_CONFIG"):
        strategy.replicas_of(Config(strategy="multiworker", jit_compile=False))


def test_mirroring_one_device_is_no_strategy():
    assert strategy.replicas_of(Config(strategy="mirrored", jit_compile=True)).strategy is None


def test_batch_norm_is_synchronized_where_it_is_asked_for():
    for asked in (False, True):
        config = configured(g_norm="batch", d_norm="batch", sync_batch_norm=asked)
        state = build_state(config, SHAPE)
        for network, count in (
            (state.generator, 2), (state.ema_generator, 2), (state.discriminator, 1),
        ):  # fmt: skip
            found = [layer.synchronized for layer in collectives.batch_norm_layers(network)]
            assert found == [asked] * count
