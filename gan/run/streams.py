"""What is printed: in one piece, whatever the names in it and wherever it goes.

A command says its result on stdout: tables, paths of what it wrote, numbers. All else goes to
stderr: progress, warnings, errors.
"""

import errno
import os
import sys
import threading
import unicodedata
from typing import TextIO

from gan.lazy import KEPT_FROM

# Characters that would break a line, move the cursor, or that no terminal can show.
ESCAPED = {"Cc", "Cf", "Cs", "Zl", "Zp"}
ERASE = "\r\x1b[K"  # the line that the cursor is in
GONE = (errno.EPIPE, errno.ENOSPC, errno.EIO, errno.EBADF)  # of a stream: nobody reads, no room


_lock = threading.RLock()
_painted = False  # whether the cursor is behind what `paint` has shown


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


def shown(line: str, stream: TextIO | None) -> str:
    """Returns a line as a stream can print it; what its encoding lacks is escaped."""
    encoding = getattr(stream, "encoding", None) or "utf-8"
    return printable(line).encode(encoding, "backslashreplace").decode(encoding)


def say(*lines: str) -> None:
    """Prints lines of a command's result, as far as there is anything to print to.

    Raises:
        OSError: Nobody reads any more, or there is no room.
    """
    stream = sys.stdout
    if stream is None:  # closed when Python started
        return
    print("\n".join(shown(line, stream) for line in lines), file=stream, flush=True)


def tell(*lines: str) -> None:
    """Prints lines of progress, a warning or an error on stderr, above what `paint` has there.

    Where nobody reads them the work goes on in silence: they are not its result.
    """
    global _painted
    text = "".join(f"{shown(line, sys.stderr)}\n" for line in lines)
    with _lock:
        write_stderr(ERASE * _painted + text)
        _painted = False


def paint(text: str) -> None:
    """Shows a text in the last line of the terminal, instead of the one before; "": none."""
    global _painted
    with _lock:
        write_stderr(ERASE * _painted + text)
        _painted = bool(text)


def write_stderr(text: str) -> None:
    """Writes to the user's stderr, also where `lazy.silenced` keeps libraries from it.

    In a notebook it is stdout: there stderr is coloured as if all of it were errors.
    """
    if sys.stderr is None:  # closed when Python started
        return
    if type(sys.stderr).__module__.startswith("ipykernel"):
        print(text, end="", flush=True)
        return
    try:
        if (number := shown_number()) == fileno(sys.stderr):
            print(text, end="", file=sys.stderr, flush=True)
        else:
            encoding = sys.stderr.encoding
            with open(number, "w", encoding=encoding, newline="", closefd=False) as stream:
                stream.write(text)
    except OSError:  # nobody reads, or there is no room
        drop("stderr")


def shown_number() -> int:
    """Returns the file descriptor of the user's stderr, -1 where Python code has replaced it."""
    number = fileno(sys.stderr)
    return KEPT_FROM[0] if KEPT_FROM and number == 2 else number


def fileno(stream: TextIO) -> int:
    """Returns the file descriptor of a stream, -1 if it has none."""
    try:
        return stream.fileno()
    except (OSError, ValueError, AttributeError):  # of a notebook; closed
        return -1


def is_terminal() -> bool:
    """Returns whether the user's stderr is a terminal on which a line can be rewritten."""
    if sys.stderr is None or os.environ.get("TERM", "dumb") in ("", "dumb", "unknown"):
        return False
    number = shown_number()
    return sys.stderr.isatty() if number == fileno(sys.stderr) else os.isatty(number)


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


def drop(name: str) -> None:
    """Lets nothing more go to "stdout" or "stderr", not even what Python held back for its end."""
    setattr(sys, name, open(os.devnull, "w"))  # noqa: SIM115
