import itertools

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from gan.data.datasets import Dataset, load_dataset
from gan.data.images import to_float, to_stored, to_uint8
from gan.data.input_pipeline import block_dataset, examples_at, host_blocks, real_examples
from gan.rng import SAMPLES, TRAINING, draw_latents, shuffled_indices
from gan.run.config import Config
from gan.training.builders import build_pipeline
from gan.training.strategy import Replicas

NUMBERED = np.arange(10, dtype=np.uint8).reshape(10, 1, 1, 1)  # image i is the pixel i


def stream(seed, start, count, size):
    positions = tf.range(start, start + count, dtype=tf.int64)
    return shuffled_indices(positions, size, seed).numpy()


def test_every_byte_survives_the_round_trip():
    byte = np.arange(256, dtype=np.uint8)
    floats = to_float(byte).numpy()
    assert floats.dtype == np.float32
    np.testing.assert_allclose(floats, byte / 127.5 - 1, atol=1e-6)
    assert (floats[0], floats[255]) == (-1.0, 1.0)
    assert np.array_equal(to_uint8(floats), byte)


def test_floats_outside_the_range_are_clipped_and_others_rounded():
    out = to_uint8(tf.constant([-7.0, -1.0, 0.0, 0.999, 1.0, 3.0]))
    assert out.dtype == tf.uint8
    assert out.numpy().tolist() == [0, 0, 128, 255, 255, 255]


@settings(max_examples=30, deadline=None)
@given(size=st.integers(1, 300), epoch=st.integers(0, 10**6), seed=st.integers(0, 2**31 - 1))
def test_every_epoch_is_a_permutation(size, epoch, seed):
    order = stream(seed, epoch * size, size, size)
    assert sorted(order) == list(range(size))


def test_epochs_and_seeds_have_orders_of_their_own():
    first, second = stream(0, 0, 100, 100), stream(0, 100, 100, 100)
    other = stream(1, 0, 100, 100)
    assert len({tuple(first), tuple(second), tuple(other), tuple(range(100))}) == 4


def test_the_order_of_mnist_is_uniform():
    # Mean displacement of a random permutation of n is n/3, its sd about 0.298 n / sqrt(n).
    n = 60000
    displacement = np.abs(stream(0, 0, n, n) - np.arange(n)).mean() / n
    assert displacement == pytest.approx(1 / 3, abs=5 * 0.298 / np.sqrt(n))


def blocks(count, images=NUMBERED, **changes):
    settings = {"steps_per_call": 3, "d_steps": 2, "batch_size": 4, "latent_dim": 5, "seed": 5}
    taken = block_dataset(Dataset(images), **{**settings, **changes}).take(count)
    reals, _, latents = zip(*taken.as_numpy_iterator(), strict=True)
    return np.stack(reals), np.stack(latents)


def test_blocks_are_the_stream_in_order():
    reals, latents = blocks(5)
    assert (reals.dtype, latents.dtype) == (np.uint8, np.float32)
    assert reals.shape == (5, 3, 2, 4, 1, 1, 1)
    assert latents.shape == (5, 3, 3, 4, 5)
    assert reals.reshape(-1).tolist() == stream(5, 0, 5 * 24, 10).tolist()
    assert np.bincount(reals.reshape(-1)).tolist() == [12] * 10  # 12 whole epochs


def test_neither_the_start_nor_the_length_of_blocks_changes_a_step():
    whole = [array.reshape(-1, *array.shape[2:]) for array in blocks(7)]  # steps 0 to 20
    for length, first in ((3, 9), (3, 10), (1, 20), (4, 5)):
        again = blocks(1, steps_per_call=length, first_step=first)
        for a, b in zip(whole, again, strict=True):
            assert np.array_equal(a[first : first + length], b[0])


def test_a_start_far_beyond_two_to_the_31_costs_nothing():
    far = 10**10
    reals, _ = blocks(1, first_step=far)
    assert reals.reshape(-1).tolist() == stream(5, far * 8, 24, 10).tolist()


def test_only_uint8_images_and_float32_points_are_taken():
    with pytest.raises(ValueError, match="uint8"):
        blocks(1, images=NUMBERED.astype(np.float32))


def test_latents_are_normal_and_a_function_of_seed_stream_and_step():
    keys = [
        (0, TRAINING, 0),
        (1, TRAINING, 0),
        (0, SAMPLES, 0),
        (0, TRAINING, 1),
        (0, TRAINING, 2**40),
    ]
    draws = [draw_latents([500, 100], *key).numpy() for key in keys]
    assert np.array_equal(draws[0], draw_latents([500, 100], *keys[0]))
    for i, a in enumerate(draws):
        assert a.dtype == np.float32
        assert a.mean() == pytest.approx(0, abs=5 / np.sqrt(a.size))
        assert a.std() == pytest.approx(1, abs=5 / np.sqrt(2 * a.size))
        for b in draws[i + 1 :]:
            assert abs(np.corrcoef(a.ravel(), b.ravel())[0, 1]) < 5 / np.sqrt(a.size)


