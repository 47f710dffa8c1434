"""Evaluates the checkpoints that the runs of a study left."""

import json
from collections.abc import Mapping
from typing import Any

from experiments.studies.table import Study
from gan.data.datasets import Dataset, dataset_from_config, with_train_images
from gan.evaluation import evaluate, reference
from gan.evaluation.constants import OF_DIVERSITY, OF_LEARNED
from gan.evaluation.feature_networks import NETWORKS
from gan.evaluation.inception import evaluate as inception
from gan.evaluation.metrics.table import METRICS, applicable
from gan.evaluation.mode_coverage import Modes
from gan.evaluation.records import evaluation_record, mode_record
from gan.run import jsonl, layout
from gan.run.presets import from_preset
from gan.run.records import DURING_TRAINING, read_evaluations, read_metrics
from gan.run.streams import tell
from gan.sampling import drawing, generators
from gan.sweeps.runs import COMPLETED, Run, state_of
from gan.training import collapse
from gan.training.checks import has_log_odds
from gan.version import __version__

WEIGHTS = ("raw", "ema")


def evaluate_all(
    study: Study, runs: list[Run]
) -> tuple[list[dict[str, Any]], dict[str, dict[str, Any]]]:
    """Returns a row for each completed run and kind of weights, and floors: "full" and "light".

    Evaluations that a run's evaluations.jsonl holds already are not repeated.
    """
    config = from_preset(study.preset, {**study.common, "train_images": 0})
    data = dataset_from_config(config, tell)
    if data.has_modes:
        return count_modes(runs, evaluate.load_modes(config.dataset, data, print_fn=tell))
    return judge_images(study, runs, config.dataset, data)


def count_modes(
    runs: list[Run], modes: Modes
) -> tuple[list[dict[str, Any]], dict[str, dict[str, Any]]]:
    """Does `evaluate_all` where modes can be counted."""
    rows = []
    for run in completed(runs):
        records = read_metrics(run.directory / layout.METRICS_FILE)
        step = int(records[-1]["step"])
        for weights in WEIGHTS:
            about = {"source": "study", "step": step, "weights": weights, "seed": 0}
            record = found_record(run, about, modes.provenance, modes.count, ())
            if record is None:
                tell(f"counting the modes of {run.directory.name}, {weights}")
                generator, _ = generators.restore_generator(run.directory, modes.data, weights)
                drawn = drawing.sample_for_evaluation(generator, modes.data, modes.count)
                record = {**about, **mode_record(modes, drawn)}
                jsonl.append_record(run.directory / layout.EVALUATIONS_FILE, record)
            rows.append({**about_run(run, weights, records), **record["metrics"]})
    floors = {name: floor._asdict() for name, floor in modes.floors(modes.count).items()}
    return rows, {"full": floors}


def completed(runs: list[Run]) -> list[Run]:
    """Returns the runs that did all their steps."""
    return [run for run in runs if state_of(run.directory, run.config.steps) == COMPLETED]


def found_record(
    run: Run, about: dict[str, Any], features: Any, count: int, names: tuple[str, ...]
) -> dict[str, Any] | None:
    """Returns the record of an evaluation that was done before, None if there is none."""
    for record in read_evaluations(run.directory / layout.EVALUATIONS_FILE):
        if (
            {name: record.get(name) for name in about} == about
            and record["features"] == features
            and record["num_images"] == count
            and record.get("tapegan") == __version__  # another one may compute otherwise
            and set(names) <= set(record["metrics"])
        ):
            return record
    return None


def about_run(run: Run, weights: str, records: list[dict[str, Any]]) -> dict[str, Any]:
    """Returns the part of a row that says which run it is."""
    saved = json.loads((run.directory / layout.CONFIG_FILE).read_text())
    return {
        "run": run.directory.name,
        "variant": run.variant,
        "weights": weights,
        "status": "completed",
        "seconds": records[-1]["seconds"],
        "steps_done": int(records[-1]["step"]),
        "device": "; ".join(saved["environment"]["device"]),
        **flags_of(saved["config"]),
    }


def flags_of(config: Mapping[str, Any]) -> dict[str, Any]:
    """Returns the fields of a configuration, under another name where a metric has the same."""
    return {f"flag_{n}" if n in METRICS else n: value for n, value in config.items()}


def signs_of(
    run: Run, weights: str, records: list[dict[str, Any]], curve: list[dict[str, Any]]
) -> str:
    """Returns the signs of collapse of a run, "-" if no rule could look at it.

    `curve` are the study's light evaluations; where it has none, those of training count.
    """
    path = run.directory / layout.EVALUATIONS_FILE
    trained = [
        record
        for record in read_evaluations(path)
        if record.get("source") == DURING_TRAINING and record.get("weights") == weights
    ]
    light, log_odds = curve or trained, has_log_odds(run.config)
    if not log_odds and len(light) <= collapse.LEAST_EVALUATIONS:
        return "-"
    return " ".join(collapse.first_signs(records, light, log_odds))


