"""The signs of collapse, on records made by hand and on runs that really collapse."""

import json
import re
from collections import deque

import numpy as np
import pytest

from gan.evaluation.metrics.classes import expected_classes
from gan.run import advice, jsonl
from gan.run.config import Config
from gan.training import collapse
from gan.training.checks import has_log_odds
from support import ROOT, call


def record(kimg, real=0.7, fake=0.7, gap=0.5):
    return {
        "step": int(kimg / 0.256),
        "kimg": kimg,
        "accuracy/real": real,
        "accuracy/fake": fake,
        "logits/real": gap / 2,
        "logits/fake": -gap / 2,
    }


def evaluation(step, fcd, coverage, classes=10):
    metrics = {"fcd": fcd, "coverage": coverage, "classes": classes}
    return {"step": step, "kimg": step * 0.256, "metrics": metrics, "class_counts": [0] * 10}


def span(**changes):
    """Records of the last 256 kimg, and what came before."""
    healthy = [record(25.6 * i) for i in range(1, 11)]
    return healthy + [record(256 + 25.6 * i, **changes) for i in range(1, 11)]


def test_healthy_records_raise_nothing():
    assert collapse.collapse_signs([], []) == {}
    assert collapse.collapse_signs(span(), [evaluation(i, 5 / i, 0.7) for i in range(1, 9)]) == {}
    # The first hundred steps of every run: D wins, and that is normal.
    assert collapse.collapse_signs([record(25.6, 1.0, 1.0, 7.5)], []) == {}
    assert collapse.collapse_signs([record(5.0 * i, 1.0, 1.0, 7.5) for i in range(1, 52)], []) == {}


def test_a_discriminator_that_has_won():
    won = {"real": 0.995, "fake": 1.0, "gap": 6.5}
    found = collapse.collapse_signs(span(**won), [])
    assert list(found) == ["discriminator_won"]
    assert "logit gap at least 6.5" in found["discriminator_won"]
    for change in ({"real": 0.98}, {"fake": 0.98}, {"gap": 5.9}):
        assert collapse.collapse_signs(span(**{**won, **change}), []) == {}
    for position in (-1, -5, -10):  # one record that says otherwise is enough
        records = span(**won)
        records[position] = record(records[position]["kimg"], 0.9, 1.0, 7)
        assert collapse.collapse_signs(records, []) == {}
    records = span(**won)
    records[9] = record(records[9]["kimg"], 0.5, 0.5, 0)  # before the span
    assert list(collapse.collapse_signs(records, [])) == ["discriminator_won"]


def test_a_discriminator_that_tells_nothing():
    dead = {"real": 0.1, "fake": 0.94, "gap": 0.04}
    assert list(collapse.collapse_signs(span(**dead), [])) == ["discriminator_dead"]
    assert list(collapse.collapse_signs(span(**{**dead, "gap": -3}), [])) == ["discriminator_dead"]
    for change in ({"real": 0.11}, {"gap": 0.06}):
        assert collapse.collapse_signs(span(**{**dead, **change}), []) == {}


def test_two_records_are_too_few():
    won = [record(1000.0, 1, 1, 9), record(1100.0, 1, 1, 9), record(1200.0, 1, 1, 9)]
    assert collapse.collapse_signs(won[1:], []) == {}
    assert list(collapse.collapse_signs(won, [])) == ["discriminator_won"]


