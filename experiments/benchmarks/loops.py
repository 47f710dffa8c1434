"""The training loops that the benchmark compares, and the limits of the machine.

A loop is a function that does n steps and returns the losses of D and G at the last one, when they
are done; a limit returns None. Each is made in a process of its own, which imports one framework:
TensorFlow and PyTorch's Triton, one after the other in a process, end it.
"""

from __future__ import annotations

import dataclasses
import importlib.util
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from gan.run.config import Config

if TYPE_CHECKING:
    import keras

Loop = Callable[[int], tuple[float, float] | None]

OURS, SCRIPT, PYTORCH, JAX, LIMIT = "TapeGAN", "script", "PyTorch", "JAX", "limit"


class Row(NamedTuple):
    """A row of the table."""

    name: str
    kind: str
    precision: str  # "float32" or "bfloat16"
    make: Callable[[np.ndarray], Loop]
    also: str = ""  # what it computes besides networks, losses and Adam
    quick: bool = True  # whether --quick measures it
    unit: int = 5  # the fewest steps that are measured: those of a call


def tape_loop(
    images: np.ndarray,
    networks: tuple[keras.Model, keras.Model] | tuple[None, None] = (None, None),
    *,
    bare: bool = False,
    **changes: Any,
) -> Loop:
    """Returns what the trainer runs: pipeline, compiled step, a check after each call.

    Args:
        images: [N, H, W, C] uint8.
        networks: G and D, if not those of the configuration.
        bare: Without norms and checks, for good in this process.
        **changes: To the default configuration.
    """
    import tensorflow as tf

    from gan.algorithm import step
    from gan.data.datasets import Dataset
    from gan.training import devices
    from gan.training.builders import build_pipeline, compile_train_steps
    from gan.training.state import build_state
    from gan.training.strategy import replicas_of

    if bare:
        step.global_norm = lambda tensors: tf.zeros([])
        step.all_finite = lambda metrics, state: tf.constant(True)
    config = devices.resolve(dataclasses.replace(Config(), **changes), {})
    replicas = replicas_of(config, lambda line: None)
    with replicas.scope():
        state = build_state(config, images.shape[1:], *networks)
    run_steps = compile_train_steps(config, state, replicas=replicas)
    per_call = config.steps_per_call
    blocks = iter(build_pipeline(config, Dataset(images), replicas=replicas))

    def run(steps: int) -> tuple[float, float]:
        for done in range(0, steps, per_call):
            count = min(per_call, steps - done)
            block = replicas.split(next(blocks))
            metrics, finite = run_steps(block, tf.constant(0), tf.constant(count))
            if not finite:
                raise AssertionError(f"not finite: {metrics}")
            replicas.agreed_signal(None)
        return float(metrics["loss/d"]), float(metrics["loss/g"])

    return run


