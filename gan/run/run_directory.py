"""The run directory: what it holds, when it is continued and when it is refused."""

import contextlib
import os
import re
import shutil
from pathlib import Path
from typing import Any

from gan.errors import UserError
from gan.run import config as config_module
from gan.run import imports
from gan.run.atomic_files import remove_leftovers
from gan.run.config import Config
from gan.run.files import check_file, read_text
from gan.run.layout import (
    AVERAGES_DIR,
    BEST_DIR,
    CHECKPOINTS_DIR,
    CONFIG_FILE,
    DIRECTORIES,
    FILES,
    SAMPLES_DIR,
    SUMMARY_FILE,
    TENSORBOARD_DIR,
    TRAINING_PICTURE,
)
from gan.run.paths import check_encoding, check_pattern
from gan.run.records import read_summary
from gan.run.saved_config import is_run, read_config, read_values

CHECKPOINT_LIST = "checkpoint"  # TensorFlow's name for it
CHECKPOINT_LINE = re.compile(
    r'(all_)?model_checkpoint_paths?: "step-\d+"'
    r"|(all_model_checkpoint_timestamps|last_preserved_timestamp): [\d.e+]+"
)
CHECKPOINT_PART = re.compile(r"(step-(\d+))\.(index|data-\d+-of-\d+)")  # its files

# What TensorFlow has begun to write there: parts of a checkpoint, its list, a file's new content.
CHECKPOINT_LEFTOVER = re.compile(
    r"step-\d+_temp|checkpoint\.tmp[0-9a-f]{32}|step-\d+\.(index|data-\d+-of-\d+)\.tempstate\d+"
)
MOST_CHECKPOINT = 2**40  # bytes of a part; TensorFlow reads no more than the networks need


def check_run_dir(run_dir: Path, config: Config) -> None:
    """Refuses a directory that this configuration may neither start nor continue. Writes nothing.

    Raises:
        UserError: It is a file, holds something else than a run, or a run of another configuration.
    """
    flag = f"--run_dir={run_dir}"
    check_encoding(run_dir, "run_dir")
    check_pattern(run_dir, "run_dir")
    parent = next(path for path in (run_dir, *run_dir.absolute().parents) if path.exists())
    if parent != run_dir and not parent.is_dir():
        raise UserError(f"{flag}: cannot be written ({parent} is not a directory)")
    if not os.access(parent, os.W_OK):
        read_only = os.statvfs(parent).f_flag & os.ST_RDONLY
        why = "on a read-only file system:" if read_only else "no permission in"
        raise UserError(f"{flag}: cannot be written ({why} {parent})")
    try:
        if run_dir.exists() and not run_dir.is_dir():
            raise UserError(f"{flag}: is a file, must be a new directory or one of the same run")
        # Hidden files are what a crash left of a file being written.
        if not run_dir.exists() or all(path.name.startswith(".") for path in run_dir.iterdir()):
            return
        if not (run_dir / CONFIG_FILE).exists():
            raise UserError(
                f"{flag}: holds other files and no {CONFIG_FILE}, "
                "must be a new directory or one of the same run"
            )
    except OSError as error:
        raise UserError(f"{flag}: {error.strerror}") from None
    check_links(run_dir)
    for directory in (CHECKPOINTS_DIR, BEST_DIR):
        check_list(run_dir / directory)
    imports.check(run_dir, read_values(run_dir))
    changed = config_module.changed_fields(read_config(run_dir), config)
    if changed:
        raise UserError(
            f"{flag}: holds a run of another configuration ({'; '.join(changed)}), "
            "must be a new directory or one of the same run"
        )


def check_links(run_dir: Path) -> None:
    """Refuses links that lead into another run, whose files training would add to or delete."""
    own = Path(os.path.realpath(run_dir))
    for name in (*FILES, *DIRECTORIES):
        place = Path(os.path.realpath(run_dir / name))
        other = next((parent for parent in place.parents if parent == own or is_run(parent)), own)
        if other != own:
            raise UserError(f"{run_dir / name}: leads into the run {other}, must be its own")


