"""Makes folders of real images that are free: ``python -m experiments.folder_sets --set=emoji``.

They come as Debian packages from the archive that apt knows, and are only unpacked, not installed.
"""

import shutil
import subprocess
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import NamedTuple

from absl.flags import FlagValues

from gan.cli import command, flags
from gan.errors import UserError
from gan.run.atomic_files import temporary_directory
from gan.run.fields import option

PLACE = "runs/sets"  # of all sets


class FolderSet(NamedTuple):
    """A row of `SETS`."""

    package: str  # of Debian
    # (directory of the unpacked package, directory of the set)
    write: Callable[[Path, Path], None]


def write_emoji(unpacked: Path, directory: Path) -> None:
    """Writes the bitmaps of a colour font, PNG of 136 x 128 pixels with alpha; no classes."""
    from fontTools.ttLib import TTFont  # of Matplotlib

    font = TTFont(unpacked / "usr/share/fonts/truetype/noto/NotoColorEmoji.ttf")
    directory.mkdir()
    (strike,) = font["CBDT"].strikeData
    for number, glyph in enumerate(strike.values()):
        (directory / f"{number:04}.png").write_bytes(glyph.imageData)


def write_clip_art(unpacked: Path, directory: Path) -> None:
    """Writes PNG files of several sizes, a folder for each of 22 subjects."""
    shutil.copytree(unpacked / "usr/share/openclipart/png", directory)


SETS = {
    "emoji": FolderSet("fonts-noto-color-emoji", write_emoji),  # SIL Open Font License 1.1
    "clip_art": FolderSet("openclipart-png", write_clip_art),  # public domain
}


def make(name: str, directory: Path) -> None:
    """Makes a row of `SETS` unless it is there.

    Raises:
        UserError: It cannot be fetched, unpacked or written; nothing is left in its place.
    """
    if directory.exists():
        return
    made = SETS[name]
    with temporary_directory() as place:
        try:
            run_program("apt-get", "download", made.package, cwd=place)
            run_program("dpkg-deb", "-x", str(next(place.glob("*.deb"))), "unpacked", cwd=place)
            made.write(place / "unpacked", place / "set")
            directory.parent.mkdir(parents=True, exist_ok=True)
            # Beside its place first, so that what is in its place is whole.
            half = directory.with_name(f".{directory.name}")
            shutil.rmtree(half, ignore_errors=True)
            shutil.copytree(place / "set", half)
            half.rename(directory)
        except OSError as error:
            raise UserError(f"--out={directory}: cannot be made ({error})") from None


def run_program(*arguments: str, cwd: Path) -> None:
    """Runs a program of Debian.

    Raises:
        UserError: It is not there, or fails.
    """
    try:
        done = subprocess.run(arguments, cwd=cwd, capture_output=True, text=True)
    except FileNotFoundError:
        raise UserError(f"{arguments[0]}: not found, must be there (Debian, Ubuntu)") from None
    if done.returncode:
        said = " ".join(done.stderr.split())[-200:]
        raise UserError(f"{' '.join(arguments)}: failed ({said})")


def define(values: FlagValues) -> None:
    """Defines the flags."""
    flags.define(
        values,
        set=option("emoji", "which one", choices=tuple(SETS)),
        out=option("", f"its directory (default: {PLACE}/SET)", path_after=""),
    )


def main(values: FlagValues) -> int:
    """Makes a set and returns the exit status."""
    name = values["set"].value
    directory = Path(values["out"].value or f"{PLACE}/{name}")
    make(name, directory)
    command.say(f"{directory}: {sum(1 for _ in directory.rglob('*.png')):,} images")
    return command.DONE


run = partial(command.run, "Makes a folder of real and free images.", define, main)

if __name__ == "__main__":
    run()
