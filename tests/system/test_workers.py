"""Two workers over loopback, each a process of its own, on real MNIST."""

import itertools
import json
import os
import re
import signal
import subprocess
import sys

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from experiments.launch import free_addresses
from gan.algorithm.step import STEP_METRICS
from gan.cli import train
from gan.data.datasets import load_dataset
from gan.rng import shuffled_indices
from gan.run.jsonl import read_records
from gan.run.saved_config import read_config
from gan.training.builders import build_pipeline
from support import ROOT, status_of

FLAGS = (
    "--preset=tiny", "--g_norm=none", "--steps=60", "--steps_per_call=8", "--log_every=10",
    "--sample_every=60", "--checkpoint_every=15", "--evaluate_every=0",
)  # fmt: skip

# Trains; with a line and a signal, sends that to itself when the line would be printed. The line is
# looked for on every worker: those that are not the chief say the same, and print nothing.
PROGRAM = """
import os, runpy, sys
line, number = sys.argv.pop(1), int(sys.argv.pop(1))
from gan.cli import command
with command.silenced():
    from gan.training.console import Console
print_line = Console.print
def spy(self, text):
    print_line(self, text)
    if number and text.startswith(line):
        os.kill(os.getpid(), number)
Console.print = spy
runpy.run_module("experiments.train", run_name="__main__")
"""

# Trains with a loss that is not finite at step 40, until the run has gone back once.
POISONED = """
import runpy, sys
del sys.argv[1:3]  # the line and the signal
from gan.cli import command
with command.silenced():
    import tensorflow as tf
    from gan.training import trainer
    from gan.algorithm.losses import LOSSES
pair, build_state, states = LOSSES["non_saturating"], trainer.build_state, []
def spy(*args, **kwargs):
    states.append(build_state(*args, **kwargs))
    return states[0]
def discriminator(real_logits, fake_logits):
    bad = (states[0].step == 39) & (states[0].rollbacks == 0)
    loss = pair.discriminator(real_logits, fake_logits)
    return tf.where(bad, float("nan"), loss)
trainer.build_state = spy
LOSSES["non_saturating"] = pair._replace(discriminator=discriminator)
runpy.run_module("experiments.train", run_name="__main__")
"""

# Trains, and writes which images each of the first two blocks was made of, and the blocks.
COUNTED = """
import json, os, runpy, sys
del sys.argv[1:3]  # the line and the signal
from gan.cli import command
with command.silenced():
    import numpy as np
    from gan.training import builders
host_blocks = builders.host_blocks
class Counted(np.memmap):
    def __getitem__(self, numbers):
        self.read.append(numbers.copy())
        return self.view(np.ndarray)[numbers]
def spy(data, **settings):
    images = data.train_images.view(Counted)
    images.read, found = [], {}
    for number, block in enumerate(host_blocks(data._replace(train_images=images), **settings)):
        found |= {f"{name}{number}": part.numpy() for name, part in block._asdict().items()}
        found[f"read{number}"] = images.read[number]
        worker = json.loads(os.environ["TF_CONFIG"])["task"]["index"]
        np.savez(f"{os.environ['COUNTS']}/{worker}.npz", **found)
        yield block
builders.host_blocks = spy
runpy.run_module("experiments.train", run_name="__main__")
"""


def start(run_dir, signals=(0, 0), flags=(), line="40 [D loss", program=PROGRAM):
    """Starts two workers; each sends itself its signal at the line."""
    addresses = free_addresses(2)
    return [
        subprocess.Popen(
            [sys.executable, "-c", program, line, str(int(number)), *FLAGS, *flags,
             f"--run_dir={run_dir}"],
            cwd=ROOT, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
            env={**os.environ, "TF_CONFIG": json.dumps(
                {"cluster": {"worker": addresses}, "task": {"type": "worker", "index": index}}
            )},
        )
        for index, number in enumerate(signals)
    ]  # fmt: skip


def ended(workers, timeout=240):
    """Waits for the workers; returns (status, stdout, stderr) of each."""
    try:
        outputs = [worker.communicate(timeout=timeout) for worker in workers]
    finally:
        for worker in workers:
            worker.kill()
    return [(worker.returncode, *both) for worker, both in zip(workers, outputs, strict=True)]


def trained(run_dir, **kwargs):
    """Trains to the end with two workers and returns what the chief printed."""
    chief, other = ended(start(run_dir, **kwargs))
    assert (chief[0], other[0]) == (0, 0), chief[2] + other[2]
    assert other[1:] == ("", "worker 1 of 2 waits for the others\n")
    return chief[2]


