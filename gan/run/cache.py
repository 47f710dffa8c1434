"""Where results are kept that need not be computed or downloaded twice."""

import os
import tempfile
from pathlib import Path

import platformdirs


def cache_directory() -> Path:
    """Returns the user's cache directory of this program; it need not exist or be writable."""
    return Path(platformdirs.user_cache_dir("tapegan"))


def prepare_matplotlib() -> None:
    """Gives Matplotlib one temporary directory for all processes where no home can be written.

    It would make a new one in each, which stays when the process is killed.
    """
    if "MPLCONFIGDIR" not in os.environ and not os.access(os.path.expanduser("~"), os.W_OK):
        place = os.path.join(tempfile.gettempdir(), f"tapegan-matplotlib-{os.getuid()}")
        os.environ["MPLCONFIGDIR"] = place
