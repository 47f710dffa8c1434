import json

import pytest

from conftest import command
from experiments import benchmark


def test_ratios_are_taken_turn_by_turn():
    """The machine is twice as slow in the second turn; the ratio is 5 in both."""
    rates = {benchmark.BASELINE: [8.0, 4.0, 6.0], "ours": [40.0, 20.0, 60.0]}
    row = benchmark.row("ours", rates)
    assert row["ratio"] == [5.0, 5.0, 7.5]
    assert row["steps_per_second"] == [30.0, 40.0, 50.0]
    printed = benchmark.table(
        {"environment": {"device": ["cpu"]}, "batch_size": 256, "rows": [row]}
    )
    assert printed.splitlines()[-1] == "| ours | 40.0 (30.0 to 50.0) | 5.00 (5.00 to 7.50) |"


def test_without_the_baseline_there_is_no_ratio():
    assert "ratio" not in benchmark.row("ours", {"ours": [1.0]})


def test_loops_take_turns_with_the_same_number_of_steps(monkeypatch):
    clock, calls = [0.0], []
    monkeypatch.setattr(benchmark.time, "perf_counter", lambda: clock[0])

    def loop(name, seconds_a_step):
        def run(steps):
            calls.append((name, steps))
            clock[0] += steps * seconds_a_step

        return run

    rates = benchmark.measure({"a": loop("a", 0.01), "b": loop("b", 0.1)}, 3, 10.0)
    assert rates == {"a": pytest.approx([100.0] * 3), "b": pytest.approx([10.0] * 3)}
    measured = [call for call in calls if call[1] > 10]
    assert measured == [("a", 1000), ("b", 100), ("b", 100), ("a", 1000), ("a", 1000), ("b", 100)]


def test_the_command_measures_prints_and_writes(tmp_path):
    out = tmp_path / "new" / "bench.json"
    done = command("experiments.benchmark", "--repeats=2", "--seconds=0.1", f"--out={out}")
    assert done.returncode == 0, done.stderr
    rows = {row["loop"]: row for row in json.loads(out.read_text())["rows"]}
    assert rows.keys() == benchmark.LOOPS.keys()
    assert rows[benchmark.BASELINE]["ratio"] == [1.0, 1.0, 1.0]
    assert all(row["steps_per_second"][1] > 0 for row in rows.values())
    for name in rows:
        assert f"| {name} |" in done.stdout
