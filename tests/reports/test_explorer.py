"""The latent explorer of a page, as text and in headless Chromium."""

import base64
import io
import json
import re
import shutil
from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

import gan
from browser import browser, complaints, wait
from gan.cli import report as command
from gan.errors import UserError
from gan.reports import explorer
from gan.sampling.export import ExportFailed
from gan.sampling.latents import block_key, latents_of
from pages import Tags, page_of, write_ort_files
from support import ROOT, status_of

ORT = ROOT / ".explorer/node_modules/onnxruntime-web/dist"


def test_a_hostile_name_is_text_in_the_explorer_too(run_dirs, tmp_path, monkeypatch):
    monkeypatch.setattr(explorer, "onnx_of", lambda generator: b"")
    write_ort_files(tmp_path)
    attack = "<script>alert(1)<|script>"
    run_dir = Path(shutil.copytree(run_dirs[0], tmp_path / attack))
    text = page_of(run_dir, ort=tmp_path)
    Tags(text)
    assert "<script>alert" not in text
    assert re.search(r'<option value="0">[^<]*&lt;script&gt;alert\(1\)', text)
    data = text.split('<script type="application/json">')[-1].split("</script>")[0]
    assert json.loads(data)[0]["name"] == str(run_dir)


def test_without_a_generator_the_page_has_no_explorer(
    run_dir, run_dirs, tmp_path, monkeypatch, capsys
):
    monkeypatch.setattr(explorer, "onnx_of", None)  # not called
    write_ort_files(tmp_path)
    (run_dir / "generator.keras").unlink()
    assert "explorer" not in page_of(run_dir, ort=tmp_path).split("<body>")[1]
    assert status_of(monkeypatch, command, f"--runs={run_dir}", f"--explorer={tmp_path}") == 2
    assert "has no generator.keras yet" in capsys.readouterr().err
    monkeypatch.setattr(explorer, "onnx_of", lambda generator: b"")
    assert (
        status_of(
            monkeypatch,
            command,
            run_dir,
            run_dirs[0],
            f"--explorer={tmp_path}",
            f"--out={tmp_path}/a.html",
        )
        == 0
    )
    assert "not in the latent explorer: --run_dir=" in capsys.readouterr().err

    def no_onnx(generator):
        raise ExportFailed("--formats=onnx: cannot be made (No Op registered for Erfinv)")

    monkeypatch.setattr(explorer, "onnx_of", no_onnx)
    flags = (run_dirs[0], f"--explorer={tmp_path}", f"--out={tmp_path}/b.html")
    assert status_of(monkeypatch, command, *flags) == 2
    error = capsys.readouterr().err
    assert f"--runs={run_dirs[0]}: --formats=onnx: cannot be made" in error
    assert "Traceback" not in error
    monkeypatch.setattr(command, "EXPLORER", str(tmp_path))  # as if it was found
    assert status_of(monkeypatch, command, f"--runs={run_dir}") == 0
    assert "without the latent explorer: " in capsys.readouterr().err


@pytest.fixture(scope="module")
def explored(run_dirs, tmp_path_factory):
    if not ORT.is_dir():
        pytest.skip("needs the files that `make explorer` fetches")
    path = tmp_path_factory.mktemp("page") / "report.html"
    path.write_text(page_of(*run_dirs, ort=ORT))
    with browser() as opened:
        opened.get(path.as_uri())
        wait(opened, "document.querySelector('.explorer').dataset.shown")
        yield opened


def image(opened, **fields):
    """Sets fields of the explorer and returns the image that it then shows."""
    for name, value in fields.items():
        opened.execute_script(
            "const f = document.querySelector(`.explorer [name=${arguments[0]}]`);"
            "f.value = arguments[1]", name, str(value)
        )  # fmt: skip
    place = "document.querySelector('.explorer')"
    opened.execute_script(f"{place}.dataset.shown = '';"
                          f"{place}.dispatchEvent(new Event('input'))")  # fmt: skip
    wait(opened, f"{place}.dataset.shown")
    pixels = opened.execute_script(
        f"const c = {place}.querySelector('.image');"
        "return [...c.getContext('2d').getImageData(0, 0, c.width, c.height).data]"
    )
    return np.array(pixels).reshape(28, 28, 4)


