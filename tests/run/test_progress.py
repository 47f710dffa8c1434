"""A long task tells the time that is left."""

import pytest

from gan.run import progress


def test_progress_tells_the_time_that_is_left_now_and_then(monkeypatch):
    said = []
    clock = iter([0.0, 59.0, 61.0, 100.0, 130.0, 200.0])
    monkeypatch.setattr(progress.time, "monotonic", lambda: next(clock))
    advance = progress.Progress("samples", 10_000, said.append, 60.0)
    for done in (500, 1000, 1500):
        advance(done)
    advance(1000, before=8000)
    advance(10_000)
    assert said == [
        "samples: 1,000 of 10,000, 9 min left",  # 61 s for a tenth
        "samples: 9,000 of 10,000, 14 s left",  # 130 s for nine
    ]


@pytest.mark.parametrize(("seconds", "words"), [(0.4, "0 s"), (89.6, "90 s"), (150, "2 min")])
def test_times_in_words(seconds, words):
    assert progress.in_words(seconds) == words
