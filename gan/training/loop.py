"""The loop of training: calls of the compiled step, and what is due between them."""

import contextlib
import dataclasses
import functools
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import keras
import numpy as np
import tensorflow as tf

from gan.algorithm import linear_units
from gan.algorithm.batch_norm_statistics import ROUGHLY, measure_statistics, statistics_inputs
from gan.algorithm.head_accuracy import head_accuracy
from gan.algorithm.penalties import MAKE_LINEAR
from gan.algorithm.step import GanState, finite_metrics
from gan.data.datasets import Dataset
from gan.errors import NotFinite, TrainingFailed
from gan.run.advice import explained
from gan.run.config import Config
from gan.run.heads import MOST_NAMED, names_classes
from gan.run.jsonl import without_infinities
from gan.run.layout import BEST_DIR
from gan.run.progress import in_words
from gan.run.records import is_number
from gan.sampling.posthoc_averages import write_snapshot
from gan.training import collapse, devices, sample_grids
from gan.training.best_checkpoint import keep_if_best
from gan.training.builders import build_pipeline
from gan.training.checkpoints import checkpoint_manager, save
from gan.training.checks import has_log_odds
from gan.training.console import Console
from gan.training.failures import writing
from gan.training.metrics_log import MetricsLog
from gan.training.setup import Evaluator
from gan.training.signals import StopRequest
from gan.training.strategy import Replicas
from gan.training.timing import Timer

TRACES = "experimental_get_tracing_count"  # of a compiled function


@dataclasses.dataclass
class Run:
    """A run that is being trained: what it is made of, and how far it is."""

    config: Config
    run_dir: Path
    state: GanState
    data: Dataset
    evaluators: Mapping[str, Evaluator]
    manager: tf.train.CheckpointManager
    log: MetricsLog
    console: Console
    stop: StopRequest
    timer: Timer
    replicas: Replicas

    # What a call of the compiled step leaves for what is due after it.
    metrics: Mapping[str, Any] = dataclasses.field(default_factory=dict)  # of the last step
    signs: Mapping[str, str] = dataclasses.field(default_factory=dict)  # of collapse
    at_end: bool = False

    def __post_init__(self) -> None:
        self.saved_step: int | None = self.step or None  # of the newest checkpoint
        self.best = checkpoint_manager(self.state, self.run_dir, 1, BEST_DIR)
        self.begin()
        classes = self.data.classes if self.config.conditional else 0
        inputs = statistics_inputs(self.config.latent_dim, classes)
        self._measure = {
            closely: self.replicas.on_all_replicas(
                functools.partial(measure_statistics, self.state.ema_generator, batches)
            )
            for closely, batches in ((True, inputs), (False, inputs[:ROUGHLY]))
        }

    def begin(self) -> None:
        """Notes what the log ends with; the clock goes on as if the run had never stopped."""
        self.logged_step, self.logged_seconds = self.step, self.log.last["seconds"]
        self.started = time.perf_counter() - self.logged_seconds
        self.warned: set[str] = set()

    @property
    def step(self) -> int:
        """Steps done."""
        return int(self.state.step.numpy())

    @property
    def kimg(self) -> float:
        """Thousands of real images that D has seen."""
        return self.step * self.config.d_steps * self.config.batch_size / 1000

    @property
    def seconds(self) -> float:
        """How long the run has trained, before interruptions too."""
        return time.perf_counter() - self.started

    @property
    def sampled_generator(self) -> keras.Model:
        """The network that draws pictures and goes to generator.keras."""
        ema = self.config.sample_weights == "ema"
        return self.state.ema_generator if ema else self.state.generator

    def is_due(self, *cadences: str) -> bool:
        """Tells whether the step is a multiple of a cadence, a field of `Config`; 0 is never."""
        intervals = [getattr(self.config, name) for name in cadences]
        return any(every and self.step % every == 0 for every in intervals)

    def measure_average(self, closely: bool = True) -> None:
        """Gives the averaged generator statistics of its own, before anyone looks at it.

        All workers must call. Without an average it is the generator itself, statistics included.
        """
        if self.config.ema_half_life:
            with self.timer("averages"):
                self._measure[closely]()

    @contextlib.contextmanager
    def task(self, name: str) -> Iterator[None]:
        """Times a block that writes files, and says of one that cannot what it means."""
        with self.timer(name), writing(self.run_dir):
            yield

    def write_samples(self) -> None:
        """Draws and writes the picture of samples of this step."""
        with self.timer("pictures"):  # not a task: what fails in here is no failure to write
            picture = sample_grids.sample_picture(self.config, self.sampled_generator, self.data)
        with self.task("pictures"):
            sample_grids.write_samples(self.run_dir, self.step, picture, self.log)

    def save(self) -> None:
        """Saves a checkpoint of this step, once all replicas hold the same."""
        with self.timer("checkpoints"):
            self.replicas.check_equal(self.state)
        with self.task("checkpoints"):
            save(self.manager, self.state)
        self.saved_step = self.step

    def close(self) -> None:
        """Closes the log."""
        self.log.close()


