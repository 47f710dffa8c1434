"""Finds latents of images: ``tapegan project runs/mlp --image=seven.png``."""

import os
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from absl.flags import FlagValues

from gan.cli import command, flags
from gan.cli.sample import seeds_of
from gan.errors import UserError
from gan.run.config import Config
from gan.run.fields import option
from gan.run.paths import user_path
from gan.sampling import packaged

if TYPE_CHECKING:
    import numpy as np

    from gan.data.datasets import Dataset
    from gan.evaluation.projection import Projection

USAGE = "Finds the latents whose images come nearest to given ones, and says how near."

PICTURE = "projection.png"


def define(values: FlagValues) -> None:
    """Defines the flags."""
    flags.define_generator(values)
    flags.define(
        values,
        image=option(
            "", "an image file, or a directory of some, of the generator's size", path_after=""
        ),
        test=option("", "instead: these test images, such as 7 or 0-9"),
        label=option(
            "",
            "of a conditional generator: the class of the images, 3 or cat; empty: that of the "
            "nearest samples",
        ),
        starts=option(4, "ways an image, from the nearest of 1,000 seeds or more", low=1, below=65),
        steps=option(200, "of Adam, on each way", low=1, below=100_001),
        compare=option(
            10,
            "test images that are projected too, to compare with; 0: none, then the run's data are "
            "not needed, and distances are in pixels alone",
            low=0,
            below=101,
        ),
        dataset=option("", "of a generator.keras: the data set whose test images are compared"),
        data=option(
            "",
            "where the run's data are now: its folder of images, or the directory of the data "
            "set's files; empty: where they were",
            path_after="",
        ),
        out=option(
            "",
            "NAME.png, a picture of the ways; NAME.npz has the latents (default: "
            f"{PICTURE} in RUN_DIR/samples, or beside the generator)",
            path_after="",
        ),
    )


class Group(NamedTuple):
    """Images that are projected together."""

    images: "np.ndarray"
    names: Sequence[str]
    labels: Sequence[int | None]


def main(values: FlagValues) -> int:
    """Writes the picture and the latents, prints distances, and returns the exit status."""
    flag = {key: values[key].value for key in values}
    if bool(flag["image"]) == bool(flag["test"]):
        raise UserError("--image, --test: one of them must say what is projected")
    numbers, run_dir = seeds_of(flag["test"], "test"), Path(flag["run_dir"])
    bare = packaged.is_file(run_dir)
    for name, wrong, needs in (("data", bare, "a run"), ("dataset", not bare, "a generator.keras")):
        if flag[name] and wrong:
            raise UserError(f"--{name}={flag[name]}: needs {needs}, {run_dir} is none")
    with command.importing():
        from gan.evaluation import projection
        from gan.run import layout, run_directory, saved_config
        from gan.sampling import generators, outputs, posthoc_averages
        from gan.training import devices
    devices.prepare()
    config = None if bare else saved_config.read_config(run_dir)
    if config and generators.makes_points(run_dir, config):
        raise UserError(f"--run_dir={run_dir}: draws points, images are projected")
    place = packaged.home_of(run_dir) if bare else run_dir / layout.SAMPLES_DIR
    out = Path(flag["out"] or place / PICTURE)
    run_directory.check_output(out, ".png")
    run_directory.check_output(out.with_suffix(".npz"), ".npz")
    if config and flag["out"]:
        outputs.refuse_images_of_training(config, run_dir, out)
    for path in (out, out.with_suffix(".npz")) if flag["image"] else ():
        refuse_image(path, user_path(flag["image"], "--image"))
    generator = posthoc_averages.load_any(
        run_dir, flag["checkpoint"], flag["weights"], flag["ema_sigma"]
    )
    shape = tuple(generator.output_shape[1:])
    if len(shape) != 3:
        raise UserError(f"--run_dir={run_dir}: draws points, images are projected")
    label = label_of(flag["label"], generator, run_dir, bare)
    own = own_images(flag["image"], shape, config) if flag["image"] else None
    if own:
        check_size(own, shape)
    data, judge = None, projection.Judge()
    if packaged.is_packaged(run_dir) and not flag["dataset"]:
        flag["dataset"] = packaged.record_of(str(run_dir))["dataset"]
    if flag["compare"] or flag["test"]:
        data = load_data(run_dir, config, flag, shape)
    if data is not None:
        judge, real = measure(data, flag["dataset"] or getattr(config, "dataset", ""))
        if own and real is not None:
            tell_brightness(own, real)
    groups = groups_of(own, data, numbers or (), flag["compare"], label, generator)
    with command.working("projecting"):
        found = [
            projection.project(
                generator, group.images, judge, group.labels, flag["starts"], flag["steps"]
            )
            for group in groups
        ]
    try:
        if not flag["out"]:
            place.mkdir(exist_ok=True)
        write(out, groups, found, projection.shown_steps(flag["steps"]))
    except OSError as error:
        raise UserError(f"--out={out}: cannot be written ({error.strerror})") from None
    from gan.data.folders.find import counted

    command.say(*lines_of(groups, found, judge, len(generator.inputs) == 2))
    command.say(
        f"{out}, {out.with_suffix('.npz')}: the ways of {counted(len(groups[0].images), 'image')}"
    )
    return command.DONE


