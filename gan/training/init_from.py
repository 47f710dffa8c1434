"""The start from another run: its networks and their average become those of a new run.

Optimizers and step start afresh. The run that is started from is only read, and only once: the new
run keeps what it needs, see docs/run-directory.md.
"""

import contextlib
import re
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import keras

from gan.algorithm.step import GanState
from gan.data.datasets import dataset_from_config
from gan.data.digests import array_digest
from gan.errors import UserError
from gan.models.build import build_generator
from gan.models.checks import all_layers, operations_of
from gan.run import layout, run_directory, saved_config
from gan.run.config import Config
from gan.run.data_facts import read_data_facts
from gan.run.jsonl import INT64
from gan.run.records import read_summary
from gan.run.streams import tell
from gan.sampling import generators
from gan.sampling.discriminators import build_or_load

KEY = "init_from"  # of config.json: what `start_from` returns

# Of layers: what their function depends on besides kind, sizes and weights; and what adds nothing.
OF_FUNCTION = (
    "activation", "strides", "padding", "pool_size", "size", "negative_slope", "dilation_rate",
    "groups", "scale", "offset", "interpolation", "epsilon", "axis", "indices_or_sections",
)  # fmt: skip
PASSING = ("InputLayer", "Dropout", "SpatialDropout2D", "GaussianNoise", "GaussianDropout")

CHECKPOINT = re.compile(r"step-(\d+)(\.index|\.data-\d+-of-\d+)?")

# Fields that a network's layers depend on.
SHAPING = {
    "generator": ("generator", "g_norm", "halvings", "conditional", "auxiliary", "categories"),
    "discriminator": ("discriminator", "d_norm", "halvings", "conditional", "auxiliary"),
}


class Source(NamedTuple):
    """A checkpoint of a run."""

    run_dir: Path
    checkpoint: str  # "latest", "best" or a step


def needs_source(run_dir: Path) -> bool:
    """Tells whether a run begins from the other one: not where it has checkpoints, or ended."""
    if run_directory.checkpoints(run_dir / layout.CHECKPOINTS_DIR):
        return False
    return not read_summary(run_dir / layout.SUMMARY_FILE).get("step", 0)


def recorded(run_dir: Path) -> dict[str, Any]:
    """Returns what config.json says of the start from another run, {} if there was none.

    Raises:
        UserError: It says something else.
    """
    if not (run_dir / layout.CONFIG_FILE).exists():
        return {}
    origin = saved_config.read_values(run_dir).get(KEY, {})
    images = origin.get("images", 0) if isinstance(origin, dict) else None
    if type(images) is not int or not 0 <= images < INT64:
        raise UserError(
            f'{run_dir / layout.CONFIG_FILE}: is not a configuration, "{KEY}" must be as '
            "training writes it"
        )
    found: dict[str, Any] = origin
    return found


def find_source(path: Path) -> Source:
    """Returns which checkpoint a path stands for: a run's newest, or the one that it names.

    Raises:
        UserError: There is no such run or checkpoint, or its configuration is damaged.
    """
    run_dir, checkpoint, step = path, "latest", None
    if not (path / layout.CONFIG_FILE).exists():  # no run: a checkpoint in one, maybe
        match = CHECKPOINT.fullmatch(path.name)
        directory, step = (path.parent, int(match[1])) if match else (path, None)
        if directory.name == "checkpoints":
            run_dir, checkpoint = directory.parent, "latest" if step is None else str(step)
        elif directory.parts[-2:] == ("checkpoints", "best"):
            run_dir, checkpoint = directory.parent.parent, "best"
    with naming(path, run_dir):
        saved_config.read_config(run_dir)
        found = generators.find_checkpoint(run_dir, checkpoint)
        if step is not None and run_directory.step_of(found) != step:
            raise UserError(f"must be {found}")
    return Source(run_dir, checkpoint)


@contextlib.contextmanager
def naming(path: Path, run_dir: Path) -> Iterator[None]:
    """Says of a mistake in the run that is started from which flag named it."""
    try:
        yield
    except UserError as error:
        text = str(error).removeprefix(f"--run_dir={run_dir}: ")
        raise UserError(f"--init_from={path}: {text}") from None