@pytest.mark.parametrize(
    ("evaluations", "flagged"),
    [
        ([(9, 0.5, 10), (20, 0.05, 10), (30, 0.04, 10)], True),  # fell into few modes
        ([(9, 0.5, 10), (20, 0.5, 5), (30, 0.5, 4)], True),  # half of the classes are gone
        ([(9, 0.5, 10), (20, 0.5, 6), (30, 0.5, 6)], False),
        ([(9, 0.5, 10), (20, 0.05, 10), (30, 0.11, 10)], False),  # recovers
        ([(9, 0.5, 10), (20, 0.12, 10), (30, 0.04, 10)], False),  # once may be an accident
        ([(900, 0, 1), (700, 0, 1), (500, 0, 1)], False),  # slow, but on its way
        ([(900, 0, 1), (880, 0, 1), (870, 0, 1)], True),  # not even that
        ([(900, 0, 1), (800, 0, 1)], False),  # progress needs something to compare with
    ],
)
def test_mode_collapse(evaluations, flagged):
    evaluations = [evaluation(1000 * i, *e) for i, e in enumerate(evaluations, 1)]
    assert ("mode_collapse" in collapse.collapse_signs(span(), evaluations)) == flagged


def test_few_classes_are_few_of_those_that_the_data_have():
    """Labels may have gaps: two of the ten that are counted are all there are."""
    all_of_two = [evaluation(1000 * i, 20, 0.5, 2) for i in range(1, 5)]
    assert "mode_collapse" in collapse.collapse_signs(span(), all_of_two)
    all_of_two = [e | {"real_classes": 2} for e in all_of_two]
    assert "mode_collapse" not in collapse.collapse_signs(span(), all_of_two)


def test_few_classes_are_few_of_those_that_as_many_real_images_have():
    """3,000 classes of 20 images: 2,000 real images have 1,460 of them."""
    labels = np.repeat(np.arange(3000), 20)
    expected = expected_classes(labels, 2000)
    drawn = np.random.default_rng(0).choice(labels, (200, 2000))
    assert expected == pytest.approx(np.mean([len(np.unique(some)) for some in drawn]), rel=2e-3)
    about = {"real_classes": 3000, "expected_classes": expected, "class_counts": [1] * 3000}
    for found, flagged in ((1460, False), (740, False), (720, True)):
        evaluations = [{**evaluation(i, 9.0, 0.9, found), **about} for i in range(1, 4)]
        assert ("mode_collapse" in collapse.collapse_signs([], evaluations)) == flagged


def test_data_without_classes_are_judged_by_coverage():
    def without(step, fcd, coverage):
        return {"step": step, "kimg": step, "metrics": {"fcd": fcd, "coverage": coverage}}

    few = [without(1, 9, 0.5), without(2, 20, 0.05), without(3, 30, 0.04)]
    text = collapse.collapse_signs([], few)["mode_collapse"]
    assert text.endswith("no progress (coverage 0.04, FCD 30.0)")
    for change in (without(2, 20, 0.12), without(2, 8, 0.05)):  # modes, progress
        assert collapse.collapse_signs([], [few[0], change, few[2]]) == {}
    half = {**few[1], "metrics": {**few[1]["metrics"], "classes": 10}}  # and no counts of them
    assert collapse.collapse_signs([], [few[0], half, few[2]]) == {}


def test_history_says_when_each_sign_came_first():
    records = [
        *(record(25.6 * i) for i in range(1, 21)),
        *(record(25.6 * i, 1, 1, 9) for i in range(21, 51)),
    ]
    evaluations = [evaluation(s, f, c) for s, f, c in ((1000, 9, 0.5), (2000, 20, 0), (3000, 30, 0),
                                                       (4000, 40, 0))]  # fmt: skip
    assert collapse.first_signs(records, evaluations) == {
        "discriminator_won": 3000,
        "mode_collapse": 3000,
    }
    assert collapse.first_signs(records[:29], evaluations) == {}
    assert collapse.first_signs([], []) == {}


