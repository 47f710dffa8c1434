import threading

import pytest

from gan.data.time_limit import GivenUp, run_unless


def test_work_that_is_not_given_up_returns_or_raises():
    assert run_unless(lambda: False, lambda: 3) == 3
    with pytest.raises(KeyError, match="x"):
        run_unless(lambda: False, lambda: {}["x"])


def test_work_is_given_up_while_it_goes_on():
    asked, gate = [], threading.Event()

    def given_up():
        asked.append(1)
        return len(asked) == 3

    with pytest.raises(GivenUp):
        run_unless(given_up, gate.wait)
    assert len(asked) == 3
    gate.set()
