"""Reference, floors and ideals of real images."""

import json

import numpy as np
import platformdirs
import pytest
from scipy.spatial.distance import cdist

import gan
from gan.data.datasets import Dataset, load_dataset
from gan.errors import UserError
from gan.evaluation import (
    classification_accuracy,
    evaluate,
    feature_networks,
    features,
    records,
    reference,
    samples,
)
from gan.evaluation.constants import floors_key
from gan.evaluation.features import Extractor
from gan.evaluation.metrics import comparison, distances
from gan.evaluation.metrics.classes import score_ceiling
from gan.evaluation.metrics.comparison import Features
from gan.evaluation.metrics.distances import flatten, nearest
from gan.evaluation.metrics.floors import floor_without_copies
from gan.evaluation.metrics.frechet import frechet_distance
from gan.evaluation.metrics.memorisation import memorisation_threshold
from gan.evaluation.metrics.table import METRICS, Metric, compute_metrics, metric_details
from gan.run.config import Config

COUNT = 400


class FakeNetwork:
    """Features that are the pixels, and a certain classifier."""

    def __call__(self, images):
        labels = images[:, 0, 0, 0] % 3
        return Features(images.reshape(len(images), -1) / np.float32(64), np.eye(3)[labels])


def pictures(seed, count):
    return np.random.default_rng(seed).integers(0, 256, (count, 2, 3, 1), np.uint8)


@pytest.fixture
def seen(tmp_path, monkeypatch):
    monkeypatch.setattr(platformdirs, "user_cache_dir", lambda name: str(tmp_path / name))
    train, test = pictures(0, 3000), pictures(1, COUNT)
    data = Dataset(train, train[:, 0, 0, 0] % 3, test, test[:, 0, 0, 0] % 3)
    network = FakeNetwork()
    about = {"name": "noise-v1", "sha256": "0" * 64, "packaged": False}
    images = reference.RealFeatures("noise", data.labelled, network, said.append)
    said.clear()
    # RealFeatures only calls its extractor and reads its provenance.
    images.extractor = type("E", (), {"__call__": staticmethod(network), "provenance": about})()
    return images


said = []


def test_the_reference_has_as_many_images_as_the_samples(seen):
    assert seen.reference(count=150).count == 150
    drawn = {row.tobytes() for row in seen.reference(count=150).features.features}
    everything = [row.tobytes() for row in seen.test.features]
    assert len(drawn) == 150
    assert drawn < set(everything)
    assert drawn != set(everything[:150])
    whole = seen.reference(count=COUNT).features
    assert np.array_equal(whole.features, seen.test.features)
    assert seen.reference(count=1000).count == COUNT  # the split has no more
    train = seen.reference("train", 1000)
    assert train.count == 1000
    expected = seen.training.features[seen.order[:1000]]
    assert np.array_equal(train.features.features, expected)
    assert seen.reference("train", 5000).count == 1500  # the other half is for floors


def test_every_metric_is_computed_and_named_once(seen):
    against = seen.reference()
    images = pictures(2, COUNT)
    comparison = against.compare(images)
    values = compute_metrics(comparison, METRICS)
    assert list(values) == list(METRICS)
    beside = metric_details(comparison, METRICS)
    assert list(beside) == [
        "kid_standard_error", "class_counts", "real_classes", "expected_classes", "spectrum_ratios",
    ]  # fmt: skip
    assert beside["real_classes"] == 3
    assert beside["expected_classes"] == pytest.approx(3)
    assert beside["class_counts"] == np.bincount(images[:, 0, 0, 0] % 3).tolist()
    fake = seen.extractor(images).features
    assert values["fcd"] == frechet_distance(against.features.features, fake)
    told = []
    comparison = against.compare(images)
    some = compute_metrics(comparison, ["coverage", "fcd"], told.append)
    assert list(some) == told == ["coverage", "fcd"]
    assert some["coverage"] == values["coverage"]
    # Nothing else was computed.
    assert set(vars(comparison)) == {"reference", "samples", "images", "neighbours"}
    assert metric_details(comparison, ["coverage", "fcd"]) == {}
    for name in ("classifier_score", "classes", "class_kl"):
        counted = list(metric_details(comparison, [name]))
        assert counted == ["class_counts", "real_classes", "expected_classes"]


