"""Says how good a generator is: ``tapegan evaluate --run_dir=runs/mlp``."""

import dataclasses
import os
from functools import partial
from pathlib import Path

from absl.flags import FlagValues

from gan.cli import command, flags
from gan.data.datasets import DATASETS
from gan.errors import UserError
from gan.evaluation.feature_networks import NETWORKS
from gan.evaluation.metrics.table import INCEPTION_METRICS, METRICS, check_names
from gan.run import jsonl, layout, run_directory, saved_config
from gan.run.config import FOLDER, OF_FOLDER, Config
from gan.run.fields import INT32, option
from gan.sampling import packaged

USAGE = "Says how good a run's generator is, or images from elsewhere."

# What can be evaluated; the last two with --samples.
RUN, GENERATOR, FILES = "runs", "generators", "files"

OF_DATA = ("dataset", *OF_FOLDER, "data_cache")  # what --samples are compared with

# What flags are for that are not for all of them.
MEANT_FOR = {
    "weights": (RUN,),
    "checkpoint": (RUN,),
    "ema_sigma": (RUN,),
    "num_images": (RUN, GENERATOR),
    "seed": (RUN, GENERATOR),
    "classification_accuracy": (RUN,),
    **dict.fromkeys(OF_DATA, (GENERATOR, FILES)),
    "out": (GENERATOR, FILES),
}
NOT_FOR_MODES = ("split", "metrics", "classification_accuracy")  # where modes are counted
INCEPTION = "inception"  # features that papers use, see gan/evaluation/inception
MOST_IMAGES = 30_000  # half of MNIST's training images; more have no floors


def define(values: FlagValues) -> None:
    """Defines the flags."""
    fields = {field.name: field for field in dataclasses.fields(Config)}
    fields["dataset"] = option(
        "mnist",
        "what --samples are compared with",
        choices=(*DATASETS, f"{FOLDER}PATH"),
        path_after=FOLDER,
    )
    flags.define(
        values,
        run_dir=option("runs/mlp", "a run; also as an argument", path_after=""),
        weights=option("", "ema or raw; empty: what the run itself draws from"),
        ema_sigma=flags.EMA_SIGMA,
        checkpoint=option("latest", "latest, best, or a step"),
        samples=option(
            "", "judge these instead: directory of PNGs, npz, or a generator.keras", path_after=""
        ),
        **{name: fields[name] for name in OF_DATA},
        data=option(
            "",
            "where the data are now: a run's folder of images, or the directory of a data set's "
            "files; empty: where they were, or look for them",
            path_after="",
        ),
        data_dir=option("", "the same, by its older name", path_after=""),
        num_images=option(
            10_000, "images to draw (2,500 points, 26,000 stacks)", low=1000, below=100_001
        ),
        seed=option(0, "of the noise", low=0, below=INT32),
        split=option("test", "real images to compare with", choices=("test", "train")),
        features=option(
            "cnn-a", "feature network; inception: papers' FID", choices=(*NETWORKS, INCEPTION)
        ),
        metrics=option("", "names, separated by commas; empty: all"),
        classification_accuracy=option(
            False,
            "also train classifiers on samples of a conditional run, on real images, and on both "
            "(minutes)",
        ),
        out=option("", "JSON lines file for the record of --samples", path_after=""),
    )


def main(values: FlagValues) -> int:
    """Evaluates, prints the table, writes record and picture, and returns the exit status."""
    flag = {name: values[name].value for name in values}
    valid = INCEPTION_METRICS if flag["features"] == INCEPTION else METRICS
    names = tuple(name for name in flag["metrics"].split(",") if name) or tuple(valid)
    check_flags(values)
    check_names(names, valid)
    run_dir, of_run = Path(flag["run_dir"]), not flag["samples"]
    config = check_run(values) if of_run else check_samples(values)
    counts_modes = check_dataset(values, config.dataset)

    with command.importing():  # TensorFlow is first imported here, after the flags are checked
        from gan.evaluation import (
            class_diversity,
            classification_accuracy,
            condition_alignment,
            evaluate,
            records,
            samples,
        )
        from gan.training import devices
    devices.prepare()

    of_data = counts_modes or config.dataset.startswith(FOLDER)
    usual_count = of_data and not values["num_images"].present
    drawing = {
        "count": None if usual_count else flag["num_images"],
        "seed": flag["seed"],
        "data_dir": flag["data"] or flag["data_dir"],
        "print_fn": command.tell,
        "check": partial(evaluate.check_comparable, network=flag["features"], split=flag["split"]),
    }
    with command.working("getting the samples"):
        if of_run:
            drawn = samples.draw_from_run(
                run_dir, config, flag["weights"] or config.sample_weights, flag["checkpoint"],
                split=flag["split"], ema_sigma=flag["ema_sigma"], **drawing,
            )  # fmt: skip
        else:
            drawn = samples.read_or_draw(flag["samples"], config, **drawing)
    with command.working("evaluating"):
        result, picture = evaluate.evaluate_samples(
            drawn,
            names,
            network=flag["features"],
            split=flag["split"],
            with_accuracy=flag["classification_accuracy"],
            print_fn=command.tell,
        )

    record, lines = {**drawn.origin, "source": "evaluate", **result}, []
    if drawn.head_accuracy is not None:
        record["metrics"]["head_accuracy"] = drawn.head_accuracy
    if alignment := record.get("condition_alignment"):
        lines += ["", *condition_alignment.lines_of(alignment), ""]
    if rows := record.get("class_diversity"):
        lines += ["", *class_diversity.lines_of(rows), ""]
    if score := record.get("classification_accuracy"):
        lines += classification_accuracy.lines_of(score)
    out = run_dir / layout.EVALUATIONS_FILE if of_run else Path(flag["out"])
    try:  # before anything is printed: a reader may be gone
        if of_run or flag["out"]:
            jsonl.append_record(out, record)
            lines.append(f"appended to {out}")
        if of_run:
            usual = samples.usual_count(drawn.data, flag["split"]) if of_data else None
            step, tag = record["step"], tag_of(values, record["weights"], usual)
            records.write_tensorboard(run_dir, step, tag, record["metrics"])
            if picture is not None:
                path = records.write_picture(run_dir, step, tag, picture)
                lines.append(f"{path}: samples, nearest training images in features and in pixels")
    except OSError as error:
        raise UserError(f"{error.filename or out}: cannot be written ({error.strerror})") from None
    command.say(*records.markdown_table(record).splitlines(), *lines)
    return command.DONE


