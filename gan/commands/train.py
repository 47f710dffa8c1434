"""Trains a GAN: ``tapegan train --preset=mlp --run_dir=runs/mlp``."""

import dataclasses
import json
from pathlib import Path
from typing import NoReturn

from absl import flags

from gan.clock import Clock
from gan.commands import cli
from gan.config import FOLDER, Config
from gan.knobs import UserError, knob
from gan.signals import StopRequest, catching_signals

USAGE = "Trains a GAN. Repeating a command resumes its run."


def define(values: flags.FlagValues) -> None:
    """Defines the flags."""
    cli.define_config_flags(values)
    cli.define(
        values,
        run_dir=knob("", "where the run is stored and resumed (default: runs/PRESET)"),
        dry_run=knob(False, "resolve, check, print, stop"),
    )


def main(values: flags.FlagValues) -> int:
    """Trains and returns the exit status."""
    config = cli.config_from_flags(values)
    run_dir = values["run_dir"].value or f"runs/{values['preset'].value}"
    if values["run_dir"].present and not values["run_dir"].value:
        raise UserError("--run_dir=: must be a directory")
    with catching_signals() as stop:
        return train(config, Path(run_dir), values["dry_run"].value, stop)


def train(config: Config, run_dir: Path, dry_run: bool, stop: StopRequest) -> int:
    """Trains, or says what it would, and returns the exit status."""
    clock = Clock()
    with clock("imports"), cli.silenced():  # TensorFlow, after the flags are checked
        from gan import devices, evaluation, recipe, runs, strategy, trainer, waiting
    config = runs.with_choices_of(run_dir, config)
    if dry_run:
        config = devices.resolve(config)
        runs.check_run_dir(run_dir, config)
        if config.strategy != "multiworker":  # that one would wait for the others
            strategy.replicas_of(config)
        local = config.data_dir or config.dataset.startswith(FOLDER)
        if local:  # other sources may have to download
            recipe.dataset_of(config, print)
        print(json.dumps({"run_dir": str(run_dir), "config": dataclasses.asdict(config)}, indent=2))
        return cli.DONE
    try:
        devices.prepare()  # before anything is built, and refused before anything is loaded
        resolved = devices.resolve(config)
        runs.check_run_dir(run_dir, resolved)
        replicas = strategy.replicas_of(resolved)  # before TensorFlow computes anything
        with clock("data"):
            # A download may take minutes, and leaves nothing that could be saved.
            dataset = waiting.unless(stop.patience(), lambda: recipe.dataset_of(config, print))
        with clock("feature network"):
            evaluators = evaluation.evaluators(config, dataset, print) if replicas.chief else {}
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
        return cli.complain(error, cli.FAILED)
    except waiting.GivenUp:
        print(f"{stop.signal_name}: gave up getting the data set; nothing was trained")
        return status_of(stop.signal_name)
    if summary["status"] == "preempted":
        return status_of(summary["signal"])
    return cli.DONE


def status_of(signal_name: str | None) -> int:
    """Returns the exit status after a signal."""
    return cli.INTERRUPTED if signal_name == "SIGINT" else cli.PREEMPTED


def run() -> NoReturn:
    """Runs the command line."""
    cli.run(USAGE, define, main)
