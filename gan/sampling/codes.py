"""Walks along the codes of an InfoGAN: what each of them changes about an image.

References:
    Chen et al. 2016, arXiv:1606.03657, figure 2.
"""

import keras
import numpy as np

from gan.data.images import image_grid
from gan.run.heads import Codes
from gan.sampling.drawing import draw
from gan.sampling.latents import latents_of

COLUMNS = 10  # of each walk
ROWS = 10  # most; of more categories those are spread over all
REACH = 2.0  # continuous codes go from -REACH to REACH


def with_category(latents: np.ndarray, category: int, codes: Codes) -> np.ndarray:
    """Returns latents [n, latent_dim] that stand for one category and are as likely as before.

    The largest of the entries changes places with that of the category.
    """
    moved, rows = latents.copy(), np.arange(len(latents))
    largest = latents[:, : codes.categories].argmax(1)
    moved[rows, largest] = latents[rows, category]
    moved[rows, category] = latents[rows, largest]
    return moved


def walks(codes: Codes, latents: np.ndarray) -> np.ndarray:
    """Returns latents [rows, (1 + continuous) * COLUMNS, latent_dim] of a picture.

    A row is a category, or without categories a latent. Its first `COLUMNS` have other noise, the
    same in each row; each further `COLUMNS` walk a continuous code, with the rest as it is in the
    first column.

    Args:
        codes: Of the generator.
        latents: [COLUMNS, latent_dim] float32 ~ N(0, 1).
    """
    if codes.categories:
        shown = np.unique(np.linspace(0, codes.categories - 1, ROWS).round().astype(int))
        starts = [with_category(latents, category, codes) for category in shown.tolist()]
    else:  # every row begins with another latent
        starts = [np.roll(latents, -row, axis=0) for row in range(ROWS)]
    rows = []
    for start in starts:
        parts = [start]
        for entry in range(codes.categories, codes.entries()):
            walk = np.repeat(start[:1], COLUMNS, axis=0)
            walk[:, entry] = np.linspace(-REACH, REACH, COLUMNS)
            parts.append(walk)
        rows.append(np.concatenate(parts))
    return np.stack(rows)


def code_picture(generator: keras.Model, codes: Codes, seed: int = 0) -> np.ndarray:
    """Returns the picture [height, width, C] uint8 of `walks` from the latents of the first seeds.

    `seed` is that of the noise.
    """
    latents = latents_of(np.arange(COLUMNS), generator.inputs[0].shape[-1], seed)
    drawn = walks(codes, latents)
    rows, columns, _ = drawn.shape
    images = draw(generator, drawn.reshape(rows * columns, -1), np.zeros(rows * columns))
    return image_grid(images, columns)
