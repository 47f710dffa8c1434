"""The benchmark: what is compared, how it is measured, and the limits of the machine."""

import importlib
import json
import os
import pickle
import subprocess
import sys
from functools import partial

import numpy as np
import pytest

from benchmark_loops import dying, missing, same_time, wrong
from experiments import benchmark
from experiments.benchmarks import (
    folders,
    loops,
    measure,
    operations,
    roofline,
    scaling,
    startup,
    workers,
)
from experiments.benchmarks.processes import LoopFailed, LoopProcess
from gan.algorithm import step
from gan.cli import command
from gan.data.datasets import load_dataset
from gan.errors import UserError
from gan.run.config import Config


def test_ratios_are_taken_turn_by_turn_and_to_the_best():
    """The machine is twice as slow in the second turn; the ratio is the same in both."""
    rates = {
        loops.MERGED: [8.0, 4.0, 6.0],
        loops.DEFAULT: [40.0, 20.0, 60.0],
        loops.BARE["float32"]: [50.0, 25.0, 75.0],
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
        "float32, as little as the peers, to the best of PyTorch (PyTorch, float32)": [
            2.5,
            2.5,
            5.0,
        ],
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
        "batch_size": 256,
        "steps_per_second": {"ours": [40.0, 20.0, 60.0], "limit": [100.0, 100.0, 101.0]},
        "also": {"ours": "norms, average", "limit": ""},
        "losses": {"ours": [1.184, 0.806]},
        "failed": ["theirs"],
        "comparisons": {"ours to limit": [0.4, 0.5, 0.625]},
    }  # fmt: skip
    lines = benchmark.report(result).splitlines()
    assert "| ours | norms, average | 40.0 (30.0 to 50.0) | 1.18, 0.81 |" in lines
    assert "| limit |  | 100.0 (100.0 to 100.5) |  |" in lines
    assert "| theirs | | **failed** | |" in lines
    assert lines[-1] == "| ours to limit | 0.50 (0.40 to 0.62) |"


def test_loops_take_turns_with_the_same_number_of_steps(monkeypatch):
    timer, calls = [0.0], []
    monkeypatch.setattr(measure.time, "perf_counter", lambda: timer[0])

    def loop(name, seconds_a_step):
        def run(steps):
            calls.append((name, steps))
            timer[0] += steps * seconds_a_step

        return run

    made = {"a": loop("a", 0.01), "b": loop("b", 0.1), "c": loop("c", 3.0)}
    rates = measure.measure(made, 3, 10.0, {"c": 7})
    expected = {"a": [100.0] * 3, "b": [10.0] * 3, "c": [1 / 3] * 3}
    assert rates == {name: pytest.approx(values) for name, values in expected.items()}
    a, b, c = ("a", 1000), ("b", 100), ("c", 7)
    assert calls[-9:] == [a, b, c, c, b, a, a, b, c]


def test_the_losses_are_the_mean_of_the_last_of_500_steps():
    done = []

    def loop(steps):
        done.append(steps)
        return float(sum(done)), 1.0

    # 405, 410, ..., 500.
    assert benchmark.learned(loop) == [452.5, 1.0]
    assert sum(done) == 500


def test_a_loop_that_does_not_train_is_marked():
    assert benchmark.trains([1.18, 0.81])
    for losses in ([1.386, 0.693], [0.02, 5.0]):  # D learns nothing; G does not
        assert not benchmark.trains(losses)
    result = {
        "batch_size": 256, "comparisons": {}, "also": {"bad": ""}, "failed": [],
        "steps_per_second": {"bad": [40.0, 40.0]}, "losses": {"bad": [1.386, 0.693]},
    }  # fmt: skip
    assert "| 1.39, 0.69, **does not train** |" in benchmark.report(result)


MLP = ([100, 256, 512, 1024, 784], [784, 512, 256, 1])


@pytest.mark.parametrize(("schedule", "gflop"), [("alternating", 4.80), ("simultaneous", 3.76)])
def test_a_step_has_the_products_that_its_layers_need(schedule, gflop):
    found = roofline.products(*MLP, 256, schedule)
    assert sum(product.flops for product in found) / 1e9 == pytest.approx(gflop, abs=0.005)


def test_the_limits_are_those_of_the_default_networks():
    assert tuple(loops.widths()) == MLP
    # Seven float32 numbers for each weight of the dense layers.
    assert roofline.adam_bytes(*MLP) == 28 * (1_486_352 + 533_505)
    (traffic,) = (row for row in loops.LOOPS if row.name == loops.TRAFFIC)
    assert traffic.make(None)(1) is None


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
    loop = roofline.products_loop(wanted, dtype)
    assert loop(2) is None
    assert sum(done) == sum(product.flops for product in wanted)  # once, in the traced loop


