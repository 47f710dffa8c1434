"""Trains a configuration in a run directory: build, restore or refuse, compile, loop, summary."""

import contextlib
import dataclasses
import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import keras
import tensorflow as tf

from gan.algorithm.step import GanState
from gan.data.datasets import Dataset
from gan.data.identity import classes_in_words
from gan.errors import (
    CannotDraw,
    CannotWrite,
    NotFinite,
    OutOfMemory,
    TrainingFailed,
    UserError,
)
from gan.models import keras_files
from gan.models.checks import check_saving
from gan.run.advice import explained
from gan.run.atomic_files import replacing, write_json
from gan.run.config import Config
from gan.run.files import sha256
from gan.run.layout import (
    CHECKPOINTS_DIR,
    DISCRIMINATOR_FILE,
    GENERATOR_FILE,
    LOG_FILE,
    LOSS_PLOT_FILE,
    SAMPLES_DIR,
    SUMMARY_FILE,
)
from gan.run.lock import locked
from gan.run.paths import user_path
from gan.run.reader import check_checkpoints
from gan.run.records import read_metrics, read_summary
from gan.run.run_directory import (
    check_run_dir,
    checkpoints,
    clear_leftovers,
    ended_summary,
)
from gan.run.saved_config import write_config
from gan.sampling.posthoc_averages import drop_snapshots
from gan.training import collapse, devices, init_from
from gan.training.builders import compile_train_steps
from gan.training.checkpoints import checkpoint_manager, restore
from gan.training.checks import check_watched, has_log_odds
from gan.training.console import Console
from gan.training.failures import writing
from gan.training.identity import check_same
from gan.training.loop import Run, loop
from gan.training.metrics_log import MetricsLog, write_loss_plot
from gan.training.sample_grids import write_reals
from gan.training.setup import Evaluator, EvaluatorFactory, Setup, set_up
from gan.training.signals import StopRequest, catching_signals
from gan.training.state import build_state, check_players, unknown_networks
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
    preset: str = "",
    make_evaluators: EvaluatorFactory | None = None,
    replicas: Replicas | None = None,
    run_eagerly: bool = False,
    quiet: bool = False,
    timer: Timer | None = None,
    stop: StopRequest | None = None,
) -> dict[str, Any]:
    """Trains until `config.steps`, from the newest checkpoint of `run_dir` if it has one.

    Args:
        config: What to train.
        run_dir: Where; created if needed, never overwritten. See docs/run-directory.md.
        generator: Functional model from [batch, latent_dim] to float32 images [batch, H, W, C] in
            -1..1, instead of the one that `config` names. It is trained in place.
        discriminator: Functional model from such images to float32 logits [batch, 1], likewise.
        data: What ``load_dataset`` returns for `config`, if it is in memory already.
        preset: What `config` was made of, for config.json.
        make_evaluators: Makes what is called every `evaluate_every` steps with the network that
            draws samples, such as ``gan.evaluation.evaluate.evaluators``.
        replicas: Of ``strategy.replicas_of``; own networks are built in their scope.
        run_eagerly: Do not compile; for debuggers.
        quiet: Print nothing.
        timer: Holds what was timed before, such as imports.
        stop: Of ``catching_signals``, if signals are caught already; else they are from here on.

    Returns:
        What summary.json holds.

    Raises:
        UserError: Invalid input, or another process trains there; nothing was written.
        GivenUp: A signal asked for an end while data were loaded; nothing was written.
        TrainingFailed: A loss, logit, gradient or weight was not finite, and the newest checkpoint
            is older than that; the run collapsed and `on_collapse` is "stop"; the run directory
            cannot be written any more; or memory is exhausted.
    """
    networks = {"generator": generator, "discriminator": discriminator}
    own_networks = {name: network for name, network in networks.items() if network is not None}
    console, timer = Console(quiet), timer or Timer()
    with contextlib.nullcontext(stop) if stop else catching_signals() as stop:
        with console.working("reading the data set"):
            setup = set_up(
                config, user_path(run_dir, "run_dir"), own_networks, data, replicas,
                stop=stop, timer=timer, print_fn=console.print,
            )  # fmt: skip
        if not setup.replicas.chief:
            console.silence()
        with console.working("building the networks"):
            state, origin = build(setup, console, timer)
        with console.working("preparing evaluations"):
            evaluators = evaluators_of(setup, make_evaluators, console, timer)
        chief, run_dir = setup.replicas.chief, setup.run_dir
        with locked(run_dir) if chief else contextlib.nullcontext():
            if chief:
                check_again(setup)
                clear_leftovers(run_dir)
            stop.catch_again()  # TensorFlow takes SIGTERM when it connects workers
            manager = checkpoint_manager(state, run_dir, setup.config.keep_checkpoints)
            if summary := restore_or_summary(setup, state, manager, console, timer):
                return summary
            run = open_run(setup, state, origin, preset, evaluators, manager, console, stop, timer)
            with contextlib.closing(run):
                return run_to_end(run, setup, origin, run_eagerly)


