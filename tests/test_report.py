"""The page about runs, as text and in headless Chromium."""

import html.parser
import json
import re
import sys

import numpy as np
import pytest
import tensorflow as tf

import gan
from browser import browser, complaints, wait
from conftest import ROOT
from gan import charts, report
from gan.commands import cli
from gan.commands import report as command
from gan.knobs import UserError
from gan.latents import latents_of
from gan.presets import from_preset
from gan.trainer import train

ORT = ROOT / ".explorer/node_modules/onnxruntime-web/dist"
SMALL = {"steps": 6, "sample_every": 2, "log_every": 1, "evaluate_every": 3, "jit_compile": False}


def evaluator(generator, step):
    return {"metrics": {"fcd": 100.0 / step, "coverage": 0.5}}


@pytest.fixture(scope="module")
def run_dirs(tmp_path_factory):
    """A plain run and a conditional one."""
    place = tmp_path_factory.mktemp("report")
    for name, changes in (("plain", {}), ("labelled", {"conditional": True, "seed": 1})):
        config = from_preset("tiny", {**SMALL, **changes})
        train(config, place / name, evaluators={"light": evaluator}, quiet=True)
    record = {
        "source": "evaluate", "step": 6, "weights": "ema", "num_images": 1000,
        "metrics": {"fcd": 12.345678}, "floors": {"fcd": {"mean": 0.12, "sd": 0.01}},
    }  # fmt: skip
    with (place / "plain/evaluations.jsonl").open("a") as file:
        file.write(json.dumps(record) + "\n")
    return [place / "plain", place / "labelled"]


class Tags(html.parser.HTMLParser):
    """Checks that elements are closed in order, and gathers addresses."""

    VOID = ("meta", "img", "input", "link", "br")

    def __init__(self, text):
        super().__init__()
        self.open, self.addresses = [], []
        self.feed(text)
        assert self.open == []

    def handle_starttag(self, tag, attributes):
        if tag not in self.VOID:
            self.open.append(tag)
        self.addresses += [v for k, v in attributes if k in ("src", "href", "xlink:href") and v]

    def handle_startendtag(self, tag, attributes):
        self.handle_starttag(tag, attributes)
        if tag not in self.VOID:
            self.open.pop()

    def handle_endtag(self, tag):
        assert self.open.pop() == tag


def test_the_page_needs_nothing_else(run_dirs):
    text = report.page(run_dirs)
    addresses = Tags(text).addresses
    assert len(addresses) > 2
    assert all(re.match("data:image/png|#", one) for one in addresses)
    assert "default-src 'none'" in text
    assert "explorer" not in text.split("<body>")[1]


def test_what_the_page_says(run_dirs):
    plain = report.page(run_dirs[:1])
    for title in ("loss of D", "loss of G", "accuracy of D", "mean logits", "gradient norms",
                  "fcd of the light evaluation", "coverage of the light evaluation"):  # fmt: skip
        assert title in plain
    assert "<th>fcd</th><td>12.35</td><td>0.12 (0.01)</td>" in plain
    assert "<th>generator</th><td>tiny</td><td>mlp</td>" in plain
    assert f"<th>keras</th><td>{__import__('keras').__version__}</td>" in plain
    assert "6 of 6" in plain
    assert ">penalty</text>" not in plain  # there is none, so no chart of zeros
    both = report.page(run_dirs)
    assert "<th>conditional</th><td>False</td><td>True</td>" in both
    assert "<th>generator</th><td>tiny</td><td>tiny</td>" in both.split("<details>")[1]
    assert "<th>generator</th>" not in both.split("<details>")[0]


def test_what_a_hostile_run_says_is_text(run_dirs, tmp_path):
    attack = "<script>alert(1)</script>"
    run_dir = tmp_path / "<img src=x onerror=alert(2)>"
    train(from_preset("tiny", {"steps": 1, "evaluate_every": 0}), run_dir, quiet=True)
    values = json.loads((run_dir / "config.json").read_text())
    values["environment"] = {attack: [attack], "device": {attack: attack}}
    (run_dir / "config.json").write_text(json.dumps(values))
    summary = {"status": attack, "collapse": {attack: 1}, "step": 1, "seconds": 1.0}
    (run_dir / "summary.json").write_text(json.dumps(summary))
    record = {"step": attack, "source": attack, "metrics": {attack: 1.0}, "floors": {}}
    (run_dir / "evaluations.jsonl").write_text(json.dumps({**record, "step": 1}) + "\n")
    text = report.page([run_dir])
    Tags(text)
    assert attack not in text
    assert "<img src=x" not in text
    assert text.count("&lt;script&gt;alert(1)") >= 5