@pytest.fixture
def images(tmp_path):
    np.save(tmp_path / "images.npy", np.full([2, 3], 7, np.uint8))
    return tmp_path / "images.npy"


def test_a_process_gets_the_images_and_does_the_steps_that_it_is_told(images):
    loop = LoopProcess(dying, images)
    assert loop(5) == (42.0, 5.0)
    assert loop(2) == (42.0, 7.0)
    with pytest.raises(LoopFailed, match="its process was ended by SIGSEGV"):
        loop(1)
    with pytest.raises(LoopFailed, match="SIGSEGV"):  # and no BrokenPipeError
        loop(1)
    loop.end()


def test_what_a_process_cannot_do_is_said_in_a_line(images):
    with pytest.raises(ImportError, match="No module named 'other'"):
        LoopProcess(missing, images)
    with pytest.raises(LoopFailed, match=r"^ValueError: a product of other sizes$"):
        LoopProcess(wrong, images)


def test_a_process_of_another_framework_has_no_tensorflow():
    code = "import sys, experiments.benchmarks.loops; sys.exit('tensorflow' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
    for row in loops.LOOPS:
        pickle.dumps(row.make)  # as it is sent to its process


def test_a_loop_that_fails_in_its_turn_is_named_and_the_others_go_on(monkeypatch, capsys):
    timer, turns = [0.0], []
    monkeypatch.setattr(measure.time, "perf_counter", lambda: timer[0])

    def good(steps):
        timer[0] += steps * 0.1

    def bad(steps):
        turns.append(steps)
        timer[0] += steps * 0.1
        if len(turns) > 3:  # in its first turn
            raise LoopFailed("its process was ended by SIGKILL")

    made = {"bad": bad, "good": good}
    assert measure.measure(made, 3, 1.0, {"bad": 1, "good": 1}) == {"good": [pytest.approx(10)] * 3}
    assert "failed: bad: its process was ended by SIGKILL" in capsys.readouterr().err


def call(monkeypatch, *arguments):
    monkeypatch.setattr(sys, "argv", ["benchmark", *map(str, arguments)])
    with pytest.raises(SystemExit) as end:
        command.run("usage", benchmark.define, benchmark.main)
    return end.value.code


TINY = {"generator": "tiny", "discriminator": "tiny", "jit_compile": False}  # costs the least


def test_the_command_measures_prints_and_writes(tmp_path, monkeypatch, capsys):
    """The rows are the table's, but for the networks."""
    real = {row.name: row for row in loops.LOOPS}
    real[loops.DEFAULT] = real[loops.DEFAULT]._replace(
        make=partial(real[loops.DEFAULT].make, **TINY)
    )
    others = (
        loops.Row("slow", loops.PYTORCH, "float32", missing, quick=False),
        loops.Row("other", loops.JAX, "float32", missing),
        loops.Row("broken", loops.JAX, "float32", wrong),
        loops.Row("dying", loops.JAX, "float32", dying),
    )
    rows = (real[loops.DEFAULT], real[loops.PIPELINE], *others)
    monkeypatch.setattr(loops, "LOOPS", rows)
    out = tmp_path / "new" / "bench.json"
    assert call(monkeypatch, "--quick", "--repeats=2", "--seconds=0.1", f"--out={out}") == 0
    printed, progress = capsys.readouterr()
    result = json.loads(out.read_text())
    assert list(result["steps_per_second"]) == [loops.DEFAULT, loops.PIPELINE]
    for name, rates in result["steps_per_second"].items():
        assert min(rates) > 0
        assert f"| {name} | {real[name].also} |" in printed
    assert list(result["comparisons"]) == ["input pipeline alone to float32"]
    assert result["failed"] == ["broken", "dying"]
    assert "skipped: slow, not for --quick" in progress
    assert "skipped: other needs the extra `bench` (No module named 'other')" in progress
    assert "failed: broken: ValueError: a product of other sizes" in progress


def test_as_little_as_the_peers_is_the_same_step_without_norms_and_checks():
    """In this process, so that what is patched must be put back."""
    images = load_dataset("mnist", "", print).train_images[:600]
    kept = step.global_norm, step.all_finite
    try:
        small = {**TINY, "precision": "float32"}
        full = loops.tape_loop(images, **small)(10)
        bare = loops.tape_loop(images, bare=True, **small)
        assert bare(10) == pytest.approx(full, rel=1e-5)
        assert step.global_norm([1.0]) == 0
        assert step.all_finite({"loss/d": np.nan}, None)
    finally:
        step.global_norm, step.all_finite = kept


