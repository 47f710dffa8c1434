"""Many runs in processes: what is skipped, what goes on, what failed, and what a signal does.

The processes are a script instead of ``tapegan train``, but for the last test.
"""

import json
import os
import signal
import subprocess
import sys
import threading

import pytest

from gan.errors import UserError
from gan.run.records import read_metrics, read_summary
from gan.run.saved_config import read_config
from gan.sweeps import training
from gan.sweeps.runs import Run, state_of
from support import ROOT, run_module

SCRIPT = """
import json, os, pathlib, signal, sys, time
flags = dict(one[2:].split("=", 1) for one in sys.argv[2:])
place = pathlib.Path(flags["run_dir"])
place.mkdir(exist_ok=True)
def end(status, code, **more):
    summary = {"status": status, "step": 5, "cores": sorted(os.sched_getaffinity(0)), **more}
    (place / "summary.json").write_text(json.dumps(summary))
    os._exit(code)
signal.signal(signal.SIGTERM, lambda *_: end("preempted", 75))
signal.signal(signal.SIGINT, lambda *_: end("preempted", 130))
signal.signal(signal.SIGUSR1, lambda *_: end("preempted", 75, by="SIGUSR1"))
(place / "config.json").write_text("{}")
print("working")
match flags["seed"]:
    case "1": end("stopped", 1, reason="loss/d is not finite")
    case "2":
        print("error: --batch_size=1: is not for this network", file=sys.stderr)
        sys.exit(2)
    case "3": os.kill(os.getpid(), signal.SIGKILL)
    case "4":
        (place.parent / "waits").open("w").close()  # a pipe, whose reader waits for this
        while True: signal.pause()
end("completed", 0)
"""


@pytest.fixture
def script(monkeypatch):
    monkeypatch.setattr(training, "TAPEGAN", (SCRIPT,))


def run_of(tmp_path, seed):
    return Run(tmp_path / f"r-{seed}", "mlp", {"steps": 5, "seed": seed})


def test_what_fails_is_counted_and_the_others_go_on(tmp_path, script):
    said = []
    runs = [run_of(tmp_path, seed) for seed in (3, 2, 1, 0)]
    ended = training.train_all(runs, 2, said.append)
    assert ended == (0, ["r-0"], {"r-1": "loss/d is not finite"}, {"r-3": -9, "r-2": 2})
    assert sorted(line.split(",")[0] for line in said) == [
        "r-1 ended with 1", "r-2 ended with 2", "r-3 ended with -9",
        "training r-0", "training r-1", "training r-2", "training r-3",
    ]  # fmt: skip
    assert training.last_error(tmp_path / "r-2") == "--batch_size=1: is not for this network"
    assert training.last_error(tmp_path / "r-3") == f"see {tmp_path / 'r-3'}.log"
    said.clear()  # what is done or stopped is not done again, what broke is
    again = training.train_all(runs, 1, said.append)
    assert (again.completed, again.failed, again.broken) == (ended[1], ended[2], ended[3])
    assert [line for line in said if line.startswith("training")] == [
        "training r-3",
        "training r-2",
    ]


def test_a_run_that_is_asked_for_more_steps_goes_on(tmp_path, script):
    run = run_of(tmp_path, 0)
    run.directory.mkdir()
    (run.directory / "summary.json").write_text('{"status": "completed", "step": 4}')
    said = []
    assert training.train_all([run], 1, said.append).completed == ["r-0"]
    assert said == ["training r-0"]
    assert training.train_all([run], 1, said.append).completed == ["r-0"]
    assert said == ["training r-0"]


@pytest.mark.skipif(not hasattr(os, "sched_getaffinity"), reason="no way to choose cores here")
def test_runs_side_by_side_share_the_cores(tmp_path, script):
    cores = sorted(os.sched_getaffinity(0))
    runs = [run_of(tmp_path, seed) for seed in (0, 5)]
    training.train_all(runs, 1, lambda line: None)
    summaries = [json.loads((run.directory / "summary.json").read_text()) for run in runs]
    assert [summary["cores"] for summary in summaries] == [cores, cores]
    for run in runs:
        (run.directory / "summary.json").unlink()
    training.train_all(runs, 2, lambda line: None)
    summaries = [json.loads((run.directory / "summary.json").read_text()) for run in runs]
    assert all(set(one["cores"]) in (set(cores[::2]), set(cores[1::2]) or set(cores))
               for one in summaries)  # fmt: skip