@pytest.mark.parametrize("seed", [0, 7, 999, 1000, 123_456])
def test_the_explorer_draws_what_sample_draws(seed, explored, run_dirs):
    for model, run_dir in enumerate(run_dirs):
        drawn = image(explored, model=model, seed=seed, right=0, up=0, label="")
        (expected,) = gan.sample(gan.load(run_dir), [seed])
        assert np.abs(drawn[..., :3].astype(int) - expected).max() <= 1
        assert (drawn[..., 3] == 255).all()
    assert complaints(explored) == []


def test_the_explorer_draws_classes(explored, run_dirs):
    drawn = image(explored, model=1, seed=5, right=0, up=0, label=3)
    (expected,) = gan.sample(gan.load(run_dirs[1]), [5], labels=[3])
    assert np.abs(drawn[..., :3].astype(int) - expected).max() <= 1
    (other,) = gan.sample(gan.load(run_dirs[1]), [5])
    assert np.abs(other.astype(int) - expected).max() > 1


def test_the_explorer_moves_through_latent_space(explored, run_dirs):
    drawn = image(explored, model=0, seed=41, right=1.5, up=-0.5, label="")
    latents = latents_of([41, 42, 43], 100)
    at = (latents[0] + 1.5 * latents[1] - 0.5 * latents[2]) / np.sqrt(1 + 1.5**2 + 0.5**2)
    outputs = gan.load(run_dirs[0])(at[np.newaxis])
    expected = tf.round(outputs * 127.5 + 127.5)[0].numpy()
    assert np.abs(drawn[..., :3] - expected).max() <= 1


def test_a_slider_follows_a_direction(explored, run_dirs):
    """Here the second one of the plain run, from a seed."""
    drawn = image(explored, model=0, seed=41, right=0, up=0, label="", direction2=4.5)
    image(explored, direction2=0)
    generator = gan.load(run_dirs[0])
    (layer,) = [one for one in generator.layers if one.weights][:1]
    _, _, vectors = np.linalg.svd(layer.kernel.numpy().astype(np.float64).T)
    direction = vectors[1] * np.sign(vectors[1][np.abs(vectors[1]).argmax()])
    outputs = generator((latents_of([41], 100) + 4.5 * direction).astype(np.float32))
    expected = tf.round(outputs * 127.5 + 127.5)[0].numpy()
    assert np.abs(drawn[..., :3] - expected).max() <= 1


def test_the_explorer_has_the_latents_of_sample_to_the_bit(explored):
    key = str(block_key())
    for seed, dim in ((0, 100), (7, 100), (999, 7), (9_999_997, 30)):
        drawn = explored.execute_script(
            "return Array.from(latentsOf(BigInt(arguments[0]), arguments[1], arguments[2]))",
            key, seed, dim,
        )  # fmt: skip
        np.testing.assert_array_equal(np.float32(drawn), latents_of([seed], dim)[0])


def test_the_pad_moves_too(explored):
    from selenium.webdriver import ActionChains

    before = image(explored, model=0, seed=0, right=0, up=0, label="")
    pad = explored.find_element("css selector", ".pad")
    place = "document.querySelector('.explorer')"
    explored.execute_script(f"{place}.dataset.shown = ''")
    move = ActionChains(explored).move_to_element(pad).click_and_hold()
    move.move_by_offset(40, -30).release().perform()
    wait(explored, f"{place}.dataset.shown")
    right, up = (
        float(explored.execute_script(f"return {place}.querySelector('[name={name}]').value"))
        for name in ("right", "up")
    )
    size = pad.size["width"]
    assert (right, up) == (pytest.approx(160 / size, abs=0.06), pytest.approx(120 / size, abs=0.06))
    assert not np.array_equal(image(explored), before)


