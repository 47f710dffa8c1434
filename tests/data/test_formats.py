"""Files that unpack to more than they may: found by their headers, before memory is taken."""

import gzip
import io
import os
import struct
import tarfile
import zipfile
import zlib

import numpy as np
import pytest
from PIL import Image

from gan.data import formats
from gan.data.formats import open_npz
from gan.errors import UserError
from gan.evaluation import image_files

GIGABYTES = 3_000_000_000


def npy(shape, dtype, data, version=(1, 0)):
    """An array of which only so much data is there."""
    file = io.BytesIO()
    about = {"shape": shape, "fortran_order": False, "descr": np.dtype(dtype).str}
    write = {(1, 0): np.lib.format.write_array_header_1_0,
             (2, 0): np.lib.format.write_array_header_2_0}[version]  # fmt: skip
    write(file, about)
    return file.getvalue() + data


def npz(path, **members):
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(f"{name}.npy", content)
    return path


LONG_HEADER = b"\x93NUMPY\x02\x00" + struct.pack("<I", 1_000_000) + b" " * 1_000_000


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (npy((GIGABYTES,), "u1", b""), "3,000,000,000 bytes; all arrays together may have 100"),
        (npy((GIGABYTES,), "u1", b"", (2, 0)), "3,000,000,000 bytes; all arrays together"),
        (npy((10, 11), "u1", bytes(110)), r"is uint8 \[10, 11\], 110 bytes"),
        (npy((20,), "f8", bytes(160)), r"is float64 \[20\], 160 bytes"),
        (npy((1,), "S1000", bytes(1000)), "1,000 bytes"),
        (npy((50,), "u1", bytes(20)), "EOF"),
        (LONG_HEADER, "EOF"),
        (b"\x93NUMPY\x03\x00", "version 3 of NumPy's format"),
    ],
)
def test_an_array_of_an_npz_file_has_no_more_than_it_may(content, reason, tmp_path):
    path = npz(tmp_path / "a.npz", images=content)
    with open_npz(path, 100) as file, pytest.raises(ValueError, match=reason):
        file["images"]


def test_all_arrays_together_have_no_more_and_what_is_let_is_read(tmp_path):
    arrays = {"a": np.arange(50, dtype=np.uint8), "b": np.arange(7, dtype=np.int64)}
    for save in (np.savez, np.savez_compressed):
        save(tmp_path / "a.npz", **arrays)
        with open_npz(tmp_path / "a.npz", 106) as file:
            assert file.files == ["a", "b"]
            assert all(np.array_equal(file[name], arrays[name]) for name in arrays)
            with pytest.raises(KeyError, match="c is not a file in the archive"):
                file["c"]
        with open_npz(tmp_path / "a.npz", 105) as file:
            assert file["a"].size == 50
            with pytest.raises(ValueError, match=r"b is int64 \[7\], 56 bytes; all .* have 105"):
                file["b"]


@pytest.mark.parametrize("packed", [True, False])
def test_an_idx_file_is_unpacked_as_far_as_its_data_set_goes(packed, tmp_path, monkeypatch):
    monkeypatch.setattr(formats, "HEADER", 8)
    write = gzip.compress if packed else bytes
    header = b"\x00\x00\x08\x01" + struct.pack(">I", 100)
    path = tmp_path / "a"
    path.write_bytes(write(header + bytes(100)))
    assert formats.read_idx(path, 100).shape == (100,)
    path.write_bytes(write(header + bytes(10**7)))
    with pytest.raises(ValueError, match="holds more than 108 bytes"):
        formats.read_idx(path, 100)


@pytest.mark.parametrize("kind", [tarfile.REGTYPE, tarfile.XHDTYPE, tarfile.GNUTYPE_LONGNAME])
def test_no_member_of_a_tar_file_is_larger_than_the_data_set(kind, tmp_path, monkeypatch):
    """Also those that hold names and the like, which Python reads at once."""
    monkeypatch.setattr(formats, "HEADER", 64)
    path = tmp_path / "a.tar.gz"
    with tarfile.open(path, "w:gz", format=tarfile.GNU_FORMAT) as archive:
        member = tarfile.TarInfo("data_batch_1.bin")
        member.size, member.type = 10_000_000, kind
        archive.fileobj.write(member.tobuf(tarfile.GNU_FORMAT))
        archive.fileobj.write(bytes(10_000_384))
    with pytest.raises(ValueError, match="holds more than 31,754 bytes"):
        formats.read_cifar_archive(path, 10 * formats.CIFAR_RECORD)


READERS = [formats.read_npz, formats.read_nameless_npz, formats.read_idx,
           formats.read_cifar_archive, formats.read_cifar_file]  # fmt: skip


@pytest.mark.parametrize("read", READERS)
def test_a_pipe_is_not_waited_for(read, tmp_path):
    os.mkfifo(tmp_path / "data_batch_1.bin")
    with pytest.raises(OSError, match="Is a pipe, must be a file"):
        read(tmp_path / "data_batch_1.bin", 100)


def test_samples_of_gigabytes_are_refused_by_their_header(tmp_path):
    path = npz(tmp_path / "a.npz", images=npy((GIGABYTES // 784, 28, 28), "u1", b""))
    with pytest.raises(UserError, match=r"is not an npz file of images \(images is uint8 \[3826"):
        image_files.read_samples(path, (28, 28, 1))


def test_pictures_among_samples_that_are_too_large_or_none_are_named(tmp_path, monkeypatch):
    monkeypatch.setattr(image_files, "LEAST_IMAGES", 1)
    picture = tmp_path / "a.png"
    for side, reason in ((15_000, "has 15,000 x 12,001 pixels"), (30_000, "Image size")):
        monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 10**8)  # twice as many are an error
        about = b"IHDR" + struct.pack(">IIBBBBB", side, 12_001, 1, 0, 0, 0, 0)
        crc = struct.pack(">I", zlib.crc32(about))
        picture.write_bytes(b"\x89PNG\r\n\x1a\n\0\0\0\r" + about + crc + bytes(4) + b"IDAT")
        with pytest.raises(UserError, match=rf"a\.png: cannot be read \({reason}"):
            image_files.read_samples(tmp_path, (28, 28, 1))
    picture.unlink()
    os.mkfifo(picture)
    with pytest.raises(UserError, match=r"a\.png: cannot be read \(Is a pipe, must be a file\)"):
        image_files.read_samples(tmp_path, (28, 28, 1))
