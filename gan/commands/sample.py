"""Draws from a generator: ``tapegan sample --run_dir=runs/mlp``."""

import dataclasses
import itertools
import re
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, NoReturn

from absl import flags

from gan.commands import cli
from gan.config import POINT_DATASETS
from gan.knobs import UserError, knob

if TYPE_CHECKING:
    import keras
    import numpy as np

    from gan.config import Config
    from gan.latents import Numbers

USAGE = "Draws images from a generator: a grid, single files, interpolations, animations."

PAIRS = 5  # of neighbours in an interpolation, if no seeds are given
STEPS = 10  # images from one seed to the next, both included
NEAREST = 20  # samples beside their nearest training images, if no seeds are given
AT_ONCE = 1000  # single images that are in memory
PICTURES = (".jpg", ".jpeg", ".gif", ".bmp", ".webp", ".tif", ".tiff", ".pdf", ".svg")
FRAMES = 60  # most of an animation of training


def define(values: flags.FlagValues) -> None:
    """Defines the flags."""
    cli.define(
        values,
        run_dir=knob("runs/mlp", "a run, or a generator.keras of anywhere"),
        seeds=knob(
            "",
            "which images, 0-99 or 7: the same seed is always the same image; empty: the first, as "
            "many as the picture has room for",
        ),
        side=knob(10, "images a row of a grid; without --seeds also its rows", low=1, below=101),
        latent=knob(
            "independent",
            "interpolate: the way from each seed to the next, as PNG and GIF",
            choices=("independent", "interpolate"),
        ),
        truncation=knob(
            0.0, "bound of the entries of latents: fewer odd images, less diversity; 0: none", low=0
        ),
        nearest=knob(False, "each image above the training images that are nearest to it"),
        gif=knob(False, "instead, an animation of the run's own pictures over its training"),
        out=knob(
            "",
            "NAME.png: one picture; NAME.npz: arrays; NAME.gif with --gif; else a directory for "
            "single PNG files (default: in RUN_DIR/samples, or beside the generator)",
        ),
    )


def main(values: flags.FlagValues) -> int:
    """Writes what was asked for and returns the exit status."""
    name = kind_of(values)
    kind, flag = KINDS[name], {key: values[key].value for key in values}
    seeds, run_dir = seeds_of(flag["seeds"]), Path(flag["run_dir"])
    bare = run_dir.is_file()
    if bare and name in ("nearest", "gif"):
        raise UserError(f"--{name}: needs a run, {run_dir} is a file")
    with cli.silenced():
        from gan import devices, runs, samples
    devices.prepare()
    config = None if bare else runs.read_config(run_dir)
    if config and config.dataset in POINT_DATASETS:
        refuse_for_points(values)
    generator = None
    if name != "gif":
        generator = samples.load(run_dir)
    request = Request(run_dir, generator, config, seeds, flag["side"], flag["truncation"])
    if generator and request.makes_points:
        refuse_for_points(values)
    place = run_dir.parent if bare else run_dir / runs.SAMPLES_DIR
    out = Path(flag["out"] or place / kind.default_out)
    try:
        print(kind.write(request, out))
    except OSError as error:
        raise UserError(f"--out={out}: cannot be written ({error.strerror})") from None
    return cli.DONE


def refuse_for_points(values: flags.FlagValues) -> None:
    """Refuses flags that are for images.

    Raises:
        UserError: Names the flag.
    """
    for name in ("seeds", "side", "latent", "truncation", "nearest"):
        if values[name].present:
            raise UserError(
                f"--{name}={values[name].value}: is for images, {values['run_dir'].value} draws "
                "points"
            )


@dataclasses.dataclass
class Request:
    """What to draw."""

    run_dir: Path
    generator: "keras.Model"
    config: "Config | None"  # of the run, if it is one
    seeds: range | None
    side: int
    truncation: float

    @property
    def makes_points(self) -> bool:
        """Whether the generator makes points instead of images."""
        return len(self.generator.output_shape) == 2

    def draw(self, seeds: "Numbers", labels: "Numbers | None" = None) -> "np.ndarray":
        """Returns the images of seeds."""
        from gan import samples

        return samples.sample(self.generator, seeds, labels=labels, truncation=self.truncation)


def write_grid(request: Request, out: Path) -> str:
    """Writes one picture: seeds in rows, or a row a class if conditional; points are scattered."""
    import numpy as np

    from gan import drawing, pictures, recipe

    side, classes = request.side, pictures.shown_classes(request.generator)
    if request.makes_points:
        clouds = [request.draw(range(pictures.POINTS_SHOWN))]
        if request.config:
            data = recipe.dataset_of(request.config, print)
            clouds.insert(0, pictures.real_examples(data, pictures.POINTS_SHOWN, 0))
        picture = drawing.scatter(*clouds)
    elif len(classes) and request.seeds is None:
        seeds = np.tile(np.arange(side), len(classes))
        picture = drawing.image_grid(request.draw(seeds, np.repeat(classes, side)), side)
    else:
        images = request.draw(request.seeds or range(side**2))
        columns = min(side, len(images))
        blank = np.full([-len(images) % columns, *images.shape[1:]], 255, np.uint8)
        picture = drawing.image_grid(np.concatenate([images, blank]), columns)
    drawing.write_png(out, picture)
    return str(out)


