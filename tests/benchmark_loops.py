"""Loops of the benchmark's tests, for processes that need not import TensorFlow to have them."""

import os
import signal


def missing(images):
    """Needs a framework that is not installed."""
    raise ImportError("No module named 'other'")


def wrong(images):
    """Cannot be made."""
    raise ValueError("a product\n  of other sizes")


def dying(images):
    """Does what it is asked for, and then ends as Triton's beside TensorFlow does."""
    done = []

    def run(steps):
        done.append(steps)
        if len(done) == 3:
            os.kill(os.getpid(), signal.SIGSEGV)
        return float(images.sum()), float(sum(done))

    return run


def same_time(names, order=1):
    """Returns a loop that waits for the other one: neither is done before both have begun."""
    first, second = (os.open(name, os.O_RDWR) for name in names[::order])

    def run(steps):
        os.write(first, b".")
        assert os.read(second, 1) == b"."
        return steps / 50

    return run
