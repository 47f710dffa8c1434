"""Colours of the page, by the formula of WCAG 2.2 for relative luminance and contrast."""

import re

import pytest

from support import ROOT

CSS = (ROOT / "gan/reports/templates/report.css").read_text()
TEXTS = ["ink", "faint", "accent", "good", "bad", *(f"c{i}" for i in range(8))]


def themes():
    """The variables of the light page and of the dark one."""
    light, dark = re.findall(r":root[^{]*\{(.*?)\}", CSS, re.DOTALL)
    found = [dict(re.findall(r"--(\w+): (#[0-9a-f]{3,8});", block)) for block in (light, dark)]
    assert set(found[0]) == set(found[1])
    return {"light": found[0], "dark": found[1]}


def luminance(colour):
    digits = colour[1:] if len(colour) == 7 else "".join(2 * one for one in colour[1:])
    parts = [int(digits[i : i + 2], 16) / 255 for i in (0, 2, 4)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in parts]
    return sum(w * c for w, c in zip((0.2126, 0.7152, 0.0722), linear, strict=True))


def contrast(one, other):
    high, low = sorted((luminance(one), luminance(other)), reverse=True)
    return (high + 0.05) / (low + 0.05)


def test_the_formula():
    assert contrast("#000", "#fff") == pytest.approx(21.0)
    assert contrast("#777777", "#ffffff") == pytest.approx(4.48, abs=0.005)  # known to fail AA


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("text", TEXTS)
def test_every_text_and_line_can_be_read(theme, text):
    """Texts and lines on cards and on the page; a pressed button is the card on the accent."""
    colours = themes()[theme]
    for ground in ("page", "card"):
        assert contrast(colours[text], colours[ground]) >= 4.5, ground


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_lines_of_charts_differ(theme):
    lines = [themes()[theme][f"c{i}"] for i in range(8)]
    assert len(set(lines)) == 8


def test_no_other_colours_are_written_anywhere():
    """What is not a variable has no contrast that is tested; the dot stands on pictures."""
    rest = re.sub(r"--\w+: [^;]*;", "", CSS)
    assert re.findall(r"#[0-9a-f]{3,8}\b", rest) == ["#d62728", "#fff"]
