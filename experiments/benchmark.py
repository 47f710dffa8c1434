"""Measures training steps a second, interleaved: ``python -m experiments.benchmark``.

All loops live in one process and take turns, so that a slow minute of the machine hits each of
them. A ratio is the median over the turns of that turn's ratio.
"""

import dataclasses
import importlib.util
import time
from collections.abc import Callable
from typing import Any

import numpy as np
from absl import flags

from experiments import cli
from gan.config import Config, UserError

Loop = Callable[[int], None]  # does that many training steps and returns when they are done

BASELINE = "merged model, Keras 2"
DEFAULT = "two tapes, float32 (the default)"


def define(values: flags.FlagValues) -> None:
    """Defines the flags."""
    flags.DEFINE_integer("repeats", 9, "turns of each loop", 2, flag_values=values)
    flags.DEFINE_float("seconds", 6.0, "length of a turn", 0.1, flag_values=values)
    flags.DEFINE_string("out", "runs/benchmark.json", "where to write JSON", flag_values=values)


def main(values: flags.FlagValues) -> int:
    """Prints the table, writes JSON and returns the exit status."""
    with cli.silenced():
        from gan import devices
        from gan.data import DATASETS
        from gan.files import replacing, write_json
    import pathlib

    out = pathlib.Path(values["out"].value)
    try:
        if out.is_dir():
            raise UserError(f"--out={out}: is a directory, must be a file")
        out.parent.mkdir(parents=True, exist_ok=True)
        with replacing(out):  # found out before the measurement, not after
            pass
    except OSError as error:
        raise UserError(f"--out={out}: cannot be written ({error.strerror})") from None
    devices.prepare()
    images = DATASETS["mnist"]("", print).train_images
    loops: dict[str, Loop] = {}
    for name, make in LOOPS.items():
        print(f"preparing {name}", flush=True)
        try:
            loops[name] = make(images)
        except ImportError as error:
            print(f"skipped: {name} needs the extra `bench` ({error})")
    rates = measure(loops, values["repeats"].value, values["seconds"].value)
    result: dict[str, Any] = {
        "environment": devices.environment(),
        "batch_size": Config().batch_size,
        "rows": [row(name, rates) for name in rates],
    }
    print(table(result))
    write_json(out, result)
    return cli.DONE


def merged_loop(images: np.ndarray) -> Loop:
    """Returns the literal script's loop.

    Raises:
        ImportError: `tf_keras` is not installed.
    """
    if not importlib.util.find_spec("tf_keras"):
        raise ImportError("no module tf_keras")
    import tf_keras

    from experiments.peers import merged

    return merged.loop(tf_keras, images)


def tape_loop(images: np.ndarray, **changes: Any) -> Loop:
    """Returns what the trainer runs: pipeline, compiled step, a check after each call."""
    import tensorflow as tf

    from gan import devices
    from gan.data import block_dataset
    from gan.state import build_state
    from gan.trainer import compiled_steps

    config = devices.resolve(dataclasses.replace(Config(), **changes))
    state = build_state(config, images.shape[1:])
    run_steps = compiled_steps(config, state)
    per_call = config.steps_per_call
    blocks = iter(
        block_dataset(
            images,
            steps_per_call=per_call,
            d_steps=config.d_steps,
            batch_size=config.batch_size,
            latent_dim=config.latent_dim,
            seed=config.seed,
        )
    )

    def run(steps: int) -> None:
        for done in range(0, steps, per_call):
            count = min(per_call, steps - done)
            metrics, finite = run_steps(*next(blocks), tf.constant(0), tf.constant(count))
            if not finite:
                raise AssertionError(f"not finite: {metrics}")

    return run


LOOPS: dict[str, Callable[[np.ndarray], Loop]] = {
    BASELINE: merged_loop,
    DEFAULT: lambda images: tape_loop(images, precision="float32"),
    "two tapes, bfloat16": lambda images: tape_loop(images, precision="mixed_bfloat16"),
}


def measure(loops: dict[str, Loop], repeats: int, seconds: float) -> dict[str, list[float]]:
    """Returns the steps a second of each loop in each turn.

    Args:
        loops: What to measure.
        repeats: Turns of each.
        seconds: Length of a turn, about; a loop does the same number of steps in each.
    """
    counts = {}
    for name, run in loops.items():
        run(2)  # compiles
        run(10)
        started = time.perf_counter()
        run(10)
        counts[name] = max(10, round(10 * seconds / (time.perf_counter() - started) / 50) * 50)
    rates: dict[str, list[float]] = {name: [] for name in loops}
    for turn in range(repeats):
        # Forwards, then backwards, so that no loop is always the one after the slowest.
        for name in list(loops)[:: 1 if turn % 2 == 0 else -1]:
            started = time.perf_counter()
            loops[name](counts[name])
            rates[name].append(counts[name] / (time.perf_counter() - started))
        print(f"turn {turn + 1} of {repeats}", flush=True)
    return rates


def row(name: str, rates: dict[str, list[float]]) -> dict[str, Any]:
    """Returns median and quartiles of a loop's rates, and of its ratio to the baseline."""
    found: dict[str, Any] = {"loop": name, "steps_per_second": quartiles(rates[name])}
    if BASELINE in rates:
        found["ratio"] = quartiles(np.divide(rates[name], rates[BASELINE]))
    return found


def quartiles(values: Any) -> list[float]:
    """Returns first quartile, median and third quartile."""
    return [float(q) for q in np.percentile(values, [25, 50, 75])]


def table(result: dict[str, Any]) -> str:
    """Returns the rows as a Markdown table."""
    lines = [
        f"{', '.join(result['environment']['device'])}; batch {result['batch_size']}; "
        "median (quartiles)",
        "",
        "| loop | steps/s | ratio |",
        "| --- | --- | --- |",
    ]
    for entry in result["rows"]:
        cells = [
            "{1:.{d}f} ({0:.{d}f} to {2:.{d}f})".format(*entry[key], d=digits)
            if key in entry
            else ""
            for key, digits in (("steps_per_second", 1), ("ratio", 2))
        ]
        lines.append(f"| {entry['loop']} | {' | '.join(cells)} |")
    return "\n".join(lines)


if __name__ == "__main__":
    cli.run("Measures training steps a second beside the merged-model loop.", define, main)