def check_flags(values: FlagValues) -> None:
    """Refuses flags that are for something else than what is evaluated."""
    place = values["samples"].value
    draws = place.endswith(".keras") or packaged.is_packaged(Path(place))
    kind = RUN if not place else GENERATOR if draws else FILES
    for name, kinds in MEANT_FOR.items():
        if values[name].present and kind not in kinds:
            right = f"{' and '.join(kinds)}, not for --samples" if RUN in kinds else "--samples"
            raise UserError(f"--{name}={values[name].value}: is for {right}")
    if values["weights"].value not in ("", "ema", "raw"):
        raise UserError(f"--weights={values['weights'].value}: must be one of ema, raw")
    if values["ema_sigma"].value and values["weights"].present:
        raise UserError(
            f"--ema_sigma={values['ema_sigma'].value}: is an average of its own, "
            f"--weights={values['weights'].value} is another one"
        )
    if values["data"].value and values["data_dir"].value:
        raise UserError(f"--data_dir={values['data_dir'].value}: is --data, must be given once")
    inception, count = values["features"].value == INCEPTION, values["num_images"].value
    if count > MOST_IMAGES and not inception:
        raise UserError(
            f"--num_images={count}: must be at most {MOST_IMAGES}; more are for "
            f"--features={INCEPTION}"
        )
    if values["classification_accuracy"].value and inception:
        raise UserError(f"--classification_accuracy: is not for --features={INCEPTION}")


def check_run(values: FlagValues) -> Config:
    """Returns the configuration of the run, to which a record can be added."""
    run_dir = Path(values["run_dir"].value)
    if packaged.is_packaged(run_dir):
        raise UserError(f"--run_dir={run_dir}: is no run; --samples={run_dir} evaluates it")
    config = saved_config.read_config(run_dir)
    jsonl.read_text(run_dir / layout.EVALUATIONS_FILE)
    if not os.access(run_dir, os.W_OK):  # found before anything is computed
        raise UserError(f"--run_dir={run_dir}: cannot be written, evaluations.jsonl belongs there")
    if values["classification_accuracy"].value and not config.conditional:
        raise UserError("--classification_accuracy: needs a run with --conditional")
    if values["classification_accuracy"].value and config.train_images:
        raise UserError(
            "--classification_accuracy: learns from all training images, the run had "
            f"--train_images={config.train_images}"
        )
    return config


def check_samples(values: FlagValues) -> Config:
    """Returns what samples are compared with, and where their record can be written.

    That is the part of a configuration which says what the data are.
    """
    samples, of_data = Path(values["samples"].value), {n: values[n].value for n in OF_DATA}
    if packaged.is_packaged(samples) and not values["dataset"].present:
        of_data["dataset"] = packaged.record_of(str(samples))["dataset"]
    compared, dataset = Config(**of_data), of_data["dataset"]
    out, place = values["out"].value, values["data"].value
    if dataset.startswith(FOLDER) and place:
        raise UserError(f"--data={place}: is not for --dataset={dataset}, which says where it is")
    if out:
        path = Path(out)
        if path.is_dir() or not path.absolute().parent.is_dir():
            raise UserError(f"--out={path}: must be a file in a directory that exists")
        run_directory.check_output(path)
        jsonl.read_text(path)
    if dataset in DATASETS and DATASETS[dataset].points:
        raise UserError(f"--dataset={dataset}: has points, --samples are images")
    return compared


def check_dataset(values: FlagValues, dataset: str) -> bool:
    """Refuses flags that are not for a data set; returns whether its modes are counted."""
    source = DATASETS.get(dataset)  # None of an image folder
    counts_modes = source is not None and source.counts_modes
    for name in NOT_FOR_MODES if counts_modes else ():
        if values[name].present:
            raise UserError(f"--{name}={values[name].value}: is not for {dataset}")
    if counts_modes and values["features"].value == INCEPTION:
        raise UserError(f"--features={INCEPTION}: is not for {dataset}")
    return counts_modes


def tag_of(values: FlagValues, weights: str, usual: int | None) -> str:
    """Returns what tells this evaluation from the usual one, such as raw_2000; usually nothing.

    `weights` are those that were judged, the average usually. `usual` is how many images are drawn
    where nobody says; None: the default of the flag.
    """
    names = ("ema_sigma", "features", "split", "num_images", "seed")
    changed = [values[name] for name in names if values[name].value != values[name].default]
    if usual is not None:
        count = values["num_images"]
        changed = [flag for flag in changed if flag.name != "num_images"]
        if count.present and count.value != usual:
            changed.insert(-1 if values["seed"] in changed else len(changed), count)
    prefixes = {"seed": "seed", "ema_sigma": "sigma"}
    parts = [f"{prefixes.get(flag.name, '')}{flag.value}" for flag in changed]
    return "_".join(["raw", *parts] if weights == "raw" else parts)


run = partial(command.run, USAGE, define, main, positional="run_dir")
