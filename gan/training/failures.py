"""What a full disk, and whatever else keeps a run from being written, becomes."""

import contextlib
import re
from collections.abc import Iterator
from pathlib import Path

import tensorflow as tf

from gan.errors import CannotWrite

AROUND = re.compile(r"\{\{.*?\}\}|\[Op:.*?\]")  # TensorFlow's own names around a message


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
