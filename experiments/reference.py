"""Makes the reference curves of a preset from the runs of a study, for ``tapegan compare``.

``python -m experiments.reference --study=usual_mlp`` after ``make study ARGS=--study=usual_mlp``
writes gan/reports/curves/mlp.json, and says how often each run would leave the band of the others.
"""

import dataclasses
from pathlib import Path

from absl.flags import FlagValues

from experiments.studies.table import STUDIES, runs_of, state_of
from gan.cli import command, flags
from gan.errors import UserError
from gan.run.fields import option
from gan.run.presets import from_preset

OUT = Path(__file__).parent.parent / "gan/reports/curves"


def define(values: FlagValues) -> None:
    """Defines the flags."""
    names = tuple(name for name in STUDIES if name.startswith("usual_"))
    flags.define(
        values,
        study=option(names[0], "whose runs", choices=names),
        out=option("runs/study", "directory of all studies"),
    )


def main(values: FlagValues) -> int:
    """Writes the reference and returns the exit status."""
    name = values["study"].value
    study = STUDIES[name]
    with command.silenced():
        from gan.reports import compare, reference_curves
        from gan.run import reader
        from gan.run.atomic_files import write_json
        from gan.training import devices
    runs = runs_of(study, Path(values["out"].value) / name)
    curves = []
    for run in runs:
        config = from_preset(study.preset, run.changes)
        if (state := state_of(run, config.steps)) != "completed":
            raise UserError(f"--study={name}: {run.directory} is {state}, make study completes it")
        found = reader.read_history(run.directory)
        curves.append(reference_curves.curves_of(found.records, found.evaluations))
    bands = {
        metric: {key: [round(x, 5) for x in values] for key, values in band.items()}
        for metric, band in reference_curves.band_of(curves).items()
    }
    path = OUT / f"{study.preset}.json"
    OUT.mkdir(exist_ok=True)
    write_json(
        path,
        {
            "preset": study.preset,
            "config": dataclasses.asdict(from_preset(study.preset)),
            "seeds": list(study.seeds),
            "environment": devices.environment(),
            "bands": bands,
        },
    )
    print(f"{path}: {len(runs)} runs, {path.stat().st_size:,} bytes")
    for i, run in enumerate(runs):
        others = reference_curves.band_of(curves[:i] + curves[i + 1 :])
        outside = compare.deviations(curves[i], others, compare.judged(config))
        print(
            f"{run.directory.name} beside the others: {'; '.join(map(str, outside)) or 'as usual'}"
        )
    return command.DONE


if __name__ == "__main__":
    command.run("Makes the reference curves of a preset.", define, main)
