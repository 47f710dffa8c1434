"""Measures training steps a second, interleaved: ``python -m experiments.benchmark``.

Each loop lives in a process of its own, and they take turns, so that a slow minute of the machine
hits all of them. A ratio is the median over the turns of that turn's ratio. Other tables say how
the cost grows, what it is made of, and what a start takes.
"""

import contextlib
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from absl.flags import FlagValues

from experiments.benchmarks.measure import measure, median_and_quartiles, quartiles
from gan.cli import command, flags
from gan.errors import UserError
from gan.run.config import Config
from gan.run.fields import INT32, option
from gan.run.streams import tell

# What the loops should show after `LEARNING_STEPS` steps, as the mean of some of the last ones. Ten
# seeds of ours have 1.14 to 1.21 and 0.77 to 0.83 (--table=losses); the script, whose algorithm is
# another, 1.27 and 0.70. A D that learns nothing has 1.386, one that wins has next to nothing.
LEARNING_STEPS, LAST_STEPS, STRIDE = 500, 100, 5
D_LOSSES, G_LOSSES = (1.05, 1.33), (0.6, 1.0)

# The tables, with the flags that mean nothing to them.
TABLES: dict[str, tuple[str, ...]] = {
    "loops": (),
    "scaling": (),
    "operations": ("repeats", "seconds", "quick"),
    "startup": ("seconds",),
    "losses": ("repeats", "seconds", "quick"),
    "folders": ("repeats", "seconds", "quick"),
    "workers": (),
}


def define(values: FlagValues) -> None:
    """Defines the flags."""
    flags.define(
        values,
        repeats=option(9, "turns of each loop; 3 with --quick, if not given", low=2, below=INT32),
        seconds=option(6.0, "length of a turn; 1 with --quick, if not given", low=0.1, below=1e6),
        quick=option(False, "at most 2 minutes, less is measured"),
        table=option(
            "loops",
            "loops: beside other frameworks; scaling: by batch, width, steps a call and model; "
            "operations: what a step is made of; startup: from the command to the first step; "
            "losses: of ten seeds, for what the first table calls training; "
            "folders: reading images; workers: two with a core each, to one",
            choices=tuple(TABLES),
        ),
        images=option(100_000, "files of --table=folders", low=1, below=INT32),
        out=option("runs/benchmark.json", "where to write JSON", path_after=""),
    )


def main(values: FlagValues) -> int:
    """Prints the tables, writes JSON and returns the exit status."""
    table, quick = values["table"].value, values["quick"].value
    nothing = (*TABLES[table], *["images"] * (table != "folders"))
    for name in nothing:
        if values[name].present:
            raise UserError(f"--{name}={values[name].value}: means nothing to --table={table}")
    if table == "workers":
        from experiments.benchmarks.workers import two_cores

        two_cores()  # refused before anything is written
    repeats, seconds = values["repeats"].value, values["seconds"].value
    if quick:
        repeats = repeats if values["repeats"].present else 3
        seconds = seconds if values["seconds"].present else 1.0
    out = Path(values["out"].value)
    with command.silenced():
        from experiments.benchmarks.processes import LoopFailed
        from gan.run import run_directory
        from gan.run.atomic_files import write_json
        from gan.training import devices

    try:
        if out.is_dir():
            raise UserError(f"--out={out}: is a directory, must be a file")
        run_directory.check_output(out)
        out.parent.mkdir(parents=True, exist_ok=True)
        # Found out before the measurement, not after; what is there stays until there is another.
        tempfile.TemporaryFile(dir=out.parent).close()
    except OSError as error:
        raise UserError(f"--out={out}: cannot be written ({error.strerror})") from None
    devices.prepare()
    result: dict[str, Any] = {"environment": devices.environment(), "quick": quick}
    make = {
        "loops": lambda: loops_table(repeats, seconds, quick),
        "scaling": lambda: scaling_table(repeats, seconds),
        "operations": operations_table,
        "startup": lambda: startup_table(repeats),
        "losses": losses_table,
        "folders": lambda: folders_table(values["images"].value),
        "workers": lambda: workers_table(repeats, seconds),
    }[table]
    try:
        found, text = make()
    except LoopFailed as error:
        return command.complain(error, command.FAILED)
    print(f"{', '.join(result['environment']['device'])}\n\n{text}")
    write_json(out, {**result, **found})
    return command.DONE


