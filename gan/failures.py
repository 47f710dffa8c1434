"""How training fails: what it raises, and what a full disk becomes."""

import contextlib
import re
from collections.abc import Iterator
from pathlib import Path

import tensorflow as tf

AROUND = re.compile(r"\{\{.*?\}\}|\[Op:.*?\]")  # TensorFlow's own names around a message


class TrainingFailed(Exception):
    """Training cannot go on; command lines end with status 1."""


class NotFinite(TrainingFailed):
    """A loss, a logit, a gradient or a weight is not finite."""


class CannotWrite(TrainingFailed):
    """The run directory cannot be written; the run itself is sound and may go on later."""


class OutOfMemory(TrainingFailed):
    """The device or the machine has too little memory; the run itself is sound."""


@contextlib.contextmanager
def writing(run_dir: Path) -> Iterator[None]:
    """Says of a failure to write, in Python or in TensorFlow, what it means for the run.

    Raises:
        CannotWrite: The disk is full, the directory is gone or read-only, or the like.
    """
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
