"""Says how good a generator is: ``tapegan evaluate --run_dir=runs/mlp``."""

import os
from typing import Any, NoReturn

from absl.flags import FlagValues

from gan.cli import command, flags
from gan.errors import UserError
from gan.run.config import DATASETS
from gan.run.fields import INT32, option

USAGE = "Says how good a run's generator is, or images from elsewhere."

NETWORKS = (
    "cnn-a",
    "cnn-b",
)  # the rows of gan/evaluation/features.py; tests/test_evaluate.py compares them
SPLITS = ("test", "train")

# Flags that mean nothing where modes are counted.
FOR_IMAGES = ("split", "metrics", "classification_accuracy")

# Flags that mean nothing with --samples, nothing without it, and what is to be drawn.
FOR_RUNS = ("weights", "checkpoint", "num_images", "seed", "classification_accuracy")
FOR_SAMPLES = ("dataset", "out")
FOR_GENERATORS = ("num_images", "seed")  # also --samples=FILE.keras


def define(values: FlagValues) -> None:
    """Defines the flags."""
    flags.define(
        values,
        run_dir=option("runs/mlp", "a run; also as an argument"),
        weights=option("ema", "which generator", choices=("ema", "raw")),
        checkpoint=option("latest", "latest, best, or a step"),
        samples=option("", "judge these instead: directory of PNGs, npz, or a generator.keras"),
        dataset=option("mnist", "what --samples are compared with", choices=DATASETS),
        data_dir=option("", "directory of that data set; empty: look for it"),
        num_images=option(
            10_000, "images to draw (2,500 points, 26,000 stacks)", low=1000, below=30_001
        ),
        seed=option(0, "of the noise", low=0, below=INT32),
        split=option("test", "real images to compare with", choices=SPLITS),
        features=option("cnn-a", "feature network", choices=NETWORKS),
        metrics=option("", "names, separated by commas; empty: all"),
        classification_accuracy=option(
            False, "also train a classifier on samples of a conditional run (minutes)"
        ),
        out=option("", "JSON lines file for the record of --samples"),
    )


def main(values: FlagValues) -> int:
    """Evaluates, prints the table, writes record and picture, and returns the exit status."""
    flag = {name: values[name].value for name in values}
    draws = flag["samples"].endswith(".keras")
    for name in FOR_RUNS if flag["samples"] else FOR_SAMPLES:
        if values[name].present and not (draws and name in FOR_GENERATORS):
            runs_or = "runs and generators" if name in FOR_GENERATORS else "runs"
            valid = (
                f"is for {runs_or}, not for --samples" if flag["samples"] else "is for --samples"
            )
            raise UserError(f"--{name}={flag[name]}: {valid}")
    with command.silenced():  # TensorFlow is first imported here, after the flags are checked
        from pathlib import Path

        from gan.data.images import write_png
        from gan.evaluation import classification_accuracy, evaluate, metrics, records, reference
        from gan.run import jsonl, run_directory
        from gan.training import devices
        from gan.training.console import Console
    names = [name for name in flag["metrics"].split(",") if name] or list(metrics.METRICS)
    evaluate.check_names(names)
    devices.prepare()
    console = Console()
    told: list[str] = []
    dataset, data, images, about, generator = images_of(values, console)
    if data.has_modes:
        modes = evaluate.modes_of(dataset, data, flag["features"], console.print)
        result, found = records.mode_record(modes, images, floors=True), None
    else:
        seen = reference.load_real_images(dataset, data, flag["features"], console.print)
        against = seen.reference(flag["split"], len(images))
        result, found = evaluate.evaluate(
            images, against, names, lambda stage: console.print(f"computing: {stage}")
        )
        if flag["classification_accuracy"]:
            count = len(data.train_array)
            score = classification_accuracy.classification_accuracy(
                generator, seen, count, flag["seed"]
            )
            result["classification_accuracy"] = score
            told.append(
                f"classification accuracy score: {score['samples']:.4f}, learned from {count:,} "
                f"samples (from real images: {score['real']:.4f})"
            )
    result = {**about, "source": "evaluate", **result}
    run_dir = Path(flag["run_dir"])
    out = Path(flag["out"]) if flag["samples"] else run_dir / run_directory.EVALUATIONS_FILE
    try:
        if flag["out"] or not flag["samples"]:
            jsonl.append_record(out, result)  # before anything is printed: a reader may be gone
            told.append(f"appended to {out}")
        if not flag["samples"]:
            tag = tag_of(values)
            records.write_tensorboard(run_dir, about["step"], tag, result["metrics"])
            picture = found and evaluate.nearest_picture(images, data.train_array, found)
            if picture is not None:
                name = "_".join(["nearest", *filter(None, [tag]), f"{about['step']:08d}.png"])
                path = run_dir / run_directory.SAMPLES_DIR / name
                write_png(path, picture)
                told.append(f"{path}: samples, nearest training images in features and in pixels")
    except OSError as error:
        raise UserError(f"{error.filename or out}: cannot be written ({error.strerror})") from None
    print("\n".join([records.markdown_table(result), *told]))
    return command.DONE


