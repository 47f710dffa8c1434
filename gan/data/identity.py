"""What the data of a run are, as config.json keeps it, and the same data found again."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from gan.data.datasets import Dataset, dataset_from_config
from gan.errors import UserError
from gan.lazy import np
from gan.run.config import FOLDER, Config
from gan.run.paths import user_path
from gan.run.saved_config import read_values

NAMED = 20  # classes in a message


def describe_data(data: Dataset) -> dict[str, Any]:
    """Returns what tells a data set from others, wherever it lies."""
    labels = data.train_labels
    return {
        "examples": len(data.train_images),
        "shape": list(data.shape),
        "classes": data.classes,
        "class_names": list(data.class_names),
        "class_counts": [] if labels is None else np.bincount(labels).tolist(),
        "digest": data.digest(),
    }


def changed_data(old: Mapping[str, Any], new: Mapping[str, Any]) -> list[str]:
    """Returns in words how data differ from those that a run had."""
    changes = []
    if old.get("examples") != new["examples"]:
        changes.append(f"{old.get('examples')} examples, now {new['examples']}")
    if old.get("shape") != new["shape"]:
        changes.append(f"of the shape {old.get('shape')}, now {new['shape']}")
    if any(old.get(key) != new[key] for key in ("classes", "class_names")):
        changes.append(f"{classes_in_words(old)}, now {classes_in_words(new)}")
    if not changes and old.get("digest") != new["digest"]:
        changes.append("as many of the same shape and classes, but others")
    return changes


def classes_in_words(data: Mapping[str, Any]) -> str:
    """Returns the number of classes, and their names if they have some."""
    names = data.get("class_names")
    if not isinstance(names, list) or not names:
        return f"{data.get('classes')} classes"
    shown = ", ".join(map(str, names[:NAMED])) + ", ..." * (len(names) > NAMED)
    return f"{data.get('classes')} classes ({shown})"


def folder_of(config: Config) -> Path | None:
    """Returns the folder of images that a configuration names, None if it names none."""
    if not config.dataset.startswith(FOLDER):
        return None
    return user_path(config.dataset.removeprefix(FOLDER), "dataset")


def is_there(folder: Path) -> bool:
    """Returns whether a folder is there; one that may not be looked at is refused where it is."""
    try:
        return folder.is_dir()
    except OSError:
        return True


def check_folder_is_there(run_dir: Path, config: Config) -> None:
    """Refuses to go on with a run whose images are gone, and says how to name their new place."""
    folder = folder_of(config)
    if folder and not is_there(folder):
        raise UserError(
            f"--dataset={config.dataset}: is no directory, {run_dir} needs its images to go on; "
            f"--dataset={FOLDER}DIR says where they are now"
        )


def data_of_run(
    run_dir: Path, config: Config, print_fn: Callable[[str], None], place: str = ""
) -> Dataset:
    """Returns the data that a run was trained on.

    Args:
        run_dir: The run, whose config.json says what its data are; older ones do not.
        config: Its configuration.
        print_fn: Is told what takes time, and gets warnings.
        place: Where they are now: the folder of images, or the directory of a data set's files; "":
            where the configuration says.

    Raises:
        UserError: They are not there, or are others.
    """
    if folder := folder_of(config):
        if place and not is_there(user_path(place, "data")):
            raise UserError(f"--data={place}: must be the directory of {run_dir}'s images")
        if not place and not is_there(folder):
            raise UserError(
                f"--run_dir={run_dir}: needs the images that it was trained on, {folder} is no "
                "directory here; --data=DIR says where they are"
            )
        if place:
            config = dataclasses.replace(config, dataset=f"{FOLDER}{place}")
    data = dataset_from_config(config, print_fn, "" if folder else place)
    known = read_values(run_dir).get("data")
    if isinstance(known, dict) and (changes := changed_data(known, describe_data(data))):
        where = place or folder or config.data_dir or config.dataset
        raise UserError(
            f"--run_dir={run_dir}: was trained on other data than {where} has "
            f"({'; '.join(changes)}), --data=DIR must say where those are"
        )
    return data
