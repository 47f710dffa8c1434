"""The page about runs, as text and in headless Chromium."""

import html
import html.parser
import json
import re
import shutil
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

import gan
from browser import browser, complaints, wait
from gan.cli import report as command
from gan.errors import UserError
from gan.evaluation.better import BETTER
from gan.evaluation.evaluate import LIGHT_METRICS
from gan.evaluation.metrics import METRICS
from gan.reports import explorer, page, plots
from gan.reports.page import render_page
from gan.run.presets import from_preset
from gan.run.reader import read_history
from gan.sampling.latents import block_key, latents_of
from gan.training.trainer import train
from support import ROOT, status_of

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
        train(config, place / name, make_evaluators=lambda *_: {"light": evaluator}, quiet=True)
    record = {
        "source": "evaluate", "step": 6, "weights": "ema", "num_images": 1000,
        "metrics": {"fcd": 12.345678}, "floors": {"fcd": {"mean": 0.12, "sd": 0.01}},
    }  # fmt: skip
    with (place / "plain/evaluations.jsonl").open("a") as file:
        file.write(json.dumps(record) + "\n")
    return [place / "plain", place / "labelled"]


def page_of(*run_dirs, ort=None):
    """The page about runs."""
    runs = [read_history(run_dir) for run_dir in run_dirs]
    return render_page(runs, explorer.pack_generators(runs, ort) if ort else None)


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
    text = page_of(*run_dirs)
    addresses = Tags(text).addresses
    assert len(addresses) > 2
    assert all(re.match("data:image/png|#", one) for one in addresses)
    assert "default-src 'none'" in text
    assert "explorer" not in text.split("<body>")[1]


def test_what_the_page_says(run_dirs):
    plain = page_of(run_dirs[0])
    for title in ("loss of D", "loss of G", "accuracy of D", "mean logits", "gradient norms",
                  "fcd of the light evaluation", "coverage of the light evaluation"):  # fmt: skip
        assert title in plain
    assert "<th>fcd</th><td>12.35</td><td>0.12 (0.01)</td>" in plain
    assert "<th>generator</th><td>tiny</td><td>mlp</td>" in plain
    assert f"<th>keras</th><td>{__import__('keras').__version__}</td>" in plain
    assert "6 of 6" in plain
    assert ">penalty</text>" not in plain  # there is none, so no chart of zeros
    both = page_of(*run_dirs)
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
    summary = {"status": "stopped", "reason": attack, "collapse": {attack: 1}, "step": 1}
    (run_dir / "summary.json").write_text(json.dumps(summary))
    record = {"step": attack, "source": attack, "metrics": {attack: 1.0}, "floors": {}}
    (run_dir / "evaluations.jsonl").write_text(json.dumps({**record, "step": 1}) + "\n")
    text = page_of(run_dir)
    Tags(text)
    assert attack not in text
    assert "<img src=x" not in text
    assert text.count("&lt;script&gt;alert(1)") >= 5


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


def test_only_charts_are_not_escaped():
    names = page.TEMPLATES.list_templates(["html"])
    sources = [page.TEMPLATES.loader.get_source(page.TEMPLATES, name)[0] for name in names]
    assert re.findall(r"\w+ *\| *safe|autoescape", "".join(sources)) == ["svg | safe"]


@pytest.fixture
def run_dir(run_dirs, tmp_path):
    """A copy of the plain run, to damage."""
    return Path(shutil.copytree(run_dirs[0], tmp_path / "run"))


DAMAGE = [  # (file, what is in it, what is said)
    ("samples/step_00000002.png", "no picture", r"step_00000002\.png: cannot be read"),
    ("metrics.jsonl", '{"step": 1}', r"metrics\.jsonl: line 1 has no kimg, must have step, kimg"),
    ("evaluations.jsonl", '{"step": 1}', r"evaluations\.jsonl: line 1 has no metrics, must have"),
    ("summary.json", "{", r"summary\.json: cannot be read, must be JSON"),
    ("config.json", '{"config": {}, "environment": ["x"]}', "environment must be an object"),
    ("config.json", '{"config": {"steps": "x"}}', "is not a configuration"),
]


