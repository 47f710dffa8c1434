"""The charts of a page: their data, and what they do in headless Chromium."""

import csv
import hashlib
import io
import json
import re
import xml.etree.ElementTree

import numpy as np
import pytest

from browser import browser, complaints, wait
from gan.evaluation.better import BETTER
from gan.evaluation.evaluate import LIGHT_METRICS
from gan.evaluation.metrics.table import METRICS
from gan.reports import charts
from gan.reports.charts import Line
from gan.reports.page import PLOTLY
from pages import Tags, page_of, write_run
from support import ROOT

TEMPLATES = ROOT / "gan/reports/templates"


def test_the_library_is_the_file_that_npm_has():
    """Version 4.1.1 of plotly.js-basic-dist-min; its licence is beside it, and in the wheel."""
    content = (TEMPLATES / PLOTLY).read_bytes()
    assert b"plotly.js (basic - minified) v4.1.1" in content[:100]
    assert hashlib.sha256(content).hexdigest() == (
        "99784e3abfb07b142a15e521a439e6d9addceadb3f79553fd24c72774f0649ba"
    )
    assert "MIT License" in (TEMPLATES / "plotly-basic.LICENSE").read_text()
    assert not re.search(rb"(?i)</script|<!--", content)  # nothing that ends its element
    assert len(content) < 1_200_000


def charts_of(*run_dirs):
    """{title: chart} as it is in the page, and the lines about others."""
    text = page_of(*run_dirs)
    data = re.search(r'<script type="application/json" id="chart-data">(.*?)</script>', text)
    drawn = json.loads(data[1])["charts"] if data else []
    return {chart["title"]: chart for chart in drawn}


def values_of(chart):
    """The means of the lines of a chart."""
    return [line["means"] for line in chart["lines"]]


RECORDS = [
    {"step": step, "loss/d": 1.0 / step, "loss/g": 1.0 * step, "accuracy/real": 0.75,
     "accuracy/fake": 0.5, "logits/real": 2.0 - step, "logits/fake": -1.0, "grads/d_norm": 1.0,
     "grads/g_norm": 2.0}
    for step in (1, 2, 4)
]  # fmt: skip


def two_runs(place):
    """Two runs, one of which shows signs of collapse."""
    summary = {"status": "completed", "step": 4, "collapse": {"mode_collapse": 2}}
    return [
        write_run(place / "a", RECORDS),
        write_run(place / "b", RECORDS[1:], summary=summary, g_learning_rate=1e-3),
    ]


@pytest.fixture
def two(tmp_path):
    return two_runs(tmp_path)


def test_a_run_has_two_colours_where_several_have_a_chart_each(two):
    one = charts_of(two[0])
    assert list(one) == ["loss of D", "loss of G", "accuracy of D", "mean logits", "gradient norms"]
    accuracy = one["accuracy of D"]["lines"]
    assert [line["role"] for line in accuracy] == ["on real images", "on fakes"]
    assert values_of(one["accuracy of D"]) == [[0.75] * 3, [0.5] * 3]
    both = charts_of(*two)
    assert list(both) == [
        "loss of D", "loss of G", "accuracy of D on real images", "accuracy of D on fakes",
        "mean logits of real images", "mean logits of fakes", "gradient norms of D",
        "gradient norms of G",
    ]  # fmt: skip
    lines = both["loss of D"]["lines"]
    assert [(line["run"], line["steps"]) for line in lines] == [(0, [1, 2, 4]), (1, [2, 4])]
    assert values_of(both["loss of D"]) == [[1.0, 0.5, 0.25], [0.5, 0.25]]


def test_levels_are_for_cross_entropy_only(tmp_path):
    plain = write_run(tmp_path / "plain", RECORDS)
    hinge = write_run(tmp_path / "hinge", RECORDS, loss="hinge")
    levels = {title: chart["level"] for title, chart in charts_of(plain).items()}
    assert levels == {
        "loss of D": pytest.approx(1.386294361), "loss of G": pytest.approx(0.693147181),
        "accuracy of D": 0.5, "mean logits": 0.0, "gradient norms": None,
    }  # fmt: skip
    assert {chart["level"] for chart in charts_of(plain, hinge).values()} == {None}


