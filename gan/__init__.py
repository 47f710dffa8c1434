"""TapeGAN: GAN research on TensorFlow and Keras 3, one ``tf.GradientTape`` per player."""

import os
from typing import TYPE_CHECKING, Any

from gan.lazy import import_quietly as _import_quietly
from gan.run import forks as _forks  # noqa: F401, it notes from here on who forks
from gan.version import __version__ as __version__

if TYPE_CHECKING:
    from gan.after_training import compare, export, report
    from gan.algorithm.augment import AUGMENTATIONS
    from gan.algorithm.losses import LOSSES, Loss
    from gan.algorithm.optimizer_table import OPTIMIZERS, Optimizer
    from gan.algorithm.penalties import PENALTIES
    from gan.api import evaluate, load, train
    from gan.data.datasets import DATASETS, Dataset, DataSource, load_dataset
    from gan.errors import TrainingFailed, UserError
    from gan.models.layers import NetworkSpec
    from gan.models.registry import DISCRIMINATORS, GENERATORS, Network
    from gan.run.config import Config
    from gan.run.presets import PRESETS
    from gan.sampling.drawing import sample
    from gan.sampling.latents import latents_of

DISTRIBUTION = "tapegan"  # tapegan.py asks; other packages are called `gan` too

# All must be set before TensorFlow and Keras are imported. An explicit setting of the user wins.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")  # start-up chatter; 0 shows it
os.environ.setdefault("KERAS_BACKEND", "tensorflow")
# A container's user whom no table knows has no home; libraries would make a directory named ~.
if os.path.expanduser("~") == "~":
    os.environ["HOME"] = os.sep

__all__ = [
    "AUGMENTATIONS",
    "DATASETS",
    "DISCRIMINATORS",
    "GENERATORS",
    "LOSSES",
    "OPTIMIZERS",
    "PENALTIES",
    "PRESETS",
    "Config",
    "DataSource",
    "Dataset",
    "Loss",
    "Network",
    "NetworkSpec",
    "Optimizer",
    "TrainingFailed",
    "UserError",
    "compare",
    "evaluate",
    "export",
    "latents_of",
    "load",
    "load_dataset",
    "report",
    "sample",
    "train",
]

# Where the names stand. A module is imported when one of its names is first used: the functions of
# gan/api.py bring TensorFlow, the tables do not.
_MODULES = {
    "gan.algorithm.augment": ["AUGMENTATIONS"],
    "gan.algorithm.losses": ["LOSSES", "Loss"],
    "gan.algorithm.optimizer_table": ["OPTIMIZERS", "Optimizer"],
    "gan.algorithm.penalties": ["PENALTIES"],
    "gan.after_training": ["compare", "export", "report"],
    "gan.api": ["evaluate", "load", "train"],
    "gan.data.datasets": ["DATASETS", "DataSource", "Dataset", "load_dataset"],
    "gan.errors": ["TrainingFailed", "UserError"],
    "gan.models.layers": ["NetworkSpec"],
    "gan.models.registry": ["DISCRIMINATORS", "GENERATORS", "Network"],
    "gan.run.config": ["Config"],
    "gan.run.presets": ["PRESETS"],
    "gan.sampling.drawing": ["sample"],
    "gan.sampling.latents": ["latents_of"],
}


def __getattr__(name: str) -> Any:
    for module, names in _MODULES.items():
        if name in names:
            return getattr(_import_quietly(module), name)
    raise AttributeError(f"module 'gan' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted([*__all__, "__version__", "__doc__"])
