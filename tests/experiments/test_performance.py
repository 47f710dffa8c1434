"""What speed depends on, counted without a clock."""

import math
import re

import pytest
import tensorflow as tf

from experiments import soak
from gan.data.input_pipeline import Batch
from gan.run.config import Config
from gan.training import devices, trainer
from gan.training.builders import compile_train_steps
from gan.training.state import build_state
from gan.training.trainer import train

SHAPE = r"\w+\[([\d,]*)\]"


def numbers(text):
    return [int(part) for part in text.split(",") if part]


def matrix_flops(program):
    """Returns the floating-point operations of all matrix products in an HLO program, once each."""
    shapes = {
        found[1]: numbers(found[2])
        for found in re.finditer(rf"(%[\w.-]+)(?: =|:) {SHAPE}", program)
    }
    product = rf"= {SHAPE}\S* dot\((%[\w.-]+),.*?lhs_contracting_dims={{([\d,]*)}}"
    return sum(
        2 * math.prod(numbers(found[1]))
        * math.prod(shapes[found[2]][i] for i in numbers(found[3]))
        for found in re.finditer(product, program)
    )  # fmt: skip


@pytest.mark.parametrize(("schedule", "gflop"), [("alternating", 4.80), ("simultaneous", 3.76)])
def test_the_compiled_step_does_the_products_of_the_algorithm_and_no_others(schedule, gflop):
    """The loop over the steps of a block is a `while`, whose body is in the program once."""
    config = devices.resolve(Config(schedule=schedule, precision="float32", jit_compile=True), {})
    run_steps = compile_train_steps(config, build_state(config, (28, 28, 1)))
    images, labels = tf.zeros([2, 1, 256, 28, 28, 1], tf.uint8), tf.zeros([2, 1, 256], tf.int32)
    block = Batch(images, labels, tf.zeros([2, 2, 256, 100]))
    program = run_steps.experimental_get_compiler_ir(block, tf.constant(0), tf.constant(2), True)
    assert matrix_flops(program(stage="optimized_hlo")) / 1e9 == pytest.approx(gflop, rel=0.05)


def test_matrix_flops_counts_a_product_by_hand():
    program = """
      %p (a: f32[3,4]) -> f32[3,5] {
        %a = f32[3,4]{1,0} parameter(0)
        %b.1 = f32[4,5]{1,0} constant({...})
        ROOT %c = f32[3,5]{1,0} dot(%a, %b.1), lhs_contracting_dims={1}, rhs_contracting_dims={0}
    """
    assert matrix_flops(program) == 2 * 3 * 4 * 5


def test_python_is_entered_once_for_each_call_of_many_steps(tiny_config, tmp_path, monkeypatch):
    calls = []

    def counting(*arguments, **options):
        run_steps = compile_train_steps(*arguments, **options)

        def counted(block, first, last, update_generator):
            calls.append(int(last - first))
            return run_steps(block, first, last, update_generator)

        counted.experimental_get_tracing_count = run_steps.experimental_get_tracing_count
        return counted

    monkeypatch.setattr(trainer, "compile_train_steps", counting)
    cadences = ("steps_per_call", "log_every", "sample_every", "checkpoint_every")
    default = {name: getattr(Config(), name) for name in cadences}
    train(tiny_config(steps=1000, batch_size=2, **default), tmp_path, quiet=True)
    assert calls == [50] * 20  # 1,000 steps


def test_a_soak_that_measured_nothing_has_not_passed():
    row = {"memory": 100.0, "files": 9.0, "threads": 9.0}
    assert soak.growth([row, row]) == []
    assert soak.growth([row, {**row, "files": 10.0}]) == ["files 9 to 10"]
    for rows in ([], [row]):
        (line,) = soak.growth(rows)
        assert line == f"not known, of {len(rows)} rows after the warm-up"
