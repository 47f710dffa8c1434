"""Runs a named study and writes its table and plots: ``python -m experiments.study --study=mlp``.

A study is a preset, some variants of it and some seeds. Each run is an ordinary run directory,
trained by ``experiments.train``; what is done already is skipped, so an interrupted study goes on
where it was. Everything is computed from the checkpoints that training leaves.
"""

import concurrent.futures
import dataclasses
import json
import os
import queue
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from absl import flags

from experiments import cli, study_report
from gan import runs as run_files
from gan.config import UserError, from_preset


class Study(NamedTuple):
    """Which runs to do: each variant with each seed."""

    preset: str
    seeds: tuple[int, ...]
    variants: dict[str, dict[str, Any]]  # name -> what it changes
    common: dict[str, Any]  # what all runs change
    curve: tuple[int, ...]  # steps of the checkpoints that the plot shows
    num_images: int = 10_000  # of the final evaluation


STUDIES: dict[str, Study] = {
    "mlp": Study(
        "mlp",
        seeds=(0, 1, 2),
        variants={
            "classic": {"schedule": "classic"},
            "alternating": {"schedule": "alternating"},
            "simultaneous": {"schedule": "simultaneous"},
        },
        # Evaluated from the checkpoints, so that the seconds are those of training alone.
        common={"checkpoint_every": 2000, "keep_checkpoints": 1000, "evaluate_every": 0},
        curve=(2000, 4000, 8000, 14_000, 20_000, 30_000),
    ),
    "tiny": Study(  # a minute, to see that it works
        "tiny",
        seeds=(0, 1),
        variants={
            "alternating": {},
            "diverging": {"d_learning_rate": 1e38},  # a run that fails is counted
        },
        common={
            "steps": 100,
            "checkpoint_every": 50,
            "keep_checkpoints": 1000,
            "evaluate_every": 0,
        },
        curve=(50, 100),
        num_images=2000,
    ),
}
WEIGHTS = ("raw", "ema")


class Run(NamedTuple):
    """One training run of a study."""

    variant: str
    seed: int
    directory: Path
    changes: dict[str, Any]


def define(values: flags.FlagValues) -> None:
    """Defines the flags."""
    flags.DEFINE_enum("study", "mlp", list(STUDIES), "which one", flag_values=values)
    flags.DEFINE_string("out", "runs/study", "directory of all studies", flag_values=values)
    flags.DEFINE_integer(
        "jobs", 1, "runs at once, each on its share of the cores", 1, flag_values=values
    )


def main(values: flags.FlagValues) -> int:
    """Trains, evaluates, writes results and returns the exit status."""
    name, jobs = values["study"].value, values["jobs"].value
    study, out = STUDIES[name], Path(values["out"].value) / name
    try:
        import scipy  # noqa: F401, found missing before hours of training, not after
    except ImportError:
        raise UserError("--study: needs SciPy, install the extra `study`") from None
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UserError(f"--out={out.parent}: cannot be written ({error.strerror})") from None
    runs = runs_of(study, out)
    status = train_all(study, runs, jobs)
    if status != cli.DONE:
        return status
    with cli.silenced():
        from gan import devices
    devices.prepare()
    rows, floors = evaluate_all(study, runs)
    done = {row["run"] for row in rows}
    failed = [
        {
            "run": run.directory.name,
            "variant": run.variant,
            "status": "failed",
            **dataclasses.asdict(from_preset(study.preset, run.changes)),
        }
        for run in runs
        if run.directory.name not in done
    ]
    study_report.write_csv(out / "results.csv", rows + failed)
    text = study_report.markdown(list(study.variants), len(study.seeds), rows, floors["full"])
    (out / "results.md").write_text(text + "\n", encoding="utf-8")
    study_report.plot(out / "fcd.png", rows, floors["light"]["fcd"]["mean"])
    print(text)
    print(f"\n{out}: results.csv, results.md, fcd.png")
    return cli.DONE


def runs_of(study: Study, out: Path) -> list[Run]:
    """Returns the runs of a study, seed by seed, so that early results compare variants."""
    return [
        Run(variant, seed, out / f"{variant}-{seed}", {**study.common, **changes, "seed": seed})
        for seed in study.seeds
        for variant, changes in study.variants.items()
    ]


