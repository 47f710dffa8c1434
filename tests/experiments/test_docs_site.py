"""The docs as a site: whole, without a dead link, and a dead one is named."""

import re

import pytest

import gan
from experiments import docs_site
from support import ROOT, status_of


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    out = tmp_path_factory.mktemp("docs") / "site"
    with pytest.MonkeyPatch.context() as patch:
        assert status_of(patch, docs_site, f"--out={out}") == 0
    return out


def test_every_page_and_picture_is_there(site):
    pages = {path.stem for path in (ROOT / "docs").glob("*.md")} - {"package"}
    assert {path.stem for path in site.glob("*.html")} >= {*pages, "index", "api", "changelog"}
    for page in site.glob("*.html"):
        for source in re.findall(r'<img [^>]*src="([^"]+)"', page.read_text()):
            assert (site / source.partition("?")[0]).is_file(), f"{page.name}: {source}"


def test_every_link_leads_somewhere(site):
    """Within the site: each file is there, and has the anchor."""
    anchors = {
        page.name: set(re.findall(r' id="([^"]+)"', page.read_text()))
        for page in site.glob("*.html")
    }
    found = 0
    for page in anchors:
        for target in re.findall(r'<a [^>]*href="([^"]+)"', (site / page).read_text()):
            if re.match(r"https?:|mailto:", target):
                continue
            name, _, anchor = target.partition("#")
            assert (site / (name or page)).is_file(), f"{page}: {target}"
            if anchor and (name or page) in anchors:
                assert anchor in anchors[name or page], f"{page}: {target}"
                found += 1
    assert found > 100


def test_the_reference_has_every_public_name(site):
    page = (site / "api.html").read_text()
    for name in gan.__all__:
        assert f"gan.{name}" in page
    assert "Raises" in page
    assert re.search(r"Returns.*?<p>The record: ", page, re.DOTALL)  # no type before its colon


def test_links_to_the_repository_are_left_as_text():
    text = (
        "[step](gan/algorithm/step.py), [data](docs/data.md#images), [site](https://a.b), [x](#x)"
    )
    expected = "step, [data](data.md#images), [site](https://a.b), [x](#x)"
    assert docs_site.on_site(text, top=True) == expected
    text = (
        "[latents](../gan/sampling/latents.py), [back](../README.md#resume), [loss](algorithm.md)"
    )
    assert (
        docs_site.on_site(text, top=False)
        == "latents, [back](index.md#resume), [loss](algorithm.md)"
    )
    assert docs_site.on_site("![A](docs/images/a.png)", top=True) == "![A](images/a.png)"
    assert docs_site.on_site('<img src="docs/images/a.png"', top=True) == '<img src="_static/a.png"'


def test_a_dead_link_is_named(tmp_path, monkeypatch, capsys):
    page = docs_site.api_page()
    monkeypatch.setattr(docs_site, "api_page", lambda: f"{page}\n[gone](data.md#nowhere)\n")
    assert status_of(monkeypatch, docs_site, f"--out={tmp_path / 'site'}") == 1
    error = capsys.readouterr().err
    assert "api.md" in error
    assert "nowhere" in error
