"""Feature networks of folders and of images without labels."""

import numpy as np
import platformdirs
import pytest
import tensorflow as tf

from gan.data.datasets import Dataset, Parts
from gan.data.folders.load import Folder
from gan.errors import UserError
from gan.evaluation import evaluate, features, own_features, reference
from gan.evaluation.feature_networks import NETWORKS
from gan.evaluation.metrics import distances
from gan.evaluation.metrics.comparison import Features
from gan.evaluation.metrics.distances import flatten, nearest_images
from gan.evaluation.metrics.table import METRICS
from gan.run.config import Config


def pictures(count, seed, side=8):
    """Noise, brighter at the top: which way up it is can be seen. And its class: how bright."""
    rng, labels = np.random.default_rng(seed), np.arange(count) % 2
    images = rng.integers(0, 60, (count, side, side, 1)) + 90 * labels[:, None, None, None]
    images[:, : side // 2] += 100
    return images.astype(np.uint8), labels


@pytest.fixture(scope="module")
def parts(tmp_path_factory):
    """Mapped images, and a cache in which each network is trained once for all tests here."""
    place = tmp_path_factory.mktemp("own")
    train, labels = pictures(300, 0)
    np.save(place / "train.npy", train)
    test, test_labels = pictures(120, 1)
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(platformdirs, "user_cache_dir", lambda name: str(place / name))
        patched.setattr(own_features, "BUDGET", 2400)
        patched.setattr(features, "BATCH_SIZE", 32)
        yield Parts(np.load(place / "train.npy", mmap_mode="r"), labels, test, test_labels)


FILES = Folder(np.array([], object), np.array([]), np.array([]), "")


def folder_of(parts, labels=True):
    data = Dataset(*parts, class_names=("dark", "bright"), folder=FILES)
    return data if labels else data._replace(train_labels=None, test_labels=None, class_names=())


def test_without_labels_a_network_learns_rotations_once(parts):
    data, said = folder_of(parts, labels=False), []
    real = reference.load_real_features("image_folder:/some/where", data, "cnn-a", said.append)
    name, about = "image_folder-rotations-cnn-a-v1", real.extractor.provenance
    assert (about["name"], about["task"], about["packaged"]) == (name, "rotations", False)
    assert about["test_accuracy"] > 0.9
    assert said[0] == f"training the feature network {name}, once"
    assert said[1].startswith(f"the feature network {name}, trained without labels, tells ")
    assert said[1].endswith("of the rotations of test images (guessing: 25%)")
    assert not real.has_classes
    seen = real.extractor(data.test_images)
    assert (seen.features.shape, seen.probabilities.shape) == ((120, 128), (120, 4))
    upright = seen.probabilities.argmax(1) == 0
    on_its_head = real.extractor(data.test_images[:, ::-1, ::-1]).probabilities.argmax(1) == 2
    assert upright.mean() > 0.9
    assert on_its_head.mean() > 0.9
    again = reference.load_real_features("image_folder:elsewhere", data, "cnn-a", said.append)
    assert len(said) == 3
    assert again.extractor.provenance == about


def test_with_classes_a_network_learns_them(parts):
    said = []
    real = reference.load_real_features("image_folder:x", folder_of(parts), "cnn-a", said.append)
    about = real.extractor.provenance
    assert about["name"] == "image_folder-cnn-a-v1"
    assert "task" not in about
    assert about["test_accuracy"] > 0.9
    assert "has a test accuracy of" in said[1]
    assert real.has_classes
    assert real.extractor(parts.test_images).probabilities.shape == (120, 2)


@pytest.mark.parametrize(
    ("count", "classes", "learned"),
    [(40, 4, True), (39, 4, False), (40, 1, False), (400, 41, False)],
)
def test_classes_that_are_few_or_small_are_no_use(count, classes, learned):
    labels = np.arange(count) % classes
    images = np.zeros([count, 8, 8, 1], np.uint8)
    assert (own_features.learnable(Parts(images, labels, images, labels)) is None) != learned
    assert own_features.learnable(Parts(images, None, images, None)) is None


def test_what_needs_classes_is_left_out_without(parts):
    data = folder_of(parts, labels=False)
    real = reference.load_real_features("image_folder:x", data, "cnn-a")
    against, samples = real.reference(count=150), pictures(150, 2)[0]
    record, picture = evaluate.evaluate(samples, against)
    without = set(METRICS) - {"classifier_score", "classes", "class_kl"}
    for part in ("metrics", "floors", "ideals"):
        assert set(record[part]) == without, part
    assert not {"class_counts", "real_classes"} & set(record)
    assert record["features"] == real.extractor.provenance
    assert picture is not None
    floor = record["floors"]["fcd"]
    assert abs(record["metrics"]["fcd"] - floor["mean"]) < 10 * floor["sd"]
    with pytest.raises(UserError, match="--metrics=classes: needs classes, which image_folder:x l"):
        evaluate.evaluate(samples, against, ["fcd", "classes"])


@pytest.mark.parametrize("labels", [True, False])
def test_the_light_evaluation_of_a_folder_has_floors(labels, parts, monkeypatch):
    drawn = []

    def draw(generator, data, count):
        drawn.append(count)
        return pictures(count, 2)[0]

    monkeypatch.setattr(evaluate, "sample_for_evaluation", draw)
    config = Config(dataset="image_folder:x", evaluate_every=5)
    light = evaluate.evaluators(config, folder_of(parts, labels))["light"]
    record = light(None, 5)
    assert drawn == [150]  # half of the training images, more have no floors
    names = {"fcd", "coverage", *(["classes"] if labels else [])}
    assert set(record["metrics"]) == set(record["floors"]) == names
    assert record["reference"] == {"dataset": "image_folder:x", "split": "test", "num_images": 120}
    assert record["floors"]["coverage"]["mean"] > 0.7
    assert record["metrics"]["coverage"] > 0.7


def test_a_folder_without_test_images_says_so(parts):
    said, data = [], folder_of(parts)._replace(test_images=None, test_labels=None)
    config = Config(dataset="image_folder:x", evaluate_every=5)
    assert evaluate.evaluators(config, data, said.append) == {}
    assert said == [
        "no evaluation while training: image_folder:x has no test images, none are held out (see "
        "--test_share)"
    ]
    config = Config(dataset="image_folder:x", evaluate_every=5, keep_best="fcd")
    with pytest.raises(UserError, match=r"^--keep_best=fcd: image_folder:x has no test images"):
        evaluate.evaluators(config, data, said.append)
    flat = data._replace(test_images=parts.test_images[:, :6], folder=None, train_labels=None,
                         train_images=parts.train_images[:, :6])  # fmt: skip
    assert reference.incomparable(flat).startswith("has no labels, and images that are not square")


def test_of_one_class_a_network_learns_rotations(parts):
    """Of a single class it would learn nothing, and be always right."""
    data = Dataset(*parts)._replace(
        train_labels=np.zeros(len(parts.train_images), int),
        test_labels=np.zeros(len(parts.test_images), int),
    )
    real = reference.load_real_features("mine", data, "cnn-a", lambda line: None)
    assert real.extractor.provenance["task"] == "rotations"
    assert not real.has_classes
    assert reference.lacking(data) == ""
    flat = data._replace(
        train_images=parts.train_images[:, :6], test_images=parts.test_images[:, :6]
    )
    assert reference.lacking(flat).startswith("has one class only, and images that are not square")


def test_rotations_are_what_they_are_called():
    images = np.arange(2 * 3 * 3).reshape(2, 3, 3, 1).astype(np.float32)
    turned, labels = own_features.in_all_rotations(tf.constant(images))
    assert labels.numpy().tolist() == [0, 0, 1, 1, 2, 2, 3, 3]
    for i, label in enumerate(labels.numpy()):
        assert np.array_equal(turned[i], np.rot90(images[i % 2], label)), i


def test_a_network_that_guesses_rotations_is_named():
    for accuracy, warns in ((0.25, True), (0.49, True), (0.51, False)):
        said = []
        extractor = features.Extractor("x-v1", None, {"test_accuracy": accuracy})
        own_features.tell_rotations(extractor, said.append)
        assert said[0].startswith("warning: ") is warns


@pytest.mark.parametrize(
    ("shown", "epochs"),
    [(100, 60), (2000, 60), (4000, 30), (40_000, 3), (120_000, 3)],
)
def test_the_recipe_keeps_to_its_budget(shown, epochs, monkeypatch):
    monkeypatch.setattr(own_features, "BUDGET", 120_000)
    cycles = own_features.recipe(shown)
    assert sum(cycle.epochs for cycle in cycles) == epochs
    assert all(cycle.epochs > 0 for cycle in cycles)


def test_networks_of_large_images_are_as_small():
    build = NETWORKS["cnn-a"]
    plain = build((32, 32, 3), 5).count_params()
    for side in (48, 64, 65, 256):
        count = build((side, side, 3), 5, any_side=True).count_params()
        assert 0.4 * plain < count < 1.3 * plain, side
    assert NETWORKS["cnn-a"]((64, 64, 3), 5).count_params() == 2_193_765  # as it was


def test_images_are_compared_part_by_part(monkeypatch):
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (50, 4, 4, 1), np.uint8)
    queries = images[[49, 0, 20, 7]] ^ 1
    whole = nearest_images(queries, images)
    assert whole[1].tolist() == [49, 0, 20, 7]
    assert whole[0].tolist() == [16] * 4
    monkeypatch.setattr(distances, "IMAGES_BYTES", 7 * 8 * 16)
    for a, b in zip(nearest_images(queries, images), whole, strict=True):
        assert a.tolist() == b.tolist()


