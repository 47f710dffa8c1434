"""The page about runs, as text and in headless Chromium."""

import base64
import json
import re
import shutil
from pathlib import Path

import pytest

from browser import browser, complaints, wait
from gan.cli import report as command
from gan.errors import UserError
from gan.reports import explorer, page
from gan.run.presets import from_preset
from gan.training.trainer import train
from pages import Tags, page_of, write_ort_files
from support import ROOT, status_of


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
        assert f"<h3>{title}</h3>" in plain
    assert "<th>fcd ↓</th><td>12.35</td><td>0.12 (0.01)</td>" in plain
    assert "<th>generator</th><td>tiny</td><td>mlp</td>" in plain
    assert f"<th>keras</th><td>{__import__('keras').__version__}</td>" in plain
    assert "6 of 6" in plain
    assert "<h3>penalty</h3>" not in plain  # there is none, so no chart of zeros
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


def test_only_the_library_is_not_escaped():
    names = page.TEMPLATES.list_templates(["html"])
    sources = [page.TEMPLATES.loader.get_source(page.TEMPLATES, name)[0] for name in names]
    assert re.findall(r"\w+ *\| *safe|autoescape", "".join(sources)) == ["plotly | safe"]


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
    assert "<td>1 of 30,000</td><td>unfinished</td><td>0</td><td>none</td>" in text


def test_a_run_that_went_on_is_not_shown_as_it_ended_before(run_dir):
    record = {"step": 900, "kimg": 9.0, "seconds": 55.0, "collapse/signs": 1.0}
    with (run_dir / "metrics.jsonl").open("a") as file:
        file.write(json.dumps(record) + "\n")
    text = page_of(run_dir)
    assert "<td>900 of 6</td><td>unfinished</td><td>55</td><td>from step 900</td>" in text


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
        assert f"<th>fcd ↓</th><td>9</td><td>{floor}</td>" in page_of(run_dir)


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
        assert f"<th>fcd ↓</th><td>{fcd}</td><td>1 (0.5)</td>" in text
        assert "<th>fid_inception_2k ↓</th><td>7.5</td><td>1.5 (0.25)</td>" in text
        assert text.index("<th>fcd ↓</th>") < text.index("<th>fid_inception_2k ↓</th>")
        assert "step 6, weights ema, features mnist-cnn-a-v1" in text
        assert "step 5, weights ema, num_images 2000, features inception-2015-12-05" in text
    (run_dir / "evaluations.jsonl").write_text(json.dumps(raw) + "\n")
    assert "<th>fid_inception_2k ↓</th><td>9.5</td><td>1.5 (0.25)</td>" in page_of(run_dir)


def test_networks_of_the_caller_are_named(run_dir):
    values = json.loads((run_dir / "config.json").read_text())
    values["own_networks"] = ["discriminator"]
    (run_dir / "config.json").write_text(json.dumps(values))
    assert "<td>tiny, own</td>" in page_of(run_dir)


def call(monkeypatch, *arguments):
    return status_of(monkeypatch, command, *arguments)


def test_the_command(run_dirs, monkeypatch, tmp_path, capsys):
    monkeypatch.chdir(tmp_path)  # where no explorer is
    assert call(monkeypatch, f"--runs={run_dirs[0]}") == 0
    assert (run_dirs[0] / "report.html").read_text().startswith("<!DOCTYPE html>")
    assert call(monkeypatch, *run_dirs) == 0
    assert capsys.readouterr().out.splitlines()[-1].startswith("report.html: ")
    assert (tmp_path / "report.html").exists()


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


def test_no_json_of_the_page_can_end_its_script(run_dirs, tmp_path, monkeypatch):
    """Nor begin another one, whatever a run is called."""
    monkeypatch.setattr(explorer, "onnx_of", lambda generator: b"")
    write_ort_files(tmp_path)
    run_dir = tmp_path / "<" / "script><script>alert(1)<" / "script>"  # a path has slashes
    shutil.copytree(run_dirs[0], run_dir)
    text = page_of(run_dir, ort=tmp_path)
    found = re.findall(r'<script type="application/json"[^>]*>(.*?)</script>', text, re.DOTALL)
    frames, charts, models = [json.loads(data) for data in found]
    assert models[0]["name"] == charts["runs"][0]["name"] == str(run_dir)
    assert frames[0]["step"] == 0
    assert not any(set("<>&") & set(data) for data in found)
    assert "script>alert(1)" not in text


