"""Generators of runs and of files."""

import json
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TypeVar

import keras
import tensorflow as tf

from gan.data.datasets import DATASETS, Dataset, dataset_from_config
from gan.errors import UserError
from gan.models.build import build_generator
from gan.models.checks import check_network
from gan.run import imports, layout, reader, run_directory, saved_config
from gan.run.config import Config
from gan.run.data_facts import DataFacts, read_data_facts
from gan.run.files import MOST_BYTES, open_file
from gan.run.paths import check_encoding, check_pattern, plain_path
from gan.run.streams import tell
from gan.sampling import packaged
from gan.sampling.drawing import check_range

T = TypeVar("T")


def makes_points(run_dir: Path, config: Config) -> bool:
    """Tells whether a run is about points instead of images, also of data that have no row here."""
    if facts := read_data_facts(run_dir):
        return len(facts.shape) == 1
    source = DATASETS.get(config.dataset)
    return source is not None and source.points


def restore_generator(
    run_dir: Path, data: Dataset | DataFacts, weights: str = "ema", checkpoint: str = "latest"
) -> tuple[keras.Model, int]:
    """Returns a generator of a run, "ema" or "raw", and the step of the checkpoint.

    Of `data` it needs the shape and the number of classes. `checkpoint` is "latest", "best", or a
    step.

    Raises:
        UserError: There is no such run or checkpoint, or it cannot be restored.
    """
    config = saved_config.read_config(run_dir)
    find_checkpoint(run_dir, checkpoint)
    if "generator" in saved_config.own_networks(run_dir):
        generator = load_saved_generator(run_dir)
        path_of_it = str(run_dir / layout.GENERATOR_FILE)
        check_network(path_of_it, generator, (config.latent_dim,), data.shape, config.conditional)
    else:
        generator = from_rows(run_dir, lambda: build_generator(config, data.shape, data.classes))
    part = "ema_generator" if weights == "ema" else "generator"
    return generator, restore_networks(run_dir, {part: generator}, checkpoint, "generator")


def from_rows(run_dir: Path, build: Callable[[], T]) -> T:
    """Returns what `build` makes of rows of tables that a run names, which may be the user's own.

    Says which file they were from where it is missing, and warns where it is another one by now.
    """
    values = saved_config.read_values(run_dir)
    with imports.naming_missing(run_dir, values):
        built = build()
    for line in imports.changed(values):
        tell(f"warning: {line}")
    return built


def restore_networks(
    run_dir: Path, networks: Mapping[str, keras.Model], checkpoint: str, said: str
) -> int:
    """Restores networks from a checkpoint of a run and returns its step.

    Args:
        run_dir: The run.
        networks: By the names of the parts of a ``GanState`` that they are.
        checkpoint: "latest", "best", or a step.
        said: What they are in messages.

    Raises:
        UserError: There is no such checkpoint, or it cannot be restored.
    """
    reader = tf.train.Checkpoint(**networks)
    refusals: dict[str, str] = {}
    # A run that is training may be writing the newest one, and deletes the oldest meanwhile.
    while paths := [p for p in find_checkpoints(run_dir, checkpoint) if p not in refusals]:
        try:
            run_directory.check_checkpoint(paths[0])
            reader.restore(
                plain_path(Path(paths[0]))
            ).assert_existing_objects_matched().expect_partial()
        except (OSError, tf.errors.OpError, ValueError, IndexError, AssertionError) as error:
            reason = " ".join(str(error).split())[:200]
            refusals[paths[0]] = f"{paths[0]}: cannot be restored into the {said} ({reason})"
            continue
        for refusal in refusals.values():
            tell(f"warning: {refusal}; {paths[0]} is taken")
        return run_directory.step_of(paths[0])
    first, *others = refusals.values()
    before = f", nor can the {len(others)} before it" if others else ""
    raise UserError(f"{first}{before}")


def load_generator(path: Path, checkpoint: str = "", weights: str = "") -> keras.Model:
    """Returns the generator of a run, or the one in a Keras file, see `load_with_step`."""
    return load_with_step(path, checkpoint, weights)[0]


def load_with_step(
    path: Path, checkpoint: str = "", weights: str = ""
) -> tuple[keras.Model, int | None]:
    """Returns a generator, and the step that it is of, None if that is not known.

    Args:
        path: A run, a Keras file, or the name of a generator that comes with the package.
        checkpoint: Of a run: "latest", "best" or a step; "": the generator that it ended with.
        weights: Of the checkpoint: "ema" or "raw"; "": those that the run itself draws from.

    Raises:
        UserError: There is none, or it is no generator.
    """
    if weights not in ("", "ema", "raw"):
        raise UserError(f"--weights={weights}: must be one of ema, raw")
    if weights and not checkpoint:
        raise UserError(f"--weights={weights}: needs --checkpoint, such as latest")
    if packaged.is_file(path):
        if checkpoint:
            raise UserError(f"--checkpoint={checkpoint}: is for runs, {path} is a file")
        return read_generator(packaged.file_of(path)), ended_at(path)
    config, own = saved_config.read_config(path), "generator" in saved_config.own_networks(path)
    if checkpoint:
        find_checkpoint(path, checkpoint)  # found missing before data are loaded
        # Runs of older versions do not say what their data are.
        data = read_data_facts(path) or dataset_from_config(config, tell)
        return restore_generator(path, data, weights or config.sample_weights, checkpoint)
    if not (path / layout.GENERATOR_FILE).exists() and not own:
        find_checkpoint(path, "latest")
        raise UserError(
            f"--run_dir={path}: has no {layout.GENERATOR_FILE} yet, it comes when training "
            "ends; its checkpoints have one: --checkpoint=latest"
        )
    return load_saved_generator(path), ended_at(path)


