"""What a run tells: console, progress bar, records and TensorBoard."""

import contextlib
import json
import math
import os
import sys
from collections import deque
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeRemainingColumn
from tensorboard.plugins.hparams.api import hparams

from gan.files import replacing
from gan.knobs import UserError
from gan.runs import EVALUATIONS_FILE, METRICS_FILE, TENSORBOARD_DIR
from gan.watch import SPAN_KIMG

DURING_TRAINING = "training"  # the source of evaluations that the trainer asks for


class Console:
    """Prints lines; on a terminal a progress bar with steps per second and time left below them."""

    def __init__(self, quiet: bool = False) -> None:
        self._quiet = quiet
        self._bar: Progress | None = None
        self._task = TaskID(0)

    def say(self, line: str) -> None:
        """Prints one line. A reader that is gone (``| head``) is no reason to lose a run."""
        if self._quiet:
            return
        try:
            if self._bar:
                self._bar.console.print(line, markup=False, highlight=False, soft_wrap=True)
            else:
                print(line, flush=True)
        except BrokenPipeError:
            self._quiet = True
            sys.stdout = open(os.devnull, "w")  # noqa: SIM115, for the flush when Python ends

    @contextlib.contextmanager
    def progress(self, step: int, steps: int) -> Iterator[None]:
        """Shows the bar while the block runs, if this is a terminal."""
        if self._quiet or not sys.stdout.isatty():
            yield
            return
        columns = (
            TextColumn("step {task.completed:.0f} of {task.total:.0f}"),
            BarColumn(),
            TextColumn("{task.fields[rate]}"),
            TimeRemainingColumn(),
        )
        self._bar = Progress(*columns)
        self._task = self._bar.add_task("training", total=steps, completed=step, rate="")
        try:
            with self._bar:
                yield
        finally:
            self._bar = None

    def advance(self, step: int) -> None:
        """Moves the bar to `step`."""
        if self._bar:
            task = self._bar.tasks[0]
            rate = f"{task.speed:.1f} steps/s" if task.speed else ""
            self._bar.update(self._task, completed=step, rate=rate)


class MetricsLog:
    """Writes each record to metrics.jsonl and to TensorBoard, with the same numbers."""

    def __init__(self, run_dir: Path, step: int) -> None:
        """Opens the log of a run that stands at `step`; records beyond it are dropped."""
        self.path = run_dir / METRICS_FILE
        records = [record for record in read_records(self.path) if record["step"] <= step]
        write_records(self.path, records)
        self.last: dict[str, Any] = records[-1] if records else {"step": 0, "seconds": 0.0}
        self.recent = deque(records)  # what the collapse watch looks back at
        self.evaluations = drop_evaluations(run_dir / EVALUATIONS_FILE, step)
        self._file = self.path.open("a")
        self._writer = tf.summary.create_file_writer(str(run_dir / TENSORBOARD_DIR))

    def scalars(self, step: int, kimg: float, seconds: float, values: dict[str, float]) -> None:
        """Writes one record; `values` as float32, which is what TensorBoard keeps."""
        values = {name: float(np.float32(value)) for name, value in values.items()}
        self.last = without_infinities({"step": step, "kimg": kimg, "seconds": seconds, **values})
        self._file.write(json.dumps(self.last, allow_nan=False) + "\n")
        self._file.flush()
        with self._writer.as_default(step):
            for name, value in values.items():
                tf.summary.scalar(name, value)
        self._writer.flush()
        self.recent.append(self.last)
        while self.recent[0]["kimg"] <= kimg - SPAN_KIMG:
            self.recent.popleft()

    def evaluation(
        self, step: int, kimg: float, seconds: float, name: str, record: dict[str, Any]
    ) -> None:
        """Appends one record to evaluations.jsonl; its metrics go to TensorBoard."""
        about = {"step": step, "kimg": kimg, "seconds": seconds, "source": DURING_TRAINING}
        self.evaluations.append({**about, "evaluator": name, **record})
        append_record(self.path.parent / EVALUATIONS_FILE, self.evaluations[-1])
        with self._writer.as_default(step):
            for metric, value in record["metrics"].items():
                tf.summary.scalar(f"eval/{name}_{metric}", value)
        self._writer.flush()

    def image(self, name: str, step: int, image: np.ndarray) -> None:
        """Writes a picture, [H, W, C] uint8, to TensorBoard."""
        with self._writer.as_default(step):
            tf.summary.image(name, image[np.newaxis])

    def hyper_parameters(self, values: dict[str, Any]) -> None:
        """Writes knobs to TensorBoard, whose page HPARAMS compares runs by them."""
        with self._writer.as_default(0):
            hparams(values)

    def text(self, name: str, step: int, text: str) -> None:
        """Writes Markdown to TensorBoard."""
        with self._writer.as_default(step):
            tf.summary.text(name, text)

    def close(self) -> None:
        """Closes both files."""
        self._file.close()
        self._writer.close()


def without_infinities(record: dict[str, Any]) -> dict[str, Any]:
    """Returns the record with None for numbers that JSON does not have (overflowed norms)."""

    def clean(value: Any) -> Any:
        if isinstance(value, dict):
            return {name: clean(inner) for name, inner in value.items()}
        return None if isinstance(value, float) and not math.isfinite(value) else value

    return {name: clean(value) for name, value in record.items()}


def read_text(path: Path) -> str:
    """Returns the text of a JSON lines file, "" if there is none.

    Raises:
        UserError: It cannot be read, or is no text.
    """
    try:
        return path.read_text() if path.exists() else ""
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"{path}: cannot be read, must be JSON lines ({error})") from None


def read_records(path: Path) -> list[dict[str, Any]]:
    """Returns the records of a metrics.jsonl, without a last line that a crash tore.

    No file: no records.

    Raises:
        UserError: Another line is no record.
    """
    records: list[dict[str, Any]] = []
    lines = read_text(path).splitlines()
    for number, line in enumerate(lines, 1):
        try:
            record = json.loads(line)
        except (ValueError, RecursionError):
            if number == len(lines):
                break
            record = None
        if not isinstance(record, dict) or type(record.get("step")) is not int:
            raise UserError(f"{path}: line {number} is no record, must be an object with a step")
        records.append(record)
    return records


def append_record(path: Path, record: dict[str, Any]) -> None:
    """Appends a line to a JSON lines file, after taking off one that a crash tore.

    Raises:
        UserError: The file is no text.
    """
    if (text := read_text(path)) and not text.endswith("\n"):
        whole, _, last = text.rpartition("\n")
        try:
            json.loads(last)  # a whole record, or another file's text: nothing is taken off
            text += "\n"
        except ValueError:
            torn = last.startswith("{")  # else somebody else's text, which stays
            text = f"{whole}\n" * bool(whole) if torn else text + "\n"
        with replacing(path) as temporary:
            temporary.write_text(text)
    with path.open("a") as file:
        file.write(json.dumps(without_infinities(record), allow_nan=False) + "\n")


def write_records(path: Path, records: list[dict[str, Any]]) -> None:
    """Replaces a JSON lines file."""
    with replacing(path) as temporary:
        temporary.write_text("".join(json.dumps(record) + "\n" for record in records))


def drop_evaluations(path: Path, step: int) -> list[dict[str, Any]]:
    """Drops what a run that stands at `step` will evaluate again, and returns what it did before.

    Evaluations by hand stay in the file.
    """
    records = read_records(path)
    kept = [r for r in records if r.get("source") != DURING_TRAINING or r["step"] <= step]
    if kept != records:
        write_records(path, kept)
    return [record for record in kept if record.get("source") == DURING_TRAINING]