def test_large_images_are_compared_by_means_over_squares():
    images = np.zeros([1, 64, 64, 1], np.uint8)
    images[0, :2, :2, 0] = [[10, 20], [30, 40]]
    flat = flatten(images)
    assert flat.shape == (1, 32 * 32)
    assert flat[0, 0] == 25
    assert not flat[0, 1:].any()
    assert flatten(np.zeros([2, 63, 63, 1], np.uint8)).shape == (2, 63 * 63)
    assert flatten(np.full([2, 100, 100, 3], 7, np.uint8)).shape == (2, 34 * 34 * 3)
    assert (flatten(np.full([2, 100, 100, 3], 7, np.uint8)) == 7).all()


def test_floors_of_a_large_folder_look_at_a_part_of_it(parts, monkeypatch):
    monkeypatch.setattr(reference, "MOST_POOL", 200)
    looked_at = []

    class Watched:
        def __call__(self, images):
            looked_at.append(len(images))
            flat = images.reshape(len(images), -1)[:, :9] / np.float32(64)
            return Features(flat, np.eye(2)[np.zeros(len(images), int)])

    real = reference.RealFeatures("x", parts, Watched())
    few = reference.compute_floors(real.reference(count=100), 100, ["fcd", "coverage"])
    assert sum(looked_at) == 200 + 100  # of training images, and of the 120 test images
    monkeypatch.setattr(reference, "MOST_POOL", 300)
    everything = reference.RealFeatures("x", parts, Watched())
    many = reference.compute_floors(everything.reference(count=100), 100, ["fcd", "coverage"])
    for name in few:
        assert few[name][0] == pytest.approx(many[name][0], abs=4 * many[name][1]), name
        assert few[name][0] != many[name][0]
