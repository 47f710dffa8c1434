"""The start of a run: everything is resolved, checked or refused before anything is written."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import keras
import tensorflow as tf

from gan.algorithm.objective import Objective
from gan.data.datasets import Dataset, check_dataset, dataset_from_config, with_train_images
from gan.data.identity import check_folder_is_there
from gan.data.time_limit import run_unless
from gan.models.checks import check_model
from gan.run.config import Config
from gan.run.layout import CONFIG_FILE, EVALUATIONS_FILE, METRICS_FILE
from gan.run.reader import check_checkpoints
from gan.run.records import read_evaluations, read_metrics
from gan.run.run_directory import check_run_dir
from gan.run.saved_config import with_saved_choices
from gan.training import devices
from gan.training.builders import build_objective
from gan.training.checks import check_image_size, check_kind_of_data, check_rows
from gan.training.identity import check_same, describe
from gan.training.init_from import find_source, needs_source
from gan.training.memory import check_memory
from gan.training.signals import StopRequest
from gan.training.strategy import Replicas, replicas_of
from gan.training.timing import Timer

# (generator, step) -> record with "metrics" {name: float} and what they were computed from
Evaluator = Callable[[keras.Model, int], dict[str, Any]]
# (config, data, print_fn) -> evaluators by name
EvaluatorFactory = Callable[[Config, Dataset, Callable[[str], None]], Mapping[str, Evaluator]]


class Setup(NamedTuple):
    """What a run is made of, before networks are built."""

    config: Config  # resolved for this machine
    run_dir: Path
    own_networks: Mapping[str, keras.Model]  # those that Python code gave
    objective: Objective
    replicas: Replicas
    data: Dataset
    made_of: Mapping[str, Any]  # what config.json says of data and own networks


def set_up(
    config: Config,
    run_dir: Path,
    own_networks: Mapping[str, keras.Model],
    data: Dataset | None,
    replicas: Replicas | None,
    *,
    stop: StopRequest,
    timer: Timer,
    print_fn: Callable[[str], None],
) -> Setup:
    """Returns what a run is made of. The arguments are those of ``trainer.train``.

    Raises:
        UserError: Invalid input; nothing was written.
        GivenUp: A signal asked for an end while data were loaded.
    """
    config = resolve(config, run_dir, own_networks, data)
    replicas = replicas or replicas_of(config, print_fn)  # before TensorFlow computes anything
    for name, network in own_networks.items():
        replicas.check_own(name, network)
    if data is None:
        with timer("data"):
            # A download may take minutes, and leaves nothing that could be saved.
            data = run_unless(stop.patience(), lambda: dataset_from_config(config, print_fn))
    else:
        data = check_dataset(config.dataset, data, print_fn)
        data = with_train_images(config.dataset, data, config.train_images)
    check_kind_of_data(config, len(data.shape) == 1, data.has_modes)
    check_memory(config, data.shape)
    objective = build_objective(config, data)
    with timer("data"):
        made_of = describe(data, own_networks)
    for line in check_same(run_dir, config, **made_of):
        print_fn(f"warning: {line}")
    return Setup(config, run_dir, own_networks, objective, replicas, data, made_of)


def resolve(
    config: Config,
    run_dir: Path,
    own_networks: Mapping[str, keras.Model] | None = None,
    data: Dataset | None = None,
) -> Config:
    """Returns a configuration as it will be trained in a directory, on this machine.

    Networks and data that are given need no row in a table.

    Raises:
        UserError: It cannot be, or the directory holds something else, or damaged records.
    """
    devices.prepare()
    for name, network in (own_networks or {}).items():
        check_model(name, network)
    check_rows(config, [*(own_networks or {}), *["dataset"] * (data is not None)])
    config = devices.resolve(with_saved_choices(run_dir, config), own_networks or {})
    check_image_size(config, own_networks or {})
    check_run_dir(run_dir, config)
    if config.init_from and needs_source(run_dir):
        find_source(Path(config.init_from))
    if data is None and (run_dir / CONFIG_FILE).exists():
        check_folder_is_there(run_dir, config)
    read_metrics(run_dir / METRICS_FILE)
    read_evaluations(run_dir / EVALUATIONS_FILE)
    check_checkpoints(run_dir, config.steps)
    if config.deterministic:
        # For good: TensorFlow has no way back, and hands it on to XLA when it compiles.
        tf.config.experimental.enable_op_determinism()
    return config
