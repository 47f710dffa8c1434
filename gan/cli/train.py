"""Trains a GAN: ``tapegan train --preset=mlp --run_dir=runs/mlp``."""

import dataclasses
import json
from pathlib import Path
from typing import NoReturn

from absl.flags import FlagValues

from gan.cli import command, flags
from gan.errors import UserError
from gan.run.config import FOLDER, Config
from gan.run.fields import option
from gan.training.signals import StopRequest, catching_signals
from gan.training.timing import Timer

USAGE = "Trains a GAN. Repeating a command resumes its run."


def define(values: FlagValues) -> None:
    """Defines the flags."""
    flags.define_config_flags(values)
    flags.define(
        values,
        run_dir=option("", "where the run is stored and resumed (default: runs/PRESET)"),
        dry_run=option(False, "resolve, check, print, stop"),
    )


def main(values: FlagValues) -> int:
    """Trains and returns the exit status."""
    config = flags.config_from_flags(values)
    run_dir = values["run_dir"].value or f"runs/{values['preset'].value}"
    if values["run_dir"].present and not values["run_dir"].value:
        raise UserError("--run_dir=: must be a directory")
    with catching_signals() as stop:
        return train(config, Path(run_dir), values["dry_run"].value, stop)


def train(config: Config, run_dir: Path, dry_run: bool, stop: StopRequest) -> int:
    """Trains, or says what it would, and returns the exit status."""
    clock = Timer()
    with clock("imports"), command.silenced():  # TensorFlow, after the flags are checked
        from gan.data import datasets, time_limit
        from gan.evaluation import evaluate
        from gan.run import run_directory
        from gan.training import devices, strategy, trainer
    config = run_directory.with_saved_choices(run_dir, config)
    if dry_run:
        config = devices.resolve(config)
        run_directory.check_run_dir(run_dir, config)
        if config.strategy != "multiworker":  # that one would wait for the others
            strategy.replicas_of(config)
        local = config.data_dir or config.dataset.startswith(FOLDER)
        if local:  # other sources may have to download
            datasets.dataset_from_config(config, print)
        print(json.dumps({"run_dir": str(run_dir), "config": dataclasses.asdict(config)}, indent=2))
        return command.DONE
    try:
        devices.prepare()  # before anything is built, and refused before anything is loaded
        resolved = devices.resolve(config)
        run_directory.check_run_dir(run_dir, resolved)
        replicas = strategy.replicas_of(resolved)  # before TensorFlow computes anything
        with clock("data"):
            # A download may take minutes, and leaves nothing that could be saved.
            dataset = time_limit.run_unless(
                stop.patience(), lambda: datasets.dataset_from_config(config, print)
            )
        with clock("feature network"):
            evaluators = evaluate.evaluators(config, dataset, print) if replicas.chief else {}
        summary = trainer.train(
            config,
            run_dir,
            data=dataset,
            evaluators=evaluators,
            clock=clock,
            stop=stop,
            replicas=replicas,
        )
    except trainer.TrainingFailed as error:
        return command.complain(error, command.FAILED)
    except time_limit.GivenUp:
        print(f"{stop.signal_name}: gave up getting the data set; nothing was trained")
        return status_of(stop.signal_name)
    if summary["status"] == "preempted":
        return status_of(summary["signal"])
    return command.DONE


def status_of(signal_name: str | None) -> int:
    """Returns the exit status after a signal."""
    return command.INTERRUPTED if signal_name == "SIGINT" else command.PREEMPTED


def run() -> NoReturn:
    """Runs the command line."""
    command.run(USAGE, define, main)