def judge_images(
    study: Study, runs: list[Run], dataset: str, data: Dataset
) -> tuple[list[dict[str, Any]], dict[str, dict[str, Any]]]:
    """Does `evaluate_all` for data sets of images."""
    light, full_count = (
        reference.usual_images(data, "test", count)
        for count in (evaluate.LIGHT_IMAGES, study.num_images)
    )
    sizes = sorted({0} | {run.config.train_images for run in runs})
    real = {
        (network, size): reference.load_real_features(
            dataset, with_train_images(dataset, data, size), network, tell
        )
        for network in NETWORKS
        for size in sizes
    }
    full_names = applicable(METRICS, real["cnn-a", 0].has_classes)
    references = {
        (network, size, count): real[network, size].reference(count=count)
        for network, count in (("cnn-a", full_count), ("cnn-b", full_count), ("cnn-a", light))
        for size in sizes
    }

    def evaluated(
        run: Run, weights: str, step: int, network: str, count: int, names: tuple[str, ...]
    ) -> dict[str, Any]:
        against = references[network, run.config.train_images, count]
        about = {"source": "study", "step": step, "weights": weights, "seed": 0}
        with_labels = run.config.conditional and network == "cnn-a"
        needed = (*names, "class_diversity") if with_labels else names
        record = found_record(run, about, against.real.extractor.provenance, count, needed)
        if record is not None:
            return record
        tell(f"evaluating {run.directory.name}, step {step}, {weights}, {network}")
        generator, _ = generators.restore_generator(run.directory, data, weights, str(step))
        images = drawing.sample_for_evaluation(generator, data, count)
        comparison = against.compare(images)
        record = {**about, **evaluation_record(against, comparison, names)}
        if with_labels:
            asked = drawing.labels_for_evaluation(generator, data, count)
            evaluate.add_class_diversity(record, comparison, against.real, asked, data.class_names)
        jsonl.append_record(run.directory / layout.EVALUATIONS_FILE, record)
        return record

    floors = {
        kind: {
            name: floor._asdict()
            for name, floor in reference.floors(references["cnn-a", 0, count], count).items()
        }
        for kind, count in (("full", full_count), ("light", light))
    }
    other_floors = reference.floors(references["cnn-b", 0, full_count], full_count)
    if len(sizes) > 1:  # each has its own
        for name in OF_LEARNED:
            floors["full"].pop(name, None)
    floors["full"]["fcd_b"] = other_floors["fcd"]._asdict()
    if all(run.config.conditional for run in runs):
        floors["full"]["class_diversity"] = OF_DIVERSITY._asdict()
    rows = []
    for run in completed(runs):
        records = read_metrics(run.directory / layout.METRICS_FILE)
        for weights in WEIGHTS:
            curve = []
            for step in study.curve:
                at = evaluated(run, weights, step, "cnn-a", light, evaluate.LIGHT_METRICS)
                logged = next(r for r in records if r["step"] >= step)
                times = {name: logged[name] for name in ("kimg", "seconds")}
                curve.append({**times, "step": step, **at})
            last = int(records[-1]["step"])
            full = evaluated(run, weights, last, "cnn-a", full_count, full_names)
            other = evaluated(run, weights, last, "cnn-b", full_count, ("fcd",))
            papers = (
                papers_numbers(run, dataset, data, weights, last, full_count, floors["full"])
                if study.folder_set
                else {}
            )
            rows.append({
                **about_run(run, weights, records),
                "collapse": signs_of(run, weights, records, curve),
                **full["metrics"],
                "kid_standard_error": full["kid_standard_error"],
                "fcd_b": other["metrics"]["fcd"],
                **papers,
                "curve": curve,
            })  # fmt: skip
    return rows, floors


def papers_numbers(
    run: Run,
    dataset: str,
    data: Dataset,
    weights: str,
    step: int,
    count: int,
    floors: dict[str, Any],
) -> dict[str, float]:
    """Returns FID and KID through Inception, and adds their floors to `floors`."""
    names = ("fid", "kid")
    full = {name: f"{name}_inception_{inception.short(count)}" for name in names}
    about = {"source": "study", "step": step, "weights": weights, "seed": 0}
    network = inception.load_extractor(tell).provenance
    record = found_record(run, about, network, count, tuple(full.values()))
    if record is None:
        tell(f"evaluating {run.directory.name}, step {step}, {weights}, Inception")
        generator, _ = generators.restore_generator(run.directory, data, weights, str(step))
        images = drawing.sample_for_evaluation(generator, data, count)
        record = {**about, **inception.evaluate(dataset, data, images, names, "test", tell)}
        jsonl.append_record(run.directory / layout.EVALUATIONS_FILE, record)
    for name in names:
        if floor := record["floors"].get(full[name]):
            floors[f"{name}_inception"] = floor
    return {f"{name}_inception": record["metrics"][full[name]] for name in names}
