"""NumPy, TensorFlow and Keras, imported when they are first used.

Flags, ``--help`` and checks read the tables of losses, networks and data sets. Those tables stand
beside the functions that they name, and must not cost the seconds that TensorFlow takes to load.
"""

import importlib
from types import ModuleType
from typing import TYPE_CHECKING, Any


class Lazy(ModuleType):
    """Stands for a module until one of its attributes is asked for."""

    def __getattr__(self, name: str) -> Any:
        return getattr(importlib.import_module(self.__name__), name)


if TYPE_CHECKING:
    import keras as keras
    import numpy as np
    import tensorflow as tf
else:
    keras, np, tf = Lazy("keras"), Lazy("numpy"), Lazy("tensorflow")