def measure_average(run: Run) -> None:
    """Measures the averaged generator's statistics, roughly where only a picture is due."""
    run.measure_average(run.at_end or run.is_due("evaluate_every", "checkpoint_every"))


def evaluate(run: Run) -> None:
    """Calls the evaluators; keeps the checkpoint if it is the best one and that is asked for."""
    step, metric = run.step, run.config.keep_best
    of_d = metrics_of_d(run) if run.evaluators else {}  # workers but the chief have none
    for name, evaluator in run.evaluators.items():
        with run.timer("evaluations"), run.console.working("evaluating"):
            record = evaluator(run.sampled_generator, step)
        record = {"weights": run.config.sample_weights, **record}
        record["metrics"] = {**record["metrics"], **of_d}
        with run.task("records"):
            run.log.evaluation(step, run.kimg, run.seconds, name, record)
    devices.release_memory()
    if not run.replicas.chief:
        return
    values = {  # null, of a run from before: it was not finite
        e["step"]: e["metrics"][metric]
        for e in run.log.evaluations
        if is_number(e["metrics"].get(metric))
    }
    with run.task("checkpoints"):
        keep_if_best(run.run_dir, run.best, run.state, step, values)


def metrics_of_d(run: Run) -> dict[str, float]:
    """Returns what is known of D itself, as far as its head and its penalty ask for it.

    "head_accuracy" is the share of test images whose class it names, "linear_units" that of its
    units that have one sign.
    """
    found = {}
    config, data, discriminator = run.config, run.data, run.state.discriminator
    with run.timer("evaluations"):
        if names_classes(config.auxiliary) and (test := data.labelled):
            shown = slice(MOST_NAMED)
            images, labels = test.test_images[shown], test.test_labels[shown]
            found["head_accuracy"] = head_accuracy(discriminator, images, labels)
        # Of points a D is often linear in its sines and cosines, and good at that.
        watched = config.penalty in MAKE_LINEAR and len(data.shape) == 3
        if watched and (counts := linear_units.units_of_one_sign(discriminator, config, data)):
            found["linear_units"] = linear_units.linear_share(counts)
    return found


def log_metrics(run: Run) -> None:
    """Writes the metrics of this step, with the signs of collapse that they show."""
    step, seconds = run.step, run.seconds
    metrics = {name: float(value) for name, value in run.metrics.items()}
    elapsed = seconds - run.logged_seconds
    metrics["time/steps_per_second"] = (step - run.logged_step) / elapsed
    metrics["memory/peak_mb"] = devices.peak_memory_mb()
    run.logged_step, run.logged_seconds = step, seconds
    now = without_infinities({"kimg": run.kimg, **metrics})  # as it is written, and read back
    records = [*run.log.recent, now]
    run.signs = collapse.collapse_signs(records, run.log.evaluations, has_log_odds(run.config))
    metrics["collapse/signs"] = len(run.signs)
    with run.task("records"):
        warning = run.log.scalars(step, run.kimg, seconds, metrics)
    if warning:
        run.console.print(f"warning: {warning}")
    line = classic_line(step, metrics)
    if not run.console.has_bar:  # which says it better
        rate = metrics["time/steps_per_second"]
        left = in_words((run.config.steps - step) / rate)
        line += f" {rate:.3g} steps/s, {left} left"
    run.console.print(line)


def write_samples(run: Run) -> None:
    """Writes a sample grid."""
    if run.replicas.chief:
        run.write_samples()


def write_averages(run: Run) -> None:
    """Writes a snapshot of the averages, where there are some.

    None where a signal ends the run: one that goes on then has the same snapshots as one that was
    never interrupted.
    """
    ended = run.step == run.config.steps
    if run.state.averages and run.replicas.chief and (ended or run.is_due("checkpoint_every")):
        with run.task("checkpoints"):
            write_snapshot(run.run_dir, run.step, run.state.averages, run.state.generator)


def react_to_collapse(run: Run) -> None:
    """Warns of new signs of collapse; with ``--on_collapse=stop`` saves and stops.

    Raises:
        TrainingFailed: The run has collapsed and was saved.
    """
    for name in sorted(run.signs.keys() - run.warned):
        run.warned.add(name)
        with run.task("records"):
            run.log.text("collapse", run.step, f"{name}: {run.signs[name]}")
        run.console.print(f"warning: {name} at step {run.step}: {run.signs[name]}")
    if run.config.on_collapse != "stop":
        return
    # Only the chief has seen evaluations, and all records.
    (collapsed,) = run.replicas.any_worker([run.replicas.chief and bool(run.signs)])
    if collapsed:
        run.measure_average()
        write_averages(run)
        run.save()
        signs = "; ".join(f"{name}: {text}" for name, text in run.signs.items())
        raise TrainingFailed(explained(f"collapsed at step {run.step}, saved: {signs}"))