def state_of(run: Run, steps: int) -> str:
    """Returns "completed" (all `steps` of it), "stopped" (it failed), or "open"."""
    try:
        summary = json.loads((run.directory / "summary.json").read_text())
        status, step = summary["status"], summary["step"]
    except (OSError, ValueError, KeyError):
        return "open"
    if status == "completed" and step < steps:  # the table asks for more than before
        return "open"
    return status if status in ("completed", "stopped") else "open"


def train_all(study: Study, runs: list[Run], jobs: int) -> int:
    """Trains what is not done, `jobs` runs at once, and returns the exit status.

    A run that fails stays as it is and is counted; deleting its directory repeats it.
    """
    # A mistake in the table, or a run of an older table, shows here, before any training.
    configs = [from_preset(study.preset, run.changes) for run in runs]
    for run in runs:
        refuse_another_run(study, run)
    cores = sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else []
    slots: queue.Queue[list[int]] = queue.Queue()
    for slot in range(jobs):
        slots.put(cores[slot % max(1, len(cores)) :: jobs] if jobs > 1 else [])
    stopping: list[int] = []
    children: set[subprocess.Popen[bytes]] = set()

    def train(run: Run) -> None:
        if stopping:
            return
        mine = slots.get()
        command = [sys.executable, "-m", "experiments.train", f"--preset={study.preset}"]
        command += [f"--{name}={value}" for name, value in run.changes.items()]
        command += [f"--run_dir={run.directory}"]
        print(f"training {run.directory.name}", flush=True)
        try:
            with open(f"{run.directory}.log", "a") as log:
                pin = (lambda: os.sched_setaffinity(0, mine)) if mine else None
                # A session of its own, so that it gets a signal once, from us.
                child = subprocess.Popen(
                    command, stdout=log, stderr=log, preexec_fn=pin, start_new_session=True
                )
                children.add(child)
                if stopping:  # the signal came while it was started
                    child.terminate()
                status = child.wait()
                children.remove(child)
        except OSError as error:
            stopping.append(cli.BAD_INPUT)
            print(f"error: --out={run.directory.parent}: {error.strerror}", file=sys.stderr)
            return
        finally:
            slots.put(mine)
        failed = status == cli.FAILED and state_of(run, 0) == "stopped"
        if status != cli.DONE and not failed:  # a crash says nothing about the variant
            stopping.append(status if status > 0 else cli.FAILED)
            print(f"{run.directory.name} ended with {status}, see {log.name}")

    todo = [r for r, c in zip(runs, configs, strict=True) if state_of(r, c.steps) == "open"]
    print(f"{len(runs)} runs, {len(runs) - len(todo)} of them done")
    with (
        passing_on_signals(children, stopping),
        concurrent.futures.ThreadPoolExecutor(jobs) as pool,
    ):
        list(pool.map(train, todo))
    return stopping[0] if stopping else cli.DONE


def refuse_another_run(study: Study, run: Run) -> None:
    """Refuses a directory that holds a run of another table than this one.

    Raises:
        UserError: Names the differences.
    """
    config = from_preset(study.preset, run.changes)
    if (run.directory / run_files.CONFIG_FILE).exists():
        saved = run_files.read_config(run.directory)
        # What was chosen for the machine that trained it may differ from the choice for this one.
        for name, automatic in (("precision", "auto"), ("jit_compile", None)):
            if getattr(config, name) == automatic:
                config = dataclasses.replace(config, **{name: getattr(saved, name)})
    run_files.check_run_dir(run.directory, config)


@contextmanager
def passing_on_signals(
    children: set["subprocess.Popen[bytes]"], stopping: list[int]
) -> Iterator[None]:
    """Passes SIGTERM and Ctrl-C on to the runs, which save, and starts no others."""
    statuses = {signal.SIGTERM: cli.PREEMPTED, signal.SIGINT: cli.INTERRUPTED}

    def handle(number: int, frame: Any) -> None:
        stopping.insert(0, statuses[signal.Signals(number)])
        for child in list(children):
            child.send_signal(number)

    usual = {one: signal.getsignal(one) for one in statuses}
    for one, old in usual.items():
        if old is not signal.SIG_IGN:  # Ctrl-C, for a job in the background of a script
            signal.signal(one, handle)
    try:
        yield
    finally:
        for one, old in usual.items():
            signal.signal(one, old)