def test_the_second_table_says_how_cost_grows(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(scaling, "variants", lambda: {
        "batch 64": {"batch_size": 64, **TINY}, "model tiny": TINY,
    })  # fmt: skip
    out = tmp_path / "bench.json"
    assert call(monkeypatch, "--table=scaling", "--repeats=2", "--seconds=0.1", f"--out={out}") == 0
    first, second = json.loads(out.read_text())["scaling"]
    assert (first["variant"], second["variant"]) == ("batch 64", "model tiny")
    for row, batch in ((first, 64), (second, 256)):
        assert row["images_per_second"] == pytest.approx(
            np.multiply(row["steps_per_second"], batch)
        )
    assert "| batch 64 |" in capsys.readouterr().out


def test_every_variant_is_a_configuration_or_a_width():
    table = scaling.variants()
    assert {"batch 64", "batch 4096", "1 steps a call", "200 steps a call", "width x 2"} <= set(
        table
    )
    pairs = ("mlp", "dcgan", "dcgan_dense", "resnet")
    assert {name for name in table if "model" in name} == {
        *(f"model {name}" for name in pairs), "model tiny",
        *(f"model {name}_tiny" for name in pairs[1:]),
    }  # fmt: skip
    for changes in table.values():
        Config(**{name: value for name, value in changes.items() if name != "width"})
    images = np.zeros((1, 28, 28, 1), np.uint8)
    g, d = scaling.wider(images, 2)
    assert [w.shape[1] for w in g.trainable_variables if len(w.shape) == 2] == [
        512,
        1024,
        2048,
        784,
    ]
    assert [w.shape[1] for w in d.trainable_variables if len(w.shape) == 2] == [1024, 512, 1]


@pytest.mark.parametrize(
    "flags",
    [
        "--table=operations --quick",
        "--table=losses --repeats=3",
        "--table=startup --seconds=2",
        "--table=folders --quick",
        "--images=5",
        "--table=startup --images=5",
    ],
)
def test_flags_that_mean_nothing_to_a_table_are_refused(flags, tmp_path, monkeypatch, capsys):
    out = tmp_path / "new" / "bench.json"
    assert call(monkeypatch, *flags.split(), f"--out={out}") == 2
    assert "means nothing to --table=" in capsys.readouterr().err
    assert not out.parent.exists()


def test_the_operations_of_a_step_are_counted(monkeypatch, capsys):
    monkeypatch.setattr(operations, "STEPS", 10)
    found = operations.measure(load_dataset("mnist", "", print).train_images, "float32")
    # G has 8 dense weights and 6 of BatchNorm, D has 6. D's update: G forward 4, D forward 3, its
    # gradients 5, of real and fake images together. G's: forward 4 and 3, gradients 3 and 7.
    # The profiler loses some events.
    assert found["ResourceApplyAdam"][1] == pytest.approx(20, rel=0.1)
    products = [times for kind, (_, times) in found.items() if "MatMul" in kind]
    assert sum(products) == pytest.approx(29, rel=0.1)
    assert all(milliseconds >= 0 for milliseconds, _ in found.values())
    assert not any(kind.startswith(operations.ENCLOSING) for kind in found)


def test_operations_are_shown_with_the_sum_of_the_others():
    kinds = {f"op{i}": [20.0 - i, 1.0] for i in range(operations.SHOWN + 2)}
    lines = operations.table({"float32": kinds}).splitlines()
    assert lines[2] == "| op0 | 20.00 | 1 |"
    assert lines[-1] == "| 2 others | 11.00 | |"  # 20 - 14 + 20 - 15


def test_a_start_is_taken_apart(monkeypatch):
    command_line = [*startup.COMMAND, "--preset=tiny", "--nojit_compile"]
    monkeypatch.setattr(startup, "COMMAND", command_line)
    total, tasks = startup.start()
    assert {"imports", "data", "networks", "pipeline", "first call", "pictures"} <= set(tasks)
    assert 0 < tasks["imports"] < total
    assert sum(tasks.values()) <= total


def test_the_table_of_folders_has_both_readings(tmp_path, monkeypatch, capsys):
    out = tmp_path / "bench.json"
    assert call(monkeypatch, "--table=folders", "--images=423", f"--out={out}") == 0
    found = json.loads(out.read_text())
    assert found["images"] == 423  # of which a part is held out
    assert list(found["folders"]) == ["read", "from the cache"]
    for seconds, peak in found["folders"].values():
        assert 0 < seconds < 100
        assert 20 < peak < 300
    printed = capsys.readouterr().out
    assert "| 423 JPEG files of 64 pixels | seconds | images/s | peak memory, MB |" in printed
    lines = folders.table({"read": [2.0, 1234.0]}, 3000).splitlines()
    assert lines[2] == "| read | 2.0 | 1,500 | 1,234 |"


def test_a_team_does_its_steps_at_the_same_time(tmp_path):
    """Each waits for the other's bytes; a step takes 20 ms of CPU time, they say."""
    names = [str(tmp_path / name) for name in "ab"]
    for name in names:
        os.mkfifo(name)
    np.save(tmp_path / "names.npy", names)
    team = workers.Team([same_time, partial(same_time, order=-1)], tmp_path / "names.npy")
    try:
        team(5)
        team(10)
    finally:
        team.end()
    assert team.milliseconds == pytest.approx([20.0, 20.0])


def test_two_workers_are_beside_one_turn_by_turn():
    found = workers.Found([2.0, 1.0, 4.0], [500.0, 500.0, 500.0])
    both = workers.Found([1.52, 0.96, 2.24], [600.0, 500.0, 550.0])
    lines = workers.table({"x": {workers.ONE: found, workers.TOGETHER: both}}).splitlines()
    assert lines[2:] == [
        "| x: one worker | 2.00 (1.50 to 3.00) |  | 500.0 (500.0 to 500.0) |",
        "| x: two workers | 1.52 (1.24 to 1.88) | 0.76 (0.66 to 0.86) | 550.0 (525.0 to 575.0) |",
    ]


def test_workers_need_a_core_each(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(os, "sched_getaffinity", lambda process: {3})
    out = tmp_path / "new" / "bench.json"
    assert call(monkeypatch, "--table=workers", f"--out={out}") == 2
    assert "--table=workers: needs two cores" in capsys.readouterr().err
    assert not out.parent.exists()


@pytest.mark.slow
def test_the_table_of_workers_trains_in_all_ways(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(workers, "CASES", (workers.Case("tiny", True, 4, 2, TINY),))
    monkeypatch.setattr(workers, "COUNT", 30)
    out = tmp_path / "bench.json"
    flags = ("--table=workers", "--repeats=2", "--seconds=0.1", f"--out={out}")
    assert call(monkeypatch, *flags) == 0
    found = json.loads(out.read_text())["workers"]["tiny"]
    assert list(found) == [workers.ONE, workers.TOGETHER, workers.APART]
    for one in found.values():
        assert len(one["steps_per_second"]) == len(one["milliseconds"]) == 2
        assert min(one["steps_per_second"]) > 0
        assert min(one["milliseconds"]) > 0
    assert "| tiny: two workers | " in capsys.readouterr().out


def test_the_third_table_has_starts_and_answers(monkeypatch, tmp_path, capsys):
    starts = iter([(9.0, {"imports": 5.0, "data": 1.0}), (12.0, {"imports": 7.0, "data": 2.0})])
    monkeypatch.setattr(startup, "start", lambda: next(starts))
    out = tmp_path / "bench.json"
    assert call(monkeypatch, "--table=startup", "--repeats=2", f"--out={out}") == 0
    found = json.loads(out.read_text())["startup"]
    assert found[startup.TOTAL] == [9.0, 12.0]
    assert found[startup.REST] == [3.0, 3.0]
    printed = capsys.readouterr().out
    assert f"| {startup.TOTAL} | 10.50 (9.00 to 12.00) |" in printed
    assert "| --help |" in printed


@pytest.mark.parametrize("name", ["pytorch", "jax_scan"])
def test_peers_train(name):
    """Where the extra `bench` is installed."""
    pytest.importorskip({"pytorch": "torch", "jax_scan": "jax"}[name])
    peer = importlib.import_module(f"experiments.benchmarks.peers.{name}")
    loop = peer.loop(load_dataset("mnist", "", print).train_images)
    assert benchmark.trains(benchmark.learned(loop))


def test_what_was_measured_before_stays_where_a_measurement_fails(tmp_path, monkeypatch, capsys):
    out = tmp_path / "bench.json"
    out.write_text("before")

    def fails(*given):
        raise LoopFailed("its process was ended by SIGKILL")

    monkeypatch.setattr(benchmark, "workers_table", fails)
    assert call(monkeypatch, "--table=workers", f"--out={out}") == 1
    assert capsys.readouterr().err.splitlines()[-1] == "error: its process was ended by SIGKILL"
    assert out.read_text() == "before"
    assert list(tmp_path.iterdir()) == [out]


def test_a_start_that_fails_says_why(monkeypatch):
    fails = "import sys; print('error: no data', file=sys.stderr); sys.exit(2)"
    monkeypatch.setattr(startup, "COMMAND", [sys.executable, "-c", fails])
    with pytest.raises(UserError, match="--table=startup: a run of one step failed: error: no da"):
        startup.start()
