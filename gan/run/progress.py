"""What a long task says of itself now and then: how far it is, and the time left."""

import time
from collections.abc import Callable


class Progress:
    """Says now and then how long something takes that is done item by item."""

    def __init__(
        self, what: str, count: int, print_fn: Callable[[str], None], seconds: float
    ) -> None:
        """Begins.

        Args:
            what: The items are, in words.
            count: Of them, those that are done already left out.
            print_fn: Is told in one line.
            seconds: Between two lines, at least; the first comes as late, and none at the end.
        """
        self.what, self.count, self.print_fn, self.seconds = what, count, print_fn, seconds
        self.began = self.told = time.monotonic()

    def __call__(self, done: int, before: int = 0) -> None:
        """Takes how many items are done, after some `before`."""
        done += before
        if (now := time.monotonic()) - self.told < self.seconds or done >= self.count:
            return
        self.told = now
        left = (now - self.began) / done * (self.count - done)
        self.print_fn(f"{self.what}: {done:,} of {self.count:,}, {in_words(left)} left")


def in_words(seconds: float) -> str:
    """Returns a time in words."""
    return f"{seconds / 60:.0f} min" if seconds > 90 else f"{seconds:.0f} s"