def test_a_penalty_has_a_chart_where_there_is_one(tmp_path):
    rows = [{"step": 1, "loss/penalty": 0.0}, {"step": 2, "loss/penalty": 0.0}]
    assert list(charts_of(write_run(tmp_path / "a", rows))) == []
    assert list(charts_of(write_run(tmp_path / "b", rows, penalty="r1"))) == ["penalty"]


def test_heads_augmentations_and_classes_have_charts_where_they_are_logged(tmp_path):
    logged = {"loss/d_auxiliary": 2.3, "loss/g_auxiliary": 2.1, "accuracy/auxiliary": 0.25,
              "augment/probability": 0.1}  # fmt: skip
    light = [
        {"step": step, "source": "training", "metrics": {"class_diversity": 0.5 * step,
         "head_accuracy": 0.9}}
        for step in (1, 2)
    ]  # fmt: skip
    found = charts_of(
        write_run(tmp_path / "run", [{**record, **logged} for record in RECORDS], light)
    )
    assert values_of(found["loss of the head"]) == [[2.3] * 3, [2.1] * 3]
    assert values_of(found["accuracy of the head"]) == [[0.25] * 3]
    assert values_of(found["probability of augmentations"]) == [[0.1] * 3]
    assert values_of(found["class_diversity of the light evaluation"]) == [[0.5, 1.0]]
    assert found["class_diversity of the light evaluation"]["level"] == 1.0
    assert values_of(found["head_accuracy of the light evaluation"]) == [[0.9, 0.9]]


def test_of_a_long_line_no_spike_is_lost():
    values = np.zeros(4799)
    values[[2015, 2403, 4798]] = 5.0, -3.0, 7.0
    steps, means, lowest, highest = charts.in_bins(Line(0, "", range(1, 4800), values))
    assert len(steps) == len(means) == 400
    assert (steps[0], steps[-1]) == (11, 4799)
    assert sorted(set(highest)) == [0.0, 5.0, 7.0]
    assert sorted(set(lowest)) == [-3.0, 0.0]
    assert means.min() == pytest.approx(-3.0 / 12)  # 11 or 12 points a bin
    assert highest[-1] == 7.0


def test_a_short_line_is_drawn_point_by_point():
    line = Line(0, "", [10, 20, 40], [1.0, float("nan"), 2.0])
    steps, means, lowest, highest = charts.in_bins(line)
    assert steps.tolist() == [10, 20, 40]
    for drawn in (means, lowest, highest):
        np.testing.assert_array_equal(drawn, [1.0, np.nan, 2.0])
    assert charts.drawn(line) == {
        "run": 0, "role": "", "steps": [10, 20, 40], "means": [1.0, None, 2.0],
        "lowest": None, "highest": None,
    }  # fmt: skip


def test_a_bin_is_of_its_finite_values():
    values = np.ones(800)
    values[:4] = np.nan, 3.0, np.nan, np.nan
    values[100:102] = 1.6e308, 1.7e308
    _, means, lowest, highest = charts.in_bins(Line(0, "", range(800), values))
    assert (means[0], lowest[0], highest[0]) == (3.0, 3.0, 3.0)
    assert np.isnan([means[1], lowest[1], highest[1]]).all()
    assert (means[50], lowest[50], highest[50]) == (pytest.approx(1.65e308), 1.6e308, 1.7e308)
    assert (means[399], lowest[399], highest[399]) == (1.0, 1.0, 1.0)


def test_real_images_are_a_level_where_all_runs_have_the_same(tmp_path):
    def run_of(name, *floors):
        rows = [
            {"step": i, "source": "training", "metrics": {"fcd": 3.5},
             "floors": {"fcd": {"mean": floor, "sd": 0.1}} if floor else {}}
            for i, floor in enumerate(floors)
        ]  # fmt: skip
        whole = {"step": 9, "source": "evaluate", "metrics": {"fcd": 3.0},
                 "floors": {"fcd": {"mean": 0.118, "sd": 0.01}}}  # fmt: skip
        return write_run(tmp_path / name, evaluations=[*rows, whole], loss="hinge")

    def level_of(*run_dirs):
        return charts_of(*run_dirs)["fcd of the light evaluation"]["level"]

    first, other = run_of("first", 0.41, 0.41), run_of("other", 0.37)
    assert level_of(first) == 0.41
    assert level_of(first, run_of("second", 0.41)) == 0.41
    assert level_of(first, other) is level_of(run_of("changed", 0.41, 0.37)) is None
    assert level_of(run_of("unknown", 0.41, 0)) is None


