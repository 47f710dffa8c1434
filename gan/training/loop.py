"""The loop of training: calls of the compiled step, and what is due between them."""

import contextlib
import dataclasses
import functools
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from gan.algorithm.batch_norm_statistics import ROUGHLY, measure_statistics, statistics_inputs
from gan.algorithm.step import GanState, finite_metrics
from gan.data.datasets import Dataset
from gan.errors import NotFinite, TrainingFailed
from gan.run import run_directory
from gan.run.config import Config
from gan.training import collapse, devices, sample_grids
from gan.training.builders import build_pipeline
from gan.training.checkpoints import checkpoint_manager, save
from gan.training.console import Console
from gan.training.failures import writing
from gan.training.metrics_log import MetricsLog
from gan.training.signals import StopRequest
from gan.training.strategy import Replicas
from gan.training.timing import Timer

TRACES = "experimental_get_tracing_count"  # of a compiled function

# (generator, step) -> record with "metrics" {name: float} and what they were computed from
Evaluator = Callable[[keras.Model, int], dict[str, Any]]


@dataclasses.dataclass
class Run:
    """A run that is being trained."""

    config: Config
    run_dir: Path
    state: GanState
    data: Dataset
    evaluators: Mapping[str, Evaluator]
    manager: tf.train.CheckpointManager
    log: MetricsLog
    console: Console
    stop: StopRequest
    clock: Timer
    replicas: Replicas

    def __post_init__(self) -> None:
        self.saved_step: int | None = self.step or None  # of the newest checkpoint
        classes = self.data.classes if self.config.conditional else 0
        inputs = statistics_inputs(self.config.latent_dim, classes)
        self._measure = {
            closely: self.replicas.on_all_replicas(
                functools.partial(measure_statistics, self.state.ema_generator, batches)
            )
            for closely, batches in ((True, inputs), (False, inputs[:ROUGHLY]))
        }

    @property
    def step(self) -> int:
        """Steps done."""
        return int(self.state.step.numpy())

    @property
    def kimg(self) -> float:
        """Thousands of real images that D has seen."""
        return self.step * self.config.d_steps * self.config.batch_size / 1000

    @property
    def sampled_generator(self) -> keras.Model:
        """The network that draws pictures and goes to generator.keras."""
        ema = self.config.sample_weights == "ema"
        return self.state.ema_generator if ema else self.state.generator

    def measure_average(self, closely: bool = True) -> None:
        """Gives the averaged generator statistics of its own, before anyone looks at it.

        All workers must call. Without an average it is the generator itself, statistics included.
        """
        if self.config.ema_half_life:
            with self.clock("averages"):
                self._measure[closely]()

    @contextlib.contextmanager
    def task(self, name: str) -> Iterator[None]:
        """Times a block that writes files, and says of one that cannot what it means."""
        with self.clock(name), writing(self.run_dir):
            yield

    def write_samples(self) -> None:
        """Draws and writes the picture of samples of this step."""
        with self.clock("pictures"):  # not a task: what fails in here is no failure to write
            picture = sample_grids.sample_picture(self.config, self.sampled_generator, self.data)
        with self.task("pictures"):
            sample_grids.write_samples(self.run_dir, self.step, picture, self.log)

    def save(self) -> None:
        """Saves a checkpoint of this step, once all replicas hold the same."""
        with self.clock("checkpoints"):
            self.replicas.check_equal(self.state)
        with self.task("checkpoints"):
            save(self.manager, self.state)
        self.saved_step = self.step

    def close(self) -> None:
        """Closes the log."""
        self.log.close()