def test_latents_stay_what_they_are():
    """Old seeds keep their meaning; these are the numbers of TensorFlow 2.21's Philox."""
    np.testing.assert_allclose(
        draw_latents([3], 0, TRAINING, 0), [1.080070, -1.098975, 0.632021], atol=1e-5
    )


def test_no_thread_of_autotune_keeps_a_run_from_ending():
    settings = {"steps_per_call": 3, "d_steps": 2, "batch_size": 4, "latent_dim": 5, "seed": 5}
    assert block_dataset(Dataset(NUMBERED), **settings).options().autotune.enabled is False


def test_labels_go_with_their_images():
    data = Dataset(NUMBERED, 9 - NUMBERED.ravel())
    settings = {"steps_per_call": 3, "d_steps": 2, "batch_size": 4, "latent_dim": 5, "seed": 5}
    block = next(block_dataset(data, **settings).as_numpy_iterator())
    assert block.labels.dtype == np.int32
    assert block.labels.shape == (3, 2, 4)
    np.testing.assert_array_equal(block.labels, 9 - block.images[..., 0, 0, 0])


def test_a_stack_has_an_order_for_each_channel_and_its_labels_as_digits():
    """Each channel goes through all images once an epoch, and no two in the same order."""
    data = Dataset(NUMBERED, NUMBERED.ravel(), stack=3)
    images, labels = examples_at(NUMBERED, tf.range(0, 20, dtype=tf.int64), data, 5)
    assert images.shape == (20, 1, 1, 3)
    digits = images.numpy().reshape(20, 3).astype(int)
    assert labels.numpy().tolist() == (digits @ [100, 10, 1]).tolist()
    assert digits[:, 0].tolist() == stream(5, 0, 20, 10).tolist()  # the first as without a stack
    orders = {tuple(part) for part in digits.T.reshape(6, 10)}
    assert len(orders) == 6  # three channels, two epochs
    assert all(sorted(order) == list(range(10)) for order in orders)
    again, _ = examples_at(NUMBERED, tf.range(7, 9, dtype=tf.int64), data, 5)
    np.testing.assert_array_equal(again, images[7:9])  # a function of the position
    pipeline = block_dataset(
        data, steps_per_call=2, d_steps=1, batch_size=5, latent_dim=2, seed=5, first_step=1
    )
    block = next(pipeline.as_numpy_iterator())
    np.testing.assert_array_equal(block.images.reshape(10, 3), digits[5:15])


def test_points_are_not_scaled():
    points = np.linspace(-5, 5, 20, dtype=np.float32).reshape(10, 2)
    reals, _ = blocks(1, images=points)
    assert (reals.dtype, reals.shape) == (np.float32, (1, 3, 2, 4, 2))
    assert {tuple(p) for p in reals.reshape(-1, 2)} == {tuple(p) for p in points}
    np.testing.assert_array_equal(to_float(tf.constant(points)), points)
    np.testing.assert_array_equal(to_stored(tf.constant(points)), points)
    assert to_stored(tf.ones([1, 2, 2, 1])).dtype == np.uint8


def test_a_folder_comes_in_the_same_order_as_arrays(tmp_path):
    """File i holds the grey value 10 i, its label is i; resumed in the middle of a block."""
    for i in range(10):
        (tmp_path / str(i)).mkdir()
        Image.new("L", (8, 8), 10 * i).save(tmp_path / str(i) / "a.png")
    data = load_dataset(f"image_folder:{tmp_path}", "", print, image_size=8, image_channels=1)
    settings = {"steps_per_call": 3, "d_steps": 2, "batch_size": 4, "latent_dim": 5, "seed": 5}
    for first in (0, 4):
        blocks = host_blocks(data, **settings, first_step=first)
        others = block_dataset(data, **settings, first_step=first).as_numpy_iterator()
        pairs = zip(itertools.islice(blocks, 3), itertools.islice(others, 3), strict=True)
        for number, (block, other) in enumerate(pairs):
            assert block.images.shape == (3, 2, 4, 8, 8, 1)
            expected = stream(5, (first + 3 * number) * 8, 24, 10)
            np.testing.assert_array_equal(np.ravel(block.images[..., 0, 0, 0]), 10 * expected)
            np.testing.assert_array_equal(np.ravel(block.labels), expected)
            for a, b in zip(block, other, strict=True):
                np.testing.assert_array_equal(a, b)
        blocks.close()
    np.testing.assert_array_equal(real_examples(data, 12, 0)[10:, 0, 0, 0], [0, 10])