def test_copies_are_looked_for_among_the_images_that_were_learned(seen):
    """All else is compared with all images: floors, and a split of training images."""
    chosen = seen.data.train_images[100:200]
    few = reference.RealFeatures("noise", seen.data, seen.extractor, said.append, chosen)
    names = ["memorised_features", "memorised_pixels"]
    copied, new = (few.reference().compare(images) for images in (
        np.concatenate([chosen] * 4), seen.data.train_images[200:600],
    ))  # fmt: skip
    assert compute_metrics(copied, names) == dict.fromkeys(names, 1.0)
    for share in compute_metrics(new, names).values():
        assert share == pytest.approx(0.01, abs=0.02)  # as of test images
    _, found = copied.nearest_in_pixels
    np.testing.assert_array_equal(found, np.arange(400) % 100)
    for name, threshold in few.thresholds.items():
        assert threshold > 1.05 * seen.thresholds[name]  # few are farther away
    other = seen.data.train_images[300:400]
    others = reference.RealFeatures("noise", seen.data, seen.extractor, said.append, other)
    assert others.thresholds != few.thresholds  # not from the cache of those
    floors = [reference.floors(real.reference(), 400) for real in (few, others, seen)]
    # 100 of 500 images, 3,000 of 3,400: as many as are nearer where none is a copy.
    for floor, share in zip(floors, (0.2, 0.2, 3000 / 3400), strict=True):
        assert floor.pop("dcr_share").mean == pytest.approx(share, abs=0.13)
    assert len({real.dcr_share for real in (few, others, seen)}) == 3
    assert floors[0] == floors[1] == floors[2]
    for split in ("test", "train"):
        ours, all_of_it = (real.reference(split).features for real in (few, seen))
        assert np.array_equal(ours.features, all_of_it.features)


def test_what_metrics_share_is_computed_once(seen, monkeypatch):
    calls = []
    for name in ("kid", "neighbour_metrics", "class_metrics", "nearest", "nearest_images"):
        function = getattr(comparison, name)

        def counted(*arguments, name=name, function=function):
            calls.append(name)
            return function(*arguments)

        monkeypatch.setattr(comparison, name, counted)
    beside_real = seen.reference().compare(pictures(2, COUNT))
    assert seen.thresholds  # of test images
    calls.clear()
    compute_metrics(beside_real, METRICS)
    metric_details(beside_real, METRICS)
    assert calls == [
        "kid", "neighbour_metrics", "class_metrics", "nearest", "nearest_images", "nearest",
    ]  # fmt: skip


def test_a_metric_is_one_function_and_one_row(seen, monkeypatch):
    """It has a value, a floor, an ideal and a line without a word elsewhere."""
    old = reference.floors(seen.reference(), COUNT)  # of a table that does not know the metric
    brightness = Metric(
        "real",
        lambda reference, count: float(reference.data.train_images.mean()),
        lambda comparison: float(comparison.images.mean()),
        "mean of all pixels",
        {"brightest": lambda comparison: int(comparison.images.max())},
    )
    monkeypatch.setitem(METRICS, "brightness", brightness)
    images, mean = pictures(2, COUNT), seen.data.train_images.mean()
    for _ in range(2):
        record, picture = evaluate.evaluate(images, seen.reference(), ["brightness"])
        assert record["metrics"] == {"brightness": images.mean()}
        assert (record["brightest"], record["ideals"]) == (255, {"brightness": mean})
        floor = record["floors"]["brightness"]
        assert floor["mean"] == pytest.approx(mean, abs=2)
        assert floor["sd"] == pytest.approx(74 / np.sqrt(6 * COUNT), rel=0.5)
        assert picture is None
        assert "| brightness |" in records.markdown_table(record)
    new = reference.floors(seen.reference(), COUNT)
    assert new == old | {"brightness": new["brightness"]}
    assert sum(line.startswith("measuring what") for line in said) == 2


