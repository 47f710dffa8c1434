"""Makes the reference curves of a preset from the runs of a study, for ``tapegan compare``.

``python -m experiments.reference --study=usual_mlp`` after ``make study ARGS=--study=usual_mlp``
writes gan/reports/curves/mlp.json, and says how often each run would leave the band of the others.
"""

import dataclasses
from pathlib import Path

from absl.flags import FlagValues

from experiments.studies.table import STUDIES, runs_of
from gan.cli import command, flags
from gan.errors import UserError
from gan.run.fields import option
from gan.run.presets import from_preset
from gan.sweeps.runs import COMPLETED, state_of

OUT = Path(__file__).parent.parent / "gan/reports/curves"


def define(values: FlagValues) -> None:
    """Defines the flags."""
    names = tuple(name for name in STUDIES if name.startswith("usual_"))
    flags.define(
        values,
        study=option(names[0], "whose runs", choices=names),
        out=option("runs/study", "directory of all studies", path_after=""),
    )


def main(values: FlagValues) -> int:
    """Writes the curves and returns the exit status."""
    name = values["study"].value
    study = STUDIES[name]
    with command.silenced():
        from gan.reports import compare, reference_curves
        from gan.run import reader
        from gan.run.atomic_files import write_json
        from gan.training import devices
    curves = {}
    for run in runs_of(study, Path(values["out"].value) / name):
        state = state_of(run.directory, run.config.steps)
        if state != COMPLETED:
            raise UserError(f"--study={name}: {run.directory} is {state}, make study completes it")
        history = reader.read_history(run.directory)
        curves[run.directory.name] = reference_curves.curves_of(
            history.records, history.evaluations
        )
    config = from_preset(study.preset)
    bands = {
        metric: {key: [round(x, 5) for x in values] for key, values in band.items()}
        for metric, band in reference_curves.bands_of([*curves.values()]).items()
    }
    path = OUT / f"{study.preset}.json"
    OUT.mkdir(exist_ok=True)
    content = {
        "preset": study.preset,
        "config": dataclasses.asdict(config),
        "seeds": list(study.seeds),
        "environment": devices.environment(),
        "bands": bands,
    }
    write_json(path, content)
    print(f"{path}: {len(curves)} runs, {path.stat().st_size:,} bytes")
    for name, curve in curves.items():
        others = reference_curves.bands_of([c for other, c in curves.items() if other != name])
        outside = compare.deviations(curve, others, compare.judged(config))
        print(f"{name} beside the others: {'; '.join(map(str, outside)) or 'inside their band'}")
    return command.DONE


if __name__ == "__main__":
    command.run("Makes the reference curves of a preset.", define, main)
