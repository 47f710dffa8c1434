import numpy as np
import pytest
import tensorflow as tf

from gan import rng
from gan.algorithm.augment import (
    AUGMENTATIONS,
    apply_augmentations,
    brightness,
    contrast,
    cutout,
    flip,
    saturation,
    translation,
)

RNG = np.random.default_rng(0)
KEY = tf.constant([5, 6], tf.int64)


def images(count, side=28, channels=1):
    return tf.constant(RNG.uniform(-0.9, 1, (count, side, side, channels)), tf.float32)


def test_translation_moves_each_image_by_its_own_distance():
    """One dot in the middle; 28 / 8 = 3.5, rounded up to 4."""
    dots = np.full((3000, 28, 28, 1), -1.0, np.float32)
    dots[:, 14, 14] = 1.0
    moved = translation(tf.constant(dots), KEY).numpy()
    found = np.argwhere(moved > 0)
    assert len(found) == 3000
    assert len(np.unique(found[:, 0])) == 3000  # one in each image
    steps = found[:, 1:3] - 14
    assert steps.min(0).tolist() == [-4, -4]
    assert steps.max(0).tolist() == [4, 4]
    counts = np.unique(steps, axis=0, return_counts=True)[1]
    assert len(counts) == 81  # both directions on their own,
    assert counts.min() > 15  # each as often: 37 on average
    assert counts.max() < 65


def test_what_moves_in_is_black():
    moved = translation(tf.ones([50, 28, 28, 1]), KEY).numpy()
    assert set(np.unique(moved)) == {-1.0, 1.0}
    assert np.all(moved[:, 4:-4, 4:-4] == 1.0)


