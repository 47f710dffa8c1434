"""Makes the reference curves of a preset from the runs of a study, for ``tapegan compare``.

``python -m experiments.reference --study=usual_mlp`` after ``make study ARGS=--study=usual_mlp``
writes gan/references/mlp.json, and says how often each run would leave the band of the others.
"""

import dataclasses
from pathlib import Path

from absl import flags

from experiments.studies import STUDIES, runs_of, state_of
from gan.commands import cli
from gan.knobs import UserError, knob
from gan.presets import from_preset

OUT = Path(__file__).parent.parent / "gan/references"


def define(values: flags.FlagValues) -> None:
    """Defines the flags."""
    names = tuple(name for name in STUDIES if name.startswith("usual_"))
    cli.define(
        values,
        study=knob(names[0], "whose runs", choices=names),
        out=knob("runs/study", "directory of all studies"),
    )


def main(values: flags.FlagValues) -> int:
    """Writes the reference and returns the exit status."""
    name = values["study"].value
    study = STUDIES[name]
    with cli.silenced():
        from gan import devices, history, reference, verdict
        from gan.files import write_json
    runs = runs_of(study, Path(values["out"].value) / name)
    curves = []
    for run in runs:
        config = from_preset(study.preset, run.changes)
        if (state := state_of(run, config.steps)) != "completed":
            raise UserError(f"--study={name}: {run.directory} is {state}, make study completes it")
        found = history.read(run.directory)
        curves.append(reference.curves_of(found.records, found.evaluations))
    bands = {
        metric: {key: [round(x, 5) for x in values] for key, values in band.items()}
        for metric, band in reference.band_of(curves).items()
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
        others = reference.band_of(curves[:i] + curves[i + 1 :])
        outside = verdict.departures(curves[i], others, verdict.judged(config))
        print(
            f"{run.directory.name} beside the others: {'; '.join(map(str, outside)) or 'as usual'}"
        )
    return cli.DONE


if __name__ == "__main__":
    cli.run("Makes the reference curves of a preset.", define, main)
