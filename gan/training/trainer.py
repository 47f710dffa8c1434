"""Trains a configuration in a run directory: build, restore or refuse, compile, loop, summary."""

import contextlib
import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import keras
import tensorflow as tf

from gan.data.datasets import Dataset, dataset_from_config
from gan.errors import CannotWrite, NotFinite, OutOfMemory, TrainingFailed, UserError
from gan.run import jsonl, run_directory
from gan.run.atomic_files import replacing, write_json
from gan.run.config import Config
from gan.run.lock import locked
from gan.training import collapse, devices, loss_plot, sample_grids, strategy
from gan.training.builders import build_objective, compile_train_steps
from gan.training.checkpoints import checkpoint_manager, restore
from gan.training.console import Console
from gan.training.failures import writing
from gan.training.loop import Evaluator, Run, loop
from gan.training.metrics_log import MetricsLog
from gan.training.signals import StopRequest, catching_signals
from gan.training.state import build_state
from gan.training.strategy import Replicas
from gan.training.timing import Timer

ROLLBACKS = 3  # at most, in a run


def train(
    config: Config,
    run_dir: str | Path,
    *,
    generator: keras.Model | None = None,
    discriminator: keras.Model | None = None,
    data: Dataset | None = None,
    evaluators: Mapping[str, Evaluator] | None = None,
    run_eagerly: bool = False,
    quiet: bool = False,
    clock: Timer | None = None,
    stop: StopRequest | None = None,
    replicas: Replicas | None = None,
) -> dict[str, Any]:
    """Trains until `config.steps`, from the newest checkpoint of `run_dir` if it has one.

    Args:
        config: What to train.
        run_dir: Where; created if needed, never overwritten. See docs/run-directory.md.
        generator: Functional model from [batch, latent_dim] to float32 images [batch, H, W, C] in
            -1..1, instead of the one that `config` names. It is trained in place.
        discriminator: Functional model from such images to float32 logits [batch, 1], likewise.
        data: What ``load_dataset`` returns for `config`, if it is in memory already.
        evaluators: Called every `evaluate_every` steps with the network that draws samples, such
            as those of ``gan.evaluation.evaluate.evaluators``; without them nothing is evaluated.
        run_eagerly: Do not compile; for debuggers.
        quiet: Print nothing.
        clock: Holds what was timed before, such as imports.
        stop: Of ``catching_signals``, if signals are caught already; else they are from here on.
        replicas: Of ``strategy.replicas_of``, if it was asked before; own networks are built in
            their scope.

    Returns:
        What summary.json holds.

    Raises:
        UserError: Invalid input, or another process trains there; nothing was written.
        TrainingFailed: A loss, logit, gradient or weight was not finite, and the newest checkpoint
            is older than that; the run collapsed and `on_collapse` is "stop"; the run directory
            cannot be written any more; or memory is exhausted.
    """
    run_dir, console, clock = Path(run_dir), Console(quiet), clock or Timer()
    devices.prepare()
    networks = {"generator": generator, "discriminator": discriminator}
    own_networks = {name: network for name, network in networks.items() if network is not None}
    config = devices.resolve(
        run_directory.with_saved_choices(run_dir, config), list(own_networks.values())
    )
    run_directory.check_run_dir(run_dir, config)
    # Refused here, before anything is written.
    build_objective(config)
    for name in (run_directory.METRICS_FILE, run_directory.EVALUATIONS_FILE):
        jsonl.read_records(run_dir / name)
    evaluators = evaluators or {}
    others = replicas is not None and not replicas.chief  # who need none
    if config.keep_best != "none" and not evaluators and not others:
        raise UserError(f"--keep_best={config.keep_best}: needs evaluators, none were given")
    replicas = replicas or strategy.replicas_of(config, console.print)
    for name, network in own_networks.items():
        replicas.check_own(name, network)
    if not replicas.chief:
        console, evaluators = Console(quiet=True), {}
    with clock("data"):
        data = data or dataset_from_config(config, console.print)
    with clock("networks"), replicas.naming_lost_workers(), replicas.scope():
        state = build_state(config, data.shape, generator, discriminator, classes=data.classes)
    newest = run_directory.checkpoints(run_dir / run_directory.CHECKPOINTS_DIR)
    replicas.check_workers(config, newest[0][0] if newest else 0)
    locking = locked(run_dir) if replicas.chief else contextlib.nullcontext()
    catching = contextlib.nullcontext(stop) if stop else catching_signals()
    with locking, catching as stop:
        stop.catch_again()  # TensorFlow takes SIGTERM when it connects workers
        manager = checkpoint_manager(state, run_dir, config.keep_checkpoints)
        with clock("networks"), replicas.naming_lost_workers(), replicas.scope():
            step = restore(state, manager, console.print)
        replicas.check_equal(state)
        if step >= config.steps and (summary := run_directory.ended_summary(run_dir, step)):
            if summary["status"] == "stopped":
                raise TrainingFailed(f"{run_dir} ended at its last step: {summary['reason']}")
            console.print(
                f"{run_dir} is complete: it has done {step} steps, --steps={config.steps}"
            )
            return summary
        place = replicas.output(run_dir)
        if not replicas.chief:
            manager = checkpoint_manager(state, place, config.keep_checkpoints)
        environment = devices.environment()
        run_directory.write_config(place, config, environment, list(own_networks))
        console.print(
            f"{run_dir}: {config.schedule} schedule on {config.dataset}, steps {step} to "
            f"{config.steps}, {config.precision}, XLA {'on' if config.jit_compile else 'off'}, "
            f"{'; '.join(environment['device'])}{replicas}"
        )
        with writing(place):
            log = MetricsLog(place, step)
        run = Run(
            config, place, state, data, evaluators, manager, log, console, stop, clock, replicas
        )
        with contextlib.closing(run):
            return finished(run, run_eagerly, run_dir / run_directory.CHECKPOINTS_DIR)


