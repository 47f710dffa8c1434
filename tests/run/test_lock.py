import fcntl
import os
import subprocess
import sys

import pytest

from gan.errors import UserError
from gan.run import lock
from gan.run.lock import is_locked, locked
from support import ROOT, run_module

HOLDER = (
    "import sys, pathlib; from gan.run.lock import locked\nwith locked(pathlib.Path(sys.argv[1])):"
)


def test_a_second_process_is_refused_until_the_first_ends(tmp_path):
    """However it ends; no file is left behind."""
    run_dir = tmp_path / "runs/run"
    code = f"{HOLDER}\n    print('held', flush=True)\n    sys.stdin.read()"
    holder = subprocess.Popen(
        [sys.executable, "-c", code, str(run_dir)],
        cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert holder.stdout.readline() == "held\n"
    with pytest.raises(UserError, match="another process trains there"), locked(run_dir):
        pass
    holder.kill()
    holder.communicate(timeout=60)
    with locked(run_dir):
        pass
    assert list(run_dir.iterdir()) == []


def test_training_is_refused_where_another_process_trains(tmp_path):
    with locked(tmp_path):
        done = run_module(
            "experiments.train", "--preset=tiny", "--steps=1", f"--run_dir={tmp_path}"
        )
    assert done.returncode == 2
    assert done.stderr == (
        f"error: --run_dir={tmp_path}: another process trains there, "
        "wait for its end or choose another directory\n"
    )
    assert list(tmp_path.iterdir()) == []


def test_it_is_given_back_after_an_error(tmp_path):
    with pytest.raises(ValueError, match="mine"), locked(tmp_path):
        raise ValueError("mine")
    with locked(tmp_path):
        pass


def test_a_look_at_it_does_not_refuse_a_training(tmp_path, monkeypatch):
    """`is_locked` holds the directory for a moment; here until the second try."""
    looking = os.open(tmp_path, os.O_RDONLY)
    fcntl.flock(looking, fcntl.LOCK_SH)
    tries = []

    def sleep(seconds):
        tries.append(seconds)
        if len(tries) == 2:
            os.close(looking)

    monkeypatch.setattr(lock.time, "sleep", sleep)
    with locked(tmp_path):
        assert is_locked(tmp_path)
    assert tries == [0.05, 0.05]
