import threading

import pytest

from gan.waiting import GivenUp, unless


def test_work_that_is_not_given_up_returns_or_raises():
    assert unless(lambda: False, lambda: 3) == 3
    with pytest.raises(KeyError, match="x"):
        unless(lambda: False, lambda: {}["x"])


def test_work_is_given_up_while_it_goes_on():
    asked, gate = [], threading.Event()

    def given_up():
        asked.append(1)
        return len(asked) == 3

    with pytest.raises(GivenUp):
        unless(given_up, gate.wait)
    assert len(asked) == 3
    gate.set()
