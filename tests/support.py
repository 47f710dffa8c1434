"""What tests of several files share."""

import dataclasses
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from experiments import (
    benchmark,
    discriminator_overfitting,
    docs_site,
    folder_sets,
    launch,
    linear_units,
    package_generator,
    reference,
    soak,
    stacked_channels,
    study,
    train_features,
)
from gan.cli import (
    compare,
    data,
    evaluate,
    export,
    ls,
    project,
    report,
    sample,
    sweep,
    table,
    tensorboard,
    train,
)
from gan.training import trainer

ROOT = Path(__file__).parent.parent

COMMANDS = {
    "data": data, "train": train, "evaluate": evaluate, "sample": sample, "study": study,
    "benchmark": benchmark, "train_features": train_features, "soak": soak,
    "launch": launch, "export": export, "report": report, "compare": compare,
    "reference": reference, "folder_sets": folder_sets, "project": project,
    "sweep": sweep, "table": table, "ls": ls, "package_generator": package_generator,
    "docs_site": docs_site, "tensorboard": tensorboard, "linear_units": linear_units,
    "stacked_channels": stacked_channels,
    "discriminator_overfitting": discriminator_overfitting,
}  # fmt: skip


def run_module(*args, **kwargs):
    """Runs ``python -m experiments.NAME flags...`` and returns the finished process."""
    return subprocess.run(
        [sys.executable, "-m", *map(str, args)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=300,
        **kwargs,
    )


def on_two_devices(command, *arguments):
    """Runs a command of two_devices.py and returns the finished process."""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), str(ROOT / "tests")])}
    return subprocess.run(
        [sys.executable, "tests/two_devices.py", command, *arguments],
        cwd=ROOT, capture_output=True, text=True, timeout=600, env=environment,
    )  # fmt: skip


def status_of(monkeypatch, command_line, *args):
    """Runs a command of gan/cli in this process and returns its exit status."""
    monkeypatch.setattr(sys, "argv", ["command", *map(str, args)])
    with pytest.raises(SystemExit) as end:
        command_line.run()
    return end.value.code


def once_more(function, before, calls=2):
    """Returns the function; in its call number `calls` it does `before` first."""
    count = []

    def called(*args, **kwargs):
        count.append(1)
        if len(count) == calls:
            before()
        return function(*args, **kwargs)

    return called


def train_whole_and_resumed(config, place, middle=None, **given):
    """Trains in `place`/once, and from its checkpoint of step `middle` in `place`/twice.

    Half of all steps, if it is not given. Returns both summaries.
    """
    middle = middle or config.steps // 2
    config = dataclasses.replace(config, checkpoint_every=middle)
    whole = trainer.train(config, place / "once", quiet=True, **given)
    shutil.copytree(place / "once", place / "twice")
    part, end = (place / f"twice/checkpoints/step-{step}.index" for step in (middle, config.steps))
    for file in end.parent.glob(f"{end.stem}.*"):
        file.unlink()
    saved = part.stat().st_mtime_ns
    resumed = trainer.train(config, place / "twice", quiet=True, **given)
    assert end.exists()
    assert part.stat().st_mtime_ns == saved  # where it went on, and not from the start
    return whole, resumed


def gaussians(seed, count=2000, dim=16, mean=0.0, scale=1.0):
    """Draws points [count, dim] of a normal distribution."""
    return np.random.default_rng(seed).normal(mean, scale, (count, dim))


def weights_of(network):
    """Returns copies of all variables of a network, moving statistics included."""
    return [variable.numpy().copy() for variable in network.variables]


def same(before, after):
    """Tells whether two lists of arrays hold the same bits."""
    return all(np.array_equal(a, b) for a, b in zip(before, after, strict=True))


def differ_everywhere(before, after):
    """Tells whether each array of one list differs from that of the other."""
    return not any(np.array_equal(a, b) for a, b in zip(before, after, strict=True))


def checkpoint(run_dir, step):
    """All tensors of a checkpoint: networks, average, optimizer slots, step."""
    import tensorflow as tf

    reader = tf.train.load_checkpoint(str(run_dir / "checkpoints" / f"step-{step}"))
    names = [n for n in reader.get_variable_to_shape_map() if not n.startswith("_CHECKPOINTABLE")]
    return {name: reader.get_tensor(name) for name in names if "save_counter" not in name}


def call(monkeypatch, *arguments):
    """Runs the command `train` in this process and returns its exit status."""
    from gan.cli import command, train

    monkeypatch.setattr(sys, "argv", ["train", *arguments])
    with pytest.raises(SystemExit) as end:
        command.run("usage", train.define, train.main)
    return end.value.code
