"""What commands write, from Python: ``gan.report``, ``gan.export``, ``gan.compare``."""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import keras

from gan.api import speaking_of_arguments
from gan.errors import UserError
from gan.reports import card, reference_curves
from gan.reports.compare import Verdict, compare_run
from gan.reports.explorer import Explorer, pack_generators
from gan.reports.page import render_page
from gan.run import reader, run_directory
from gan.run.atomic_files import replacing
from gan.run.paths import user_path
from gan.sampling import export as exports
from gan.sampling.export_facts import facts_of_run
from gan.sampling.generators import load_with_step
from gan.training import devices

PAGE = "report.html"


@speaking_of_arguments(run_dir="runs")
def report(
    runs: str | Path | Sequence[str | Path], out: str | Path = "", explorer: str | Path = ""
) -> Path:
    """Writes the self-contained page of a run, or of several side by side.

    Args:
        runs: A run directory, or several.
        out: An HTML file; "": report.html in the run, or here for several.
        explorer: Directory of ONNX Runtime Web (npm's onnxruntime-web), for a latent explorer in
            the page; "": none.

    Returns:
        The file.

    Raises:
        UserError: There is no such run or directory, or the file cannot be written.
    """
    devices.prepare()
    places = [user_path(run, "runs") for run in several(runs, "runs")]
    ort = user_path(explorer, "explorer") if explorer else None
    if ort and not ort.is_dir():
        raise UserError(f"--explorer={ort}: must be a directory")
    path = user_path(out, "out") if out else (Path() if len(places) > 1 else places[0]) / PAGE
    run_directory.check_output(path, ".html")
    write_page(path, places, ort, needed=True)
    return path


def write_page(path: Path, places: Sequence[Path], ort: Path | None, needed: bool) -> Explorer:
    """Writes the page of runs; returns what is in its explorer.

    Raises:
        UserError: There is no such run, the page cannot be written, or the explorer is `needed` and
            no generator can be in it.
    """
    runs = [reader.read_history(place) for place in places]
    explorer = pack_generators(runs, ort) if ort else Explorer()
    if needed and explorer.missing and not explorer.models:
        raise UserError(f"--explorer={ort}: {explorer.missing}")
    page = render_page(runs, explorer)
    try:
        with replacing(path) as temporary:
            temporary.write_text(page, encoding="utf-8", errors="backslashreplace")
    except OSError as error:
        raise UserError(f"--out={path}: cannot be written ({error.strerror})") from None
    return explorer


@speaking_of_arguments()
def export(
    generator: keras.Model | str | Path,
    out: str | Path,
    formats: Iterable[str] = tuple(exports.FORMATS),
) -> dict[str, Path]:
    """Writes a generator for other programs, each format run in its own runtime and compared.

    Args:
        generator: A run, a Keras file or "mnist", as ``gan.load`` takes it: the files say where
            they come from, and a model card stands beside them. Or what ``gan.load`` returns, which
            does not know: there is no card, and the files say only what they take and make.
        out: A directory, created if needed.
        formats: Keys of ``gan.sampling.export.FORMATS``.

    Returns:
        The path of each format.

    Raises:
        UserError: There is no such generator or format, a package that it needs is missing, or
            something else has its place; nothing was written.
        ExportFailed: What was made cannot be run, or draws other images; nothing is left of it.
    """
    devices.prepare()
    directory, names = user_path(out, "out"), list(several(formats, "formats"))
    for name in names:
        if name not in exports.FORMATS:
            raise UserError(f"--formats={name}: must be among {', '.join(exports.FORMATS)}")
        exports.check_place(name, directory)
        exports.check_modules(name)
    if isinstance(generator, keras.Model):
        return {name: exports.export(generator, name, directory)[0] for name in names}
    place = user_path(generator, "generator")
    network, step = load_with_step(place)
    facts = exports.all_facts(network, facts_of_run(place, step))
    run_directory.check_output(directory / card.CARD)
    card.check_records(place, facts)
    written = {name: exports.export(network, name, directory, facts)[0] for name in names}
    card.write_card(directory, place, facts)
    return written


@speaking_of_arguments()
def compare(run_dir: str | Path, reference: str = "") -> Verdict:
    """Says whether a run is normal: its curves beside those of reference runs.

    Args:
        run_dir: A run.
        reference: Preset whose reference runs to compare with; "": the nearest.

    Returns:
        `curves` {metric: {step: value}}, `outside`, where they leave the bands, longest first, and
        `line`, all of it in words.

    Raises:
        UserError: There is no such run or reference, or nothing to compare yet.
    """
    run = reader.read_history(user_path(run_dir, "run_dir"))
    return compare_run(run, reference_curves.nearest_reference(run.config, reference))


def several(given: Any, name: str) -> list[Any]:
    """Returns one thing or several as a list, at least one."""
    single = isinstance(given, str | Path) or not isinstance(given, Iterable)
    things = [given] if single else list(given)
    if not things:
        raise UserError(f"{name}: must be at least one")
    return things
