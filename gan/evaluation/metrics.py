"""Metrics of generated images: pure NumPy functions, in float64, on feature arrays.

`real` is what the metric compares with, `fake` what it judges; both are [N, D] arrays of a feature
network, `probabilities` are [N, classes] of its classifier. A metric is one function and one row of
`METRICS`, which states its convention in one sentence.
"""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from typing import Any, NamedTuple, Protocol

from gan.data.datasets import Parts
from gan.errors import UserError
from gan.evaluation.pixel_statistics import (
    PixelStatistics,
    histogram_distance,
    pixel_statistics,
    spectrum_distance,
    spectrum_ratios,
)
from gan.lazy import np

K_PRECISION = 3  # neighbours of improved precision and recall; Kynkäänniemi et al.
K_DENSITY = 5  # neighbours of density and coverage; Naeem et al.
KID_BLOCKS = 10
EXTRAPOLATION_SIZES = 15
PRESENT_SHARE = 0.1  # of a class's share among training images, from which on it is present
MEMORISED_QUANTILE = 0.01
CHUNK_BYTES = 128 * 2**20  # of a block of distances
IMAGES_BYTES = 2**29  # of images that are compared pixel by pixel at a time; all of MNIST
PIXELS_SIDE = 32  # of images that are compared so; larger ones by means over squares of pixels
FLOOR_DRAWS = 20  # of real examples


class Features(NamedTuple):
    """What a feature network sees in N images."""

    features: np.ndarray  # [N, D] float32, at least 0
    probabilities: np.ndarray  # [N, classes] float32, of the classifier


class Reference(Protocol):
    """Real images to compare with; what is costly is computed when a metric asks for it."""

    @property
    def data(self) -> Parts:
        """The data set that they are from; with labels, for metrics that `need_classes`."""

    @property
    def features(self) -> Features:
        """Those of the reference images."""

    @property
    def neighbours(self) -> RealNeighbours:
        """The same with the distances among themselves."""

    @property
    def learned(self) -> np.ndarray:
        """The training images that samples may be copies of, [N, H, W, C] uint8."""

    @property
    def training(self) -> Features:
        """The features of these."""

    @property
    def held_out(self) -> Features:
        """The features of all test images, which no sample can be a copy of."""

    @property
    def thresholds(self) -> dict[str, float]:
        """`memorisation_threshold` in "features" and in "pixels"."""

    @property
    def dcr_share(self) -> tuple[float, int]:
        """`dcr_share` of training images beside the others, and how many these were."""

    @property
    def pixels(self) -> PixelStatistics:
        """The pixel statistics of the reference images."""


@dataclasses.dataclass
class Comparison:
    """Samples beside a reference; what several metrics need is computed once."""

    reference: Reference
    samples: Features
    images: np.ndarray  # [N, H, W, C] uint8, the samples themselves

    @property
    def real(self) -> np.ndarray:
        """The features of the reference images."""
        return self.reference.features.features

    @property
    def fake(self) -> np.ndarray:
        """The features of the samples."""
        return self.samples.features

    @functools.cached_property
    def kid(self) -> tuple[float, float]:
        """See `kid`."""
        return kid(self.real, self.fake)

    @functools.cached_property
    def neighbours(self) -> dict[str, float]:
        """See `neighbour_metrics`."""
        return neighbour_metrics(self.reference.neighbours, self.fake)

    @functools.cached_property
    def classes(self) -> dict[str, float]:
        """See `class_metrics`."""
        return class_metrics(self.samples.probabilities, known(self.reference.data.train_labels))

    @functools.cached_property
    def nearest_in_features(self) -> tuple[np.ndarray, np.ndarray]:
        """The `nearest` training images, by their features."""
        return nearest(self.fake, self.reference.training.features)

    @functools.cached_property
    def nearest_held_out(self) -> tuple[np.ndarray, np.ndarray]:
        """The `nearest` test images, by their features."""
        return nearest(self.fake, self.reference.held_out.features)

    @functools.cached_property
    def nearest_in_pixels(self) -> tuple[np.ndarray, np.ndarray]:
        """The `nearest` training images, by their pixels."""
        return nearest_images(self.images, self.reference.learned)

    @functools.cached_property
    def pixels(self) -> PixelStatistics:
        """The pixel statistics of the samples."""
        return pixel_statistics(self.images)