def test_damaged_runs_are_refused(run_dirs, tmp_path):
    with pytest.raises(UserError, match=r"is not a run, it has no config\.json"):
        report.page([tmp_path])
    train(from_preset("tiny", {"steps": 1, "evaluate_every": 0}), tmp_path / "run", quiet=True)
    picture = tmp_path / "run/samples/step_00000001.png"
    for path, damage in ((picture, b"no picture"), (tmp_path / "run/summary.json", b"{")):
        whole = path.read_bytes()
        path.write_bytes(damage)
        with pytest.raises(UserError, match=f"{path.name}: cannot be read"):
            report.page([tmp_path / "run"])
        path.write_bytes(whole)
    with pytest.raises(UserError, match=r"has no ort\.wasm\.bundle\.min\.mjs"):
        report.page([tmp_path / "run"], explorer=tmp_path)


def test_charts_take_the_ink_of_the_page_and_leave_gaps():
    svg = charts.chart("a < b", [charts.Line("x & y", [1, 2, 3], [1.0, float("nan"), 2.0])], 1.5)
    assert svg.startswith("<svg")
    assert "currentColor" in svg
    assert charts.INK not in svg
    assert "a &lt; b" in svg
    assert "x &amp; y" in svg
    ids = re.findall(r' id="([^"]+)"', svg)
    assert len(ids) == len(set(ids))
    assert all(f"#{one}" in svg for one in ids)


def call(monkeypatch, *arguments):
    monkeypatch.setattr(sys, "argv", ["report", *map(str, arguments)])
    with pytest.raises(SystemExit) as end:
        cli.run("usage", command.define, command.main)
    return end.value.code


def test_the_command(run_dirs, monkeypatch, tmp_path, capsys):
    monkeypatch.chdir(tmp_path)  # where no explorer is
    assert call(monkeypatch, f"--runs={run_dirs[0]}") == 0
    assert (run_dirs[0] / "report.html").read_text().startswith("<!DOCTYPE html>")
    assert call(monkeypatch, f"--runs={run_dirs[0]},{run_dirs[1]}") == 0
    assert capsys.readouterr().out.splitlines()[-1].startswith("report.html: ")
    assert (tmp_path / "report.html").exists()


@pytest.mark.parametrize(("width", "dark"), [(1200, False), (400, True)])
def test_in_a_browser(run_dirs, tmp_path, width, dark):
    """Nothing is complained about, the slider changes the picture, a phone needs no scrolling."""
    path = tmp_path / "report.html"
    path.write_text(report.page(run_dirs))
    with browser(width, dark=dark) as opened:
        opened.get(path.as_uri())
        shown = "document.querySelector('.slideshow img').src"
        last = wait(opened, shown)
        opened.execute_script(
            "const s = document.querySelector('.slideshow input'); s.value = 0;"
            "s.dispatchEvent(new Event('input', {bubbles: true}))"
        )
        assert wait(opened, shown) != last
        text = "document.querySelector('.slideshow output').textContent"
        assert opened.execute_script(f"return {text}") == "step 0"
        pixels = opened.execute_script("return document.documentElement.scrollWidth")
        assert pixels <= opened.execute_script("return window.innerWidth")
        ink, page = (
            opened.execute_script(f"return getComputedStyle(document.body).{name}")
            for name in ("color", "backgroundColor")
        )
        bright = [sum(map(int, re.findall(r"\d+", one)[:3])) for one in (ink, page)]
        assert (bright[0] > bright[1]) == dark
        assert abs(bright[0] - bright[1]) > 450
        assert complaints(opened) == []


@pytest.fixture(scope="module")
def explored(run_dirs, tmp_path_factory):
    if not ORT.is_dir():
        pytest.skip("needs the files that `make explorer` fetches")
    path = tmp_path_factory.mktemp("page") / "report.html"
    path.write_text(report.page(run_dirs, ORT))
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
        f"const c = {place}.querySelector('canvas');"
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
