"""The one door for data: what is refused, what gets a warning, and what is right."""

import numpy as np
import pytest
from PIL import Image

from gan.data.datasets import (
    DATASETS,
    Dataset,
    DataSource,
    Mixture,
    check_dataset,
    dataset_from_config,
    grid,
    load_dataset,
)
from gan.errors import UserError
from gan.run.config import Config
from gan.training.setup import set_up
from gan.training.signals import StopRequest
from gan.training.timing import Timer
from gan.training.trainer import train

RNG = np.random.default_rng(0)
IMAGES = RNG.integers(0, 256, (12, 8, 10, 1), np.uint8)
LABELS = np.arange(12, dtype=np.uint8) % 3
COLOUR = RNG.integers(0, 256, (12, 8, 10, 3), np.uint8)
POINTS = RNG.normal(size=(12, 2)).astype(np.float32)
MIXTURE = grid(2, 1.0, 0.1)
UNIT = IMAGES / np.float32(255)
TYPE = "must be uint8 [N, H, W, C] with 1 or 3 channels"


def labelled(labels, **more):
    return Dataset(IMAGES, labels, **more)


def beside(images, labels=None):
    return Dataset(IMAGES, LABELS, images, labels)


REFUSED = [
    ((IMAGES, LABELS), "is tuple, must be gan.Dataset(images, labels)"),
    (IMAGES, "is ndarray, must be gan.Dataset(images, labels)"),
    (None, "is NoneType, must be gan.Dataset"),
    (Dataset(IMAGES.tolist()), "train_images are list, must be a NumPy array"),
    (Dataset(IMAGES[..., 0]), f"train_images are uint8 [12, 8, 10], {TYPE} (without the axis of "
     "channels: images[..., np.newaxis])"),
    (Dataset(COLOUR.transpose(0, 3, 1, 2)), f"train_images are uint8 [12, 3, 8, 10], {TYPE} "
     "(channels first: images.transpose(0, 2, 3, 1))"),
    (Dataset(COLOUR.transpose(1, 2, 3, 0)), f"train_images are uint8 [8, 10, 3, 12], {TYPE} "
     "(images last: images.transpose(3, 0, 1, 2))"),
    (Dataset(IMAGES.reshape(12, 80)), f"train_images are uint8 [12, 80], {TYPE} (flattened"),
    (Dataset(UNIT.reshape(12, 80)), "train_images are float32 [12, 80], points must be float32 [N"),
    (Dataset(np.zeros((3, 4, 4, 7), np.uint8)), f"train_images are uint8 [3, 4, 4, 7], {TYPE}"),
    (Dataset(UNIT), f"train_images are float32 [12, 8, 10, 1], {TYPE} (in 0..1: np.round(images * "
     "255).astype(np.uint8))"),
    (Dataset(UNIT - 0.5), f"train_images are float32 [12, 8, 10, 1], {TYPE} (in -0.5..0.5: "),
    (Dataset(2 * UNIT - 1), f"train_images are float32 [12, 8, 10, 1], {TYPE} (in -1..1: "),
    (Dataset(IMAGES.astype(float)), f"train_images are float64 [12, 8, 10, 1], {TYPE} (in 0..255:"),
    (Dataset(IMAGES * np.uint16(257)), f"train_images are uint16 [12, 8, 10, 1], {TYPE} (in 0..6"),
    (Dataset(IMAGES - 300.0), f"train_images are float64 [12, 8, 10, 1], {TYPE} (from -300 to "),
    (Dataset(IMAGES > 99), f"train_images are bool [12, 8, 10, 1], {TYPE} (images.astype(np.uint8"),
    (Dataset(IMAGES[:0]), "train_images are uint8 [0, 8, 10, 1], which holds no image; must be"),
    (Dataset(IMAGES[:, :0]), "train_images are uint8 [12, 0, 10, 1], which holds no image; must"),
    (Dataset(IMAGES % 2), "train_images are nearly black, no value is above 1 of 255"),
    (Dataset(IMAGES // 16), "train_images are nearly black, no value is above 15 of 255"),
    (Dataset(np.full_like(COLOUR, 255)), "train_images are all of one colour (255, 255, 255)"),
    (Dataset(np.full_like(COLOUR, (9, 99, 9))), "train_images are all of one colour (9, 99, 9)"),
    (Dataset(POINTS.astype(float), mixture=MIXTURE), "train_images are float64 [12, 2], points"),
    (Dataset(POINTS[:, :1], mixture=MIXTURE), "train_images are float32 [12, 1], points must be"),
    (Dataset(POINTS[:0], mixture=MIXTURE), "train_images are float32 [0, 2], points must be"),
    (Dataset(POINTS * np.float32("nan"), mixture=MIXTURE), "train_images are float32 [12, 2], wi"),
    (Dataset(np.append(POINTS, np.float32([[1, "inf"]]), 0), mixture=MIXTURE),
     "train_images are float32 [13, 2], with points that are NaN or infinite"),
    (Dataset(POINTS), "has points, and must say as mixture what they are drawn from"),
    (Dataset(IMAGES, mixture=MIXTURE), "has a mixture, and must have points float32 [N, 2]"),
    (labelled(LABELS.tolist()), "train_labels are list, must be a NumPy array of integers"),
    (labelled(LABELS[:9]), "train_labels are uint8 [9], must be integers [12], a class from 0"),
    (labelled(np.append(LABELS, LABELS)), "train_labels are uint8 [24], must be integers [12]"),
    (labelled(LABELS[:, None]), "train_labels are uint8 [12, 1], must be integers [12], a class fro"
     "m 0 on for each image (labels.ravel())"),
    (labelled(np.eye(3)[LABELS]), "train_labels are float64 [12, 3], must be integers [12], a class"
     " from 0 on for each image (of one-hot rows: labels.argmax(1))"),
    (labelled(LABELS.astype(np.float32)), "train_labels are float32 [12], must be integers [12], a "
     "class from 0 on for each image (labels.astype(int))"),
    (labelled(LABELS.astype(str)), "train_labels are <U"),
    (labelled(LABELS.astype(int) - 1), "train_labels are int64 [12] from -1 to 1, must be"),
    (labelled(LABELS.astype(int) * 2**40), f"train_labels are int64 [12] from 0 to {2**41}, must"),
    (labelled(LABELS.astype(np.uint64) + 2**63), "train_labels are uint64 [12] from 92233"),
    (Dataset(IMAGES, stack=3), "has stack=3, and must have labels"),
    (labelled(LABELS, stack=0), "stack=0, must be an integer at least 1"),
    (labelled(LABELS, stack=5), "stack=5 makes 5 channels, must be 1 or 3"),
    (labelled(LABELS, stack=2), "stack=2 makes 2 channels, must be 1 or 3"),
    (Dataset(IMAGES.repeat(2, 3)), f"train_images are uint8 [12, 8, 10, 2], {TYPE} (alpha must be"),
    (Dataset(IMAGES.repeat(4, 3)), f"train_images are uint8 [12, 8, 10, 4], {TYPE} (alpha must be"),
    (Dataset(np.ma.masked_equal(IMAGES, 9)), "train_images are a masked array, must be a plain"),
    (labelled(np.ma.masked_equal(LABELS, 1)), "train_labels are a masked array, must be a plain"),
    (labelled(np.where(LABELS, np.inf, 1.0)), "train_labels are float64 [12], must be integers"),
    *((labelled(LABELS, class_names=names), f"class_names are {names!r}, must be a tuple of UTF-8 t"
       "ext") for names in ((0, 1, 2), None, "abc", {"a": 1}, ("a", "b", "\udce9"))),
    (Dataset(IMAGES, folder=1), "folder is what the package itself makes, must be None"),
    (Dataset(IMAGES, whole=IMAGES), "whole is what the package itself makes, must be None"),
    (Dataset(POINTS, mixture=Mixture([[0, 0]], 0.1)), "mixture: centres are list, must be an arr"),
    (Dataset(POINTS, mixture=Mixture(np.ones([3, 3]), 0.1)), "mixture: centres are [3, 3], must"),
    (Dataset(POINTS, mixture=Mixture(np.full([1, 2], np.inf), 0.1)), "mixture: centres must be f"),
    (Dataset(POINTS, mixture=MIXTURE._replace(sd=0)), "mixture: sd=0, must be a number above 0"),
    (beside(COLOUR), "test_images are [8, 10, 3], must be [8, 10, 1], as those to learn from"),
    (beside(UNIT), "test_images are float32 [12, 8, 10, 1], must be uint8"),
    (beside(IMAGES // 100), "test_images are nearly black"),
    (beside(None, LABELS), "has test_labels, and must have test_images"),
    (beside(IMAGES, LABELS[:5]), "test_labels are uint8 [5], must be integers [12]"),
    (beside(IMAGES, LABELS + 3), "test_labels have classes 3, 4, 5, which no training image has"),
]  # fmt: skip


@pytest.mark.parametrize(("data", "message"), REFUSED, ids=[m[:60] for _, m in REFUSED])
def test_what_does_not_fit_is_refused_in_a_line(data, message):
    said = []
    with pytest.raises(UserError) as error:
        check_dataset("mine", data, said.append)
    assert str(error.value).startswith(f"data set mine: {message}")
    assert "\n" not in str(error.value)
    assert said == []


@pytest.mark.parametrize(
    ("given", "right"),
    [
        (UNIT, IMAGES), (UNIT - 0.5, IMAGES), (2 * UNIT - 1, IMAGES), (IMAGES * 1.0, IMAGES),
        (IMAGES * np.uint16(257), IMAGES), (IMAGES[..., 0], IMAGES),
        (COLOUR.transpose(0, 3, 1, 2), COLOUR), (COLOUR.transpose(1, 2, 3, 0), COLOUR),
        (COLOUR.reshape(12, -1), COLOUR),
    ],
)  # fmt: skip
def test_what_the_message_proposes_makes_the_images_right(given, right):
    with pytest.raises(UserError) as error:
        check_dataset("mine", Dataset(given))
    expression = str(error.value).rpartition(": ")[2].removesuffix(")")
    names = {"np": np, "images": given, **dict(zip("HWC", right.shape[1:], strict=True))}
    np.testing.assert_array_equal(eval(expression, names), right)


DARK = np.array([[[[0], [16]]]], np.uint8)
GAPS = labelled(np.where(LABELS == 2, 3, LABELS), class_names=("ant", "bee", "cow", "dog"))
WARNED = [
    (labelled(LABELS + 1), "no image has class 0, which nothing can be learned about"),
    (GAPS, "no image has class 2 (cow), which nothing can be learned about"),
    (labelled(LABELS, class_names=("a", "b", "c", "d")), "no image has class 3 (d), which nothing"),
    (labelled(LABELS * 20), "no image has classes 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 28 more, which"),
    (Dataset(DARK), "train_images use only the values 0 to 16 of 0..255"),
    (Dataset(127 + IMAGES // 2), "train_images use only the values 127 to 254 of 0..255"),
    (Dataset(64 + IMAGES // 2), "train_images use only the values 64 to 191 of 0..255"),
]


@pytest.mark.parametrize(("data", "message"), WARNED, ids=[m[:50] for _, m in WARNED])
def test_what_is_hardly_meant_gets_a_warning(data, message):
    said = []
    assert check_dataset("mine", data, said.append) == data
    (line,) = said
    assert line.startswith(f"warning: data set mine: {message}")


RIGHT = {
    "grey": Dataset(IMAGES),
    "colour": Dataset(COLOUR, LABELS.astype(np.int64), COLOUR, LABELS.astype(np.int16)),
    "names": Dataset(IMAGES, LABELS, class_names=("a", "b", "é")),
    "no blue": Dataset(COLOUR * np.array([1, 1, 0], np.uint8)),
    "one image": Dataset(IMAGES[:1], LABELS[:1]),
    "one row": Dataset(RNG.integers(0, 256, (5, 1, 9, 3), np.uint8)),
    "Fortran's order": Dataset(np.asfortranarray(COLOUR)),
    "tests without labels": Dataset(IMAGES, LABELS, IMAGES[:3]),
    "fewer classes in tests": Dataset(IMAGES, LABELS, IMAGES[:2], LABELS[:2]),
    "single colours": Dataset(np.broadcast_to(IMAGES[:, :1, :1], IMAGES.shape)),
    "half and one more": Dataset(np.array([[[[0], [129]]]], np.uint8)),
    "stack": Dataset(IMAGES, LABELS, stack=3),
    "points": Dataset(POINTS, mixture=MIXTURE),
}


@pytest.mark.parametrize("name", RIGHT)
def test_what_fits_passes_unchanged_and_without_a_word(name):
    said = []
    passed = check_dataset(name, RIGHT[name], said.append)
    assert said == []
    assert all(a is b for a, b in zip(passed, RIGHT[name], strict=True))


@pytest.mark.parametrize("kind", [bool, np.uint64])
def test_labels_that_numpy_cannot_count_become_integers(kind):
    labels = (LABELS % 2).astype(kind)
    passed = check_dataset("mine", Dataset(IMAGES, labels, IMAGES, labels))
    for part in (passed.train_labels, passed.test_labels):
        assert (part.dtype, np.bincount(part).tolist()) == (np.int64, [8, 4])


def test_rows_and_arguments_pass_the_same_door_before_anything_is_written(
    tiny_config, tmp_path, monkeypatch
):
    bad, config = Dataset(IMAGES[..., 0]), tiny_config(dataset="mine")
    monkeypatch.setitem(DATASETS, "mine", DataSource(lambda data_dir, print_fn: bad))
    for more in ({}, {"data": bad}):
        with pytest.raises(UserError, match=r"mine: train_images are uint8 .12, 8, 10., must"):
            train(config, tmp_path / "run", quiet=True, **more)
    assert not (tmp_path / "run").exists()


def test_arguments_that_are_hardly_meant_get_their_warning_in_training_too(tiny_config, tmp_path):
    said = []
    set_up(
        tiny_config(dataset="mine"), tmp_path / "run", {}, labelled(LABELS + 1), None,
        stop=StopRequest(), timer=Timer(), print_fn=said.append,
    )  # fmt: skip
    (line,) = said
    assert line.startswith("warning: data set mine: no image has class 0, which nothing can be")


@pytest.mark.parametrize(
    ("pixels", "words", "trains"),
    [
        (np.eye(8, dtype=np.uint8), "are nearly black, no value is above 1 of 255", False),
        (
            np.arange(0, 4096, 64, np.uint16).reshape(8, 8),
            "are nearly black, no value is abo",
            False,
        ),
        (np.full((8, 8), 255, np.uint8), "are all of one colour (255) and show nothing", False),
        (np.eye(8, dtype=np.uint8) * 100, "use only the values 0 to 100 of 0..255", True),
        (np.eye(8, dtype=np.uint8) * 200, "", True),
    ],
)
def test_a_folder_of_what_shows_nothing_is_named_and_not_trained_on(
    pixels, words, trains, tmp_path
):
    Image.fromarray(pixels).save(tmp_path / "a.png")
    name, said = f"image_folder:{tmp_path}", []
    load_dataset(name, "", said.append, image_size=8, image_channels=1)
    warnings = [line for line in said if line.startswith("warning: ")]
    assert [line.startswith(f"warning: the images in {tmp_path} {words}") for line in warnings] == (
        [True] if words else []
    )
    config = Config(dataset=name, image_size=8, image_channels=1)
    if trains:
        assert len(dataset_from_config(config, said.append).train_images) == 1
    else:
        with pytest.raises(UserError) as error:
            dataset_from_config(config, said.append)
        assert str(error.value).startswith(f"--dataset={name}: the images in {tmp_path} {words}")
