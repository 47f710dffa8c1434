"""Generators that come with the package: ``gan.load("mnist")`` draws digits without training.

Each is a Keras file with weights in float16 (Keras reads them into float32 networks) and, beside
it, a record: its digest, the run that it is from, and how good it is. experiments/package_generator
writes both.
"""

import json
from functools import lru_cache
from pathlib import Path
from typing import Any

from gan.errors import UserError
from gan.run.files import sha256

DIRECTORY = Path(__file__).parent / "weights"


@lru_cache
def names() -> tuple[str, ...]:
    """Returns what ``gan.load`` calls them."""
    return tuple(sorted(path.stem for path in DIRECTORY.glob("*.json")))


def record_of(name: str) -> dict[str, Any]:
    """Returns the record of one: "sha256", "dataset", "class_names", "config", "evaluation"."""
    record: dict[str, Any] = json.loads((DIRECTORY / f"{name}.json").read_text())
    return record


def is_packaged(path: Path) -> bool:
    """Tells whether a path is the name of one, and nothing that is here has that name."""
    return str(path) in names() and not path.exists()


def file_of(path: Path) -> Path:
    """Returns the Keras file of such a name, checked; any other path as it is.

    Raises:
        UserError: The installed file is damaged.
    """
    if not is_packaged(path):
        return path
    file = DIRECTORY / f"{path}.keras"
    whole = file.is_file() and sha256(file)
    if whole != record_of(str(path))["sha256"]:
        raise UserError(f"{file}: is damaged, install the package again")
    return file


def is_file(path: Path) -> bool:
    """Tells whether a path is a file, or the name of a generator that comes with the package."""
    return is_packaged(path) or path.is_file()


def home_of(path: Path) -> Path:
    """Returns where commands write what they make of a generator: the run, or beside the file.

    Of a generator that comes with the package that is a folder here: mnist_samples for "mnist".
    """
    if is_packaged(path):
        return Path(f"{path}_samples")
    return path.parent if path.is_file() else path