def start_from(
    config: Config,
    state: GanState,
    scope: Callable[[], contextlib.AbstractContextManager[Any]] = contextlib.nullcontext,
    print_fn: Callable[[str], None] = lambda line: None,
) -> dict[str, Any]:
    """Gives networks and average the weights of `config.init_from`.

    A layer of which a weight has another shape there keeps its initial weights; which ones is said
    in a line.

    Args:
        config: Of the new run.
        state: At step 0.
        scope: The context in which its variables are assigned to.
        print_fn: Is told the line.

    Returns:
        What config.json records: run and step, `images` that the average has seen, the SHA-256 of
        all weights there, and the layers that start anew.

    Raises:
        UserError: There is no such run, its checkpoint is damaged, or its networks have other
            layers.
    """
    path = Path(config.init_from)
    source = find_source(path)
    with naming(path, source.run_dir):
        there = saved_config.read_config(source.run_dir)
        networks, step = read_networks(source, there)
        before = recorded(source.run_dir).get("images", 0)
    weights = [w.numpy() for network in networks.values() for w in network.weights]
    anew = []
    for name, network in networks.items():
        player = name.removeprefix("ema_")
        check_layers(config, there, player, network, getattr(state, name))
        with scope():
            fresh = copy_weights(network, getattr(state, name))
        if len(fresh) == len(layers_of(network)):
            raise UserError(f"--init_from={path}: no layer of its {player} has the shape of one")
        anew += [f"{player} {layer}" for layer in fresh if name == player]
    if anew:
        print_fn(
            f"warning: --init_from={path}: layers that have another shape there start anew: "
            f"{'; '.join(anew)}"
        )
    # An average that holds initial weights is worse than none: then its half-life grows again.
    averaged = not any(layer.startswith("generator ") for layer in anew)
    images = before + step * there.batch_size if averaged else 0
    return {
        "run_dir": str(source.run_dir),
        "step": step,
        "images": images,
        "weights": array_digest(*weights),
        "anew": anew,
    }


def read_networks(source: Source, config: Config) -> tuple[dict[str, keras.Model], int]:
    """Returns G, D and the averaged G of a checkpoint, by their names in `GanState`, and its step.

    Raises:
        UserError: They cannot be built, or the checkpoint cannot be restored.
    """
    run_dir, checkpoint = source
    # Runs of older versions do not say what their data are.
    data = read_data_facts(run_dir) or dataset_from_config(config, tell)
    own = "generator" in saved_config.own_networks(run_dir)
    networks = {}
    for name in ("generator", "ema_generator"):
        networks[name] = (
            generators.load_saved_generator(run_dir)
            if own
            else generators.from_rows(
                run_dir, lambda: build_generator(config, data.shape, data.classes)
            )
        )
    networks["discriminator"] = build_or_load(run_dir, config, data)
    return networks, generators.restore_networks(run_dir, networks, checkpoint, "networks")


def layers_of(network: keras.Model) -> list[list[Any]]:
    """Returns the weights of each layer of a network, in the order of its layers."""
    layers: dict[str, list[Any]] = {}
    for weight in network.weights:
        layers.setdefault(weight.path.rpartition("/")[0], []).append(weight)
    return list(layers.values())


def kind_of(step: keras.Operation) -> list[str]:
    """Returns what tells the function of a layer or an operation from others, but for its sizes."""
    values = [getattr(step, name, "") for name in OF_FUNCTION]
    return [type(step).__name__, *[getattr(value, "__name__", str(value)) for value in values]]


def check_layers(
    config: Config, there: Config, player: str, source: keras.Model, target: keras.Model
) -> None:
    """Refuses a network that has other kinds of layers than the one that starts from it.

    Or others in what they compute: the same weights in another function are worth nothing.
    """

    def kinds(network: keras.Model) -> list[Any]:
        names = [[w.path.rpartition("/")[2] for w in layer] for layer in layers_of(network)]
        steps = [*all_layers(network), *operations_of(network)]
        return [names, [kind_of(step) for step in steps if type(step).__name__ not in PASSING]]

    if kinds(source) == kinds(target):
        return
    changes = [
        f"{name}={getattr(there, name)}, here {getattr(config, name)}"
        for name in SHAPING[player]
        if getattr(there, name) != getattr(config, name)
    ]
    raise UserError(
        f"--init_from={config.init_from}: its {player} has other layers "
        f"({'; '.join(changes) or 'for data of another kind'}), must have the same"
    )


def copy_weights(source: keras.Model, target: keras.Model) -> list[str]:
    """Copies the weights of all layers whose shapes are the same; returns the others, in words."""
    others = []
    for old, new in zip(layers_of(source), layers_of(target), strict=True):
        differ = [(o, n) for o, n in zip(old, new, strict=True) if o.shape != n.shape]
        if differ:
            shapes = [f"{n.name} {list(o.shape)}, here {list(n.shape)}" for o, n in differ]
            others.append(f"{new[0].path.rpartition('/')[0]} ({'; '.join(shapes)})")
            continue
        for old_weight, new_weight in zip(old, new, strict=True):
            new_weight.assign(old_weight.numpy())
    return others


def check_digest(before: Mapping[str, Any], now: Mapping[str, Any], path: str) -> None:
    """Refuses to begin again from other weights than a run began with."""
    if before and before.get("weights") != now["weights"]:
        raise UserError(
            f"--init_from={path}: has other weights than when this run began, at step "
            f"{before.get('step')}; must be the same checkpoint, or another --run_dir"
        )
