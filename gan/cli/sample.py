"""Draws from a generator: ``tapegan sample --run_dir=runs/mlp``."""

import re
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from absl.flags import FlagValues

from gan.cli import command, flags
from gan.errors import UserError
from gan.run.fields import option
from gan.sampling import packaged

if TYPE_CHECKING:
    from gan.sampling.outputs import Request

USAGE = "Draws images from a generator: a grid, single files, interpolations, animations."

PICTURES = (".png", ".pdf", ".svg")  # of more than one image
NO_DIRECTORIES = (*PICTURES, ".jpg", ".jpeg", ".gif", ".bmp", ".webp", ".tif", ".tiff")

MOST_SEEDS = 1_000_000  # at once
MOST_DIRECTIONS = 1000


def define(values: FlagValues) -> None:
    """Defines the flags."""
    flags.define_generator(values)
    flags.define(
        values,
        seeds=option(
            "",
            "which images, 0-99 or 3,41,7: the same seed is always the same image; empty: the "
            "first, as many as the picture has room for",
        ),
        labels=option(
            "",
            "of a conditional generator: which classes, 3 or 0-9 or cat,dog; each of --seeds is "
            "drawn for each of them; empty: class SEED modulo the number of classes, in a grid "
            "a row a class",
        ),
        per_class=option(
            0,
            "so many images of each class, or of each of --labels: the first seeds that are the "
            "class modulo the number of classes; --out is a directory with a folder a class, which "
            "can be trained on, or an npz file",
            low=0,
            below=MOST_SEEDS + 1,
        ),
        side=option(10, "images a row of a grid; without --seeds also its rows", low=1, below=101),
        latent=option(
            "independent",
            "interpolate: the way from each seed to the next, as PNG and GIF; classes: of a "
            "conditional generator, the way of each seed from each of --labels to the next",
            choices=("independent", "interpolate", "classes"),
        ),
        directions=option(
            0,
            "so many rows a seed: the latents moved along the directions that change images most, "
            "singular vectors of the generator's first kernel; the seed is in the middle",
            low=0,
            below=MOST_DIRECTIONS + 1,
        ),
        reach=option(
            5.0,
            "of --directions: how far to either side; entries of latents have a deviation of 1",
            above=0,
        ),
        truncation=option(
            0.0, "bound of the entries of latents: fewer odd images, less diversity; 0: none", low=0
        ),
        nearest=option(False, "each image above the training images that are nearest to it"),
        data=option(
            "",
            "for --nearest, where the run's data are now: its folder of images, or the directory "
            "of the data set's files; empty: where they were",
            path_after="",
        ),
        codes=option(False, "of a run with --auxiliary=infogan: a picture that walks each code"),
        gif=option(False, "instead, an animation of the run's own pictures over its training"),
        out=option(
            "",
            "NAME.png: one picture; NAME.pdf or NAME.svg: the same for a paper, 3.25 inches wide; "
            "NAME.npz: arrays; NAME.gif with --gif; else a directory for single PNG files, with "
            "--labels a folder a class (default: in RUN_DIR/samples, or beside the generator)",
            path_after="",
        ),
    )


def main(values: FlagValues) -> int:
    """Writes what was asked for and returns the exit status."""
    name = kind_of(values)
    kind, flag = KINDS[name], {key: values[key].value for key in values}
    seeds, run_dir = seeds_of(flag["seeds"]), Path(flag["run_dir"])
    bare = packaged.is_file(run_dir)
    if bare and name in ("nearest", "codes", "gif"):
        raise UserError(f"--{name}: needs a run, {run_dir} is a file")
    with command.importing():
        from gan.evaluation.nearest import nearest_rows
        from gan.run import layout, run_directory, saved_config
        from gan.sampling import generators, outputs, posthoc_averages
        from gan.training import devices
    devices.prepare()
    config = None if bare else saved_config.read_config(run_dir)
    if config and generators.makes_points(run_dir, config):
        refuse_for_points(values)
    place = packaged.home_of(run_dir) if bare else run_dir / layout.SAMPLES_DIR
    out = Path(flag["out"] or place / kind.default_out)
    run_directory.check_output(out, *suffixes_of(kind))
    if config and flag["out"]:
        outputs.refuse_images_of_training(config, run_dir, out)
    if name == "interpolation":  # which is animated too
        run_directory.check_output(out.with_suffix(".gif"), ".gif")
    generator = None
    if name != "gif":
        which = (flag[key] for key in ("checkpoint", "weights", "ema_sigma"))
        generator = posthoc_averages.load_any(run_dir, *which)
    request = outputs.Request(
        run_dir, generator, config, seeds, flag["side"], flag["truncation"], nearest_rows,
        per_class=flag["per_class"], data=flag["data"], directions=flag["directions"],
        reach=flag["reach"],
    )  # fmt: skip
    if generator and request.makes_points:
        refuse_for_points(values)
    if generator and (flag["labels"] or flag["per_class"]):
        choose_classes(request, flag["labels"])
    try:
        if not flag["out"]:
            place.mkdir(exist_ok=True)
        with command.working("drawing"):
            line = outputs.WRITERS[name](request, out)
    except OSError as error:
        raise UserError(f"--out={out}: cannot be written ({error.strerror})") from None
    command.say(line)
    return command.DONE


