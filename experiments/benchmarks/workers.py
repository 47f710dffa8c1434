"""The benchmark's table of workers: what a second one brings, with its own core and its own batch.

One worker alone on a core, two that train together on a core each, and two on the same cores that
know nothing of each other take turns. Ideally a step takes as long in all of them. What the last
ones lose is the machine's; the rest of what two workers lose is what they exchange and wait for.
The work of exchanging also shows in the CPU time of a step, which other processes change little.
"""

import json
import os
import tempfile
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from experiments.benchmarks import folders
from experiments.benchmarks.loops import tape_loop
from experiments.benchmarks.measure import measure as measure_loops
from experiments.benchmarks.measure import median_and_quartiles, quartiles
from experiments.benchmarks.processes import LoopProcess
from experiments.launch import free_addresses
from gan.errors import UserError
from gan.run.presets import IMAGES
from gan.run.streams import tell

COUNT = 2000  # images of the folder
ONE, TOGETHER, APART = "one worker", "two workers", "two runs that share nothing"


class Found(NamedTuple):
    """What a team did in each turn."""

    steps_per_second: list[float]  # of each worker
    milliseconds: list[float]  # of CPU time a step


Findings = dict[str, Found]  # by who trains


class Case(NamedTuple):
    """What is trained, with so many images a worker and step."""

    name: str
    folder: bool
    batch: int
    steps_per_call: int
    changes: dict[str, Any]


CASES = (
    Case(
        f"folder of {folders.SIDE} pixels, images64", True, 64, 1, IMAGES
    ),
    Case("MNIST, mlp", False, 256, 10, {}),
)  # fmt: skip


def two_cores() -> list[int]:
    """Returns the numbers of two cores that this process may use.

    Raises:
        UserError: There are none, or the system does not give a process its cores.
    """
    cores = sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else []
    if len(cores) < 2:
        raise UserError("--table=workers: needs two cores, one for each worker, and Linux")
    return cores[:2]


class Team:
    """Loops that do their steps at the same time, each in a process of its own.

    `milliseconds` has the CPU time of a step in each call, the mean of the loops.
    """

    def __init__(self, makes: Sequence[Callable[[np.ndarray], Any]], images: Path) -> None:
        """Starts them together: workers wait for each other."""
        self.milliseconds: list[float] = []
        self._pool = ThreadPoolExecutor(len(makes))
        coming = [self._pool.submit(LoopProcess, make, images) for make in makes]
        errors = [error for one in coming if (error := one.exception())]
        self._loops = [one.result() for one in coming if not one.exception()]
        if errors:
            self.end()
            raise errors[0]

    def __call__(self, steps: int) -> None:
        """Does n steps in each; done when the last one is."""
        seconds = list(self._pool.map(lambda loop: loop(steps), self._loops))
        self.milliseconds.append(1000 * float(np.mean(seconds)) / steps)

    def end(self) -> None:
        """Ends the processes."""
        for loop in self._loops:
            loop.end()
        self._pool.shutdown()


def worker_loop(
    images: np.ndarray, case: Case, folder: Path, core: int, cluster: str, workers: int
) -> Callable[[int], float]:
    """Returns the loop of one worker that has one core; it returns the seconds of CPU time it took.

    `cluster` is the worker's TF_CONFIG, "" if it is the only one.
    """
    os.sched_setaffinity(0, {core})  # before TensorFlow counts them
    changes = {
        **case.changes, "batch_size": case.batch * workers, "steps_per_call": case.steps_per_call,
        "jit_compile": False, "precision": "float32",
    }  # fmt: skip
    if cluster:
        os.environ["TF_CONFIG"] = cluster
    if case.folder:
        from gan.data.datasets import load_dataset

        data = load_dataset(
            f"image_folder:{folder / 'images'}", "", lambda line: None, image_size=folders.SIDE,
            data_cache=str(folder / "cache"),
        )  # fmt: skip
        images = data.train_images
    loop = tape_loop(images, strategy="multiworker" if cluster else "none", **changes)

    def run(steps: int) -> float:
        before = time.process_time()
        loop(steps)
        return time.process_time() - before

    return run


def measure(images: np.ndarray, repeats: int, seconds: float) -> dict[str, Findings]:
    """Returns what was found by case.

    Args:
        images: MNIST's, [N, 28, 28, 1] uint8.
        repeats: Turns of each.
        seconds: Length of a turn.
    """
    found = {}
    with tempfile.TemporaryDirectory() as directory:
        folder = Path(directory)
        folders.write_images(folder / "images", COUNT)
        np.save(folder / "images.npy", images)
        for case in CASES:
            tell(f"preparing {case.name}")
            found[case.name] = measure_case(case, folder, two_cores(), repeats, seconds)
    return found


def measure_case(
    case: Case, folder: Path, cores: Sequence[int], repeats: int, seconds: float
) -> Findings:
    """Measures who trains in turns."""
    addresses, teams = free_addresses(2), {}
    tasks = [
        json.dumps({"cluster": {"worker": addresses}, "task": {"type": "worker", "index": index}})
        for index in range(2)
    ]
    makes = {
        ONE: [("", 1)],
        TOGETHER: [(task, 2) for task in tasks],
        APART: [("", 1)] * 2,
    }
    try:
        for name, members in makes.items():
            teams[name] = Team(
                [
                    partial(worker_loop, case=case, folder=folder, core=core, cluster=of, workers=n)
                    for core, (of, n) in zip(cores, members, strict=False)
                ],
                folder / "images.npy",
            )
        loops: dict[str, Any] = dict(teams)  # of which those that fail are taken out
        rates = measure_loops(loops, repeats, seconds, dict.fromkeys(teams, case.steps_per_call))
        return {name: Found(rates[name], teams[name].milliseconds[-repeats:]) for name in rates}
    finally:
        for team in teams.values():
            team.end()


def table(found: dict[str, Findings]) -> str:
    """Returns the rates, and the ratios to one worker turn by turn, as a Markdown table."""
    lines = [
        "| a core each, as many images each | steps/s of a worker | to one | CPU ms a step |",
        "| --- | --- | --- | --- |",
    ]
    for case, teams in found.items():
        for name, (rates, milliseconds) in teams.items():
            ratio = ""
            if name != ONE and ONE in teams:
                ratios = np.divide(rates, teams[ONE].steps_per_second)
                ratio = median_and_quartiles(quartiles(ratios), 2)
            rate = median_and_quartiles(quartiles(rates), 2)
            cost = median_and_quartiles(quartiles(milliseconds), 1)
            lines.append(f"| {case}: {name} | {rate} | {ratio} | {cost} |")
    return "\n".join(lines)
