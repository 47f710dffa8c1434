"""What about a folder of images is likely to be a mistake, before hours are spent on it."""

from __future__ import annotations

import hashlib

from gan.data.datasets import Dataset
from gan.lazy import np

FEW = 1000  # images that a network knows by heart
SMALL_SHARE = 0.1  # of images that have to be enlarged
COPIES_SHARE = 0.01
UNEQUAL = 10.0  # times as many images in one class as in another
CHUNK = 4096  # images that are looked at at a time


def doubts(data: Dataset) -> list[str]:
    """Returns sentences about the images of a folder; reads all of them."""
    images, folder = data.train_images, data.folder
    if folder is None:
        return []
    side, said = images.shape[1], []
    if len(images) < FEW:
        said.append(
            f"{len(images):,} images are few: networks learn them by heart below some {FEW:,}"
        )
    small = int((folder.shorter_sides < side).sum())
    if small > SMALL_SHARE * len(images):
        said.append(f"{small:,} images have a side below {side} pixels and are enlarged")
    digests, grey = set(), images.shape[3] == 3
    for start in range(0, len(images), CHUNK):
        part = np.asarray(images[start : start + CHUNK])
        digests |= {hashlib.sha256(image.data).digest() for image in part}
        grey = grey and bool((part == part[..., :1]).all())
    copies = len(images) - len(digests)
    if copies > COPIES_SHARE * len(images):
        are = "image is a copy of another" if copies == 1 else "images are copies of others"
        said.append(f"{copies:,} {are}, pixel by pixel")
    if grey:
        said.append("all images are grey: --image_channels=1 makes smaller networks")
    if data.train_labels is not None:
        counts = np.bincount(data.train_labels)
        if counts.max() > UNEQUAL * counts.min():
            least, most = (data.class_names[i] for i in (counts.argmin(), counts.argmax()))
            said.append(f"class {most} has {counts.max():,} images, {least} has {counts.min():,}")
    return said
