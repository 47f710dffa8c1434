"""What the tests of replicas run in a process with two logical CPUs, which has to be its own.

``python two_devices.py '{"name": [precision, {changes of the configuration}], ...}'`` trains each
case on one device and on both, for 20 steps, and prints a line of JSON: what was found, by case.
"""

import json
import sys

import keras
import numpy as np
import tensorflow as tf

import gan  # noqa: F401
from gan import step as step_module
from gan.config import Config
from gan.datasets import Dataset
from gan.optimizers import FusedAdam
from gan.recipe import compiled_steps, pipeline
from gan.state import build_state
from gan.step import GanState
from gan.strategy import Replicas, local_devices, mirrored

STEPS, SHAPE = 20, (28, 28, 1)
DATA = Dataset(np.random.default_rng(0).integers(0, 256, (96, *SHAPE), np.uint8))


def two_cpus():
    """Makes this process see two CPUs, before TensorFlow starts."""
    (cpu,) = tf.config.list_physical_devices("CPU")
    tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * 2)


def configured(**changes):
    defaults = {
        "generator": "tiny", "discriminator": "tiny", "g_norm": "none", "latent_dim": 8,
        "batch_size": 16, "steps_per_call": STEPS, "precision": "float32", "jit_compile": False,
    }  # fmt: skip
    return Config(**{**defaults, **changes})


def exact_state(config):
    """Networks of float64 all through, which the configuration cannot name."""
    norm = [keras.layers.BatchNormalization(synchronized=True)] * config.sync_batch_norm
    dense = [
        keras.layers.Dense(n, kernel_initializer=keras.initializers.GlorotUniform(seed=n))
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
    optimizers = [FusedAdam(2e-4, config.beta_1, config.beta_2) for _ in range(2)]
    for optimizer, network in zip(optimizers, (generator, discriminator), strict=True):
        optimizer.build(network.trainable_variables)
    step = tf.Variable(0, dtype=tf.int64, trainable=False)
    return GanState(generator, discriminator, ema, *optimizers, step)


def trained(config, exact, replicas):
    """Trains and returns (change of all weights, metrics); replicas must be equal."""
    with replicas.scope():
        state = exact_state(config) if exact else build_state(config, SHAPE)
    variables = [v for network in state[:3] for v in network.trainable_variables]
    before = [v.numpy().copy() for v in variables]
    block = replicas.split(next(iter(pipeline(config, DATA))))
    run = compiled_steps(config, state, replicas=replicas)
    metrics, finite = run(block, tf.constant(0), tf.constant(STEPS))
    assert finite
    assert int(state.step.numpy()) == STEPS
    replicas.check_equal(state)
    moved = [v.numpy() - old for v, old in zip(variables, before, strict=True)]
    change = np.concatenate([one.ravel() for one in moved])
    return change, {name: float(value) for name, value in metrics.items()}


def main():
    two_cpus()
    both, found = Replicas(mirrored(tuple(local_devices()))), {}
    for name, (precision, changes) in json.loads(sys.argv[1]).items():
        exact = precision == "float64"
        keras.config.set_floatx("float64" if exact else "float32")
        keras.config.set_dtype_policy("float64" if exact else "float32")
        to_float = step_module.to_float
        if exact:
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
    print(json.dumps(found))


if __name__ == "__main__":
    main()
