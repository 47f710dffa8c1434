"""What the tests of replicas run in a process with two logical CPUs, which has to be its own.

``python two_devices.py train FLAGS`` is ``python -m experiments.train FLAGS`` there. The other
commands print a line of JSON and take one: see `agree` and `exchange`.
"""

import json
import runpy
import sys
import zlib
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf

import gan  # noqa: F401
from gan.algorithm import step as step_module
from gan.algorithm.losses import Loss
from gan.algorithm.objective import Objective
from gan.algorithm.optimizer_table import OPTIMIZERS
from gan.algorithm.step import GanState, discriminator_update
from gan.data.datasets import Dataset
from gan.data.images import to_float
from gan.data.input_pipeline import Batch
from gan.errors import TrainingFailed
from gan.run.config import Config
from gan.training.builders import build_objective, build_pipeline, compile_train_steps
from gan.training.checkpoints import checkpoint_manager, restore
from gan.training.cluster import local_devices
from gan.training.state import build_state
from gan.training.strategy import Replicas, mirrored
from gan.training.trainer import train

STEPS, SHAPE = 20, (28, 28, 1)
RNG = np.random.default_rng(0)
DATA = Dataset(RNG.integers(0, 256, (96, *SHAPE), np.uint8), RNG.integers(0, 10, 96))


def two_cpus():
    """Makes this process see two CPUs, before TensorFlow starts."""
    (cpu,) = tf.config.list_physical_devices("CPU")
    tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * 2)


def configured(**changes):
    defaults = {
        "generator": "tiny", "discriminator": "tiny", "g_norm": "none", "latent_dim": 8,
        "batch_size": 16, "steps_per_call": STEPS, "precision": "float32", "jit_compile": False,
        "ema_half_life": 8,  # images: at 20 steps the ramp of the average is over
    }  # fmt: skip
    return Config(**{**defaults, **changes})


def exact_state(config):
    """Networks of float64 all through, which the configuration cannot name."""
    norm = [keras.layers.BatchNormalization(synchronized=True)] * config.sync_batch_norm
    dense = [
        keras.layers.Dense(
            n, kernel_initializer=keras.initializers.GlorotUniform(seed=n), kernel_regularizer="l2"
        )
        for n in (24, 784, 16, 1)
    ]
    leaky, flat = keras.layers.LeakyReLU, keras.layers.Flatten
    generator = keras.Sequential(
        [keras.Input([8]), dense[0], *norm, leaky(), dense[1], keras.layers.Reshape(SHAPE)]
    )
    channels = SHAPE[-1] * config.pack
    discriminator = keras.Sequential(
        [keras.Input([*SHAPE[:2], channels]), flat(), dense[2], leaky(), dense[3]]
    )
    ema = keras.models.clone_model(generator)
    ema.set_weights(generator.get_weights())
    make = OPTIMIZERS[config.optimizer].make
    rates = (config.g_learning_rate, config.d_learning_rate)
    optimizers = [make(rate, config.beta_1, config.beta_2) for rate in rates]
    for optimizer, network in zip(optimizers, (generator, discriminator), strict=True):
        optimizer.build(network.trainable_variables)
    step = tf.Variable(0, dtype=tf.int64, trainable=False)
    rollbacks = tf.Variable(0, dtype=tf.int64, trainable=False)
    return GanState(generator, discriminator, ema, *optimizers, step, rollbacks)


def trained(config, exact, replicas):
    """Trains and returns (change of all weights, metrics); replicas must end equal."""
    with replicas.scope():
        state = exact_state(config) if exact else build_state(config, SHAPE, classes=10)
    variables = [v for network in state[:3] for v in network.trainable_variables]
    before = [v.numpy().copy() for v in variables]
    block = replicas.split(next(iter(build_pipeline(config, DATA))))
    run = compile_train_steps(config, state, build_objective(config, DATA), replicas=replicas)
    warm = config.d_warmup_steps
    for first, last in ((0, warm), (warm, STEPS))[not warm :]:
        metrics, finite = run(block, tf.constant(first), tf.constant(last), first >= warm)
        assert finite
    assert int(state.step.numpy()) == STEPS
    replicas.check_equal(state)
    moved = [v.numpy() - old for v, old in zip(variables, before, strict=True)]
    change = np.concatenate([one.ravel() for one in moved])
    return change, {name: float(value) for name, value in metrics.items()}