@pytest.mark.parametrize(
    ("number", "status", "by"),
    [(signal.SIGTERM, 75, None), (signal.SIGINT, 130, None), (signal.SIGUSR1, 75, "SIGUSR1"),
     (signal.SIGHUP, 75, None)],
)  # fmt: skip
def test_a_signal_lets_the_runs_save_and_starts_no_others(number, status, by, tmp_path, script):
    """It comes when the first run is at work."""
    os.mkfifo(tmp_path / "waits")
    program = (
        "import signal, sys; from pathlib import Path; from gan.sweeps import training\n"
        "signal.signal(signal.SIGHUP, signal.SIG_DFL)\n"  # under nohup it is ignored
        "from gan.sweeps.runs import Run\n"
        f"training.TAPEGAN = ({SCRIPT!r},)\n"
        "runs = [Run(Path(sys.argv[1]) / f'r-{s}', 'mlp', {'steps': 5, 'seed': s})\n"
        "        for s in (4, 0)]\n"
        "ended = training.train_all(runs, 1, lambda line: None)\n"
        "assert ended[1:] == ([], {}, {}), ended\n"
        "sys.exit(ended.asked)\n"
    )
    process = subprocess.Popen([sys.executable, "-c", program, str(tmp_path)], cwd=ROOT)
    try:
        (tmp_path / "waits").open().close()
        process.send_signal(number)  # to this process alone: the run gets it from there
        assert process.wait(60) == status
    finally:
        process.kill()
    summary = json.loads((tmp_path / "r-4/summary.json").read_text())
    assert (summary["status"], summary.get("by")) == ("preempted", by)
    assert not (tmp_path / "r-0.log").exists()


def test_a_signal_that_does_not_wake_the_main_thread_is_passed_on_too(tmp_path, script):
    """Another thread gets it; one that comes just before the main thread waits does the same."""
    os.mkfifo(tmp_path / "waits")

    def ask():
        (tmp_path / "waits").open().close()
        signal.pthread_kill(threading.get_ident(), signal.SIGTERM)

    asking = threading.Thread(target=ask)
    asking.start()
    ended = training.train_all([run_of(tmp_path, seed) for seed in (4, 0)], 1, lambda line: None)
    asking.join()
    assert ended == (75, [], {}, {})
    assert not (tmp_path / "r-0.log").exists()


def test_handlers_are_as_before_afterwards(tmp_path, script):
    before = [signal.getsignal(one) for one in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)]
    training.train_all([run_of(tmp_path, 0)], 1, lambda line: None)
    after = [signal.getsignal(one) for one in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)]
    assert after == before


def test_a_log_that_cannot_be_written_is_one_line(tmp_path, script):
    (tmp_path / "r-0.log").mkdir()
    with pytest.raises(UserError, match=r"^--out=.*: cannot be written \(Is a directory\)$"):
        training.train_all([run_of(tmp_path, 0)], 1, lambda line: None)


def test_a_sweep_trains_real_runs_from_any_directory(tmp_path):
    """A failed one is reported with status 1; the same command again finds all done."""
    (tmp_path / "gan").mkdir()  # not the package
    (tmp_path / "gan/__init__.py").write_text("raise SystemExit(7)")
    flags = (
        "--preset=tiny", "--steps=4", "--steps_per_call=2", "--evaluate_every=0", "--nojit_compile",
        "--d_learning_rate=1e-3,1e38", f"--out={tmp_path / 'all'}",
    )  # fmt: skip
    program = "import os, sys; from gan.cli.main import main; os.chdir(sys.argv.pop()); main()"
    done = subprocess.run(
        [sys.executable, "-c", program, "sweep", *flags, str(tmp_path)],
        cwd=ROOT, capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 1
    good, bad = (tmp_path / f"all/d_learning_rate={rate}-seed=0" for rate in ("0.001", "1e+38"))
    assert done.stderr.splitlines()[0] == f"{tmp_path / 'all'}: 2 runs, 2 new"
    (line,) = done.stdout.splitlines()
    assert line.startswith(f"{tmp_path / 'all'}: 2 runs, 1 done, 1 failed; ")
    assert done.stderr.splitlines()[-1].startswith(f"failed: {bad.name}: ")
    assert "not finite" in done.stderr
    assert read_config(good).d_learning_rate == 1e-3
    assert read_summary(good / "summary.json")["status"] == "completed"
    assert [record["step"] for record in read_metrics(good / "metrics.jsonl")] == [4]
    assert state_of(bad, 4) == "stopped"
    again = run_module("experiments.sweep", *flags)
    assert again.returncode == 1
    assert "training" not in again.stderr
    assert again.stderr.splitlines()[0] == f"{tmp_path / 'all'}: 2 runs, 1 done, 1 failed"
