"""Draws a grid of images, or single ones: ``tapegan sample --run_dir=runs/mlp``."""

import re
from pathlib import Path
from typing import NoReturn

from absl import flags

from gan.commands import cli
from gan.config import POINT_DATASETS, UserError, knob

USAGE = "Draws images from a run's generator."


def define(values: flags.FlagValues) -> None:
    """Defines the flags."""
    cli.define(
        values,
        run_dir=knob("runs/mlp", "a run"),
        side=knob(10, "images a row and a column", low=1, below=101),
        seeds=knob("", "draw these instead, as single PNG files: 0-9999, or 7; a seed is an image"),
        out=knob("", "PNG file (default: RUN_DIR/samples/grid.png), or directory for --seeds"),
    )


def main(values: flags.FlagValues) -> int:
    """Writes the grid, or the single images, and returns the exit status."""
    run_dir, seeds = Path(values["run_dir"].value), seeds_of(values["seeds"].value)
    if seeds is not None and values["side"].present:
        raise UserError(f"--side={values['side'].value}: is for the grid, not for --seeds")
    with cli.silenced():
        from gan import devices, logs, pictures, recipe, runs, samples
    config = runs.read_config(run_dir)
    points = config.dataset in POINT_DATASETS
    if points and (seeds is not None or values["side"].present):
        raise UserError(f"--run_dir={run_dir}: draws points, --seeds and --side are for images")
    devices.prepare()
    generator = samples.load_saved_generator(run_dir)
    out = Path(
        values["out"].value or run_dir / runs.SAMPLES_DIR / ("grid.png", "single")[bool(seeds)]
    )
    try:
        if seeds is not None:
            images = samples.sample(generator, seeds.stop)[seeds.start :]
            out.mkdir(parents=True, exist_ok=True)
            for seed, image in zip(seeds, images, strict=True):
                logs.write_png(out / f"{seed:05d}.png", image)
        elif points or config.conditional:
            data = recipe.dataset_of(config, print)
            logs.write_png(out, pictures.sample_picture(config, generator, data))
        else:
            side = values["side"].value
            images = pictures.sample_images(config, generator, side * side)
            logs.write_png(out, logs.image_grid(images, side))
    except OSError as error:
        raise UserError(f"--out={out}: cannot be written ({error.strerror})") from None
    print(out if seeds is None else f"{out}: {len(seeds)} images")
    return cli.DONE


def seeds_of(text: str) -> range | None:
    """Returns the seeds of "3-7" or "7", None for "".

    Raises:
        UserError: It is something else.
    """
    if not text:
        return None
    found = re.fullmatch(r"(\d{1,7})(?:-(\d{1,7}))?", text)
    if not found or int(found[2] or found[1]) < int(found[1]):
        raise UserError(f"--seeds={text}: must be a number or a range such as 0-99")
    return range(int(found[1]), int(found[2] or found[1]) + 1)


def run() -> NoReturn:
    """Runs the command line."""
    cli.run(USAGE, define, main)
