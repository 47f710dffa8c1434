"""Pages about runs, for tests."""

import html.parser
import json

from gan.reports import explorer
from gan.reports.page import render_page
from gan.run.reader import read_history


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


def write_ort_files(place):
    for name in explorer.ORT_FILES.values():
        (place / name).write_text("x")


def write_run(run_dir, metrics=(), evaluations=(), summary=None, **config):
    """Writes a run that nobody trained: its records, each a dictionary with a step."""
    run_dir.mkdir(parents=True)
    (run_dir / "config.json").write_text(json.dumps({"config": {"halvings": 0, **config}}))
    rows = [{"kimg": row["step"], "seconds": row["step"], **row} for row in metrics]
    for name, records in (("metrics", rows), ("evaluations", evaluations)):
        text = "".join(json.dumps(record) + "\n" for record in records)
        (run_dir / f"{name}.jsonl").write_text(text)
    if summary:
        (run_dir / "summary.json").write_text(json.dumps(summary))
    return run_dir
