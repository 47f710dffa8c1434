"""TapeGAN: GAN research on TensorFlow and Keras 3, one ``tf.GradientTape`` per player."""

import os
from typing import TYPE_CHECKING, Any

from gan.version import __version__ as __version__

if TYPE_CHECKING:
    from gan.api import UserError, evaluate, load, sample, train

# Both must be set before TensorFlow and Keras are imported. An explicit setting of the user wins.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")  # start-up chatter; 0 shows it
os.environ.setdefault("KERAS_BACKEND", "tensorflow")

__all__ = ["UserError", "evaluate", "load", "sample", "train"]


def __getattr__(name: str) -> Any:
    """Imports the names of gan/api.py, and with them TensorFlow, when one is first used."""
    if name not in __all__:
        raise AttributeError(f"module 'gan' has no attribute {name!r}")
    from gan import api

    return getattr(api, name)
