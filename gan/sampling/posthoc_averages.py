"""Post-hoc averages of a run's generator: what training stores for them, and how one is made."""

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import keras
import numpy as np

from gan.algorithm.batch_norm_statistics import measure_statistics, statistics_inputs
from gan.algorithm.power_averages import WIDEST, WIDTHS, Fit, exponent_of, fit
from gan.data.datasets import Dataset, dataset_from_config
from gan.data.formats import open_npz
from gan.errors import NotFinite, UserError
from gan.models.build import build_generator
from gan.run import layout, saved_config
from gan.run.atomic_files import replacing
from gan.run.data_facts import DataFacts, read_data_facts
from gan.run.streams import tell
from gan.sampling import packaged
from gan.sampling.generators import from_rows, load_saved_generator, load_with_step

SNAPSHOT = re.compile(r"step_(\d{1,12})\.npz")
POOR = 0.1  # error of a profile from which on it is another one


def write_snapshot(
    run_dir: Path, step: int, averages: Sequence[keras.Model], generator: keras.Model
) -> None:
    """Writes the kept averages of a step: their trainable weights, float32, uncompressed.

    And what of G no average is made of: statistics, and what layers of one's own count.

    Raises:
        NotFinite: A weight is not finite; nothing was written.
    """
    arrays: dict[str, Any] = {"widths": np.array(WIDTHS)}
    for number, average in enumerate(averages):
        for place, variable in enumerate(average.trainable_variables):
            array = variable.numpy()
            if not np.isfinite(array).all():
                raise NotFinite(f"average: {variable.path} is not finite at step {step}")
            arrays[name_of(number, place)] = array
    for place, variable in enumerate(generator.non_trainable_weights):
        arrays[name_of_other(place)] = variable.numpy()
    directory = run_dir / layout.AVERAGES_DIR
    directory.mkdir(exist_ok=True)
    with replacing(directory / f"step_{step:08d}.npz") as temporary:
        np.savez(temporary, **arrays)


def name_of(number: int, place: int) -> str:
    """Returns the name of an array of a snapshot: of an average, the weight at a place."""
    return f"average_{number}_{place:03d}"


def name_of_other(place: int) -> str:
    """Returns the name of an array of a snapshot: the weight at a place that is not trained."""
    return f"other_{place:03d}"


def snapshots(run_dir: Path) -> dict[int, Path]:
    """Returns the snapshots of a run by step, ascending."""
    directory = run_dir / layout.AVERAGES_DIR
    paths = directory.iterdir() if directory.is_dir() else ()
    matches = [(SNAPSHOT.fullmatch(path.name), path) for path in paths]
    return dict(sorted((int(match[1]), path) for match, path in matches if match))


def drop_snapshots(run_dir: Path, step: int) -> None:
    """Drops those after a step, from which a run goes on: it writes them again."""
    for later, path in snapshots(run_dir).items():
        if later > step:
            path.unlink()


def find_snapshot(run_dir: Path, width: float, checkpoint: str) -> int:
    """Returns the step of a snapshot, "latest" or a step, that an average of a width can end at.

    Raises:
        UserError: There is no such average.
    """
    config, found = saved_config.read_config(run_dir), snapshots(run_dir)
    flag = f"--ema_sigma={width}"
    if not 0 < width < WIDEST:
        raise UserError(f"{flag}: must be above 0 and below {WIDEST:.3f}, the mean over all steps")
    if not found:
        lacks = "has none yet" if config.posthoc_averages else "was trained without"
        raise UserError(f"{flag}: needs a run with --posthoc_averages, {run_dir} {lacks}")
    names = {"latest": max(found), **{str(step): step for step in found}}
    if checkpoint not in names:
        raise UserError(f"--checkpoint={checkpoint}: must be one of {', '.join(names)}")
    return names[checkpoint]


