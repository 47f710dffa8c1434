"""Says how good a generator is: ``tapegan evaluate --run_dir=runs/mlp``."""

import os
from typing import Any, NoReturn

from absl import flags

from gan.commands import cli
from gan.config import DATASETS
from gan.knobs import INT32, UserError, knob

USAGE = "Says how good a run's generator is, or images from elsewhere."

NETWORKS = ("cnn-a", "cnn-b")  # the rows of gan/features.py; tests/test_evaluate.py compares them
SPLITS = ("test", "train")

# Flags that mean nothing where modes are counted.
FOR_IMAGES = ("split", "metrics", "classification_accuracy")

# Flags that mean nothing with --samples, nothing without it, and what is to be drawn.
FOR_RUNS = ("weights", "checkpoint", "num_images", "seed", "classification_accuracy")
FOR_SAMPLES = ("dataset", "out")
FOR_GENERATORS = ("num_images", "seed")  # also --samples=FILE.keras


def define(values: flags.FlagValues) -> None:
    """Defines the flags."""
    cli.define(
        values,
        run_dir=knob("runs/mlp", "a run; also as an argument"),
        weights=knob("ema", "which generator", choices=("ema", "raw")),
        checkpoint=knob("latest", "latest, best, or a step"),
        samples=knob("", "judge these instead: directory of PNGs, npz, or a generator.keras"),
        dataset=knob("mnist", "what --samples are compared with", choices=DATASETS),
        data_dir=knob("", "directory of that data set; empty: look for it"),
        num_images=knob(
            10_000, "images to draw (2,500 points, 26,000 stacks)", low=1000, below=30_001
        ),
        seed=knob(0, "of the noise", low=0, below=INT32),
        split=knob("test", "real images to compare with", choices=SPLITS),
        features=knob("cnn-a", "feature network", choices=NETWORKS),
        metrics=knob("", "names, separated by commas; empty: all"),
        classification_accuracy=knob(
            False, "also train a classifier on samples of a conditional run (minutes)"
        ),
        out=knob("", "JSON lines file for the record of --samples"),
    )


def main(values: flags.FlagValues) -> int:
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
    with cli.silenced():  # TensorFlow is first imported here, after the flags are checked
        from pathlib import Path

        from gan import accuracy, devices, drawing, evaluation, logs, metrics, real, runs
    names = [name for name in flag["metrics"].split(",") if name] or list(metrics.METRICS)
    evaluation.check_names(names)
    devices.prepare()
    console = logs.Console()
    told: list[str] = []
    dataset, data, images, about, generator = images_of(values, console)
    if data.has_modes:
        modes = evaluation.modes_of(dataset, data, flag["features"], console.say)
        result, found = evaluation.mode_record(modes, images, floors=True), None
    else:
        seen = real.load(dataset, data, flag["features"], console.say)
        against = seen.reference(flag["split"], len(images))
        result, found = evaluation.evaluate(
            images, against, names, lambda stage: console.say(f"computing: {stage}")
        )
        if flag["classification_accuracy"]:
            count = len(data.train_array)
            score = accuracy.classification_accuracy(generator, seen, count, flag["seed"])
            result["classification_accuracy"] = score
            told.append(
                f"classification accuracy score: {score['samples']:.4f}, learned from {count:,} "
                f"samples (from real images: {score['real']:.4f})"
            )
    result = {**about, "source": "evaluate", **result}
    run_dir = Path(flag["run_dir"])
    out = Path(flag["out"]) if flag["samples"] else run_dir / runs.EVALUATIONS_FILE
    try:
        if flag["out"] or not flag["samples"]:
            logs.append_record(out, result)  # before anything is printed: a reader may be gone
            told.append(f"appended to {out}")
        if not flag["samples"]:
            tag = tag_of(values)
            evaluation.write_tensorboard(run_dir, about["step"], tag, result["metrics"])
            picture = found and evaluation.nearest_picture(images, data.train_array, found)
            if picture is not None:
                name = "_".join(["nearest", *filter(None, [tag]), f"{about['step']:08d}.png"])
                path = run_dir / runs.SAMPLES_DIR / name
                drawing.write_png(path, picture)
                told.append(f"{path}: samples, nearest training images in features and in pixels")
    except OSError as error:
        raise UserError(f"{error.filename or out}: cannot be written ({error.strerror})") from None
    print("\n".join([evaluation.table(result), *told]))
    return cli.DONE