def label_of(text: str, generator: Any, run_dir: Path, bare: bool) -> int | None:
    """Returns the class that --label names, None for ""."""
    from gan.models.checks import classes_of
    from gan.run.data_facts import read_data_facts
    from gan.sampling.classes import labels_of

    classes = classes_of(generator)
    if not text:
        return None
    if not classes:
        raise UserError(f"--label={text}: is for conditional generators, {run_dir} has another")
    facts = None if bare else read_data_facts(run_dir)
    names = facts.class_names if facts and len(facts.class_names) == classes else ()
    labels = labels_of(text, names, classes, "label")
    if len(labels) > 1:
        raise UserError(f"--label={text}: are {len(labels)} classes, must be one")
    return labels[0]


def refuse_image(out: Path, image: Path) -> None:
    """Refuses to write over an image that is projected, or into a directory of such images."""
    own, place = os.path.realpath(image), os.path.realpath(out)
    if place == own or (os.path.isdir(own) and os.path.dirname(place) == own):
        raise UserError(f"--out={out}: is what --image={image} names, must be elsewhere")


def own_images(path: str, shape: tuple[int, ...], config: Config | None) -> Group:
    """Returns the user's images; those for a run of a folder are read as that folder was."""
    from gan.data.identity import folder_of
    from gan.evaluation.targets import read_targets

    folder = config is not None and folder_of(config) is not None
    background = config.background if config and folder else ""
    images, names = read_targets(user_path(path, "--image"), shape, background)
    return Group(images, names, ())


def check_size(group: Group, shape: tuple[int, ...]) -> None:
    """Refuses so many images that their picture would not fit in memory."""
    from gan.data.images import cell_size
    from gan.evaluation.projection import SHOWN
    from gan.sampling.outputs import MOST_BYTES

    cells = len(group.images) * (SHOWN + 3) * cell_size(shape[0]) * cell_size(shape[1])
    if 4 * shape[-1] * cells > MOST_BYTES:
        raise UserError(f"--image: are {len(group.images)} images of {shape[0]}x{shape[1]}, "
                        "too many for one picture")  # fmt: skip


def load_data(
    run_dir: Path, config: Config | None, flag: dict[str, Any], shape: tuple[int, ...]
) -> "Dataset | None":
    """Returns the data whose test images are compared, None if there are none."""
    from gan.data.datasets import load_dataset
    from gan.data.identity import data_of_run

    if config is not None:
        data = data_of_run(run_dir, config, command.tell, flag["data"])
    elif flag["dataset"]:
        data = load_dataset(flag["dataset"], "", command.tell)
    elif flag["test"]:
        raise UserError(f"--test={flag['test']}: needs --dataset, {run_dir} is a file")
    else:
        command.tell(f"nothing is compared: {run_dir} is a file, --dataset names test images")
        return None
    if data.shape != shape:
        raise UserError(f"--dataset={flag['dataset']}: has images {list(data.shape)}, the "
                        f"generator draws {list(shape)}")  # fmt: skip
    if data.test_images is None or not len(data.test_images):
        if flag["test"]:
            raise UserError(f"--test={flag['test']}: the data have no test images")
        command.tell("nothing is compared: the data have no test images")
        return None
    return data


def measure(data: "Dataset", dataset: str) -> "tuple[Any, np.ndarray]":
    """Returns the judge of distances among the data, and the test images that it is made from."""
    from gan.evaluation import projection, reference, targets

    real, _ = targets.numbered_examples(data, targets.draw_tests(data, targets.MEASURED))
    network = None
    if not data.has_modes and not reference.incomparable(data):
        found = reference.load_real_features(dataset, data, print_fn=command.tell)
        network = found.extractor.model
    return projection.judge_of(real, network), real


