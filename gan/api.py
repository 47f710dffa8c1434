"""The package in five lines of Python: ``gan.load``, ``gan.evaluate``, ``gan.train``."""

import functools
import gc
import re
from collections.abc import Callable, Iterable
from numbers import Real
from pathlib import Path
from typing import Any, ParamSpec, TypeVar

import keras
import numpy as np

from gan.data.checks import check_images, check_range
from gan.data.datasets import load_dataset
from gan.data.time_limit import GivenUp
from gan.errors import TrainingFailed, UserError
from gan.evaluation import evaluate as evaluation
from gan.evaluation import image_files, reference
from gan.evaluation.metrics.table import METRICS
from gan.models.checks import check_network
from gan.results import Evaluation, Summary
from gan.run.paths import user_path
from gan.run.presets import from_preset
from gan.run.streams import tell
from gan.sampling import discriminators, drawing, generators, posthoc_averages
from gan.training import devices, trainer
from gan.training.signals import handing_on_signals

P = ParamSpec("P")
R = TypeVar("R")

LOADERS: dict[str, Callable[[Path, str, str], keras.Model]] = {
    "generator": generators.load_generator,
    "discriminator": discriminators.load_discriminator,
}

FLAG = re.compile(r"(?<![\w/.-])--(?=[a-z])(run_dir(?==)|metrics(?==))?")  # --name=value


def speaking_of_arguments(**names: str) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """Returns a decorator: errors say ``steps=20`` where command lines say ``--steps=20``.

    `names` are those of flags that are called otherwise in Python.
    """

    def decorate(function: Callable[P, R]) -> Callable[P, R]:
        @functools.wraps(function)
        def call(*args: P.args, **kwargs: P.kwargs) -> R:
            try:
                return function(*args, **kwargs)
            except (UserError, TrainingFailed) as error:
                text = FLAG.sub(lambda flag: names.get(flag[1] or "", flag[1] or ""), str(error))
                error.args = (text,)
                raise

        return call

    return decorate


@speaking_of_arguments(run_dir="path")
def load(
    path: str | Path,
    checkpoint: str = "",
    weights: str = "",
    network: str = "generator",
    ema_sigma: float = 0.0,
) -> keras.Model:
    """Returns the generator or the discriminator of a run, or the one in a Keras file.

    Args:
        path: A run directory, or a file such as its generator.keras. No code in it is run.
        checkpoint: Of a run: "latest", "best" or a step; "": the network that it ended with.
        weights: Of the checkpoint: "ema", their average, or "raw"; "": those that the run itself
            draws from. A discriminator has no average.
        network: "generator" or "discriminator".
        ema_sigma: Of a run with `posthoc_averages`: instead of `weights` the average of G over this
            share of the steps, such as 0.05; 0: none.

    Returns:
        Generator: from latents [batch, latent_dim] float32 ~ N(0, 1) to images [batch, H, W, C]
        float32 in -1..1, or points. Discriminator: from such images, `pack` of them side by side
        in the channels, to logits [batch, 1] float32, without a sigmoid: higher is more real.
        Conditional ones take labels [batch] int32 as a second input.

    Raises:
        UserError: There is none, or it is none of this kind.
    """
    devices.prepare()
    if network not in LOADERS:
        raise UserError(f"network={network!r}: must be one of {', '.join(LOADERS)}")
    place = user_path(path, "path")
    if not ema_sigma:
        return LOADERS[network](place, str(checkpoint), weights)
    if network != "generator":
        raise UserError(f"ema_sigma={ema_sigma}: a {network} has no average")
    if isinstance(ema_sigma, bool) or not isinstance(ema_sigma, Real):
        raise UserError(f"ema_sigma={ema_sigma!r}: must be a number")
    return posthoc_averages.load_any(place, str(checkpoint), weights, float(ema_sigma))


