"""Evaluates the checkpoints that the runs of a study left."""

import json
from typing import Any

from experiments.studies import Run, Study, state_of
from gan import evaluate, logs, metrics, real, samples, watch
from gan import runs as run_files
from gan.config import from_preset
from gan.recipe import dataset_of

WEIGHTS = ("raw", "ema")


def evaluate_all(
    study: Study, runs: list[Run]
) -> tuple[list[dict[str, Any]], dict[str, dict[str, Any]]]:
    """Returns a row for each completed run and kind of weights, and floors: "full" and "light".

    Evaluations that a run's evaluations.jsonl holds already are not repeated.
    """
    config = from_preset(study.preset, study.common)
    data = dataset_of(config, print)
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
        generator, _ = samples.load_generator(run.directory, data, weights, str(step))
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
