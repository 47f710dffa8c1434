"""The pictures of a run: a grid of real images, and grids of samples from the same latents."""

from pathlib import Path

import keras
import numpy as np

from gan import logs, runs
from gan.config import Config
from gan.data import SAMPLES, draw_latents, to_uint8
from gan.logs import GRID_SIDE, MetricsLog


def sample_images(config: Config, generator: keras.Model, count: int) -> np.ndarray:
    """Returns `count` images [count, H, W, C] uint8 of latents that only the seed decides."""
    latents = draw_latents([count, config.latent_dim], config.seed, SAMPLES, 0)
    return to_uint8(generator(latents, training=False)).numpy()


def write_samples(
    config: Config, run_dir: Path, generator: keras.Model, step: int, log: MetricsLog
) -> None:
    """Writes the grid of this step, as a file and to TensorBoard; the same latents each time."""
    grid = logs.image_grid(sample_images(config, generator, GRID_SIDE**2))
    logs.write_png(run_dir / runs.SAMPLES_DIR / f"step_{step:08d}.png", grid)
    log.image("samples", step, grid)


def write_reals(run_dir: Path, images: np.ndarray, log: MetricsLog) -> None:
    """Writes a grid of the first real images, as a file and to TensorBoard."""
    grid = logs.image_grid(images[: GRID_SIDE**2])
    logs.write_png(run_dir / runs.SAMPLES_DIR / "reals.png", grid)
    log.image("reals", 0, grid)
