"""The pipeline of a GPU, on a CPU here: the same blocks as those of tf.data."""

import itertools
from typing import Any

import numpy as np
import pytest

from gan.data.datasets import Dataset
from gan.data.input_pipeline import block_dataset, device_blocks

RNG = np.random.default_rng(0)
IMAGES = RNG.integers(0, 256, [70, 4, 4, 1], np.uint8)
LABELS = RNG.integers(0, 3, 70)
SETTINGS: dict[str, Any] = {
    "steps_per_call": 4, "d_steps": 2, "batch_size": 5, "latent_dim": 3, "seed": 7,
}  # fmt: skip


@pytest.mark.parametrize(
    ("data", "changes"),
    [
        (Dataset(IMAGES), {}),
        (Dataset(IMAGES, LABELS), {"noise_seed": 2**31 + 7}),
        (Dataset(IMAGES, LABELS, stack=3), {"d_steps": 1}),
        (Dataset(IMAGES, LABELS), {"first_step": 6}),
        (Dataset(RNG.normal(size=[50, 2]).astype(np.float32)), {"batch_size": 70}),
    ],
    ids=["images", "rolled-back", "stack", "resumed", "points"],
)
def test_blocks_are_those_of_the_cpu(data: Dataset, changes: dict[str, Any]) -> None:
    settings = {**SETTINGS, **changes}
    expected = block_dataset(data, **settings).take(9)
    made = itertools.islice(device_blocks(data, "CPU:0", **settings, threads=3), 9)
    for theirs, ours in zip(expected, made, strict=True):
        for a, b in zip(theirs, ours, strict=True):
            assert a.dtype == b.dtype
            np.testing.assert_array_equal(a, b)