def test_a_dense_log_costs_no_more(monkeypatch):
    """Each record of batches of 8: rules on all of them took longer than the training."""
    dense = [record(0.008 * i, 0.7) for i in range(1, 40_001)]
    dense += [record(320 + 0.008 * i, 1, 1, 9) for i in range(1, 40_001)]
    looked_at, rules = [], collapse.collapse_signs

    def looking(records, *more):
        looked_at.append([r["kimg"] for r in records])
        return rules(records, *more) if len(looked_at) % 500 == 0 else {}

    monkeypatch.setattr(collapse, "collapse_signs", looking)
    # 256 kimg, and the rest of the interval of 2.56 kimg in which D began to win.
    assert collapse.first_signs(dense, []) == {"discriminator_won": int(576 / 0.256)}
    assert len(looked_at) == 80_000
    assert max(map(len, looked_at)) <= 102
    last = looked_at[-1]
    assert (last[0], last[-1]) == (pytest.approx(640 - 256 + 0.008, abs=2.56), 640)
    assert np.diff(last) == pytest.approx(2.56, abs=0.0081)


COLLAPSES = {
    "discriminator_won": ("--d_learning_rate=0.01", "--g_learning_rate=1e-6"),
    "discriminator_dead": ("--d_learning_rate=1e-12", "--g_learning_rate=0.001"),
    "mode_collapse": ("--latent_dim=1",),
}


@pytest.mark.parametrize("sign", COLLAPSES)
def test_a_real_collapse_stops_the_run(sign, tmp_path, monkeypatch, capsys):
    run_dir = tmp_path / "run"
    every = 600 if sign == "mode_collapse" else 0
    status = call(
        monkeypatch, "--preset=tiny", "--steps=12000", *COLLAPSES[sign],
        f"--evaluate_every={every}", "--sample_every=5000", "--on_collapse=stop",
        f"--run_dir={run_dir}",
    )  # fmt: skip
    said = capsys.readouterr()
    assert status == 1, said.err
    assert said.err.splitlines()[-1].startswith("error: collapsed at step ")
    assert said.out == ""
    summary = json.loads((run_dir / "summary.json").read_text())
    assert summary["status"] == "stopped"
    assert summary["collapse"] == {sign: summary["step"]}
    assert (run_dir / f"checkpoints/step-{summary['step']}.index").exists()
    assert f"warning: {sign} at step {summary['step']}: " in said.err
    last = jsonl.read_records(run_dir / "metrics.jsonl")[-1]
    assert (last["step"], last["collapse/signs"]) == (summary["step"], 1)


@pytest.mark.slow
@pytest.mark.parametrize("preset", ["cgan", "acgan"])
def test_presets_with_labels_keep_classes_diverse(preset, tmp_path, monkeypatch):
    """Not below 0.1, as with embeddings of labels that are as long as latents at first."""
    run_dir = tmp_path / "run"
    status = call(
        monkeypatch, f"--preset={preset}", "--batch_size=64", "--steps=500",
        "--evaluate_every=500", "--sample_every=500", f"--run_dir={run_dir}",
    )  # fmt: skip
    assert status == 0
    (record,) = jsonl.read_records(run_dir / "evaluations.jsonl")
    assert 0.4 < record["metrics"]["class_diversity"] < 1.2


def test_the_rules_on_d_are_for_logits_that_are_log_odds():
    """A healthy relativistic run under R1 and R2 has tiny logits and an accuracy of one half."""
    dead, won = ({"real": r, "fake": r, "gap": g} for r, g in ((0.5, 0.02), (1.0, 8.0)))
    for values in (dead, won):
        assert len(collapse.collapse_signs(span(**values), [])) == 1
        assert collapse.collapse_signs(span(**values), [], log_odds=False) == {}
        assert collapse.first_signs(span(**values), [], log_odds=False) == {}
    few = [evaluation(i, 5.0, 0.01) for i in range(1, 5)]
    assert list(collapse.collapse_signs([], few, log_odds=False)) == ["mode_collapse"]
    assert has_log_odds(Config())
    assert has_log_odds(Config(loss="minimax"))
    for changes in ({"loss": "wasserstein"}, {"loss": "relativistic"}, {"penalty": "r1"},
                    {"d_weight_clip": 0.01}):  # fmt: skip
        assert not has_log_odds(Config(**changes))


