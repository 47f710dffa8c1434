"""The files in gan/page, and values in them."""

import json
from importlib import resources
from typing import Any


def text(name: str) -> str:
    """Returns a file of gan/page."""
    return (resources.files("gan.reports") / "templates" / name).read_text(encoding="utf-8")


def embedded(value: Any) -> str:
    """Returns JSON that cannot end the ``<script>`` element it stands in."""
    return json.dumps(value).replace("<", "\\u003c")
