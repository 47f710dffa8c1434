"""Files that are either complete or absent, and nothing left of what a crash interrupted.

What is being written has a name of ours, and its writer holds a lock on it, which the system
releases when the process ends, however that happens. So whoever comes next knows what is left over.
"""

import contextlib
import fcntl
import json
import os
import re
import shutil
import stat
import tempfile
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from gan.errors import UserError

MARK = ".tapegan-tmp"
LEFTOVER = re.compile(rf"\.[\w-]+{MARK}(\.\w+)?")  # files and directories of this module


@contextlib.contextmanager
def replacing(path: str | os.PathLike[str]) -> Iterator[Path]:
    """Yields a temporary path beside `path`, which takes its place when the block succeeds.

    A crash leaves the old file, or none, and a temporary one that the next writer of `path` takes
    away; two writers at once leave the whole file of one of them. The temporary name keeps the
    suffix of `path`, because some writers choose a format by it.
    """
    path = Path(path)
    handle, temporary = create_beside(path)
    try:
        yield temporary
        # The file is private so far; give it the rights that open() would have given.
        umask = os.umask(0)
        os.umask(umask)
        temporary.chmod(0o666 & ~umask)
        with temporary.open("rb") as file:
            os.fsync(file.fileno())
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)
        os.close(handle)


def create_beside(path: Path) -> tuple[int, Path]:
    """Creates a private temporary file beside `path` and returns its locked handle and its name.

    The name depends on `path` alone, so that one which was left over is found without a look at the
    whole directory. Where that name is in use it is a random one.
    """
    number = zlib.crc32(os.fsencode(path.name))
    temporary = path.with_name(f".{number:08x}{MARK}{path.suffix}")
    remove_leftover(temporary)
    try:
        handle = os.open(temporary, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    except FileExistsError:
        pass
    else:
        if lock_new(handle):
            return handle, temporary
        os.close(handle)
    handle, name = tempfile.mkstemp(f"{MARK}{path.suffix}", f".{number:08x}-", path.parent)
    lock_new(handle)
    return handle, Path(name)


def lock_new(handle: int) -> bool:
    """Locks what was just created; returns whether nobody has taken it for left over meanwhile."""
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:  # some network file systems have no locks; nothing is removed there
        return True
    return os.fstat(handle).st_nlink > 0


def remove_leftover(path: Path) -> None:
    """Removes a temporary file or directory of this module, if its writer is gone.

    No link is followed. What cannot be locked or removed stays.
    """
    try:
        handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:  # usually it is not there
        return
    with contextlib.suppress(OSError):
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        opened, named = os.fstat(handle), os.lstat(path)
        # Another one may have taken the name since; one of another user is not ours.
        if opened.st_ino == named.st_ino and opened.st_uid == os.geteuid():
            if stat.S_ISDIR(opened.st_mode):
                shutil.rmtree(path, ignore_errors=True)
            else:
                path.unlink()
    os.close(handle)


def remove_leftovers(directory: Path) -> None:
    """Removes what writers that are gone have left in a directory."""
    for name in os.listdir(directory):
        if LEFTOVER.fullmatch(name):
            remove_leftover(directory / name)


@contextlib.contextmanager
def temporary_directory(parent: Path | None = None) -> Iterator[Path]:
    """Yields a directory that is gone afterwards, in `parent`, or where temporary files are.

    One that a crash left is taken away by the next call.

    Raises:
        UserError: The machine has no directory for temporary files.
    """
    if parent is None:
        try:
            parent = Path(tempfile.gettempdir())
        except OSError as error:
            raise UserError(f"TMPDIR: {error.strerror}") from None
    remove_leftovers(parent)
    while True:
        path = Path(tempfile.mkdtemp(MARK, ".", parent))
        with contextlib.suppress(FileNotFoundError):
            handle = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
            if lock_new(handle):
                break
            os.close(handle)
    try:
        yield path
    finally:
        shutil.rmtree(path, ignore_errors=True)
        os.close(handle)


def write_json(path: str | os.PathLike[str], value: Any) -> None:
    """Writes `value` as indented JSON, atomically."""
    with replacing(path) as temporary:
        temporary.write_text(json.dumps(value, indent=2, allow_nan=False) + "\n")
