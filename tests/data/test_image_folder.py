import io
import os
import struct
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from gan.data import image_folder
from gan.data.image_folder import (
    check_images,
    decode,
    describe_flaw,
    find_images,
    image_files,
)
from gan.errors import UserError

RNG = np.random.default_rng(3)


def noise(height, width, channels=3):
    return RNG.integers(0, 256, (height, width, channels), np.uint8)


def write(path, image):
    """Writes a PNG or JPEG file with TensorFlow, and returns its path as text."""
    path.parent.mkdir(parents=True, exist_ok=True)
    encode = tf.io.encode_png if path.suffix == ".png" else tf.io.encode_jpeg
    path.write_bytes(encode(image).numpy())
    return str(path)


def encoded(image, form, **options):
    """Returns the file that Pillow writes, which knows more forms."""
    file = io.BytesIO()
    image.save(file, form, **options)
    return file.getvalue()


def relative(paths, directory):
    return [Path(path).relative_to(directory).as_posix() for path in paths]


def test_images_are_found_at_any_depth_in_order(tmp_path):
    for name in ("z.png", "a b/ü 1.JPG", "a b/.hidden.png", ".cache/x.png", "b/c/d.GiF", "b/e.webp",
                 "README.txt", "b/f.npz", "y.bmp", "y.jpeg", "日本.png", "png"):  # fmt: skip
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(b"")
    paths, labels, classes = find_images(tmp_path)
    expected = ["a b/ü 1.JPG", "b/c/d.GiF", "b/e.webp", "y.bmp", "y.jpeg", "z.png", "日本.png"]
    assert relative(paths, tmp_path) == expected
    assert (labels, classes) == (None, [])  # some lie in the directory itself
    assert find_images(tmp_path)[0] == paths


