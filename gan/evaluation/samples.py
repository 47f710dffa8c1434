"""What is evaluated: images that a run or a generator in a file draws, or files of images."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple, TypeAlias

import keras
import numpy as np

from gan.algorithm.head_accuracy import head_accuracy
from gan.data.datasets import Dataset, dataset_from_config
from gan.data.identity import data_of_run
from gan.errors import UserError
from gan.evaluation.image_files import read_samples
from gan.evaluation.mode_coverage import default_count
from gan.evaluation.reference import usual_images
from gan.run import imports, layout, saved_config
from gan.run.config import Config
from gan.run.heads import MOST_NAMED, names_classes
from gan.sampling import discriminators, drawing, generators, packaged, posthoc_averages

USUAL_IMAGES = 10_000  # of the generator of a run

Check: TypeAlias = Callable[[str, Dataset], None]  # raises UserError for the data of that name


class Samples(NamedTuple):
    """Samples of a generator, and what they are compared with."""

    images: np.ndarray  # [N, H, W, C] uint8, or points [N, D] float32
    dataset: str
    data: Dataset
    origin: dict[str, Any]  # the part of the record that says where they come from
    generator: keras.Model | None
    labels: np.ndarray | None = None  # [N] integers, that a conditional generator drew them for
    head_accuracy: float | None = (
        None  # of D, on test images, where it has a head that names classes
    )


def draw_from_run(
    run_dir: Path,
    config: Config,
    weights: str,
    checkpoint: str,
    *,
    count: int | None,
    seed: int,
    data_dir: str,
    print_fn: Callable[[str], None],
    split: str = "test",
    ema_sigma: float = 0.0,
    check: Check = lambda dataset, data: None,
) -> Samples:
    """Returns `count` samples of a checkpoint, None: as many as are usual for the data.

    These are so many as the field counts modes on, or of a folder those that have floors beside
    the images of `split`. With `ema_sigma` they are those of a post-hoc average instead. `check`
    is called with the data before anything is drawn.

    Raises:
        UserError: There is no such checkpoint, or the data cannot be found, or are others.
    """
    if ema_sigma:
        posthoc_averages.find_snapshot(run_dir, ema_sigma, checkpoint)
    else:
        generators.find_checkpoint(run_dir, checkpoint)  # found missing before data are loaded
    with imports.naming_missing(run_dir, saved_config.read_values(run_dir)):
        data = data_of_run(run_dir, config, print_fn, data_dir)
    check(config.dataset, data)
    if ema_sigma:
        weights = "posthoc"
        generator, step = posthoc_averages.averaged_generator(run_dir, data, ema_sigma, checkpoint)
    else:
        generator, step = generators.restore_generator(run_dir, data, weights, checkpoint)
    count = count or usual_count(data, split)
    print_fn(f"drawing {count:,} images of step {step}, {weights} weights")
    images = drawing.sample_for_evaluation(generator, data, count, seed)
    labels = drawing.labels_for_evaluation(generator, data, count, seed)
    origin = {
        "step": step,
        "kimg": step * config.d_steps * config.batch_size / 1000,
        "checkpoint": checkpoint,
        "weights": weights,
        "seed": seed,
    }
    if ema_sigma:
        origin["ema_sigma"] = ema_sigma
    asked = labels if config.conditional else None
    # A post-hoc average is G's; the checkpoint that D had then may be gone.
    of_d = checkpoint if checkpoint == "best" else str(step)
    found = None if ema_sigma else accuracy_of_head(run_dir, config, data, of_d)
    return Samples(images, config.dataset, data, origin, generator, asked, found)


def accuracy_of_head(run_dir: Path, config: Config, data: Dataset, checkpoint: str) -> float | None:
    """Returns the share of test images whose class D's head names, None if no head does.

    It is also None of a D that Python code gave to a run that has not ended, so has no file of it.
    """
    if not names_classes(config.auxiliary) or data.labelled is None:
        return None
    given = "discriminator" in saved_config.own_networks(run_dir)
    if given and not (run_dir / layout.DISCRIMINATOR_FILE).exists():
        return None
    discriminator = discriminators.restore_discriminator(run_dir, config, data, checkpoint)
    shown, test = slice(MOST_NAMED), data.labelled
    return head_accuracy(discriminator, test.test_images[shown], test.test_labels[shown])


def read_or_draw(
    place: str,
    compared: Config,
    *,
    count: int | None,
    seed: int,
    data_dir: str,
    print_fn: Callable[[str], None],
    check: Check = lambda dataset, data: None,
) -> Samples:
    """Returns the images of `read_samples`, or those that a generator in a Keras file draws.

    `compared` says which data are what they are compared with. `count` and `seed` are for a
    generator, see `draw_from_run`, as is `check`.
    """
    data = dataset_from_config(compared, print_fn, data_dir)
    check(compared.dataset, data)
    path, generator = Path(place), None
    origin: dict[str, Any] = {}
    if path.suffix == ".keras" or packaged.is_packaged(path):
        generator = generators.read_generator(packaged.file_of(path))
        if generator.output_shape[1:] != data.shape:
            made = list(generator.output_shape[1:])
            raise UserError(f"--samples={path}: makes {made}, must make {list(data.shape)}")
        count = count or usual_count(data)
        images = drawing.sample_for_evaluation(generator, data, count, seed)
        read_as, origin["seed"] = "drawn by it", seed
    else:
        images, read_as = read_samples(path, data.shape, print_fn)
    print_fn(f"{len(images):,} images ({read_as})")
    origin |= {"samples": place, "read_as": read_as}
    return Samples(images, compared.dataset, data, origin, generator)


def usual_count(data: Dataset, split: str = "test") -> int:
    """Returns how many samples are drawn where nobody says, beside the images of `split`."""
    return default_count(data) if data.has_modes else usual_images(data, split, USUAL_IMAGES)
