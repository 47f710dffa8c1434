"""What Matplotlib cannot draw: said in a line, and never the end of a training or of a page."""

import contextlib
import warnings
from collections.abc import Iterator

from gan.errors import CannotDraw


@contextlib.contextmanager
def drawing(picture: object) -> Iterator[None]:
    """Draws a picture in the block, of any finite numbers.

    Raises:
        CannotDraw: Names the picture. What Matplotlib raises depends on where it loses its way:
            1e308 and -1e308 make a ValueError, an OverflowError or NumPy's LinAlgError.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # NumPy's of overflows, Matplotlib's of missing glyphs
            yield
    except (OSError, MemoryError):  # a full disk, or memory: not for the numbers
        raise
    except Exception as error:
        text = " ".join(str(error).split())
        reason = f"{type(error).__name__}: {text}" if text else type(error).__name__
        raise CannotDraw(f"{picture}: cannot be drawn ({reason})") from error
