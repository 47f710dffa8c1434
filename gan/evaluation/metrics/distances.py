"""Euclidean distances between many points, block by block, and who is nearest."""

from __future__ import annotations

from collections.abc import Iterator

from gan.lazy import np

CHUNK_BYTES = 128 * 2**20  # of a block of distances
IMAGES_BYTES = 2**29  # of images that are compared pixel by pixel at a time; all of MNIST
PIXELS_SIDE = 32  # of images that are compared so; larger ones by means over squares of pixels


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
