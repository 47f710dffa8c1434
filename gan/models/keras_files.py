"""Networks as Keras files that all supported versions of Keras load."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path
from typing import Any

from gan.lazy import keras

CONFIG = "config.json"  # the member that describes the layers
# Arguments of Keras' layers that older versions refuse, even where they ask for nothing.
NEWER: dict[str, Any] = {
    "quantization_config": None,
    "renorm": False, "renorm_clipping": None, "renorm_momentum": 0.99,
}  # fmt: skip


def save(network: keras.Model, path: Path) -> None:
    """Writes a network as a Keras file, without what only newer versions of Keras know."""
    network.save(path)
    make_portable(path)


def make_portable(path: Path) -> None:
    """Leaves out of a Keras file what its layers do not use, and older versions do not know."""
    with zipfile.ZipFile(path) as archive:
        members = [(info, archive.read(info)) for info in archive.infolist()]
    with zipfile.ZipFile(path, "w") as archive:
        for info, content in members:
            if info.filename == CONFIG:
                content = json.dumps(without_newer(json.loads(content))).encode()
            archive.writestr(info, content)


def without_newer(value: Any) -> Any:
    """Returns part of a description without the arguments that are `NEWER`, and as they were.

    Layers of one's own may need an argument of that name, and keep it.
    """
    if isinstance(value, list):
        return [without_newer(item) for item in value]
    if not isinstance(value, dict):
        return value
    found = {name: without_newer(item) for name, item in value.items()}
    if str(found.get("module")).partition(".")[0] == "keras" and isinstance(found["config"], dict):
        arguments = found["config"].items()
        found["config"] = {k: v for k, v in arguments if k not in NEWER or v != NEWER[k]}
    return found