def averaged_generator(
    run_dir: Path, data: Dataset | DataFacts, width: float, checkpoint: str = "latest"
) -> tuple[keras.Model, int]:
    """Returns the generator averaged with any width, and the step that the average ends at.

    It needs the snapshots, and no checkpoint. Early snapshots weigh little, but all are read.

    Args:
        run_dir: A run with `posthoc_averages`.
        data: Its data, or what it says of them.
        width: Relative standard deviation of the average's profile in time, in 0..WIDEST.
        checkpoint: "latest", or a step that has a snapshot.

    Raises:
        UserError: The run has no snapshots, or not this one, or a damaged one.
    """
    end, found = find_snapshot(run_dir, width, checkpoint), snapshots(run_dir)
    config = saved_config.read_config(run_dir)
    generator = (
        load_saved_generator(run_dir)
        if "generator" in saved_config.own_networks(run_dir)
        else from_rows(run_dir, lambda: build_generator(config, data.shape, data.classes))
    )
    steps = [step for step in found if step <= end]
    exponents = np.array([exponent_of(stored) for stored in WIDTHS])
    made = fit(
        np.tile(exponents, len(steps)), np.repeat(steps, len(WIDTHS)), exponent_of(width), end
    )
    if made.error > POOR:
        tell(
            f"warning: --ema_sigma={width}: the snapshots of {run_dir} give this average with an "
            f"error of {made.error:.0%} (a smaller --checkpoint_every stores more)"
        )
    combine(generator, [found[step] for step in steps], made)
    classes = data.classes if config.conditional else 0
    measure_statistics(generator, statistics_inputs(config.latent_dim, classes))
    return generator, end


def load_any(
    path: Path, checkpoint: str = "", weights: str = "", width: float = 0.0
) -> keras.Model:
    """Returns a generator: that of ``load_generator``, or averaged with a width above 0.

    Raises:
        UserError: There is none, or a width is asked for with other weights.
    """
    return load_any_with_step(path, checkpoint, weights, width)[0]


def load_any_with_step(
    path: Path, checkpoint: str = "", weights: str = "", width: float = 0.0
) -> tuple[keras.Model, int | None]:
    """Returns the same and the step that it is of, None if that is not known."""
    if not width:
        return load_with_step(path, checkpoint, weights)
    flag = f"--ema_sigma={width}"
    if weights:
        raise UserError(f"{flag}: is an average of its own, --weights={weights} is another one")
    if packaged.is_file(path):
        raise UserError(f"{flag}: is for runs, {path} is a file")
    config = saved_config.read_config(path)
    data = read_data_facts(path) or dataset_from_config(config, tell)
    return averaged_generator(path, data, width, checkpoint or "latest")


def combine(generator: keras.Model, paths: Sequence[Path], made: Fit) -> None:
    """Gives a generator the sum of the averages in snapshots, each times its share, in float64.

    Weights that are not trained are those of the last one; files of older versions lack them.
    """
    others = list(generator.non_trainable_weights)
    last: list[Any] = []
    shapes = [tuple(variable.shape) for variable in generator.trainable_variables]
    sums = [np.zeros(shape) for shape in shapes]
    most = 2**20 + sum(8 * total.size for total in sums)
    most += sum(other.value.dtype.size * int(np.prod(other.shape)) for other in others)
    for path, shares in zip(paths, made.shares.reshape(-1, len(WIDTHS)), strict=True):
        try:
            with open_npz(path, most) as file:
                if not np.array_equal(file["widths"], WIDTHS):
                    raise ValueError(f"has the widths {file['widths']}, must have {WIDTHS}")
                for number, share in enumerate(shares):
                    for place, total in enumerate(sums):
                        array = file[name_of(number, place)]
                        if array.shape != total.shape or array.dtype != np.float32:
                            raise ValueError(f"{name_of(number, place)} is of another network")
                        total += share * array
                if path == paths[-1] and others and name_of_other(0) in file.files:
                    last = [file[name_of_other(place)] for place in range(len(others))]
                    for other, array in zip(others, last, strict=True):
                        if array.shape != tuple(other.shape) or array.dtype != other.dtype:
                            raise ValueError(f"{other.path} is of another network")
        except Exception as error:  # damage has many faces, see zipfile and numpy
            said = (isinstance(error, OSError) and error.strerror) or str(error)
            reason = " ".join(said.split())[:200]
            raise UserError(f"{path}: must be averages of this run ({reason})") from None
    for variable, total in zip(generator.trainable_variables, sums, strict=True):
        variable.assign(total)
    for other, array in zip(others if last else [], last, strict=True):
        other.assign(array)