def tag_of(values: FlagValues) -> str:
    """Returns what tells this evaluation from the usual one, such as raw_2000; usually nothing."""
    names = ("weights", "features", "split", "num_images", "seed")
    changed = [values[name] for name in names if values[name].value != values[name].default]
    return "_".join(f"seed{f.value}" if f.name == "seed" else str(f.value) for f in changed)


def images_of(values: FlagValues, console: Any) -> tuple[str, Any, Any, dict[str, Any], Any]:
    """Returns a data set's name and data, images to judge, where they come from, a generator.

    Raises:
        UserError: There are no such images, or --out cannot be written.
    """
    from pathlib import Path

    from gan.data.datasets import dataset_from_config, load_dataset
    from gan.evaluation import image_files
    from gan.run import jsonl, run_directory
    from gan.sampling import generators
    from gan.training import console

    flag = {name: values[name].value for name in values}
    if flag["samples"]:
        out = Path(flag["out"])
        if flag["out"] and (out.is_dir() or not out.absolute().parent.is_dir()):
            raise UserError(f"--out={out}: must be a file in a directory that exists")
        if flag["out"]:
            run_directory.check_output(out)
            jsonl.read_text(out)
        data = load_dataset(flag["dataset"], flag["data_dir"], console.print)
        if data.mixture:
            raise UserError(f"--dataset={flag['dataset']}: has points, --samples are images")
        count = count_of(values, flag["dataset"], data)
        path = Path(flag["samples"])
        if path.suffix == ".keras":
            drawing = generators.read_generator(path)
            if drawing.output_shape[1:] != data.shape:
                made = list(drawing.output_shape[1:])
                raise UserError(f"--samples={path}: makes {made}, must make {list(data.shape)}")
            images = generators.sample_for_evaluation(drawing, data, count, flag["seed"])
            how, about = "drawn by it", {"seed": flag["seed"]}
        else:
            (images, how), about = image_files.read_samples(path, data.shape), {}
        console.print(f"{len(images):,} images ({how})")
        about |= {"samples": flag["samples"], "read_as": how}
        return flag["dataset"], data, images, about, None
    run_dir = Path(flag["run_dir"])
    config = run_directory.read_config(run_dir)
    jsonl.read_text(run_dir / run_directory.EVALUATIONS_FILE)
    if not os.access(run_dir, os.W_OK):  # found before anything is computed
        raise UserError(f"--run_dir={run_dir}: cannot be written, evaluations.jsonl belongs there")
    if flag["classification_accuracy"] and not config.conditional:
        raise UserError("--classification_accuracy: needs a run with --conditional")
    generators.find_checkpoint(run_dir, flag["checkpoint"])  # found missing before data are loaded
    data = dataset_from_config(config, console.print, flag["data_dir"])
    count = count_of(values, config.dataset, data)
    generator, step = generators.restore_generator(
        run_dir, data, flag["weights"], flag["checkpoint"]
    )
    console.print(f"drawing {count:,} images of step {step}, {flag['weights']} weights")
    images = generators.sample_for_evaluation(generator, data, count, flag["seed"])
    about = {
        "step": step,
        "kimg": step * config.d_steps * config.batch_size / 1000,
        "checkpoint": flag["checkpoint"],
        "weights": flag["weights"],
        "seed": flag["seed"],
    }
    return config.dataset, data, images, about, generator


def count_of(values: FlagValues, dataset: str, data: Any) -> int:
    """Returns how many images to draw.

    Raises:
        UserError: A flag means nothing where modes are counted.
    """
    from gan.evaluation.mode_coverage import Modes

    if not data.has_modes:
        return int(values["num_images"].value)
    for name in FOR_IMAGES:
        if values[name].present:
            raise UserError(f"--{name}={values[name].value}: is not for {dataset}")
    usual = Modes(dataset, data, None).count
    return int(values["num_images"].value if values["num_images"].present else usual)


def run() -> NoReturn:
    """Runs the command line."""
    command.run(USAGE, define, main, positional="run_dir")
