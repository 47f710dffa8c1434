import io
import os
import socket

import pytest

from gan.run import files
from gan.run.files import AtMost, BadFile

PIPE, DEVICE = "Is a pipe, must be a file", "Is a device, must be a file"


@pytest.fixture
def place(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)  # a socket's name must be short
    os.mkfifo("pipe")
    with socket.socket(socket.AF_UNIX) as one:
        one.bind("socket")
    for name, target in (("zeros", "/dev/zero"), ("null", "/dev/null"), ("to_pipe", "pipe")):
        os.symlink(target, name)
    os.symlink("file", "to_file")
    (tmp_path / "directory").mkdir()
    (tmp_path / "file").write_bytes(b"content")
    with open("sparse", "wb") as file:
        file.truncate(2**40)
    return tmp_path


@pytest.mark.parametrize("read", [files.read_bytes, files.read_text])
@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("pipe", PIPE), ("to_pipe", PIPE), ("zeros", DEVICE), ("null", DEVICE),
        ("socket", "Is a socket, must be a file"), ("directory", "Is a directory"),
        ("sparse", "Has 1,099,511,627,776 bytes, must be at most "),
    ],
)  # fmt: skip
def test_what_is_no_regular_file_is_not_opened(read, name, reason, place):
    with pytest.raises(BadFile) as error:
        read(place / name)
    assert error.value.strerror.startswith(reason)
    assert error.value.filename == str(place / name)


def test_links_to_files_are_read_and_so_much_as_is_let(place):
    assert files.read_text(place / "to_file") == "content"
    assert files.read_bytes(place / "file", 7) == b"content"
    with pytest.raises(BadFile, match="Has 7 bytes, must be at most 6"):
        files.read_bytes(place / "file", 6)
    with pytest.raises(FileNotFoundError):
        files.read_bytes(place / "nowhere")


def test_a_file_that_says_it_is_empty_is_read_to_the_bound_only():
    """Those of the system do."""
    assert os.stat("/proc/self/maps").st_size == 0
    assert files.read_bytes("/proc/self/maps")
    with pytest.raises(BadFile, match="holds more than 9 bytes"):
        files.read_bytes("/proc/self/maps", 9)


def test_of_a_stream_no_more_is_read_than_is_let():
    for most in (5, 6):
        assert AtMost(io.BytesIO(b"12345"), most).read() == b"12345"
    stream = io.BytesIO(b"12345" * 1000)
    with pytest.raises(ValueError, match="holds more than 4 bytes"):
        AtMost(stream, 4).read()
    assert stream.tell() == 5
    parts = AtMost(io.BytesIO(b"12345"), 4)
    assert parts.read(3) == b"123"
    with pytest.raises(ValueError, match="holds more than 4 bytes"):
        parts.read(3)
