"""The benchmark's fourth table: which of TensorFlow's operations a step spends its time in."""

import collections
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf

from experiments.benchmarks.loops import tape_loop

STEPS = 200
SHOWN = 14
# Events that contain others.
ENCLOSING = ("Process", "run_steps", "Eager", "TFE_", "__inference", "Run", "Executor", "while")


def measure(images: np.ndarray, precision: str) -> dict[str, list[float]]:
    """Returns for each kind of operation: milliseconds a step, and how many there are in a step.

    Sums over the threads, without XLA, which would fuse most operations into a few. The times are
    those of a profiled run.

    Args:
        images: [N, 28, 28, 1] uint8.
        precision: "float32" or "mixed_bfloat16".
    """
    loop = tape_loop(images, precision=precision, jit_compile=False)
    loop(STEPS)
    with tempfile.TemporaryDirectory() as directory:
        tf.profiler.experimental.start(directory)
        loop(STEPS)
        tf.profiler.experimental.stop()
        (path,) = Path(directory).rglob("*.xplane.pb")
        space = planes(path)
    milliseconds: dict[str, float] = collections.defaultdict(float)
    times: dict[str, float] = collections.defaultdict(float)
    for plane in space.planes:
        if "CPU" not in plane.name:
            continue
        for line in plane.lines:
            for event in line.events:
                kind = plane.event_metadata[event.metadata_id].name.split(":")[-1].strip()
                if not kind.startswith(ENCLOSING):
                    milliseconds[kind] += event.duration_ps / 1e9 / STEPS
                    times[kind] += 1 / STEPS
    longest_first = sorted(milliseconds, key=lambda kind: -milliseconds[kind])
    return {kind: [milliseconds[kind], times[kind]] for kind in longest_first}


def planes(path: Path) -> Any:
    """Returns what the profiler wrote."""
    from tensorflow.tsl.profiler.protobuf import xplane_pb2  # not public, but there is no other

    space = xplane_pb2.XSpace()
    space.ParseFromString(path.read_bytes())
    return space


def table(found: dict[str, dict[str, list[float]]]) -> str:
    """Returns a Markdown table for each precision, the longest operations first."""
    lines = []
    for precision, kinds in found.items():
        lines += [f"| {precision} | ms a step | operations a step |", "| --- | --- | --- |"]
        shown = list(kinds.items())[:SHOWN]
        lines += [f"| {kind} | {ms:.2f} | {times:.0f} |" for kind, (ms, times) in shown]
        others = [ms for ms, _ in list(kinds.values())[SHOWN:]]
        lines += [f"| {len(others)} others | {sum(others):.2f} | |", ""]
    return "\n".join(lines).rstrip()
