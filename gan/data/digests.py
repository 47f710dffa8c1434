"""What data are, wherever they lie: digests of arrays."""

from __future__ import annotations

import hashlib

from gan.lazy import np


def array_digest(*arrays: np.ndarray | None) -> str:
    """Returns the SHA-256, 64 hexadecimal digits, of arrays of numbers or of bytes, in order.

    It depends on their types, shapes and values, and on which of them are None. An array of
    objects holds bytes objects.
    """
    sha256 = hashlib.sha256()
    for array in arrays:
        if array is None:
            sha256.update(b"none\0")
            continue
        sha256.update(f"{array.dtype.str} {array.shape}\0".encode())
        if array.dtype == object:
            for item in array.ravel():
                sha256.update(b"%d\0" % len(item) + item)
        else:
            sha256.update(np.ascontiguousarray(array).data)
    return sha256.hexdigest()
