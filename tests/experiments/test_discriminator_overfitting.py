import keras
import numpy as np
import pytest

import gan
from experiments import discriminator_overfitting
from gan.data.datasets import DATASETS, Dataset, DataSource, load_dataset
from gan.run.presets import from_preset
from gan.training.trainer import train
from support import status_of

TINY = {
    "steps": 4, "steps_per_call": 2, "checkpoint_every": 2, "jit_compile": False, "batch_size": 16,
    "evaluate_every": 0,
}  # fmt: skip


def test_the_area_under_the_curve():
    area = discriminator_overfitting.area_under_curve
    # 1 is above one of three, 2 above one and equal to one, 3 above all.
    assert area(np.array([1, 2, 3]), np.array([2.5, 0, 2])) == pytest.approx((1 + 1.5 + 3) / 9)
    assert area(np.array([5, 6]), np.array([1, 2, 3])) == 1
    assert area(np.array([1.0, 1.0]), np.array([1.0])) == 0.5


def test_a_row():
    train, test, samples = np.array([4.0, 6.0]), np.array([4.0, 5.0]), np.array([1.0, 2.0])
    # r_v = (5 - 4.5) / (5 - 1.5)
    row = discriminator_overfitting.row_of("a run", train, test, samples)
    assert row == "| a run | 5.00 | 4.50 | 1.50 | 0.14 | 1.000 |"
    assert "| - | 0.500 |" in discriminator_overfitting.row_of("a run", train, train, train)


def test_logits_of_packed_images_and_of_a_head():
    images = keras.Input((2, 2, 2))
    left, right = images[..., :1], images[..., 1:]
    logit = keras.layers.Flatten()(left)[:, :1] * 100 + keras.layers.Flatten()(right)[:, :1]
    head = keras.layers.Flatten()(images)
    d = keras.Model(images, [logit, head])
    shown = np.zeros((2 * 700, 2, 2, 1), np.uint8)
    shown[0::2], shown[1::2] = 255, np.arange(700).reshape(-1, 1, 1, 1) % 256
    logits = discriminator_overfitting.logits_of(d, shown, np.zeros(1400, np.int32), pack=2)
    assert logits == pytest.approx(100 + (np.arange(700) % 256) / 127.5 - 1, abs=1e-4)


def test_logits_of_labelled_images():
    images, labels = keras.Input((1, 1, 1)), keras.Input((), dtype="int32")
    d = keras.Model(
        [images, labels],
        keras.layers.Flatten()(images) + keras.ops.cast(labels, "float32")[:, None],
    )
    shown = np.full((1200, 1, 1, 1), 255, np.uint8)
    logits = discriminator_overfitting.logits_of(d, shown, np.arange(1200, dtype=np.int32), pack=1)
    assert logits.tolist() == [1.0 + i for i in range(1200)]


FAR = {"steps": 60, "steps_per_call": 20, "checkpoint_every": 60, "d_learning_rate": 0.002}


@pytest.mark.parametrize(
    "changes",
    [
        {"conditional": True, "generator": "dcgan_tiny", "discriminator": "dcgan_tiny"},
        {"pack": 2},
    ],
)
def test_a_row_of_a_run(changes, tmp_path, trained_once, monkeypatch, capsys):
    """D's opinion of all test images, and of samples of the weights that it plays against."""
    trained_once(from_preset("tiny", {**TINY, **FAR, **changes}), tmp_path / "run")
    monkeypatch.chdir(tmp_path)
    capsys.readouterr()
    assert status_of(monkeypatch, discriminator_overfitting, "run") == 0
    _, _, row = capsys.readouterr().out.splitlines()
    name, train, test, samples, _, above = (cell.strip() for cell in row.strip("|").split("|"))
    assert name == "run, step 60"
    d, mnist = gan.load("run", network="discriminator"), load_dataset("mnist", "", print)

    def mean_logit(images, labels):
        images = (images / 127.5 - 1).astype(np.float32)
        if "pack" in changes:
            images = np.concatenate([images[0::2], images[1::2]], -1)
        seen = [images, labels.astype(np.int32)] if "conditional" in changes else images
        return float(d.predict(seen, verbose=0).mean())

    labels = np.arange(5000) % 10
    given = labels if "conditional" in changes else None
    of_samples = {}
    for weights in ("raw", "ema"):
        drawn = gan.sample(gan.load("run", "latest", weights), range(5000), given)
        of_samples[weights] = mean_logit(drawn, labels)
    of_test = mean_logit(mnist.test_images, mnist.test_labels)
    assert abs(of_samples["raw"] - of_test) > 0.1
    assert float(samples) == pytest.approx(of_samples["raw"], rel=0.02, abs=0.01)
    assert float(test) == pytest.approx(of_test, rel=0.005, abs=0.01)
    if "conditional" in changes:  # the right labels, not those of other images
        assert abs(of_samples["raw"] - of_samples["ema"]) > 0.04 * abs(of_samples["raw"]) + 0.02
        shuffled = mean_logit(mnist.test_images, mnist.test_labels[::-1])
        assert abs(of_test - shuffled) > 0.01 * abs(of_test) + 0.02
    assert float(train) == pytest.approx(of_test, rel=0.1)
    assert train != test
    assert (float(above) > 0.5) == (float(test) > float(samples))


def test_runs_without_test_images_are_refused(tmp_path, trained_once, monkeypatch, capsys):
    config = from_preset("ring", {**TINY, "generator": "toy_tiny", "discriminator": "toy_tiny"})
    trained_once(config, tmp_path / "points")
    assert status_of(monkeypatch, discriminator_overfitting, tmp_path / "points") == 2
    error = capsys.readouterr().err.splitlines()[-1]
    assert error.endswith("points: gaussian_ring has no test images to look at")


def test_a_conditional_d_needs_labels_of_test_images(tiny_config, tmp_path, monkeypatch, capsys):
    """Without them all would be shown as class 0."""
    rng = np.random.default_rng(0)
    images, others = (rng.integers(0, 256, (64, 28, 28, 1), np.uint8) for _ in range(2))
    data = Dataset(images, np.arange(64) % 10, others)
    monkeypatch.setitem(DATASETS, "half_labelled", DataSource(lambda data_dir, print_fn: data))
    config = tiny_config(dataset="half_labelled", conditional=True, steps=2, evaluate_every=0)
    train(config, tmp_path / "run", quiet=True)
    assert status_of(monkeypatch, discriminator_overfitting, tmp_path / "run") == 2
    error = capsys.readouterr().err.splitlines()[-1]
    assert error.endswith("run: D needs labels, those of test images are not known")