@pytest.mark.parametrize(
    ("fcd", "logarithmic"),
    [([500.0, 40.0, 5.0], True), ([2.5, 2.0, 1.5], False), ([500.0, 40.0, 0.0], False)],
)
def test_a_chart_of_fcd_is_logarithmic_if_it_falls_far(fcd, logarithmic, tmp_path):
    rows = [
        {"step": i, "source": "training", "metrics": {"fcd": value, "coverage": 1 / 20**i}}
        for i, value in enumerate(fcd, 1)
    ]
    drawn = charts_of(write_run(tmp_path / "run", evaluations=rows))
    assert drawn["fcd of the light evaluation"]["logarithmic"] == logarithmic
    assert values_of(drawn["fcd of the light evaluation"]) == [fcd]
    assert not drawn["coverage of the light evaluation"]["logarithmic"]


def test_the_charts_are_of_metrics_that_there_are():
    assert set(charts.LIGHT) <= {*METRICS, *BETTER}
    assert set(charts.LIGHT) > set(LIGHT_METRICS)


def test_null_is_a_gap_and_no_number(tmp_path):
    rows = [
        {"step": step, "loss/d": value, "loss/g": None}
        for step, value in ((1, 3.0), (2, None), (3, 5.0))
    ]
    drawn = charts_of(write_run(tmp_path / "run", rows))
    assert list(drawn) == ["loss of D"]  # the other has no point at all
    assert drawn["loss of D"]["lines"][0]["steps"] == [1, 2, 3]
    assert values_of(drawn["loss of D"]) == [[3.0, None, 5.0]]


EXTREMES = [  # (values, whether Plotly finds ticks)
    ((1e308, -1e308), False),
    ((1.7e308, 1.6e308), False),
    ((5e-324, 1e-323), False),
    ((1e101, -1e101), False),
    ((1e100, -1e100), True),
    ((1e-100, 2e-100), True),
    ((3.4e38, 0.0), True),
    ((1.0, 1.0000000000000002), True),
]


@pytest.mark.parametrize(("values", "drawn"), EXTREMES)
def test_what_cannot_be_drawn_is_named_and_the_page_is_written(values, drawn, tmp_path):
    rows = [
        {"step": i, "loss/d": value, "loss/g": 0.5} for i, value in enumerate(values, 10**12 - 1)
    ]
    text = page_of(write_run(tmp_path / "run", rows))
    Tags(text)
    assert ("<p>loss of D: cannot be drawn (sizes from " in text) != drawn
    assert ("<h3>loss of D</h3>" in text) == drawn
    assert "<h3>loss of G</h3>" in text


def test_steps_that_plotly_cannot_tell_apart_are_not_drawn(tmp_path):
    rows = [{"step": 10**12, "loss/d": 1.0}, {"step": 10**12 + 1, "loss/d": 2.0}]
    text = page_of(write_run(tmp_path / "run", rows))
    assert "<p>loss of D: cannot be drawn (steps beyond 1,000,000,000,000)</p>" in text


def test_signs_of_collapse_are_marked(two, tmp_path):
    text = page_of(*two)
    data = json.loads(re.search(r'id="chart-data">(.*?)</script>', text)[1])
    assert data["runs"] == [
        {"name": "a", "signs": []}, {"name": "b", "signs": [[2, "mode_collapse"]]},
    ]  # fmt: skip
    assert "▼ b: mode_collapse from step 2" in text
    rows = [{"step": 1, "loss/d": 1.0}, {"step": 2, "loss/d": 1.0, "collapse/signs": 1.0}]
    assert "signs of collapse from step 2" in page_of(write_run(tmp_path / "on", rows))