def choose_classes(request: "Request", labels: str) -> None:
    """Sets which classes a request is about, and their names, as its run has them."""
    from gan.models.checks import classes_of
    from gan.run.data_facts import read_data_facts
    from gan.sampling.classes import labels_of

    classes, per_class = classes_of(request.generator), request.per_class
    flag = f"--labels={labels}" if labels else f"--per_class={per_class}"
    if not classes:
        raise UserError(f"{flag}: is for conditional generators, {request.run_dir} has another")
    if packaged.is_packaged(request.run_dir):
        request.class_names = packaged.record_of(str(request.run_dir))["class_names"]
    facts = read_data_facts(request.run_dir) if request.config else None
    if facts and len(facts.class_names) == classes:
        request.class_names = facts.class_names
    if labels:
        request.labels = labels_of(labels, request.class_names, classes)
    drawn = len(request.labels or range(classes)) * (per_class or len(request.seeds or ()))
    if drawn > MOST_SEEDS:
        raise UserError(f"{flag}: are {drawn:,} images, must be at most {MOST_SEEDS:,} at once")


def refuse_for_points(values: FlagValues) -> None:
    """Refuses flags that are for images."""
    for name in FLAGS[:-2]:
        if values[name].present:
            raise UserError(
                f"--{name}={values[name].value}: is for images, {values['run_dir'].value} draws "
                "points"
            )


class Kind(NamedTuple):
    """Something that can be drawn."""

    said: str  # in messages
    flags: tuple[str, ...]  # besides --out and those of the generator
    default_out: str  # --out ends like it, unless it is a directory


KINDS = {
    "grid": Kind("a grid", ("seeds", "labels", "side", "truncation"), "grid.png"),
    "single": Kind("single images", ("seeds", "labels", "per_class", "truncation"), "single"),
    "interpolation": Kind(
        "--latent=interpolate", ("latent", "seeds", "labels", "truncation"), "interpolation.png"
    ),
    "classes": Kind(
        "--latent=classes", ("latent", "seeds", "labels", "side", "truncation"), "classes.png"
    ),
    "directions": Kind(
        "--directions", ("directions", "reach", "seeds", "labels", "truncation"), "directions.png"
    ),
    "nearest": Kind(
        "--nearest", ("nearest", "seeds", "labels", "truncation", "data"), "nearest.png"
    ),
    "codes": Kind("--codes", ("codes",), "codes.png"),
    "gif": Kind("--gif", ("gif",), "training.gif"),  # of the run's pictures, not of a generator
}
FLAGS = (
    "seeds", "labels", "per_class", "side", "latent", "directions", "reach", "truncation",
    "nearest", "codes", "data", "gif",
)  # fmt: skip


def kind_of(values: FlagValues) -> str:
    """Returns the key of `KINDS` that the flags ask for."""
    out, seeds = values["out"].value, values["seeds"].value
    per_class = values["per_class"].value
    suffix = Path(out).suffix
    if values["gif"].value:
        name = "gif"
    elif values["codes"].value:
        name = "codes"
    elif values["latent"].value == "interpolate":
        name = "interpolation"
    elif values["latent"].value == "classes":
        name = "classes"
    elif values["directions"].value:
        name = "directions"
    elif values["nearest"].value:
        name = "nearest"
    elif per_class or suffix == ".npz" or (seeds and suffix not in PICTURES):
        name = "single"
    else:
        name = "grid"
    kind = KINDS[name]
    for flag in FLAGS:
        if values[flag].value != values[flag].default and flag not in kind.flags:
            raise UserError(f"--{flag}={values[flag].value}: is not for {kind.said}")
    for flag in ("checkpoint", "weights", "ema_sigma") if name == "gif" else ():
        if values[flag].value:
            raise UserError(f"--{flag}={values[flag].value}: is not for {kind.said}")
    if per_class and seeds:
        raise UserError(f"--per_class={per_class}: has seeds of its own, --seeds must be empty")
    if name == "single" and not (seeds or per_class):
        raise UserError(f"--out={out}: needs --seeds, such as --seeds=0-99")
    if per_class and suffix in PICTURES:
        raise UserError(f"--out={out}: must be a directory, or end in .npz, with --per_class")
    if name == "single" and suffix.lower() in NO_DIRECTORIES:
        valid = f"{', '.join(PICTURES)} or .npz"
        raise UserError(f"--out={out}: must end in {valid}, or be a directory")
    if out and (right := suffixes_of(kind)) and suffix not in right:
        raise UserError(f"--out={out}: must end in {' or '.join(right)}")
    return name


def suffixes_of(kind: Kind) -> tuple[str, ...]:
    """Returns what --out may end in, () if it may be a directory too."""
    suffix = Path(kind.default_out).suffix
    return PICTURES if suffix == ".png" else (suffix,) if suffix else ()


def seeds_of(text: str, flag: str = "seeds") -> list[int] | None:
    """Returns the seeds of "3-7", "7" or "3,41,0-9", None for ""."""
    seeds: list[int] = []
    for part in text.split(",") if text else ():
        match = re.fullmatch(r"(\d{1,7})(?:-(\d{1,7}))?", part)
        if not match or int(match[2] or match[1]) < int(match[1]):
            raise UserError(f"--{flag}={text}: must be numbers and ranges, such as 0-99 or 3,41,7")
        seeds += range(int(match[1]), int(match[2] or match[1]) + 1)
        if len(seeds) > MOST_SEEDS:
            raise UserError(f"--{flag}={text}: must be at most {MOST_SEEDS:,} at once")
    return seeds or None


run = partial(command.run, USAGE, define, main, positional="run_dir")
