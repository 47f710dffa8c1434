"""Makes the docs site: ``make docs``, with Sphinx and MyST, from Markdown and docstrings.

README.md, CHANGELOG.md and docs/ are its pages. Links lead where those pages are; files of the
repository are no part of the site, and a link to one is left as its text. A link that is dead ends
the command with status 1.
"""

import io
import re
import shutil
import tempfile
from functools import partial
from pathlib import Path
from typing import Any

from absl.flags import FlagValues

import gan
from gan.cli import command, flags
from gan.errors import UserError
from gan.run.fields import option

ROOT = Path(__file__).parent.parent

LINK = re.compile(r"(?<!!)\[([^\]]*)\]\(([^)\s]+)\)")
IMAGE = re.compile(r'(!\[[^\]]*\]\(|<img src=")(?:docs/)?images/')
TOP = {"README.md": "index.md", "CHANGELOG.md": "changelog.md"}  # and what the site calls them
GUIDES = (
    "data", "algorithm", "after-training", "evaluation", "sweeps", "run-directory", "distributed",
    "performance", "results",
)  # fmt: skip
CONTENTS = """
```{{toctree}}
:hidden:
:maxdepth: 1

{pages}
```
"""
SETTINGS = {
    "project": "TapeGAN",
    "author": "The TapeGAN authors",
    "version": gan.__version__,
    "html_title": f"TapeGAN {gan.__version__}",
    "html_theme": "furo",
    "html_static_path": ["images"],
    "extensions": ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon"],
    "myst_heading_anchors": 4,  # as on a repository's page
    "autodoc_typehints": "signature",
    "add_module_names": False,
    "exclude_patterns": ["package.md"],
    "html_copy_source": False,
}


def define(values: FlagValues) -> None:
    """Defines the flags."""
    flags.define(values, out=option("site", "directory to write to", path_after=""))


def main(values: FlagValues) -> int:
    """Builds the site and returns the exit status."""
    out = Path(values["out"].value)
    is_other = out.is_dir() and any(out.iterdir()) and not (out / "objects.inv").exists()
    if is_other or (out.exists() and not out.is_dir()):
        raise UserError(f"--out={out}: holds something else, must be a new directory or a site")
    try:
        from sphinx.application import Sphinx
        from sphinx.util.console import nocolor
    except ImportError:
        raise UserError("sphinx is needed, install the extra `docs`") from None
    with command.silenced():
        import gan.after_training  # noqa: F401, TensorFlow's chatter is no warning of Sphinx
    nocolor()
    said = io.StringIO()
    with tempfile.TemporaryDirectory() as source:
        write_pages(Path(source))
        (Path(source) / "doctrees").mkdir()
        app = Sphinx(
            source, None, str(out), str(Path(source) / "doctrees"), "html", SETTINGS, status=None,
            warning=said,
        )  # fmt: skip
        app.connect("autodoc-process-docstring", without_types, priority=1)  # before Napoleon
        app.build(force_all=True)
        problems = said.getvalue().replace(source, "").strip()
    for line in problems.splitlines():
        command.tell(line)
    command.say(f"{out / 'index.html'}: the docs as a site")
    return command.FAILED if problems else command.DONE


def without_types(
    app: Any, what: str, name: str, thing: Any, options: Any, lines: list[str]
) -> None:
    """Tells Napoleon that what is returned has no type before its colon: annotations say it."""
    for number, line in enumerate(lines[:-1], 1):
        if line.strip() == "Returns:":
            text = lines[number].lstrip()
            lines[number] = f"{lines[number].removesuffix(text)}: {text}"


def write_pages(source: Path) -> None:
    """Writes the pages as Sphinx reads them, and their pictures, into a directory."""
    shutil.copytree(ROOT / "docs", source, dirs_exist_ok=True)
    for page in source.glob("*.md"):
        text = on_site(page.read_text(encoding="utf-8"), top=False)
        page.write_text(text, encoding="utf-8")
    for name, page_name in TOP.items():
        text = on_site((ROOT / name).read_text(encoding="utf-8"), top=True)
        (source / page_name).write_text(text, encoding="utf-8")
    (source / "api.md").write_text(api_page(), encoding="utf-8")
    pages = [*GUIDES, "api", "changelog"]
    with (source / "index.md").open("a", encoding="utf-8") as file:
        file.write(CONTENTS.format(pages="\n".join(pages)))


def on_site(text: str, top: bool) -> str:
    """Returns a page whose links and pictures are where the site has them.

    `top` tells whether it was at the top of the repository.
    """
    text = IMAGE.sub(lambda m: m[1] + ("_static/" if m[1].startswith("<") else "images/"), text)
    return LINK.sub(lambda link: with_target(link, top), text)


def with_target(link: re.Match[str], top: bool) -> str:
    """Returns a link as it is on the site, or its text."""
    text, target = link[1], link[2]
    if re.match(r"https?:|#", target):
        return link[0]
    path, mark, anchor = target.partition("#")
    inside = path.removeprefix("docs/") if top else path.removeprefix("../")
    is_page = path.endswith(".md") and (path.startswith("docs/") if top else "/" not in path)
    if inside in TOP:
        return f"[{text}]({TOP[inside]}{mark}{anchor})"
    return f"[{text}]({inside}{mark}{anchor})" if is_page else text


def api_page() -> str:
    """Returns the reference of what ``import gan`` gives: tables with their rows, docstrings."""
    places = {name: module for module, names in gan._MODULES.items() for name in names}
    tables = [name for name in gan.__all__ if name.isupper()]
    rows = [f"| `gan.{name}` | {', '.join(f'`{key}`' for key in getattr(gan, name))} |"
            for name in tables]  # fmt: skip
    lines = [
        "# Python API", "", "`import gan`, or `import tapegan`, gives these names and no others.",
        "", "## Tables", "", "Rows of your own are added as to any dictionary, see",
        "[your own loss](index.md#your-own-loss-penalty-network-data-set).", "",
        "| table | its rows |", "| --- | --- |", *rows, "",
    ]  # fmt: skip
    others = [name for name in gan.__all__ if name not in tables]
    for title, directive, names in (
        ("Functions", "autofunction", [name for name in others if name.islower()]),
        ("Types", "autoclass", [name for name in others if not name.islower()]),
    ):
        lines += [f"## {title}", ""]
        for name in names:
            target = f"{places[name]}.{name}"
            rst = f".. {directive}:: {target}"
            lines += [f"### gan.{name}", "", "```{eval-rst}", rst, "```", ""]
    return "\n".join(lines)


run = partial(command.run, "Makes the docs site.", define, main)

if __name__ == "__main__":
    run()
