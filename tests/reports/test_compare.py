"""Bands of reference runs, and runs that leave them."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from absl import flags

from experiments import reference as making
from experiments.studies import table
from gan.cli import compare
from gan.data.images import read_png
from gan.errors import UserError
from gan.evaluation.features import DIGESTS
from gan.reports import compare as comparison
from gan.reports import plots, reference_curves
from gan.run.config import Config, from_dict
from gan.run.presets import from_preset
from gan.run.reader import History
from gan.run.saved_config import write_config
from gan.training.trainer import train
from support import ROOT, status_of


def records(values, every=100):
    """Records of metrics.jsonl whose losses are the values, all else is constant."""
    constant = dict.fromkeys((*reference_curves.LOGGED, "kimg", "seconds"), 0.5)
    return [{"step": every * (i + 1), **constant, "loss/d": v} for i, v in enumerate(values)]


def test_a_point_is_the_mean_of_a_whole_window():
    curves = reference_curves.curves_of(records(range(25)), [])
    assert curves["loss/d"] == {1000: 4.5, 2000: 14.5}  # 2,500 steps are two windows
    assert curves["fcd"] == {}
    with_gap = records(range(20))
    with_gap[3]["loss/d"] = None  # not finite
    assert reference_curves.curves_of(with_gap, [])["loss/d"][1000] == pytest.approx((45 - 3) / 9)


def test_only_light_evaluations_at_whole_windows_count():
    evaluations = [
        {"step": 1000, "evaluator": "light", "metrics": {"fcd": 5.0}},
        {"step": 1500, "evaluator": "light", "metrics": {"fcd": 4.0}},
        {"step": 2000, "evaluator": "light", "metrics": {"modes": 4.0}},
        {"step": 3000, "source": "evaluate", "metrics": {"fcd": 3.0}},
    ]
    assert reference_curves.curves_of([], evaluations)["fcd"] == {1000: 5.0}


def test_a_band_is_median_and_range_at_common_steps():
    runs = [
        reference_curves.curves_of(records(np.full(n, v)), [])
        for n, v in ((30, 1), (20, 2), (20, 6))
    ]
    band = reference_curves.bands_of(runs)["loss/d"]
    assert band == {"steps": [1000, 2000], "median": [2, 2], "low": [1, 1], "high": [6, 6]}
    assert reference_curves.bands_of(runs)["fcd"]["steps"] == []


@pytest.mark.parametrize(
    ("low", "high", "median", "limits"),
    [
        (1.0, 2.0, 1.5, (-0.5, 3.5)),
        (0.5, 0.5, 0.5, (0.47, 0.53)),  # seeds that agree
        (100.0, 100.5, 100.0, (97.0, 103.5)),  # 2 % of the median
    ],
)
def test_a_band_is_the_range_and_more_on_either_side(low, high, median, limits):
    band = {"low": [low], "high": [high], "median": [median]}
    assert np.ravel(reference_curves.limits_of("loss/d", band)) == pytest.approx(limits)


def test_the_widest_range_of_a_point_and_its_neighbours_counts():
    band = {"low": [0, 4, 5, 5, 5], "high": [5, 5, 5, 5, 6], "median": [5] * 5}
    lows, highs = reference_curves.limits_of("loss/g", band)
    assert lows == pytest.approx([-7.5, -3.5, 3.5, 3.5, 3.5])
    assert highs == pytest.approx([12.5, 12.5, 6.5, 6.5, 7.5])


def test_limits_of_fcd_are_factors():
    band = {"low": [100.0, 2.0, 2.0], "high": [400.0, 2.0, 2.0], "median": [150.0, 2.0, 2.0]}
    lows, highs = reference_curves.limits_of("fcd", band)
    assert lows == pytest.approx([100 / 8, 2 / 8, 2 / 1.1**1.5])  # at least 10 %
    assert highs == pytest.approx([400 * 8, 2 * 8, 2 * 1.1**1.5])


BAND = {"loss/d": {"steps": [1000, 2000, 3000, 4000], "median": [1.0] * 4, "low": [0.925] * 4,
                   "high": [1.075] * 4}}  # fmt: skip


@pytest.mark.parametrize(
    ("values", "step", "until"),
    [
        ([1.0, 1.29, 0.71, 1.0], None, None),
        ([1.0, 1.31, 1.0, 1.31], None, None),  # never twice in a row
        ([1.0, 1.31, 0.69, 1.0], None, None),  # on the one side and on the other
        ([1.0, 1.31, 1.31, 1.0], 2000, 3000),
        ([1.31, 1.31, 0.69, 0.69], 3000, None),  # what lasts counts
        ([1.0, 1.0, 0.69, 0.69], 3000, None),
        ([0.69, 0.69, 0.69, 0.69], 1000, None),
        ([1.0, 1.0, 1.0, 1.5], None, None),  # not yet twice
        ([1.31], 1000, None),  # all that there is
        ([1.0], None, None),
    ],
)
def test_a_departure_is_two_points_in_a_row(values, step, until):
    curves = {"loss/d": dict(zip([1000, 2000, 3000, 4000], values, strict=False))}
    found = comparison.deviations(curves, BAND, ["loss/d"])
    assert [(one.step, one.until) for one in found] == ([] if step is None else [(step, until)])
    if found:
        assert (found[0].low, found[0].high) == (pytest.approx(0.7), pytest.approx(1.3))


def test_what_lasts_comes_first():
    curves = {"loss/d": dict(zip([1000, 2000, 3000, 4000], [2, 2, 1, 1], strict=True)),
              "loss/g": dict(zip([1000, 2000, 3000, 4000], [1, 1, 2, 2], strict=True))}  # fmt: skip
    bands = {"loss/d": BAND["loss/d"], "loss/g": BAND["loss/d"]}
    found = comparison.deviations(curves, bands, ["loss/d", "loss/g"])
    assert [one.metric for one in found] == ["loss/g", "loss/d"]


def test_every_departure_has_a_cause():
    for name in reference_curves.COMPARED:
        for value, side in ((5.0, "above"), (-5.0, "below")):
            one = comparison.Deviation(name, 1000, None, value, 0.0, 1.0)
            cause = getattr(reference_curves.COMPARED[name], side)
            assert len(cause) > 20
            assert str(one) == (
                f"outside the band since step 1,000: {name} is {value:.3g} there, the band is 0 to "
                f"1: {cause}"
            )
    assert str(one._replace(until=3000)).startswith(
        "outside the band at steps 1,000 to 3,000: fcd is "
    )


PACKAGED = {"name": "mnist-cnn-a-v1", "sha256": DIGESTS["mnist-cnn-a-v1"]}
OWN = {"name": "mnist-cnn-a-v1", "sha256": "f" * 64}


def test_what_does_not_mean_the_same_is_not_compared():
    all_names = tuple(reference_curves.COMPARED)
    assert comparison.comparable(run_of([], [5.0], log_every=50), REFERENCE) == (all_names, "")
    for changed, names, why in (
        (Config(loss="hinge"), ("fcd",), "only FCD is compared, for loss is another"),
        (Config(real_label=0.9), ("fcd",), "only FCD is compared, for real_label is another"),
        (Config(penalty="r1"), ("fcd",), "only FCD is compared, for penalty is another"),
        (
            Config(log_every=500),
            ("fcd",),
            "only FCD is compared, for it logs less often than every 100 steps",
        ),
        (
            Config(sample_weights="raw"),
            reference_curves.LOGGED,
            "FCD is not compared, it is of the raw weights",
        ),
    ):
        run = run_of([])._replace(config=changed)
        assert comparison.comparable(run, REFERENCE) == (names, why)


@pytest.mark.parametrize("features", [OWN, {**PACKAGED, "sha256": None}, "cnn", None])
def test_fcd_of_another_feature_network_is_not_compared(features):
    """Of other data under the same name, or of another data set."""
    why = "FCD is not compared, it is by another feature network"
    run = run_of([0.5, 0.5], [60.0, 60.0], features=features)
    assert comparison.comparable(run, REFERENCE) == (reference_curves.LOGGED, why)
    assert line_of(run) == f"mlp ({why}): inside the band up to step 2,000"
    assert "also fcd" in line_of(run_of([9.0, 9.0], [60.0, 60.0]))
    assert "also fcd" not in line_of(run_of([9.0, 9.0], [60.0, 60.0], features=features))
    fashion = DIGESTS["fashion_mnist-cnn-a-v1"]
    of_fashion = REFERENCE._replace(config=Config(dataset="fashion_mnist"))
    run = run_of([0.5], [0.5], features={"sha256": fashion}, dataset="fashion_mnist")
    assert comparison.comparable(run, of_fashion)[1] == ""
    assert comparison.comparable(run, REFERENCE)[1] == why


def run_of(losses, fcd=None, features=PACKAGED, **changes):
    """A run with these losses of D at each 1,000 steps, and FCD by a feature network."""
    evaluations = [
        {
            "step": 1000 * (i + 1),
            "evaluator": "light",
            "features": features,
            "metrics": {"fcd": value},
        }
        for i, value in enumerate(fcd or [])
    ]
    found = records(np.repeat(losses, 10))
    return History(Path("mine"), Config(**changes), [], {}, {}, found, evaluations, [])


REFERENCE = reference_curves.ReferenceRuns(
    "mlp",
    Config(),
    {
        name: {"steps": [1000, 2000], "median": [0.5] * 2, "low": [0.425] * 2, "high": [0.575] * 2}
        for name in reference_curves.COMPARED
    },
)


def line_of(run, reference=REFERENCE):
    return comparison.compare_run(run, reference)[-1]


def test_a_verdict_is_a_line():
    assert line_of(run_of([0.5])) == "mlp: inside the band up to step 1,000"
    assert line_of(run_of([0.5] * 3)) == (
        "mlp: inside the band up to step 2,000, where the reference runs end"
    )
    assert line_of(run_of([0.9, 0.9], [2.0, 2.0], latent_dim=8)) == (
        "mlp (differs in latent_dim=8): outside the band since step 1,000: loss/d is 0.9 there, "
        "the band is 0.2 to 0.8: D is too weak: its learning rate, or its size, is too small, or a "
        "penalty or augmentation holds it down; also fcd"
    )
    assert line_of(run_of([9.0, 9.0], [0.5, 0.5], loss="wasserstein")) == (
        "mlp (differs in loss=wasserstein; only FCD is compared, for loss is another): "
        "inside the band up to step 2,000"
    )
    early = run_of([9.0] * 9, [0.5], loss="wasserstein")  # it goes on, and so does the band
    assert line_of(early).endswith("another): inside the band up to step 1,000")
    without = early._replace(records=[])  # logs still less often
    assert line_of(without).endswith("another): inside the band up to step 1,000")


def test_the_level_of_relativistic_outputs_is_not_judged():
    for loss, said in (
        ("relativistic", "inside the band up to"),
        ("hinge", "outside the band since step 1,"),
    ):
        run = run_of([0.5, 0.5], loss=loss)
        for record in run.records:
            record["accuracy/real"] = record["logits/fake"] = 7.0
        assert said in line_of(run, REFERENCE._replace(config=Config(loss=loss)))
    own = Config(loss="of_python_code")  # its table row is not here
    assert comparison.judged(own) == list(reference_curves.COMPARED)


def test_what_is_missing_for_a_verdict_is_said():
    with pytest.raises(UserError) as refused:
        comparison.compare_run(run_of([9.0, 9.0], loss="wasserstein"), REFERENCE)
    assert str(refused.value) == (
        "--runs=mine: has nothing to compare yet, it needs FCD at multiples of 1,000 steps "
        "(--evaluate_every), and only FCD is compared, for loss is another"
    )
    with pytest.raises(UserError, match=r"nothing to compare yet, it needs points at mult"):
        comparison.compare_run(run_of([]), REFERENCE)
    other = run_of([0.5], [0.5], loss="hinge", sample_weights="raw")
    with pytest.raises(UserError) as refused:
        comparison.compare_run(other, REFERENCE)
    assert str(refused.value) == (
        "--runs=mine: has nothing to compare with mlp, loss is another, and its FCD is of the raw "
        "weights"
    )


def test_differences_are_fields_that_train_something_else():
    like = Config()
    assert (
        reference_curves.differing_fields(Config(seed=5, steps=9, precision="float32"), like) == {}
    )
    assert reference_curves.differing_fields(Config(sample_weights="raw"), like) == {
        "sample_weights": "raw"
    }
    changed = Config(d_learning_rate=1e-3, loss="hinge")
    assert reference_curves.differing_fields(changed, like) == {
        "d_learning_rate": 1e-3,
        "loss": "hinge",
    }


@pytest.fixture
def shipped(monkeypatch):
    """Two references whose losses are about 1."""
    band = {"steps": [1000, 2000], "median": [1, 1], "low": [0.1, 0.1], "high": [2, 2]}
    bands = dict.fromkeys(reference_curves.COMPARED, band)
    configs = {"tiny": Config(generator="tiny", discriminator="tiny"), "mlp": Config()}
    made = {
        name: reference_curves.ReferenceRuns(name, config, bands)
        for name, config in configs.items()
    }
    monkeypatch.setattr(reference_curves, "load_references", lambda: made)
    return made


def test_the_nearest_reference_is_chosen(shipped):
    nearest = reference_curves.nearest_reference
    assert nearest(from_preset("tiny", {"loss": "hinge"})).preset == "tiny"
    assert nearest(Config()).preset == "mlp"
    assert nearest(Config(), "tiny").preset == "tiny"
    both = {"generator": "dcgan", "discriminator": "dcgan"}  # as far from one as from the other
    assert nearest(Config(**both)).preset == "mlp"
    with pytest.raises(UserError, match="--reference=dcgan: must be one of tiny, mlp"):
        nearest(Config(), "dcgan")
    with pytest.raises(UserError, match="there is none for fashion_mnist"):
        nearest(Config(dataset="fashion_mnist"))


def test_the_bands_that_come_with_the_package():
    shipped = reference_curves.load_references()
    assert set(shipped) == {"mlp", "dcgan", "r3gan"}
    for preset, one in shipped.items():
        file = ROOT / f"gan/reports/curves/{preset}.json"
        assert json.loads(file.read_text())["seeds"] == [0, 1, 2, 3, 4]
        assert reference_curves.differing_fields(from_preset(preset), one.config) == {}, preset
        assert set(one.bands) == set(reference_curves.COMPARED)
        for band in one.bands.values():
            assert band["steps"] == list(range(1000, 30_001 if preset == "mlp" else 5001, 1000))
            assert np.all(np.array(band["low"]) <= band["median"])
            assert np.all(np.array(band["median"]) <= band["high"])


def test_the_runs_of_a_study_become_a_reference(tmp_path, monkeypatch, capsys):
    study = table.Study("tiny", (0, 1, 2), {"tiny": {}}, {"steps": 2000})
    monkeypatch.setitem(table.STUDIES, "usual_tiny", study)
    monkeypatch.setattr(making, "OUT", tmp_path / "references")
    for seed, level in enumerate((1.0, 1.1, 9.0)):
        run_dir = tmp_path / f"usual_tiny/tiny-{seed}"
        write_config(run_dir, from_preset("tiny", {"steps": 2000, "seed": seed}), {}, [])
        lines = [json.dumps(record) + "\n" for record in records(np.full(20, level))]
        (run_dir / "metrics.jsonl").write_text("".join(lines))
        (run_dir / "summary.json").write_text('{"status": "completed", "step": 2000}')
    values = flags.FlagValues()
    making.define(values)
    values(["reference", "--study=usual_tiny", f"--out={tmp_path}"])
    assert making.main(values) == 0
    made = json.loads((tmp_path / "references/tiny.json").read_text())
    assert (made["preset"], made["seeds"]) == ("tiny", [0, 1, 2])
    config = from_dict(made["config"])
    assert reference_curves.differing_fields(from_preset("tiny"), config) == {}
    assert made["bands"]["loss/d"] == {
        "steps": [1000, 2000], "median": [1.1, 1.1], "low": [1.0, 1.0], "high": [9.0, 9.0],
    }  # fmt: skip
    _, *said = capsys.readouterr().out.splitlines()
    assert said[:2] == [f"tiny-{seed} beside the others: inside their band" for seed in (0, 1)]
    assert said[2].startswith(
        "tiny-2 beside the others: outside the band since step 1,000: loss/d is"
    )
    (tmp_path / "usual_tiny/tiny-1/summary.json").unlink()
    with pytest.raises(UserError, match=r"--study=usual_tiny: .*tiny-1 is open, make study comp"):
        making.main(values)


def call(monkeypatch, *arguments):
    return status_of(monkeypatch, compare, *arguments)


def test_the_command_says_a_line_about_each_run(shipped, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    changes = {"steps": 1000, "evaluate_every": 0, "steps_per_call": 500, "jit_compile": False}
    train(from_preset("tiny", changes), "a", quiet=True)
    for name in "bc":
        shutil.copytree("a", name)
    values = json.loads((tmp_path / "b/config.json").read_text())
    values["config"] |= {"seed": 1, "d_learning_rate": 0.01}
    (tmp_path / "b/config.json").write_text(json.dumps(values))
    assert call(monkeypatch, "a") == 0
    assert (tmp_path / "a/compare.png").exists()
    line, picture = capsys.readouterr().out.splitlines()
    assert line.startswith("a beside tiny: ")
    assert picture == "a/compare.png: the curves over their bands"
    assert call(monkeypatch, "a", "b") == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == line
    assert lines[1].startswith("b beside tiny (differs in d_learning_rate=0.01): ")
    assert (tmp_path / "compare.png").exists()
    assert call(monkeypatch, "--runs=a", "b") == 2
    assert "b: is not a flag" in capsys.readouterr().err
    (tmp_path / "b/config.json").write_text(json.dumps({**values, "own_networks": ["generator"]}))
    assert call(monkeypatch, "b") == 0
    assert "(differs in d_learning_rate=0.01, generator=own)" in capsys.readouterr().out
    values["config"]["loss"] = "hinge"
    (tmp_path / "b/config.json").write_text(json.dumps(values))
    evaluation = {
        "step": 1000, "source": "training", "evaluator": "light", "metrics": {"fcd": 9.0},
        "features": PACKAGED,
    }  # fmt: skip
    (tmp_path / "b/evaluations.jsonl").write_text(json.dumps(evaluation) + "\n")
    drawn = {}
    monkeypatch.setattr(plots, "write_comparison", lambda *arguments: drawn.update(arguments[-1]))
    assert call(monkeypatch, "b", "--reference=mlp") == 0
    assert drawn == {"b": {"fcd": {1000: 9.0}}}
    *lines, last = (tmp_path / "c/metrics.jsonl").read_text().splitlines(keepends=True)
    assert json.loads(last)["step"] == 1000
    (tmp_path / "c/metrics.jsonl").write_text("".join(lines))
    assert call(monkeypatch, "c") == 2
    assert "--runs=c: has nothing to compare yet, it needs" in capsys.readouterr().err


@pytest.mark.parametrize(("low", "high", "limits"), [(0.9, 0.98, [0.78, 1]), (0.0, 0.2, [0, 0.5])])
def test_limits_of_shares_are_shares(low, high, limits):
    band = {"steps": [1000], "low": [low], "high": [high], "median": [(low + high) / 2]}
    for name in ("accuracy/real", "accuracy/fake"):
        assert np.ravel(reference_curves.limits_of(name, band)) == pytest.approx(limits)


@pytest.mark.parametrize(
    ("values", "summary", "status"),
    [
        (0.5, {}, 0),
        (3.0, {}, 1),
        (0.5, {"status": "stopped", "reason": "it broke", "step": 2000}, 1),
    ],
)
def test_check_is_an_exit_status(values, summary, status, tmp_path, monkeypatch):
    """Without --check a run that is outside is no error."""
    monkeypatch.setattr(reference_curves, "nearest_reference", lambda *arguments: REFERENCE)
    run = write_run(tmp_path / "run", np.full(20, values), **summary)
    assert status_of(monkeypatch, compare, str(run), "--check") == status
    assert status_of(monkeypatch, compare, str(run)) == 0


def test_a_picture_for_a_paper(tmp_path):
    """6.5 inches are 468 points; text is text, in fonts that journals take."""
    runs = {"mine": {"loss/d": {1000: 1.0, 2000: 3.0}}}
    for suffix in ("pdf", "svg"):
        plots.write_comparison(tmp_path / f"a.{suffix}", BAND, runs)
    svg, pdf = (tmp_path / "a.svg").read_text(), (tmp_path / "a.pdf").read_bytes()
    assert 'width="468pt"' in svg
    assert ">mine</text>" in svg
    assert b"/Subtype /TrueType" in pdf or b"/CIDFontType2" in pdf
    assert b"/Type3" not in pdf


def test_the_picture_has_the_band_and_the_runs(tmp_path):
    runs = {"_mine$_{$": {"loss/d": {1000: 1.0, 2000: 3.0}}}  # any name
    plots.write_comparison(tmp_path / "a.png", BAND, runs)
    image = read_png(tmp_path / "a.png")
    colours = {tuple(pixel) for pixel in image.reshape(-1, 3).tolist()}
    assert (204, 204, 204) in colours  # the range of the seeds
    assert (235, 235, 235) in colours  # the band around it
    assert (31, 119, 180) in colours  # the run


def write_run(run_dir, values, **summary):
    write_config(run_dir, from_preset("mlp"), {}, [])
    lines = [json.dumps(record) + "\n" for record in records(values)]
    (run_dir / "metrics.jsonl").write_text("".join(lines))
    if summary:
        (run_dir / "summary.json").write_text(json.dumps(summary))
    return run_dir


def test_the_command_says_why_a_run_stopped(tmp_path, monkeypatch, capsys):
    failure = {"status": "stopped", "reason": "loss/d is not finite", "step": 0}
    run = write_run(tmp_path / "run", np.full(20, 1.2), **failure, logged_step=2000)
    assert status_of(monkeypatch, compare, f"--runs={run}") == 0
    first, second, _ = capsys.readouterr().out.splitlines()
    assert first.startswith(f"{run} beside mlp")
    assert second == f"{run} stopped after step 2,000: loss/d is not finite"
    short = write_run(tmp_path / "short", [1.2], **failure, logged_step=100)
    assert status_of(monkeypatch, compare, f"--runs={short}") == 2
    assert "; it stopped after step 100: loss/d is not finite" in capsys.readouterr().err


def test_a_comparison_that_cannot_be_drawn_is_still_told(tmp_path, monkeypatch, capsys):
    run = write_run(tmp_path / "run", [*np.full(20, 1.7e308), *np.full(10, -1.7e308)])
    assert status_of(monkeypatch, compare, f"--runs={run}") == 0
    said = capsys.readouterr()
    assert "loss/d is 1.7e+308 there" in said.out
    assert said.err.startswith(f"warning: {run}/compare.png: cannot be drawn (")
    assert not (run / "compare.png").exists()
