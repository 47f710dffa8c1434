"""One process at a time trains in a run directory."""

import contextlib
import fcntl
import os
from collections.abc import Iterator
from pathlib import Path

from gan.errors import UserError


@contextlib.contextmanager
def locked(run_dir: Path) -> Iterator[None]:
    """Holds the run directory, which is created if needed, while the block runs.

    The lock is on the directory itself and belongs to the process: the system takes it away with
    it, however it ends, and no file is left behind. Where a file system knows no such locks there
    is none.

    Raises:
        UserError: Another process holds it, or it cannot be created.
    """
    try:
        run_dir.mkdir(parents=True, exist_ok=True)
        handle = os.open(run_dir, os.O_RDONLY)
    except OSError as error:
        raise UserError(f"--run_dir={run_dir}: cannot be written ({error.strerror})") from None
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
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
