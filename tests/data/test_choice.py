"""Few training images: which ones, what stays for metrics, and what is refused."""

import json

import numpy as np
import pytest

from gan.data.choice import balanced_choice
from gan.data.datasets import (
    Dataset,
    check_dataset,
    dataset_from_config,
    load_dataset,
    with_train_images,
)
from gan.errors import UserError
from gan.run.config import Config
from gan.training.trainer import train

RNG = np.random.default_rng(0)
LABELS = RNG.permutation(np.repeat([0, 1, 2], [50, 30, 4]))


def test_classes_have_equal_parts_and_a_small_one_gives_all():
    for count, parts in ((3, [1, 1, 1]), (9, [3, 3, 3]), (12, [4, 4, 4]), (24, [10, 10, 4]),
                         (74, [40, 30, 4]), (84, [50, 30, 4])):  # fmt: skip
        chosen = balanced_choice(LABELS, 84, count)
        assert np.array_equal(chosen, np.unique(chosen))  # ascending, each once
        assert np.bincount(LABELS[chosen]).tolist() == parts
    uneven = np.bincount(LABELS[balanced_choice(LABELS, 84, 10)])
    assert sorted(uneven) == [3, 3, 4]


def test_fewer_are_among_more_and_they_are_no_first_ones():
    for labels in (LABELS, None):
        few, more = (set(balanced_choice(labels, 84, count).tolist()) for count in (12, 40))
        assert few < more
        assert len(few) == 12
        assert few != set(range(12))


def images_of(count):
    return RNG.integers(0, 256, (count, 28, 28, 1), np.uint8)


DATA = Dataset(images_of(84), LABELS, images_of(9), np.arange(9) % 3)


def test_few_are_learned_and_all_are_compared_with():
    few = with_train_images("mine", DATA, 12)
    chosen = balanced_choice(LABELS, 84, 12)
    np.testing.assert_array_equal(few.train_images, DATA.train_images[chosen])
    np.testing.assert_array_equal(few.train_labels, LABELS[chosen])
    assert few.parts == DATA.parts
    assert few.labelled == DATA.labelled
    assert few.digest() != DATA.digest()
    assert (few.classes, few.shape) == (3, (28, 28, 1))
    assert with_train_images("mine", DATA, 0) is DATA
    assert with_train_images("mine", DATA, 84) is DATA
    assert with_train_images("mine", few, 12) is few  # chosen already
    again = with_train_images("mine", few, 30)
    np.testing.assert_array_equal(again.train_images, with_train_images("mine", DATA, 30)[0])
    check_dataset("mine", few)


@pytest.mark.parametrize(
    ("count", "message"),
    [
        (85, "train_images=85: mine has 84 training images, must be at most as many, or 0"),
        (2, "train_images=2: must be at least 3, one of each class"),
    ],
)
def test_what_cannot_be_chosen_is_refused(count, message, tiny_config, tmp_path):
    config = tiny_config(dataset="mine", train_images=count)
    with pytest.raises(UserError, match=message):
        train(config, tmp_path / "run", data=DATA, quiet=True)
    assert not (tmp_path / "run").exists()


def test_points_are_not_chosen(tiny_config, tmp_path):
    data = load_dataset("gaussian_ring", "", print)
    with pytest.raises(UserError, match="train_images=9: is for images, mine has points"):
        with_train_images("mine", data, 9)


def test_the_choice_in_mnist_depends_on_no_seed():
    few = [dataset_from_config(Config(train_images=1000, seed=seed), print) for seed in (0, 1)]
    assert np.bincount(few[0].train_labels).tolist() == [100] * 10
    np.testing.assert_array_equal(few[0].train_images, few[1].train_images)
    assert [len(part) for part in few[0].parts] == [60_000, 60_000, 10_000, 10_000]
    stacks = dataset_from_config(Config(dataset="stacked_mnist", train_images=1000), print)
    assert (stacks.shape, stacks.classes, len(stacks.train_images)) == ((28, 28, 3), 1000, 1000)


def test_a_run_says_how_many_it_learned_and_goes_on_with_them(tiny_config, tmp_path):
    few = tiny_config(dataset="mine", train_images=12, steps=2)
    train(few, tmp_path / "few", data=DATA, quiet=True)
    about = json.loads((tmp_path / "few/config.json").read_text())
    assert about["config"]["train_images"] == 12
    assert (about["data"]["examples"], about["data"]["class_counts"]) == (12, [4, 4, 4])
    other = tiny_config(dataset="mine", train_images=13, steps=4)
    with pytest.raises(UserError, match="train_images: 12 -> 13"):
        train(other, tmp_path / "few", data=DATA, quiet=True)
    more = tiny_config(dataset="mine", train_images=12, steps=4)
    assert train(more, tmp_path / "few", data=DATA, quiet=True)["step"] == 4


def test_no_other_image_is_seen(tiny_config, tmp_path, monkeypatch):
    """The chosen ones are white and all others black: so D sees no black image."""
    from gan.training import builders

    images = np.zeros_like(DATA.train_images)
    images[balanced_choice(LABELS, 84, 12)] = 255
    seen = []
    make = builders.host_blocks

    def watched(data, **settings):
        for block in make(data, **settings):
            seen.append(block.images.numpy())
            yield block

    monkeypatch.setattr(builders, "host_blocks", watched)
    config = tiny_config(dataset="mine", train_images=12, steps=4)
    train(config, tmp_path, data=DATA._replace(train_images=images), quiet=True)
    assert seen
    assert all(block.min() == 255 for block in seen)


def test_a_run_from_before_there_was_a_choice_goes_on_with_all(tiny_config, tmp_path):
    config = tiny_config(dataset="mine", steps=2)
    train(config, tmp_path, data=DATA, quiet=True)
    values = json.loads((tmp_path / "config.json").read_text())
    for name in ("train_images", "optimizer", "augment_probability", "ada_target"):
        del values["config"][name]
    (tmp_path / "config.json").write_text(json.dumps(values))
    assert train(tiny_config(dataset="mine", steps=4), tmp_path, data=DATA, quiet=True)["step"] == 4
