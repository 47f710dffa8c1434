"""What config.json says of a run's data: enough to build its networks where the data are not."""

import math
from pathlib import Path
from typing import Any, NamedTuple

from gan.errors import UserError
from gan.run.layout import CONFIG_FILE
from gan.run.saved_config import read_values

MOST_VALUES = 2**26  # of an example: images of 4096 x 4096 in 4 channels
MOST_CLASSES = 2**31 - 1


class DataFacts(NamedTuple):
    """What a run's networks have to know of its data."""

    shape: tuple[int, ...]  # of an example: (H, W, C) or (D,)
    classes: int  # 0 of data without labels
    class_names: tuple[str, ...]  # of the labels 0, 1, ..., where they have names
    class_counts: tuple[int, ...]  # training images of each label; () in older runs


def read_data_facts(run_dir: Path) -> DataFacts | None:
    """Returns what a run says of its data, None if it is older than that.

    A run may come from anybody: nothing behind this door asks again what the file holds.

    Raises:
        UserError: It says something else, or is no run.
    """
    known = read_values(run_dir).get("data")
    if known is None:
        return None
    known = known if isinstance(known, dict) else {}
    shape, classes = known.get("shape", ()), known.get("classes", -1)
    names, counts = known.get("class_names", []), known.get("class_counts", [])
    right = (
        are_counts(shape, 1)
        and len(shape) in (1, 3)
        and math.prod(shape) <= MOST_VALUES
        and are_counts([classes], 0)
        and classes <= MOST_CLASSES
        and isinstance(names, list)
        and all(isinstance(name, str) for name in names)
        and are_counts(counts, 0)
    )
    if not right:
        raise UserError(
            f'{run_dir / CONFIG_FILE}: is not a configuration, "data" must have shape, classes, '
            "class_names and class_counts as training writes them"
        )
    return DataFacts(tuple(shape), classes, tuple(names), tuple(counts))


def are_counts(values: Any, low: int) -> bool:
    """Returns whether values are a list of integers from `low` on."""
    return isinstance(values, list) and all(type(one) is int and one >= low for one in values)
