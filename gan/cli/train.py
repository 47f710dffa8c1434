"""Trains a GAN: ``tapegan train --preset=mlp --run_dir=runs/mlp``."""

import dataclasses
import json
from functools import partial
from pathlib import Path

from absl.flags import FlagValues

from gan.cli import command, flags
from gan.data.datasets import dataset_from_config
from gan.data.time_limit import GivenUp
from gan.errors import TrainingFailed, UserError
from gan.run.config import FOLDER, Config
from gan.run.fields import option
from gan.training.checks import check_rows
from gan.training.signals import StopRequest, catching_signals
from gan.training.timing import Timer

USAGE = "Trains a GAN. Repeating a command resumes its run."


def define(values: FlagValues) -> None:
    """Defines the flags."""
    flags.define_config_flags(values)
    flags.define(
        values,
        run_dir=option(
            "", "where the run is stored and resumed (default: runs/PRESET)", path_after=""
        ),
        config=option(
            "",
            "instead of a preset: the config.json of a run, or the run, that the other flags "
            "change; empty: the preset, or what --run_dir has",
            path_after="",
        ),
        dry_run=option(False, "resolve, check, print, stop"),
    )


def main(values: FlagValues) -> int:
    """Trains and returns the exit status."""
    saved, preset = flags.saved_config_of(values), flags.preset_of(values)
    if not saved and preset != values["preset"].value:
        command.tell(
            f"--preset={preset}: chosen for a folder at {values['image_size'].value} pixels; "
            "--preset, or --generator and --discriminator, choose otherwise"
        )
    config = flags.config_from_flags(values)
    run_dir = values["run_dir"].value or f"runs/{preset}"
    if values["run_dir"].present and not values["run_dir"].value:
        raise UserError("--run_dir=: must be a directory")
    with catching_signals(ends_process=True) as stop:
        began_with = "" if saved else preset
        return train(config, Path(run_dir), values["dry_run"].value, stop, began_with)


def train(config: Config, run_dir: Path, dry_run: bool, stop: StopRequest, preset: str = "") -> int:
    """Trains, or says what it would, and returns the exit status."""
    check_rows(config)
    timer = Timer()
    with timer("imports"), command.importing():  # TensorFlow, after the flags are checked
        from gan.evaluation.evaluate import evaluators
        from gan.training import trainer
    if dry_run:
        return say_what_it_would(config, run_dir)
    if stop.signal_name:
        command.tell(f"{stop.signal_name}: nothing was trained")
        return status_of(stop.signal_name)
    try:
        summary = trainer.train(
            config, run_dir, preset=preset, make_evaluators=evaluators, timer=timer, stop=stop
        )
    except TrainingFailed as error:
        return command.complain(error, command.FAILED)
    except GivenUp:
        command.tell(f"{stop.signal_name}: gave up getting the data set; nothing was trained")
        return status_of(stop.signal_name)
    if summary["status"] == "preempted":
        return status_of(summary["signal"])
    return command.DONE


def say_what_it_would(config: Config, run_dir: Path) -> int:
    """Prints the resolved configuration, once it is known that it could be trained."""
    from gan.data.folders.doubts import doubts
    from gan.training import identity, init_from, memory, setup, state, strategy

    config = setup.resolve(config, run_dir)
    if config.strategy != "multiworker":  # that one would wait for the others
        strategy.replicas_of(config)
    shape: tuple[int, ...] = ()
    data = None
    if config.data_dir or config.dataset.startswith(FOLDER):  # others may have to download
        data = dataset_from_config(config, command.tell)
        shape = data.shape
        for doubt in doubts(data):
            command.tell(f"warning: {doubt}")
        for line in identity.check_same(run_dir, config, **identity.describe(data, {})):
            command.tell(f"warning: {line}")
        if data.folder:  # a dry run writes nothing
            command.tell("the command data draws the images as networks will see them")
    memory.check_memory(config, shape)
    if data is not None:
        players = state.build_state(config, shape, classes=data.classes)
        if config.init_from and init_from.needs_source(run_dir):
            init_from.start_from(config, players, print_fn=command.tell)
        counts = [n.count_params() for n in (players.generator, players.discriminator)]
        command.tell(f"parameters: generator {counts[0]:,}, discriminator {counts[1]:,}")
    values = {"run_dir": str(run_dir), "config": dataclasses.asdict(config)}
    command.say(*json.dumps(values, indent=2).splitlines())
    return command.DONE


def status_of(signal_name: str | None) -> int:
    """Returns the exit status after a signal."""
    return command.INTERRUPTED if signal_name == "SIGINT" else command.PREEMPTED


run = partial(command.run, USAGE, define, main)