def loops_table(repeats: int, seconds: float, quick: bool) -> tuple[dict[str, Any], str]:
    """Measures our loops, those of other frameworks, and the limits of the machine."""
    from experiments.benchmarks.loops import LIMIT, LOOPS
    from experiments.benchmarks.processes import LoopFailed, LoopProcess

    loops: dict[str, LoopProcess] = {}
    losses: dict[str, list[float]] = {}
    failed: list[str] = []
    with tempfile.TemporaryDirectory() as directory, contextlib.ExitStack() as stack:
        images = Path(directory, "images.npy")
        np.save(images, mnist())
        for row in LOOPS:
            if quick and not row.quick:
                tell(f"skipped: {row.name}, not for --quick")
                continue
            tell(f"preparing {row.name}")
            try:
                loop = LoopProcess(row.make, images)
                stack.callback(loop.end)
                if not quick and row.kind != LIMIT:
                    losses[row.name] = learned(loop)
                loops[row.name] = loop
            except ImportError as error:
                tell(f"skipped: {row.name} needs the extra `bench` ({error})")
            except LoopFailed as error:
                tell(f"failed: {row.name}: {error}")
                failed.append(row.name)
        prepared = list(loops)
        rates = measure(loops, repeats, seconds, {row.name: row.unit for row in LOOPS})
        failed += [name for name in prepared if name not in rates]
    result = {
        "batch_size": Config().batch_size,
        "steps_per_second": rates,
        "also": {row.name: row.also for row in LOOPS if row.name in rates},
        "losses": losses,
        "failed": failed,
        "comparisons": {name: quartiles(ratios) for name, ratios in comparisons(rates)},
    }
    return result, report(result)


def scaling_table(repeats: int, seconds: float) -> tuple[dict[str, Any], str]:
    """Measures how the cost grows with batch size, width, steps a call and for each model."""
    from experiments.benchmarks import scaling

    found = scaling.measure(mnist(), repeats, seconds)
    return {"scaling": found}, scaling.table(found)


def operations_table() -> tuple[dict[str, Any], str]:
    """Profiles the operations of a step, once for each precision."""
    from experiments.benchmarks import operations

    images = mnist()
    found = {name: operations.measure(images, name) for name in ("float32", "mixed_bfloat16")}
    return {"operations": found}, operations.table(found)


def startup_table(repeats: int) -> tuple[dict[str, Any], str]:
    """Measures the start of training, in new processes."""
    from experiments.benchmarks import startup

    found = startup.measure(repeats)
    return {"startup": found}, startup.table(found)


def folders_table(count: int) -> tuple[dict[str, Any], str]:
    """Measures how a folder of so many images is read."""
    from experiments.benchmarks import folders

    found = folders.measure(count)
    return {"images": count, "folders": found}, folders.table(found, count)


def workers_table(repeats: int, seconds: float) -> tuple[dict[str, Any], str]:
    """Measures what a second worker brings."""
    from experiments.benchmarks import workers

    found = workers.measure(mnist(), repeats, seconds)
    teams = {
        case: {name: one._asdict() for name, one in of_case.items()}
        for case, of_case in found.items()
    }
    return {"workers": teams}, workers.table(found)


def losses_table() -> tuple[dict[str, Any], str]:
    """Trains ten seeds of the default for `LEARNING_STEPS`, for the ranges of `trains`."""
    from experiments.benchmarks.loops import tape_loop

    images = mnist()
    found = []
    for seed in range(10):
        found.append(learned(tape_loop(images, seed=seed, precision="float32")))
        tell(f"seed {seed}: D {found[-1][0]:.3f}, G {found[-1][1]:.3f}")
    low, high = np.min(found, 0), np.max(found, 0)
    text = f"D {low[0]:.3f} to {high[0]:.3f}, G {low[1]:.3f} to {high[1]:.3f}"
    return {"losses_by_seed": found}, text


