import pytest

from gan.training import timing as clock_module
from gan.training.timing import Timer


def test_seconds_add_up_by_task_also_when_a_block_raises(monkeypatch):
    now = iter([0.0, 2.0, 5.0, 5.5, 10.0, 11.0])
    monkeypatch.setattr(clock_module.time, "perf_counter", lambda: next(now))
    timer = Timer()
    with timer("steps"):
        pass
    with timer("records"):
        pass
    with pytest.raises(KeyError), timer("steps"):
        raise KeyError
    assert timer.seconds == {"steps": 3.0, "records": 0.5}
    assert str(timer) == "steps 3.0 s, records 0.5 s"