@pytest.mark.parametrize("split", ["test", "train"])
def test_pixel_statistics_are_those_of_the_reference(split, seen):
    """The very images that features are compared with: of a copy of them nothing differs."""
    against = seen.reference(split, 150)
    assert np.array_equal(seen.extractor(against.images).features, against.features.features)
    names = ["histogram_distance", "spectrum_distance"]
    assert compute_metrics(against.compare(against.images), names) == dict.fromkeys(names, 0.0)
    others = compute_metrics(against.compare(pictures(2, 150) // 2), names)
    assert others["histogram_distance"] == pytest.approx(0.6, abs=0.1)
    assert others["spectrum_distance"] == pytest.approx(np.log(4), abs=0.2)


def test_copies_of_training_images_are_found_and_shown(seen):
    images = np.concatenate([seen.data.train_images[70:90], pictures(5, 180)])
    names = ["memorised_features", "memorised_pixels"]
    comparison = seen.reference().compare(images)
    values = compute_metrics(comparison, names)
    assert values["memorised_pixels"] == pytest.approx(0.1 + 0.9 * 0.01, abs=0.03)
    assert values["memorised_features"] == values["memorised_pixels"]
    distances, indices = comparison.nearest_in_pixels
    assert indices[:20].tolist() == list(range(70, 90))
    assert (distances[:20] == 0).all()


def test_copies_are_nearer_to_training_images_than_new_images_are(seen, monkeypatch):
    monkeypatch.setattr(distances, "CHUNK_BYTES", 8 * 3000 * 700)
    training, test = seen.data.train_images, seen.data.test_images
    to_others, to_test = (
        cdist(training.reshape(3000, 6), others.reshape(-1, 6)) for others in (training, test)
    )
    np.fill_diagonal(to_others, np.inf)
    floor = np.mean(to_others.min(1) < to_test.min(1))
    assert seen.dcr_share == (pytest.approx(floor, abs=0.002), 3000)  # ties, in float32
    found = reference.floors(seen.reference(), COUNT, ["dcr_share"])["dcr_share"]
    deviation = np.sqrt(floor * (1 - floor) * (1 / COUNT + 1 / 3000))
    assert found == (pytest.approx(floor, abs=0.002), pytest.approx(deviation, rel=0.01))
    half = np.concatenate([pictures(6, 200), training[:200]])
    values, suspicious = {}, {}
    for name, images in {"new": pictures(5, COUNT), "half": half}.items():
        record, picture = evaluate.evaluate(
            images, seen.reference(), ["dcr_share", "memorised_features"]
        )
        values[name], suspicious[name] = record["metrics"], record["suspicious"]
        assert record["floors"]["dcr_share"] == found._asdict()
        assert record["ideals"]["dcr_share"] == found.mean
        assert picture is not None
    assert values["new"]["dcr_share"] == pytest.approx(floor, abs=3 * deviation)
    assert values["half"]["dcr_share"] == pytest.approx(0.5 + floor / 2, abs=3 * deviation)
    assert suspicious == {"new": [], "half": ["dcr_share", "memorised_features"]}
    # All test images count, whatever the samples are compared with otherwise.
    for against in (seen.reference(count=150), seen.reference("train")):
        assert compute_metrics(against.compare(half), ["dcr_share"]) == {
            "dcr_share": values["half"]["dcr_share"]
        }


def test_of_many_training_images_some_look_for_the_others(seen, monkeypatch):
    monkeypatch.setattr(reference, "MOST_POOL", 1000)
    monkeypatch.setattr(reference, "MOST_TESTS", 200)
    found = reference.compute_dcr_share(seen)
    assert found == {"share": pytest.approx(3000 / 3400, abs=0.07), "images": 200}


def test_other_metrics_do_not_look_at_training_images(seen, monkeypatch):
    reference.floors(seen.reference(), COUNT, ["fcd"])
    del seen.training
    monkeypatch.setattr(type(seen), "training_learned", property(lambda real: 1 / 0))
    record, _ = evaluate.evaluate(pictures(2, COUNT), seen.reference(), ["fcd"])
    assert list(record["ideals"]) == list(record["floors"]) == ["fcd"]


def test_a_share_that_is_known_from_few_images_is_in_doubt():
    assert floor_without_copies(0.0, 8, 400).sd == pytest.approx(np.sqrt(0.09 * 0.1275))
    assert floor_without_copies(1.0, 8, 400).sd == pytest.approx(np.sqrt(0.09 * 0.1275))
    assert floor_without_copies(0.5, 100, 100) == (0.5, pytest.approx(np.sqrt(0.005)))


def test_floors_are_what_training_images_get(seen):
    against = seen.reference()
    floors = reference.floors(against, COUNT)
    assert list(floors) == list(METRICS)
    values = []
    for draw in range(20):
        chosen = np.random.default_rng([1, draw]).choice(seen.order, COUNT, replace=False)
        features_of_draw = seen.training.features[chosen]
        values.append(frechet_distance(against.features.features, features_of_draw))
    assert floors["fcd"].mean == pytest.approx(np.mean(values), rel=1e-9)
    assert floors["fcd"].sd == pytest.approx(np.std(values, ddof=1), rel=1e-9)
    assert floors["memorised_pixels"] == (0.01, pytest.approx(np.sqrt(0.0099 * 2 / COUNT)))
    ideals = against.ideals(COUNT)
    # The distributions are the same here, so floors and closed forms must meet.
    for name, tolerance in (("fcd", 0.15), ("coverage", 0.02), ("classes", 0)):
        assert floors[name].mean == pytest.approx(ideals[name], rel=tolerance), name
    for name in ("fcd_infinity", "kid", "class_kl"):
        assert abs(floors[name].mean) < 3 * floors[name].sd, name
    # 256 shares of 2,400 pixels on either side: half of the sum of |N(0, 2 / 256 / 2400)|.
    expected = 128 * np.sqrt(2 / 256 / 2400) * np.sqrt(2 / np.pi)
    assert floors["histogram_distance"].mean == pytest.approx(expected, rel=0.1)
    assert ideals["classifier_score"] == score_ceiling(seen.data.test_labels)


def test_floors_are_computed_once(seen, tmp_path):
    def computed():
        return sum(line.startswith("measuring what") for line in said)

    first = reference.floors(seen.reference(), COUNT)
    assert computed() == 1
    (path,) = (tmp_path / "tapegan" / "floors" / gan.__version__).iterdir()
    assert reference.floors(seen.reference(), COUNT) == first
    assert computed() == 1
    reference.floors(seen.reference(count=200), 200)  # other counts have floors of their own
    assert computed() == 2
    reference.floors(seen.reference("train", 200), 200)  # and so has the other split
    assert computed() == 3
    assert set(json.loads(path.read_text())) == {
        "floors of 400 against 400 test", "floors of 200 against 200 test",
        "floors of 200 against 200 train", "dcr share",
    }  # fmt: skip
    key = '"floors of 400 against 400 test"'
    for damaged in (
        "{torn", f"{{{key}: 7}}", f'{{{key}: {{"fcd": ["x", 1]}}}}', f'{{{key}: {{"fcd": [1]}}}}',
        '{"dcr share": {"share": "x", "images": 9}}',
    ):  # fmt: skip
        path.write_text(damaged)
        assert reference.floors(seen.reference(), COUNT) == first
        assert reference.floors(seen.reference(), COUNT) == first
    assert computed() == 8


def test_floors_are_computed_of_the_metrics_that_are_asked_for(seen, monkeypatch):
    """Once each, whatever they are asked for beside; all tables say the same."""
    everything = reference.compute_floors(seen.reference(), COUNT)
    computed = []

    def compute_floors(reference, count, names):
        computed.append(list(names))
        return {name: everything[name] for name in names}

    monkeypatch.setattr(reference, "compute_floors", compute_floors)
    images = pictures(2, COUNT)
    record, _ = evaluate.evaluate(images, seen.reference(), ["kid", "fcd"])
    assert list(record["floors"]) == ["kid", "fcd"]
    found = reference.floors(seen.reference(), COUNT, ["fcd", "recall"])
    assert found == {"fcd": tuple(everything["fcd"]), "recall": tuple(everything["recall"])}
    rest = [name for name in METRICS if name not in ("kid", "fcd", "recall")]
    for _ in range(2):
        found = reference.floors(seen.reference(), COUNT)
        assert list(found.items()) == [(name, tuple(everything[name])) for name in METRICS]
    assert computed == [["kid", "fcd"], ["recall"], rest]


def test_floors_of_the_package_need_none_of_the_user(seen, tmp_path, monkeypatch):
    """What the package's table lacks is measured and kept beside it."""
    seen.extractor.provenance["packaged"] = True
    monkeypatch.setattr(feature_networks, "PACKAGED", tmp_path)
    shipped = {"floors of 400 against 400 test": {"fcd": [3.0, 4.0]}, "sha256": "0" * 64}
    (tmp_path / "noise-v1.floors.json").write_text(json.dumps(shipped))
    assert reference.floors(seen.reference(), COUNT, ["fcd"]) == {"fcd": (3.0, 4.0)}
    assert not said
    assert not (tmp_path / "tapegan").exists()
    for _ in range(2):
        found = reference.floors(seen.reference(), COUNT, ["fcd", "kid"])
        assert found["fcd"] == (3.0, 4.0)
        assert found["kid"].mean == pytest.approx(0, abs=2 * found["kid"].sd)
        assert sum(line.startswith("measuring what") for line in said) == 1


@pytest.mark.parametrize(("digest", "used"), [("0" * 64, True), ("1" * 64, False)])
def test_constants_in_the_package_are_those_of_its_weights(
    seen, digest, used, tmp_path, monkeypatch
):
    seen.extractor.provenance["packaged"] = True
    monkeypatch.setattr(feature_networks, "PACKAGED", tmp_path)
    shipped = {"features": 7.0, "pixels": 8.0}
    (tmp_path / "noise-v1.floors.json").write_text(
        json.dumps({"sha256": digest, "thresholds": shipped})
    )
    assert (seen.thresholds == shipped) is used


@pytest.mark.parametrize("part", ["train_images", "train_labels", "test_images", "test_labels"])
def test_constants_are_those_of_the_very_images_and_labels(part, seen):
    """With the same network, and no matter what is another."""
    changed = getattr(seen.data, part).copy()
    changed[0] = changed[0] ^ 1
    other = reference.RealFeatures("noise", seen.data._replace(**{part: changed}), seen.extractor)
    for real, computed, found in ((seen, 1, 1), (other, 2, 2), (seen, 3, 1), (other, 4, 2)):
        values = {"value": computed}
        assert real.constants.cached("key", lambda values=values: values) == {"value": found}


def test_each_number_of_real_images_has_an_accuracy_of_its_own(seen, monkeypatch):
    learned = []

    def train(images, labels, data, recipe):
        (cycle,) = recipe
        learned.append((len(images), cycle.epochs))
        return len(images) * cycle.epochs / 1000

    monkeypatch.setattr(classification_accuracy, "train_and_test", train)
    for count, epochs, accuracy in (
        (300, 1, 1.5), (200, 1, 1.0), (300, 1, 1.5), (300, 2, 3.0), (200, 1, 1.0), (300, 2, 3.0),
    ):  # fmt: skip
        found = classification_accuracy.real_accuracy(seen, count, epochs)
        assert found == {"real": accuracy}
    assert learned == [(300, 5), (200, 5), (300, 10)]


def test_ideals_are_those_of_so_many_samples_beside_so_many_real_images(seen):
    """150 samples beside 400 real images; neither count stands for the other."""
    ideals = seen.reference(count=COUNT).ideals(150)
    others = np.arange(399, 394, -1)  # of the other real images the five nearest
    assert ideals["coverage"] == pytest.approx(1 - np.prod(others / (others + 150)), rel=1e-12)
    swapped = seen.reference(count=150).ideals(COUNT)
    others = np.arange(149, 144, -1)
    assert swapped["coverage"] == pytest.approx(1 - np.prod(others / (others + 400)), rel=1e-12)
    covariance = np.cov(seen.test.features, rowvar=False)
    values = np.linalg.eigvalsh(covariance)
    pairs = np.outer(values, values) / (2 * np.add.outer(values, values))
    one_sided = np.trace(covariance) + pairs.sum() + np.trace(pairs)
    assert ideals["fcd"] == pytest.approx((1 / 150 + 1 / 400) * one_sided, rel=1e-9)
    fewer = seen.reference(count=COUNT).ideals(75)
    assert fewer["fcd"] == pytest.approx((1 / 75 + 1 / 400) * one_sided, rel=1e-9)


def test_small_data_are_evaluated_without_floors(seen):
    """1,000 samples must be judged at least, and floors draw from at most half."""
    small = seen.data._replace(
        train_images=seen.data.train_images[:1500], train_labels=seen.data.train_labels[:1500]
    )
    real = reference.RealFeatures("few", small, seen.extractor)
    names = ["fcd", "classes", "coverage"]
    record, _ = evaluate.evaluate(pictures(2, 1000), real.reference(count=1000), names)
    assert (record["floors"], record["suspicious"]) == ({}, [])
    assert (record["num_images"], record["reference"]["num_images"]) == (1000, COUNT)
    others = np.arange(399, 394, -1)  # of the other real images the five nearest
    ceiling = 1 - np.prod(others / (others + 1000))
    assert record["ideals"]["coverage"] == pytest.approx(ceiling, rel=1e-12)
    table = records.markdown_table(record).splitlines()
    assert table[3] == "| classes ↑ | 3 | - | 3 |  |"
    large = reference.RealFeatures("many", seen.data, seen.extractor)
    with pytest.raises(UserError, match="1600 images: must be at most 1500 to have floors"):
        evaluate.evaluate(pictures(2, 1600), large.reference(count=1600), ["fcd"])


@pytest.mark.parametrize(
    ("counts", "split", "reason"),
    [
        ((150, 99), "test", "has 99 test images, must have at least 100 to compare with"),
        ((150, 100), "test", ""),
        ((199, 400), "train", "has 99 training images that floors need not, must have at least"),
        ((200, 5), "train", ""),
    ],
)
def test_what_is_too_small_is_refused_before_a_network_is_trained(
    counts, split, reason, monkeypatch
):
    train, test = (pictures(0, count) for count in counts)
    data = Dataset(train, train[:, 0, 0, 0] % 3, test, test[:, 0, 0, 0] % 3)
    assert reference.too_few(data.labelled, split).startswith(reason)
    if reason:
        monkeypatch.setattr(evaluate, "load_real_features", None)
        drawn = samples.Samples(pictures(2, 1000), "few", data, {}, None)
        with pytest.raises(UserError, match=f"^--dataset=few: {reason}"):
            evaluate.evaluate_samples(
                drawn, ["fcd"], network="cnn-a", split=split, with_accuracy=False, print_fn=print
            )
    if reason and split == "test":
        said = []
        config = Config(dataset="few", evaluate_every=5)
        assert evaluate.evaluators(config, data, said.append) == {}
        assert said == [f"no evaluation while training: few {reason}"]


def test_floors_of_the_training_split_come_from_outside_of_the_reference(seen, monkeypatch):
    against = seen.reference("train", 1000)
    looked_at = []

    def compute_metrics(comparison, names):
        looked_at.append(comparison.fake)
        return {"fcd": 1.0}

    monkeypatch.setattr(reference, "compute_metrics", compute_metrics)
    reference.compute_floors(against, 1000, ["fcd"])
    inside = {row.tobytes() for row in against.features.features}
    assert len(looked_at) == 20
    for drawn in looked_at[:3]:
        assert len(drawn) == 1000
        assert not inside & {row.tobytes() for row in drawn}


def test_data_without_test_images_are_refused():
    with pytest.raises(UserError, match=r"^--dataset=x: has no test images to compare with$"):
        reference.load_real_features("x", Dataset(pictures(0, 5)))


@pytest.fixture(scope="module")
def mnist():
    return reference.load_real_features("mnist", load_dataset("mnist", "", print))


def test_the_packaged_floors_are_those_of_mnist(mnist):
    """The light table whole, the large one where it is quick."""
    table = json.loads((feature_networks.PACKAGED / "mnist-cnn-a-v1.floors.json").read_text())
    light, large = mnist.reference(count=2000), mnist.reference(count=10_000)
    for against, count, names in (
        (light, 2000, tuple(METRICS)),
        (large, 10_000, ("fcd", "classifier_score", "classes", "class_kl")),
    ):
        shipped = table[floors_key(count, against.count, against.split)]
        assert list(shipped) == list(METRICS)
        for name, (mean, sd) in reference.compute_floors(against, count, names).items():
            near = 0.05 * shipped[name][1] + 1e-9  # other processors round otherwise
            assert mean == pytest.approx(shipped[name][0], abs=near), name
            assert sd == pytest.approx(shipped[name][1], rel=0.05, abs=1e-9), name
    of_test, _ = nearest(mnist.test.features, mnist.training.features)
    assert table["thresholds"]["features"] == pytest.approx(
        memorisation_threshold(of_test), rel=1e-3
    )
    distances, _ = nearest(flatten(mnist.data.test_images[:500]), flatten(mnist.data.train_images))
    # 1 % of the test images: of these 500 about five.
    assert 0 < np.sum(distances < table["thresholds"]["pixels"]) < 15
    # Of 600 images as of all 60,000, which take a minute.
    some, training = mnist.training.features[::100], mnist.training.features
    to_others = np.partition(cdist(some, training), 1)[:, 1]
    share = np.mean(to_others < cdist(some, mnist.test.features).min(1))
    assert table["dcr share"] == {"share": pytest.approx(share, abs=0.03), "images": 60_000}
    assert mnist.dcr_share == (table["dcr share"]["share"], 60_000)


@pytest.mark.parametrize("name", features.DIGESTS)
def test_every_packaged_network_has_floors(name):
    table = json.loads((feature_networks.PACKAGED / f"{name}.floors.json").read_text())
    assert table["sha256"] == features.DIGESTS[name]  # not those of older weights
    assert set(table) == {
        "sha256", "thresholds", "dcr share", "floors of 10000 against 10000 test",
        "floors of 2000 against 2000 test",
    }  # fmt: skip
    for key in [key for key in table if key.startswith("floors")]:
        assert list(table[key]) == list(METRICS)


def test_mnists_ceilings(mnist):
    ideals = mnist.reference().ideals(10_000)
    assert ideals["coverage"] == pytest.approx(0.9688, abs=5e-5)
    assert ideals["classifier_score"] == pytest.approx(9.98, abs=0.005)
    assert ideals["classes"] == 10
    assert isinstance(mnist.extractor, Extractor)
