"""The feature networks: what the package ships, and how one is trained for other data."""

import errno
import fcntl
import hashlib
import json
import threading

import numpy as np
import platformdirs
import pytest
import tensorflow as tf
from absl.flags import FlagValues

from experiments import train_features
from gan.data.datasets import Dataset, load_dataset
from gan.errors import UserError
from gan.evaluation import feature_networks, features
from gan.run.atomic_files import write_json
from gan.run.cache import alone

# name -> (data set, network, test accuracy it must have)
PACKAGED = {
    "mnist-cnn-a-v1": ("mnist", "cnn-a", 0.995),
    "mnist-cnn-b-v1": ("mnist", "cnn-b", 0.995),
    "fashion_mnist-cnn-a-v1": ("fashion_mnist", "cnn-a", 0.935),
}


@pytest.fixture
def small():
    """Bright and dark images, which a network learns in a moment."""
    rng = np.random.default_rng(0)
    labels = np.arange(400, dtype=np.uint8) % 2
    images = rng.integers(0, 100, (400, 8, 8, 1)) + 150 * labels[:, None, None, None]
    images = images.astype(np.uint8)
    return Dataset(images[:300], labels[:300], images[300:], labels[300:])


@pytest.fixture
def cache(tmp_path, monkeypatch):
    monkeypatch.setattr(platformdirs, "user_cache_dir", lambda name: str(tmp_path / name))
    short = (features.Cycle(12, 2e-3, 0.4), features.Cycle(3, 1e-3, 0.1))
    monkeypatch.setattr(features, "RECIPES", {"shades": short})
    monkeypatch.setattr(features, "BATCH_SIZE", 20)
    return tmp_path / "tapegan" / "features"


@pytest.mark.parametrize("name", features.DIGESTS)
def test_packaged_weights_are_small_and_have_their_digest(name):
    path = feature_networks.PACKAGED / f"{name}.npz"
    assert path.stat().st_size < 2e6
    assert hashlib.sha256(path.read_bytes()).hexdigest() == features.DIGESTS[name]
    with np.load(path, allow_pickle=False) as file:
        parameters = sum(file[key].size for key in file.files if key.startswith("weight"))
    assert 0.28e6 < parameters < 0.5e6


def test_the_package_ships_what_it_should():
    assert set(features.DIGESTS) == set(PACKAGED)
    weights = feature_networks.PACKAGED.glob("*.npz")
    assert {path.name.removesuffix(".npz") for path in weights} == set(PACKAGED)


@pytest.mark.parametrize("name", PACKAGED)
def test_packaged_networks_know_the_test_images(name):
    dataset, network, accuracy = PACKAGED[name]
    try:
        data = load_dataset(dataset, "", print)
    except UserError as error:
        if dataset == "mnist":
            raise
        pytest.skip(str(error))
    extractor = features.load_extractor(dataset, network, data)
    found = extractor(data.test_images[:5000])
    assert found.features.shape == (5000, 128)
    assert found.probabilities.shape == (5000, 10)
    right = np.mean(found.probabilities.argmax(1) == data.test_labels[:5000])
    assert accuracy - 0.006 < right < 1  # a half of them scatters more than the whole
    assert accuracy <= extractor.provenance["test_accuracy"] < 1
    assert extractor.provenance == {
        "name": name, "sha256": features.DIGESTS[name], "packaged": True,
        "test_accuracy": extractor.provenance["test_accuracy"],
    }  # fmt: skip


def test_features_are_what_they_were():
    """Numbers of other machines and years can be compared only if this never changes."""
    data = load_dataset("mnist", "", print)
    found = features.load_extractor("mnist", "cnn-a", data)(data.test_images[:1])
    assert found.probabilities[0].argmax() == 7
    assert np.flatnonzero(found.features[0] > 0.5)[:6].tolist() == FEATURES_OF_THE_FIRST_SEVEN[0]
    assert found.features[0].sum() == pytest.approx(FEATURES_OF_THE_FIRST_SEVEN[1], rel=1e-3)


FEATURES_OF_THE_FIRST_SEVEN = ([0, 8, 9, 14, 15, 17], 60.74977)


