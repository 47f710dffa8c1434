"""What is measured of real images once: floors, thresholds, accuracies, in tables that are kept.

The package's tables stand beside the weights of its feature networks and are for the data that
these are for. The user's are in the cache, by the digests of network and data.
"""

import json
import re
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from gan.evaluation import feature_networks
from gan.evaluation.metrics.floors import Floor
from gan.run.atomic_files import write_json
from gan.run.cache import cache_directory
from gan.run.files import read_text
from gan.run.records import is_number
from gan.version import __version__

# Metrics whose floor depends on which training images were learned: few are far apart.
OF_LEARNED = ("dcr_share",)
OF_DIVERSITY = Floor(1.0, 0.0)  # of real images within their classes, by definition


class Constants(NamedTuple):
    """The tables of a feature network on some data; an entry is a name and a dict."""

    provenance: Mapping[str, Any]  # of the network
    digest: str  # of the data
    print_fn: Callable[[str], None]  # is told what cannot be kept

    def cached(self, key: str, compute: Callable[[], dict[str, Any]]) -> dict[str, Any]:
        """Returns an entry, computing it if no table has it."""
        return self.find(key) or self.add(key, compute())

    def find(self, key: str) -> dict[str, Any]:
        """Returns an entry, {} if no table has it."""
        shipped: dict[str, Any] = {}
        if self.provenance["packaged"]:
            table = read_table(packaged_table(self.provenance["name"]))
            if table.get("sha256") == self.provenance["sha256"]:
                shipped = entry(table, key)
        return {**entry(read_table(self.own_table()), key), **shipped}

    def add(self, key: str, value: dict[str, Any]) -> dict[str, Any]:
        """Adds to an entry of the user's table, if it can be written, and returns what it added."""
        own = self.own_table()
        try:
            own.parent.mkdir(parents=True, exist_ok=True)
            table = read_table(own)
            write_json(own, {**table, key: {**entry(table, key), **value}})
        except OSError as error:
            self.print_fn(f"cannot write the cache {own} ({error.strerror})")
        return value

    def own_table(self) -> Path:
        """Returns the user's table; another version of the package may compute otherwise."""
        name, sha256 = self.provenance["name"], self.provenance["sha256"]
        file = f"{name}-{sha256[:12]}-{self.digest[:12]}.json"
        return cache_directory() / "floors" / __version__ / file


def packaged_table(name: str) -> Path:
    """Returns the package's table for a feature network."""
    return feature_networks.PACKAGED / f"{name}.floors.json"


def read_table(path: Path) -> dict[str, Any]:
    """Returns the table in a file, an empty one if there is none or it is damaged."""
    try:
        table = json.loads(read_text(path))
        return table if isinstance(table, dict) else {}
    except (OSError, ValueError):
        return {}


def entry(table: Mapping[str, Any], key: str) -> dict[str, Any]:
    """Returns an entry of a table, {} if there is none or it is damaged."""
    found = table.get(key)
    return found if isinstance(found, dict) and all(map(is_measured, found.values())) else {}


def is_measured(value: Any) -> bool:
    """Tells whether a value of a table is a number, or a mean and a standard deviation."""
    if isinstance(value, list):
        return len(value) == 2 and all(map(is_number, value))
    return is_number(value)


def floors_key(num_images: object, real_images: object, split: object) -> str:
    """Returns the name of an entry: the floors of so many images against so many of a split."""
    return f"floors of {num_images} against {real_images} {split}"


def floors_of_record(record: Mapping[str, Any]) -> Mapping[str, Any]:
    """Returns what real images get in an evaluation: as its record says, or else the package.

    Also their diversity within classes, where it was evaluated.
    """
    floors = dict(record.get("floors") or packaged_floors(record))
    if "class_diversity" in record.get("metrics", {}):
        floors["class_diversity"] = OF_DIVERSITY._asdict()
    return floors


def common_floors(records: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    """Returns the floors of evaluations in one table; of several of a metric the last one."""
    floors: dict[str, Any] = {}
    learned = set()
    for record in records:
        floors |= floors_of_record(record)
        learned.add(str(learned_in(record)))
    dropped = OF_LEARNED if len(learned) > 1 else ()
    return {name: floor for name, floor in floors.items() if name not in dropped}


def learned_in(record: Mapping[str, Any]) -> Any:
    """Returns how many training images a run learned, None: all of them."""
    reference = record.get("reference")
    return reference.get("learned") if isinstance(reference, Mapping) else None


def packaged_floors(record: Mapping[str, Any]) -> dict[str, dict[str, float]]:
    """Returns the floors of an evaluation's metrics that come with the package, {} if none do.

    Args:
        record: Of evaluations.jsonl, from anybody.
    """
    about, reference = record.get("features"), record.get("reference")
    if not isinstance(about, dict) or not isinstance(reference, dict):
        return {}
    name = about.get("name")
    if not isinstance(name, str) or not re.fullmatch(r"[\w-]+", name):
        return {}
    table = read_table(packaged_table(name))
    if table.get("sha256") != about.get("sha256"):
        return {}
    key = floors_key(record.get("num_images"), reference.get("num_images"), reference.get("split"))
    rows = entry(table, key)
    if learned_in(record):
        rows = {name: row for name, row in rows.items() if name not in OF_LEARNED}
    return {metric: Floor(*row)._asdict() for metric, row in rows.items()}
