"""The pictures of a run: real examples, and samples from the same latents at every step."""

from pathlib import Path

import keras
import numpy as np

from gan.data.datasets import Dataset
from gan.data.images import GRID_SIDE, image_grid, scatter, write_png
from gan.data.input_pipeline import real_examples
from gan.models.checks import classes_of
from gan.rng import SAMPLES, draw_latents
from gan.run import layout
from gan.run.config import Config
from gan.sampling.codes import code_picture
from gan.sampling.drawing import POINTS_SHOWN, draw, shown_classes
from gan.training.metrics_log import MetricsLog

CLASS_COLUMNS = 10


def sample_images(config: Config, generator: keras.Model, count: int) -> np.ndarray:
    """Returns `count` examples as data sets store them, of latents that only the seed decides."""
    latents = draw_latents([count, config.latent_dim], config.seed, SAMPLES, 0).numpy()
    return draw(generator, latents, np.arange(count) % max(1, classes_of(generator)))


def class_rows(config: Config, generator: keras.Model) -> np.ndarray:
    """Returns images [rows * CLASS_COLUMNS, H, W, C] uint8: a row a class, a column a latent."""
    shown = shown_classes(generator)
    latents = draw_latents([CLASS_COLUMNS, config.latent_dim], config.seed, SAMPLES, 0).numpy()
    latents = np.tile(latents, [len(shown), 1])
    return draw(generator, latents, np.repeat(shown, CLASS_COLUMNS))


def sample_picture(config: Config, generator: keras.Model, data: Dataset) -> np.ndarray:
    """Returns the picture of samples: a grid, a row a class if conditional; points are scattered.

    With InfoGAN's codes it walks each of them, see gan/sampling/codes.py.

    Returns:
        [height, width, C] uint8.
    """
    if data.mixture is not None:
        points = sample_images(config, generator, POINTS_SHOWN)
        return scatter(real_examples(data, POINTS_SHOWN, config.seed), points)
    if config.codes.entries():
        return code_picture(generator, config.codes, config.seed)
    if config.conditional:
        return image_grid(class_rows(config, generator), CLASS_COLUMNS)
    return image_grid(sample_images(config, generator, GRID_SIDE**2))


def write_samples(run_dir: Path, step: int, picture: np.ndarray, log: MetricsLog) -> None:
    """Writes the picture of samples of this step, as a file and to TensorBoard."""
    write_png(run_dir / layout.SAMPLES_DIR / f"step_{step:08d}.png", picture)
    log.image("samples", step, picture)


def write_reals(config: Config, run_dir: Path, data: Dataset, log: MetricsLog) -> None:
    """Writes a picture of some real examples, as a file and to TensorBoard."""
    if data.mixture is not None:
        picture = scatter(real_examples(data, POINTS_SHOWN, config.seed))
    else:
        picture = image_grid(real_examples(data, GRID_SIDE**2, config.seed))
    write_png(run_dir / layout.SAMPLES_DIR / "reals.png", picture)
    log.image("reals", 0, picture)
