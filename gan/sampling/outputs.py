"""What can be drawn of a generator: grids, single files, interpolations, neighbours, animations."""

import dataclasses
import itertools
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from gan.data import figures
from gan.data.datasets import dataset_from_config
from gan.data.folders.find import counted
from gan.data.identity import data_of_run, folder_of
from gan.data.images import (
    LONGEST,
    captioned,
    cell_size,
    image_grid,
    read_png,
    scatter,
    scatter_figure,
    write_gif,
    write_png,
)
from gan.data.input_pipeline import real_examples
from gan.errors import UserError
from gan.models.checks import classes_of
from gan.run import reader
from gan.run.atomic_files import replacing
from gan.run.config import Config
from gan.run.heads import Codes
from gan.run.streams import tell
from gan.sampling import drawing, latents
from gan.sampling.class_mixing import mixing_generator
from gan.sampling.classes import folder_names
from gan.sampling.codes import COLUMNS, code_picture
from gan.sampling.directions import REACH, walks
from gan.sampling.directions import STEPS as WALK_STEPS
from gan.sampling.generators import from_rows
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
    labels: Sequence[int] | None = None  # of a conditional generator; None: `seed % classes`
    per_class: int = 0  # images of each class, with seeds of their own; 0: `seeds` are drawn
    class_names: Sequence[str] = ()  # of all classes, where they have names
    data: str = ""  # where the run's data are now
    directions: int = 0  # that are walked from each seed
    reach: float = REACH  # how far, to either side

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
            flag = "per_class" if self.per_class else "labels" if self.labels else "seeds"
            raise UserError(
                f"--{flag}: are {count:,} images of {height}x{width}, {what} holds at most {most:,}"
            )

    def pairs(self, seeds: Numbers) -> tuple[np.ndarray, np.ndarray | None]:
        """Returns seeds [n] and labels [n]: each of `seeds` for each of the labels.

        Not for `per_class`: there each seed has the label that it has without `labels`.
        """
        seeds, labels = np.asarray(seeds), self.labels
        if self.per_class:
            classes = classes_of(self.generator)
            starts = np.arange(classes) if labels is None else np.asarray(labels)
            seeds = (starts[:, np.newaxis] + classes * np.arange(self.per_class)).ravel()
            return seeds, seeds % classes
        if labels is None:
            return seeds, None
        return np.tile(seeds, len(labels)), np.repeat(labels, len(seeds))

    def draw(self, seeds: Numbers, labels: Numbers | None = None) -> np.ndarray:
        """Returns the images of seeds."""
        return drawing.sample(self.generator, seeds, labels=labels, truncation=self.truncation)


