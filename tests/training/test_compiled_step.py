"""What the compiled step consists of; a GPU is not needed to see that all of it can run on one."""

import re
from collections import Counter

import pytest
import tensorflow as tf
from tensorflow.python.framework import kernels

from gan.data.datasets import dataset_from_config
from gan.run.presets import PRESETS, from_preset
from gan.training.builders import build_objective, build_pipeline, compile_train_steps
from gan.training.state import build_state

PRECISIONS = ("float32", "mixed_bfloat16", "mixed_float16")
# Of a compiled program: what goes to the host, or needs a library that calls it.
HOST = {"infeed", "outfeed", "send", "recv", "send-done", "recv-done", "custom-call"}


def traced(preset, precision):
    """Returns the step of a preset as one function of (block, first, last), and arguments."""
    config = from_preset(preset, {"precision": precision, "jit_compile": True})
    data = dataset_from_config(config, print)
    state = build_state(config, data.shape, classes=data.classes)
    objective = build_objective(config, data)
    steps = compile_train_steps(config, state, objective, run_eagerly=True)
    block = next(iter(build_pipeline(config, data)))
    step = tf.function(lambda *given: steps(*given, True), jit_compile=True, autograph=False)
    return step, (block, tf.constant(0), tf.constant(2))


def devices_of(operation):
    """Returns the kinds of devices that TensorFlow has an operation for; some name none at all."""
    return {
        kernel.device_type for kernel in kernels.get_registered_kernels_for_op(operation).kernel
    }


def without_gpu(graph):
    """Returns the operations of a traced function, and of those it calls, that no GPU can do."""
    definition = graph.as_graph_def()
    nodes = [*definition.node, *(n for f in definition.library.function for n in f.node_def)]
    found = {node.op for node in nodes}
    return {op for op in found if devices_of(op) and not devices_of(op) & {"GPU", "DEFAULT"}}


@pytest.mark.skipif("GPU" not in devices_of("MatMul"), reason="TensorFlow was built without GPUs")
@pytest.mark.parametrize(
    ("preset", "precision"),
    [
        *(("mlp", precision) for precision in PRECISIONS),
        ("small", "mixed_float16"),
        ("wgan_gp", "mixed_float16"),
        # Loss scaling asks most.
        *(
            pytest.param(preset, "mixed_float16", marks=pytest.mark.slow)
            for preset in PRESETS
            if preset not in ("mlp", "small", "wgan_gp", "images64")  # above; as images32
        ),
    ],
)
def test_all_of_a_step_can_stay_on_a_gpu(preset, precision):
    step, arguments = traced(preset, precision)
    assert without_gpu(step.get_concrete_function(*arguments).graph) == set()

    lower = step.experimental_get_compiler_ir(*arguments)
    text = lower(stage="hlo", device_name="/device:CPU:0")
    found = Counter(re.findall(r" = (?:\(.*?\)|\S+) ([a-z][a-z0-9-]*)\(", text))
    assert found["while"] == 1  # the steps of a call, and nothing else
    assert found["dot"] or found["convolution"]
    assert not HOST & set(found)


@pytest.mark.skipif("GPU" not in devices_of("MatMul"), reason="TensorFlow was built without GPUs")
def test_what_only_a_host_can_do_is_noticed():
    @tf.function
    def asks(x):
        return tf.numpy_function(lambda value: value, [tf.matmul(x, x)], tf.float32)

    assert without_gpu(asks.get_concrete_function(tf.eye(2)).graph) == {"PyFunc"}
