"""The benchmark's third table: from the command to the first training step, and where that goes."""

import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from gan.errors import UserError
from gan.run.streams import tell

# Not training: the two answers that a user waits for at the prompt.
ANSWERS = {"--help": ["--help"], "a wrong flag": ["--batch_size=0"]}
TOTAL, REST = "to the first step", "the rest: interpreter, checks, files"


def measure(repeats: int) -> dict[str, list[float]]:
    """Returns seconds of each start: in all, by task, and of commands that do not train.

    A start is a new process with the data in the cache. The first step is done when its line is
    printed; compilation is part of the first call.
    """
    found: dict[str, list[float]] = {}
    for turn in range(repeats):
        total, tasks = start()
        rest = total - sum(tasks.values())
        for name, arguments in ANSWERS.items():
            started = time.perf_counter()
            subprocess.run([*COMMAND, *arguments], capture_output=True, check=False)
            found.setdefault(name, []).append(time.perf_counter() - started)
        for name, seconds in {TOTAL: total, **tasks, REST: rest}.items():
            found.setdefault(name, []).append(seconds)
        tell(f"start {turn + 1} of {repeats}")
    return found


COMMAND = [sys.executable, "-m", "experiments.train"]


def start() -> tuple[float, dict[str, float]]:
    """Trains one step and returns the seconds until it was done, in all and by task."""
    with tempfile.TemporaryDirectory() as directory:
        run_dir = Path(directory) / "run"
        started = time.perf_counter()
        with subprocess.Popen(
            [*COMMAND, "--steps=1", f"--run_dir={run_dir}"],
            text=True,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
        ) as process:
            assert process.stderr is not None
            total, said = 0.0, ""
            for line in process.stderr:
                said = line.strip() or said
                if "[D loss" in line and not total:
                    total = time.perf_counter() - started
        if process.returncode or not total:
            raise UserError(f"--table=startup: a run of one step failed: {said}")
        tasks = json.loads((run_dir / "summary.json").read_text())["seconds_by_task"]
    return total, {name: tasks[name] for name in tasks if name not in ("records", "checkpoints")}


def table(found: dict[str, list[float]]) -> str:
    """Returns the medians as a Markdown table, the longest first."""
    lines = ["| from the command | seconds |", "| --- | --- |"]
    medians = {name: float(np.median(seconds)) for name, seconds in found.items()}
    for name in sorted(medians, key=lambda name: -medians[name]):
        low, high = min(found[name]), max(found[name])
        lines.append(f"| {name} | {medians[name]:.2f} ({low:.2f} to {high:.2f}) |")
    return "\n".join(lines)
