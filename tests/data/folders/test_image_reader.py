import errno
import io
import os
import struct
import zlib

import numpy as np
import pytest
from PIL import Image, ImageOps, features

from gan.data.folders import image_reader
from gan.data.folders.image_reader import BadImage, colour, flaw_of, read_image
from gan.errors import UserError

RNG = np.random.default_rng(3)
RED, BLUE = (255, 0, 0), (0, 0, 255)


def noise(height, width, channels=3):
    return RNG.integers(0, 256, (height, width, channels), np.uint8)


def encoded(image, form, **options):
    file = io.BytesIO()
    image.save(file, form, **options)
    return file.getvalue()


def pixels_of(path, side, channels=3, background="white"):
    return read_image(path, side, channels, background).pixels


def test_an_image_of_the_right_size_stays_as_it_is(tmp_path):
    for channels in (1, 3):
        image = noise(9, 9, channels)
        Image.fromarray(image.squeeze()).save(tmp_path / "a.png")
        found = read_image(tmp_path / "a.png", 9, channels, "white")
        assert (found.format, found.width, found.height) == ("PNG", 9, 9)
        assert found.pixels.dtype == np.uint8
        assert np.array_equal(found.pixels, image)


def test_the_square_in_the_centre_is_cut_out(tmp_path):
    wide, tall = noise(8, 17), noise(11, 8)
    Image.fromarray(wide).save(tmp_path / "wide.png")
    Image.fromarray(tall).save(tmp_path / "tall.png")
    assert np.array_equal(pixels_of(tmp_path / "wide.png", 8), wide[:, 4:12])
    assert np.array_equal(pixels_of(tmp_path / "tall.png", 8), tall[1:9])


def test_large_images_are_averaged_and_small_ones_enlarged(tmp_path):
    stripes = np.zeros((64, 64), np.uint8)
    stripes[:, [x for x in range(64) if x % 8 in (3, 4)]] = 255  # where each sample lies
    Image.fromarray(stripes).save(tmp_path / "stripes.png")
    small = pixels_of(tmp_path / "stripes.png", 8, 1)
    assert 40 < small.min() <= small.max() < 160  # without antialiasing it is 255
    Image.new("RGB", (3, 3), (200, 200, 200)).save(tmp_path / "flat.png")
    assert np.array_equal(pixels_of(tmp_path / "flat.png", 8), np.full((8, 8, 3), 200))


def test_grey_and_colour(tmp_path):
    grey, image = noise(8, 8, 1), noise(8, 8)
    Image.fromarray(grey.squeeze()).save(tmp_path / "grey.png")
    assert np.array_equal(pixels_of(tmp_path / "grey.png", 8), np.repeat(grey, 3, 2))
    Image.fromarray(image).save(tmp_path / "colour.png")
    luma = np.round(image @ np.array([0.299, 0.587, 0.114]))[..., None]
    assert np.abs(pixels_of(tmp_path / "colour.png", 8, 1).astype(int) - luma).max() <= 1


LOSSLESS = {
    "a.webp": ("WEBP", {"lossless": True}), "b.bmp": ("BMP", {}), "c.tif": ("TIFF", {}),
    "packed.tiff": ("TIFF", {"compression": "tiff_lzw"}), "wrong_name.jpg": ("PNG", {}),
}  # fmt: skip


@pytest.mark.parametrize("name", LOSSLESS)
def test_forms_without_loss(name, tmp_path):
    image, (form, options) = noise(8, 8), LOSSLESS[name]
    (tmp_path / name).write_bytes(encoded(Image.fromarray(image), form, **options))
    found = read_image(tmp_path / name, 8, 3, "white")
    assert (found.format, np.array_equal(found.pixels, image)) == (form, True)


@pytest.mark.parametrize("name", ["a.jpg", "a.jpe", "a.jfif", "a.avif"])
def test_forms_with_loss(name, tmp_path):
    form = "AVIF" if name == "a.avif" else "JPEG"
    if form == "AVIF" and not features.check("avif"):
        pytest.skip("Pillow has no AVIF here")
    smooth = np.linspace(0, 255, 64).astype(np.uint8).reshape(8, 8)
    Image.fromarray(smooth).convert("RGB").save(tmp_path / name, form, quality=95)
    found = read_image(tmp_path / name, 8, 1, "white")
    assert found.format == form
    assert np.abs(found.pixels[..., 0].astype(int) - smooth).max() < 8