def test_a_generator_without_directions_has_no_sliders(run_dirs, tmp_path, monkeypatch):
    monkeypatch.setattr(explorer, "onnx_of", lambda generator: b"")
    write_ort_files(tmp_path)
    text = page_of(*run_dirs, ort=tmp_path)
    assert re.findall(r'name="direction(\d)" type="range" min="-5.0" max="5.0"', text) == list(
        "12345"
    )

    def refuse(generator):
        raise UserError("none")

    monkeypatch.setattr(explorer, "directions_of", refuse)
    assert 'name="direction' not in page_of(*run_dirs, ort=tmp_path)


def test_classes_have_the_names_of_the_run(explored, run_dirs):
    image(explored, model=1, seed=0)
    shown = "[...document.querySelectorAll('.explorer [name=label] option')].map(o => o.text)"
    assert explored.execute_script(f"return {shown}") == ["of the seed", *"0123456789"]
    hidden = "document.querySelector('.explorer [name=label]').closest('label').hidden"
    assert not explored.execute_script(f"return {hidden}")
    image(explored, model=0, seed=0)
    assert explored.execute_script(f"return {hidden}")


def test_names_and_shares_of_a_model(run_dirs, tmp_path, monkeypatch):
    monkeypatch.setattr(explorer, "onnx_of", lambda generator: b"")
    write_ort_files(tmp_path)
    attack = "</script><b>x"
    run_dir = Path(shutil.copytree(run_dirs[1], tmp_path / "run"))
    values = json.loads((run_dir / "config.json").read_text())
    values["data"]["class_names"] = [attack, *"bcdefghij"]
    (run_dir / "config.json").write_text(json.dumps(values))
    text = page_of(run_dir, ort=tmp_path)
    assert attack not in text
    found = re.findall(r'<script type="application/json">(.*?)</script>', text, re.DOTALL)
    (model,) = json.loads(found[-1])
    assert model["names"] == [attack, *"bcdefghij"]
    dense = [one for one in gan.load(run_dir).layers if type(one).__name__ == "Dense"]
    kernel = dense[0].kernel.numpy().astype(np.float64)[:100]  # the rows of latents come first
    energy = np.linalg.eigvalsh(kernel.T @ kernel)[::-1]
    expected = (energy / energy.sum())[:5]
    np.testing.assert_allclose(model["shares"], expected, atol=1e-4)


def thumbnails(opened):
    """The pictures behind the pad, [row, column, height, width, 4]."""
    place = "document.querySelector('.explorer')"
    opened.execute_script(f"{place}.dataset.thumbs = ''")
    seed = opened.execute_script(f"return {place}.querySelector('[name=seed]').value")
    image(opened, seed=int(seed) + 1)
    wait(opened, f"{place}.dataset.thumbs")
    pixels = opened.execute_script(
        f"const c = {place}.querySelector('.thumbs');"
        "return [...c.getContext('2d').getImageData(0, 0, c.width, c.height).data]"
    )
    return np.array(pixels).reshape(5, 28, 5, 28, 4).swapaxes(1, 2)


def test_the_plane_is_shown_behind_the_dot(explored, run_dirs):
    """The picture in the middle is the seed's, the one at the top right lies 1.6 of each away."""
    image(explored, model=0, seed=40, right=0, up=0, label="")
    shown = thumbnails(explored)
    latents = latents_of([41, 42, 43], 100)
    corner = (latents[0] + 1.6 * latents[1] + 1.6 * latents[2]) / np.sqrt(1 + 2 * 1.6**2)
    outputs = gan.load(run_dirs[0])(np.stack([latents[0], corner]))
    expected = tf.round(outputs * 127.5 + 127.5).numpy()
    for drawn, right in zip((shown[2, 2], shown[0, 4]), expected, strict=True):
        assert np.abs(drawn[..., :3] - right).max() <= 1
    assert np.abs(shown[0, 4, ..., :3] - expected[0]).max() > 1