@pytest.mark.parametrize(("side", "hole"), [(28, 14), (32, 16), (9, 5)])
def test_cutout_makes_one_square_hole(side, hole):
    white = tf.ones([2000, side, side, 2])
    cut = cutout(white, KEY).numpy() < 0
    assert np.array_equal(cut[..., 0], cut[..., 1])
    rows, columns = cut[..., 0].any(2).sum(1), cut[..., 0].any(1).sum(1)
    assert np.array_equal(cut[..., 0].sum((1, 2)), rows * columns)  # a rectangle
    assert rows.max() == columns.max() == hole
    for edge in (0, -1):  # half of it is outside at most, on either side
        assert rows[cut[..., 0].any(2)[:, edge]].min() == -(-hole // 2)
        assert columns[cut[..., 0].any(1)[:, edge]].min() == -(-hole // 2)
    corners = cut[:, 0, 0, 0].mean()
    # As many at one end as at the other, within 4 standard deviations.
    assert corners == pytest.approx(cut[:, -1, -1, 0].mean(), abs=4 * (0.25 / 2000) ** 0.5 * 1.5)


def test_the_place_of_a_hole_is_as_random_in_one_direction_as_in_the_other():
    cut = cutout(tf.ones([2000, 28, 28, 1]), KEY).numpy()[..., 0] < 0
    rows, columns = cut.any(2).argmax(1), cut.any(1).argmax(1)
    assert abs(np.corrcoef(rows, columns)[0, 1]) < 4 / 2000**0.5
    assert abs(np.corrcoef(rows[:-1], rows[1:])[0, 1]) < 4 / 2000**0.5


def test_brightness_is_one_change_for_each_image():
    given = images(2000, side=4, channels=3)
    change = (brightness(given, KEY) - given).numpy()
    assert np.ptp(change, axis=(1, 2, 3)).max() < 1e-6
    found = change[:, 0, 0, 0]
    assert found.min() == pytest.approx(-0.5, abs=0.01)
    assert found.max() == pytest.approx(0.5, abs=0.01)
    assert found.mean() == pytest.approx(0.0, abs=0.03)


@pytest.mark.parametrize("name", AUGMENTATIONS)
@pytest.mark.parametrize(("side", "channels"), [(28, 1), (32, 3)])
def test_a_policy_is_a_function_of_the_key(name, side, channels):
    given, policy = images(8, side, channels), AUGMENTATIONS[name]
    found = apply_augmentations(given, policy, KEY)
    assert found.shape == given.shape
    assert found.dtype == tf.float32
    np.testing.assert_array_equal(found, apply_augmentations(given, policy, KEY))
    if policy:
        assert not np.array_equal(found, apply_augmentations(given, policy, KEY + 1))


def test_all_augmentations_compile():
    given, policy = images(8, 32, 3), tuple(set().union(*AUGMENTATIONS.values()))
    compiled = tf.function(lambda x: apply_augmentations(x, policy, KEY), jit_compile=True)
    assert compiled(given).shape == given.shape


def test_contrast_scales_the_distance_from_the_mean_of_an_image():
    given = images(3000, side=4, channels=3).numpy()
    changed = contrast(tf.constant(given), KEY).numpy()
    centres = given.mean((1, 2, 3), keepdims=True)
    factors = (changed - centres) / (given - centres)
    far = np.abs(given - centres) > 0.1
    each = np.array([np.median(factor[mask]) for factor, mask in zip(factors, far, strict=True)])
    np.testing.assert_allclose(changed, centres + each[:, None, None, None] * (given - centres),
                               atol=1e-4)  # fmt: skip
    assert each.min() == pytest.approx(0.5, abs=0.01)
    assert each.max() == pytest.approx(1.5, abs=0.01)
    assert each.mean() == pytest.approx(1.0, abs=4 * 0.29 / 3000**0.5)


def test_saturation_scales_the_distance_of_colours_from_grey():
    given = images(3000, side=4, channels=3).numpy()
    changed = saturation(tf.constant(given), KEY).numpy()
    grey = given.mean(3, keepdims=True)
    np.testing.assert_allclose(changed.mean(3, keepdims=True), grey, atol=1e-5)
    far = np.abs(given - grey) > 0.1
    factors = (changed - grey) / (given - grey)
    each = np.array([np.median(factor[mask]) for factor, mask in zip(factors, far, strict=True)])
    np.testing.assert_allclose(changed, grey + each[:, None, None, None] * (given - grey),
                               atol=1e-4)  # fmt: skip
    assert each.min() == pytest.approx(0.0, abs=0.01)
    assert each.max() == pytest.approx(2.0, abs=0.01)
    assert each.mean() == pytest.approx(1.0, abs=4 * 0.58 / 3000**0.5)
    plain = images(10)
    np.testing.assert_allclose(saturation(plain, KEY), plain, atol=1e-6)  # one channel is grey


def to_black(images, key):
    del key
    return tf.fill(images.shape, -1.0)


def beyond(images, key):
    del key
    return images + 10.0


@pytest.mark.parametrize("jit_compile", [False, True])
def test_each_augmentation_changes_as_many_images_as_the_probability_says(jit_compile):
    """And which images one changes says nothing about the other; p may be a tensor."""
    given, count = tf.ones([4000, 2, 2, 1]), 4000
    for probability in (0.25, tf.constant(0.25)):

        @tf.function(jit_compile=jit_compile, autograph=False)
        def apply(images, probability=probability):
            return apply_augmentations(images, (to_black, beyond), KEY, probability)

        found = apply(given).numpy()
        assert np.ptp(found, axis=(1, 2, 3)).max() == 0  # whole images
        values, counts = np.unique(found[:, 0, 0, 0], return_counts=True)
        assert values.tolist() == [-1.0, 1.0, 9.0, 11.0]  # black; as it was; both; the second
        for share, expected in zip(counts / count, (3 / 16, 9 / 16, 1 / 16, 3 / 16), strict=True):
            assert share == pytest.approx(expected, abs=4 * (0.25 / count) ** 0.5)


def test_probabilities_of_0_and_1_are_never_and_always():
    given, policy = images(200), AUGMENTATIONS["translation_cutout"]
    whole = apply_augmentations(given, policy, KEY)
    for one in (1.0, tf.constant(1.0)):
        np.testing.assert_array_equal(apply_augmentations(given, policy, KEY, one), whole)
    for zero in (0.0, tf.constant(0.0)):
        np.testing.assert_array_equal(apply_augmentations(given, policy, KEY, zero), given)


@pytest.mark.parametrize("name", [n for n in AUGMENTATIONS if "color" not in n])
def test_gradients_flow_to_the_pixels_that_are_seen(name):
    """Each pixel of the sum has slope 1 where it is seen, 0 where it was cut or moved out."""
    given = images(8)
    with tf.GradientTape() as tape:
        tape.watch(given)
        total = tf.reduce_sum(apply_augmentations(given, AUGMENTATIONS[name], KEY))
    slopes = tape.gradient(total, given).numpy()
    assert set(np.unique(slopes)) <= {0.0, 1.0}
    seen = slopes.mean()
    assert (seen == 1.0) == (name == "none")
    assert seen > 0.5


@pytest.mark.parametrize("change", [saturation, contrast])
def test_gradients_flow_through_colours_as_differences_say(change):
    """The pixel itself, and the grey or the mean that it is a part of."""
    given = images(4, side=8, channels=3)
    weights = tf.constant(RNG.uniform(0.5, 1.5, given.shape), tf.float32)

    def total(x):
        return tf.reduce_sum(weights * change(x, KEY))

    with tf.GradientTape() as tape:
        tape.watch(given)
        value = total(given)
    slopes = tape.gradient(value, given).numpy()
    for place in ((0, 0, 0, 0), (1, 5, 6, 1), (3, 7, 2, 2)):
        moved = np.zeros(given.shape, np.float32)
        moved[place] = 0.05
        difference = (total(given + moved) - total(given - moved)) / 0.1
        assert slopes[place] == pytest.approx(float(difference), abs=5e-3)
    assert np.abs(slopes / weights.numpy() - 1).mean() > 0.02  # not those of the identity


def test_each_augmentation_of_a_policy_has_its_own_numbers():
    seen = []

    def remembering(given, key):
        seen.append(tuple(key.numpy()))
        return given

    apply_augmentations(images(1), (remembering, remembering), KEY)
    assert len(set(seen)) == 2
    assert rng.fold_in(KEY, 0).shape == (2,)


def test_flip_mirrors_half_of_the_images_left_to_right():
    left = np.full((4000, 6, 8, 3), -1.0, np.float32)
    left[:, 1, 2, 0] = 1.0  # red, in the upper left
    flipped = flip(tf.constant(left), KEY).numpy()
    places = np.argwhere(flipped > 0)
    assert len(places) == 4000
    assert set(map(tuple, places[:, 1:])) == {(1, 2, 0), (1, 5, 0)}
    share = (places[:, 2] == 5).mean()
    assert share == pytest.approx(0.5, abs=4 * (0.25 / 4000) ** 0.5)
    compiled = tf.function(flip, jit_compile=True, autograph=False)
    assert np.array_equal(compiled(tf.constant(left), KEY), flipped)
    assert not np.array_equal(flip(tf.constant(left), rng.fold_in(KEY, 1)), flipped)