def write_grid(request: Request, out: Path) -> str:
    """Writes one picture: seeds in rows, or rows a class if conditional; points are scattered."""
    side, classes = request.side, drawing.shown_classes(request.generator)
    classes = classes if request.labels is None else np.asarray(request.labels)
    if request.makes_points:
        clouds = [request.draw(range(drawing.POINTS_SHOWN))]
        if request.config:
            config = request.config
            data = from_rows(request.run_dir, lambda: dataset_from_config(config, tell))
            clouds.insert(0, real_examples(data, drawing.POINTS_SHOWN, 0))
        if out.suffix != ".png":
            with figures.style():
                figures.write_figure(out, scatter_figure(figures.COLUMN, *clouds))
            return str(out)
        picture = scatter(*clouds)
    elif request.labels is None and (request.seeds is not None or not len(classes)):
        shown = request.seeds or range(side**2)
        request.check_count(len(shown), side)
        images = request.draw(shown)
        columns = min(side, len(images))
        picture = image_grid(in_rows(images, columns), columns)
    else:
        shown = request.seeds or range(side if len(classes) > 1 else side**2)
        columns = min(side, len(shown))
        request.check_count(-(-len(shown) // columns) * columns * len(classes), columns)
        images = request.draw(np.tile(shown, len(classes)), np.repeat(classes, len(shown)))
        rows = [in_rows(part, columns) for part in np.split(images, len(classes))]
        picture = image_grid(np.concatenate(rows), columns)
    write_picture(out, picture)
    return str(out)


def write_picture(out: Path, picture: np.ndarray) -> None:
    """Writes [H, W, C] uint8 as PNG, pixel by pixel, or as PDF or SVG as wide as a column."""
    if out.suffix == ".png":
        write_png(out, picture)
    else:
        figures.write_picture(out, picture)


def in_rows(images: np.ndarray, columns: int) -> np.ndarray:
    """Returns images [n, H, W, C] uint8 and as many white ones as fill the last row."""
    blank = np.full([-len(images) % columns, *images.shape[1:]], 255, np.uint8)
    return np.concatenate([images, blank])


def write_single(request: Request, out: Path) -> str:
    """Writes a PNG file for each seed, in a folder a class if asked for, or all as one npz file."""
    seeds, labels = request.pairs(request.seeds or ())
    if out.suffix == ".npz":
        request.check_count(len(seeds))
        arrays: dict[str, Any] = {"images": request.draw(seeds, labels), "seeds": seeds}
        if classes := classes_of(request.generator):
            arrays["labels"] = seeds % classes if labels is None else labels
        with replacing(out) as temporary, temporary.open("wb") as file:
            np.savez_compressed(file, **arrays)
        return f"{out}: {len(seeds)} images"
    if labels is None:
        seeds = np.array(list(dict.fromkeys(seeds.tolist())))  # one that is named twice is one file
        folders, why = [out] * len(seeds), ""
    else:
        names, why = folder_names(request.class_names, classes_of(request.generator))
        folders = [out / names[label] for label in labels]
    paths = [folder / f"{seed:05d}.png" for folder, seed in zip(folders, seeds, strict=True)]
    for folder in dict.fromkeys(folders):
        folder.mkdir(parents=True, exist_ok=True)
    there = {*out.glob("*.png"), *(out.glob("*/*.png") if labels is not None else ())}
    for start in range(0, len(seeds), AT_ONCE):
        part = slice(start, start + AT_ONCE)
        images = request.draw(seeds[part], None if labels is None else labels[part])
        for path, image in zip(paths[part], images, strict=True):
            write_png(path, image)
    count, others = len(set(paths)), len(there - set(paths))
    parts = [f"{out}: {count} images"]
    if labels is not None:
        parts[0] += f" in {len(set(folders))} folders"
        parts += [f"named by number because {why}"] if why else []
    parts += [f"beside {others} others that were there"] if others else []
    return ", ".join(parts)


def refuse_images_of_training(config: Config, run_dir: Path, out: Path) -> None:
    """Refuses to write into the folder that a run learned from, among its images or over them."""
    folder = folder_of(config)
    if folder is None:
        return
    own, place = os.path.realpath(folder), os.path.realpath(out)
    if os.path.commonpath([own, place]) == own:
        raise UserError(
            f"--out={out}: holds the images that {run_dir} was trained on, must be another "
            "directory"
        )


def write_interpolation(request: Request, out: Path) -> str:
    """Writes a row for the way from each seed to the next, and an animation of all of them."""
    seeds = request.seeds or range(PAIRS + 1)
    if len(seeds) < 2:
        raise UserError(f"--seeds={seeds[0]}: must be two or more to interpolate between")
    classes = drawing.shown_classes(request.generator)
    classes = classes if request.labels is None else np.asarray(request.labels)
    request.check_count((len(seeds) - 1) * STEPS * max(1, len(classes)), STEPS)
    ends = latents.latents_of(seeds, request.generator.inputs[0].shape[-1])
    if request.truncation:
        ends = latents.truncate(ends, request.truncation)
    ways = [latents.interpolate(*pair, STEPS) for pair in itertools.pairwise(ends)]
    path = np.concatenate(ways)
    rows = [
        drawing.draw(request.generator, path, np.full(len(path), label))
        for label in (classes if len(classes) else [0])  # not looked at where there are none
    ]
    write_picture(out, image_grid(np.concatenate(rows), STEPS))
    frames = [
        image_grid(np.stack(frame), 1)
        for i, frame in enumerate(zip(*rows, strict=True))
        if i == 0 or i % STEPS  # a way begins where the one before it ended
    ]
    animation = out.with_suffix(".gif")
    write_gif(animation, frames, 0.1)
    return f"{out}, {animation}: from seed to seed, {len(ways)} ways"


def write_directions(request: Request, out: Path) -> str:
    """Writes a row for each direction from each seed, which is in the middle."""
    seeds, labels = request.pairs(request.seeds or [0])
    if labels is None:
        labels = seeds % max(1, classes_of(request.generator))
    count = request.directions
    request.check_count(len(seeds) * count * WALK_STEPS, WALK_STEPS)
    ways, share = walks(request.generator, seeds, count, request.reach, request.truncation)
    rows = ways.reshape(-1, ways.shape[-1])
    images = drawing.draw(request.generator, rows, labels.repeat(count * WALK_STEPS))
    write_picture(out, image_grid(images, WALK_STEPS))
    reach = f"{request.reach:g}"
    return f"{out}: {count} directions from -{reach} to {reach}, {share:.0%} of the kernel's energy"


def write_class_ways(request: Request, out: Path) -> str:
    """Writes a row for the way of each seed from each class to the next."""
    labels, seeds = request.labels or (), request.seeds or range(request.side)
    if len(labels) < 2:
        raise UserError("--latent=classes: needs two or more classes, such as --labels=3,8")
    request.check_count((len(labels) - 1) * len(seeds) * STEPS, STEPS)
    classes = np.eye(classes_of(request.generator))
    share = np.linspace(0.0, 1.0, STEPS)[:, np.newaxis]
    ways = [(1 - share) * classes[a] + share * classes[b] for a, b in itertools.pairwise(labels)]
    generator, what = mixing_generator(request.generator, np.concatenate(ways))
    ends = latents.latents_of(seeds, generator.inputs[0].shape[-1])
    if request.truncation:
        ends = latents.truncate(ends, request.truncation)
    steps = np.tile(np.arange(len(ways) * STEPS).reshape(-1, 1, STEPS), [1, len(seeds), 1])
    rows = np.tile(ends.repeat(STEPS, 0), [len(ways), 1])
    write_picture(out, image_grid(drawing.draw(generator, rows, steps.ravel()), STEPS))
    return (
        f"{out}: from class to class, {counted(len(ways), 'way')} of "
        f"{counted(len(seeds), 'seed')}, mixing {what}"
    )


def write_nearest(request: Request, out: Path) -> str:
    """Writes images above their nearest training images."""
    if request.config is None or request.with_nearest is None:
        raise UserError(f"--nearest: needs a run, {request.run_dir} is a file")
    seeds, labels = request.pairs(request.seeds or range(NEAREST))
    request.check_count(3 * len(seeds), NEAREST)
    data = data_of_run(request.run_dir, request.config, tell, request.data)
    images = request.draw(seeds, labels)
    rows = request.with_nearest(images, request.config.dataset, data, tell)
    columns = min(NEAREST, len(images))
    lines = [
        in_rows(row[start : start + columns], columns)
        for start in range(0, len(images), columns)
        for row in rows.values()
    ]
    write_picture(out, image_grid(np.concatenate(lines), columns))
    return f"{out}: {', '.join(rows)}"


def write_codes(request: Request, out: Path) -> str:
    """Writes a picture that walks each code of an InfoGAN."""
    config = request.config
    codes = config.codes if config else Codes()
    if not (config and codes.entries()):
        raise UserError(f"--codes: needs a run with --auxiliary=infogan, {request.run_dir} is none")
    picture = code_picture(request.generator, codes, config.seed)  # as training draws it
    write_picture(out, picture)
    rows = "a row a category" if codes.categories else "a row a latent"
    ways = f", then {codes.continuous} continuous codes" if codes.continuous else ""
    return f"{out}: {rows}, {COLUMNS} latents{ways} of {COLUMNS} steps"


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
    "classes": write_class_ways,
    "directions": write_directions,
    "nearest": write_nearest,
    "codes": write_codes,
    "gif": write_training,
}