def test_a_discriminator_of_linear_units():
    """`small` had 0.98 at the end of a run that stayed behind, and 0.15 of the best one."""

    def of_units(*shares):
        found = [evaluation(i, 5 / i, 0.9) for i in range(1, len(shares) + 1)]
        for one, share in zip(found, shares, strict=True):
            one["metrics"]["linear_units"] = share
        return collapse.collapse_signs([], found, log_odds=False)

    found = of_units(0.1, 0.96, 0.912)
    assert found == {
        "discriminator_linear": "91% of the units of a layer of D have one sign for all images, so "
        "D is nearly linear"
    }
    assert list(of_units(0.96, None, 0.96)) == ["discriminator_linear"]
    for shares in ((), (1.0,), (1.0, 0.89), (0.89, 1.0), (1.0, 1.0, 0.3), (None, 1.0)):
        assert of_units(*shares) == {}


def test_what_lacks_a_number_is_passed_over():
    """Of an evaluator of one's own, of a metric that was not finite, or of a run from elsewhere."""
    won = {"real": 1.0, "fake": 1.0, "gap": 9.0}
    for name in ("accuracy/real", "logits/fake"):
        records = span(**won)
        del records[-1][name]
        assert list(collapse.collapse_signs(records, [])) == ["discriminator_won"]
        assert collapse.collapse_signs([{**r, name: None} for r in records], []) == {}
    records = span(**won)
    records[-1] |= {"accuracy/real": 0.5, "grads/d_norm": None}  # of a step that was skipped
    assert list(collapse.collapse_signs(records, [])) == ["discriminator_won"]
    few = [evaluation(i, 5.0, 0.01) for i in range(1, 5)]
    for name in ("fcd", "coverage", "classes"):
        some = [*few, evaluation(5, 5.0, 0.01)]
        some[-1]["metrics"][name] = None
        assert list(collapse.collapse_signs([], some)) == ["mode_collapse"]
        assert collapse.collapse_signs([], [some[-1]] * 5) == {}


def test_each_sign_has_a_row_in_the_readme_and_advice():
    text = (ROOT / "README.md").read_text()
    rows = re.findall(r"(?m)^\| \*\*(.+?)\*\*(.*?) \|", text)
    of_signs = {name: row for row, about in rows for name in re.findall(r"warning: (\w+)", about)}
    assert set(of_signs) == set(collapse.SIGNS)
    for name, row in of_signs.items():
        said = advice.explained(f"collapsed at step 7, saved: {name}: so and so")
        assert said.count(advice.HELPS) == 1
        assert said.endswith(f'(README, "When something is wrong", row "{row}")')
        assert advice.explained(said) == said
    both = "collapsed at step 7, saved: class_collapse: x; discriminator_won: y"
    assert advice.explained(both).count(advice.HELPS) == 2


def test_the_advice_of_errors_is_that_of_the_readme():
    text = (ROOT / "README.md").read_text()
    rows = dict(re.findall(r"(?m)^\| \*\*(.+?)\*\*.*? \| (.+) \|$", text))
    for failure in advice.FAILURES:
        flags = re.findall(r"--[a-z_]+(?:=\w+)?", failure.advice)
        assert flags
        assert all(flag in rows[failure.row] for flag in flags)


def test_a_name_of_a_run_is_no_sign():
    error = "runs/mode_collapse: out of memory at step 3, with --batch_size=9"
    assert advice.explained(error).count(advice.HELPS) == 1
    assert advice.explained("runs/is not finite: is complete") == "runs/is not finite: is complete"


def test_records_of_any_size_are_remembered():
    """Of a metrics.jsonl from elsewhere: nothing less than 256 away can be told apart there."""
    recent = deque()
    for kimg in (1.0, 9e18, 9e18):
        collapse.remember(recent, {"kimg": kimg})
        assert [r["kimg"] for r in recent] == [kimg]