def ended_at(path: Path) -> int | None:
    """Returns the step of the generator.keras of a run, or of one that comes with the package.

    None if that is not known: of a file, of a run that failed after it had been written, and of one
    whose process ended between that file and its summary.
    """
    if packaged.is_packaged(path):
        return int(packaged.record_of(str(path))["config"]["steps"])
    summary = {} if path.is_file() else reader.summary_of_generator(path)
    return summary["step"] if summary else None


def load_saved_generator(run_dir: Path) -> keras.Model:
    """Returns the network in a run's generator.keras. Runs no code that the file brings."""
    config, path = saved_config.read_config(run_dir), run_dir / layout.GENERATOR_FILE
    if not path.exists():
        raise UserError(f"--run_dir={run_dir}: has no {path.name} yet, it comes when training ends")
    with imports.naming_missing(run_dir, saved_config.read_values(run_dir)):
        generator = read_generator(path)
    made, points = generator.output_shape, makes_points(run_dir, config)
    if len(made) != (2 if points else 4):
        right = "points [batch, 2]" if points else "images [batch, H, W, C]"
        raise UserError(f"{path}: makes {made}, must make {right}")
    check_network(str(path), generator, (config.latent_dim,), made[1:], config.conditional)
    return generator


def read_network(path: Path) -> keras.Model:
    """Returns what is in a Keras file of any origin. Runs no code that the file brings."""
    try:
        check_archive(path)
        # Safe mode is the default; spelled out, because a run may come from anybody.
        return keras.models.load_model(path, compile=False, safe_mode=True)
    except Exception as error:  # damage has many faces, see zipfile and keras.saving
        said = (isinstance(error, OSError) and error.strerror) or str(error)
        said = said.rpartition("Exception encountered: ")[2]  # Keras puts the layer before it
        reason = " ".join(said.split())[:200] + written_by(path)
        raise UserError(f"{path}: cannot be loaded ({reason})") from None


def written_by(path: Path) -> str:
    """Returns that another version of Keras wrote a file, "" if not, or if it does not say."""
    try:
        with (
            open_file(path) as file,
            zipfile.ZipFile(file) as archive,
            archive.open("metadata.json") as member,
        ):
            version = json.loads(member.read(10_000))["keras_version"]
    except Exception:  # it may be anything
        return ""
    if version == keras.__version__:
        return ""
    return f"; Keras {version!s:.20} wrote it, this is {keras.__version__}"


def read_generator(path: Path) -> keras.Model:
    """Returns the generator in a Keras file of any origin. Runs no code that the file brings."""
    generator = read_network(path)
    made, inputs = getattr(generator, "output_shape", None), getattr(generator, "inputs", [])
    shape = made[1:] if isinstance(made, tuple) else ()
    if shape != (2,) and (len(shape) != 3 or shape[-1] not in (1, 3)):
        raise UserError(
            f"{path}: makes {made}, must make images [batch, H, W, C] of 1 or 3 channels, or points"
        )
    latents = tuple(inputs[0].shape)[1:] if len(inputs) in (1, 2) else ()
    if len(latents) != 1 or latents[0] is None:
        raise UserError(f"{path}: takes {[x.shape for x in inputs]}, must take latents [batch, n]")
    check_network(str(path), generator, latents, shape, len(inputs) == 2)
    for doubt in check_range(str(path), generator):
        tell(f"warning: {doubt}")
    return generator


def check_archive(path: Path) -> None:
    """Refuses a Keras file that is no file, or whose members would unpack to too much."""
    with open_file(path) as file:
        if not zipfile.is_zipfile(file):  # the older HDF5
            return
        with zipfile.ZipFile(file) as archive:
            size = sum(member.file_size for member in archive.infolist())
    if size > MOST_BYTES:
        raise ValueError(f"it unpacks to {size:,} bytes, must be at most {MOST_BYTES:,}")


def find_checkpoint(run_dir: Path, checkpoint: str) -> str:
    """Returns the path of a run's checkpoint: "latest", "best" or a step."""
    return find_checkpoints(run_dir, checkpoint)[0]


def find_checkpoints(run_dir: Path, checkpoint: str) -> list[str]:
    """Returns the paths of what may stand for a checkpoint, the best first: of "latest" all."""
    check_pattern(run_dir, "run_dir")
    check_encoding(run_dir, "run_dir")
    newest = run_directory.checkpoints(run_dir / layout.CHECKPOINTS_DIR)
    best = run_directory.checkpoints(run_dir / layout.BEST_DIR)
    paths = {
        name: paths_by_step[0][1]
        for name, paths_by_step in (("latest", newest), ("best", best))
        if paths_by_step
    }
    paths |= {str(step): path for step, path in reversed(newest)}
    if not paths:
        raise UserError(f"--run_dir={run_dir}: has no checkpoint yet")
    if checkpoint not in paths:
        raise UserError(f"--checkpoint={checkpoint}: must be one of {', '.join(paths)}")
    return [path for _, path in newest] if checkpoint == "latest" else [paths[checkpoint]]