@pytest.mark.parametrize("name", ["a.jpg", "a.png", "a.webp", "a.tif"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_an_image_stands_as_viewers_show_it(orientation, name, tmp_path):
    """A red corner on blue, stored in each of the eight ways."""
    seen = Image.new("RGB", (32, 16), BLUE)
    seen.paste(RED, (0, 0, 16, 8))
    inverse = {1: None, 2: 0, 3: 3, 4: 1, 5: 5, 6: 2, 7: 6, 8: 4}[orientation]  # of Transpose
    stored = seen if inverse is None else seen.transpose(Image.Transpose(inverse))
    exif = Image.Exif()
    exif[0x0112] = orientation
    options = {"lossless": True} if name == "a.webp" else {}
    stored.save(tmp_path / name, exif=exif, **options)
    with Image.open(tmp_path / name) as image:  # the table is right
        assert np.abs(np.asarray(ImageOps.exif_transpose(image), int) - seen).mean() < 20
    found = read_image(tmp_path / name, 16, 3, "white")
    assert (found.width, found.height) == (32, 16)
    expected = np.asarray(seen.crop((8, 0, 24, 16)), int)
    assert np.abs(found.pixels - expected).mean() < 20


def test_what_is_transparent_shows_the_background(tmp_path):
    clear = Image.new("RGBA", (8, 8), (*RED, 0))
    half = Image.new("RGBA", (8, 8), (*RED, 128))
    palette = Image.new("P", (8, 8), 1)
    palette.putpalette([*BLUE, *RED])
    grey = Image.new("LA", (8, 8), (77, 0))
    for name, image, options in (
        ("clear.png", clear, {}), ("clear.webp", clear, {"lossless": True}),
        ("palette.png", palette, {"transparency": 1}), ("grey.png", grey, {}),
        ("palette.gif", palette, {"transparency": 1}),
        ("key.png", Image.new("RGB", (8, 8), RED), {"transparency": RED}),
    ):  # fmt: skip
        image.save(tmp_path / name, **options)
        for background, value in (("white", (255, 255, 255)), ("#010203", (1, 2, 3))):
            found = pixels_of(tmp_path / name, 8, background=background)
            assert np.array_equal(found, np.broadcast_to(value, (8, 8, 3))), (name, background)
    half.save(tmp_path / "half.png")
    assert pixels_of(tmp_path / "half.png", 1, background="blue").ravel() == pytest.approx(
        [128, 0, 127], abs=1
    )
    palette.save(tmp_path / "opaque.png")
    assert pixels_of(tmp_path / "opaque.png", 1).ravel().tolist() == list(RED)


def test_colours_of_other_spaces(tmp_path):
    cmyk = Image.new("CMYK", (8, 8), (0, 255, 255, 0))
    for name in ("cmyk.jpg", "cmyk.tif"):
        cmyk.save(tmp_path / name)
        found = pixels_of(tmp_path / name, 1).ravel()
        assert np.abs(found.astype(int) - RED).max() < 5, name
    Image.new("1", (8, 8), 1).save(tmp_path / "bits.png")
    assert pixels_of(tmp_path / "bits.png", 1, 1).item() == 255
    film = [Image.new("RGB", (8, 8), name) for name in (RED, BLUE)]
    for name in ("film.gif", "film.webp", "film.png", "film.tif"):
        film[0].save(tmp_path / name, save_all=True, append_images=film[1:])
        found = pixels_of(tmp_path / name, 1).ravel()
        assert np.abs(found.astype(int) - RED).max() < 5, name


def test_of_16_bits_the_upper_ones_count(tmp_path):
    values = np.array([[0, 257, 65535], [255, 256, 30000], [65280, 65279, 511]], np.uint16)
    Image.fromarray(values).save(tmp_path / "a.png")
    Image.fromarray(values).save(tmp_path / "a.tif")
    expected = [0, 1, 255, 0, 1, 117, 255, 254, 1]
    for name in ("a.png", "a.tif"):
        assert pixels_of(tmp_path / name, 3, 1).ravel().tolist() == expected
        assert pixels_of(tmp_path / name, 3, 3)[..., 2].ravel().tolist() == expected
    Image.fromarray(np.array([[70000]], np.int32)).save(tmp_path / "wide.tif")
    assert flaw_of(tmp_path / "wide.tif") == "has 32 bits a channel, must have 8 or 16"
    Image.fromarray(np.array([[0.5]], np.float32)).save(tmp_path / "float.tif")
    assert flaw_of(tmp_path / "float.tif") == "has floating-point pixels, must have 8 or 16 bits"


def test_numbers_that_pillow_takes_for_others_are_refused(tmp_path):
    values = Image.fromarray(np.full((4, 4), 64 << 8, np.uint16))
    values.save(tmp_path / "white.tif", tiffinfo={262: 0})
    assert flaw_of(tmp_path / "white.tif") == "has 16 bits with 0 as white, must have 0 as black"
    eight = Image.new("L", (4, 4), 64)
    eight.save(tmp_path / "white8.tif", tiffinfo={262: 0})
    assert pixels_of(tmp_path / "white8.tif", 1, 1).item() in (64, 191)  # as Pillow writes it
    for bits in (2, 16):
        data = png(bits, 0, 4, 4, bytes(4 * (1 + bits * 4 // 8)), transparent=b"\0\0")
        (tmp_path / "key.png").write_bytes(data)
        assert flaw_of(tmp_path / "key.png").startswith("has a transparent colour of other than 8")
        (tmp_path / "key.png").write_bytes(png(bits, 0, 4, 4, bytes(4 * (1 + bits * 4 // 8))))
        assert flaw_of(tmp_path / "key.png") == ""


def png(bits, colours, width, height, rows, transparent=b""):
    """A PNG file; `rows` begin with a filter each."""

    def chunk(name, data):
        check = struct.pack(">I", zlib.crc32(name + data))
        return struct.pack(">I", len(data)) + name + data + check

    header = struct.pack(">IIBBBBB", width, height, bits, colours, 0, 0, 0)
    parts = [chunk(b"IHDR", header), chunk(b"IDAT", zlib.compress(rows)), chunk(b"IEND", b"")]
    if transparent:
        parts.insert(1, chunk(b"tRNS", transparent))
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts)


@pytest.mark.parametrize("orientation", [1, 6])
@pytest.mark.parametrize("size", [(515, 513), (1030, 700), (64, 48)])
def test_large_jpegs_are_as_good_as_other_files(size, orientation, tmp_path):
    """They are decoded at a part of their size."""
    rng = np.random.default_rng(0)
    small = Image.fromarray(rng.integers(0, 256, (9, 9, 3), np.uint8))
    image = small.resize(size, Image.Resampling.BICUBIC)
    exif = Image.Exif()
    exif[0x0112] = orientation
    image.save(tmp_path / "a.jpg", quality=95, subsampling=0, exif=exif)
    image.save(tmp_path / "a.png", exif=exif)
    a, b = (pixels_of(tmp_path / name, 32).astype(int) for name in ("a.jpg", "a.png"))
    assert np.abs(a - b).mean() < 1.5
    assert read_image(tmp_path / "a.jpg", 32, 3, "white")[2:] == (size if orientation == 1
                                                                 else size[::-1])  # fmt: skip


@pytest.mark.parametrize(
    "value", [b"\0\3\0\0\0\1\0\x09\0\0", b"\0\3\0\0\0\1\0\0\0\0", b"\0\2\0\0\0\0026\0\0\0",
              b"\0\1\0\0\0\1\6\0\0\0"]
)  # fmt: skip
def test_an_orientation_that_is_none_turns_nothing(value, tmp_path):
    """9, 0, text and a byte; numbers of two bytes are."""
    exif = b"Exif\0\0MM\0*\0\0\0\x08\0\1\1\x12" + value + bytes(4)
    image = Image.fromarray(noise(8, 4))
    image.save(tmp_path / "a.png", exif=exif)
    found = read_image(tmp_path / "a.png", 4, 3, "white")
    assert (found.width, found.height) == (4, 8)
    assert np.array_equal(found.pixels, np.asarray(image)[2:6])


@pytest.mark.parametrize("exif", [b"MM\0*\xff\xff\xff\xff", b"XX\0*\0\0\0\x08", b"MM\0*\0\0"])
def test_damaged_exif_leaves_the_image(exif, tmp_path):
    image = Image.fromarray(noise(8, 8))
    image.save(tmp_path / "a.png", exif=b"Exif\0\0" + exif)
    assert np.array_equal(pixels_of(tmp_path / "a.png", 8), np.asarray(image))


@pytest.mark.parametrize(
    ("number", "lasts"), [(errno.EACCES, True), (errno.EIO, False), (errno.EMFILE, False)]
)
def test_an_error_that_may_be_over_is_no_bad_image(number, lasts, tmp_path, monkeypatch):
    def fail(path, most):
        raise OSError(number, os.strerror(number), path)

    monkeypatch.setattr(image_reader, "read_bytes", fail)
    with pytest.raises(BadImage if lasts else UserError, match=r"cannot be read \("):
        read_image(tmp_path / "a.png", 8, 3, "white")


def bad_files(directory):
    """Writes a bad file of each kind, and returns how what is said about it begins, by name."""
    picture = Image.fromarray(noise(40, 40))
    jpeg, png = (encoded(picture, form) for form in ("JPEG", "PNG"))
    flipped = png[:100] + bytes([png[100] ^ 1]) + png[101:]
    damaged, unknown = "is damaged or truncated (", "is no image, or damaged at its beginning"
    at = png.index(b"IEND") - 5  # the last byte of the check sum of what stands before
    check = png[:at] + bytes([png[at] ^ 1]) + png[at + 1 :]
    files = {
        "check.png": (check, damaged),
        "cut.bmp": (encoded(picture, "BMP")[:-3], damaged),
        "cut.gif": (encoded(picture, "GIF")[:-400], damaged),
        "cut.jpg": (jpeg[: len(jpeg) // 2], damaged),
        "cut.png": (png[: len(png) // 2], damaged),
        "cut.webp": (encoded(picture, "WEBP")[:-40], ""),
        "empty.png": (b"", "is empty"),
        "flipped.png": (flipped, damaged),
        "header.jpg": (jpeg[:20], unknown),
        "text.png": (b"This is no image.", unknown),
        "script.png": (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 8 8\n", unknown),
    }
    for name, (data, _) in files.items():
        (directory / name).write_bytes(data)
    return {name: reason for name, (_, reason) in files.items()}


def test_each_kind_of_bad_file_is_found(tmp_path):
    bad = bad_files(tmp_path)
    (tmp_path / "link.png").symlink_to("nowhere")
    os.mkfifo(tmp_path / "pipe.png")
    (tmp_path / "device.png").symlink_to("/dev/zero")
    bad["link.png"] = "cannot be read (No such file or directory)"
    bad["pipe.png"] = "cannot be read (Is a pipe, must be a file)"
    bad["device.png"] = "cannot be read (Is a device, must be a file)"
    for name, reason in bad.items():
        with pytest.raises(BadImage) as error:
            read_image(tmp_path / name, 8, 3, "white")
        assert str(error.value).startswith(reason), name
        assert "\n" not in str(error.value)
        assert flaw_of(tmp_path / name) == str(error.value)
    Image.fromarray(noise(8, 8)).save(tmp_path / "good.png")
    assert flaw_of(tmp_path / "good.png") == ""


def header(width, height):
    """A PNG file that has nothing else, and the beginning of pixels."""
    chunk = b"IHDR" + struct.pack(">IIBBBBB", width, height, 1, 0, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n\0\0\0\r"
        + chunk
        + struct.pack(">I", zlib.crc32(chunk))
        + b"\0\0\0\x08IDAT"
    )


def test_what_is_too_large_by_its_header_is_not_decoded(tmp_path):
    for size in ((30_000, 17_000), (178_956_971, 1)):
        (tmp_path / "a.png").write_bytes(header(*size))
        assert flaw_of(tmp_path / "a.png") == "has more than 178,956,970 pixels"
    (tmp_path / "a.png").write_bytes(header(12_000, 12_000))
    assert "pixels" not in flaw_of(tmp_path / "a.png")  # as large may an image be


@pytest.mark.parametrize(
    ("name", "expected"),
    [("white", (255, 255, 255)), ("#0a0b0c", (10, 11, 12)), ("rgb(1,2,3)", (1, 2, 3))],
)
def test_colours(name, expected):
    assert colour(name) == expected


def test_what_is_no_colour_is_refused():
    with pytest.raises(UserError, match=r"^--background=nothing: must be a colour such as white"):
        colour("nothing")