def test_a_run_stands_over_the_band_of_its_reference_runs(tmp_path):
    rows = [{"step": step, "loss/d": 1.1, "loss/g": 1.0} for step in range(10, 3001, 10)]
    drawn = charts_of(write_run(tmp_path / "run", rows, log_every=10))
    (band,) = drawn["loss of D"]["bands"]
    assert band["steps"] == [1000, 2000, 3000]
    assert all(low < high for low, high in zip(band["lowest"], band["highest"], strict=True))
    other = write_run(tmp_path / "other", rows, generator="dcgan", log_every=10)
    assert charts_of(tmp_path / "run", other)["loss of D"]["bands"] == []


# In a browser -------------------------------------------------------------------------------------

DRAWN = "document.getElementById('chart-controls').dataset.drawn"
HOSTILE = "<b>x</b><img src=x onerror=alert(1)> %{y} 'é\""


@pytest.fixture(scope="module")
def opened(tmp_path_factory):
    """The page of three runs."""
    place = tmp_path_factory.mktemp("charts")
    path = place / "report.html"
    many = [{"step": step, "loss/d": 1.0 / step} for step in range(1, 25)]
    path.write_text(page_of(*two_runs(place), write_run(place / HOSTILE, many, seed=3)))
    with browser() as driver:
        driver.get(path.as_uri())
        wait(driver, DRAWN)
        yield driver
        assert complaints(driver) == []


PLOT = "document.querySelector('.plot')"


def click(driver, name):
    driver.execute_script(f"document.querySelector('.chart [name={name}]').click()")


def test_switches_change_the_charts(opened):
    """Logarithmic axes, smoothing, runs shown and hidden, and back to the whole."""
    assert wait(opened, f"{PLOT}._fullLayout.yaxis.type") == "linear"
    click(opened, "log")
    wait(opened, f"{PLOT}._fullLayout.yaxis.type === 'log'")
    click(opened, "log")
    wait(opened, f"{PLOT}._fullLayout.yaxis.type === 'linear'")

    def lines():
        return opened.execute_script(
            f"return {PLOT}._fullData.filter(t => t.hoverinfo !== 'skip').map(t => [...t.y])"
        )

    assert lines()[:2] == [[1.0, 0.5, 0.25], [0.5, 0.25]]
    opened.execute_script(
        "const s = document.querySelector('[name=smoothing]'); s.value = 0.5;"
        "document.querySelector('[name=run][value=\"1\"]').click();"
        "s.dispatchEvent(new Event('input', {bubbles: true}))"
    )
    wait(opened, f"{PLOT}._fullData.filter(t => t.hoverinfo !== 'skip').length === 2")
    few, many = lines()
    assert few == [1.0, 0.5, 0.25]  # points of their own
    # Halves, quarters and eighths, divided by their sum; what was logged is still there, paler.
    expected = [1.0, (0.5 + 0.5 * 1.0) / 1.5, (1 / 3 + 0.5 * 0.5 + 0.25 * 1.0) / 1.75]
    assert many[:3] == pytest.approx(expected, rel=1e-4)
    pale = f"{PLOT}._fullData.filter(t => t.opacity === 0.25).map(t => t.y[2])"
    assert opened.execute_script(f"return {pale}") == [0.33333]
    hover = f"{PLOT}._fullData.filter(t => t.hoverinfo !== 'skip')[1].customdata[2]"
    assert opened.execute_script(f"return {hover}") == "0.3333"
    assert opened.execute_script(f"return {PLOT}._fullLayout.shapes.length") == 0  # with its run
    opened.execute_script(f"return Plotly.relayout({PLOT}, {{'xaxis.range': [1, 2]}})")
    click(opened, "reset")
    wait(opened, f"{PLOT}._fullLayout.xaxis.range[1] > 23")
    opened.execute_script("document.querySelector('[name=run][value=\"1\"]').click()")
    wait(opened, f"{PLOT}._fullLayout.shapes.length === 1")
    opened.refresh()
    wait(opened, DRAWN)


