"""What can be drawn of a generator: grids, single files, interpolations, neighbours, animations."""

import dataclasses
import itertools
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from gan.data.datasets import dataset_from_config
from gan.data.images import (
    LONGEST,
    captioned,
    cell_size,
    image_grid,
    read_png,
    scatter,
    write_gif,
    write_png,
)
from gan.data.input_pipeline import real_examples
from gan.errors import UserError
from gan.run import reader
from gan.run.atomic_files import replacing
from gan.run.config import Config
from gan.run.streams import say
from gan.sampling import generators, latents
from gan.sampling.latents import Numbers

PAIRS = 5  # of neighbours in an interpolation, if no seeds are given
STEPS = 10  # images from one seed to the next, both included
NEAREST = 20  # samples beside their nearest training images, if no seeds are given
AT_ONCE = 1000  # single images that are in memory
FRAMES = 60  # most of an animation of training
MOST_BYTES = 2**31  # of images in one file


@dataclasses.dataclass
class Request:
    """What to draw."""

    run_dir: Path
    generator: Any  # keras.Model; None is enough for an animation of training
    config: Config | None  # of the run, if it is one
    seeds: Sequence[int] | None
    side: int
    truncation: float
    # (images, dataset, data, print_fn) -> rows by what they show, such as ``nearest.nearest_rows``
    with_nearest: Callable[..., dict[str, np.ndarray]] | None = None

    @property
    def makes_points(self) -> bool:
        """Whether the generator makes points instead of images."""
        return len(self.generator.output_shape) == 2

    def check_count(self, count: int, columns: int = 0) -> None:
        """Refuses more images than a picture with so many columns may hold; 0: than an npz file."""
        height, width, channels = self.generator.output_shape[1:]
        most, what = MOST_BYTES // (height * width * channels), "an npz file"
        if columns:
            cell = cell_size(height), cell_size(width)
            in_memory = MOST_BYTES // (4 * channels * cell[0] * cell[1])  # and copies of it
            rows = (LONGEST - cell_size(0)) // cell[0]  # after a gap of their own
            most, what = min(rows * columns, in_memory), f"a picture {columns} wide"
        if count > most:
            raise UserError(
                f"--seeds: are {count:,} images of {height}x{width}, {what} holds at most {most:,}"
            )

    def draw(self, seeds: Numbers, labels: Numbers | None = None) -> np.ndarray:
        """Returns the images of seeds."""
        return generators.sample(self.generator, seeds, labels=labels, truncation=self.truncation)


def write_grid(request: Request, out: Path) -> str:
    """Writes one picture: seeds in rows, or a row a class if conditional; points are scattered."""
    side, classes = request.side, generators.shown_classes(request.generator)
    if request.makes_points:
        clouds = [request.draw(range(generators.POINTS_SHOWN))]
        if request.config:
            data = dataset_from_config(request.config, say)
            clouds.insert(0, real_examples(data, generators.POINTS_SHOWN, 0))
        picture = scatter(*clouds)
    elif len(classes) and request.seeds is None:
        request.check_count(side * len(classes), side)
        seeds = np.tile(np.arange(side), len(classes))
        picture = image_grid(request.draw(seeds, np.repeat(classes, side)), side)
    else:
        shown = request.seeds or range(side**2)
        request.check_count(len(shown), side)
        images = request.draw(shown)
        columns = min(side, len(images))
        picture = image_grid(in_rows(images, columns), columns)
    write_png(out, picture)
    return str(out)


def in_rows(images: np.ndarray, columns: int) -> np.ndarray:
    """Returns images [n, H, W, C] uint8 and as many white ones as fill the last row."""
    blank = np.full([-len(images) % columns, *images.shape[1:]], 255, np.uint8)
    return np.concatenate([images, blank])


