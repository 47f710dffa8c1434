"""Files that may come from anybody: only regular ones are opened, and only so much is read.

A pipe would be waited for without an end, a device read without one, and a small compressed file
may unpack to more than the machine has.
"""

import errno
import hashlib
import os
import stat
from typing import BinaryIO, Protocol, TypeAlias

AnyPath: TypeAlias = "str | bytes | os.PathLike[str]"

MOST_TEXT = 2**26  # bytes of a config.json, a summary and the like: 64 MB
MOST_BYTES = 2**31  # of anything else in one file, compressed or not: 2 GB
CHUNK = 1 << 20  # bytes

KINDS = (
    (stat.S_ISDIR, errno.EISDIR, os.strerror(errno.EISDIR)),
    (stat.S_ISFIFO, errno.EINVAL, "Is a pipe, must be a file"),
    (stat.S_ISSOCK, errno.EINVAL, "Is a socket, must be a file"),
    (stat.S_ISCHR, errno.EINVAL, "Is a device, must be a file"),
    (stat.S_ISBLK, errno.EINVAL, "Is a device, must be a file"),
)


class BadFile(OSError):
    """What is there is no regular file, or a larger one than is read."""


class Readable(Protocol):
    """What gives bytes in their order."""

    def read(self, size: int, /) -> bytes:
        """Returns the next bytes, at most so many; none at the end."""


class AtMost:
    """A stream of which at most so many bytes are read."""

    def __init__(self, stream: Readable, most: int) -> None:
        self._stream, self._most, self._left = stream, most, most

    def read(self, size: int = -1) -> bytes:
        """Returns the next `size` bytes, or all that are left.

        Raises:
            ValueError: The stream is longer than that.
        """
        if size < 0:
            return b"".join(iter(lambda: self.read(CHUNK), b""))
        data = self._stream.read(min(size, self._left + 1)) or b""  # None: one of /proc waits
        if len(data) > self._left:
            raise ValueError(f"holds more than {self._most:,} bytes")
        self._left -= len(data)
        return data

    def close(self) -> None:
        """Leaves the stream to whoever opened it."""


def check_file(path: AnyPath, most: int = MOST_BYTES) -> None:
    """Refuses what is no regular file, or has more than `most` bytes; links are followed.

    Raises:
        BadFile: Its `strerror` says what it is instead.
        OSError: It is not there, or may not be looked at.
    """
    status = os.stat(path)
    for is_kind, number, text in KINDS:
        if is_kind(status.st_mode):
            raise BadFile(number, text, os.fspath(path))
    if status.st_size > most:
        text = f"Has {status.st_size:,} bytes, must be at most {most:,}"
        raise BadFile(errno.EFBIG, text, os.fspath(path))


def open_file(path: AnyPath, most: int = MOST_BYTES) -> BinaryIO:
    """Returns a regular file, open for reading; raises what `check_file` does."""
    check_file(path, most)
    # Not waiting: of those in /proc some do.
    return os.fdopen(os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC), "rb")


def read_bytes(path: AnyPath, most: int = MOST_BYTES) -> bytes:
    """Returns the content of a regular file.

    Raises:
        BadFile: It is none, or has more than `most` bytes.
        OSError: It cannot be read.
    """
    with open_file(path, most) as file:
        try:
            return AtMost(file, most).read()
        except ValueError as error:  # one of /proc, or it has grown since
            raise BadFile(errno.EFBIG, str(error), os.fspath(path)) from None


def read_text(path: AnyPath, most: int = MOST_TEXT) -> str:
    """Returns the content of a regular file in UTF-8.

    Raises:
        UnicodeDecodeError: It is not in UTF-8; else as `read_bytes`.
    """
    return read_bytes(path, most).decode("utf-8-sig")  # some editors begin a file with a mark


def sha256(path: AnyPath) -> str:
    """Returns the SHA-256 digest of a regular file, see `read_bytes`."""
    return hashlib.sha256(read_bytes(path)).hexdigest()