def tag_of(values: flags.FlagValues) -> str:
    """Returns what tells this evaluation from the usual one, such as raw_2000; usually nothing."""
    names = ("weights", "features", "split", "num_images", "seed")
    changed = [values[name] for name in names if values[name].value != values[name].default]
    return "_".join(f"seed{f.value}" if f.name == "seed" else str(f.value) for f in changed)


def images_of(values: flags.FlagValues, console: Any) -> tuple[str, Any, Any, dict[str, Any], Any]:
    """Returns a data set's name and data, images to judge, where they come from, a generator.

    Raises:
        UserError: There are no such images, or --out cannot be written.
    """
    from pathlib import Path

    from gan import foreign, logs, runs, samples
    from gan.datasets import load_dataset
    from gan.recipe import dataset_of

    flag = {name: values[name].value for name in values}
    if flag["samples"]:
        out = Path(flag["out"])
        if flag["out"] and (out.is_dir() or not out.absolute().parent.is_dir()):
            raise UserError(f"--out={out}: must be a file in a directory that exists")
        if flag["out"]:
            runs.check_output(out)
            logs.read_text(out)
        data = load_dataset(flag["dataset"], flag["data_dir"], console.say)
        if data.mixture:
            raise UserError(f"--dataset={flag['dataset']}: has points, --samples are images")
        count = count_of(values, flag["dataset"], data)
        path = Path(flag["samples"])
        if path.suffix == ".keras":
            drawing = samples.read_generator(path)
            if drawing.output_shape[1:] != data.shape:
                made = list(drawing.output_shape[1:])
                raise UserError(f"--samples={path}: makes {made}, must make {list(data.shape)}")
            images = samples.to_judge(drawing, data, count, flag["seed"])
            how, about = "drawn by it", {"seed": flag["seed"]}
        else:
            (images, how), about = foreign.read_samples(path, data.shape), {}
        console.say(f"{len(images):,} images ({how})")
        about |= {"samples": flag["samples"], "read_as": how}
        return flag["dataset"], data, images, about, None
    run_dir = Path(flag["run_dir"])
    config = runs.read_config(run_dir)
    logs.read_text(run_dir / runs.EVALUATIONS_FILE)
    if not os.access(run_dir, os.W_OK):  # found before anything is computed
        raise UserError(f"--run_dir={run_dir}: cannot be written, evaluations.jsonl belongs there")
    if flag["classification_accuracy"] and not config.conditional:
        raise UserError("--classification_accuracy: needs a run with --conditional")
    samples.find_checkpoint(run_dir, flag["checkpoint"])  # found missing before data are loaded
    data = dataset_of(config, console.say, flag["data_dir"])
    count = count_of(values, config.dataset, data)
    generator, step = samples.load_generator(run_dir, data, flag["weights"], flag["checkpoint"])
    console.say(f"drawing {count:,} images of step {step}, {flag['weights']} weights")
    images = samples.to_judge(generator, data, count, flag["seed"])
    about = {
        "step": step,
        "kimg": step * config.d_steps * config.batch_size / 1000,
        "checkpoint": flag["checkpoint"],
        "weights": flag["weights"],
        "seed": flag["seed"],
    }
    return config.dataset, data, images, about, generator


def count_of(values: flags.FlagValues, dataset: str, data: Any) -> int:
    """Returns how many images to draw.

    Raises:
        UserError: A flag means nothing where modes are counted.
    """
    from gan.modes import Modes

    if not data.has_modes:
        return int(values["num_images"].value)
    for name in FOR_IMAGES:
        if values[name].present:
            raise UserError(f"--{name}={values[name].value}: is not for {dataset}")
    usual = Modes(dataset, data, None).count
    return int(values["num_images"].value if values["num_images"].present else usual)


def run() -> NoReturn:
    """Runs the command line."""
    cli.run(USAGE, define, main, positional="run_dir")