def write_single(request: Request, out: Path) -> str:
    """Writes a PNG file for each seed, or all images into one npz file."""
    seeds = request.seeds or ()
    if out.suffix == ".npz":
        request.check_count(len(seeds))
        with replacing(out) as temporary, temporary.open("wb") as file:
            np.savez_compressed(file, images=request.draw(seeds), seeds=np.asarray(seeds))
    else:
        out.mkdir(parents=True, exist_ok=True)
        seeds = list(dict.fromkeys(seeds))  # one that is named twice is one file
        others = {path.name for path in out.glob("*.png")} - {f"{seed:05d}.png" for seed in seeds}
        for start in range(0, len(seeds), AT_ONCE):
            part = seeds[start : start + AT_ONCE]
            for seed, image in zip(part, request.draw(part), strict=True):
                write_png(out / f"{seed:05d}.png", image)
        if others:
            return f"{out}: {len(seeds)} images, beside {len(others)} others that were there"
    return f"{out}: {len(seeds)} images"


def write_interpolation(request: Request, out: Path) -> str:
    """Writes a row for the way from each seed to the next, and an animation of all of them."""
    seeds = request.seeds or range(PAIRS + 1)
    if len(seeds) < 2:
        raise UserError(f"--seeds={seeds[0]}: must be two or more to interpolate between")
    classes = generators.shown_classes(request.generator)
    request.check_count((len(seeds) - 1) * STEPS * max(1, len(classes)), STEPS)
    ends = latents.latents_of(seeds, request.generator.inputs[0].shape[-1])
    if request.truncation:
        ends = latents.truncate(ends, request.truncation)
    ways = [latents.interpolate(*pair, STEPS) for pair in itertools.pairwise(ends)]
    path = np.concatenate(ways)
    rows = [
        generators.draw(request.generator, path, np.full(len(path), label))
        for label in (classes if len(classes) else [0])  # not looked at where there are none
    ]
    write_png(out, image_grid(np.concatenate(rows), STEPS))
    frames = [
        image_grid(np.stack(frame), 1)
        for i, frame in enumerate(zip(*rows, strict=True))
        if i == 0 or i % STEPS  # a way begins where the one before it ended
    ]
    animation = out.with_suffix(".gif")
    write_gif(animation, frames, 0.1)
    return f"{out}, {animation}: from seed to seed, {len(ways)} ways"


def write_nearest(request: Request, out: Path) -> str:
    """Writes images above their nearest training images."""
    if request.config is None or request.with_nearest is None:
        raise UserError(f"--nearest: needs a run, {request.run_dir} is a file")
    seeds = request.seeds or range(NEAREST)
    request.check_count(3 * len(seeds), NEAREST)
    data = dataset_from_config(request.config, say)
    images = request.draw(seeds)
    rows = request.with_nearest(images, request.config.dataset, data, say)
    columns = min(NEAREST, len(images))
    lines = [
        in_rows(row[start : start + columns], columns)
        for start in range(0, len(images), columns)
        for row in rows.values()
    ]
    write_png(out, image_grid(np.concatenate(lines), columns))
    return f"{out}: {', '.join(rows)}"


def write_training(request: Request, out: Path) -> str:
    """Writes the pictures that training left, with the step on each, as an animation."""
    grids = reader.sample_grids_of(request.run_dir)
    if not grids:
        raise UserError(f"--run_dir={request.run_dir}: has no pictures of its training yet")
    pages = [
        captioned(read_png(path), f"step {step:,}")
        for step, path in reader.evenly_spaced(grids, FRAMES)
    ]
    if len({page.shape for page in pages}) > 1:
        raise UserError(f"--run_dir={request.run_dir}: its pictures have different sizes")
    write_gif(out, pages, 0.1)
    return f"{out}: {len(pages)} pictures"


# What each writes, and says of it; the rows of the table in gan/cli/sample.py.
WRITERS: dict[str, Callable[[Request, Path], str]] = {
    "grid": write_grid,
    "single": write_single,
    "interpolation": write_interpolation,
    "nearest": write_nearest,
    "gif": write_training,
}