def checkpoints(directory: Path) -> list[tuple[int, str]]:
    """Returns step and path of all checkpoints in a directory, the newest first.

    From the names of their files, whatever TensorFlow's list says, which may be older. One that a
    crash left half-written is among them.
    """
    names = [path.name for path in directory.iterdir()] if directory.is_dir() else []
    matches = [match for name in names if (match := CHECKPOINT_PART.fullmatch(name))]
    return sorted({(int(match[2]), str(directory / match[1])) for match in matches}, reverse=True)


def clear_leftovers(run_dir: Path) -> None:
    """Removes what a training of this run that was killed had begun to write.

    Only the process that holds the run's lock may; commands beside it keep what they write, see
    gan/run/atomic_files.py.
    """
    remove_leftovers(run_dir)
    for directory in (run_dir / name for name in DIRECTORIES):
        if directory.is_symlink() or not directory.is_dir():  # a run may come from anybody
            continue
        remove_leftovers(directory)
        for path in directory.iterdir():
            if CHECKPOINT_LEFTOVER.fullmatch(path.name):
                with contextlib.suppress(OSError):  # then it stays, as a link to a directory does
                    shutil.rmtree(path) if path.is_dir() else path.unlink()


def check_checkpoint(path: str) -> None:
    """Refuses a checkpoint of which a part is no regular file; TensorFlow would wait for a pipe."""
    directory, name = os.path.split(path)
    for part in os.listdir(directory):
        match = CHECKPOINT_PART.fullmatch(part)
        if match and match[1] == name:
            check_file(os.path.join(directory, part), MOST_CHECKPOINT)


def check_list(directory: Path) -> None:
    """Refuses TensorFlow's list of checkpoints if it is not one of those beside it.

    TensorFlow reads from all paths in that list, and deletes the oldest of them.
    """
    path = directory / CHECKPOINT_LIST
    try:
        lines = read_text(path).splitlines() if path.exists() else []
    except (OSError, ValueError) as error:
        raise UserError(f"{path}: cannot be read, must be TensorFlow's ({error})") from None
    for line in lines:
        if not CHECKPOINT_LINE.fullmatch(line):
            raise UserError(f"{path}: has the line {line[:100]!r}, must list step-N beside it")


def check_output(path: Path, *suffixes: str) -> None:
    """Refuses a place for something new where training keeps a file of a run.

    It must have one of the suffixes, if some are given.
    """
    flag = f"--out={path}"
    if suffixes and (path.suffix not in suffixes or path.is_dir()):
        raise UserError(f"{flag}: must be a file whose name ends in {' or '.join(suffixes)}")
    # As it is named, and where it leads if it is a link; realpath also bears links in circles.
    for place in (Path(os.path.realpath(path.parent)) / path.name, Path(os.path.realpath(path))):
        run_dir = next((parent for parent in place.parents if is_run(parent)), None)
        if run_dir is None:
            continue
        first, *others = place.relative_to(run_dir).parts
        if (
            (first in FILES and not others)
            or first in (CHECKPOINTS_DIR, AVERAGES_DIR, TENSORBOARD_DIR)
            or (first == SAMPLES_DIR and others and TRAINING_PICTURE.fullmatch(others[0]))
        ):
            raise UserError(f"{flag}: is kept by the run {run_dir}, must be another place")


def ended_summary(run_dir: Path, step: int) -> dict[str, Any] | None:
    """Returns the summary of a run that completed, or was stopped for good, at `step`, else None.

    Another step: the run went on after that summary, and ended before it could write its own.
    """
    try:
        summary = read_summary(run_dir / SUMMARY_FILE)
    except UserError:  # a damaged one is written again
        return None
    ended = summary.get("status") in ("completed", "stopped") and summary["step"] == step
    return summary if ended else None


def step_of(checkpoint: str | None) -> int:
    """Returns the step in a checkpoint's name, 0 for no checkpoint."""
    return int(checkpoint.rsplit("-", 1)[1]) if checkpoint else 0
