"""Data sets: images as uint8 arrays, points as float32 arrays, and the table of them.

A data set is one function and one row of `DATASETS`.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

from gan.data import checks, sources
from gan.data.choice import balanced_choice
from gan.data.digests import array_digest
from gan.data.folders.image_cache import VERSION, Settings
from gan.data.folders.image_reader import colour
from gan.data.folders.load import Folder, load_folder
from gan.errors import UserError
from gan.lazy import np
from gan.run.config import FOLDER, Config, from_dict
from gan.run.fields import OWN_ROWS, lookup
from gan.run.paths import user_path


class Mixture(NamedTuple):
    """Equal Gaussians in the plane, each as wide in every direction."""

    centres: np.ndarray  # [modes, 2] float64
    sd: float


class Labelled(NamedTuple):
    """Images in memory with labels, to learn from and to test on."""

    train_images: np.ndarray  # [N, H, W, C] uint8
    train_labels: np.ndarray  # [N] integers from 0
    test_images: np.ndarray
    test_labels: np.ndarray


class Parts(NamedTuple):
    """Images to learn from and to test on, with labels if both have some; as `Labelled`."""

    train_images: np.ndarray
    train_labels: np.ndarray | None
    test_images: np.ndarray
    test_labels: np.ndarray | None


class Dataset(NamedTuple):
    """What is learned, and what it is compared with; None for what a data set lacks.

    Images are [N, H, W, C] uint8, those of a folder mapped from a file, and points [N, D] float32;
    labels [N] are integers from 0.
    """

    train_images: np.ndarray
    train_labels: np.ndarray | None = None
    test_images: np.ndarray | None = None
    test_labels: np.ndarray | None = None
    stack: int = 1  # so many images are the channels of one example
    mixture: Mixture | None = None  # what points are drawn from
    class_names: tuple[str, ...] = ()  # of the labels 0, 1, ..., where they have names
    folder: Folder | None = None
    whole: Dataset | None = None  # what it is a choice of training images from, if it is one

    def __repr__(self) -> str:
        tests = "no" if self.test_images is None else f"{len(self.test_images):,}"
        kind = "points" if self.mixture else "images"
        size = "x".join(map(str, self.train_images.shape[1:]))
        more = f", {self.stack} in an example" * (self.stack > 1)
        classes = f"{self.classes} classes" if self.classes else "no classes"
        counts = f"{len(self.train_images):,} {kind} of {size}{more}, {tests} test {kind}"
        return f"Dataset({counts}, {classes})"

    @property
    def labelled(self) -> Labelled | None:
        """The images with their labels, None if some are missing."""
        return with_labels(self.parts) if self.parts else None

    @property
    def parts(self) -> Parts | None:
        """What metrics compare: the images with what labels they have; None without test images.

        All of them, also where few are learned: metrics ask how near the distribution is.
        """
        if self.whole:
            return self.whole.parts
        labels, test_labels = self.train_labels, self.test_labels
        if self.test_images is None:
            return None
        if labels is None or test_labels is None:
            labels = test_labels = None
        return Parts(self.train_images, labels, self.test_images, test_labels)

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of an example: (H, W, C) or (D,)."""
        *size, channels = self.train_images.shape[1:]
        return (*size, channels * self.stack)

    @property
    def has_modes(self) -> bool:
        """Whether its modes can be counted, see gan/evaluation/mode_coverage.py."""
        return self.stack > 1 or self.mixture is not None

    @property
    def classes(self) -> int:
        """The number of labels of an example, 0 if it has none."""
        if self.train_labels is None:
            return 0
        return (int(self.train_labels.max()) + 1) ** self.stack

    def digest(self) -> str:
        """Returns a SHA-256 of what is learned: images or points, and labels; not where they lie.

        Images of a folder count by the names and sizes of the files, and by how they are read:
        decoders of two machines may differ in a last bit.
        """
        if self.folder is None:
            return array_digest(self.train_images, self.train_labels)
        how = np.array([VERSION, *([] if self.test_images is None else [len(self.test_images)])])
        return array_digest(self.folder.names, self.folder.sizes, self.train_labels, how)

    def random_labels(self, count: int, seed: int) -> np.ndarray:
        """Returns labels [count] int64 as frequent as among examples; more begin with the same."""
        if self.train_labels is None:
            raise TypeError("there are no labels")
        parts = np.random.default_rng(seed).choice(self.train_labels, (count, self.stack))
        return self.stacked(*parts.T)

    def stacked(self, *labels: np.ndarray) -> np.ndarray:
        """Returns the label [N] int64 of each stack: those [N] of its images as digits."""
        base = round(self.classes ** (1 / self.stack))
        powers = base ** np.arange(len(labels) - 1, -1, -1)
        return np.tensordot(powers, np.stack(labels).astype(np.int64), 1)


