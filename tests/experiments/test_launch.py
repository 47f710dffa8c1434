import json
import os
import signal
import socket
import subprocess
import sys

import pytest
from absl import flags

from experiments import launch
from gan.errors import UserError
from support import ROOT, run_module


def launched(tmp_path, monkeypatch, programs, train_flags=()):
    """Runs the launcher on small programs instead of training; returns its status."""
    monkeypatch.setattr(launch, "start", lambda addresses, number, given: subprocess.Popen(
        [sys.executable, "-c", programs[number], str(tmp_path)], start_new_session=True
    ))  # fmt: skip
    values = flags.FlagValues()
    launch.define(values)
    values(["launch", f"--workers={len(programs)}"])
    before = {one: signal.getsignal(one) for one in (signal.SIGTERM, signal.SIGINT)}
    try:
        return launch.main(values, list(train_flags))
    finally:
        for one, handler in before.items():
            signal.signal(one, handler)


FINE = "pass"
FAILING = "raise SystemExit(3)"
# Runs until a signal comes; notes which.
PATIENT = """
import pathlib, signal, sys
def note(number, frame):
    pathlib.Path(sys.argv[1], "got").write_text(signal.Signals(number).name)
    sys.exit(0 if number == signal.SIGTERM else 130)
signal.signal(signal.SIGTERM, note)
signal.signal(signal.SIGINT, note)
pathlib.Path(sys.argv[1], "ready").touch()
while True:
    signal.pause()
"""
WAIT = """
import pathlib, sys, time
while not pathlib.Path(sys.argv[1], "ready").exists():
    time.sleep(0.01)
"""
STUBBORN = PATIENT.replace("sys.exit", "str")


def test_the_launcher_waits_for_all_and_says_that_all_is_well(tmp_path, monkeypatch):
    assert launched(tmp_path, monkeypatch, [FINE, WAIT.replace("ready", "."), FINE]) == 0


def test_when_one_fails_the_others_are_ended(tmp_path, monkeypatch):
    assert launched(tmp_path, monkeypatch, [PATIENT, WAIT + FAILING]) == 3
    assert (tmp_path / "got").read_text() == "SIGTERM"


def test_the_status_is_that_of_the_first_failure(tmp_path, monkeypatch):
    ends = PATIENT.replace("sys.exit(0", "sys.exit(1")  # as a worker that has lost another one
    assert launched(tmp_path, monkeypatch, [ends, WAIT + FAILING]) == 3
    assert launch.status_of([-9, 1]) == 1
    assert launch.status_of([0, -9]) == 137


def test_one_that_does_not_end_is_killed(tmp_path, monkeypatch):
    monkeypatch.setattr(launch, "GRACE", 1.0)
    assert launched(tmp_path, monkeypatch, [STUBBORN, WAIT + FAILING]) == 3
    assert (tmp_path / "got").read_text() == "SIGTERM"


def test_a_killed_worker_is_no_success(tmp_path, monkeypatch):
    killed = "import os, signal; os.kill(os.getpid(), signal.SIGKILL)"
    assert launched(tmp_path, monkeypatch, [FINE, killed]) == 128 + 9


def test_workers_that_were_told_to_stop_are_left_to_save(tmp_path, monkeypatch):
    """A second signal would end them at once."""
    later = WAIT.replace("ready", "done") + "raise SystemExit(75)"
    saving = "import pathlib, sys; pathlib.Path(sys.argv[1], 'done').touch(); sys.exit(75)"
    assert launched(tmp_path, monkeypatch, [later, saving]) == 75


@pytest.mark.parametrize(("number", "status"), [(signal.SIGTERM, 0), (signal.SIGINT, 130)])
def test_signals_are_passed_on(number, status, tmp_path, monkeypatch):
    deaf = f"import os, signal; signal.signal({int(number)}, signal.SIG_IGN)\n"
    tell = WAIT + deaf + f"os.kill(os.getppid(), {int(number)})"
    assert launched(tmp_path, monkeypatch, [PATIENT, tell]) == status
    assert (tmp_path / "got").read_text() == number.name


def test_addresses_are_free_and_differ():
    addresses = launch.free_addresses(5)
    assert len(set(addresses)) == 5
    for address in addresses:
        host, port = address.split(":")
        with socket.socket() as one:
            one.bind((host, int(port)))


def test_each_worker_gets_its_place_in_tf_config(monkeypatch):
    seen = []
    monkeypatch.setattr(
        launch.subprocess, "Popen", lambda command, **kwargs: seen.append((command, kwargs))
    )
    for number in range(2):
        launch.start(["127.0.0.1:1", "127.0.0.1:2"], number, ["--steps=3"])
    for number, (called, kwargs) in enumerate(seen):
        assert called == [sys.executable, "-m", "experiments.train", "--steps=3"]
        assert json.loads(kwargs["env"]["TF_CONFIG"]) == {
            "cluster": {"worker": ["127.0.0.1:1", "127.0.0.1:2"]},
            "task": {"type": "worker", "index": number},
        }
        assert kwargs["env"]["PATH"] == os.environ["PATH"]


def test_wrong_flags_are_refused_before_anything_starts(tmp_path, monkeypatch):
    for wrong, message in (("--steps=0", "--steps=0: must be"), ("steps", "steps: is not a flag")):
        with pytest.raises((UserError, flags.Error), match=message):
            launched(tmp_path, monkeypatch, [FAILING], [wrong])


@pytest.mark.slow
def test_the_command(tmp_path):
    """Bad flags: one line. SIGTERM to the launcher: both save, and it ends as they do."""
    done = run_module("experiments.launch", "--workers=0")
    assert (done.returncode, len(done.stderr.splitlines())) == (2, 1)
    done = run_module("experiments.launch", "--", "--preset=foo")
    assert (done.returncode, len(done.stderr.splitlines())) == (2, 1)
    run_dir = tmp_path / "run"
    process = subprocess.Popen(
        [sys.executable, "-m", "experiments.launch", "--workers=2", "--", "--preset=tiny",
         "--steps=1000000", "--log_every=10", "--evaluate_every=0", f"--run_dir={run_dir}"],
        cwd=ROOT, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip
    lines = []
    for line in process.stderr:
        lines.append(line)
        if line.startswith("10 [D loss"):
            process.send_signal(signal.SIGTERM)
            break
    output, error = process.communicate(timeout=240)
    assert process.returncode == 75, error
    assert "preempted at step" in output
    assert "SIGTERM: saving step" in error
    summary = json.loads((run_dir / "summary.json").read_text())
    assert summary["status"] == "preempted"
    assert (run_dir / "checkpoints" / f"step-{summary['step']}.index").exists()
