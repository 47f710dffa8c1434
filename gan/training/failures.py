"""How training fails: what it raises, and what a full disk becomes."""

import contextlib
import re
from collections.abc import Iterator
from pathlib import Path

import tensorflow as tf

from gan.errors import CannotWrite

# Rows of the table "When something is wrong" of README.md, and what they advise in a few words.
ADVICE = {
    "D wins": "a lower --d_learning_rate, or a penalty as in --preset=mlp_r3",
    "D learns nothing": "a higher --d_learning_rate, or a smaller --penalty_weight",
    "Mode collapse": "--preset=mlp_r3, --pack=2, or a lower --d_learning_rate",
    "Not finite": "--on_nan=rollback, or lower learning rates",
    "Out of memory": "a smaller --batch_size",
}

AROUND = re.compile(r"\{\{.*?\}\}|\[Op:.*?\]")  # TensorFlow's own names around a message


def advice(*rows: str) -> str:
    """Returns what usually helps, and where more of it stands: keys of `ADVICE`."""
    return "; ".join(
        f'what usually helps: {ADVICE[row]} (README, "When something is wrong", row "{row}")'
        for row in rows
    )


@contextlib.contextmanager
def writing(run_dir: Path) -> Iterator[None]:
    """Says of a failure to write, in Python or in TensorFlow, what it means for the run."""
    try:
        yield
    except OSError as error:
        path, reason = error.filename or run_dir, error.strerror or str(error)
        raise CannotWrite(cannot_write(path, reason)) from error
    except tf.errors.OpError as error:
        reason = " ".join(AROUND.sub("", error.message).split())
        raise CannotWrite(cannot_write(run_dir, reason)) from error


def cannot_write(path: object, reason: str) -> str:
    """Returns the line about a file or directory that cannot be written."""
    return (
        f"{path}: cannot be written ({reason}); make room or mend it, "
        "the same command goes on from the newest checkpoint"
    )
