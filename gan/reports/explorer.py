"""The latent explorer of a page: generators that run in the browser (templates/explorer.js)."""

import base64
import gzip
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from gan.errors import UserError
from gan.models.checks import classes_of
from gan.run.atomic_files import temporary_directory
from gan.run.files import read_bytes
from gan.run.reader import History
from gan.sampling import export, generators
from gan.sampling.directions import REACH, directions_of
from gan.sampling.latents import block_key

ORT_FILES = {"ort-script": "ort.wasm.bundle.min.mjs", "ort-wasm": "ort-wasm-simd-threaded.wasm"}
DIRECTIONS = 5  # that have a slider


class Explorer(NamedTuple):
    """What templates/explorer.html shows."""

    models: Sequence[dict[str, Any]] = ()  # what explorer.js reads about each; none: no explorer
    files: Sequence[tuple[str, str]] = ()  # id of its element, content (gzip, base64)
    missing: str = ""  # which generators are not in it, and why
    reach: float = REACH  # how far a slider goes to either side

    @property
    def directions(self) -> int:
        """The most directions of a generator."""
        return max((len(model["directions"]) for model in self.models), default=0)


def pack_generators(runs: Sequence[History], ort: Path) -> Explorer:
    """Returns the explorer with the generators of runs, as far as they have any.

    Args:
        runs: With generators that draw images.
        ort: Directory of ONNX Runtime Web's files.
    """
    contents = {}
    for key, name in ORT_FILES.items():
        try:
            contents[key] = read_bytes(ort / name)
        except OSError as error:
            raise UserError(f"--explorer={ort}: has no {name} ({error.strerror})") from None
    models, missing = [], []
    for i, run in enumerate(runs):
        try:
            generator = generators.load_saved_generator(run.path)
            if len(generator.output_shape) != 4:
                raise UserError(f"--runs={run.path}: draws points, there is nothing to explore")
            contents[f"model-{i}"] = onnx_of(generator)
        except UserError as error:
            missing.append(str(error))
            continue
        models.append(
            {
                "id": f"model-{i}",
                "name": str(run.path),
                "key": str(block_key()),
                "dim": generator.inputs[0].shape[-1],
                "classes": classes_of(generator),
                "labels": "".join(labels.name for labels in generator.inputs[1:]),
                "directions": sliders_of(generator),
            }
        )
    files = [
        (key, base64.b64encode(gzip.compress(content, mtime=0)).decode())
        for key, content in contents.items()
    ]
    return Explorer(models, files, "; ".join(missing))


def sliders_of(generator: Any) -> list[list[float]]:
    """Returns the first directions of a generator, none of one whose first layer has none."""
    try:
        found, _ = directions_of(generator)
    except UserError:
        return []
    return [[round(x, 6) for x in one] for one in found[:DIRECTIONS].tolist()]


def onnx_of(generator: Any) -> bytes:
    """Returns a generator as ONNX, compared with Keras."""
    with temporary_directory() as directory:
        path, _ = export.export(generator, "onnx", directory)
        return path.read_bytes()