def test_a_run_that_stopped_shows_why(run_dirs, run_dir):
    summary = {"status": "stopped", "reason": "loss/d is <b>nan", "step": 2, "logged_step": 6}
    (run_dir / "summary.json").write_text(json.dumps(summary))
    text = page_of(run_dirs[0], run_dir)
    assert "run stopped after step 6: loss/d is &lt;b&gt;nan</p>" in text
    assert "<td>2 of 6</td><td>failed</td>" in text


def test_the_largest_numbers_have_no_hundred_digits(run_dir):
    record = {"step": 6, "source": "evaluate", "metrics": {"fcd": 1e308, "kid": 123456.0}}
    (run_dir / "evaluations.jsonl").write_text(json.dumps(record) + "\n")
    text = page_of(run_dir)
    assert "<th>fcd ↓</th><td>1e+308</td>" in text
    assert "<th>kid ↓</th><td>123456</td>" in text


def test_real_images_stand_beside_samples(run_dirs, run_dir):
    text = page_of(*run_dirs)
    reals = re.findall(r'<figure class="reals"><img alt="real images" src="([^"]+)">', text)
    png = base64.b64encode((run_dirs[0] / "samples/reals.png").read_bytes()).decode()
    assert reals == [f"data:image/png;base64,{png}"]  # both have the same, so it is there once
    assert "<figcaption>real images of plain, labelled</figcaption>" in text
    (run_dir / "samples/reals.png").unlink()
    assert 'class="reals"' not in page_of(run_dir)


def test_without_scripts_tables_and_pictures_are_there(run_dirs, tmp_path):
    """What needs a script is hidden, and the page says what is missing."""
    path = tmp_path / "report.html"
    text = page_of(*run_dirs)
    path.write_text(re.sub(r"script-src [^;\"]*", "script-src 'none'", text))
    with browser() as opened:
        opened.get(path.as_uri())
        wait(opened, "document.querySelectorAll('.slideshow img').length === 2")
        visible = "[...document.querySelectorAll(arguments[0])].filter(e => e.offsetHeight).length"
        for selector, count in (("table", 4), (".slideshow img", 2), (".live", 0), (".chart", 0)):
            shown = opened.execute_script(f"return {visible}", selector)
            assert (shown >= count) if count else shown == 0, selector
    assert "<noscript><p>The charts need JavaScript; a run has losses.png" in text


def test_sliders_of_runs_are_linked(run_dirs, tmp_path):
    """To the nearest step that the other run has, until that is switched off."""
    other = Path(shutil.copytree(run_dirs[1], tmp_path / "other"))
    (other / "samples/step_00000002.png").unlink()
    path = tmp_path / "report.html"
    path.write_text(page_of(run_dirs[0], other))
    with browser() as opened:
        opened.get(path.as_uri())
        wait(opened, "document.querySelector('.scripted')")

        def steps(index):
            opened.execute_script(
                "const s = document.querySelector('.slideshow input'); s.value = arguments[0];"
                "s.dispatchEvent(new Event('input', {bubbles: true}))", index
            )  # fmt: skip
            shown = "[...document.querySelectorAll('.slideshow output')].map(o => o.textContent)"
            return opened.execute_script(f"return {shown}")

        assert steps(0) == ["step 0", "step 0"]
        assert steps(2) == ["step 4", "step 4"]
        assert steps(1) == ["step 2", "step 0"]  # 0 and 4 are as near
        opened.execute_script("document.getElementById('linked').click()")
        assert steps(3) == ["step 6", "step 0"]


def test_a_wide_table_says_so_on_a_phone(run_dirs, tmp_path):
    path = tmp_path / "report.html"
    path.write_text(page_of(*run_dirs))
    hint = "document.querySelector('#runs .hint')"
    for width, hidden in ((1280, True), (390, False)):
        with browser(width) as opened:
            metrics = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": False}
            opened.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
            opened.get(path.as_uri())
            wait(opened, hint)
            assert opened.execute_script(f"return {hint}.hidden") == hidden
            assert opened.execute_script("return document.documentElement.scrollWidth") <= width
