"""Files with the user's own rows of tables, which ``--import`` has run in this process.

A run records them by path and digest. Their code is run because a user names a file on a command
line, never because a run directory does: that may come from anybody, see docs/run-directory.md.
"""

import contextlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from gan.errors import UserError


class Import(NamedTuple):
    """A file that was run."""

    path: str
    sha256: str


IMPORTED: list[Import] = []  # the tables belong to the process, and so does what filled them


def saved(values: Mapping[str, Any]) -> list[Import]:
    """Returns the files that the config.json of a run names; what is no such record is left out."""
    records = values.get("imports")
    return [
        Import(record["path"], record["sha256"])
        for record in (records if isinstance(records, list) else [])
        if isinstance(record, dict)
        and all(isinstance(record.get(name), str) for name in Import._fields)
    ]


def missing(values: Mapping[str, Any]) -> list[str]:
    """Returns what is wrong with the files that are there now, a line a file of the run."""
    lines = []
    for one in saved(values):
        if one.sha256 in {other.sha256 for other in IMPORTED}:
            continue
        same = [new for new in IMPORTED if Path(new.path).name == Path(one.path).name]
        if same:
            lines.append(
                f"--import={same[0].path}: is another file than the run was trained with (SHA-256 "
                f"{same[0].sha256[:8]}, was {one.sha256[:8]})"
            )
        else:
            lines.append(f"the run was trained with --import={one.path}, must be given again")
    return lines


def check(run_dir: Path, values: Mapping[str, Any]) -> None:
    """Refuses to go on with a run without the very files that it was trained with.

    Raises:
        UserError: Names the file and the flag.
    """
    for line in missing(values):
        raise UserError(f"--run_dir={run_dir}: {line}")


@contextlib.contextmanager
def naming_missing(run_dir: Path, values: Mapping[str, Any]) -> Iterator[None]:
    """Says, of an error in the block, which file of the run is missing or another one, if one is.

    Without an error nothing of it was needed.
    """
    try:
        yield
    except UserError as error:
        lines = missing(values)
        if not lines:
            raise
        raise UserError(f"--run_dir={run_dir}: {lines[0]} ({error})") from None


def changed(values: Mapping[str, Any]) -> list[str]:
    """Returns a line for each file that is another one than the run was trained with."""
    return [line for line in missing(values) if line.startswith("--import=")]
