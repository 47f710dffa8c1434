import os

import keras
import numpy as np
import pytest
import tensorflow as tf
from tensorflow.python.framework import config as determinism

from gan.data.datasets import Dataset
from gan.errors import UserError
from gan.run.config import Config
from gan.training import builders, devices, trainer


@pytest.mark.parametrize(
    ("capability", "precision", "jit"),
    [
        (None, "float32", True),  # no GPU
        ((6, 1), "float32", True),
        ((7, 0), "mixed_float16", True),
        ((7, 5), "mixed_float16", True),
        ((8, 0), "mixed_bfloat16", True),
        ((9, 0), "mixed_bfloat16", True),
        ((0, 0), "float32", True),  # a GPU that does not say
    ],
)
def test_auto_precision_by_device(capability, precision, jit, monkeypatch):
    monkeypatch.setattr(devices, "compute_capability", lambda: capability)
    resolved = devices.resolve(Config(), {})
    assert (resolved.precision, resolved.jit_compile) == (precision, jit)
    explicit = devices.resolve(Config(precision="mixed_bfloat16"), {})
    assert explicit.precision == "mixed_bfloat16"
    assert explicit.jit_compile == (capability is not None)  # on CPUs oneDNN does it better
    assert devices.resolve(Config(jit_compile=False), {}).jit_compile is False


def test_xla_on_cpus_is_for_dense_networks(monkeypatch):
    monkeypatch.setattr(devices, "compute_capability", lambda: None)
    assert (
        devices.resolve(Config(generator="toy", discriminator="toy_tiny"), {}).jit_compile is True
    )
    for name in ("dcgan", "resnet_tiny"):
        assert devices.resolve(Config(discriminator=name), {}).jit_compile is False
    inner = keras.Sequential([keras.Input((8, 8, 1)), keras.layers.Conv2D(2, 3)])
    outer = keras.Sequential([keras.Input((8, 8, 1)), inner, keras.layers.Flatten()])
    dense = keras.Sequential([keras.Input((8,)), keras.layers.Dense(2)])
    assert (
        devices.resolve(Config(), {"generator": dense, "discriminator": outer}).jit_compile is False
    )
    assert devices.resolve(Config(), {"generator": dense}).jit_compile is True
    assert devices.resolve(Config(jit_compile=True), {"discriminator": outer}).jit_compile is True
    monkeypatch.setattr(devices, "compute_capability", lambda: (8, 0))
    assert devices.resolve(Config(discriminator="dcgan"), {}).jit_compile is True


def test_compute_capability_is_read_from_the_first_gpu(monkeypatch):
    details = {"gpu0": {"compute_capability": (8, 6)}, "gpu1": {}}
    monkeypatch.setattr(tf.config, "list_physical_devices", lambda kind: ["gpu0", "gpu1"])
    monkeypatch.setattr(tf.config.experimental, "get_device_details", details.get)
    assert devices.compute_capability() == (8, 6)
    monkeypatch.setattr(tf.config, "list_physical_devices", lambda kind: ["gpu1"])
    assert devices.compute_capability() == (0, 0)
    monkeypatch.setattr(tf.config, "list_physical_devices", lambda kind: [])
    assert devices.compute_capability() is None


def test_memory_grows_on_every_gpu(monkeypatch):
    grown = []
    monkeypatch.setattr(tf.config, "list_physical_devices", lambda kind: ["gpu0", "gpu1"])
    monkeypatch.setattr(
        tf.config.experimental, "set_memory_growth", lambda gpu, on: grown.append((gpu, on))
    )
    devices.prepare()
    assert grown == [("gpu0", True), ("gpu1", True)]


def test_the_environment_is_complete():
    found = devices.environment()
    assert found["tensorflow"] == tf.__version__
    count = len(os.sched_getaffinity(0))
    assert found["device"][0].endswith(f", {count} core" + "s" * (count > 1))
    assert {"tapegan", "keras", "numpy", "python", "git_revision"} < set(found)


def test_no_git_is_no_obstacle(monkeypatch):
    monkeypatch.setenv("PATH", "")
    assert devices.git_revision() is None


