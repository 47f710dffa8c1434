"""Loops that take turns, and the quartiles of what they did."""

import time
from typing import Any

import numpy as np

from gan.run.config import Config


def measure(
    loops: dict[str, Any], repeats: int, seconds: float, units: dict[str, int] | None = None
) -> dict[str, list[float]]:
    """Returns the steps a second of each loop in each turn.

    Args:
        loops: What to measure.
        repeats: Turns of each.
        seconds: Length of a turn, about; a loop does the same number of steps in each.
        units: Steps of a loop's call, if not the default's; a turn has whole calls only.
    """
    counts = {}
    for name, run in loops.items():
        count = unit = (units or {}).get(name, Config().steps_per_call)
        run(unit)  # compiles
        while True:
            started = time.perf_counter()
            run(count)
            took = time.perf_counter() - started
            if took >= seconds / 10:
                break
            count *= 4
        counts[name] = max(1, round(count * seconds / took / unit)) * unit
    rates: dict[str, list[float]] = {name: [] for name in loops}
    for turn in range(repeats):
        # Forwards, then backwards, so that no loop is always the one after the slowest.
        for name in list(loops)[:: 1 if turn % 2 == 0 else -1]:
            started = time.perf_counter()
            loops[name](counts[name])
            rates[name].append(counts[name] / (time.perf_counter() - started))
        print(f"turn {turn + 1} of {repeats}", flush=True)
    return rates


def quartiles(values: Any) -> list[float]:
    """Returns first quartile, median and third quartile."""
    return [float(q) for q in np.percentile(values, [25, 50, 75])]


def median_and_quartiles(found: list[float], digits: int) -> str:
    """Returns median (quartiles)."""
    low, median, high = found
    return f"{median:.{digits}f} ({low:.{digits}f} to {high:.{digits}f})"
