"""The benchmark: what is compared, how it is measured, and the limits of the machine."""

import importlib.util
import json

import numpy as np
import pytest

from conftest import command
from experiments import benchmark, loops, roofline
from gan.data import load_dataset


def test_ratios_are_taken_turn_by_turn_and_to_the_best():
    """The machine is twice as slow in the second turn; the ratio is the same in both."""
    rates = {
        loops.MERGED: [8.0, 4.0, 6.0],
        loops.DEFAULT: [40.0, 20.0, 60.0],
        "PyTorch, float32": [20.0, 10.0, 15.0],
        "PyTorch compiled, float32": [25.0, 12.5, 12.0],
        loops.PRODUCTS["float32"]: [80.0, 40.0, 120.0],
        loops.TRAFFIC: [240.0, 120.0, 360.0],
        loops.PIPELINE: [400.0, 400.0, 600.0],
    }
    found = dict(benchmark.comparisons(rates))
    assert found == {
        "float32 to the merged model, Keras 2": [5.0, 5.0, 10.0],
        # 15 in the median, against 12.5.
        "float32 to the best of PyTorch (PyTorch, float32)": [2.0, 2.0, 4.0],
        "float32 to matrix products alone, float32": [0.5, 0.5, 0.5],
        # 1 / 80 + 1 / 240 = 1 / 60.
        "float32 to the roofline (products and traffic)": [pytest.approx(2 / 3)] * 3,
        "input pipeline alone to float32": [10.0, 20.0, 10.0],
    }


def test_what_was_not_measured_is_not_compared():
    assert dict(benchmark.comparisons({loops.DEFAULT: [1.0]})) == {}
    assert dict(benchmark.comparisons({loops.MERGED: [1.0]})) == {}


def test_the_report_has_medians_quartiles_and_losses():
    result = {
        "environment": {"device": ["cpu"]}, "batch_size": 256,
        "steps_per_second": {"ours": [40.0, 20.0, 60.0], "limit": [100.0, 100.0, 101.0]},
        "losses": {"ours": [1.024, 0.996]},
        "comparisons": {"ours to limit": [0.4, 0.5, 0.625]},
    }  # fmt: skip
    lines = benchmark.report(result).splitlines()
    assert "| ours | 40.0 (30.0 to 50.0) | 1.02, 1.00 |" in lines
    assert "| limit | 100.0 (100.0 to 100.5) |  |" in lines
    assert lines[-1] == "| ours to limit | 0.50 (0.40 to 0.62) |"


def test_loops_take_turns_with_the_same_number_of_steps(monkeypatch):
    clock, calls = [0.0], []
    monkeypatch.setattr(benchmark.time, "perf_counter", lambda: clock[0])

    def loop(name, seconds_a_step):
        def run(steps):
            calls.append((name, steps))
            clock[0] += steps * seconds_a_step

        return run

    made = {"a": loop("a", 0.01), "b": loop("b", 0.1), "c": loop("c", 3.0)}
    rates = benchmark.measure(made, 3, 10.0, {"c": 7})
    expected = {"a": [100.0] * 3, "b": [10.0] * 3, "c": [1 / 3] * 3}
    assert rates == {name: pytest.approx(values) for name, values in expected.items()}
    a, b, c = ("a", 1000), ("b", 100), ("c", 7)
    assert calls[-9:] == [a, b, c, c, b, a, a, b, c]


@pytest.mark.parametrize(("losses", "trains"), [((1.0, 0.9), True), ((1.386, 0.693), False),
                                                ((0.02, 5.0), False)])  # fmt: skip
def test_a_loop_that_does_not_train_is_not_measured(losses, trains):
    done = []

    def loop(steps):
        done.append(steps)
        return losses

    if trains:
        assert benchmark.learned(loop) == list(losses)
        assert sum(done) == 500
    else:
        with pytest.raises(AssertionError, match="this loop does not train"):
            benchmark.learned(loop)


MLP = ([100, 256, 512, 1024, 784], [784, 512, 256, 1])


@pytest.mark.parametrize(("schedule", "gflop"), [("alternating", 4.80), ("simultaneous", 3.76)])
def test_a_step_has_the_products_that_its_layers_need(schedule, gflop):
    found = roofline.products(*MLP, 256, schedule)
    assert sum(product.flops for product in found) / 1e9 == pytest.approx(gflop, abs=0.005)


def test_the_limits_are_those_of_the_default_networks():
    assert tuple(loops.widths()) == MLP
    # Seven float32 numbers for each weight of the dense layers.
    assert roofline.adam_bytes(*MLP) == 28 * (1_486_352 + 533_505)


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_the_product_loop_does_every_product_of_every_step(dtype, monkeypatch):
    wanted = roofline.products([3, 5, 4], [4, 2, 1], 6)
    done = []
    multiply = roofline.tf.matmul

    def counted(a, b, transpose_a=False, transpose_b=False):
        result = multiply(a, b, transpose_a=transpose_a, transpose_b=transpose_b)
        inner = a.shape[0 if transpose_a else 1]
        done.append(2 * inner * np.prod(result.shape))
        assert a.dtype.name == b.dtype.name == dtype
        return result

    monkeypatch.setattr(roofline.tf, "matmul", counted)
    loop = roofline.products_loop(wanted, roofline.tf.as_dtype(dtype))
    assert loop(2) is None
    assert sum(done) == sum(product.flops for product in wanted)  # once, in the traced loop


def test_the_command_measures_prints_and_writes(tmp_path):
    out = tmp_path / "new" / "bench.json"
    flags = ("--quick", "--repeats=2", "--seconds=0.1", f"--out={out}")
    done = command("experiments.benchmark", *flags)
    assert done.returncode == 0, done.stderr
    rates = json.loads(out.read_text())["steps_per_second"]
    peers = {"PyTorch": "torch", "JAX": "jax"}
    for row in loops.LOOPS:
        here = row.kind not in peers or importlib.util.find_spec(peers[row.kind])
        if here and row.quick:
            assert min(rates[row.name]) > 0
            assert f"| {row.name} |" in done.stdout
        else:
            assert row.name not in rates
            assert f"skipped: {row.name} " in done.stdout


@pytest.mark.parametrize("name", ["pytorch", "jax_scan"])
def test_peers_train(name):
    """Where the extra `bench` is installed."""
    pytest.importorskip({"pytorch": "torch", "jax_scan": "jax"}[name])
    peer = importlib.import_module(f"experiments.peers.{name}")
    loop = peer.loop(load_dataset("mnist", "", print).train_images)
    assert benchmark.learned(loop)
