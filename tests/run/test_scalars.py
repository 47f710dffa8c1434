"""The words that TensorBoard and the documentation have for each number."""

import re

import pytest

from gan.algorithm.auxiliary import AUXILIARY_METRICS
from gan.algorithm.step import ADA_METRICS, FINITE, STEP_METRICS
from gan.evaluation.better import BETTER, better
from gan.evaluation.metrics.table import INCEPTION_METRICS, METRICS
from gan.run import scalars
from support import ROOT

OF_THE_LOOP = {"time/steps_per_second", "memory/peak_mb", "collapse/signs"}


def test_every_scalar_of_training_has_words_and_no_other():
    logged = {*STEP_METRICS, *ADA_METRICS, *AUXILIARY_METRICS, *FINITE, *OF_THE_LOOP}
    assert set(scalars.SCALARS) == logged


def test_every_metric_has_words_and_no_other():
    known = {*METRICS, *INCEPTION_METRICS, *BETTER}
    assert set(scalars.METRICS) == known
    assert scalars.of_metric("fid_inception_10k") == scalars.METRICS["fid"]
    assert scalars.of_metric("mine") == ""


@pytest.mark.parametrize("name", sorted(scalars.METRICS))
def test_the_words_say_which_way_a_metric_is_better(name):
    said = re.findall("(lower|higher) is better", scalars.METRICS[name])
    asked = better(f"{name}_inception_10k" if name == "fid" else name)
    assert said == ([] if asked == "real" else [asked])


def test_the_documentation_has_the_same_table():
    text = (ROOT / "docs/run-directory.md").read_text().partition("## Scalars")[2]
    rows = re.findall(r"(?m)^\| `([a-z_/]+)` \| (.*) \|$", text.partition("\n## ")[0])
    assert rows == list(scalars.SCALARS.items())
