"""One process at a time trains in a run directory."""

import contextlib
import fcntl
import os
import time
from collections.abc import Iterator
from pathlib import Path

from gan.errors import UserError

LOOKS, PAUSE = 10, 0.05  # tries, and seconds between them


def is_locked(run_dir: Path) -> bool:
    """Tells whether a process trains in a run directory, where the file system can tell."""
    try:
        handle = os.open(run_dir, os.O_RDONLY)
    except OSError:
        return False
    try:
        fcntl.flock(handle, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:
        return False
    finally:
        os.close(handle)
    return False


def lock(handle: int) -> None:
    """Locks an open directory; waits for as long as a look by `is_locked` may take, and more.

    Raises:
        BlockingIOError: Another process holds it.
    """
    for _ in range(LOOKS):
        with contextlib.suppress(BlockingIOError):
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return
        time.sleep(PAUSE)
    fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)


@contextlib.contextmanager
def locked(run_dir: Path) -> Iterator[None]:
    """Holds the run directory, which is created if needed, while the block runs.

    The lock is on the directory itself: the system releases it when the process ends, however that
    happens, and no file is left behind. File systems without such locks are not locked.

    Raises:
        UserError: Another process holds it, or it cannot be created.
    """
    try:
        run_dir.mkdir(parents=True, exist_ok=True)
        handle = os.open(run_dir, os.O_RDONLY)
    except OSError as error:
        raise UserError(f"--run_dir={run_dir}: cannot be written ({error.strerror})") from None
    try:
        # Not filelock, which locks a file of its own and leaves it in the run directory.
        lock(handle)
    except BlockingIOError:
        os.close(handle)
        raise UserError(
            f"--run_dir={run_dir}: another process trains there, "
            "wait for its end or choose another directory"
        ) from None
    except OSError:
        pass  # some network file systems
    try:
        yield
    finally:
        os.close(handle)
