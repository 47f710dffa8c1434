"""Pictures for papers: one image without loss or smoothing, as wide as a column."""

import base64
import contextlib
import io
import re
import struct
import zlib

import numpy as np
import pytest
from PIL import Image

from gan.data import figures

GREY = np.random.default_rng(0).integers(0, 256, (20, 30, 1), np.uint8)
COLOUR = np.random.default_rng(1).integers(0, 256, (40, 30, 3), np.uint8)


def chunk(name, data):
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))


def image_in_pdf(data):
    """The only image of a PDF, [H, W, 3]: its stream is what PNG files have, and is read as one."""
    (found,) = re.finditer(rb"/Subtype /Image", data)
    head, _, rest = data[found.start() :].partition(b"stream\n")
    assert b"/FlateDecode" in head
    assert b"/Interpolate true" not in head
    width, height = (int(re.search(rb"/%s (\d+)" % n, head)[1]) for n in (b"Width", b"Height"))
    palette = re.search(rb"/Indexed /DeviceRGB (\d+)\s+\((.*?)\)\s+\]", head, re.DOTALL)
    assert b"/Colors 1 " in head if palette else b"/Colors 3 " in head
    kind = 3 if palette else 2
    png = b"\x89PNG\r\n\x1a\n" + chunk(
        b"IHDR", struct.pack(">IIBBBBB", width, height, 8, kind, 0, 0, 0)
    )
    if palette:
        escaped = re.sub(rb"\\([0-7]{3}|.)", unescaped, palette[2], flags=re.DOTALL)
        png += chunk(b"PLTE", escaped)
    png += chunk(b"IDAT", rest[: rest.index(b"\nendstream")]) + chunk(b"IEND", b"")
    rows = np.asarray(Image.open(io.BytesIO(png)).convert("RGB"))
    return rows[::-1] if is_turned_over(data) else rows


def is_turned_over(data):
    """Whether the page of a PDF draws its image with the last row on top."""
    contents = []
    for stream in re.findall(rb"stream\n(.*?)\nendstream", data, re.DOTALL):
        with contextlib.suppress(zlib.error):
            contents.append(zlib.decompress(stream))
    (matrix,) = re.findall(
        rb"([-\d.]+) 0 0 ([-\d.]+) [-\d.]+ [-\d.]+ cm /I1 Do", b"".join(contents)
    )
    assert float(matrix[0]) == 234
    return float(matrix[1]) < 0


def unescaped(match):
    """A character of a string in a PDF."""
    if len(match[1]) == 3:
        return bytes([int(match[1], 8)])
    return {b"n": b"\n", b"r": b"\r", b"t": b"\t", b"b": b"\b", b"f": b"\f"}.get(match[1], match[1])


def image_in_svg(data):
    (found,) = re.findall(rb'<image xlink:href="data:image/png;base64,([^"]*)"', data)
    (matrix,) = re.findall(rb'<image[^>]* transform="matrix\(([^ ]+) 0 0 \1 0 0\)"', data)
    assert float(matrix) * 1950 == pytest.approx(234, abs=0.01)  # upright, all of the width
    assert data.count(b"image-rendering:crisp-edges;image-rendering:pixelated") == 1
    png = Image.open(io.BytesIO(base64.b64decode(found)))
    return np.asarray(png.convert("RGB"))


@pytest.mark.parametrize("picture", [GREY, COLOUR])
@pytest.mark.parametrize(("suffix", "read"), [(".pdf", image_in_pdf), (".svg", image_in_svg)])
def test_each_pixel_is_where_it_was(suffix, read, picture, tmp_path):
    path = tmp_path / f"grid{suffix}"
    figures.write_picture(path, picture)
    data = path.read_bytes()
    expected = np.broadcast_to(picture, (*picture.shape[:2], 3))
    shown = read(data)
    times = 65  # 1,950 pixels of 3.25 inches at 600 dpi
    assert shown.shape == (times * picture.shape[0], times * 30, 3)
    blocks = shown.reshape(picture.shape[0], times, 30, times, 3)
    assert (blocks == blocks[:, :1, :, :1]).all()  # not smoothed
    np.testing.assert_array_equal(blocks[:, 0, :, 0], expected)
    height = 3.25 * 72 * picture.shape[0] / 30
    if suffix == ".pdf":
        box = re.search(rb"/MediaBox \[ 0 0 ([\d.]+) ([\d.]+) \]", data)
    else:
        box = re.search(rb'viewBox="0 0 ([\d.]+) ([\d.]+)"', data)
    assert [float(side) for side in box.groups()] == pytest.approx([234, height])


def test_the_same_picture_is_the_same_file(tmp_path):
    for suffix in (".pdf", ".svg"):
        files = []
        for name in "ab":
            figures.write_picture(tmp_path / f"{name}{suffix}", GREY)
            files.append((tmp_path / f"{name}{suffix}").read_bytes())
        assert files[0] == files[1]
