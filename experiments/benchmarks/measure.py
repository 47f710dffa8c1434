"""Loops that take turns, and the quartiles of what they did."""

import functools
import time
from typing import Any

import numpy as np

from experiments.benchmarks.processes import LoopFailed
from gan.run.config import Config
from gan.run.streams import tell


def measure(
    loops: dict[str, Any], repeats: int, seconds: float, units: dict[str, int] | None = None
) -> dict[str, list[float]]:
    """Returns the steps a second of each loop in each turn, of those that do not fail.

    Args:
        loops: What to measure.
        repeats: Turns of each.
        seconds: Length of a turn, about; a loop does the same number of steps in each.
        units: Steps of a loop's call, if not the default's; a turn has whole calls only.
    """
    counts = {}
    for name in list(loops):
        unit = (units or {}).get(name, Config().steps_per_call)
        counts[name] = unless_it_fails(loops, name, functools.partial(steps_of, seconds, unit))
    rates: dict[str, list[float]] = {name: [] for name in loops}
    for turn in range(repeats):
        # Forwards, then backwards, so that no loop is always the one after the slowest.
        for name in list(loops)[:: 1 if turn % 2 == 0 else -1]:
            took = unless_it_fails(loops, name, functools.partial(timed, steps=counts[name]))
            rates[name].append(counts[name] / took if took else 0.0)
        tell(f"turn {turn + 1} of {repeats}")
    return {name: rates[name] for name in loops}


def unless_it_fails(loops: dict[str, Any], name: str, work: Any) -> Any:
    """Returns what `work` does with a loop; one that fails is named and taken out."""
    try:
        return work(loops[name])
    except LoopFailed as error:
        tell(f"failed: {name}: {error}")
        del loops[name]
        return None


def steps_of(seconds: float, unit: int, loop: Any) -> int:
    """Returns how many steps a loop does in about so many seconds, in whole units."""
    count = unit
    loop(unit)  # compiles
    while (took := timed(loop, count)) < seconds / 10:
        count *= 4
    return max(1, round(count * seconds / took / unit)) * unit


def timed(loop: Any, steps: int) -> float:
    """Returns how many seconds so many steps take."""
    started = time.perf_counter()
    loop(steps)
    return time.perf_counter() - started


def quartiles(values: Any) -> list[float]:
    """Returns first quartile, median and third quartile."""
    return [float(q) for q in np.percentile(values, [25, 50, 75])]


def median_and_quartiles(found: list[float], digits: int) -> str:
    """Returns median (quartiles)."""
    low, median, high = found
    return f"{median:.{digits}f} ({low:.{digits}f} to {high:.{digits}f})"