def check_again(setup: Setup) -> None:
    """Refuses what another process made of the run directory before this one held its lock.

    Data may take hours to read.
    """
    check_run_dir(setup.run_dir, setup.config)
    check_checkpoints(setup.run_dir, setup.config.steps)
    check_same(setup.run_dir, setup.config, **setup.made_of)


def build(setup: Setup, console: Console, timer: Timer) -> tuple[GanState, dict[str, Any]]:
    """Returns the state of training at step 0, once all workers agree on what it will be.

    With what config.json says of the run that it starts from, {} if from random weights.
    """
    config, replicas, data = setup.config, setup.replicas, setup.data
    with timer("networks"), replicas.naming_lost_workers(), replicas.scope():
        state = build_state(config, data.shape, **setup.own_networks, classes=data.classes)
    with timer("networks"):
        for doubt in check_players(config, state, data, setup.own_networks, replicas.count):
            console.print(f"warning: {doubt}")
    origin = init_from.recorded(setup.run_dir) if config.init_from else {}
    if config.init_from and init_from.needs_source(setup.run_dir):
        with timer("networks"), replicas.naming_lost_workers():
            before = origin
            origin = init_from.start_from(config, state, replicas.scope, console.print)
            init_from.check_digest(before, origin, config.init_from)
    newest = checkpoints(setup.run_dir / CHECKPOINTS_DIR)
    replicas.check_workers(config, newest[0][0] if newest else 0)
    return state, origin


def evaluators_of(
    setup: Setup, make_evaluators: EvaluatorFactory | None, console: Console, timer: Timer
) -> Mapping[str, Evaluator]:
    """Returns what is called every `evaluate_every` steps, on the chief only."""
    evaluators: Mapping[str, Evaluator] = {}
    if setup.replicas.chief and make_evaluators:
        with timer("feature network"):
            evaluators = make_evaluators(setup.config, setup.data, console.print)
    if setup.replicas.chief and setup.config.keep_best != "none" and not evaluators:
        raise UserError(f"--keep_best={setup.config.keep_best}: needs evaluators, none were given")
    if setup.replicas.chief and not evaluators:
        check_watched(setup.config, evaluated=False)
    return evaluators


def restore_or_summary(
    setup: Setup,
    state: GanState,
    manager: tf.train.CheckpointManager,
    console: Console,
    timer: Timer,
) -> dict[str, Any] | None:
    """Restores the newest checkpoint, if any; returns the summary of a run that has ended."""
    config, run_dir, replicas = setup.config, setup.run_dir, setup.replicas
    with timer("networks"), replicas.naming_lost_workers(), replicas.scope():
        step = restore(state, manager, console.print, run_dir / CHECKPOINTS_DIR)
    replicas.check_equal(state)
    if not checkpoints(run_dir / CHECKPOINTS_DIR):  # new, or complete, see `check_checkpoints`
        step = read_summary(run_dir / SUMMARY_FILE).get("step", 0)
    summary = ended_summary(run_dir, step) if step >= config.steps else None
    if summary and summary["status"] == "stopped":
        raise TrainingFailed(f"{run_dir} ended at its last step: {summary['reason']}")
    if summary:
        (run_dir / CHECKPOINTS_DIR).mkdir(exist_ok=True)  # a run has one, also when it was emptied
        console.result(f"{run_dir} is complete: it has done {step} steps, --steps={config.steps}")
    return summary


