"""The latent explorer of a page: generators that run in the browser (templates/explorer.js)."""

import base64
import gzip
import html
import tempfile
from collections.abc import Sequence
from pathlib import Path
from string import Template
from typing import Any

from gan.errors import UserError
from gan.reports import templates
from gan.run.reader import History
from gan.sampling import export, generators
from gan.sampling.latents import block_key

ORT_SCRIPT, ORT_WASM = "ort.wasm.bundle.min.mjs", "ort-wasm-simd-threaded.wasm"


def explorer(of_runs: Sequence[History], files: Path) -> tuple[str, str]:
    """Returns the latent explorer with the generators of the runs, and why some are missing.

    Raises:
        UserError: ONNX Runtime Web's files are not there.
    """
    packed = {}
    for name, file in (("ort-script", ORT_SCRIPT), ("ort-wasm", ORT_WASM)):
        try:
            packed[name] = (files / file).read_bytes()
        except OSError as error:
            raise UserError(f"--explorer={files}: has no {file} ({error.strerror})") from None
    models, missing = [], []
    for i, one in enumerate(of_runs):
        try:
            generator = generators.load_saved_generator(one.path)
            if len(generator.output_shape) != 4:
                raise UserError(f"--runs={one.path}: draws points, there is nothing to explore")
            packed[f"model-{i}"] = onnx_of(generator)
        except UserError as error:
            missing.append(str(error))
            continue
        labels = [x.name for x in generator.inputs if "int" in str(x.dtype)]
        models.append(
            {
                "id": f"model-{i}",
                "name": str(one.path),
                "key": str(block_key()),
                "dim": generator.inputs[0].shape[-1],
                "classes": generators.classes_of(generator),
                "labels": labels[0] if labels else "",
            }
        )
    if not models:
        return "", "; ".join(missing)
    classes = max(model["classes"] for model in models)
    body = Template(templates.text("explorer.html")).substitute(
        packed="\n".join(
            f'<script type="text/plain" id="{name}">'
            f"{base64.b64encode(gzip.compress(content, mtime=0)).decode()}</script>"
            for name, content in packed.items()
        ),
        models=options([(i, model["name"]) for i, model in enumerate(models)]),
        labels=options([(i, i) for i in range(classes)]),
        data=templates.embedded(models),
    )
    return body, "; ".join(missing)


def options(choices: Sequence[tuple[int, Any]]) -> str:
    """Returns the choices of a ``<select>``: value and text of each."""
    return "".join(
        f'<option value="{value}">{html.escape(str(text))}</option>' for value, text in choices
    )


def onnx_of(generator: Any) -> bytes:
    """Returns a generator as ONNX, compared with Keras.

    Raises:
        UserError: It cannot be made.
    """
    with tempfile.TemporaryDirectory() as directory:
        path, _ = export.export(generator, "onnx", Path(directory))
        return path.read_bytes()
