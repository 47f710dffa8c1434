"""The latent explorer of a page: generators that run in the browser (templates/explorer.js)."""

import base64
import gzip
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from gan.errors import UserError
from gan.models.checks import classes_of
from gan.reports.tables import names_of
from gan.run.atomic_files import temporary_directory
from gan.run.data_facts import read_data_facts
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
    names = names_of(runs)
    for i, run in enumerate(runs):
        try:
            generator = generators.load_saved_generator(run.path)
            if len(generator.output_shape) != 4:
                raise UserError(f"--runs={run.path}: draws points, there is nothing to explore")
            content, classes = onnx_of(generator), class_names(run, classes_of(generator))
        except UserError as error:
            missing.append(str(error))
            continue
        except export.ExportFailed as error:  # ONNX has not all that Keras has
            missing.append(f"--runs={run.path}: {error}")
            continue
        contents[f"model-{i}"] = content
        directions, shares = sliders_of(generator)
        models.append(
            {
                "id": f"model-{i}",
                "name": names[i],
                "key": str(block_key()),
                "dim": generator.inputs[0].shape[-1],
                "classes": classes_of(generator),
                "directions": directions,
                "shares": shares,
                "names": classes,
            }
        )
    files = [
        (key, base64.b64encode(gzip.compress(content, mtime=0)).decode())
        for key, content in contents.items()
    ]
    return Explorer(models, files, "; ".join(missing))


def sliders_of(generator: Any) -> tuple[list[list[float]], list[float]]:
    """Returns the first directions of a generator and their shares in the kernel's energy, 0..1.

    Both are [] of a generator whose first layer has none.
    """
    try:
        found, values = directions_of(generator)
    except UserError:
        return [], []
    energy = values**2 / max(float((values**2).sum()), 1e-30)  # a kernel may be all 0
    directions = [[round(x, 6) for x in one] for one in found[:DIRECTIONS].tolist()]
    return directions, [round(x, 4) for x in energy[:DIRECTIONS].tolist()]


def class_names(run: History, classes: int) -> list[str]:
    """Returns what a run calls its classes, numbers where it has no names for them."""
    facts = read_data_facts(run.path)
    names = facts.class_names if facts else ()
    return list(names) if len(names) == classes else [str(label) for label in range(classes)]


def onnx_of(generator: Any) -> bytes:
    """Returns a generator as ONNX, compared with Keras."""
    with temporary_directory() as directory:
        path, _ = export.export(generator, "onnx", directory)
        return path.read_bytes()
