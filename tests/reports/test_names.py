"""Names of runs that no font, no encoding and no terminal can show."""

import os

import pytest

from gan.reports import plots, reference_curves

NAMES = [os.fsdecode(b"caf\xe9"), "a\x1b[31m\nb", "m$x_1$^{"]


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.filterwarnings("error")
def test_any_name_can_stand_in_a_legend(name, tmp_path):
    bands = reference_curves.load_references()["mlp"].bands
    plots.write_comparison(tmp_path / "a.png", bands, {name: {"loss/d": {1000: 1.0}}})
    assert (tmp_path / "a.png").stat().st_size > 10_000