@pytest.mark.parametrize(("file", "content", "message"), DAMAGE)
def test_damaged_files_are_named(file, content, message, run_dir):
    (run_dir / file).write_text(content)
    with pytest.raises(UserError, match=message):
        page_of(run_dir)


def test_what_is_no_run_is_refused(tmp_path, run_dir):
    with pytest.raises(UserError, match=r"is not a run, it has no config\.json"):
        page_of(tmp_path)
    with pytest.raises(UserError, match=r"has no ort\.wasm\.bundle\.min\.mjs"):
        page_of(run_dir, ort=tmp_path)


def test_odd_files_and_old_configurations_do_no_harm(run_dir):
    for name in ("step_00000002 (copy).png", "step_final.png", "grid.png"):
        (run_dir / "samples" / name).write_text("mine")
    (run_dir / "config.json").write_text('{"config": {}}')  # of before there were such knobs
    (run_dir / "metrics.jsonl").write_text('{"step": 1, "kimg": 0.2, "seconds": 0}\n')
    (run_dir / "summary.json").unlink()
    text = page_of(run_dir)
    assert "<td>1 of 30,000</td><td>not ended</td><td>0</td><td>none</td>" in text


def test_a_run_that_went_on_is_not_shown_as_it_ended_before(run_dir):
    record = {"step": 900, "kimg": 9.0, "seconds": 55.0, "collapse/signs": 1.0}
    with (run_dir / "metrics.jsonl").open("a") as file:
        file.write(json.dumps(record) + "\n")
    text = page_of(run_dir)
    assert "<td>900 of 6</td><td>not ended</td><td>55</td><td>from step 900</td>" in text


def test_floors_come_from_the_package_where_a_record_has_none(run_dir):
    found = json.loads((ROOT / "gan/evaluation/weights/mnist-cnn-a-v1.floors.json").read_text())
    mean, sd = found["floors of 2000 against 2000 test"]["fcd"]
    record = {
        "step": 6, "source": "training", "evaluator": "light", "num_images": 2000,
        "metrics": {"fcd": 9.0, "kid": None}, "reference": {"num_images": 2000, "split": "test"},
        "features": {"name": "mnist-cnn-a-v1", "sha256": found["sha256"]},
    }  # fmt: skip
    file = run_dir / "evaluations.jsonl"
    for name, floor in (
        ("mnist-cnn-a-v1", f"{mean:.4g} ({sd:.4g})"), ("mnist-cnn-b-v1", ""), ("../x", ""),
    ):  # fmt: skip
        record["features"]["name"] = name
        file.write_text(json.dumps(record) + "\n")
        assert f"<th>fcd</th><td>9</td><td>{floor}</td>" in page_of(run_dir)