def write_single(request: Request, out: Path) -> str:
    """Writes a PNG file for each seed, or all images into one npz file."""
    import numpy as np

    from gan import drawing
    from gan.files import replacing

    seeds = request.seeds
    assert seeds is not None
    if out.suffix == ".npz":
        with replacing(out) as temporary, temporary.open("wb") as file:
            np.savez_compressed(file, images=request.draw(seeds), seeds=np.asarray(seeds))
    else:
        out.mkdir(parents=True, exist_ok=True)
        for start in range(0, len(seeds), AT_ONCE):
            part = seeds[start : start + AT_ONCE]
            for seed, image in zip(part, request.draw(part), strict=True):
                drawing.write_png(out / f"{seed:05d}.png", image)
    return f"{out}: {len(seeds)} images"


def write_interpolation(request: Request, out: Path) -> str:
    """Writes a row for the way from each seed to the next, and an animation of all of them."""
    import numpy as np

    from gan import drawing, latents, pictures, samples

    seeds = request.seeds or range(PAIRS + 1)
    if len(seeds) < 2:
        raise UserError(f"--seeds={seeds[0]}: must be two or more to interpolate between")
    ends = latents.latents_of(seeds, request.generator.inputs[0].shape[-1])
    if request.truncation:
        ends = latents.truncated(ends, request.truncation)
    ways = [latents.between(*pair, STEPS) for pair in itertools.pairwise(ends)]
    path = np.concatenate(ways)
    classes = pictures.shown_classes(request.generator)
    rows = [
        samples.draw(request.generator, path, np.full(len(path), label))
        for label in (classes if len(classes) else [0])  # not looked at where there are none
    ]
    drawing.write_png(out, drawing.image_grid(np.concatenate(rows), STEPS))
    frames = [
        drawing.image_grid(np.stack(frame), 1)
        for i, frame in enumerate(zip(*rows, strict=True))
        if i == 0 or i % STEPS  # a way begins where the one before it ended
    ]
    animation = out.with_suffix(".gif")
    drawing.write_gif(animation, frames, 0.1)
    return f"{out}, {animation}: seeds {seeds[0]} to {seeds[-1]}"


def write_nearest(request: Request, out: Path) -> str:
    """Writes images above their nearest training images."""
    import numpy as np

    from gan import drawing, evaluation, recipe

    assert request.config is not None
    data = recipe.dataset_of(request.config, print)
    images = request.draw(request.seeds or range(NEAREST))
    rows = evaluation.with_nearest(images, request.config.dataset, data, print)
    drawing.write_png(out, drawing.image_grid(np.concatenate(list(rows.values())), len(images)))
    return f"{out}: {', '.join(rows)}"


def write_training(request: Request, out: Path) -> str:
    """Writes the pictures that training left, with the step on each, as an animation."""
    from gan import drawing, history

    pictures = history.pictures_of(request.run_dir)
    if not pictures:
        raise UserError(f"--run_dir={request.run_dir}: has no pictures of its training yet")
    pages = [
        drawing.captioned(drawing.read_png(path), f"step {step:,}")
        for step, path in history.spread(pictures, FRAMES)
    ]
    if len({page.shape for page in pages}) > 1:
        raise UserError(f"--run_dir={request.run_dir}: its pictures have different sizes")
    drawing.write_gif(out, pages, 0.1)
    return f"{out}: {len(pages)} pictures"


class Kind(NamedTuple):
    """Something that can be drawn."""

    said: str  # in messages
    flags: tuple[str, ...]  # besides --run_dir and --out
    default_out: str  # --out ends like it, unless it is a directory
    write: Callable[[Request, Path], str]  # returns what was written


KINDS = {
    "grid": Kind("a grid", ("seeds", "side", "truncation"), "grid.png", write_grid),
    "single": Kind("single images", ("seeds", "truncation"), "single", write_single),
    "interpolation": Kind(
        "--latent=interpolate", ("latent", "seeds", "truncation"),
        "interpolation.png", write_interpolation,
    ),
    "nearest": Kind(
        "--nearest", ("nearest", "seeds", "truncation"), "nearest.png", write_nearest
    ),
    "gif": Kind("--gif", ("gif",), "training.gif", write_training),
}  # fmt: skip


def kind_of(values: flags.FlagValues) -> str:
    """Returns the key of `KINDS` that the flags ask for.

    Raises:
        UserError: They ask for several, or for a file of another kind.
    """
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
    if name == "single" and not seeds:
        raise UserError(f"--out={out}: needs --seeds, such as --seeds=0-99")
    if name == "single" and suffix.lower() in PICTURES:
        raise UserError(f"--out={out}: must end in .png or .npz, or be a directory")
    if out and name != "single" and suffix != (right := Path(kind.default_out).suffix):
        raise UserError(f"--out={out}: must end in {right}")
    return name


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