def checkpoint(run_dir, step=60):
    reader = tf.train.load_checkpoint(str(run_dir / "checkpoints" / f"step-{step}"))
    names = [n for n in reader.get_variable_to_shape_map() if n.endswith("VARIABLE_VALUE")]
    return {n: reader.get_tensor(n) for n in names if "save_counter" not in n}


def assert_same_run(a, b):
    ours, theirs = checkpoint(a), checkpoint(b)
    assert ours.keys() == theirs.keys()
    for name in ours:
        assert np.array_equal(ours[name], theirs[name]), name
    logged = [
        {r["step"]: [r[name] for name in STEP_METRICS] for r in records(run)} for run in (a, b)
    ]
    assert [logged[0][step] for step in range(10, 61, 10)] == [
        logged[1][step] for step in range(10, 61, 10)
    ]


def records(run_dir):
    return read_records(run_dir / "metrics.jsonl")


@pytest.fixture(scope="module")
def unbroken(tmp_path_factory):
    run_dir = tmp_path_factory.mktemp("unbroken") / "run"
    temporary = tmp_path_factory.mktemp("temporary")
    os.environ["TMPDIR"] = str(temporary)
    try:
        said = trained(run_dir)
    finally:
        del os.environ["TMPDIR"]
    assert "2 replicas of 2 workers" in said
    left = {path.name for path in temporary.iterdir()} - {"__pycache__"}  # of AutoGraph
    assert not left  # what the other worker wrote is gone
    return run_dir


@pytest.mark.slow
def test_two_workers_do_the_steps_of_one_process(unbroken, tmp_path, monkeypatch):
    """The rest of the run on one device: what the workers saved is all that it needs."""
    assert [r["step"] for r in records(unbroken)] == [10, 20, 30, 40, 50, 60]  # one writer
    run_dir = tmp_path / "run"
    flags = (*FLAGS, "--nojit_compile", f"--run_dir={run_dir}")
    assert status_of(monkeypatch, train, *flags) == 0
    ours, theirs = checkpoint(unbroken), checkpoint(run_dir)
    start = checkpoint(run_dir, 30)
    names = [name for name in ours if re.search(r"(kernel|bias|/_value)", name)]
    assert names
    for name in names:
        change = ours[name] - start[name]
        assert np.linalg.norm(ours[name] - theirs[name]) <= 0.01 * np.linalg.norm(change), name


@pytest.mark.slow
def test_each_worker_reads_half_of_a_folder(tmp_path, monkeypatch):
    """And both together what one device gets, to the bit."""
    rng = np.random.default_rng(0)
    for number in range(300):
        path = tmp_path / "images" / f"class{number % 3}" / f"{number}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(rng.integers(0, 256, (28, 28), np.uint8)).save(path)
    folder = {
        "dataset": f"image_folder:{tmp_path / 'images'}", "data_cache": str(tmp_path / "cache"),
        "image_size": 28, "image_channels": 1, "steps": 16, "batch_size": 10,
    }  # fmt: skip
    monkeypatch.setenv("COUNTS", str(tmp_path))
    flags = [f"--{name}={value}" for name, value in folder.items()]
    for status, _, error in ended(start(tmp_path / "run", flags=flags, program=COUNTED)):
        assert status == 0, error
    config = read_config(tmp_path / "run")
    data = load_dataset(config.dataset, "", print, data_cache=config.data_cache, image_size=28,
                        image_channels=1)  # fmt: skip
    workers = [np.load(tmp_path / f"{worker}.npz") for worker in range(2)]
    for number, block in enumerate(itertools.islice(build_pipeline(config, data), 2)):
        for name, whole in block._asdict().items():
            halves = [worker[f"{name}{number}"] for worker in workers]
            assert np.array_equal(np.concatenate(halves, 2), whole), name
        positions = tf.range(number * 8 * 10, (number + 1) * 8 * 10, dtype=tf.int64)
        order = shuffled_indices(positions, 300, config.seed).numpy().reshape(8, 1, 2, 5)
        for half, worker in enumerate(workers):
            assert worker[f"read{number}"].size == 8 * 10 / 2
            assert np.array_equal(worker[f"read{number}"], order[:, :, half])


@pytest.mark.slow
def test_frozen_and_killed_workers_resume_to_the_same_bits(unbroken, tmp_path):
    """One is frozen, and the other ends in one line; they go on, both are killed, they go on."""
    run_dir = tmp_path / "run"
    chief, other = start(run_dir, (0, signal.SIGSTOP))
    _, status = os.waitpid(other.pid, os.WUNTRACED)
    assert os.WIFSTOPPED(status)
    try:
        ((status, _, error),) = ended([chief], timeout=60)  # what is promised
    finally:
        other.kill()
    ended([other])
    assert status == 1
    assert re.fullmatch(
        r"error: worker 0 of 2 lost another one \(\w+Error\); start all of them again to go on "
        r"from the newest checkpoint",
        error.splitlines()[-1],
    )
    summary = json.loads((run_dir / "summary.json").read_text())
    assert (summary["status"], summary["step"]) == ("stopped", 30)
    chief, other = ended(start(run_dir, (signal.SIGKILL,) * 2, line="50 [D loss"))
    assert (chief[0], other[0]) == (-signal.SIGKILL,) * 2
    assert "steps 30 to 60" in chief[2]
    assert "steps 45 to 60" in trained(run_dir)
    assert_same_run(unbroken, run_dir)


