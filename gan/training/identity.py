"""What a run's data and networks are, as config.json keeps it, compared when the run goes on."""

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import keras

from gan.data.datasets import Dataset
from gan.data.identity import changed_data, describe_data
from gan.errors import UserError
from gan.models.checks import all_layers
from gan.run.config import Config
from gan.run.layout import CONFIG_FILE
from gan.run.saved_config import read_config, read_values

# Of a serialised network: what may differ between two processes that build the same one.
UNSTABLE = {"seed", "module", "registered_name", "shared_object_id", "build_config"}


def describe(data: Dataset, own_networks: Mapping[str, keras.Model]) -> dict[str, Any]:
    """Returns what config.json says of the data of a run, and of networks from Python code."""
    networks = {name: describe_network(network) for name, network in own_networks.items()}
    return {"data": describe_data(data), "own_networks": networks}


def describe_network(network: keras.Model) -> dict[str, Any]:
    """Returns what tells the architecture of a network from others; not its weights."""
    try:
        config = json.loads(network.to_json())
    except Exception:  # of layers that cannot be serialised, such as a discriminator may have
        digest = ""
    else:
        text = json.dumps(without_names(config), sort_keys=True)
        digest = hashlib.sha256(text.encode()).hexdigest()
    return {
        "layers": [type(layer).__name__ for layer in all_layers(network)],
        "weights": [list(weight.shape) for weight in network.weights],
        "digest": digest,
    }


def without_names(config: Any) -> Any:
    """Returns a serialised network with its names by their order, which Keras counts a process."""
    names: dict[str, str] = {}

    def collect(value: Any) -> None:
        for key, inner in value.items() if isinstance(value, dict) else enumerate(value):
            if key == "name" and isinstance(inner, str):
                names.setdefault(inner, f"name {len(names)}")
            elif isinstance(inner, dict | list):
                collect(inner)

    def replace(value: Any) -> Any:
        if isinstance(value, dict):
            return {key: replace(inner) for key, inner in value.items() if key not in UNSTABLE}
        if isinstance(value, list):
            return [replace(inner) for inner in value]
        return names.get(value, value) if isinstance(value, str) else value

    collect(config)
    return replace(config)


def check_same(
    run_dir: Path,
    config: Config,
    data: Mapping[str, Any],
    own_networks: Mapping[str, Mapping[str, Any]],
) -> list[str]:
    """Refuses to go on with other data or networks than the run had; returns what is not known.

    Args:
        run_dir: Of a run, or nothing yet.
        config: That goes on.
        data: Of `describe_data`.
        own_networks: Of `describe_network`, by name, of the networks that Python code gave.

    Raises:
        UserError: Names what is another one.
    """
    if not (run_dir / CONFIG_FILE).exists():
        return []
    values = read_values(run_dir)
    for name in ("generator", "discriminator"):
        had, has = name in values["own_networks"], name in own_networks
        by_name = f"--{name}={getattr(config, name)}"
        if had and not has:
            raise UserError(
                f"{by_name}: {run_dir} has a {name} that Python code gave, must be given again"
            )
        if has and not had:
            raise UserError(f"{name}: {run_dir} has {by_name}, must go on with it")
    known, architectures = values.get("data"), values.get("architectures")
    if not isinstance(known, dict) or not isinstance(architectures, dict):
        if read_config(run_dir).dataset != config.dataset:
            raise UserError(
                f"--dataset={config.dataset}: {run_dir} has {read_config(run_dir).dataset}, and an "
                "older version wrote it, without what would tell that the data only moved"
            )
        return [
            f"{run_dir / CONFIG_FILE} was written by an older version and does not say what the "
            "data and the networks are: they are taken to be these"
        ]
    if changes := changed_data(known, data):
        raise UserError(
            f"--dataset={config.dataset}: {run_dir} was trained on other data "
            f"({'; '.join(changes)}), must be the same or another --run_dir"
        )
    environment = values.get("environment")
    same_keras = isinstance(environment, dict) and environment.get("keras") == keras.__version__
    for name, network in own_networks.items():
        before = architectures.get(name)
        # Another version of Keras may write the same network otherwise.
        compared = ("layers", "weights", *["digest"] * same_keras)
        if not isinstance(before, dict) or any(before.get(k) != network[k] for k in compared):
            raise UserError(
                f"{name}: has other layers than the one that {run_dir} was trained with"
            )
    return []
