"""Walks along InfoGAN's codes, and runs whose networks had that name."""

import json

import keras
import numpy as np
from PIL import Image

from gan.cli import sample as sample_command
from gan.run.heads import Codes
from gan.sampling.codes import code_picture, walks, with_category
from gan.sampling.latents import latents_of
from gan.training.trainer import train
from support import status_of


def test_a_category_is_set_by_an_exchange():
    latents = latents_of(range(50), 6)
    for category in range(4):
        moved = with_category(latents, category, Codes(4, 1))
        assert (moved[:, :4].argmax(1) == category).all()
        np.testing.assert_array_equal(np.sort(moved[:, :4]), np.sort(latents[:, :4]))
        np.testing.assert_array_equal(moved[:, 4:], latents[:, 4:])


def test_a_row_is_a_category_and_a_block_a_code():
    found = walks(Codes(3, 2), latents_of(range(10), 8))
    assert found.shape == (3, 30, 8)
    assert (found[:, :, :3].argmax(2) == np.arange(3)[:, None]).all()
    np.testing.assert_array_equal(found[0, :10, 3:], found[1, :10, 3:])  # noise of a column
    assert len(np.unique(found[0, :10, 5])) == 10
    for block, entry, other in ((1, 3, 4), (2, 4, 3)):
        walk = found[1, 10 * block : 10 * block + 10]
        np.testing.assert_allclose(walk[:, entry], np.linspace(-2, 2, 10), rtol=1e-6)
        assert len(np.unique(walk[:, other])) == 1
        np.testing.assert_array_equal(walk[:, 5:], np.tile(found[1, 0, 5:], (10, 1)))
    alone = walks(Codes(0, 1), latents_of(range(10), 4))
    assert alone.shape == (10, 20, 4)
    assert len(np.unique(alone[:, 10, 2])) == 10  # rows of other latents


def test_the_picture_shows_what_the_generator_makes_of_it():
    """The category of two is black or white, and a continuous code the grey of the right half."""
    latents = keras.Input([3])
    entries, others = keras.ops.split(latents, [2], 1)
    largest = keras.ops.one_hot(keras.ops.argmax(entries, 1), 2)[:, 1:]
    left = keras.ops.repeat(2.0 * largest - 1.0, 2, axis=1)
    right = keras.ops.repeat(others / 2.0, 2, axis=1)
    images = keras.layers.Reshape([2, 2, 1])(keras.layers.Concatenate()([left, right]))
    picture = code_picture(keras.Model(latents, images), Codes(2, 1))
    cells = picture[6:, 6:, 0]  # an image every 12 pixels, 3 for one of its own
    tops = [cells[12 * row + 1, 1::12] for row in range(2)]  # the first pixel of each image
    assert [set(row.tolist()) for row in tops] == [{0}, {255}]
    lower = cells[4, 1::12][10:]  # the second row of pixels, along the walk
    assert lower.tolist() == np.round(np.linspace(0, 255, 10)).astype(int).tolist()


def test_a_run_writes_it_and_so_does_sample(tiny_config, tmp_path, monkeypatch):
    config = tiny_config(auxiliary="infogan", categories=4, continuous_codes=1, steps=2, seed=3)
    train(config, tmp_path / "run", quiet=True)
    training = tmp_path / "run" / "samples" / "step_00000002.png"
    assert Image.open(training).size == ((20 * 30 + 2) * 3, (4 * 30 + 2) * 3)
    out = tmp_path / "codes.png"
    flags = (f"--run_dir={tmp_path / 'run'}", "--codes", f"--out={out}")
    assert status_of(monkeypatch, sample_command, *flags) == 0
    assert out.read_bytes() == training.read_bytes()  # both are of the run's seed
    grid = tmp_path / "grid.png"
    assert status_of(monkeypatch, sample_command, flags[0], f"--out={grid}") == 0


def test_a_run_of_networks_called_infogan_goes_on(tiny_config, tmp_path, monkeypatch):
    """And is sampled."""
    today = {"generator": "dcgan_dense_tiny", "discriminator": "dcgan_dense_tiny"}
    config = tiny_config(**today, steps=2)
    train(config, tmp_path / "run", quiet=True)
    path = tmp_path / "run" / "config.json"
    values = json.loads(path.read_text())
    fields = ("auxiliary", "auxiliary_weight", "categories", "continuous_codes", "labelled_images")
    for field in fields:  # an older version had none of these
        del values["config"][field]
    values["config"] |= {"generator": "infogan_tiny", "discriminator": "infogan_tiny"}
    path.write_text(json.dumps(values))
    flags = (f"--run_dir={tmp_path / 'run'}", "--checkpoint=latest", f"--out={tmp_path / 'a.png'}")
    assert status_of(monkeypatch, sample_command, *flags) == 0
    summary = train(tiny_config(**today, steps=4), tmp_path / "run", quiet=True)
    assert (summary["status"], summary["step"]) == ("completed", 4)
    assert json.loads(path.read_text())["config"]["generator"] == "dcgan_dense_tiny"