@pytest.mark.slow
def test_a_lost_chief_ends_the_other_worker(tmp_path):
    chief, other = start(tmp_path / "run", (signal.SIGKILL, 0))
    chief.wait(timeout=240)
    ((status, _, error),) = ended([other], timeout=60)  # what is promised
    assert status == 1
    waits, line = error.splitlines()
    assert waits == "worker 1 of 2 waits for the others"
    assert line.startswith("error: worker 1 of 2 lost another one")
    ended([chief])


@pytest.mark.slow
def test_workers_go_back_together(tmp_path):
    """Both to the step 30, to the same bits: they are compared at the checkpoints that follow."""
    said = trained(tmp_path / "run", flags=["--on_nan=rollback"], program=POISONED)
    assert "warning: loss/d is not finite at step 40, in the call of" in said
    assert "going on from step 30 with other noise (1)" in said
    assert [r["step"] for r in records(tmp_path / "run")] == [10, 20, 30, 40, 50, 60]
    assert checkpoint(tmp_path / "run")["rollbacks/.ATTRIBUTES/VARIABLE_VALUE"] == 1


@pytest.mark.slow
def test_a_signal_to_one_worker_stops_both_at_the_same_step(tmp_path):
    run_dir = tmp_path / "run"
    flags = ["--steps_per_call=1", "--evaluate_every=5", "--keep_best=fcd", "--on_collapse=stop"]
    workers = start(run_dir, (0, signal.SIGTERM), flags, "10 [D loss")
    chief, other = ended(workers)
    assert (chief[0], other[0]) == (75, 75), chief[2] + other[2]
    assert "SIGTERM: saving step 11" in chief[2]
    summary = json.loads((run_dir / "summary.json").read_text())
    assert (summary["status"], summary["step"]) == ("preempted", 11)
    assert checkpoint(run_dir, 11)
    evaluations = read_records(run_dir / "evaluations.jsonl")  # of the chief, who others wait for
    assert [one["step"] for one in evaluations] == [5, 10]
    assert list((run_dir / "checkpoints" / "best").glob("step-*.index"))


@pytest.mark.slow
def test_workers_with_other_flags_are_refused(tmp_path):
    addresses, workers = free_addresses(2), []
    for index in range(2):
        task = {"cluster": {"worker": addresses}, "task": {"type": "worker", "index": index}}
        workers.append(subprocess.Popen(
            [sys.executable, "-c", PROGRAM, "", "0", *FLAGS, f"--log_every={10 + index}",
             f"--run_dir={tmp_path / 'run'}"],
            cwd=ROOT, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
            env={**os.environ, "TF_CONFIG": json.dumps(task)},
        ))  # fmt: skip
    for status, _, error in ended(workers):
        assert status == 2
        assert (
            error.splitlines()[-1]
            == "error: --strategy=multiworker: the workers were started with other flags"
        )
    assert not (tmp_path / "run").exists()


@pytest.mark.slow
def test_srun_needs_no_tf_config(tmp_path):
    """In an environment as Slurm makes it, both tasks on this machine; no Slurm was there."""
    job = int(free_addresses(1)[0].rpartition(":")[2])  # another port in each run of this test
    step = {
        "SLURM_JOB_ID": str(job), "SLURM_STEP_NUM_TASKS": "2", "SLURM_STEP_NODELIST": "localhost",
        "SLURM_STEP_TASKS_PER_NODE": "2", "SLURMD_NODENAME": "localhost",
    }  # fmt: skip
    workers = [
        subprocess.Popen(
            [sys.executable, "-m", "experiments.train", *FLAGS, "--strategy=multiworker",
             "--steps=10", f"--run_dir={tmp_path / 'run'}"],
            cwd=ROOT, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
            env={**os.environ, **step, "SLURM_PROCID": str(task), "SLURM_LOCALID": str(task)},
        )
        for task in range(2)
    ]  # fmt: skip
    chief, other = ended(workers)
    assert (chief[0], other[0]) == (0, 0), chief[2] + other[2]
    assert "2 replicas of 2 workers" in chief[2]
    assert other[2] == "worker 1 of 2 waits for the others\n"
