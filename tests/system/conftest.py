"""What tests of several files of this folder need."""

import pytest


@pytest.fixture
def fewer_samples(monkeypatch):
    """A fifth of the samples that somebody asks for: 10,000 become 2,000, which have floors too."""
    from gan.sampling import drawing

    draw = drawing.sample_for_evaluation
    monkeypatch.setattr(
        drawing, "sample_for_evaluation", lambda model, data, count: draw(model, data, count // 5)
    )