def open_run(
    setup: Setup,
    state: GanState,
    origin: Mapping[str, Any],
    preset: str,
    evaluators: Mapping[str, Evaluator],
    manager: tf.train.CheckpointManager,
    console: Console,
    stop: StopRequest,
    timer: Timer,
) -> Run:
    """Writes the configuration of a run, says what it does, and returns it with its log open."""
    config, replicas, step = setup.config, setup.replicas, int(state.step.numpy())
    environment, place = devices.environment(), replicas.output(setup.run_dir)
    write_config(
        place, config, environment, **setup.made_of, init_from=origin, preset=preset, step=step
    )
    if replicas.chief:
        console.keep(place / LOG_FILE)
    console.print(
        f"{setup.run_dir}: {config.schedule} schedule on {config.dataset}, steps {step} to "
        f"{config.steps}, {config.precision}, XLA {'on' if config.jit_compile else 'off'}, "
        f"{'; '.join(environment['device'])}{replicas}"
    )
    if setup.data.class_names:
        console.print(f"{setup.run_dir}: {classes_in_words(setup.made_of['data'])}, from 0 on")
    with writing(place):
        log = MetricsLog(place, step)
        drop_snapshots(place, step)
    if not replicas.chief:
        manager = checkpoint_manager(state, place, config.keep_checkpoints)
    return Run(
        config, place, state, setup.data, evaluators, manager, log, console, stop, timer,
        replicas,
    )  # fmt: skip


def run_to_end(
    run: Run, setup: Setup, origin: Mapping[str, Any], run_eagerly: bool
) -> dict[str, Any]:
    """Trains to the end, or to what ends it, and writes what a run leaves behind."""
    run_steps = compile_train_steps(
        run.config, run.state, setup.objective, run_eagerly=run_eagerly, replicas=run.replicas,
        ema_images=origin.get("images", 0),
    )  # fmt: skip
    try:
        if run.step == 0:
            write_start(run)
        with run.replicas.naming_lost_workers():
            summary = train_with_rollbacks(run, run_steps, setup.run_dir / CHECKPOINTS_DIR)
        if not run.replicas.chief:
            return summary
        with writing(run.run_dir):  # drawing the losses is Matplotlib's, without TensorFlow
            summary["collapse"] = write_losses(run)
            with replacing(run.run_dir / GENERATOR_FILE) as temporary:
                keras_files.save(run.sampled_generator, temporary)
            write_discriminator(run, setup)
            summary["weights"] = run.config.sample_weights  # in generator.keras
            summary["generator_sha256"] = sha256(run.run_dir / GENERATOR_FILE)
            write_json(run.run_dir / SUMMARY_FILE, summary)
    except CannotWrite as error:  # nothing is wrong with the run
        run.console.write_log(f"error: {error}")
        raise
    except (tf.errors.ResourceExhaustedError, MemoryError) as error:  # of writing: CannotWrite
        failed = explained(
            f"{run.run_dir}: out of memory at step {run.step}, with --batch_size="
            f"{run.config.batch_size}; where others use the device too the same command goes on "
            "later, else a run of its own needs less"
        )
        run.console.write_log(f"error: {failed}")
        raise OutOfMemory(failed) from error
    except TrainingFailed as error:
        failure = {"status": "stopped", "reason": str(error), "step": run.saved_step or 0}
        failure["logged_step"] = run.log.last["step"]
        run.console.write_log(f"error: {error}")
        with writing(run.run_dir):
            failure["collapse"] = write_losses(run)
            write_json(run.run_dir / SUMMARY_FILE, failure)
        raise
    run.console.result(
        f"{run.run_dir}: {summary['status']} at step {summary['step']} after "
        f"{summary['seconds']:.0f} s; samples in {run.run_dir / SAMPLES_DIR}"
    )
    run.console.result(f"time went to: {run.timer}")
    tests = run.data.test_images
    judged = run.data.has_modes or (tests is not None and len(tests) > 0)
    run.console.result(f"next: {what_is_next(run.run_dir, summary['status'], judged)}")
    return summary


