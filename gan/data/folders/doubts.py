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
    folder = data.folder
    if folder is None:
        return []
    parts = [part for part in (data.train_images, data.test_images) if part is not None]
    side, count, said = data.shape[0], sum(map(len, parts)), []
    if count < FEW:
        said.append(f"{count:,} images are few: networks learn them by heart below some {FEW:,}")
    small = int((folder.shorter_sides < side).sum())
    if small > SMALL_SHARE * count:
        said.append(f"{small:,} images have a side below {side} pixels and are enlarged")
    digests, grey = set(), data.shape[2] == 3
    for images in parts:
        for start in range(0, len(images), CHUNK):
            chunk = np.asarray(images[start : start + CHUNK])
            digests |= {hashlib.sha256(image.data).digest() for image in chunk}
            grey = grey and bool((chunk == chunk[..., :1]).all())
    copies = count - len(digests)
    if copies > COPIES_SHARE * count:
        are = "image is a copy of another" if copies == 1 else "images are copies of others"
        said.append(f"{copies:,} {are}, pixel by pixel")
    if grey:
        said.append("all images are grey: --image_channels=1 makes smaller networks")
    if data.train_labels is not None:
        held_out = [] if data.test_labels is None else [data.test_labels]
        counts = np.bincount(np.concatenate([data.train_labels, *held_out]))
        if counts.max() > UNEQUAL * counts.min():
            least, most = (data.class_names[i] for i in (counts.argmin(), counts.argmax()))
            said.append(f"class {most} has {counts.max():,} images, {least} has {counts.min():,}")
    return said
