import hashlib

import numpy as np
import pytest

from gan.data.digests import array_digest


def test_a_digest_is_the_sha_256_of_types_shapes_and_bytes():
    array = np.arange(6, dtype=np.uint8).reshape(2, 3)
    assert (
        array_digest(array, None)
        == hashlib.sha256(b"|u1 (2, 3)\0" + bytes(range(6)) + b"none\0").hexdigest()
    )
    assert array_digest(array[:, ::-1]) == array_digest(array[:, ::-1].copy())


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ([np.zeros((2, 3), np.uint8)], [np.zeros((3, 2), np.uint8)]),
        ([np.zeros(8, np.uint8)], [np.zeros(1, np.int64)]),
        ([np.zeros(2, np.uint8), None], [None, np.zeros(2, np.uint8)]),
        ([np.array([b"a", b"bc"], object)], [np.array([b"ab", b"c"], object)]),
        ([np.array([b"a", b"b"], object)], [np.array([b"b", b"a"], object)]),
    ],
)
def test_what_differs_has_another_digest(one, other):
    assert array_digest(*one) != array_digest(*other)