def test_values_are_shown_on_hover(opened):
    from selenium.webdriver import ActionChains

    plot = opened.find_element("css selector", ".plot .nsewdrag")
    opened.execute_script("arguments[0].scrollIntoView({behavior: 'instant'})", plot)
    ActionChains(opened).move_to_element(plot).move_by_offset(
        -plot.size["width"] // 2 + 12, 1
    ).perform()
    text = wait(opened, f"{PLOT}.querySelector('.hoverlayer').textContent")
    assert "step 2" in text or "step 1" in text
    assert "a : " in text
    assert "<b>x</b>" in text  # a name is text
    assert (
        opened.execute_script("return document.querySelectorAll('.plot b, .plot img').length") == 0
    )


def saved(driver, name):
    """What a click on a button saves."""
    driver.execute_script(
        "window.saved = null;"
        "URL.createObjectURL = (blob) => (blob.text().then((t) => (window.saved = t)), '#')"
    )
    click(driver, name)
    return wait(driver, "window.saved")


def test_a_chart_is_saved_as_csv(opened):
    rows = list(csv.reader(io.StringIO(saved(opened, "csv"))))
    assert rows[0] == ["run", "series", "step", "mean", "lowest", "highest"]
    assert rows[1:6] == [
        ["a", "loss of D", "1", "1", "", ""],
        ["a", "loss of D", "2", "0.5", "", ""],
        ["a", "loss of D", "4", "0.25", "", ""],
        ["b", "loss of D", "2", "0.5", "", ""],
        ["b", "loss of D", "4", "0.25", "", ""],
    ]
    assert [row[0] for row in rows[6:]] == [HOSTILE] * 24


def test_a_chart_is_saved_as_svg(opened):
    """With its title and legend, names as text, in colours for paper also from a dark page."""
    colour = f"{PLOT}._fullData.find(t => t.name === 'a').line.color"
    try:
        for scheme, shown in (("light", "#0a62b5"), ("dark", "#6cb2ff")):  # --c0 of both
            media = [{"name": "prefers-color-scheme", "value": scheme}]
            opened.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": media})
            wait(opened, f"{colour} === '{shown}'")
        svg = saved(opened, "svg")
    finally:
        media = [{"name": "prefers-color-scheme", "value": "light"}]
        opened.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": media})
    found = xml.etree.ElementTree.fromstring(svg).iter("{http://www.w3.org/2000/svg}text")
    texts = [one.text for one in found]
    assert {"loss of D", "step", "a", "b", HOSTILE} <= set(texts)
    assert "rgb(10, 98, 181)" in svg  # --c0 of light pages
    assert not re.search(r'(href|src)="(?!#)', svg)


def test_nothing_is_requested(opened):
    names = opened.execute_script(
        "return performance.getEntriesByType('resource').map(e => e.name)"
    )
    assert [name for name in names if not name.startswith(("data:", "blob:"))] == []


def test_what_we_say_can_be_drawn_can(tmp_path):
    """All in one page: Plotly finds a line and complains about nothing."""
    extremes = [values for values, drawn in EXTREMES if drawn]
    runs = []
    for i, values in enumerate(extremes):
        rows = [{"step": step, "loss/d": value} for step, value in enumerate(values, 10**12 - 1)]
        runs.append(write_run(tmp_path / str(i), rows))
    with browser() as driver:
        for run in runs:
            path = tmp_path / "report.html"
            path.write_text(page_of(run))
            driver.get(path.as_uri())
            wait(driver, DRAWN)
            assert "M" in wait(driver, f"{PLOT}.querySelector('.js-line').getAttribute('d')")
        assert complaints(driver) == []


def test_on_a_touch_screen_a_finger_scrolls_until_zoom_is_switched_on(two, tmp_path):
    path = tmp_path / "report.html"
    path.write_text(page_of(*two))
    screen = {"width": 390, "height": 844, "deviceScaleFactor": 1, "mobile": True}
    with browser(500, 900) as driver:
        driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", screen)
        driver.execute_cdp_cmd("Emulation.setTouchEmulationEnabled", {"enabled": True})
        driver.get(path.as_uri())
        wait(driver, DRAWN)
        assert driver.execute_script(f"return {PLOT}._fullLayout.dragmode") is False
        assert driver.execute_script("return document.querySelector('[name=zoom]').offsetWidth") > 0
        click(driver, "zoom")
        wait(driver, f"{PLOT}._fullLayout.dragmode === 'zoom'")
        assert complaints(driver) == []