def finished(run: Run, run_eagerly: bool, checkpoints: Path) -> dict[str, Any]:
    """Trains to the end, or to what ends it, and writes what a run leaves behind.

    `checkpoints` are those of the chief, which all workers read.
    """
    run_steps = compile_train_steps(run.config, run.state, run_eagerly, run.replicas)
    try:
        if run.step == 0:
            if run.replicas.chief:
                write_start(run)
            if run.config.on_nan == "rollback":
                run.save()
        with run.replicas.naming_lost_workers():
            summary = train_with_rollbacks(run, run_steps, checkpoints)
        if not run.replicas.chief:
            return summary
        with writing(run.run_dir):  # drawing the losses is Matplotlib's, without TensorFlow
            summary["collapse"] = write_losses(run)
            with replacing(run.run_dir / run_directory.GENERATOR_FILE) as temporary:
                run.sampled_generator.save(temporary)
            write_json(run.run_dir / run_directory.SUMMARY_FILE, summary)
    except CannotWrite:  # nothing is wrong with the run
        raise
    except (tf.errors.ResourceExhaustedError, MemoryError) as error:  # of writing: CannotWrite
        raise OutOfMemory(
            f"{run.run_dir}: out of memory at step {run.step}, with --batch_size="
            f"{run.config.batch_size}; where others use the device too the same command goes on "
            "later, else a run of its own with a smaller batch or smaller networks needs less"
        ) from error
    except TrainingFailed as error:
        failure = {"status": "stopped", "reason": str(error), "step": run.saved_step or 0}
        with writing(run.run_dir):
            failure["collapse"] = write_losses(run)
            write_json(run.run_dir / run_directory.SUMMARY_FILE, failure)
        raise
    run.console.print(
        f"{run.run_dir}: {summary['status']} at step {summary['step']} after "
        f"{summary['seconds']:.0f} s; samples in {run.run_dir / run_directory.SAMPLES_DIR}"
    )
    run.console.print(f"time went to: {run.clock}")
    return summary


def write_start(run: Run) -> None:
    """Writes what a new run has before its first step."""
    with run.task("pictures"):
        sample_grids.write_reals(run.config, run.run_dir, run.data, run.log)
    run.write_samples()
    rows = [f"| {n} | {value} |" for n, value in dataclasses.asdict(run.config).items()]
    with run.task("records"):
        run.log.text("config", 0, "\n".join(["| knob | value |", "| --- | --- |", *rows]))
        run.log.hyper_parameters(
            {
                field.name: getattr(run.config, field.name)
                for field in dataclasses.fields(Config)
                if not field.metadata["resumable"]
            }
        )


def write_losses(run: Run) -> dict[str, int]:
    """Draws the losses of the whole run and returns its signs of collapse."""
    records = jsonl.read_records(run.log.path)
    if records:
        loss_plot.write_loss_plot(run.run_dir / run_directory.LOSS_PLOT_FILE, records)
    return collapse.first_signs(records, run.log.evaluations, run.config.has_log_odds)


def train_with_rollbacks(run: Run, run_steps: Any, checkpoints: Path) -> dict[str, Any]:
    """Trains; goes back to the newest checkpoint where a number is not finite, if asked to.

    The random numbers after it are others than before, so that the run need not come to the same
    number again. If the process ends before the next checkpoint, all of this repeats.

    Raises:
        NotFinite: Once more than `ROLLBACKS` times, or nothing to go back to.
    """
    while True:
        try:
            return loop(run, run_steps)
        except NotFinite as error:
            times = int(run.state.rollbacks.numpy()) + 1
            can = run.config.on_nan == "rollback" and times <= ROLLBACKS
            if not can or not run_directory.checkpoints(checkpoints):
                raise
            with run.replicas.scope():
                step = restore(run.state, run.manager, run.console.print, checkpoints)
                run.state.rollbacks.assign(times)
            run.saved_step = step  # an older one, where the newest was damaged
            with writing(run.run_dir):
                run.log.close()
                run.log = MetricsLog(run.run_dir, step)
                text = f"{error}; going on from step {step} with other noise ({times})"
                run.log.text("rollback", step, text)
            run.console.print(f"warning: {text}")
