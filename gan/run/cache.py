"""Where results are kept that need not be computed or downloaded twice."""

import os
from pathlib import Path

import platformdirs


def cache_directory() -> Path:
    """Returns the user's cache directory of this program; it need not exist or be writable.

    Without a home (a container's user that no table knows) ``~`` stays as it is; then it is below
    the root, as where HOME is /.
    """
    return Path("/", platformdirs.user_cache_dir("tapegan").removeprefix(f"~{os.sep}"))