def test_keys_move_the_dot(explored):
    from selenium.webdriver import Keys

    place = "document.querySelector('.explorer')"
    before = image(explored, model=0, seed=3, right=0, up=0, label="")
    pad = explored.find_element("css selector", ".pad")

    def at():
        fields = f"['right', 'up'].map(n => +{place}.querySelector(`[name=${{n}}]`).value)"
        return explored.execute_script(f"return {fields}")

    explored.execute_script(f"{place}.dataset.shown = ''")
    pad.send_keys(Keys.ARROW_RIGHT, Keys.ARROW_RIGHT, Keys.ARROW_DOWN)
    assert at() == [pytest.approx(0.2), pytest.approx(-0.1)]
    wait(explored, f"{place}.dataset.shown === '3 0.2 -0.1 '")
    assert not np.array_equal(image(explored), before)
    pad.send_keys(Keys.SHIFT + Keys.ARROW_UP)
    assert at() == [pytest.approx(0.2), pytest.approx(0.4)]
    pad.send_keys(Keys.NULL, Keys.HOME)
    assert at() == [0, 0]


def test_what_is_copied_and_saved(explored, run_dirs):
    """Latents as JSON; a PNG with the name of the run and the seed."""
    drawn = image(explored, model=0, seed=5, right=0.5, up=0, label="")
    explored.execute_script(
        "window.copied = null; navigator.clipboard.writeText = async (t) => { window.copied = t }"
    )
    click = "document.querySelector('.explorer [name={}]').click()"
    explored.execute_script(click.format("latents"))
    copied = json.loads(wait(explored, "window.copied"))
    latents = latents_of([5, 6], 100)
    expected = (latents[0] + 0.5 * latents[1]) / np.sqrt(1.25)
    np.testing.assert_allclose(copied, expected, atol=1e-6)
    explored.execute_script(
        "window.saved = null; URL.createObjectURL = (blob) => {"
        " const r = new FileReader(); r.onload = () => (window.saved = r.result);"
        " r.readAsDataURL(blob); return '#' };"
        "document.addEventListener('click', e => { if (e.target.download)"
        " { window.called = e.target.download; e.preventDefault() } }, true)"
    )
    explored.execute_script(click.format("save"))
    png = base64.b64decode(wait(explored, "window.saved").split(",")[1])
    saved = np.asarray(Image.open(io.BytesIO(png)).convert("RGB"))
    np.testing.assert_array_equal(saved, drawn[..., :3])


def test_images_that_are_not_square_are_not_stretched(tmp_path, run_dirs):
    """Of 14x28 pixels: twice as wide as high, and so is the pad."""
    if not ORT.is_dir():
        pytest.skip("needs the files that `make explorer` fetches")
    run_dir = Path(shutil.copytree(run_dirs[0], tmp_path / "run"))
    square = gan.load(run_dir)
    flat = keras.layers.Cropping2D((7, 0))(square.output)
    keras.Model(square.input, flat).save(run_dir / "generator.keras")
    (tmp_path / "page.html").write_text(page_of(run_dir, ort=ORT))
    with browser() as opened:
        opened.get((tmp_path / "page.html").as_uri())
        wait(opened, "document.querySelector('.explorer').dataset.shown")
        for part in (".image", ".pad"):
            box = opened.find_element("css selector", f".explorer {part}").size
            assert box["width"] == pytest.approx(2 * box["height"], rel=0.02), part
            assert box["width"] > 200


def test_any_seed_and_back(explored):
    place = "document.querySelector('.explorer')"
    image(explored, model=0, seed=5, right=1, up=1, direction1=2)
    for name in ("random", "back"):
        explored.execute_script(f"{place}.querySelector('[name={name}]').click()")
    fields = ("seed", "right", "up", "direction1")
    seed, *others = (
        float(explored.execute_script(f"return {place}.querySelector('[name={one}]').value"))
        for one in fields
    )
    assert others == [0, 0, 0]
    assert 0 <= seed <= 9_999_997
