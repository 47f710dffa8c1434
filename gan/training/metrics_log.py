"""What a run records: metrics.jsonl, evaluations.jsonl, TensorBoard, the plot of its losses."""

import json
import os
from collections import deque
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf
from tensorboard.plugins.hparams.api import hparams

from gan.run import scalars
from gan.run.atomic_files import replacing
from gan.run.drawing import drawing
from gan.run.files import check_file
from gan.run.jsonl import append_record, without_infinities, write_records
from gan.run.layout import EVALUATIONS_FILE, METRICS_FILE, TENSORBOARD_DIR
from gan.run.records import DURING_TRAINING, drop_evaluations, read_metrics
from gan.training.collapse import remember


class MetricsLog:
    """Writes each record to metrics.jsonl and to TensorBoard, with the same numbers."""

    def __init__(self, run_dir: Path, step: int) -> None:
        """Opens the log of a run that stands at `step`; records beyond it are dropped."""
        self.path = run_dir / METRICS_FILE
        records = [record for record in read_metrics(self.path) if record["step"] <= step]
        write_records(self.path, records)
        self.last: dict[str, Any] = records[-1] if records else {"step": 0, "seconds": 0.0}
        self.recent = deque[dict[str, Any]]()  # what collapse detection looks back at
        for record in records:
            remember(self.recent, record)
        self.evaluations = drop_evaluations(run_dir / EVALUATIONS_FILE, step)
        self._file = self.path.open("a")
        self._size = self._file.tell()  # bytes
        self._writer = tf.summary.create_file_writer(str(run_dir / TENSORBOARD_DIR))

    def scalars(self, step: int, kimg: float, seconds: float, values: dict[str, float]) -> str:
        """Writes one record; `values` as float32, which is what TensorBoard keeps.

        Returns:
            A warning where records that were written are not there any more, else "".
        """
        warning = self._open_again()
        values = {name: float(np.float32(value)) for name, value in values.items()}
        self.last = without_infinities({"step": step, "kimg": kimg, "seconds": seconds, **values})
        self._file.write(json.dumps(self.last, allow_nan=False) + "\n")
        self._file.flush()
        self._size = self._file.tell()
        with self._writer.as_default(step):
            for name, value in values.items():
                tf.summary.scalar(name, value, description=scalars.SCALARS.get(name))
        self._writer.flush()
        remember(self.recent, self.last)
        return warning

    def _open_again(self) -> str:
        """Opens metrics.jsonl again if somebody has removed, replaced or cut it; returns a warning.

        What is written to a file without a name would be lost without a word.
        """
        ours = os.fstat(self._file.fileno())
        try:
            named = os.stat(self.path)
            same = (ours.st_dev, ours.st_ino) == (named.st_dev, named.st_ino)
            if same and ours.st_size >= self._size:
                return ""
            check_file(self.path)
        except FileNotFoundError:
            pass
        self._file.close()
        self._file = self.path.open("a")
        self._size = self._file.tell()
        return f"{self.path}: was removed, replaced or cut; its records begin again here"

    def evaluation(
        self, step: int, kimg: float, seconds: float, name: str, record: dict[str, Any]
    ) -> None:
        """Appends one record to evaluations.jsonl; its metrics go to TensorBoard."""
        about = {"step": step, "kimg": kimg, "seconds": seconds, "source": DURING_TRAINING}
        self.evaluations.append({**about, "evaluator": name, **record})
        append_record(self.path.parent / EVALUATIONS_FILE, self.evaluations[-1])
        with self._writer.as_default(step):
            for metric, value in record["metrics"].items():
                words = scalars.of_metric(metric)
                tf.summary.scalar(f"eval/{name}_{metric}", value, description=words)
        self._writer.flush()

    def image(self, name: str, step: int, image: np.ndarray) -> None:
        """Writes a picture, [H, W, C] uint8, to TensorBoard."""
        with self._writer.as_default(step):
            tf.summary.image(name, image[np.newaxis])

    def hyper_parameters(self, values: dict[str, Any]) -> None:
        """Writes hyper-parameters to TensorBoard, whose page HPARAMS compares runs by them.

        A trial is called as its run: an empty name asks for that. Without one it would be a hash.
        """
        named = {n: in_utf8(v) if isinstance(v, str) else v for n, v in values.items()}
        with self._writer.as_default(0):
            hparams(named, trial_id="")

    def text(self, name: str, step: int, text: str) -> None:
        """Writes Markdown to TensorBoard."""
        with self._writer.as_default(step):
            tf.summary.text(name, in_utf8(text))

    def close(self) -> None:
        """Closes both files."""
        self._file.close()
        self._writer.close()


def in_utf8(text: str) -> str:
    """Returns a text with escapes for what UTF-8 does not have: odd bytes in a folder's name."""
    return text.encode(errors="backslashreplace").decode()


def write_loss_plot(path: Path, records: list[dict[str, Any]]) -> None:
    """Draws D's and G's loss over the steps, with gaps where they are unknown.

    Raises:
        CannotDraw: They are numbers that Matplotlib cannot draw.
    """
    # Not pyplot: it would open a window system and keep the figure alive.
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    with drawing(path), replacing(path) as temporary:
        figure = Figure(figsize=(7, 3.2), layout="constrained")
        FigureCanvasAgg(figure)
        axes = figure.subplots()
        steps = [record["step"] for record in records]
        for name, label in (("loss/d", "D loss (real + fake)"), ("loss/g", "G loss")):
            values = [record.get(name) for record in records]
            axes.plot(steps, np.array(values, float), label=label, linewidth=1)  # None: NaN, a gap
        axes.set_xlabel("step")
        axes.set_ylabel("loss")
        axes.grid(alpha=0.3)
        axes.legend()
        figure.savefig(temporary, dpi=120)
