"""Runs a named study and writes its table and plots: ``python -m experiments.study --study=mlp``.

What is done already is skipped, so an interrupted study goes on where it was. Everything is
computed from the checkpoints that training leaves.
"""

import dataclasses
from pathlib import Path

from absl.flags import FlagValues

from experiments import folder_sets
from experiments.studies import report
from experiments.studies.table import STUDIES, runs_of
from gan.cli import command, flags
from gan.errors import UserError
from gan.run.fields import INT32, option
from gan.sweeps.runs import NEW, OPEN, refuse_another_run, state_of
from gan.sweeps.training import train_all


def define(values: FlagValues) -> None:
    """Defines the flags."""
    flags.define(
        values,
        study=option("mlp", "which one", choices=tuple(STUDIES)),
        out=option("runs/study", "directory of all studies", path_after=""),
        jobs=option(1, "runs at once, each on its share of the cores", low=1, below=INT32),
    )


def main(values: FlagValues) -> int:
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
    if study.folder_set:
        folder_sets.make(study.folder_set, Path(folder_sets.PLACE) / study.folder_set)
    runs = runs_of(study, out)
    for run in runs:  # a mistake in the table, or a run of an older table, before any training
        refuse_another_run(run)
    todo = [run for run in runs if state_of(run.directory, run.config.steps) in (NEW, OPEN)]
    command.tell(f"{len(runs)} runs, {len(runs) - len(todo)} of them done")
    ended = train_all(runs, jobs, command.tell)
    if ended.asked:
        command.tell(f"{out}: {len(ended.completed)} of {len(runs)} runs done")
        command.tell("next: the same command goes on")
        return ended.asked
    for status in ended.broken.values():  # a crash says nothing about the variant
        return status if status > 0 else command.FAILED
    with command.silenced():
        from experiments.studies.evaluation import evaluate_all, flags_of
        from gan.training import devices
    devices.prepare()
    rows, floors = evaluate_all(study, runs)
    done = {row["run"] for row in rows}
    failed = [
        {
            "run": run.directory.name,
            "variant": run.variant,
            "status": "failed",
            **flags_of(dataclasses.asdict(run.config)),
        }
        for run in runs
        if run.directory.name not in done
    ]
    report.write_csv(out / "results.csv", rows + failed)
    write = report.markdown if "light" in floors else report.modes_markdown
    text = write(list(study.variants), len(study.seeds), rows, floors["full"])
    (out / "results.md").write_text(text + "\n", encoding="utf-8")
    print(f"{text}\n\n{out}: results.csv, results.md")
    if "light" in floors:
        report.plot(out / "fcd.png", rows, floors["light"]["fcd"]["mean"])
        print(f"{out / 'fcd.png'}: FCD over the steps")
    return command.DONE


if __name__ == "__main__":
    command.run("Runs a study, or goes on with it, and writes its results.", define, main)