def test_features_do_not_depend_on_the_batch(monkeypatch):
    data = load_dataset("mnist", "", print)
    extractor = features.load_extractor("mnist", "cnn-b", data)
    whole = extractor(data.test_images[:70])
    model, batches = features.compiled(extractor.model), []

    def watched(images):
        batches.append(len(images))
        return model(images)

    monkeypatch.setattr(features, "EXTRACT_BATCH", 32)
    monkeypatch.setattr(features, "compiled", lambda model: watched)
    parts = extractor(data.test_images[:70])
    assert batches == [32, 32, 6]
    assert parts.features == pytest.approx(whole.features, abs=1e-4)
    assert np.sum(parts.probabilities, axis=1) == pytest.approx(np.ones(70), abs=1e-5)


def test_damaged_package_weights_are_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(feature_networks, "PACKAGED", tmp_path)
    (tmp_path / "mnist-cnn-a-v1.npz").write_bytes(b"other weights")
    data = load_dataset("mnist", "", print)
    with pytest.raises(UserError, match=r"mnist-cnn-a-v1\.npz: is missing or damaged, install"):
        features.load_extractor("mnist", "cnn-a", data)


def test_other_data_get_a_network_once(small, cache):
    """Training is a function of the seed, so a replaced network is the one that was there."""
    said = []
    first = features.load_extractor("shades", "cnn-b", small, said.append)
    accuracy = "the feature network shades-cnn-b-v1 has a test accuracy of 100.00%"
    assert said == ["training the feature network shades-cnn-b-v1, once", accuracy]
    assert first.provenance["test_accuracy"] == 1
    assert first.provenance["packaged"] is False
    (path,) = cache.glob("*.npz")
    assert first.provenance["sha256"] == hashlib.sha256(path.read_bytes()).hexdigest()
    again = features.load_extractor("shades", "cnn-b", small, said.append)
    assert said[2:] == [accuracy]
    assert np.array_equal(again(small.test_images)[0], first(small.test_images)[0])
    said.clear()
    path.write_bytes(path.read_bytes()[:1000])
    replaced = features.load_extractor("shades", "cnn-b", small, said.append)
    assert "is damaged and will be replaced" in said[0]
    for a, b in zip(first.model.get_weights(), replaced.model.get_weights(), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-6)


def test_two_processes_get_one_network(small, cache, monkeypatch):
    """Each would train another one; the numbers of two networks cannot be compared."""
    features.load_extractor("shades", "cnn-b", small)
    (path,) = cache.glob("*.npz")
    trained = path.read_bytes()
    path.unlink()
    monkeypatch.setattr(features, "train_classifier", None)  # nobody trains again
    said, found, waiting = [], [], threading.Event()

    def say(line):
        said.append(line)
        waiting.set()

    def load():
        found.append(features.load_extractor("shades", "cnn-b", small, say))

    thread = threading.Thread(target=load)
    with alone(path.with_suffix(".lock"), pytest.fail):
        thread.start()
        assert waiting.wait(60)
        path.write_bytes(trained)
    thread.join(60)
    assert said[0] == ("another process trains the feature network shades-cnn-b-v1; waiting for it")
    assert found[0].provenance["sha256"] == hashlib.sha256(trained).hexdigest()


def test_without_locks_a_network_is_trained_all_the_same(small, cache, monkeypatch):
    def no_locks(*arguments):
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(fcntl, "flock", no_locks)
    features.load_extractor("shades", "cnn-b", small)
    assert list(cache.glob("*.npz"))


@pytest.mark.parametrize("part", ["train_images", "train_labels", "test_images", "test_labels"])
def test_a_network_is_for_the_very_images_and_labels(part, small, cache, monkeypatch):
    """Whatever a data set is called, and whichever part of it is another one."""
    trained = []

    def train(network, data, recipe, verbose):
        trained.append(data)
        return features.NETWORKS[network]((8, 8, 1), 2), 0.9

    monkeypatch.setattr(features, "train_classifier", train)
    changed = getattr(small, part).copy()
    changed[0] = changed[1]
    for data in (small, small._replace(**{part: changed}), small):
        features.load_extractor("shades", "cnn-b", data)
    assert len(trained) == 2
    assert getattr(trained[1], part)[0].max() == changed[0].max()