@pytest.mark.parametrize("kind", ["images", "colour", "stack", "points"])
def test_numpy_gathers_what_tensorflow_does(kind):
    rng = np.random.default_rng(0)
    channels = 3 if kind == "colour" else 1
    images = rng.integers(0, 256, (30, 6, 5, channels), np.uint8)
    data = Dataset(images, rng.integers(0, 10, 30), stack=2 if kind == "stack" else 1)
    if kind == "points":
        data = Dataset(rng.normal(size=(30, 2)).astype(np.float32))
    settings = {
        "steps_per_call": 3, "d_steps": 2, "batch_size": 4, "latent_dim": 5, "seed": 5,
        "noise_seed": 6, "first_step": 7,
    }  # fmt: skip
    blocks = host_blocks(data, **settings)
    others = block_dataset(data, **settings).as_numpy_iterator()
    for _ in range(3):
        for a, b in zip(next(blocks), next(others), strict=True):
            assert a.dtype == b.dtype
            np.testing.assert_array_equal(a, b)
    blocks.close()


class Counted(np.ndarray):
    """Images that note which of them were read."""

    def __getitem__(self, numbers):
        self.read.extend(np.ravel(numbers).tolist())
        return self.view(np.ndarray)[numbers]


@pytest.mark.parametrize(
    ("make", "kind", "workers"),
    [
        (block_dataset, "images", 6),
        (host_blocks, "images", 2),
        (host_blocks, "stack", 3),
        (host_blocks, "points", 2),
    ],
)
def test_parts_of_workers_make_the_batches_of_one(make, kind, workers):
    """To the bit; 5 latents a row, so that parts start anywhere between Philox' fours."""
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (30, 6, 5, 1), np.uint8)
    data = Dataset(images, rng.integers(0, 10, 30), stack=2 if kind == "stack" else 1)
    if kind == "points":
        data = Dataset(rng.normal(size=(30, 2)).astype(np.float32))
    settings = {
        "steps_per_call": 3, "d_steps": 2, "batch_size": 6, "latent_dim": 5, "seed": 5,
        "noise_seed": 6, "first_step": 2**33 + 7,
    }  # fmt: skip
    parts = [
        iter(make(data, **settings, worker=worker, workers=workers)) for worker in range(workers)
    ]
    whole = block_dataset(data, **settings).as_numpy_iterator()
    for _ in range(3):
        of_each, expected = [next(part) for part in parts], next(whole)
        for number, tensor in enumerate(expected):
            assert {part[number].shape[2] for part in of_each} == {6 // workers}
            np.testing.assert_array_equal(np.concatenate([p[number] for p in of_each], 2), tensor)


def test_a_worker_reads_its_images_alone():
    images = np.arange(64, dtype=np.uint8).reshape(64, 1, 1, 1).view(Counted)
    read = []
    for worker in range(2):
        images.read = []
        config = Config(batch_size=8, steps_per_call=2, d_steps=1, latent_dim=5, seed=5)
        blocks = build_pipeline(config, Dataset(images), 3, replicas=Replicas(None, worker, 2))
        next(blocks)
        blocks.close()
        read.append(images.read)
    batches = stream(5, 3 * 8, 4 * 8, 64).reshape(4, 8)  # two blocks: one is read ahead
    assert read == [batches[:, :4].ravel().tolist(), batches[:, 4:].ravel().tolist()]


def test_a_batch_that_workers_cannot_share_is_refused():
    with pytest.raises(ValueError, match="batch of 4 does not split between 3 workers"):
        blocks(1, workers=3)


def test_of_a_mapped_file_only_what_is_wanted_is_read(tmp_path):
    """Of 64 GB without content but for the last picture."""
    count, shape = 2**20, (128, 128, 4)
    with open(tmp_path / "pixels", "wb") as file:
        file.truncate(count * 2**16)
        file.seek(-1, 2)
        file.write(b"\x07")
    data = Dataset(np.memmap(tmp_path / "pixels", np.uint8, "r", shape=(count, *shape)))
    position = int(np.flatnonzero(stream(5, 0, count, count) == count - 1)[0])
    config = Config(batch_size=4, steps_per_call=2, latent_dim=5, seed=5)
    block = next(iter(build_pipeline(config, data, position // 4)))
    seen = block.images.numpy().reshape(8, -1)
    assert seen.max(1).tolist() == [7 * (i == position % 4) for i in range(8)]


def test_real_examples_are_the_first_ones():
    data = Dataset(NUMBERED)
    assert real_examples(data, 12, 5).ravel().tolist() == [*range(10), 0, 1]
    assert real_examples(data._replace(stack=2), 3, 5).shape == (3, 1, 1, 2)