def evaluate_all(
    study: Study, runs: list[Run]
) -> tuple[list[dict[str, Any]], dict[str, dict[str, Any]]]:
    """Returns a row for each completed run and kind of weights, and floors: "full" and "light".

    Evaluations that a run's evaluations.jsonl holds already are not repeated.
    """
    from gan import evaluate, logs, metrics, real, samples, watch
    from gan.data import load_dataset

    config = from_preset(study.preset, study.common)
    data = load_dataset(config.dataset, config.data_dir, print)
    light = evaluate.LIGHT_IMAGES
    seen = {n: real.load(config.dataset, data, n, print) for n in ("cnn-a", "cnn-b")}
    references = {
        (network, count): seen[network].reference(count=count)
        for network, count in (("cnn-a", study.num_images), ("cnn-b", study.num_images),
                               ("cnn-a", light))
    }  # fmt: skip

    def evaluated(
        run: Run, weights: str, step: int, network: str, count: int, names: tuple[str, ...]
    ) -> dict[str, Any]:
        against = references[network, count]
        about = {"source": "study", "step": step, "weights": weights, "seed": 0}
        for record in logs.read_records(run.directory / run_files.EVALUATIONS_FILE):
            if (
                {name: record.get(name) for name in about} == about
                and record["features"] == against.real.extractor.provenance
                and record["num_images"] == count
                and set(names) <= set(record["metrics"])
            ):
                return record
        print(f"evaluating {run.directory.name}, step {step}, {weights}, {network}", flush=True)
        shape = data.train_images.shape[1:]
        generator, _ = samples.load_generator(run.directory, shape, weights, str(step))
        images = samples.sample(generator, count)
        found = real.compute(against, against.real.extractor(images), images, names)
        record = {**about, **evaluate.record(against, count, found)}
        logs.append_record(run.directory / run_files.EVALUATIONS_FILE, record)
        return record

    rows = []
    for run in runs:
        expected = from_preset(study.preset, run.changes)
        if state_of(run, expected.steps) != "completed":
            continue
        records = logs.read_records(run.directory / run_files.METRICS_FILE)
        saved = json.loads((run.directory / run_files.CONFIG_FILE).read_text())
        for weights in WEIGHTS:
            curve = []
            for step in study.curve:
                at = evaluated(run, weights, step, "cnn-a", light, evaluate.LIGHT_METRICS)
                logged = next(r for r in records if r["step"] >= step)
                times = {name: logged[name] for name in ("kimg", "seconds")}
                curve.append({**times, "step": step, **at})
            last = int(records[-1]["step"])
            count = study.num_images
            full = evaluated(run, weights, last, "cnn-a", count, tuple(metrics.METRICS))
            other = evaluated(run, weights, last, "cnn-b", count, ("fcd",))
            rows.append({
                "run": run.directory.name,
                "variant": run.variant,
                "weights": weights,
                "status": "completed",
                "seconds": records[-1]["seconds"],
                "steps_done": last,
                "device": "; ".join(saved["environment"]["device"]),
                "collapse": " ".join(watch.history(records, curve)),
                **saved["config"],
                **full["metrics"],
                "kid_standard_error": full["kid_standard_error"],
                "fcd_b": other["metrics"]["fcd"],
                "curve": curve,
            })  # fmt: skip
    floors = {
        kind: {
            name: floor._asdict()
            for name, floor in real.floors(references["cnn-a", count], count).items()
        }
        for kind, count in (("full", study.num_images), ("light", light))
    }
    other_floors = real.floors(references["cnn-b", study.num_images], study.num_images)
    floors["full"]["fcd_b"] = other_floors["fcd"]._asdict()
    return rows, floors


if __name__ == "__main__":
    cli.run("Runs a study, or goes on with it, and writes its results.", define, main)
