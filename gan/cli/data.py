"""What a folder of images holds: ``tapegan data DIR``."""

import dataclasses
import shlex
from functools import partial
from pathlib import Path

from absl.flags import FlagValues

from gan.cli import command, flags
from gan.data.datasets import Dataset, load_dataset
from gan.errors import UserError
from gan.lazy import np
from gan.run.config import FOLDER, OF_FOLDER, Config
from gan.run.fields import option

USAGE = "Shows what a folder of images holds, and the images as networks will see them."

OF_CONFIG = (*OF_FOLDER, "data_cache")
COLUMNS, WIDEST = 10, 3000  # of the picture, and as many rows at most; screen pixels


def define(values: FlagValues) -> None:
    """Defines the flags."""
    fields = {field.name: field for field in dataclasses.fields(Config)}
    flags.define(
        values,
        folder=option("", "directory of images; also as an argument", path_after=""),
        **{name: fields[name] for name in OF_CONFIG},
        out=option("data.png", "PNG file: images as networks will see them", path_after=""),
    )


def main(values: FlagValues) -> int:
    """Prints what was found, writes the picture, and returns the exit status."""
    flag = {name: values[name].value for name in (*OF_CONFIG, "folder", "out")}
    if not flag["folder"]:
        raise UserError("--folder=: must be a directory of images")
    out, name = Path(flag["out"]), f"{FOLDER}{flag['folder']}"
    settings = {name: flag[name] for name in OF_CONFIG}
    Config(dataset=name, **settings)  # checks them
    with command.importing():
        from gan.data.folders.doubts import doubts
        from gan.data.images import cell_size, image_grid, write_png
        from gan.run import run_directory
    run_directory.check_output(out, ".png")
    if Path(flag["folder"]).resolve() in out.resolve().parents:
        raise UserError(f"--out={out}: must not lie in the folder, it would be one of its images")
    with command.working("reading images"):
        data = load_dataset(name, "", command.tell, **settings)
    assert data.folder
    command.say(*data.folder.said)
    for doubt in doubts(data):
        command.tell(f"warning: {doubt}")
    in_order = sorted_images(data)
    columns = min(len(in_order), COLUMNS, max(1, WIDEST // cell_size(data.shape[1])))
    count = min(len(in_order) // columns, columns) * columns
    # At equal distances, so that every class is seen.
    places = in_order[np.linspace(0, len(in_order) - 1, count).astype(np.int64)]
    shown = np.stack([image_at(data, place) for place in places])
    try:
        write_png(out, image_grid(shown, columns))
    except OSError as error:
        raise UserError(f"--out={out}: cannot be written ({error.strerror})") from None
    command.say(f"{out}: {count} of the images as networks will see them")
    given = [f"--{one}={flag[one]}" for one in OF_CONFIG if values[one].present]
    command.say(f"next: {shlex.join(['tapegan', 'train', f'--dataset={name}', *given])}")
    return command.DONE


def sorted_images(data: Dataset) -> np.ndarray:
    """Returns the places [N] of all images of a folder, by their names."""
    assert data.folder
    names = data.folder.names.tolist()
    return np.array(sorted(range(len(names)), key=names.__getitem__))


def image_at(data: Dataset, place: int) -> np.ndarray:
    """Returns an image [H, W, C] of a folder; those that are held out follow the others."""
    rest = place - len(data.train_images)
    if rest < 0 or data.test_images is None:
        return data.train_images[place]
    return data.test_images[rest]


run = partial(command.run, USAGE, define, main, positional="folder")
