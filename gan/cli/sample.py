"""Draws from a generator: ``tapegan sample --run_dir=runs/mlp``."""

import re
from functools import partial
from pathlib import Path
from typing import NamedTuple

from absl.flags import FlagValues

from gan.cli import command, flags
from gan.errors import UserError
from gan.run.fields import option

USAGE = "Draws images from a generator: a grid, single files, interpolations, animations."

PICTURES = (".jpg", ".jpeg", ".gif", ".bmp", ".webp", ".tif", ".tiff", ".pdf", ".svg")

MOST_SEEDS = 1_000_000  # at once


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
        side=option(10, "images a row of a grid; without --seeds also its rows", low=1, below=101),
        latent=option(
            "independent",
            "interpolate: the way from each seed to the next, as PNG and GIF",
            choices=("independent", "interpolate"),
        ),
        truncation=option(
            0.0, "bound of the entries of latents: fewer odd images, less diversity; 0: none", low=0
        ),
        nearest=option(False, "each image above the training images that are nearest to it"),
        gif=option(False, "instead, an animation of the run's own pictures over its training"),
        out=option(
            "",
            "NAME.png: one picture; NAME.npz: arrays; NAME.gif with --gif; else a directory for "
            "single PNG files (default: in RUN_DIR/samples, or beside the generator)",
            path_after="",
        ),
    )


def main(values: FlagValues) -> int:
    """Writes what was asked for and returns the exit status."""
    name = kind_of(values)
    kind, flag = KINDS[name], {key: values[key].value for key in values}
    seeds, run_dir = seeds_of(flag["seeds"]), Path(flag["run_dir"])
    bare = run_dir.is_file()
    if bare and name in ("nearest", "gif"):
        raise UserError(f"--{name}: needs a run, {run_dir} is a file")
    with command.silenced():
        from gan.evaluation.nearest import nearest_rows
        from gan.run import run_directory
        from gan.sampling import generators, outputs
        from gan.training import devices
    devices.prepare()
    config = None if bare else run_directory.read_config(run_dir)
    if config and generators.makes_points(config):
        refuse_for_points(values)
    place = run_dir.parent if bare else run_dir / run_directory.SAMPLES_DIR
    out = Path(flag["out"] or place / kind.default_out)
    run_directory.check_output(out, "" if name == "single" else Path(kind.default_out).suffix)
    generator = None
    if name != "gif":
        generator = generators.load_generator(run_dir, flag["checkpoint"], flag["weights"])
    request = outputs.Request(
        run_dir, generator, config, seeds, flag["side"], flag["truncation"], nearest_rows
    )
    if generator and request.makes_points:
        refuse_for_points(values)
    try:
        line = outputs.WRITERS[name](request, out)
    except OSError as error:
        raise UserError(f"--out={out}: cannot be written ({error.strerror})") from None
    command.say(line)
    return command.DONE


def refuse_for_points(values: FlagValues) -> None:
    """Refuses flags that are for images."""
    for name in ("seeds", "side", "latent", "truncation", "nearest"):
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
    "grid": Kind("a grid", ("seeds", "side", "truncation"), "grid.png"),
    "single": Kind("single images", ("seeds", "truncation"), "single"),
    "interpolation": Kind(
        "--latent=interpolate", ("latent", "seeds", "truncation"), "interpolation.png"
    ),
    "nearest": Kind("--nearest", ("nearest", "seeds", "truncation"), "nearest.png"),
    "gif": Kind("--gif", ("gif",), "training.gif"),  # of the run's pictures, not of a generator
}


def kind_of(values: FlagValues) -> str:
    """Returns the key of `KINDS` that the flags ask for."""
    out, seeds = values["out"].value, values["seeds"].value
    suffix = Path(out).suffix
    if values["gif"].value:
        name = "gif"
    elif values["latent"].value == "interpolate":
        name = "interpolation"
    elif values["nearest"].value:
        name = "nearest"
    elif suffix == ".npz" or (seeds and suffix != ".png"):
        name = "single"
    else:
        name = "grid"
    kind = KINDS[name]
    for flag in ("seeds", "side", "latent", "truncation", "nearest", "gif"):
        if values[flag].value != values[flag].default and flag not in kind.flags:
            raise UserError(f"--{flag}={values[flag].value}: is not for {kind.said}")
    for flag in ("checkpoint", "weights") if name == "gif" else ():
        if values[flag].value:
            raise UserError(f"--{flag}={values[flag].value}: is not for {kind.said}")
    if name == "single" and not seeds:
        raise UserError(f"--out={out}: needs --seeds, such as --seeds=0-99")
    if name == "single" and suffix.lower() in PICTURES:
        raise UserError(f"--out={out}: must end in .png or .npz, or be a directory")
    if out and name != "single" and suffix != (right := Path(kind.default_out).suffix):
        raise UserError(f"--out={out}: must end in {right}")
    return name


def seeds_of(text: str) -> list[int] | None:
    """Returns the seeds of "3-7", "7" or "3,41,0-9", None for ""."""
    seeds: list[int] = []
    for part in text.split(",") if text else ():
        match = re.fullmatch(r"(\d{1,7})(?:-(\d{1,7}))?", part)
        if not match or int(match[2] or match[1]) < int(match[1]):
            raise UserError(f"--seeds={text}: must be numbers and ranges, such as 0-99 or 3,41,7")
        seeds += range(int(match[1]), int(match[2] or match[1]) + 1)
        if len(seeds) > MOST_SEEDS:
            raise UserError(f"--seeds={text}: must be at most {MOST_SEEDS:,} at once")
    return seeds or None


run = partial(command.run, USAGE, define, main, positional="run_dir")