def pipeline_loop(images: np.ndarray) -> Loop:
    """Returns the input pipeline with nothing behind it."""
    from gan.data.datasets import Dataset
    from gan.training.builders import build_pipeline

    config = Config()
    blocks = iter(build_pipeline(config, Dataset(images)))

    def run(steps: int) -> None:
        for _ in range(-(-steps // config.steps_per_call)):
            next(blocks)

    return run


def merged_loop(images: np.ndarray) -> Loop:
    """Returns the literal script's loop.

    Raises:
        ImportError: `tf_keras` is not installed.
    """
    if not importlib.util.find_spec("tf_keras"):
        raise ImportError("no module tf_keras")
    import tf_keras

    from experiments.benchmarks.peers import merged

    return merged.loop(tf_keras, images)


def pytorch_loop(images: np.ndarray, **options: Any) -> Loop:
    """Returns PyTorch's loop.

    Raises:
        ImportError: `torch` is not installed.
    """
    from experiments.benchmarks.peers import pytorch

    return pytorch.loop(images, half_life=Config().ema_half_life, **options)


def jax_loop(images: np.ndarray, **options: Any) -> Loop:
    """Returns JAX's loop.

    Raises:
        ImportError: `jax` or `optax` is not installed.
    """
    from experiments.benchmarks.peers import jax_scan

    return jax_scan.loop(images, half_life=Config().ema_half_life, **options)


def widths() -> tuple[list[int], list[int]]:
    """Returns the sizes of the default G, from latents to image, and of D, from image to logit."""
    from gan.training import devices
    from gan.training.state import build_state

    state = build_state(devices.resolve(Config(), {}), (28, 28, 1))
    g, d = (
        [weight.shape for weight in network.trainable_variables if len(weight.shape) == 2]
        for network in (state.generator, state.discriminator)
    )
    return [g[0][0], *(n for _, n in g)], [d[0][0], *(n for _, n in d)]


def products_limit(images: np.ndarray, dtype: str) -> Loop:
    """Returns the matrix products of the default step."""
    from experiments.benchmarks import roofline

    return roofline.products_loop(roofline.products(*widths(), Config().batch_size), dtype)


def traffic_limit(images: np.ndarray) -> Loop:
    """Returns the memory traffic of Adam in the default step."""
    from experiments.benchmarks import roofline

    return roofline.copy_loop(roofline.adam_bytes(*widths()))


F32, BF16 = "float32", "bfloat16"
MERGED = "merged model, Keras 2"
DEFAULT = "two tapes, float32"
BFLOAT16 = "two tapes, bfloat16"
BARE = {F32: f"{DEFAULT}, as little as the peers", BF16: f"{BFLOAT16}, as little as the peers"}
PRODUCTS = {F32: "matrix products alone, float32", BF16: "matrix products alone, bfloat16"}
TRAFFIC = "Adam's memory traffic alone"
PIPELINE = "input pipeline alone"

ALL, AVERAGE = "norms, finite check, average", "average"  # of the weights
f32, bf16 = partial(tape_loop, precision="float32"), partial(tape_loop, precision="mixed_bfloat16")

LOOPS = (
    Row(MERGED, SCRIPT, F32, merged_loop, "accuracy"),
    Row(DEFAULT, OURS, F32, f32, ALL, unit=50),
    Row(BARE[F32], OURS, F32, partial(f32, bare=True), AVERAGE, unit=50),
    Row(f"{DEFAULT}, one step a call", OURS, F32, partial(f32, steps_per_call=1), ALL, quick=False),
    Row("PyTorch, float32", PYTORCH, F32, pytorch_loop, AVERAGE),
    Row("PyTorch compiled, float32", PYTORCH, F32, partial(pytorch_loop, compiled=True), AVERAGE,
        quick=False),
    Row("JAX, float32", JAX, F32, jax_loop, AVERAGE, unit=50),
    Row(BFLOAT16, OURS, BF16, bf16, ALL, unit=50),
    Row(BARE[BF16], OURS, BF16, partial(bf16, bare=True), AVERAGE, unit=50),
    Row(f"{BFLOAT16}, one step a call", OURS, BF16, partial(bf16, steps_per_call=1), ALL,
        quick=False),
    Row("PyTorch, bfloat16", PYTORCH, BF16, partial(pytorch_loop, bfloat16=True), AVERAGE),
    Row("PyTorch compiled, bfloat16", PYTORCH, BF16,
        partial(pytorch_loop, bfloat16=True, compiled=True), AVERAGE, quick=False),
    Row("JAX, bfloat16", JAX, BF16, partial(jax_loop, bfloat16=True), AVERAGE, quick=False,
        unit=50),
    Row(PRODUCTS[F32], LIMIT, F32, partial(products_limit, dtype=F32)),
    Row(PRODUCTS[BF16], LIMIT, BF16, partial(products_limit, dtype=BF16)),
    Row(TRAFFIC, LIMIT, F32, traffic_limit),
    Row(PIPELINE, LIMIT, F32, pipeline_loop, unit=50),
)  # fmt: skip