class Metric(NamedTuple):
    """A row of `METRICS`: how a number is computed and how to read it."""

    better: str  # "lower", "higher", or "real": as real images, not more
    # What a perfect generator gets: a number, or a function of reference and number of samples.
    ideal: float | Callable[[Reference, int], float]
    compute: Callable[[Comparison], float]
    convention: str
    details: Mapping[str, Callable[[Comparison], Any]] = {}  # what else stands in the record
    # Set where it finds copies of training images, whose floor cannot be drawn from these: what
    # images get that are no copies, a share 0..1, and of how many images that is known.
    no_copies: Callable[[Reference], tuple[float, int]] | None = None
    needs_classes: bool = False  # data with labels, and a feature network that tells them

    def suspicious(self, value: float, mean: float, sd: float) -> bool:
        """Tells whether a value is better than real images by more than 2 sd.

        No generator can be better than new real images, so something else is going on: copies of
        training images, too little diversity, or a mistake. For shares of copies more is worse.
        """
        return value < mean - 2 * sd if self.better == "lower" else value > mean + 2 * sd


CLASS_COUNTS = {
    "class_counts": lambda c: class_counts(
        c.samples.probabilities, known(c.reference.data.train_labels)
    ).tolist(),
    "real_classes": lambda c: len(np.unique(known(c.reference.data.train_labels))),
    "expected_classes": lambda c: expected_classes(
        known(c.reference.data.train_labels), len(c.images)
    ),
}