def tell_brightness(group: Group, real: "np.ndarray") -> None:
    """Warns of images that are as no test image is."""
    from gan.evaluation.targets import brightness_warning

    for line in brightness_warning(group.images, list(group.names), real):
        command.tell(line)


def groups_of(
    own: Group | None,
    data: "Dataset | None",
    asked: Sequence[int],
    compare: int,
    label: int | None,
    generator: Any,
) -> list[Group]:
    """Returns what is projected: what was asked for, and the test images to compare with.

    These have their own labels if those asked for have one.
    """
    import numpy as np

    from gan.evaluation.targets import MOST, draw_tests, numbered_examples
    from gan.models.checks import classes_of

    groups = []
    if own:
        groups.append(own._replace(labels=[label] * len(own.images)))
    elif data is not None and data.test_images is not None:
        numbers = np.array(asked)
        most = len(data.test_images) // data.stack
        if numbers.max() >= most or len(numbers) > MOST:
            raise UserError(f"--test: must be at most {MOST} numbers in 0-{most - 1}")
        images, _ = numbered_examples(data, numbers)
        names = [f"test image {number}" for number in numbers.tolist()]
        groups.append(Group(images, names, [label] * len(images)))
    if compare and data is not None:
        numbers = draw_tests(data, compare)
        images, labels = numbered_examples(data, numbers)
        known = label is not None and labels is not None and data.classes == classes_of(generator)
        own_labels = labels.tolist() if known and labels is not None else [None] * len(images)
        names = [f"test image {number}" for number in numbers.tolist()]
        groups.append(Group(images, names, own_labels))
    return groups


def write(
    out: Path, groups: Sequence[Group], found: "Sequence[Projection]", steps: Sequence[int]
) -> None:
    """Writes the picture of all ways, and the arrays of what was found."""
    import numpy as np

    from gan.data.images import captioned, image_grid, write_png
    from gan.run.atomic_files import replacing

    rows: list[np.ndarray] = []
    arrays: dict[str, Any] = {}
    for prefix, group, result in zip(("", "test_"), groups, found, strict=False):
        last = result.images[:, -1]
        difference = np.abs(group.images.astype(int) - last).astype(np.uint8)
        rows.append(
            np.concatenate([group.images[:, None], result.images, difference[:, None]], axis=1)
        )
        arrays |= {
            f"{prefix}names": np.array(list(group.names)),
            f"{prefix}latents": result.latents,
            f"{prefix}labels": result.labels,
            f"{prefix}seeds": result.seeds,
            f"{prefix}targets": group.images,
            f"{prefix}images": last,
            f"{prefix}pixels": result.pixels,
            f"{prefix}features": result.features,
        }
    whole = np.concatenate(rows)
    columns = whole.shape[1]
    shown = ", ".join(map(str, steps))
    picture = image_grid(whole.reshape(-1, *whole.shape[2:]), columns)
    write_png(out, captioned(picture, f"image; steps {shown}; difference"))
    with replacing(out.with_suffix(".npz")) as temporary, temporary.open("wb") as file:
        np.savez_compressed(file, **arrays)


def lines_of(
    groups: Sequence[Group], found: "Sequence[Projection]", judge: Any, with_labels: bool
) -> list[str]:
    """Returns a line an image, one about the test images, and one how each compares with them."""
    import numpy as np

    def in_words(pixels: float, features: float) -> str:
        more = "" if np.isnan(features) else f", {features:.2f} in features"
        return f"{pixels:.1f} grey levels{more}"

    first, lines = found[0], []
    tests = found[1] if len(found) > 1 else None
    distances = first.distances(judge)
    theirs = np.empty(0) if tests is None else tests.distances(judge)
    for i, name in enumerate(groups[0].names):
        label = f", as class {first.labels[i]}" if with_labels else ""
        line = f"{name}: {in_words(first.pixels[i], first.features[i])}{label}"
        if tests is not None:
            nearer = int((theirs < distances[i]).sum())
            line += f"; {nearer} of {len(theirs)} test images come nearer"
            if nearer == len(theirs):
                line += ": the generator hardly draws such images"
        lines.append(line)
    if tests is not None:
        middle = in_words(float(np.median(tests.pixels)), float(np.median(tests.features)))
        most = in_words(float(tests.pixels.max()), float(tests.features.max()))
        lines.append(f"{len(theirs)} test images: {middle} in the median, at most {most}")
    return lines


run = partial(command.run, USAGE, define, main, positional="run_dir")
