"""Runs a named study and writes its table and plots: ``python -m experiments.study --study=mlp``.

What is done already is skipped, so an interrupted study goes on where it was. Everything is
computed from the checkpoints that training leaves.
"""

import dataclasses
from pathlib import Path

from absl import flags

from experiments import study_report
from experiments.studies import STUDIES, runs_of
from experiments.study_training import train_all
from gan.commands import cli
from gan.knobs import INT32, UserError, knob
from gan.presets import from_preset


def define(values: flags.FlagValues) -> None:
    """Defines the flags."""
    cli.define(
        values,
        study=knob("mlp", "which one", choices=tuple(STUDIES)),
        out=knob("runs/study", "directory of all studies"),
        jobs=knob(1, "runs at once, each on its share of the cores", low=1, below=INT32),
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
        from experiments.study_evaluation import evaluate_all
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
    report = study_report.markdown if "light" in floors else study_report.modes_markdown
    text = report(list(study.variants), len(study.seeds), rows, floors["full"])
    (out / "results.md").write_text(text + "\n", encoding="utf-8")
    print(f"{text}\n\n{out}: results.csv, results.md")
    if "light" in floors:
        study_report.plot(out / "fcd.png", rows, floors["light"]["fcd"]["mean"])
        print(f"{out / 'fcd.png'}: FCD over the steps")
    return cli.DONE


if __name__ == "__main__":
    cli.run("Runs a study, or goes on with it, and writes its results.", define, main)