@speaking_of_arguments(metrics="names")
def evaluate(
    images: np.ndarray | keras.Model,
    dataset: str = "mnist",
    names: tuple[str, ...] = ("fcd", "precision", "recall", "coverage", "classes"),
    num_images: int = 10_000,
    data_dir: str = "",
) -> dict[str, Any]:
    """Returns how good images are: metrics, each beside what real images get.

    Args:
        images: [N, H, W, C] uint8 in 0..255, at least 1,000; or a generator, which draws
            `num_images`.
        dataset: What they are compared with: the test images of "mnist", say.
        names: Keys of ``gan.evaluation.metrics.table.METRICS``.
        num_images: Of a generator, at least 1,000.
        data_dir: Where the data set is; "": look for it.

    Returns:
        The record: "metrics" {name: value}, "floors" {name: {"mean", "sd"}} of real images, and
        what all was computed from. No floors, {}, for data sets with fewer than 2,000 training
        images.

    Raises:
        UserError: There is no such metric or data set, too few images, or images of another shape,
            type or range.
    """
    devices.prepare()
    names = checked_names(names)
    if not isinstance(dataset, str):
        raise UserError(f"dataset: is {type(dataset).__name__}, must be the name of a data set")
    if not isinstance(images, np.ndarray | keras.Model):
        raise UserError(
            f"images: are {type(images).__name__}, must be an array or a generator, which is a "
            "Keras model (np.stack makes an array of a list)"
        )
    whole = isinstance(num_images, int | np.integer) and not isinstance(num_images, bool)
    if not whole or num_images < image_files.LEAST_IMAGES:
        least = image_files.LEAST_IMAGES
        raise UserError(f"num_images={num_images!r}: must be an integer at least {least}")
    data = load_dataset(dataset, data_dir, tell)
    for line in data.folder.said if data.folder else ():
        tell(line)
    if data.has_modes:
        raise UserError(f"dataset={dataset}: has modes to count, use the command evaluate")
    if reason := reference.incomparable(data):
        raise UserError(f"dataset={dataset}: {reason}")
    if isinstance(images, keras.Model):
        takes = [tuple(tensor.shape)[1:] for tensor in getattr(images, "inputs", None) or ()]
        latents: tuple[Any, ...] = takes[0] if takes and len(takes[0]) == 1 else ("latent_dim",)
        check_network("images", images, latents, data.shape, len(takes) > 1)
        for doubt in drawing.check_range("images", images):
            tell(f"warning: {doubt}")
        images = drawing.sample_for_evaluation(images, data, int(num_images))
    else:
        check_samples(images, data.shape)
    real = reference.load_real_features(dataset, data, print_fn=tell)
    record, _ = evaluation.evaluate(images, real.reference(count=len(images)), names)
    return Evaluation(record)


def checked_names(names: Any) -> tuple[str, ...]:
    """Returns names of metrics as a tuple, if they are some."""
    if isinstance(names, str):
        raise UserError(f"names: are {names!r}, must be a list such as [{names!r}]")
    if not isinstance(names, Iterable):
        raise UserError(f"names: are {names!r}, must be a list such as ['fcd']")
    names = tuple(names)
    unknown = [name for name in names if not isinstance(name, str) or name not in METRICS]
    if unknown or not names:
        what = f"have {unknown[0]!r}" if unknown else "are none"
        raise UserError(f"names: {what}, must be among {', '.join(METRICS)}")
    return names


def check_samples(images: np.ndarray, shape: tuple[int, ...]) -> None:
    """Refuses images that are not uint8 of this shape [H, W, C], too few, or show nothing."""
    check_images("images", images)
    if images.shape[1:] != shape:
        expected = ", ".join(map(str, shape))
        raise UserError(f"images: are uint8 {list(images.shape)}, must be uint8 [N, {expected}]")
    if len(images) < image_files.LEAST_IMAGES:
        raise UserError(f"images: are {len(images)}, must be at least {image_files.LEAST_IMAGES}")
    check_range("images", images, tell)


@speaking_of_arguments()
def train(
    run_dir: str | Path,
    preset: str = "mlp",
    *,
    generator: keras.Model | str | None = None,
    discriminator: keras.Model | str | None = None,
    **fields: Any,
) -> dict[str, Any]:
    """Trains, or goes on with a run, and returns its summary.

    In the main thread SIGINT (Ctrl-C), SIGTERM and SIGUSR1 save the run first. Then the handler
    that was there before gets the signal; if there was none, and for Ctrl-C, this is a
    KeyboardInterrupt. A second signal is that at once.

    Memory is free again after a run, but for what TensorFlow keeps of each program that XLA has
    compiled, about 30 MB a run; for hundreds of runs use processes, started with "spawn".

    Args:
        run_dir: Where the run is stored.
        preset: A key of ``gan.run.presets.PRESETS``.
        generator: Instead of the preset's: a key of `GENERATORS`, or a functional model
            from [batch, latent_dim] to float32 images [batch, H, W, C] in -1..1.
        discriminator: Likewise: a name, or a functional model from such images to float32 logits
            [batch, 1]; with an auxiliary objective to the list of these and of a head.
        **fields: Fields of `Config` that differ from the preset, such as steps=2000.

    Raises:
        UserError: Invalid input; nothing was written.
        TrainingFailed: A number is not finite, or the run directory cannot be written any more.
        KeyboardInterrupt: A signal came; the same call goes on with the run.
    """
    networks = {"generator": generator, "discriminator": discriminator}
    for name, given in networks.items():
        if not isinstance(given, keras.Model | str | None):
            raise UserError(f"{name}: is {type(given).__name__}, must be a Keras model or a name")
    named = {name: given for name, given in networks.items() if isinstance(given, str)}
    own = {name: given for name, given in networks.items() if isinstance(given, keras.Model)}
    config = from_preset(preset, {**fields, **named})
    try:
        with handing_on_signals() as stop:
            return Summary(
                trainer.train(
                    config,
                    run_dir,
                    **own,
                    preset=preset,
                    make_evaluators=evaluation.evaluators,
                    stop=stop,
                )
            )
    except GivenUp:
        raise KeyboardInterrupt from None
    finally:
        gc.collect()  # networks and optimizers are in circles, and another run may follow
