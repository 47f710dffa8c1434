"""Which runs differ in their seed only."""

import dataclasses
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from gan.run import imports, saved_config
from gan.run.config import FOLDER
from gan.run.reader import History

WHERE_DATA_LIE = ("data_dir", "data_cache")  # which changes no run


def what_tells_apart(run: History) -> dict[str, Any]:
    """Returns the configuration of a run without its seed, and what else it was made of."""
    values = dataclasses.asdict(run.config)
    for name in ("seed", *WHERE_DATA_LIE):
        del values[name]
    saved = saved_config.read_values(run.path)
    if run.own_networks:
        known = saved.get("architectures")
        about = known if isinstance(known, dict) else {}
        for name in run.own_networks:
            network = about.get(name)
            digest = network.get("digest", "") if isinstance(network, dict) else ""
            values[name] = f"own {str(digest)[:8]}".strip()
    if files := imports.saved(saved):  # the same names may be rows of another file
        values["import"] = ",".join(f"{Path(f.path).name} {f.sha256[:8]}" for f in files)
    data = saved.get("data")
    if run.config.dataset.startswith(FOLDER) and isinstance(data, dict):
        values["data"] = str(data.get("digest", ""))[:8]
        if values["data"]:  # the same images, wherever they lie
            values["dataset"] = FOLDER + Path(run.config.dataset.removeprefix(FOLDER)).name
    return values


def key_of(values: Mapping[str, Any]) -> str:
    """Returns what is the same for runs that `what_tells_apart` does not tell apart."""
    return json.dumps(values, sort_keys=True)


def differing(groups: Sequence[Mapping[str, Any]]) -> list[str]:
    """Returns the names of values that are not the same in all groups."""
    names = dict.fromkeys(name for values in groups for name in values)
    return [name for name in names if len({json.dumps(v.get(name)) for v in groups}) > 1]