def what_is_next(run_dir: Path, status: str, judged: bool) -> str:
    """Returns the commands that somebody may want after a run has ended.

    `judged` tells whether there are images, or modes, that samples can be compared with.
    """
    place = shlex.quote(str(run_dir))
    if status == "preempted":
        return f"tapegan train --run_dir={place} goes on"
    names = ("sample", *["evaluate"] * judged, "report")
    return ", ".join(f"tapegan {name} {place}" for name in names)


def write_start(run: Run) -> None:
    """Writes what a new run has before its first step."""
    if run.replicas.chief:
        with run.task("pictures"):
            write_reals(run.config, run.run_dir, run.data, run.log)
        run.write_samples()
        values = dataclasses.asdict(run.config)
        rows = [f"| {name} | {value} |" for name, value in values.items()]
        resumable = [f.name for f in dataclasses.fields(Config) if f.metadata["resumable"]]
        with run.task("records"):
            run.log.text("config", 0, "\n".join(["| field | value |", "| --- | --- |", *rows]))
            run.log.hyper_parameters({n: v for n, v in values.items() if n not in resumable})
    if run.config.on_nan == "rollback" or run.config.init_from:  # that is not needed any more
        run.save()


def write_discriminator(run: Run, setup: Setup) -> None:
    """Writes the discriminator, for whoever goes on with it.

    One of Python code may not be loadable again; a run does not need that, so it only says so.
    """
    discriminator = run.state.discriminator
    if "discriminator" in unknown_networks(run.config, setup.own_networks):
        try:
            check_saving("discriminator", discriminator)
        except UserError as error:
            run.console.print(f"warning: {error}; there is no {DISCRIMINATOR_FILE}")
            return
    with replacing(run.run_dir / DISCRIMINATOR_FILE) as temporary:
        keras_files.save(discriminator, temporary)


def write_losses(run: Run) -> dict[str, int]:
    """Draws the losses of the whole run and returns its signs of collapse.

    Neither is worth a run: records that somebody damaged since it began only cost a warning.
    """
    try:
        records = read_metrics(run.log.path)
    except UserError as error:
        run.console.print(f"warning: {error}; there is no picture of the losses")
        return {}
    try:
        if records:
            write_loss_plot(run.run_dir / LOSS_PLOT_FILE, records)
    except CannotDraw as error:
        run.console.print(f"warning: {error}")
    return collapse.first_signs(records, run.log.evaluations, has_log_odds(run.config))


def train_with_rollbacks(run: Run, run_steps: Any, of_chief: Path) -> dict[str, Any]:
    """Trains; goes back to the newest checkpoint where a number is not finite, if asked to.

    The random numbers after it are others than before, so that the run need not come to the same
    number again. If the process ends before the next checkpoint, all of this repeats. All workers
    read the checkpoints in `of_chief`.
    """
    while True:
        try:
            return loop(run, run_steps)
        except NotFinite as error:
            times = int(run.state.rollbacks.numpy()) + 1
            can = run.config.on_nan == "rollback" and times <= ROLLBACKS
            if not can or not checkpoints(of_chief):
                tried = f"; {times - 1} rollbacks did not help" if times > 1 else ""
                raise NotFinite(explained(f"{error}{tried}")) from error
            with run.replicas.scope():
                step = restore(run.state, run.manager, run.console.print, of_chief)
                run.state.rollbacks.assign(times)
            run.saved_step = step  # an older one, where the newest was damaged
            with writing(run.run_dir):
                run.log.close()
                run.log = MetricsLog(run.run_dir, step)
                drop_snapshots(run.run_dir, step)
                text = f"{error}; going on from step {step} with other noise ({times})"
                run.log.text("rollback", step, text)
            run.console.print(f"warning: {text}")