def test_memory_is_given_back_where_the_c_library_can(monkeypatch):
    asked = []

    class Library:
        def malloc_trim(self, padding):
            asked.append(padding)

    monkeypatch.setattr(devices.sys, "platform", "linux")
    monkeypatch.setattr(devices.ctypes, "CDLL", lambda name: Library())
    devices.release_memory()
    assert asked == [0]
    monkeypatch.setattr(devices.ctypes, "CDLL", lambda name: object())  # musl
    devices.release_memory()
    monkeypatch.setattr(devices.sys, "platform", "darwin")
    monkeypatch.setattr(devices.ctypes, "CDLL", lambda name: Library())
    devices.release_memory()
    assert asked == [0]


@pytest.mark.parametrize("name", ["float16", "bfloat16"])
def test_a_global_float_that_would_round_learning_rates_is_refused(name, monkeypatch):
    before = keras.config.floatx()
    try:
        keras.config.set_floatx(name)
        with pytest.raises(UserError, match=f"^floatx={name}: Keras' setting, .* float64; --prec"):
            devices.prepare()
        keras.config.set_floatx("float64")
        devices.prepare()
    finally:
        keras.config.set_floatx(before)


def test_the_inside_of_a_graph_is_refused():
    with tf.Graph().as_default(), pytest.raises(UserError, match="TensorFlow builds a graph here"):
        devices.prepare()
    devices.prepare()


def test_images_stay_on_one_gpu_if_they_are_arrays_that_fit(monkeypatch):
    images = Dataset(np.zeros([4, 2, 2, 1], np.uint8))
    assert not devices.keeps_images(Config(), images)  # no GPU
    monkeypatch.setattr(devices, "compute_capability", lambda: (8, 0))
    assert devices.keeps_images(Config(), images)
    monkeypatch.setattr(devices, "RESIDENT_BYTES", 15)
    assert not devices.keeps_images(Config(), images)
    monkeypatch.setattr(devices, "RESIDENT_BYTES", 16)
    assert devices.keeps_images(Config(), images)
    monkeypatch.setattr(devices.cluster, "has_several", lambda config: True)
    assert not devices.keeps_images(Config(), images)


def test_the_pipeline_of_a_gpu_starts_where_a_run_does(monkeypatch):
    given = {}
    monkeypatch.setattr(builders, "device_blocks", lambda data, **more: given.update(more) or "its")
    images = Dataset(np.zeros([4, 2, 2, 1], np.uint8))
    assert builders.build_pipeline(Config(), images, 7, 1) != "its"
    monkeypatch.setattr(devices, "compute_capability", lambda: (8, 0))
    monkeypatch.setattr(devices, "cores", lambda: 6)
    assert builders.build_pipeline(Config(seed=3, latent_dim=5, d_steps=2), images, 7, 1) == "its"
    assert given == {
        "threads": 3, "steps_per_call": 50, "d_steps": 2, "batch_size": 256, "latent_dim": 5,
        "seed": 3, "noise_seed": 3 + 2**31, "first_step": 7, "worker": 0, "workers": 1,
    }  # fmt: skip


def test_half_of_the_cores_draw_latents_for_a_gpu(monkeypatch):
    monkeypatch.setattr(devices, "cores", lambda: 16)
    assert devices.pipeline_threads() == 1
    monkeypatch.setattr(devices, "compute_capability", lambda: (8, 0))
    assert devices.pipeline_threads() == 8
    monkeypatch.setattr(devices, "cores", lambda: 1)
    assert devices.pipeline_threads() == 1


def test_determinism_is_asked_for_before_anything_is_built(tmp_path, tiny_config, monkeypatch):
    asked = []
    monkeypatch.setattr(
        tf.config.experimental, "enable_op_determinism", lambda: asked.append("determinism")
    )
    monkeypatch.setattr(trainer, "build", lambda *given: asked.append("networks") or 1 / 0)
    for deterministic, expected in ((False, ["networks"]), (True, ["determinism", "networks"])):
        asked.clear()
        with pytest.raises(ZeroDivisionError):
            trainer.train(tiny_config(deterministic=deterministic), tmp_path / "run", quiet=True)
        assert asked == expected


def test_what_a_run_computes_has_deterministic_kernels(tmp_path, tiny_config):
    try:
        config = tiny_config(steps=4, deterministic=True, jit_compile=True, evaluate_every=4)
        assert trainer.train(config, tmp_path, quiet=True)["status"] == "completed"
        assert determinism.is_op_determinism_enabled()
    finally:
        determinism.disable_op_determinism()  # not public: for the tests that follow
