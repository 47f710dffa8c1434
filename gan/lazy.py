"""NumPy, TensorFlow and Keras, imported when they are first used, without their chatter.

Flags, ``--help`` and checks read the tables of losses, networks and data sets. Those tables stand
beside the functions that they name, and must not cost the seconds that TensorFlow takes to load.
"""

import contextlib
import importlib
import os
import sys
import tempfile
from collections.abc import Iterator
from types import ModuleType
from typing import TYPE_CHECKING, Any, BinaryIO

# What was file descriptor 2 before each `silenced` that is active; the first is the user's stderr.
KEPT_FROM: list[int] = []

# Whether the user asked for TensorFlow's chatter; `gan` sets the variable if it is not there.
CHATTER = os.environ.get("TF_CPP_MIN_LOG_LEVEL", "3") < "3"


class Lazy(ModuleType):
    """Stands for a module until one of its attributes is asked for."""

    def __getattr__(self, name: str) -> Any:
        return getattr(import_quietly(self.__name__), name)


def import_quietly(name: str) -> ModuleType:
    """Returns a module, imported without what TensorFlow's libraries print if it loads them."""
    if name in sys.modules or "tensorflow" in sys.modules:
        return importlib.import_module(name)
    with silenced():
        return importlib.import_module(name)


@contextlib.contextmanager
def silenced(*plain: type[BaseException]) -> Iterator[None]:
    """Keeps what TensorFlow's libraries print to file descriptor 2 while they load.

    They do so before any log level is read. It is shown after all if the block fails with another
    error than those in `plain`, and TF_CPP_MIN_LOG_LEVEL=0 asks for it. Where the process has no
    stderr there is nothing to keep.
    """
    try:
        saved = None if CHATTER else os.dup(2)
    except OSError:
        saved = None
    if saved is None:
        yield
        return
    if sys.stderr is not None:
        sys.stderr.flush()
    with anonymous_file() as kept:
        os.dup2(kept.fileno(), 2)
        KEPT_FROM.append(saved)
        try:
            yield
        except BaseException as error:
            if not isinstance(error, plain):
                kept.seek(0)
                os.write(saved, kept.read())
            raise
        finally:
            KEPT_FROM.remove(saved)
            os.dup2(saved, 2)
            os.close(saved)


def anonymous_file() -> BinaryIO:
    """Returns a file without a name: in memory, which needs no directory for temporary files."""
    try:
        return os.fdopen(os.memfd_create("chatter"), "w+b")
    except (AttributeError, OSError):  # not Linux, or not let
        return tempfile.TemporaryFile()


if TYPE_CHECKING:
    import keras as keras
    import numpy as np
    import tensorflow as tf
else:
    keras, np, tf = Lazy("keras"), Lazy("numpy"), Lazy("tensorflow")