def test_the_usual_evaluation_is_shown_and_each_beside_its_own_floor(run_dirs, run_dir):
    def evaluation(fcd, floor, **more):
        usual = {"weights": "ema", "features": {"name": "mnist-cnn-a-v1"}}
        return {"step": 6, "source": "evaluate", "metrics": {"fcd": fcd},
                "floors": {"fcd": {"mean": floor, "sd": 0.5}}, **usual, **more}  # fmt: skip

    rows = [
        evaluation(3.0, 1.0, source="study"),
        evaluation(4.0, 2.0, weights="raw"),
        evaluation(5.0, 2.0, features={"name": "mnist-cnn-b-v1"}),
    ]
    (run_dir / "evaluations.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    text = page_of(run_dir, run_dirs[0])
    row = "<th>fcd</th><td>3</td><td>1 (0.5)</td><td>12.35</td><td>0.12 (0.01)</td>"
    assert row in text
    assert "features mnist-cnn-a-v1" in text


def test_inceptions_numbers_stand_below_the_others(run_dir):
    """Whatever came last; without a whole evaluation the light one stands above."""
    usual = {"weights": "ema", "features": {"name": "mnist-cnn-a-v1"}}
    own = {"step": 6, "source": "evaluate", "metrics": {"fcd": 3.0},
           "floors": {"fcd": {"mean": 1.0, "sd": 0.5}}, **usual}  # fmt: skip
    papers = {
        "step": 5, "source": "evaluate", "weights": "ema", "num_images": 2000,
        "features": {"name": "inception-2015-12-05"}, "metrics": {"fid_inception_2k": 7.5},
        "floors": {"fid_inception_2k": {"mean": 1.5, "sd": 0.25}},
    }  # fmt: skip
    raw = {**papers, "weights": "raw", "metrics": {"fid_inception_2k": 9.5}}
    light = {**own, "source": "training", "metrics": {"fcd": 4.0}}
    for rows, fcd in (([own, papers, raw, light], 3), ([papers, own], 3), ([light, papers], 4)):
        (run_dir / "evaluations.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
        text = page_of(run_dir)
        assert f"<th>fcd</th><td>{fcd}</td><td>1 (0.5)</td>" in text
        assert "<th>fid_inception_2k</th><td>7.5</td><td>1.5 (0.25)</td>" in text
        assert text.index("<th>fcd</th>") < text.index("<th>fid_inception_2k</th>")
        assert "step 6, weights ema, features mnist-cnn-a-v1" in text
        assert "step 5, weights ema, num_images 2000, features inception-2015-12-05" in text
    (run_dir / "evaluations.jsonl").write_text(json.dumps(raw) + "\n")
    assert "<th>fid_inception_2k</th><td>9.5</td><td>1.5 (0.25)</td>" in page_of(run_dir)


def test_networks_of_the_caller_are_named(run_dir):
    values = json.loads((run_dir / "config.json").read_text())
    values["own_networks"] = ["discriminator"]
    (run_dir / "config.json").write_text(json.dumps(values))
    assert "<td>tiny, own</td>" in page_of(run_dir)


def test_levels_are_for_cross_entropy_only(run_dirs, run_dir):
    level = "stroke-dasharray: 0.6,0.99"
    assert level in page_of(run_dir)
    values = json.loads((run_dir / "config.json").read_text())
    values["config"]["loss"] = "hinge"
    (run_dir / "config.json").write_text(json.dumps(values))
    assert level not in page_of(run_dirs[0], run_dir)  # one chart is of both


@pytest.mark.parametrize("name", ["lr$_{$", r"x$\b$", "_a"])
def test_any_name_may_stand_in_a_legend(name):
    lines = [plots.Line(name, [1, 2], [1.0, 2.0]), plots.Line("b", [1, 2], [2.0, 1.0], 1)]
    assert html.escape(name, quote=False) in plots.chart("t", lines)


def test_of_a_long_line_no_spike_is_lost():
    values = np.zeros(1199)
    values[[503, 600, 1198]] = 5.0, -3.0, 7.0
    line = plots.Line("", range(1, 1200), values)
    steps, means, lowest, highest = plots.in_bins(line)
    assert len(steps) == len(means) == 100
    assert (steps[0], steps[-1]) == (11, 1199)
    assert sorted(set(highest)) == [0.0, 5.0, 7.0]
    assert sorted(set(lowest)) == [-3.0, 0.0]
    assert means.min() == pytest.approx(-3.0 / 12)  # 11 or 12 points a bin
    assert highest[-1] == 7.0


def test_a_short_line_is_drawn_point_by_point():
    line = plots.Line("", [10, 20, 40], [1.0, float("nan"), 2.0])
    steps, means, lowest, highest = plots.in_bins(line)
    assert steps.tolist() == [10, 20, 40]
    for drawn in (means, lowest, highest):
        np.testing.assert_array_equal(drawn, [1.0, np.nan, 2.0])


@pytest.mark.parametrize(
    ("fcd", "logarithmic"),
    [([500.0, 40.0, 5.0], True), ([2.5, 2.0, 1.5], False), ([500.0, 40.0, 0.0], False)],
)
def test_a_chart_of_fcd_is_logarithmic_if_it_falls_far(fcd, logarithmic, run_dir, monkeypatch):
    rows = [
        {"step": i, "source": "training", "metrics": {"fcd": value, "coverage": 0.5}}
        for i, value in enumerate(fcd, 1)
    ]
    (run_dir / "evaluations.jsonl").write_text("".join(json.dumps(r) + "\n" for r in rows))
    drawn = {}
    monkeypatch.setattr(plots, "chart", lambda title, *more: drawn.update({title: more}) or "")
    page_of(run_dir)
    assert drawn["fcd of the light evaluation"][-1] == logarithmic
    assert not drawn["coverage of the light evaluation"][-1]


def test_what_falls_by_orders_of_magnitude_has_a_logarithmic_axis():
    lines = [plots.Line("", [1, 2, 3], [500.0, 40.0, 1.0])]
    assert re.findall(r">(1|10|100|200|400)</text>", plots.chart("t", lines, None, True)) == [
        "1", "10", "100",
    ]  # fmt: skip
    assert ">200</text>" in plots.chart("t", lines)


def test_the_charts_are_of_metrics_that_there_are():
    assert set(page.LIGHT) <= {*METRICS, *BETTER}
    assert set(page.LIGHT) > set(LIGHT_METRICS)


def test_charts_take_the_ink_of_the_page_and_leave_gaps():
    svg = plots.chart("a < b", [plots.Line("x & y", [1, 2, 3], [1.0, float("nan"), 2.0])], 1.5)
    assert svg.startswith("<svg")
    assert "currentColor" in svg
    assert plots.INK not in svg
    assert "a &lt; b" in svg
    assert "x &amp; y" in svg
    ids = re.findall(r' id="([^"]+)"', svg)
    assert len(ids) == len(set(ids))
    assert all(f"#{one}" in svg for one in ids)


def call(monkeypatch, *arguments):
    return status_of(monkeypatch, command, *arguments)


def test_the_command(run_dirs, monkeypatch, tmp_path, capsys):
    monkeypatch.chdir(tmp_path)  # where no explorer is
    assert call(monkeypatch, f"--runs={run_dirs[0]}") == 0
    assert (run_dirs[0] / "report.html").read_text().startswith("<!DOCTYPE html>")
    assert call(monkeypatch, *run_dirs) == 0
    assert capsys.readouterr().out.splitlines()[-1].startswith("report.html: ")
    assert (tmp_path / "report.html").exists()


def write_ort_files(place):
    for name in explorer.ORT_FILES.values():
        (place / name).write_text("x")


def test_without_a_generator_the_page_has_no_explorer(
    run_dir, run_dirs, tmp_path, monkeypatch, capsys
):
    monkeypatch.setattr(explorer, "onnx_of", None)  # not called
    write_ort_files(tmp_path)
    (run_dir / "generator.keras").unlink()
    assert "explorer" not in page_of(run_dir, ort=tmp_path).split("<body>")[1]
    assert call(monkeypatch, f"--runs={run_dir}", f"--explorer={tmp_path}") == 2
    assert "has no generator.keras yet" in capsys.readouterr().err
    monkeypatch.setattr(explorer, "onnx_of", lambda generator: b"")
    assert (
        call(
            monkeypatch, run_dir, run_dirs[0], f"--explorer={tmp_path}", f"--out={tmp_path}/a.html"
        )
        == 0
    )
    assert "not in the latent explorer: --run_dir=" in capsys.readouterr().out
    monkeypatch.setattr(command, "EXPLORER", str(tmp_path))  # as if it was found
    assert call(monkeypatch, f"--runs={run_dir}") == 0
    assert "without the latent explorer: " in capsys.readouterr().out


@pytest.mark.parametrize(("width", "dark"), [(1200, False), (400, True)])
def test_in_a_browser(run_dirs, tmp_path, width, dark):
    """Nothing is complained about, the slider changes the picture, a phone needs no scrolling."""
    path = tmp_path / "report.html"
    path.write_text(page_of(*run_dirs))
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


def test_no_json_of_the_page_can_end_its_script(run_dirs, tmp_path, monkeypatch):
    """Nor begin another one, whatever a run is called."""
    monkeypatch.setattr(explorer, "onnx_of", lambda generator: b"")
    write_ort_files(tmp_path)
    run_dir = tmp_path / "<" / "script><script>alert(1)<" / "script>"  # a path has slashes
    shutil.copytree(run_dirs[0], run_dir)
    text = page_of(run_dir, ort=tmp_path)
    found = re.findall(r'<script type="application/json">(.*?)</script>', text, re.DOTALL)
    assert len(found) == 2  # of the slideshow and of the explorer
    assert [json.loads(data) for data in found][1][0]["name"] == str(run_dir)
    assert not any(set("<>&") & set(data) for data in found)
    assert "script>alert(1)" not in text


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


def test_null_is_a_gap_and_no_number(run_dir, monkeypatch):
    rows = [
        {"step": step, "kimg": step, "seconds": step, "loss/d": value, "loss/g": None}
        for step, value in ((1, 3.0), (2, None), (3, 5.0))
    ]
    (run_dir / "metrics.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    drawn = {}
    monkeypatch.setattr(plots, "chart", lambda title, *more: drawn.update({title: more}) or "")
    page_of(run_dir)
    (line,), *_ = drawn["loss of D"]
    assert list(line.steps) == [1, 2, 3]
    np.testing.assert_array_equal(line.values, [3.0, np.nan, 5.0])
    assert "loss of G" not in drawn  # it has no point at all


def test_a_bin_is_of_its_finite_values():
    values = np.ones(200)
    values[:4] = np.nan, 3.0, np.nan, np.nan
    values[100:102] = 1.6e308, 1.7e308
    _, means, lowest, highest = plots.in_bins(plots.Line("", range(200), values))
    assert (means[0], lowest[0], highest[0]) == (3.0, 3.0, 3.0)
    assert np.isnan([means[1], lowest[1], highest[1]]).all()
    assert (means[50], lowest[50], highest[50]) == (pytest.approx(1.65e308), 1.6e308, 1.7e308)
    assert (means[99], lowest[99], highest[99]) == (1.0, 1.0, 1.0)


@pytest.mark.parametrize(
    ("values", "drawn"),
    [
        ((1e308, -1e308), False),
        ((1.7e308, 1.6e308), False),
        ((1e300, -1e300), True),
        ((5e-324, 1e-323), True),
        ((3.4e38, 0.0), True),
    ],
)
def test_what_cannot_be_drawn_is_named_and_the_page_is_written(values, drawn, run_dir):
    rows = [
        {"step": 2**62 + i, "kimg": i, "seconds": i, "loss/d": value, "loss/g": 0.5}
        for i, value in enumerate(values)
    ]
    (run_dir / "metrics.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    text = page_of(run_dir)
    Tags(text)
    assert ("<p>loss of D: cannot be drawn (" in text) != drawn
    assert (">loss of D</text>" in text) == drawn
    assert ">loss of G</text>" in text


def test_a_run_that_stopped_shows_why(run_dirs, run_dir):
    summary = {"status": "stopped", "reason": "loss/d is <b>nan", "step": 2, "logged_step": 6}
    (run_dir / "summary.json").write_text(json.dumps(summary))
    text = page_of(run_dirs[0], run_dir)
    assert f"{run_dir} stopped after step 6: loss/d is &lt;b&gt;nan</p>" in text
    assert "<td>2 of 6</td><td>stopped</td>" in text


def test_the_largest_numbers_have_no_hundred_digits(run_dir):
    record = {"step": 6, "source": "evaluate", "metrics": {"fcd": 1e308, "kid": 123456.0}}
    (run_dir / "evaluations.jsonl").write_text(json.dumps(record) + "\n")
    text = page_of(run_dir)
    assert "<th>fcd</th><td>1e+308</td>" in text
    assert "<th>kid</th><td>123456</td>" in text
