"""PNG files of every kind, through one codec."""

import io

import numpy as np
import pytest
from PIL import Image

from gan.data.images import decode_png, read_png, scatter_figure, write_png
from gan.errors import UserError

GREY = np.array([[[0], [255], [7]], [[100], [200], [30]]], np.uint8)
COLOUR = np.stack([GREY[..., 0], GREY[..., 0] // 2, 255 - GREY[..., 0]], -1)


NOISE = np.random.default_rng(0).integers(0, 256, (16, 16, 3), np.uint8)


def png(array, palette=False):
    """The content of a PNG file."""
    buffer = io.BytesIO()
    image = Image.fromarray(array)
    (image.quantize(256) if palette else image).save(buffer, "PNG")
    return buffer.getvalue()


@pytest.mark.parametrize("image", [GREY, COLOUR])
def test_what_is_written_is_read_again(image, tmp_path):
    write_png(tmp_path / "a.png", image)
    assert np.array_equal(decode_png((tmp_path / "a.png").read_bytes(), image.shape[-1]), image)
    assert np.array_equal(read_png(tmp_path / "a.png"), np.broadcast_to(image, (2, 3, 3)))


def test_of_16_bits_the_upper_8_count():
    wide = GREY[..., 0].astype(np.uint16) * 256 + 255
    assert np.array_equal(decode_png(png(wide), 1), GREY)
    assert np.array_equal(decode_png(png(wide), 3), np.repeat(GREY, 3, -1))


def test_palettes_become_colours():
    content = png(COLOUR, palette=True)
    with Image.open(io.BytesIO(content)) as image:
        assert image.mode == "P"
    assert np.abs(decode_png(content, 3).astype(int) - COLOUR).max() <= 8  # of quantizing


@pytest.mark.parametrize("content", [b"", b"GIF89a", png(NOISE)[:40], png(NOISE)[:400]])
def test_damage_is_named(content, tmp_path):
    with pytest.raises(ValueError, match=r"."):
        decode_png(content, 3)
    (tmp_path / "a.png").write_bytes(content)
    with pytest.raises(UserError, match=r"a\.png: cannot be read \("):
        read_png(tmp_path / "a.png")


def test_points_outside_of_a_picture_are_counted():
    """It reaches a quarter beyond the real points, in either direction."""
    real = np.array([[-4.0, 1.0], [2.0, 3.0]])
    near = np.array([[4.9, -4.9], [0.0, 4.9]])
    for far, label in (
        ([], ""), ([[5.1, 0], [0, -5.1], [9, 9]], "3 points are outside"),
    ):  # fmt: skip
        (axes,) = scatter_figure(3, real, np.concatenate([near, np.reshape(far, (-1, 2))])).axes
        assert axes.get_xlim() == axes.get_ylim() == (-5, 5)
        assert axes.get_xlabel() == label