def mnist() -> np.ndarray:
    """Returns MNIST's training images."""
    from gan.data.datasets import load_dataset

    return load_dataset("mnist", "", print).train_images


def learned(loop: Any) -> list[float]:
    """Returns the mean losses of D and G around the last of the first steps."""
    loop(LEARNING_STEPS - LAST_STEPS)
    last = [loop(STRIDE) for _ in range(LAST_STEPS // STRIDE)]
    return [float(mean) for mean in np.mean(last, axis=0)]


def trains(losses: list[float]) -> bool:
    """Tells whether losses of `learned` are those of a run that trains."""
    ranges = (D_LOSSES, G_LOSSES)
    return all(low <= loss <= high for loss, (low, high) in zip(losses, ranges, strict=True))


def comparisons(rates: dict[str, list[float]]) -> Iterator[tuple[str, list[float]]]:
    """Yields (what is compared, its ratio in each turn), for what was measured.

    The best of several loops is the one with the highest median.
    """
    from experiments.benchmarks import loops as of

    for ours, precision in ((of.DEFAULT, "float32"), (of.BFLOAT16, "bfloat16")):
        for kind in (of.PYTORCH, of.JAX):
            others = [
                row.name
                for row in of.LOOPS
                if (row.kind, row.precision) == (kind, precision) and row.name in rates
            ]
            best = max(others, key=lambda name: np.median(rates[name]), default=None)
            bare = of.BARE[precision]
            for name, what in ((ours, precision), (bare, f"{precision}, as little as the peers,")):
                if best and name in rates:
                    ratio = np.array(rates[name]) / rates[best]
                    yield f"{what} to the best of {kind} ({best})", list(ratio)
        if ours not in rates:
            continue
        mine = np.array(rates[ours])
        if of.MERGED in rates:
            yield f"{precision} to the {of.MERGED}", list(mine / rates[of.MERGED])
        if of.PRODUCTS[precision] in rates and of.TRAFFIC in rates:
            products, traffic = np.array(rates[of.PRODUCTS[precision]]), np.array(rates[of.TRAFFIC])
            yield f"{precision} to {of.PRODUCTS[precision]}", list(mine / products)
            # One after the other: Adam waits for the gradients.
            yield (
                f"{precision} to the roofline (products and traffic)",
                list(mine * (1 / products + 1 / traffic)),
            )
        if of.PIPELINE in rates:
            yield f"{of.PIPELINE} to {precision}", list(np.array(rates[of.PIPELINE]) / mine)


def report(result: dict[str, Any]) -> str:
    """Returns two Markdown tables: the loops, and how ours compare."""
    lines = [
        f"Batch {result['batch_size']}; median (quartiles).",
        "",
        "| loop | also computes | steps/s | losses of D and G after 500 steps |",
        "| --- | --- | --- | --- |",
    ]
    for name, rates in result["steps_per_second"].items():
        found = result["losses"].get(name, [])
        losses = ", ".join(f"{loss:.2f}" for loss in found)
        if found and not trains(found):
            losses += ", **does not train**"
        rate = median_and_quartiles(quartiles(rates), 1)
        lines.append(f"| {name} | {result['also'][name]} | {rate} | {losses} |")
    lines += [f"| {name} | | **failed** | |" for name in result["failed"]]
    lines += ["", "| comparison | ratio |", "| --- | --- |"]
    lines += [
        f"| {name} | {median_and_quartiles(found, 2)} |"
        for name, found in result["comparisons"].items()
    ]
    return "\n".join(lines)


if __name__ == "__main__":
    command.run("Measures training steps a second, beside other frameworks.", define, main)