def agree(cases):
    """Trains each case on one device and on both, for 20 steps.

    `cases` are {name: [precision, changes of the configuration]}. Returns by name the norm of the
    change of all weights, the norm of the difference relative to it, and the metrics of both.
    """
    both, found = Replicas(mirrored(tuple(local_devices()))), {}
    for name, (precision, changes) in cases.items():
        exact, to_float = precision == "float64", step_module.to_float
        if exact:
            keras.config.set_floatx("float64")
            keras.config.set_dtype_policy("float64")
            step_module.to_float = lambda images: tf.cast(images, tf.float64) / 127.5 - 1.0
        config = configured(**({} if exact else {"precision": precision}), **changes)
        (one, one_metrics), (two, two_metrics) = (
            trained(config, exact, replicas) for replicas in (Replicas(), both)
        )
        step_module.to_float = to_float
        found[name] = {
            "moved": float(np.linalg.norm(one)),
            "difference": float(np.linalg.norm(one - two) / np.linalg.norm(one)),
            "metrics": [one_metrics, two_metrics],
        }
    return found


def exchange(directories):
    """Trains on both devices in one directory; restores what one device saved in another.

    Returns the checksums of the restored variables on each device, what the trainer says when a
    weight of one device is changed by hand, and a network built outside of the scope.
    """
    config = configured(strategy="mirrored", steps=4, steps_per_call=2, checkpoint_every=2)
    summary = train(config, directories["write"], data=DATA, quiet=True)
    replicas = Replicas(mirrored(tuple(local_devices())))
    with replicas.scope():
        state = build_state(config, SHAPE)
    step = restore(state, checkpoint_manager(state, Path(directories["read"]), 3))
    values = [v.value for part in state[:5] for v in part.variables]
    local = replicas.strategy.experimental_local_results
    sums = [[zlib.crc32(local(v)[i].numpy().tobytes()) for v in values] for i in range(2)]
    replicas.check_equal(state)
    kernel = local(state.discriminator.trainable_variables[0].value)[1]
    kernel.assign(kernel + 1e-7)
    try:
        replicas.check_equal(state)
        complaint = None
    except TrainingFailed as error:
        complaint = str(error)
    found = {"step": step, "sums": sums, "complaint": complaint, "summary": summary}
    return {**found, **overflow(replicas)}


def overflow(replicas):
    """Does a step under loss scaling, in which the loss of replica 1 alone overflows.

    Returns the scales of both before and after, and whether a weight moved.
    """
    config = configured(precision="mixed_float16")
    with replicas.scope():
        state = build_state(config, SHAPE)

    def huge(real, fake):
        mine = tf.distribute.get_replica_context().replica_id_in_sync_group
        return (real + fake) * tf.where(tf.equal(mine, 1), 1e35, 1.0)

    def scales():
        local = replicas.strategy.experimental_local_results(state.d_optimizer.dynamic_scale.value)
        return [float(one.numpy()) for one in local]

    before = scales(), [v.numpy().copy() for v in state.discriminator.variables]
    block = replicas.split(next(iter(build_pipeline(config, DATA))))
    key = tf.constant([0, 3], tf.int64)

    def update(block):
        batch = Batch(to_float(block.images[0, 0]), block.labels[0, 0], block.latents[0, 0])
        return discriminator_update(state, batch, Objective(Loss(huge, huge)), key)

    tf.function(lambda block: replicas.run(update, block))(block)
    replicas.check_equal(state)
    pairs = zip(before[1], state.discriminator.variables, strict=True)
    moved = any(not np.array_equal(old, v.numpy()) for old, v in pairs)
    return {"scales": [before[0], scales()], "moved": moved}


if __name__ == "__main__":
    two_cpus()
    command = sys.argv.pop(1)
    if command == "train":
        runpy.run_module("experiments.train", run_name="__main__")
    else:
        print(json.dumps({"agree": agree, "exchange": exchange}[command](json.loads(sys.argv[1]))))