def loop(run: Run, run_steps: Any) -> dict[str, Any]:
    """Trains to `config.steps` or a stop request and returns the summary.

    Args:
        run: What is trained.
        run_steps: What ``compile_train_steps`` returns.
    """
    config, state, log, console, clock = run.config, run.state, run.log, run.console, run.clock
    devices.release_memory()  # of reading the data, before the compiler takes its share
    best = checkpoint_manager(state, run.run_dir, 1, run_directory.BEST_DIR)
    step = block_start = run.step
    with clock("pipeline"):
        blocks = iter(build_pipeline(config, run.data, step, int(state.rollbacks.numpy())))
        block = run.replicas.split(next(blocks))
    cadences = [config.log_every, config.sample_every, config.checkpoint_every]
    if config.evaluate_every:
        cadences.append(config.evaluate_every)
    warned: set[str] = set()
    seconds, logged_step, compiled = log.last["seconds"], step, False
    started = time.perf_counter() - seconds
    at_end = step >= config.steps
    signal_name = run.replicas.agreed_signal(run.stop.signal_name)
    if signal_name and not at_end:  # asked while it started
        console.print(f"{signal_name}: saving step {step}")
        run.save()
        at_end = True
    with console.progress(step, config.steps):
        while not at_end:
            if step == block_start + config.steps_per_call:
                with clock("pipeline"):
                    block, block_start = run.replicas.split(next(blocks)), step
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
                bad = next(name for name in finite_metrics(state) if not np.isfinite(result[name]))
                saved = "none yet" if run.saved_step is None else f"step {run.saved_step}"
                raise NotFinite(
                    f"{bad} is not finite at step {run.step}, in the call of steps {step + 1} to "
                    f"{end}; newest checkpoint: {saved}"
                )
            step = run.step
            if step != end:
                raise AssertionError(f"the step counter is {step} after step {end}")
            console.advance(step)

            # Read once: a signal that comes while this step is saved waits for the next call.
            signal_name = run.replicas.agreed_signal(run.stop.signal_name)
            at_end = step == config.steps or signal_name is not None
            if signal_name:
                console.print(f"{signal_name}: saving step {step}; once more ends at once")
            if at_end or any(
                e and step % e == 0 for e in (config.evaluate_every, config.checkpoint_every)
            ):
                run.measure_average()
            elif step % config.sample_every == 0:
                run.measure_average(closely=False)
            if config.evaluate_every and step % config.evaluate_every == 0:
                for name, evaluator in run.evaluators.items():
                    with clock("evaluations"):
                        evaluation = evaluator(run.sampled_generator, step)
                    evaluation = {"weights": config.sample_weights, **evaluation}
                    now = time.perf_counter() - started
                    with run.task("records"):
                        log.evaluation(step, run.kimg, now, name, evaluation)
                devices.release_memory()
                if run.evaluators and config.keep_best != "none":
                    keep_best(run, best)
            signs: dict[str, str] = {}
            if step % config.log_every == 0 or at_end:
                metrics = {name: float(value) for name, value in result.items()}
                now = time.perf_counter() - started
                metrics["time/steps_per_second"] = (step - logged_step) / (now - seconds)
                metrics["memory/peak_mb"] = devices.peak_memory_mb()
                seconds, logged_step = now, step
                signs = collapse.collapse_signs(
                    [*log.recent, {"kimg": run.kimg, **metrics}],
                    log.evaluations,
                    config.has_log_odds,
                )
                metrics["collapse/signs"] = len(signs)
                with run.task("records"):
                    log.scalars(step, run.kimg, seconds, metrics)
                console.print(classic_line(step, metrics))
            if run.replicas.chief and (step % config.sample_every == 0 or at_end):
                run.write_samples()
            for name in sorted(signs.keys() - warned):
                warned.add(name)
                with run.task("records"):
                    log.text("collapse", step, f"{name}: {signs[name]}")
                console.print(f"warning: {name} at step {step}: {signs[name]}")
            collapsed = False
            if config.on_collapse == "stop":  # only the chief has seen evaluations, and all records
                (collapsed,) = run.replicas.any_worker([run.replicas.chief and bool(signs)])
            if collapsed:  # at a step where nothing else may have been due
                run.measure_average()
            if step % config.checkpoint_every == 0 or at_end or collapsed:
                run.save()
            if collapsed:
                raise TrainingFailed(
                    f"collapsed at step {step}, saved: "
                    f"{'; '.join(f'{name}: {text}' for name, text in signs.items())}"
                )
    return {
        "status": "completed" if step >= config.steps else "preempted",
        "signal": signal_name,
        **log.last,
        "step": step,
        "seconds": time.perf_counter() - started,
        "seconds_by_task": clock.seconds,
        "rollbacks": int(state.rollbacks.numpy()),
        "skipped_updates": skipped_updates(run),
        "traces": traces() if (traces := getattr(run_steps, TRACES, None)) else 0,
    }


def skipped_updates(run: Run) -> dict[str, int]:
    """Returns how many updates of each player loss scaling has skipped because they overflowed."""
    config, step = run.config, run.step
    done = {
        "d": step * config.d_steps * (2 if config.schedule == "classic" else 1),
        "g": max(0, step - config.d_warmup_steps),
    }
    optimizers = {"d": run.state.d_optimizer, "g": run.state.g_optimizer}
    return {
        name: done[name] - int(optimizer.inner_optimizer.iterations.numpy())
        for name, optimizer in optimizers.items()
        if isinstance(optimizer, keras.optimizers.LossScaleOptimizer)
    }


def keep_best(run: Run, best: tf.train.CheckpointManager) -> None:
    """Saves the state as the best one if its evaluation is no higher than that of the best."""
    metric = run.config.keep_best
    values = {
        e["step"]: e["metrics"][metric] for e in run.log.evaluations if metric in e["metrics"]
    }
    before = values.get(run_directory.step_of(best.latest_checkpoint), np.inf)
    if run.step in values and values[run.step] <= before:
        with run.task("checkpoints"):
            save(best, run.state)


def classic_line(step: int, metrics: dict[str, float]) -> str:
    """Returns the console line of the original script."""
    accuracy = 50 * (metrics["accuracy/real"] + metrics["accuracy/fake"])
    return "%d [D loss: %f, acc.: %.2f%%] [G loss: %f]" % (  # noqa: UP031, the script's own format
        step,
        metrics["loss/d"],
        accuracy,
        metrics["loss/g"],
    )