METRICS: dict[str, Metric] = {
    "fcd": Metric(
        "lower", lambda reference, count: fcd_ideal(reference.features.features, count),
        lambda c: frechet_distance(c.real, c.fake),
        "Fréchet distance of Gaussians fitted to classifier features (FID's formula)",
    ),
    "fcd_infinity": Metric(
        "lower", 0, lambda c: frechet_infinity(c.real, c.fake),
        f"FCD at {EXTRAPOLATION_SIZES} sizes N, extrapolated linearly in 1/N to 0",
    ),
    "kid": Metric(
        "lower", 0, lambda c: c.kid[0],
        f"squared MMD, kernel (xy/D + 1)^3, mean of {KID_BLOCKS} disjoint blocks",
        {"kid_standard_error": lambda c: c.kid[1]},
    ),
    "precision": Metric(
        "higher", 1, lambda c: c.neighbours["precision"],
        f"share of samples within a real image's distance to its neighbour {K_PRECISION}",
    ),
    "recall": Metric(
        "higher", 1, lambda c: c.neighbours["recall"],
        f"share of real images within a sample's distance to its neighbour {K_PRECISION}",
    ),
    "density": Metric(
        "higher", 1, lambda c: c.neighbours["density"],
        f"mean number of real {K_DENSITY}-neighbour balls a sample lies in, over {K_DENSITY}",
    ),
    "coverage": Metric(
        "higher", lambda reference, count: coverage_ceiling(len(reference.features[0]), count),
        lambda c: c.neighbours["coverage"],
        f"share of real images with a sample within the distance to their neighbour {K_DENSITY}",
    ),
    "one_nn_accuracy": Metric(
        "lower", 0.5, lambda c: c.neighbours["one_nn_accuracy"],
        "leave-one-out accuracy of 1-nearest-neighbour on real against samples",
    ),
    "classifier_score": Metric(
        "higher", lambda reference, count: score_ceiling(known(reference.data.test_labels)),
        lambda c: classifier_score(c.samples.probabilities),
        "exp of the mean KL of p(y given x) from p(y); the Inception Score's formula",
        CLASS_COUNTS, needs_classes=True,
    ),
    "classes": Metric(
        "higher", lambda reference, count: len(np.unique(known(reference.data.train_labels))),
        lambda c: c.classes["classes"],
        f"classes with at least {PRESENT_SHARE:.0%} of their share among training images",
        CLASS_COUNTS, needs_classes=True,
    ),
    "class_kl": Metric(
        "lower", 0, lambda c: c.classes["class_kl"],
        "KL(samples, training labels) of class shares in nats, with Miller-Madow's correction",
        CLASS_COUNTS, needs_classes=True,
    ),
    "memorised_features": Metric(
        "real", MEMORISED_QUANTILE,
        lambda c: memorised_share(c.nearest_in_features[0], c.reference.thresholds["features"]),
        "share of samples nearer to a training image, in features, than the 1 % nearest test "
        "images", no_copies=lambda reference: (MEMORISED_QUANTILE, len(reference.data.test_images)),
    ),
    "memorised_pixels": Metric(
        "real", MEMORISED_QUANTILE,
        lambda c: memorised_share(c.nearest_in_pixels[0], c.reference.thresholds["pixels"]),
        "the same, in pixels",
        no_copies=lambda reference: (MEMORISED_QUANTILE, len(reference.data.test_images)),
    ),
    "dcr_share": Metric(
        "real", lambda reference, count: reference.dcr_share[0],
        lambda c: dcr_share(c.nearest_in_features[0], c.nearest_held_out[0]),
        "share of samples nearer to a training image, in features, than to all test images",
        no_copies=lambda reference: reference.dcr_share,
    ),
    "histogram_distance": Metric(
        "lower", 0, lambda c: histogram_distance(c.reference.pixels, c.pixels),
        "total variation distance of the histograms of 256 grey levels, mean over channels",
    ),
    "spectrum_distance": Metric(
        "lower", 0, lambda c: spectrum_distance(c.reference.pixels, c.pixels),
        "mean over rings of the absolute log ratio of radial power spectra",
        {"spectrum_ratios": lambda c: spectrum_ratios(c.reference.pixels, c.pixels).tolist()},
    ),
}  # fmt: skip


# What papers compute of Inception's features, by its name there, and the row that it is.
INCEPTION_METRICS = {
    "fid": "fcd", "kid": "kid", "precision": "precision", "recall": "recall",
    "density": "density", "coverage": "coverage",
}  # fmt: skip


def row_of(name: str) -> Metric:
    """Returns the row of a metric of a record, such as fcd or fid_inception_10k."""
    own, inception, _ = name.partition("_inception_")
    return METRICS[INCEPTION_METRICS[own] if inception else name]


def check_names(names: Collection[str], valid: Collection[str] = METRICS) -> None:
    """Refuses names that are no metrics."""
    for name in names:
        if name not in valid:
            raise UserError(f"--metrics={name}: must be among {', '.join(valid)}")


def applicable(names: Collection[str], has_classes: bool) -> tuple[str, ...]:
    """Returns those of the metrics `names` that can be computed with classes or without."""
    return tuple(name for name in names if has_classes or not METRICS[name].needs_classes)


def known(labels: np.ndarray | None) -> np.ndarray:
    """Returns labels that must be there."""
    if labels is None:
        raise TypeError("there are no labels")
    return labels


def compute(
    comparison: Comparison,
    names: Collection[str],
    advance: Callable[[str], None] = lambda name: None,
) -> dict[str, float]:
    """Returns metrics by their names, see `row_of`; `advance` is told each that begins."""
    values = {}
    for name in names:
        advance(name)
        values[name] = row_of(name).compute(comparison)
    return values


def details(comparison: Comparison, names: Collection[str]) -> dict[str, Any]:
    """Returns what stands in a record beside the metrics `names`, such as the class counts."""
    rows = [row for name, row in METRICS.items() if name in names]
    functions = {key: function for row in rows for key, function in row.details.items()}
    return {key: function(comparison) for key, function in functions.items()}


