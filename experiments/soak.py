"""Trains for an hour at the fastest settings and watches what a leak would raise.

``python -m experiments.soak --minutes=60``: a tiny MLP on MNIST with checkpoints, sample grids and
light evaluations all the time. It prints memory, open files and threads each minute, and ends with
status 1 if one of them grew or the step was traced again.
"""

import os
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
from absl.flags import FlagValues

from gan.cli import command, flags
from gan.cli.train import status_of
from gan.data.time_limit import GivenUp
from gan.errors import TrainingFailed, UserError
from gan.run.fields import option
from gan.run.presets import from_preset
from gan.training.signals import catching_signals

OVER = "the end of the time"
WARM_UP = 0.2  # of the time, after which nothing may grow any more
GROWTH = 0.02  # of the memory, which is noise
FASTEST = {
    "steps": 2**31 - 1, "steps_per_call": 500, "jit_compile": True, "log_every": 500,
    "sample_every": 1000, "checkpoint_every": 1000, "evaluate_every": 10_000, "keep_best": "fcd",
}  # fmt: skip


def define(values: FlagValues) -> None:
    """Defines the flags."""
    flags.define(values, minutes=option(60.0, "how long", low=0.01, below=1e5))


def main(values: FlagValues) -> int:
    """Trains, prints a table and returns the exit status."""
    minutes = values["minutes"].value
    if not os.path.isdir("/proc/self/fd"):
        raise UserError("soak: reads /proc, which only Linux has")
    with command.silenced():
        from gan.evaluation import evaluate
        from gan.training import trainer
    config = from_preset("tiny", FASTEST)
    rows: list[dict[str, float]] = []
    started = time.monotonic()
    with catching_signals(ends_process=True) as stop, tempfile.TemporaryDirectory() as directory:

        def watch(generator: Any, step: int) -> dict[str, Any]:
            """Takes a row a minute, and asks for the end when the time is over."""
            now = (time.monotonic() - started) / 60
            if not rows or now - rows[-1]["minute"] >= min(1.0, minutes / 60):
                rows.append({"minute": now, "step": step, **usage()})
                print(row(rows[-1]), flush=True)
            if now >= minutes:
                stop.signal_name = OVER
            return {"metrics": {}}

        print(
            "| minute | step | memory MB | open files | threads |\n| --- | --- | --- | --- | --- |"
        )
        try:
            summary = trainer.train(
                config,
                Path(directory) / "run",
                make_evaluators=lambda *given: {**evaluate.evaluators(*given), "soak": watch},
                quiet=True,
                stop=stop,
            )
        except TrainingFailed as error:
            return command.complain(error, command.FAILED)
        except GivenUp:
            command.tell(f"{stop.signal_name}: gave up getting the data set; nothing was trained")
            return status_of(stop.signal_name)
    failures = growth([r for r in rows if r["minute"] >= WARM_UP * minutes])
    if summary["signal"] != OVER:
        failures.append(f"not all of the time: it ended by {summary['signal']}")
    if summary["traces"] != 1:
        failures.append(f"{summary['traces']} traces")
    print(f"{summary['step']:,} steps, {summary['traces']} trace; grew: {failures or 'nothing'}")
    return command.FAILED if failures else command.DONE


def usage() -> dict[str, float]:
    """Returns what this process holds now: memory in MB (10^6 bytes), open files, threads."""
    resident = int(Path("/proc/self/statm").read_text().split()[1])
    return {
        "memory": resident * os.sysconf("SC_PAGE_SIZE") / 1e6,
        "files": len(os.listdir("/proc/self/fd")),
        "threads": len(os.listdir("/proc/self/task")),
    }


def growth(rows: list[dict[str, float]]) -> list[str]:
    """Returns what the second half of the rows has more of than the first: medians."""
    if len(rows) < 2:
        return [f"not known, of {len(rows)} rows after the warm-up"]
    first, second = rows[: len(rows) // 2], rows[len(rows) // 2 :]
    failures = []
    for name, allowed in (("memory", 1 + GROWTH), ("files", 1.0), ("threads", 1.0)):
        before, after = (float(np.median([r[name] for r in half])) for half in (first, second))
        if after > allowed * before:
            failures.append(f"{name} {before:.0f} to {after:.0f}")
    return failures


def row(values: dict[str, float]) -> str:
    """Returns a row of the table."""
    return (
        f"| {values['minute']:.1f} | {values['step']:,.0f} | {values['memory']:.0f} "
        f"| {values['files']:.0f} | {values['threads']:.0f} |"
    )


if __name__ == "__main__":
    command.run("Trains for an hour and watches memory, open files and traces.", define, main)
