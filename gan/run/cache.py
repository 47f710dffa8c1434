"""Where results are kept that need not be computed or downloaded twice."""

import contextlib
import fcntl
import os
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import platformdirs


def cache_directory() -> Path:
    """Returns the user's cache directory of this program; it need not exist or be writable."""
    return Path(platformdirs.user_cache_dir("tapegan"))


@contextlib.contextmanager
def alone(lock_file: Path, waits: Callable[[], None]) -> Iterator[None]:
    """Holds a file, which stays, while the block runs; waits for another process that does.

    `waits` is called before it waits.

    Raises:
        OSError: The file system has no locks, or the file cannot be written.
    """
    # Open for writing, or network file systems do not lock it for other machines.
    with open(lock_file, "ab") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            waits()
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def prepare_matplotlib() -> None:
    """Gives Matplotlib one temporary directory for all processes where no home can be written.

    It would make a new one in each, which stays when the process is killed.
    """
    if "MPLCONFIGDIR" not in os.environ and not os.access(os.path.expanduser("~"), os.W_OK):
        place = os.path.join(tempfile.gettempdir(), f"tapegan-matplotlib-{os.getuid()}")
        os.environ["MPLCONFIGDIR"] = place