class Action(NamedTuple):
    """What is due at multiples of its cadences, which are fields of `Config`."""

    do: Callable[[Run], None]
    cadences: tuple[str, ...]
    at_end: bool = True  # of training, or where a signal ends it


# In the order in which they happen at a step.
ACTIONS = (
    Action(measure_average, ("sample_every", "evaluate_every", "checkpoint_every")),
    Action(evaluate, ("evaluate_every",), at_end=False),
    Action(log_metrics, ("log_every",)),
    Action(write_samples, ("sample_every",)),
    Action(react_to_collapse, ("log_every",)),
    Action(write_averages, ("checkpoint_every",)),  # before: what is saved is not done again
    Action(Run.save, ("checkpoint_every",)),
)


def loop(run: Run, run_steps: Any) -> dict[str, Any]:
    """Trains to `config.steps` or a stop request and returns the summary.

    `run_steps` is what ``compile_train_steps`` returns.
    """
    config, console, step = run.config, run.console, run.step
    devices.release_memory()  # of reading the data, before the compiler takes its share
    run.begin()
    with run.timer("pipeline"):
        rollbacks = int(run.state.rollbacks.numpy())
        blocks = iter(build_pipeline(config, run.data, step, rollbacks, run.replicas))
    block_end = step

    # A signal may have come while the run started.
    signal_name = run.replicas.agreed_signal(run.stop.signal_name)
    if signal_name and step < config.steps:
        console.print(f"{signal_name}: saving step {step}")
        run.save()

    with console.progress(step, config.steps):
        while step < config.steps and not signal_name:
            # A block holds the examples and the noise of so many steps.
            if step == block_end:
                with run.timer("pipeline"):
                    block = run.replicas.split(next(blocks))
                block_start, block_end = step, step + config.steps_per_call

            # One call goes up to the block's end, or to what is due before.
            end = min(block_end, next_due(config, step))
            first, last = tf.constant(step - block_start), tf.constant(end - block_start)
            call(run, run_steps, (block, first, last, step >= config.d_warmup_steps), end)
            step = end
            console.advance(step)

            # Read once: a signal that comes while this step is saved waits for the next call.
            signal_name = run.replicas.agreed_signal(run.stop.signal_name)
            if signal_name:
                console.print(f"{signal_name}: saving step {step}; once more ends at once")
            run.at_end = step == config.steps or signal_name is not None
            for action in ACTIONS:
                if (run.at_end and action.at_end) or run.is_due(*action.cadences):
                    action.do(run)
    return {
        "status": "completed" if step >= config.steps else "preempted",
        "signal": signal_name,
        **run.log.last,
        "step": step,
        "seconds": run.seconds,
        "seconds_by_task": run.timer.seconds,
        "rollbacks": int(run.state.rollbacks.numpy()),
        "skipped_updates": skipped_updates(run),
        "traces": traces() if (traces := getattr(run_steps, TRACES, None)) else 0,
    }


def next_due(config: Config, step: int) -> int:
    """Returns the next step at which an action is due, G begins to learn, or training ends."""
    cadences = {getattr(config, name) for action in ACTIONS for name in action.cadences} - {0}
    due = [config.steps, *(step - step % every + every for every in cadences)]
    return min([*due, config.d_warmup_steps] if step < config.d_warmup_steps else due)


def call(run: Run, run_steps: Any, arguments: tuple[Any, ...], end: int) -> None:
    """Does the steps up to `end` in one call; the metrics of the last one go to ``run.metrics``.

    Raises:
        NotFinite: Names the first number that is not finite.
    """
    step, compiled = run.step, "first call" in run.timer.seconds
    doing = contextlib.nullcontext() if compiled else run.console.working("compiling")
    with run.timer("steps" if compiled else "first call"), doing:
        run.metrics, finite = run_steps(*arguments)
        finite = bool(finite)  # waits until a GPU is done
    if not compiled:
        devices.release_memory()
    if not finite:
        names = [name for name in finite_metrics(run.state) if name in run.metrics]
        bad = next(name for name in names if not np.isfinite(run.metrics[name]))
        saved = "none yet" if run.saved_step is None else f"step {run.saved_step}"
        raise NotFinite(
            f"{bad} is not finite at step {run.step}, in the call of steps {step + 1} to "
            f"{end}; newest checkpoint: {saved}"
        )
    if run.step != end:
        raise AssertionError(f"the step counter is {run.step} after step {end}")


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


def classic_line(step: int, metrics: dict[str, float]) -> str:
    """Returns the console line of the original script."""
    accuracy = 50 * (metrics["accuracy/real"] + metrics["accuracy/fake"])
    return "%d [D loss: %f, acc.: %.2f%%] [G loss: %f]" % (  # noqa: UP031, the script's own format
        step,
        metrics["loss/d"],
        accuracy,
        metrics["loss/g"],
    )