def with_labels(parts: Parts) -> Labelled | None:
    """Returns images with their labels, None if they have none."""
    train_images, labels, test_images, test_labels = parts
    if labels is None or test_labels is None:
        return None
    return Labelled(train_images, labels, test_images, test_labels)


def with_train_images(name: str, data: Dataset, count: int) -> Dataset:
    """Returns a data set of whose training images `count` are learned, see `balanced_choice`.

    0 is all of them. What metrics compare stays, see ``Dataset.parts``.

    Raises:
        UserError: There are not so many, fewer than classes, or none to choose.
    """
    total = len(data.train_images)
    if not count or count == total:  # maybe chosen already
        return data
    data, flag = data.whole or data, f"--train_images={count}"
    if data.mixture:
        raise UserError(f"{flag}: is for images, {name} has points, valid is 0")
    if count > len(data.train_images):
        raise UserError(
            f"{flag}: {name} has {len(data.train_images):,} training images, must be at most as "
            "many, or 0 for all"
        )
    labels = data.train_labels
    if labels is not None and count < len(np.unique(labels)):
        raise UserError(f"{flag}: must be at least {len(np.unique(labels))}, one of each class")
    chosen = balanced_choice(labels, len(data.train_images), count)
    return data._replace(
        train_images=np.asarray(data.train_images[chosen]),
        train_labels=None if labels is None else labels[chosen],
        whole=data,
    )


class DataSource(NamedTuple):
    """A row of `DATASETS`: how a data set is loaded, and what must be known before it is."""

    # (data_dir, print_fn) -> Dataset; `print_fn` is told in one line what takes time
    load: Callable[[str, Callable[[str], None]], Dataset]
    points: bool = False  # points instead of images
    counts_modes: bool = False  # its modes are counted; others are judged through features


def load_labelled(name: str, data_dir: str, print_fn: Callable[[str], None]) -> Dataset:
    """Returns a data set of 10 classes from `sources.ROWS`; grey images [28, 28, 1]."""
    arrays = sources.load_arrays(name, data_dir, print_fn)
    x_train, x_test = (
        images if images.ndim == 4 else images[..., np.newaxis]
        for images in (arrays["x_train"], arrays["x_test"])
    )
    return Dataset(x_train, arrays["y_train"], x_test, arrays["y_test"])


def load_stacked_mnist(data_dir: str, print_fn: Callable[[str], None]) -> Dataset:
    """Returns MNIST, of which three digits are the channels of an example [28, 28, 3].

    1,000 modes. Which digits meet is a function of (seed, position), see ``data.block_dataset``.

    References:
        Metz et al. 2017, arXiv:1611.02163, section 3.3.1.
    """
    return load_labelled("mnist", data_dir, print_fn)._replace(stack=3)


MIXTURE_POINTS = 1_000_000  # so many that none is known by heart


