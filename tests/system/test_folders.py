"""A folder of images from the first command to the page: real digits, with classes and without."""

import json

import numpy as np
import platformdirs
import pytest
from PIL import Image

from gan.cli import evaluate, report, sample, train
from gan.data.datasets import load_dataset
from gan.data.images import image_grid
from gan.evaluation import own_features, reference
from gan.run import jsonl
from support import status_of

COUNT = 480  # of which 120 are held out


@pytest.mark.parametrize("classes", [True, False])
def test_a_folder_is_trained_on_and_judged(classes, tmp_path, monkeypatch, capsys):
    """Of every second pixel, with a small budget and few draws, which take the time."""
    digits = load_dataset("mnist", "", print)
    folder, run_dir = tmp_path / "digits", tmp_path / "run"
    for i in range(COUNT):
        place = folder / (str(digits.train_labels[i] % 2) if classes else "")
        place.mkdir(parents=True, exist_ok=True)
        Image.fromarray(digits.train_images[i, ::2, ::2, 0]).save(place / f"{i:04}.png")
    monkeypatch.setattr(platformdirs, "user_cache_dir", lambda name: str(tmp_path / name))
    monkeypatch.setattr(own_features, "BUDGET", 4000)
    monkeypatch.setattr(reference, "FLOOR_DRAWS", 3)
    flags = [
        f"--dataset=image_folder:{folder}", "--image_size=14", "--image_channels=1",
        f"--data_cache={tmp_path / 'pixels'}", f"--run_dir={run_dir}", "--preset=tiny",
        "--steps=4", "--steps_per_call=2", "--batch_size=16", "--evaluate_every=2", "--log_every=2",
        "--keep_best=fcd", "--nojit_compile", "--precision=float32",
    ]  # fmt: skip
    assert status_of(monkeypatch, train, *flags, f"--conditional={classes}".lower()) == 0
    out = capsys.readouterr().err
    name = f"image_folder-{'' if classes else 'rotations-'}cnn-a-v1"
    assert f"{folder}: 120 of the images are held out for metrics, 360 train; with so few" in out
    assert f"training the feature network {name}, once" in out

    light = jsonl.read_records(run_dir / "evaluations.jsonl")
    assert [record["step"] for record in light] == [2, 4]
    names = {"fcd", "coverage", *(["classes"] if classes else [])}
    for record in light:
        assert set(record["floors"]) == names
        assert set(record["metrics"]) == names | ({"class_diversity"} if classes else set())
        assert record["features"]["name"] == name
        assert record["num_images"] == 180
    assert light[0]["floors"]["fcd"]["mean"] < light[1]["metrics"]["fcd"]  # four steps
    assert json.loads((run_dir / "config.json").read_text())["data"]["examples"] == 360

    shown = np.asarray(Image.open(run_dir / "samples/reals.png"))
    data = load_dataset(
        f"image_folder:{folder}", "", print, image_size=14, image_channels=1,
        data_cache=str(tmp_path / "pixels"),
    )  # fmt: skip
    assert np.array_equal(shown, image_grid(data.train_images[:25])[..., 0])

    assert status_of(monkeypatch, evaluate, run_dir, "--checkpoint=best") == 0
    assert "| fcd ↓ |" in capsys.readouterr().out
    record = jsonl.read_records(run_dir / "evaluations.jsonl")[-1]
    assert (record["num_images"], record["reference"]["num_images"]) == (180, 120)
    assert ("class_kl" in record["metrics"]) == classes
    assert set(record["floors"]) == set(record["metrics"]) - {"class_diversity"}
    assert record["features"] == light[0]["features"]

    np.savez(tmp_path / "others.npz", images=digits.test_images[:1000, ::2, ::2])
    for place in (tmp_path / "others.npz", run_dir / "generator.keras"):
        assert status_of(
            monkeypatch, evaluate, f"--samples={place}", f"--dataset=image_folder:{folder}",
            "--image_size=14", "--image_channels=1", f"--data_cache={tmp_path / 'pixels'}",
            "--metrics=fcd", f"--out={tmp_path / 'others.jsonl'}",
        ) == 0  # fmt: skip
    others = jsonl.read_records(tmp_path / "others.jsonl")
    assert [other["num_images"] for other in others] == [1000, 180]
    assert others[0]["metrics"]["fcd"] < 0.5 * others[1]["metrics"]["fcd"]  # real digits
    assert all(other["features"] == record["features"] for other in others)

    page = tmp_path / "page.html"
    assert status_of(monkeypatch, report, run_dir, f"--out={page}", "--explorer=none") == 0
    text = page.read_text()
    assert f"features {name}" in text
    assert "real images (sd)" in text
    picture = tmp_path / "nearest.png"
    assert status_of(monkeypatch, sample, run_dir, "--nearest", f"--out={picture}") == 0
    assert picture.exists()