class Floor(NamedTuple):
    """What real examples get: mean and standard deviation over `FLOOR_DRAWS` draws."""

    mean: float
    sd: float


def floors_of(draws: Sequence[Mapping[str, float]]) -> dict[str, Floor]:
    """Returns the floors of metrics, from their values in each draw."""
    columns = {name: [values[name] for values in draws] for name in draws[0]}
    return {n: Floor(float(np.mean(c)), float(np.std(c, ddof=1))) for n, c in columns.items()}


def floor_without_copies(share: float, known_of: int, count: int) -> Floor:
    """Returns the floor of a share of `count` images that is known from a number of images.

    Of a few images it may be known as 0 or 1, but not without doubt: one in n + 2 is the rule of
    succession.
    """
    doubtful = 1 / (known_of + 2)
    p = min(max(share, doubtful), 1 - doubtful)
    return Floor(share, float(np.sqrt(p * (1 - p) * (1 / count + 1 / known_of))))


def moments(features: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Returns mean [D] and unbiased covariance [D, D] of features [N, D]."""
    features = np.asarray(features, np.float64)
    return features.mean(0), np.cov(features, rowvar=False)


def frechet_distance(real: np.ndarray, fake: np.ndarray) -> float:
    """Returns the squared Fréchet distance of the Gaussians fitted to two feature arrays."""
    return frechet_of_moments(*moments(real), *moments(fake))


def frechet_of_moments(
    mean_a: np.ndarray, cov_a: np.ndarray, mean_b: np.ndarray, cov_b: np.ndarray
) -> float:
    """Returns |m_a - m_b|^2 + Tr(C_a + C_b - 2 (C_a C_b)^(1/2)).

    The trace of the root is that of the symmetric (C_a^(1/2) C_b C_a^(1/2))^(1/2), which ``eigh``
    computes without complex numbers, for singular covariances too.

    References:
        Heusel et al. 2017, arXiv:1706.08500, equation 6.
    """
    values, vectors = np.linalg.eigh(cov_a)
    root = (vectors * np.sqrt(np.clip(values, 0, None))) @ vectors.T
    eigenvalues = np.linalg.eigvalsh(root @ cov_b @ root)
    trace_of_root = np.sqrt(np.clip(eigenvalues, 0, None)).sum()
    distance = np.sum((mean_a - mean_b) ** 2) + np.trace(cov_a + cov_b) - 2 * trace_of_root
    return float(distance)


def frechet_bias(cov: np.ndarray, n: int, m: int) -> float:
    """Returns what the Fréchet distance of n and m samples of the same Gaussian is on average.

    To first order in 1/n + 1/m: the means differ by Tr C, and a perturbation E of a covariance
    with eigenvalues l adds the sum of E_ij^2 / (2 (l_i + l_j)), where the mean of E_ij^2 is
    l_i l_j (1 + [i = j]).

    Args:
        cov: [D, D].
        n: Samples on one side.
        m: Samples on the other.
    """
    values = np.clip(np.linalg.eigvalsh(cov), 0, None)
    sums = values[:, None] + values[None, :]
    products = values[:, None] * values[None, :]
    pairs = np.divide(products, 2 * sums, out=np.zeros_like(sums), where=sums > 0)
    return float((1 / n + 1 / m) * (values.sum() + pairs.sum() + np.trace(pairs)))


def fcd_ideal(real: np.ndarray, count: int) -> float:
    """Returns the mean Fréchet distance to `real` of `count` images of the same distribution."""
    return frechet_bias(moments(real)[1], count, len(real))


def frechet_infinity(real: np.ndarray, fake: np.ndarray, seed: int = 0) -> float:
    """Returns the Fréchet distance extrapolated to infinitely many images on both sides.

    The bias is linear in 1/N, so a line through the distances of subsets of N images of each side
    meets 1/N = 0 where there is none. The sizes go from a fifth to all of the smaller side.

    References:
        Chong and Forsyth 2020, arXiv:1911.07023, who extrapolate the samples only.
    """
    rng = np.random.default_rng(seed)
    count = min(len(real), len(fake))
    sizes = np.linspace(count / 5, count, EXTRAPOLATION_SIZES).astype(int)
    distances = [
        frechet_distance(
            real[rng.permutation(len(real))[:size]], fake[rng.permutation(len(fake))[:size]]
        )
        for size in sizes
    ]
    _, intercept = np.polyfit(1 / sizes, distances, 1)
    return float(intercept)


def kid(real: np.ndarray, fake: np.ndarray, seed: int = 0) -> tuple[float, float]:
    """Returns the kernel distance and its standard error over disjoint blocks.

    The mean of the unbiased squared MMD of `KID_BLOCKS` blocks, which share no image.

    References:
        Binkowski et al. 2018, arXiv:1801.01401, section 4.
    """
    rng = np.random.default_rng(seed)
    size = min(len(real), len(fake)) // KID_BLOCKS
    sides = (real, fake)
    x, y = (
        np.asarray(side[rng.permutation(len(side))[: KID_BLOCKS * size]], np.float64)
        .reshape(KID_BLOCKS, size, -1) for side in sides
    )  # fmt: skip
    values = [squared_mmd(a, b) for a, b in zip(x, y, strict=True)]
    return float(np.mean(values)), float(np.std(values, ddof=1) / np.sqrt(KID_BLOCKS))


def squared_mmd(x: np.ndarray, y: np.ndarray) -> float:
    """Returns the unbiased squared MMD of x [n, D] and y [n, D] with KID's cubic kernel."""
    n, dim = x.shape
    xx, yy, xy = ((a @ b.T / dim + 1) ** 3 for a, b in ((x, x), (y, y), (x, y)))
    within = (xx.sum() - np.trace(xx) + yy.sum() - np.trace(yy)) / (n * (n - 1))
    return float(within - 2 * xy.mean())


def squared_distances(
    queries: np.ndarray, points: np.ndarray
) -> Iterator[tuple[slice, np.ndarray]]:
    """Yields (rows, squared Euclidean distances [rows, points]) for blocks of queries.

    A block takes at most `CHUNK_BYTES`.
    """
    points = np.asarray(points, np.float64)
    norms = np.einsum("ij,ij->i", points, points)
    rows = max(1, CHUNK_BYTES // (8 * len(points)))
    for start in range(0, len(queries), rows):
        block = np.asarray(queries[start : start + rows], np.float64)
        distances = block @ points.T
        distances *= -2
        distances += norms
        distances += np.einsum("ij,ij->i", block, block)[:, None]
        yield slice(start, start + len(block)), np.maximum(distances, 0, out=distances)


def own_neighbours(points: np.ndarray, k: int) -> np.ndarray:
    """Returns the squared distances [N, k] of each point to its k nearest others, ascending."""
    neighbours = np.empty((len(points), k))
    for rows, distances in squared_distances(points, points):
        distances[np.arange(len(distances)), np.arange(rows.start, rows.stop)] = np.inf
        neighbours[rows] = np.sort(np.partition(distances, k - 1, axis=1)[:, :k], axis=1)
    return neighbours


def nearest(
    queries: np.ndarray, points: np.ndarray, own: np.ndarray | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """Returns the squared distance [Q] of each query to the nearest point, and its index [Q].

    `own` [Q] says which point each query itself is; it does not count.
    """
    minima, indices = np.empty(len(queries)), np.empty(len(queries), np.int64)
    for rows, distances in squared_distances(queries, points):
        if own is not None:
            distances[np.arange(len(distances)), own[rows]] = np.inf
        indices[rows] = distances.argmin(1)
        minima[rows] = distances[np.arange(len(distances)), indices[rows]]
    return minima, indices


def nearest_images(queries: np.ndarray, images: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Returns the same of images [Q, H, W, C] and [N, H, W, C] uint8, the latter part by part.

    They may be mapped from a file that is larger than the memory. See `flatten`.
    """
    flat = flatten(queries)
    rows = max(1, IMAGES_BYTES // (8 * flat.shape[1]))
    minima, indices = np.full(len(flat), np.inf), np.zeros(len(flat), np.int64)
    for start in range(0, len(images), rows):
        distances, found = nearest(flat, flatten(images[start : start + rows]))
        nearer = distances < minima
        minima[nearer], indices[nearer] = distances[nearer], start + found[nearer]
    return minima, indices


class RealNeighbours(NamedTuple):
    """Real features and what the neighbour metrics need of them alone."""

    features: np.ndarray  # [N, D]
    neighbours: np.ndarray  # [N, K_DENSITY] squared distances, ascending


def real_neighbours(real: np.ndarray) -> RealNeighbours:
    """Returns real features with the distances among themselves, to be used again."""
    return RealNeighbours(real, own_neighbours(real, K_DENSITY))


def neighbour_metrics(real: RealNeighbours, fake: np.ndarray) -> dict[str, float]:
    """Returns precision, recall, density, coverage and 1-nearest-neighbour accuracy.

    One pass over the distances between real and fake gives them all. A ball is open: a point on
    its border is outside. For 1-NN both sides weigh the same, however many images they have.

    Args:
        real: Of `real_neighbours`.
        fake: [M, D].

    References:
        Kynkäänniemi et al. 2019, arXiv:1904.06991, equations 1 and 2 (precision, recall).
        Naeem et al. 2020, arXiv:2002.09797, equations 4 and 5 (density, coverage).
        Lopez-Paz and Oquab 2017, arXiv:1610.06545, section 3 (two-sample test).
    """
    own = own_neighbours(fake, K_PRECISION)
    count, k = len(real.features), K_DENSITY
    ball_3, ball_5 = real.neighbours[:, K_PRECISION - 1], real.neighbours[:, K_DENSITY - 1]
    precise = np.zeros(len(fake), bool)
    balls = np.zeros(len(fake))
    fake_to_real = np.empty(len(fake))
    recalled = np.zeros(count, bool)
    real_to_fake = np.full(count, np.inf)
    for rows, distances in squared_distances(fake, real.features):
        precise[rows] = (distances < ball_3).any(1)
        balls[rows] = (distances < ball_5).sum(1)
        fake_to_real[rows] = distances.min(1)
        recalled |= (distances < own[rows, K_PRECISION - 1 :]).any(0)
        np.minimum(real_to_fake, distances.min(0), out=real_to_fake)
    real_right = np.mean(real.neighbours[:, 0] < real_to_fake)
    fake_right = np.mean(own[:, 0] < fake_to_real)
    return {
        "precision": float(precise.mean()),
        "recall": float(recalled.mean()),
        "density": float(balls.mean() / k),
        "coverage": float(np.mean(real_to_fake < ball_5)),
        "one_nn_accuracy": float((real_right + fake_right) / 2),
    }


def coverage_ceiling(real_count: int, fake_count: int) -> float:
    """Returns the mean coverage when samples and real images come from the same distribution.

    A real image is not covered when its k nearest images, of both kinds together, are all real.
    0.9688 for k = 5 and as many samples as real images.
    """
    i = np.arange(K_DENSITY)
    others = real_count - 1
    return float(1 - np.prod((others - i) / (others + fake_count - i)))


def classifier_score(probabilities: np.ndarray) -> float:
    """Returns exp of the mean KL divergence of p(y|x) from its mean p(y).

    References:
        Salimans et al. 2016, arXiv:1606.03498, section 4.
    """
    p = np.asarray(probabilities, np.float64)
    ratio = np.log(np.maximum(p, 1e-300)) - np.log(np.maximum(p.mean(0), 1e-300))
    return float(np.exp(np.mean(np.sum(p * ratio, axis=1))))


def class_metrics(probabilities: np.ndarray, training_labels: np.ndarray) -> dict[str, float]:
    """Returns the number of classes present and the KL divergence from the training labels.

    The plug-in estimate of the divergence is too high by (classes seen - 1) / 2N, which is taken
    off; so the result can be slightly negative. Classes without training images do not count.

    Args:
        probabilities: [N, classes].
        training_labels: [M] integers.

    References:
        Miller 1955, Note on the bias of information estimates.
    """
    counts = class_counts(probabilities, training_labels)
    shares = counts / counts.sum()
    expected = np.bincount(training_labels, minlength=len(counts)) / len(training_labels)
    seen, real = counts > 0, expected > 0
    plug_in = np.sum(shares[seen] * np.log(shares[seen] / expected[seen]))
    return {
        "classes": float(np.sum(shares[real] >= PRESENT_SHARE * expected[real])),
        "class_kl": float(plug_in - (seen.sum() - 1) / (2 * counts.sum())),
    }


def expected_classes(training_labels: np.ndarray, count: int) -> float:
    """Returns how many classes are present, in the mean, among `count` real images.

    A class is, with one image if it should have ten at most. Of more it has nearly always enough.
    """
    shares = np.bincount(training_labels) / len(training_labels)
    return float(np.sum(1 - (1 - shares) ** count))


def class_counts(probabilities: np.ndarray, training_labels: np.ndarray) -> np.ndarray:
    """Returns how many samples the classifier gives to each class, [classes] int64.

    The likeliest of the classes that have training images: what it thinks of others is nothing
    that it has learned.
    """
    classes = probabilities.shape[1]
    real = np.unique(training_labels)
    return np.bincount(real[probabilities[:, real].argmax(1)], minlength=classes)


def score_ceiling(labels: np.ndarray) -> float:
    """Returns the classifier score of perfectly classified images with these labels.

    exp of the labels' entropy; 9.98 for MNIST.
    """
    shares = np.bincount(labels) / len(labels)
    shares = shares[shares > 0]
    return float(np.exp(-np.sum(shares * np.log(shares))))


def memorised_share(sample_distances: np.ndarray, threshold: float) -> float:
    """Returns the share of samples whose distance to the nearest training image is below this.

    The threshold is `memorisation_threshold` of test images, which nobody can have memorised: a
    share far above 1 % tells of copies.
    """
    return float(np.mean(sample_distances < threshold))


def memorisation_threshold(test_distances: np.ndarray) -> float:
    """Returns the 1 % quantile of the distances of test images to the nearest training image."""
    return float(np.quantile(test_distances, MEMORISED_QUANTILE))


def dcr_share(to_training: np.ndarray, to_test: np.ndarray) -> float:
    """Returns the share of samples that are nearer to training images than to test images.

    Of distances [N] to the nearest of either; equal ones count half. Where nothing is copied it is
    the training images' part of all images, whether samples are plain or strange, because both
    sides are as far away. Distance to closest record: Platzer and Reutterer 2021,
    doi:10.3389/fdata.2021.679939.
    """
    return float(np.mean(to_training < to_test) + np.mean(to_training == to_test) / 2)


def flatten(images: np.ndarray) -> np.ndarray:
    """Returns images [N, H, W, C] as [N, D] to compare: H * W * C pixels as they are.

    Of sides of at least twice `PIXELS_SIDE` the means over squares instead, D at most some 12,000.
    """
    count, height, width, channels = images.shape
    if (square := max(height, width) // PIXELS_SIDE) < 2:
        return images.reshape(count, -1)
    high, wide = -(-height // square), -(-width // square)
    edge = ((0, 0), (0, high * square - height), (0, wide * square - width), (0, 0))
    whole = np.pad(images, edge, "edge").reshape(count, high, square, wide, square, channels)
    return whole.mean((2, 4), dtype=np.float32).reshape(count, -1)