def test_other_data_of_the_name_of_mnist_do_not_get_the_packaged_network(cache, monkeypatch):
    mnist = load_dataset("mnist", "", print)
    assert features.is_original("mnist", mnist.labelled)
    wide = mnist._replace(train_labels=mnist.train_labels.astype(np.int64))
    assert features.load_extractor("mnist", "cnn-a", wide).provenance["packaged"] is True
    model = features.NETWORKS["cnn-a"]((28, 28, 1), 10)
    monkeypatch.setattr(features, "train_classifier", lambda *_, **__: (model, 0.9))
    for part in ("train_images", "train_labels", "test_images", "test_labels"):
        half = mnist._replace(**{part: getattr(mnist, part)[::-1]})
        assert features.load_extractor("mnist", "cnn-a", half).provenance["packaged"] is False


@pytest.mark.parametrize(
    ("accuracy", "labels", "warns"),
    [
        (0.43, [0, 1, 2, 3], True),  # guessing: 25 %; a third of the way to all: 50 %
        (0.49, [0, 1, 2, 3], True),
        (0.51, [0, 1, 2, 3], False),
        (0.85, [0] * 8 + [1] * 2, True),  # naming the commonest class: 80 %
        (0.90, [0] * 8 + [1] * 2, False),
        (1.00, [0, 0, 0], False),
    ],
)
def test_a_network_that_hardly_beats_guessing_is_named(accuracy, labels, warns):
    said = []
    extractor = features.Extractor("x-v1", None, {"test_accuracy": accuracy})
    features.tell_accuracy(extractor, np.array(labels, np.uint8), said.append)
    (line,) = said
    assert f"x-v1 has a test accuracy of {accuracy:.2%}" in line
    assert line.startswith("warning: ") is warns


def test_data_without_labels_are_refused(small):
    for lacking in ({"train_labels": None}, {"test_images": None}, {"test_labels": None}):
        with pytest.raises(UserError, match="--dataset=shades: has no labels or no test images"):
            features.load_extractor("shades", "cnn-a", small._replace(**lacking))


def test_shifts_move_whole_images_by_up_to_two_pixels():
    tf.random.set_seed(0)
    images = np.full((300, 9, 9, 1), -1, np.float32)
    images[:, 4, 4] = 1
    moved = features.shifted(tf.constant(images)).numpy()
    assert moved.shape == images.shape
    assert (moved.sum((1, 2, 3)) == images.sum((1, 2, 3))).all()
    _, rows, columns, _ = np.nonzero(moved == 1)
    assert set(zip(rows - 4, columns - 4, strict=True)) == {
        (i, j) for i in range(-2, 3) for j in range(-2, 3)
    }


def test_a_weight_file_cannot_run_code(tmp_path):
    about = json.dumps({"image_shape": [28, 28, 1], "classes": 10, "test_accuracy": 1.0})
    np.savez(tmp_path / "x.npz", about=np.array(about), weight_00=np.array([{}], object))
    with pytest.raises(UserError, match="allow_pickle=False"):
        features.read_weights(tmp_path / "x.npz", "x", "cnn-a", False)


def test_weights_of_other_data_are_not_measured_beside_these(tmp_path, monkeypatch):
    images, labels = np.zeros([4, 28, 28, 1], np.uint8), np.array([0, 1, 0, 1])
    images[1::2] = 255
    data = Dataset(images, labels, images, labels)
    monkeypatch.setattr(train_features, "load_dataset", lambda *where: data)
    (tmp_path / "mnist-cnn-a-v1.npz").write_bytes(b"of A")
    write_json(table := tmp_path / "mnist-cnn-a-v1.floors.json", {"sha256": "5", "data": "of A"})
    before = table.read_bytes()
    values = FlagValues()
    train_features.define(values)
    values(["train_features", f"--out={tmp_path}"])
    with pytest.raises(UserError, match=r"floors\.json is of other data, must be another direct"):
        train_features.main(values)
    assert table.read_bytes() == before
