"""What is printed: in one piece, whatever the names in it and wherever it goes."""

import contextlib
import errno
import os
import sys
import unicodedata
from collections.abc import Iterator
from typing import TextIO

from gan.lazy import anonymous_file

# Characters that would break a line, move the cursor, or that no terminal can show.
ESCAPED = {"Cc", "Cf", "Cs", "Zl", "Zp"}
GONE = (errno.EPIPE, errno.ENOSPC, errno.EIO, errno.EBADF)  # of a stream: nobody reads, no room


def printable(text: str) -> str:
    r"""Returns a line with escapes for what no line may hold: control characters, line breaks.

    Bytes of a file's name that are not UTF-8, which Python keeps as surrogates, become \xe9 and
    the like.
    """
    if text.isprintable():
        return text
    return "".join(escaped(c) if unicodedata.category(c) in ESCAPED else c for c in text)


def escaped(character: str) -> str:
    """Returns the escape of a character."""
    if "\udc80" <= character <= "\udcff":
        return f"\\x{ord(character) - 0xDC00:02x}"
    return character.encode("unicode_escape").decode()


def shown(line: str, stream: TextIO) -> str:
    """Returns a line as a stream can print it; what its encoding lacks is escaped."""
    encoding = getattr(stream, "encoding", None) or "utf-8"
    return printable(line).encode(encoding, "backslashreplace").decode(encoding)


def say(*lines: str, to_stderr: bool = False) -> None:
    """Prints lines, as far as there is anything to print to.

    Raises:
        OSError: Nobody reads any more, or there is no room.
    """
    stream = sys.stderr if to_stderr else sys.stdout
    if stream is None:  # closed when Python started
        return
    print("\n".join(shown(line, stream) for line in lines), file=stream, flush=True)


def occupy() -> None:
    """Gives the null device to standard streams that are closed (``>&-``).

    Their numbers would go to the next files that are opened, and what libraries print into them.
    """
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:  # the lowest number that is free
            os.set_inheritable(os.open(os.devnull, os.O_RDWR), True)
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:
            drop(name)


@contextlib.contextmanager
def kept_stderr() -> Iterator[list[bytes]]:
    """Keeps what is written to file descriptor 2 in the block, by libraries in C too.

    Yields:
        A list that holds it after the block.
    """
    occupy()
    sys.stderr.flush()
    said: list[bytes] = []
    saved = os.dup(2)
    try:
        with anonymous_file() as kept:
            os.dup2(kept.fileno(), 2)
            try:
                yield said
            finally:
                os.dup2(saved, 2)
                kept.seek(0)
                said.append(kept.read())
    finally:
        os.close(saved)


def drop(name: str) -> None:
    """Lets nothing more go to "stdout" or "stderr", not even what Python held back for its end."""
    setattr(sys, name, open(os.devnull, "w"))  # noqa: SIM115