def test_subfolders_are_classes_if_all_images_lie_in_them(tmp_path):
    for name in ("dogs/1.png", "cats/deep/2.png", "cats/1.png", "empty/x.txt", "Zebras/1.png"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(b"")
    paths, labels, classes = find_images(tmp_path)
    assert classes == ["Zebras", "cats", "dogs"]
    assert relative(paths, tmp_path) == [
        "Zebras/1.png", "cats/1.png", "cats/deep/2.png", "dogs/1.png",
    ]  # fmt: skip
    assert labels == [0, 1, 1, 2]
    paths, labels, classes = find_images(tmp_path / "cats")  # one in it, one in a subfolder
    assert (len(paths), labels, classes) == (2, None, [])
    (tmp_path / "cats/1.png").unlink()
    assert find_images(tmp_path / "cats")[1:] == (None, [])  # one subfolder is no class


def test_directories_without_images_are_refused(tmp_path, monkeypatch):
    flag = "--dataset=image_folder:"
    (tmp_path / "README.txt").write_text("no image")
    for path in ("nowhere", "README.txt"):
        with pytest.raises(UserError, match=f"^{flag}.*{path}: not a directory; must hold images"):
            find_images(tmp_path / path)
    with pytest.raises(UserError, match=rf"^{flag}.*: holds no images, must hold some \(\.jpg"):
        find_images(tmp_path)

    def denied(path):
        raise PermissionError(13, "Permission denied", path)

    monkeypatch.setattr(os, "scandir", denied)  # chmod does not stop root
    with pytest.raises(UserError, match=f"^{flag}{tmp_path}: cannot read .*: Permission denied"):
        find_images(tmp_path)


def test_a_png_of_the_right_size_stays_as_it_is(tmp_path):
    for channels in (1, 3):
        image = noise(9, 9, channels)
        path = write(tmp_path / "a.png", image)
        assert np.array_equal(decode(tf.constant(path), 9, channels), image)


def test_the_square_in_the_centre_is_cut_out(tmp_path):
    wide = noise(8, 17)
    path = write(tmp_path / "wide.png", wide)
    assert np.array_equal(decode(tf.constant(path), 8, 3), wide[:, 4:12])
    tall = noise(11, 8)
    path = write(tmp_path / "tall.png", tall)
    assert np.array_equal(decode(tf.constant(path), 8, 3), tall[1:9])


def test_large_images_are_averaged_and_small_ones_enlarged(tmp_path):
    stripes = np.zeros((64, 64, 1), np.uint8)
    stripes[:, [x for x in range(64) if x % 8 in (3, 4)]] = 255  # where each sample lies
    path = write(tmp_path / "stripes.png", stripes)
    small = decode(tf.constant(path), 8, 1).numpy()
    assert 40 < small.min() <= small.max() < 160  # without antialiasing it is 255
    path = write(tmp_path / "flat.png", np.full((3, 3, 3), 200, np.uint8))
    assert np.array_equal(decode(tf.constant(path), 8, 3), np.full((8, 8, 3), 200))


def test_grey_and_colour(tmp_path):
    grey = noise(8, 8, 1)
    path = write(tmp_path / "grey.png", grey)
    assert np.array_equal(decode(tf.constant(path), 8, 3), np.repeat(grey, 3, 2))
    colour = noise(8, 8)
    path = write(tmp_path / "colour.png", colour)
    luma = np.round(colour @ np.array([0.2989, 0.587, 0.114]))[..., None]
    found = decode(tf.constant(path), 8, 1).numpy().astype(int)
    assert np.abs(found - luma).max() <= 1


def test_forms(tmp_path):
    """What Pillow writes comes back, in every form that is lossless."""
    image = noise(8, 8)
    picture = Image.fromarray(image)
    alpha = Image.fromarray(np.concatenate([image, noise(8, 8, 1)], 2))
    files = {
        "a.webp": encoded(picture, "WEBP", lossless=True),
        "alpha.png": encoded(alpha, "PNG"),
        "b.bmp": encoded(picture, "BMP"),
        "palette.png": encoded(picture.quantize(256), "PNG"),
        "wrong_name.jpg": encoded(picture, "PNG"),
    }
    for name, data in files.items():
        path = tmp_path / name
        path.write_bytes(data)
        assert np.array_equal(decode(tf.constant(str(path)), 8, 3), image), name
    flat = [Image.new("RGB", (8, 8), colour) for colour in ((255, 0, 0), (0, 255, 0))]
    path = tmp_path / "film.gif"
    path.write_bytes(encoded(flat[0], "GIF", save_all=True, append_images=flat[1:]))
    first = decode(tf.constant(str(path)), 8, 3).numpy()
    assert np.array_equal(first, np.full((8, 8, 3), (255, 0, 0)))
    names = [str(tmp_path / name) for name in [*files, "film.gif"]]
    assert check_images(names, 8, 3, False) == (list(range(6)), "")


def bad_files(directory):
    """Writes a bad file of each kind, and returns what is said about each."""
    picture = Image.fromarray(noise(40, 40))
    jpeg, png = (encoded(picture, form) for form in ("JPEG", "PNG"))
    flipped = png[:100] + bytes([png[100] ^ 1]) + png[101:]
    files = {
        "cmyk.jpg": (encoded(picture.convert("CMYK"), "JPEG"), "is a CMYK JPEG"),
        "cut.bmp": (encoded(picture, "BMP")[:-3], "is damaged or truncated (Input size"),
        "cut.gif": (encoded(picture, "GIF")[:-40], "is damaged or truncated (Invalid GIF"),
        "cut.jpg": (jpeg[: len(jpeg) // 2], "is damaged or truncated (jpeg::Uncompress failed"),
        "cut.png": (png[: len(png) // 2], "is damaged or truncated (Invalid PNG data"),
        "cut.webp": (encoded(picture, "WEBP")[:-40], "is damaged or truncated (Failed to decode"),
        "empty.png": (b"", "is empty"),
        "end.jpg": (jpeg[:-2], "is damaged or truncated (jpeg::Uncompress failed"),
        "film.webp": (
            encoded(picture, "WEBP", save_all=True, append_images=[picture.rotate(90)]),
            "is damaged or truncated (WebP Animation",
        ),
        "flipped.png": (flipped, "is damaged or truncated (Invalid PNG data"),
        "header.jpg": (jpeg[:20], "is damaged or truncated"),
        "palette.bmp": (encoded(picture.quantize(64), "BMP"), "is a BMP with a palette"),
        "text.png": (b"This is no image.", "is no image"),
    }
    for name, (data, _) in files.items():
        (directory / name).write_bytes(data)
    return {str(directory / name): reason for name, (_, reason) in files.items()}


def test_each_kind_of_bad_file_is_found(tmp_path):
    good = write(tmp_path / "good.png", noise(8, 8))
    bad = bad_files(tmp_path)
    (tmp_path / "link.png").symlink_to("nowhere")
    bad[str(tmp_path / "link.png")] = "cannot be read (No such file or directory)"
    for path, reason in bad.items():
        with pytest.raises(UserError) as error:
            check_images([good, path], 8, 3, False)
        message = str(error.value)
        assert message.startswith(f"{path}: {reason}"), message
        assert message.endswith("; 1 of 2 images is bad, --skip_bad_images=true leaves them out")
        assert "\n" not in message
        assert "{{" not in message
    assert image_folder.describe_flaw(good) == ""


def test_bad_files_together_are_named_and_left_out(tmp_path):
    bad = bad_files(tmp_path)
    for name in ("a.png", "dab.jpeg", "z.png"):
        write(tmp_path / name, noise(8, 8))
    paths, _, _ = find_images(tmp_path)
    with pytest.raises(UserError, match=r"cmyk\.jpg: is a CMYK JPEG.*; 13 of 16 images are bad, "):
        check_images(paths, 8, 3, False)
    said = []
    keep, _ = check_images(paths, 8, 3, True, said.append)
    assert relative([paths[i] for i in keep], tmp_path) == ["a.png", "dab.jpeg", "z.png"]
    assert len(said) == 11
    for line, (path, reason) in zip(said[:-1], bad.items(), strict=False):
        assert line.startswith(f"left out {path}: {reason}")
    assert said[-1] == "13 of 16 images are bad and left out"
    with pytest.raises(UserError, match=r"13 of 13 images are bad, there must be good ones"):
        check_images(sorted(bad), 8, 3, True)


def test_a_long_check_tells_how_far_it_is(tmp_path, monkeypatch):
    paths = [write(tmp_path / f"{i}.png", noise(4, 4)) for i in range(3)]
    said = []
    check_images(paths, 4, 3, False, said.append)
    assert said == []
    monkeypatch.setattr(image_folder, "PROGRESS_SECONDS", -1.0)
    check_images(paths, 4, 3, False, said.append)
    assert said == [f"checked {i} of 3 images" for i in (1, 2, 3)]


def test_a_cmyk_jpeg_is_one_by_its_header(tmp_path):
    """The component count of the frame header decides, wherever that lies."""
    data = encoded(Image.fromarray(noise(8, 8)).convert("CMYK"), "JPEG")
    comment = b"\xff\xfe" + struct.pack(">H", 2 + 5000) + b"x" * 5000
    path = tmp_path / "a.jpg"
    path.write_bytes(data[:2] + comment + data[2:])
    assert image_folder.describe_flaw(str(path)).startswith("is a CMYK JPEG")


@pytest.fixture
def many(tmp_path):
    """60 images of very different sizes, so that they are not decoded in the time of one another.

    Image i has the grey level i everywhere.
    """
    return [
        write(tmp_path / f"{i:02} ü.png", np.full((8, 8 if i % 3 else 900, 3), i, np.uint8))
        for i in range(60)
    ]


def test_order_and_shape_of_the_pipeline(many):
    images = image_files(many, 8, 1)
    assert images.shape == (60, 8, 8, 1)
    assert len(images) == 60
    order = RNG.permutation(60)
    for _ in range(2):
        dataset = images.dataset(tf.data.Dataset.from_tensor_slices(order.astype(np.int64)))
        assert dataset.element_spec == tf.TensorSpec([8, 8, 1], tf.uint8)
        found = np.stack(list(dataset.as_numpy_iterator()))
        assert np.array_equal(found, np.broadcast_to(order[:, None, None, None], (60, 8, 8, 1)))


def test_read(many):
    images = image_files(many, 8, 3)
    found = images.read(np.array([5, 3, 5], np.int32))
    assert (found.dtype, found.shape) == (np.uint8, (3, 8, 8, 3))
    assert found[:, 0, 0, 0].tolist() == [5, 3, 5]
    assert images.read([]).shape == (0, 8, 8, 3)


def test_names_that_are_not_unicode(tmp_path):
    name = os.fsencode(tmp_path) + b"/\xff.png"
    with open(name, "wb") as file:
        file.write(tf.io.encode_png(np.full((4, 4, 3), 7, np.uint8)).numpy())
    paths, _, _ = find_images(tmp_path)
    assert check_images(paths, 4, 3, False)[0] == [0]
    assert image_files(paths, 4, 3).read([0]).max() == 7


@pytest.mark.parametrize(("content", "reason"), [(None, "cannot be read"), (b"GIF", "is no image")])
def test_a_file_that_breaks_later_is_named(content, reason, many):
    images = image_files(many, 8, 3)
    iterator = images.dataset(tf.data.Dataset.range(60)).as_numpy_iterator()
    path = Path(many[50])
    path.unlink() if content is None else path.write_bytes(content)
    with pytest.raises(tf.errors.InvalidArgumentError, match=r"cannot read the image file.*/50 "):
        list(iterator)
    with pytest.raises(UserError, match=f"50 ü.png: {reason}"):
        images.read([3, 50])
    assert images.read([3, 51]).shape == (2, 8, 8, 3)


def test_the_pipeline_works_inside_others(many):
    """As in training: endless shuffled indices, batches, prefetching."""
    indices = tf.data.Dataset.range(10**9).map(lambda i: (7 * i) % 60)
    batches = image_files(many, 8, 1).dataset(indices).batch(16, drop_remainder=True).prefetch(1)
    for i, batch in enumerate(batches.take(8).as_numpy_iterator()):
        assert batch[:, 0, 0, 0].tolist() == [7 * j % 60 for j in range(16 * i, 16 * i + 16)]


FORMATS = {
    "a.png": {}, "a.jpg": {}, "a.bmp": {}, "a.gif": {}, "lossy.webp": {},
    "lossless.webp": {"lossless": True}, "progressive.jpg": {"progressive": True},
    "exif.webp": {"exif": b"Exif\0\0MM\0*\0\0\0\x08\0\0\0\0\0\0"},  # the extended form
}  # fmt: skip


@pytest.mark.parametrize("size", [(1, 1), (300, 7), (513, 258)])
@pytest.mark.parametrize("name", FORMATS)
def test_the_header_of_every_format_tells_how_many_pixels_it_has(name, size, tmp_path):
    """Pillow wrote it."""
    Image.new("RGB", size, "red").save(tmp_path / name, **FORMATS[name])
    pixels = image_folder.pixels_of(tf.constant((tmp_path / name).read_bytes()))
    assert float(pixels) == size[0] * size[1]


@pytest.mark.parametrize("size", [(1, 1), (300, 7), (513, 258)])
def test_a_bmp_may_have_its_first_row_at_the_top(size, tmp_path):
    """Its height is negative then; Pillow writes the last row first."""
    width, height = size
    image = noise(height, width)
    data = encoded(Image.fromarray(image[::-1]), "BMP")
    (tmp_path / "a.bmp").write_bytes(data[:22] + struct.pack("<i", -height) + data[26:])
    assert float(image_folder.pixels_of(tf.constant((tmp_path / "a.bmp").read_bytes()))) == (
        width * height
    )
    path, side = str(tmp_path / "a.bmp"), min(size)
    assert check_images([path], side, 3, False)[0] == [0]
    top, left = (height - side) // 2, (width - side) // 2
    assert np.array_equal(
        decode(tf.constant(path), side, 3), image[top : top + side, left : left + side]
    )
    large = data[:18] + struct.pack("<ii", 30_000, -17_000) + data[26:]
    (tmp_path / "a.bmp").write_bytes(large)
    assert describe_flaw(path) == "has more than 180,000,000 pixels"


def header(size):
    """A PNG file that has nothing else."""
    width, height = size
    return b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR" + struct.pack(">IIBBBBB", width, height, 1, 0, 0, 0, 0)


def test_what_is_too_large_by_its_header_or_no_file_is_named_and_not_decoded(tmp_path, capsys):
    Image.linear_gradient("L").save(tmp_path / "a.png")
    (tmp_path / "b.png").write_bytes(header((30_000, 17_000)))
    os.mkfifo(tmp_path / "c.png")
    (tmp_path / "d.png").symlink_to("/dev/zero")
    (tmp_path / "e.png").write_bytes(b"\x89PNG")
    (tmp_path / "f.png").write_bytes(header((12_000, 12_000)))
    paths, _, _ = find_images(tmp_path)
    assert check_images(paths, 8, 1, True, print)[0] == [0]
    assert capsys.readouterr().out.splitlines() == [
        f"left out {tmp_path}/b.png: has more than 180,000,000 pixels",
        f"left out {tmp_path}/c.png: cannot be read (Is a pipe, must be a file)",
        f"left out {tmp_path}/d.png: cannot be read (Is a device, must be a file)",
        f"left out {tmp_path}/e.png: {describe_flaw(paths[4])}",
        f"left out {tmp_path}/f.png: {describe_flaw(paths[5])}",
        "5 of 6 images are bad and left out",
    ]
    assert "pixels" not in describe_flaw(paths[5])  # as large may an image be
    os.remove(tmp_path / "a.png")
    with pytest.raises(UserError, match=r"b\.png: has more than .* there must be good ones"):
        check_images(paths[1:], 8, 1, True, print)
    with pytest.raises(UserError, match=r"c\.png: cannot be read \(Is a pipe"):
        check_images(paths[2:4], 8, 1, False, print)