def draw_mixture(mixture: Mixture, count: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Returns points [count, 2] float32 of a mixture and the number of each one's mode [count]."""
    rng = np.random.default_rng(seed)
    modes = rng.integers(0, len(mixture.centres), count)
    points = mixture.centres[modes] + mixture.sd * rng.standard_normal((count, 2))
    return points.astype(np.float32), modes.astype(np.uint8)


def load_mixture(mixture: Mixture) -> Dataset:
    """Returns a million points of a mixture, the same ones always; labels are the modes."""
    return Dataset(*draw_mixture(mixture, MIXTURE_POINTS, 0), mixture=mixture)


def grid(side: int, spacing: float, sd: float) -> Mixture:
    """Returns side x side Gaussians around the origin."""
    line = spacing * (np.arange(side) - (side - 1) / 2)
    return Mixture(np.stack(np.meshgrid(line, line), -1).reshape(-1, 2), sd)


def ring(modes: int, radius: float, sd: float) -> Mixture:
    """Returns Gaussians at equal distances on a circle around the origin."""
    angles = 2 * np.pi * np.arange(modes) / modes
    return Mixture(radius * np.stack([np.cos(angles), np.sin(angles)], 1), sd)


DATASETS: dict[str, DataSource] = {
    **{name: DataSource(partial(load_labelled, name)) for name in sources.ROWS},
    "stacked_mnist": DataSource(load_stacked_mnist, counts_modes=True),
    # Sizes: Lin et al. 2018, arXiv:1712.04086 (PacGAN), section 4.1.
    "gaussian_grid": DataSource(
        lambda data_dir, print_fn: load_mixture(grid(5, 2.0, 0.05)), points=True, counts_modes=True
    ),
    "gaussian_ring": DataSource(
        lambda data_dir, print_fn: load_mixture(ring(8, 1.0, 0.01)), points=True, counts_modes=True
    ),
}


def load_dataset(
    name: str,
    data_dir: str,
    print_fn: Callable[[str], None],
    *,
    image_size: int = 32,
    image_channels: int = 3,
    background: str = "white",
    data_cache: str = "",
    skip_bad_images: bool = False,
    test_share: float = 0.1,
) -> Dataset:
    """Returns a data set by its name; see `DataSource`. The other arguments are for image folders.

    Raises:
        UserError: Unknown name, the data cannot be found, or are not what `check_dataset` wants.
    """
    if not isinstance(name, str):
        raise UserError(f"dataset={name!r}: must be text")
    if name.startswith(FOLDER):
        c = from_dict(
            {
                "dataset": name, "image_size": image_size, "image_channels": image_channels,
                "background": background, "data_cache": data_cache,
                "skip_bad_images": skip_bad_images, "test_share": test_share,
            }
        )  # fmt: skip
        colour(c.background)
        found = load_folder(
            Path(c.dataset.removeprefix(FOLDER)),
            Settings(c.image_size, c.image_channels, c.background),
            c.data_cache,
            c.skip_bad_images,
            c.test_share,
            print_fn,
        )
        data = Dataset(**found._asdict())
    else:
        source: DataSource = lookup(DATASETS, "dataset", name, OWN_ROWS)
        if not isinstance(source, DataSource):
            raise UserError(
                f"--dataset={name}: its row is {type(source).__name__}, must be of type DataSource"
            )
        data = source.load(str(user_path(data_dir, "data_dir")) if data_dir else "", print_fn)
    return check_dataset(name, data, print_fn)


def check_dataset(
    name: str, data: Any, print_fn: Callable[[str], None] = lambda line: None
) -> Dataset:
    """Returns `data` if they are a `Dataset` as described there: the one door for all data.

    Labels of types that NumPy cannot count become int64. `print_fn` gets warnings.

    Raises:
        UserError: They are not; says what they are and how to convert them.
    """
    what = f"data set {name}:"
    if not isinstance(data, Dataset):
        raise UserError(f"{what} is {type(data).__name__}, must be gan.Dataset(images, labels)")
    if not isinstance(data.stack, int | np.integer) or data.stack < 1:
        raise UserError(f"{what} stack={data.stack!r}, must be an integer at least 1")
    for name, kind in (("folder", Folder), ("whole", Dataset)):
        if not isinstance(getattr(data, name), kind | None):
            raise UserError(f"{what} {name} is what the package itself makes, must be None")
    data = data._replace(class_names=checks.check_class_names(what, data.class_names))
    images = data.train_images
    if isinstance(images, np.ndarray) and images.ndim == 2 and images.dtype.kind == "f":
        checks.check_points(f"{what} train_images", images)
        if not isinstance(data.mixture, Mixture):
            raise UserError(f"{what} has points, and must say as mixture what they are drawn from")
        checks.check_mixture(f"{what} mixture", data.mixture.centres, data.mixture.sd)
    elif data.mixture is not None:
        raise UserError(f"{what} has a mixture, and must have points float32 [N, 2]")
    elif data.folder is None:  # else its files were looked at one by one
        checks.check_images(f"{what} train_images", images)
        if (channels := images.shape[3] * data.stack) not in checks.CHANNELS:
            raise UserError(f"{what} stack={data.stack} makes {channels} channels, must be 1 or 3")
        checks.check_range(f"{what} train_images", images, print_fn)
    if data.train_labels is not None:
        labels = checks.check_labels(f"{what} train_labels", data.train_labels, len(images))
        data = data._replace(train_labels=labels)
        classes = max(int(labels.max()) + 1, len(data.class_names))
        if absent := set(range(classes)) - set(np.unique(labels).tolist()):
            which = checks.named(absent, data.class_names)
            print_fn(
                f"warning: {what} no image has {which}, which nothing can be learned about; "
                "labels are meant to count from 0 without gaps"
            )
    elif data.stack > 1:
        raise UserError(f"{what} has stack={data.stack}, and must have labels")
    return check_test_part(what, data, print_fn)


def check_test_part(what: str, data: Dataset, print_fn: Callable[[str], None]) -> Dataset:
    """Returns `data` if its test images and labels, if any, are as those to learn from."""
    images, labels = data.test_images, data.test_labels
    if images is None:
        if labels is not None:
            raise UserError(f"{what} has test_labels, and must have test_images")
        return data
    if data.mixture is not None:
        return data
    checks.check_images(f"{what} test_images", images)
    if images.shape[1:] != data.train_images.shape[1:]:
        raise UserError(
            f"{what} test_images are {list(images.shape[1:])}, must be "
            f"{list(data.train_images.shape[1:])}, as those to learn from"
        )
    if data.folder is None:
        checks.check_range(f"{what} test_images", images, print_fn)
    if labels is None:
        return data
    labels = checks.check_labels(
        f"{what} test_labels", labels, len(images), most=len(data.train_images)
    )
    if data.train_labels is not None:
        unknown = set(np.unique(labels).tolist()) - set(np.unique(data.train_labels).tolist())
        if unknown:
            which = checks.named(unknown, data.class_names)
            raise UserError(f"{what} test_labels have {which}, which no training image has")
    return data._replace(test_labels=labels)


def dataset_from_config(
    config: Config, print_fn: Callable[[str], None], data_dir: str = ""
) -> Dataset:
    """Returns the data set that a configuration names, from `data_dir` if it is given.

    Raises:
        UserError: As `load_dataset` and `with_train_images`; or there is nothing to learn from
            images in files.
    """
    data = load_dataset(
        config.dataset,
        data_dir or config.data_dir,
        print_fn,
        image_size=config.image_size,
        image_channels=config.image_channels,
        background=config.background,
        data_cache=config.data_cache,
        skip_bad_images=config.skip_bad_images,
        test_share=config.test_share,
    )
    for line in data.folder.said if data.folder else ():
        print_fn(line)
    if data.folder and data.folder.flaw:
        raise UserError(f"--dataset={config.dataset}: {data.folder.flaw}")
    return with_train_images(config.dataset, data, config.train_images)
