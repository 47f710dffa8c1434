"""Trains a configuration in a run directory: build, restore or refuse, compile, loop, summary."""

import contextlib
import dataclasses
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from gan import devices, logs, pictures, runs, strategy, watch
from gan.clock import Clock
from gan.config import Config, UserError
from gan.datasets import Dataset
from gan.files import replacing, write_json
from gan.logs import Console, MetricsLog
from gan.recipe import compiled_steps, dataset_of, game_of, pipeline
from gan.signals import StopRequest, catching_signals
from gan.state import TrainingFailed, build_state, checkpoint_manager, restore, save
from gan.step import METRICS, GanState, checked
from gan.strategy import Replicas

# (generator, step) -> record with "metrics" {name: float} and what they were computed from
Evaluator = Callable[[keras.Model, int], dict[str, Any]]


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
    clock: Clock | None = None,
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
            as those of ``gan.evaluate.evaluators``; without them nothing is evaluated.
        run_eagerly: Do not compile; for debuggers.
        quiet: Print nothing.
        clock: Holds what was timed before, such as imports.
        replicas: Of ``strategy.replicas_of``, if it was asked before; own networks are built in
            their scope.

    Returns:
        What summary.json holds.

    Raises:
        UserError: Invalid input; nothing was written.
        TrainingFailed: A loss or gradient was not finite, and the newest checkpoint is older than
            that; or the run collapsed and `on_collapse` is "stop".
    """
    run_dir, console, clock = Path(run_dir), Console(quiet), clock or Clock()
    devices.prepare()
    networks = {"generator": generator, "discriminator": discriminator}
    own_networks = {name: network for name, network in networks.items() if network is not None}
    config = devices.resolve(runs.with_choices_of(run_dir, config), list(own_networks.values()))
    runs.check_run_dir(run_dir, config)
    game_of(config)  # refused here, before anything is written
    evaluators = evaluators or {}
    others = replicas is not None and not replicas.chief  # who need none
    if config.keep_best != "none" and not evaluators and not others:
        raise UserError(f"--keep_best={config.keep_best}: needs evaluators, none were given")
    replicas = replicas or strategy.replicas_of(config, console.say)
    for name, network in own_networks.items():
        replicas.check_own(name, network)
    if not replicas.chief:
        console, evaluators = Console(quiet=True), {}
    with clock("data"):
        data = data or dataset_of(config, console.say)
    with clock("networks"), replicas.losing_workers(), replicas.scope():
        state = build_state(config, data.shape, generator, discriminator, classes=data.classes)
        manager = checkpoint_manager(state, run_dir, config.keep_checkpoints)
        step = restore(state, manager)
    replicas.check_workers(config, step)
    replicas.check_equal(state)
    if step >= config.steps and (summary := runs.ended_summary(run_dir, step)):
        if summary["status"] == "stopped":
            raise TrainingFailed(f"{run_dir} ended at its last step: {summary['reason']}")
        console.say(f"{run_dir} is complete: it has done {step} steps, --steps={config.steps}")
        return summary
    if not replicas.chief:
        run_dir = replicas.output(run_dir)
        manager = checkpoint_manager(state, run_dir, config.keep_checkpoints)
    environment = devices.environment()
    runs.write_config(run_dir, config, environment, list(own_networks))
    console.say(
        f"{run_dir}: {config.schedule} schedule on {config.dataset}, steps {step} to "
        f"{config.steps}, {config.precision}, XLA {'on' if config.jit_compile else 'off'}, "
        f"{'; '.join(environment['device'])}{replicas}"
    )
    log = MetricsLog(run_dir, step)
    with contextlib.closing(log), catching_signals() as stop:
        if step == 0 and replicas.chief:
            with clock("pictures"):
                pictures.write_reals(config, run_dir, data, log)
                write_samples(config, run_dir, state, data, log)
            rows = [f"| {name} | {value} |" for name, value in dataclasses.asdict(config).items()]
            log.text("config", 0, "\n".join(["| knob | value |", "| --- | --- |", *rows]))
        blocks = pipeline(config, data, step)
        try:
            with replicas.losing_workers():
                summary = loop(
                    config, run_dir, state, data, manager, blocks, evaluators, log, console, stop,
                    clock, run_eagerly, replicas,
                )  # fmt: skip
        except TrainingFailed as error:
            step = runs.step_of(manager.latest_checkpoint)
            records = logs.read_records(log.path)
            if records:
                logs.write_loss_plot(run_dir / runs.LOSS_PLOT_FILE, records)
            failure = {"status": "stopped", "reason": str(error), "step": step}
            failure["collapse"] = watch.history(records, log.evaluations, config.has_log_odds)
            write_json(run_dir / runs.SUMMARY_FILE, failure)
            raise
    if not replicas.chief:
        return summary
    records = logs.read_records(log.path)
    summary["collapse"] = watch.history(records, log.evaluations, config.has_log_odds)
    logs.write_loss_plot(run_dir / runs.LOSS_PLOT_FILE, records)
    with replacing(run_dir / runs.GENERATOR_FILE) as temporary:
        sampled_generator(config, state).save(temporary)
    write_json(run_dir / runs.SUMMARY_FILE, summary)
    console.say(
        f"{run_dir}: {summary['status']} at step {summary['step']} after "
        f"{summary['seconds']:.0f} s; samples in {run_dir / runs.SAMPLES_DIR}"
    )
    console.say(f"time went to: {clock}")
    return summary


def loop(
    config: Config,
    run_dir: Path,
    state: GanState,
    data: Dataset,
    manager: tf.train.CheckpointManager,
    dataset: tf.data.Dataset,
    evaluators: Mapping[str, Evaluator],
    log: MetricsLog,
    console: Console,
    stop: StopRequest,
    clock: Clock,
    run_eagerly: bool,
    replicas: Replicas,
) -> dict[str, Any]:
    """Trains to `config.steps` or a stop request and returns the summary."""
    run_steps = compiled_steps(config, state, run_eagerly, replicas)
    devices.release_memory()  # of reading the data, before the compiler takes its share
    best = checkpoint_manager(state, run_dir, 1, runs.BEST_DIR)
    step = block_start = int(state.step.numpy())
    with clock("pipeline"):
        blocks = iter(dataset)
        block = replicas.split(next(blocks))
    cadences = [config.log_every, config.sample_every, config.checkpoint_every]
    if config.evaluate_every:
        cadences.append(config.evaluate_every)
    warned: set[str] = set()
    seconds, logged_step, compiled = log.last["seconds"], step, False
    started = time.perf_counter() - seconds
    at_end = step >= config.steps
    with console.progress(step, config.steps):
        while not at_end:
            if step == block_start + config.steps_per_call:
                with clock("pipeline"):
                    block, block_start = replicas.split(next(blocks)), step
            # Up to the next multiple of a cadence; the next call does the rest of the block.
            due = [step - step % every + every for every in cadences]
            end = min(config.steps, block_start + config.steps_per_call, *due)
            first, last = tf.constant(step - block_start), tf.constant(end - block_start)
            with clock("steps" if compiled else "first call"):
                result, finite = run_steps(block, first, last)
                finite = bool(finite)  # waits until a GPU is done
            if not compiled:
                compiled = True
                devices.release_memory()
            if not finite:
                bad = [name for name in checked(state) if not np.isfinite(result[name])]
                raise TrainingFailed(
                    f"{', '.join(bad)} not finite at step {int(state.step.numpy())}, in the call "
                    f"of steps {step + 1} to {end}; newest checkpoint: "
                    f"{manager.latest_checkpoint or 'none yet'}"
                )
            step = int(state.step.numpy())
            if step != end:
                raise AssertionError(f"the step counter is {step} after step {end}")
            console.advance(step)

            # Read once: a signal that comes while this step is saved waits for the next call.
            stop.signal_name = replicas.agreed_signal(stop.signal_name)
            at_end = step == config.steps or stop.signal_name is not None
            if stop.signal_name:
                console.say(f"{stop.signal_name}: saving step {step}; once more ends at once")
            if config.evaluate_every and step % config.evaluate_every == 0:
                for name, evaluator in evaluators.items():
                    with clock("evaluations"):
                        evaluation = evaluator(sampled_generator(config, state), step)
                    evaluation = {"weights": config.sample_weights, **evaluation}
                    now = time.perf_counter() - started
                    log.evaluation(step, kimg(config, step), now, name, evaluation)
                devices.release_memory()
                if evaluators and config.keep_best != "none":
                    keep_best(state, best, config.keep_best, log.evaluations)
            signs: dict[str, str] = {}
            if step % config.log_every == 0 or at_end:
                metrics = {name: float(result[name]) for name in METRICS}
                now = time.perf_counter() - started
                metrics["time/steps_per_second"] = (step - logged_step) / (now - seconds)
                metrics["memory/peak_mb"] = devices.peak_memory_mb()
                seconds, logged_step = now, step
                signs = watch.signs(
                    [*log.recent, {"kimg": kimg(config, step), **metrics}],
                    log.evaluations,
                    config.has_log_odds,
                )
                metrics["collapse/signs"] = len(signs)
                with clock("records"):
                    log.scalars(step, kimg(config, step), seconds, metrics)
                console.say(classic_line(step, metrics))
            if replicas.chief and (step % config.sample_every == 0 or at_end):
                with clock("pictures"):
                    write_samples(config, run_dir, state, data, log)
            for name in sorted(signs.keys() - warned):
                warned.add(name)
                log.text("collapse", step, f"{name}: {signs[name]}")
                console.say(f"warning: {name} at step {step}: {signs[name]}")
            collapsed = False
            if config.on_collapse == "stop":  # only the chief has seen evaluations, and all records
                (collapsed,) = replicas.anyone([replicas.chief and bool(signs)])
            if step % config.checkpoint_every == 0 or at_end or collapsed:
                with clock("checkpoints"):
                    replicas.check_equal(state)
                    save(manager, state)
            if collapsed:
                raise TrainingFailed(
                    f"collapsed at step {step}, saved: "
                    f"{'; '.join(f'{name}: {text}' for name, text in signs.items())}"
                )
    return {
        "status": "completed" if step >= config.steps else "preempted",
        "signal": stop.signal_name,
        **log.last,
        "seconds": time.perf_counter() - started,
        "seconds_by_task": clock.seconds,
        "traces": 0 if run_eagerly else run_steps.experimental_get_tracing_count(),
    }


def keep_best(
    state: GanState,
    best: tf.train.CheckpointManager,
    metric: str,
    evaluations: list[dict[str, Any]],
) -> None:
    """Saves the state as the best one if its evaluation is lower than that of the best so far."""
    values = {e["step"]: e["metrics"][metric] for e in evaluations if metric in e["metrics"]}
    step = int(state.step.numpy())
    if step in values and values[step] <= values.get(runs.step_of(best.latest_checkpoint), np.inf):
        save(best, state)


def sampled_generator(config: Config, state: GanState) -> keras.Model:
    """Returns the network that draws pictures and goes to generator.keras."""
    return state.ema_generator if config.sample_weights == "ema" else state.generator


def write_samples(
    config: Config, run_dir: Path, state: GanState, data: Dataset, log: MetricsLog
) -> None:
    """Writes the picture of samples of this step."""
    step = int(state.step.numpy())
    pictures.write_samples(config, run_dir, sampled_generator(config, state), step, data, log)


def kimg(config: Config, step: int) -> float:
    """Returns thousands of real images that D has seen after `step` steps."""
    return step * config.d_steps * config.batch_size / 1000


def classic_line(step: int, metrics: dict[str, float]) -> str:
    """Returns the console line of the original script."""
    accuracy = 50 * (metrics["accuracy/real"] + metrics["accuracy/fake"])
    return "%d [D loss: %f, acc.: %.2f%%] [G loss: %f]" % (  # noqa: UP031, the script's own format
        step,
        metrics["loss/d"],
        accuracy,
        metrics["loss/g"],
    )
