"""Figures for papers: what they draw, their size, their text, and what is refused."""

import json
import re

import numpy as np
import pytest
import tensorflow as tf

from gan.algorithm.losses import LOSSES
from gan.cli import report
from gan.data import figures as style
from gan.errors import UserError
from gan.evaluation import constants
from gan.reports import figures
from gan.run.presets import from_preset
from gan.run.reader import read_history
from gan.run.saved_config import write_config
from support import status_of

FEATURES = {"name": "mnist-cnn-a-v1", "sha256": "5" * 64}


def make_run(path, losses=(), fcds=(), floor=None, features=FEATURES, **changes):
    """A run with a record of loss/d every 100 steps, loss/g is twice that; FCDs every 1,000."""
    write_config(path, from_preset("mlp", {"log_every": 100, **changes}), {}, {})
    lines = [
        {"step": 100 * i, "kimg": 1, "seconds": 1, "loss/d": value, "loss/g": value and 2 * value}
        for i, value in enumerate(losses, 1)
    ]
    (path / "metrics.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    evaluations = [
        {
            "step": 1000 * i, "source": "training", "num_images": 2000, "features": features,
            "reference": {"dataset": "mnist"}, "metrics": {"fcd": value},
            **({"floors": {"fcd": floor}} if floor else {}),
        }
        for i, value in enumerate(fcds, 1)
    ]  # fmt: skip
    (path / "evaluations.jsonl").write_text("".join(json.dumps(e) + "\n" for e in evaluations))
    return path


def histories(*paths):
    return [read_history(path) for path in paths]


def call(monkeypatch, *arguments):
    return status_of(monkeypatch, report, *arguments)


def test_the_flag_has_the_rows_of_the_table():
    assert tuple(figures.FIGURES) == report.FIGURES


def test_losses_are_means_of_bins(tmp_path):
    """Of 200 records a point is the mean of two; None is not finite, and left out."""
    run = make_run(tmp_path / "a", [1.0, 2.0, None, 5.0, None, None, *[3.0] * 194])
    d, g = figures.losses([histories(run)])
    ((curve,),) = d.curves
    assert list(curve)[:4] == [200, 400, 600, 800]
    assert len(curve) == 100
    assert [curve[step] for step in (200, 400, 800, 20_000)] == [1.5, 5.0, 3.0, 3.0]
    assert np.isnan(curve[600])
    assert g.curves[0][0][200] == 3.0
    assert (d.level, g.level) == pytest.approx((2 * np.log(2), np.log(2)))
    other = make_run(tmp_path / "b", [1.0], loss="wasserstein")
    assert figures.losses([histories(run), histories(other)])[0].level is None


def test_a_bin_is_whole_and_the_same_in_all_runs(tmp_path):
    long = make_run(tmp_path / "long", np.arange(1.0, 301))
    short = make_run(tmp_path / "short", np.arange(1.0, 8))
    panel, _ = figures.losses([histories(long), histories(short)])
    (a,), (b,) = panel.curves
    assert list(b) == [300, 600]  # the step 700 is in a bin that goes on to 900
    assert (a[300], b[300], b[600]) == (2.0, 2.0, 5.0)


def test_seeds_are_a_mean_and_a_range():
    curves = [
        {1: 1.0, 2: 4.0, 3: np.nan, 4: 9.0}, {1: 3.0, 2: 8.0, 3: 5.0}, {1: 8.0, 2: 9.0, 3: 5.0},
    ]  # fmt: skip
    steps, mean, low, high = figures.mean_and_range(curves)
    assert steps.tolist() == [1, 2, 3]  # up to where all have points
    np.testing.assert_equal(mean, [4, 7, np.nan])
    np.testing.assert_equal(low, [1, 4, np.nan])
    np.testing.assert_equal(high, [8, 9, np.nan])


def axes_of(panels, names=()):
    with style.style():
        figure = figures.draw(panels, names)
    figure.draw_without_rendering()
    return figure, figure.axes


def test_what_is_drawn(tmp_path):
    runs = [
        make_run(tmp_path / f"a-{seed}", fcds=[100 + seed, 20.0, 2 + seed], seed=seed,
                 floor={"mean": 0.5, "sd": 0.25})
        for seed in (0, 1)
    ]  # fmt: skip
    other = make_run(tmp_path / "other", fcds=[50.0, None, 5.0], g_learning_rate=1e-3)
    groups = [histories(*runs), histories(other)]
    panels = figures.fcd(groups)
    figure, (axes,) = axes_of(panels, figures.labels_of(groups))
    assert figure.get_figwidth() == 3.25
    means, single, floor = axes.get_lines()
    assert means.get_xydata().tolist() == [[1000, 100.5], [2000, 20], [3000, 2.5]]
    np.testing.assert_equal(single.get_ydata(), [50, np.nan, 5])
    assert set(floor.get_ydata()) == {0.5}
    band, span = [*axes.collections, *axes.patches]
    corners = band.get_paths()[0].vertices
    assert (corners[:, 1].min(), corners[:, 1].max()) == (2.0, 101.0)
    assert (span.get_y(), span.get_height()) == (0.25, 0.5)
    assert axes.get_yscale() == "log"
    labels = [label.get_text() for label in axes.get_yticklabels()]
    assert {"1", "10", "100"} <= set(labels)
    assert [text.get_text() for text in figure.legends[0].get_texts()] == [
        "a (2 seeds)", "other", "real images (mean, sd)",
    ]  # fmt: skip
    assert {text.get_fontsize() for text in figure.findobj(lambda o: hasattr(o, "get_fontsize"))
            if text.get_text()} == {7.0}  # fmt: skip
    assert axes.get_ylabel() == "FCD of 2,000 samples"


def test_a_decade_or_two_have_labels_between(tmp_path):
    run = make_run(tmp_path / "a", fcds=[30.0, 1.5])
    _, (axes,) = axes_of(figures.fcd([histories(run)]))
    labels = [label.get_text() for label in axes.get_yticklabels()]
    assert {"2", "5", "10", "20"} <= set(labels)


def test_what_hardly_falls_has_an_axis_that_can_be_read(tmp_path):
    run = make_run(tmp_path / "a", fcds=[0.9, 0.7])
    _, (axes,) = axes_of(figures.fcd([histories(run)]))
    assert axes.get_yscale() == "linear"
    assert len(axes.get_lines()) == 1  # without a floor


def test_labels_are_what_names_have_in_common(tmp_path):
    def labels(*groups):
        return figures.labels_of([
            histories(*(make_run(tmp_path / name, seed=seed) for seed, name in enumerate(names)))
            for names in groups
        ])  # fmt: skip

    assert labels(["x/mlp-0", "x/mlp-1"], ["lr=0.1-seed=0", "lr=0.1-seed=1"], ["one"]) == [
        "mlp (2 seeds)", "lr=0.1 (2 seeds)", "one",
    ]  # fmt: skip
    assert labels(["a/run"], ["b/run"]) == [str(tmp_path / "a/run"), str(tmp_path / "b/run")]
    assert labels(["y/0", "y/1"]) == [f"{tmp_path / 'y'} (2 seeds)"]
    assert labels(["z/a-0", "z/a-1"], ["z/a-2", "z/a-3"]) == [
        f"{tmp_path / 'z/a-0'} (2 seeds)", f"{tmp_path / 'z/a-2'} (2 seeds)",
    ]  # fmt: skip


@pytest.mark.parametrize("suffix", style.SUFFIXES)
@pytest.mark.parametrize("figure", figures.FIGURES)
def test_the_command_writes_each_kind_of_file(figure, suffix, tmp_path, monkeypatch, capsys):
    for seed in (0, 1):
        make_run(tmp_path / f"runs/$a_{seed}", [1.0] * 12, [9.0, 8.0], seed=seed)
    out = tmp_path / f"figure{suffix}"
    files = []
    for _ in range(2):
        assert call(monkeypatch, tmp_path / "runs", f"--figure={figure}", f"--out={out}") == 0
        files.append(out.read_bytes())
    assert files[0] == files[1]
    assert capsys.readouterr().out.endswith(f"{out}: {figure} of 2 runs in 1 curve\n")
    if suffix == ".svg":
        text = out.read_text()
        assert float(re.search(r'width="([\d.]+)pt"', text)[1]) == pytest.approx(3.25 * 72)
        assert "$a (2 seeds)</text>" in text
        assert "font-size: 7px" in text
    elif suffix == ".pdf":
        box = re.search(rb"/MediaBox \[ 0 0 ([\d.]+) ", files[0])
        assert float(box[1]) == pytest.approx(3.25 * 72)
        assert b"/Type42" in files[0] or b"/TrueType" in files[0] or b"/CIDFontType2" in files[0]
        assert b"/Subtype /Image" not in files[0]


def test_where_a_figure_goes_by_itself(tmp_path, monkeypatch, capsys):
    a, b = (make_run(tmp_path / name, [1.0], g_learning_rate=rate)
            for name, rate in (("a", 1e-3), ("b", 1e-4)))  # fmt: skip
    monkeypatch.chdir(tmp_path)
    assert call(monkeypatch, a, "--figure=losses") == 0
    assert capsys.readouterr().out == f"{a}/losses.pdf: losses of 1 run\n"
    assert call(monkeypatch, a, b, "--figure=losses") == 0
    assert capsys.readouterr().out == "losses.pdf: losses of 2 runs\n"
    assert (tmp_path / "losses.pdf").exists()


def test_where_a_seed_ends_early_is_said(tmp_path, monkeypatch, capsys):
    for seed, count in enumerate((12, 5)):
        make_run(tmp_path / f"runs/a-{seed}", [1.0] * count, [2.0], seed=seed)
    out = tmp_path / "f.svg"
    assert call(monkeypatch, tmp_path / "runs", "--figure=losses", f"--out={out}") == 0
    assert capsys.readouterr().err.splitlines() == [
        "loss of D of a (2 seeds): ends at step 500, as one does",
        "loss of G of a (2 seeds): ends at step 500, as one does",
    ]
    assert call(monkeypatch, tmp_path / "runs", "--figure=fcd", f"--out={out}") == 0
    said = capsys.readouterr().err
    assert "what real images get is not known, there is no line of it" in said


def test_packaged_floors_are_found(tmp_path):
    known = "558764ea985b459e0141afd046fdae88096fb4023c7f6f9b6dd9e4f3fce20191"
    run = make_run(tmp_path / "a", fcds=[3.0], features={**FEATURES, "sha256": known})
    line = json.loads((run / "evaluations.jsonl").read_text())
    line["reference"] = {"dataset": "mnist", "split": "test", "num_images": 2000}
    (run / "evaluations.jsonl").write_text(json.dumps(line) + "\n")
    (panel,) = figures.fcd([histories(run)])
    assert panel.floor == pytest.approx((0.4115, 0.0710), abs=1e-3)
    whole = constants.floors_of_record(line)
    assert whole["memorised_pixels"] == pytest.approx({"mean": 0.01, "sd": 0.0024}, abs=1e-4)
    assert whole["dcr_share"] == pytest.approx({"mean": 0.866, "sd": 0.0077}, abs=5e-4)
    line["reference"]["learned"] = 1000  # which are farther from each other
    del whole["dcr_share"]
    assert constants.floors_of_record(line) == whole


def test_what_cannot_be_drawn_is_refused(tmp_path, monkeypatch, capsys):
    a = make_run(tmp_path / "a", [1.0], [2.0])
    b = make_run(tmp_path / "b", [], [2.0], features={"name": "other"}, g_learning_rate=1e-3)
    with pytest.raises(UserError, match=r"b: its FCD is not comparable with that of .*a"):
        figures.fcd([histories(a), histories(b)])
    raw = make_run(tmp_path / "raw", [], [2.0], sample_weights="raw")
    lines = (raw / "evaluations.jsonl").read_text()
    (raw / "evaluations.jsonl").write_text(lines.replace('"step"', '"weights": "raw", "step"'))
    with pytest.raises(UserError, match=r"raw: its FCD is not comparable with that of .*a"):
        figures.fcd([histories(a), histories(raw)])
    with pytest.raises(UserError, match="b: has logged no losses yet"):
        figures.losses([histories(b)])
    with pytest.raises(UserError, match=r"c: has no FCD of light evaluations"):
        figures.fcd([histories(make_run(tmp_path / "c", [1.0]))])
    same = make_run(tmp_path / "same", [1.0])
    for arguments, message in (
        ([a, "--figure=losses", f"--out={tmp_path}/x.jpg"], "x.jpg: must be a file whose name end"),
        ([a, "--figure=losses", f"--out={a}/losses.png"], "is kept by the run"),
        ([a, "--figure=losses", "--explorer=none"], "--explorer=none: is not for --figure=losses"),
        ([a, "--figure=fid"], "--figure=fid: must be one of none, losses, fcd"),
        ([a, same, "--figure=losses"], f"{same}: is the same as {a}"),
        ([tmp_path / "nowhere", "--figure=fcd"], "nowhere: is not there"),
    ):
        assert call(monkeypatch, *arguments) == 2
        assert message in capsys.readouterr().err
    assert not list(tmp_path.glob("x.*"))


def test_numbers_that_matplotlib_cannot_draw_are_an_error(tmp_path, monkeypatch, capsys):
    run = make_run(tmp_path / "a", [6e307, -6e307])
    assert call(monkeypatch, run, "--figure=losses", f"--out={tmp_path}/f.pdf") == 2
    assert "f.pdf: cannot be drawn" in capsys.readouterr().err
    assert not (tmp_path / "f.pdf").exists()


def test_a_run_that_is_shorter_than_a_bin_is_a_point(tmp_path, monkeypatch):
    run = make_run(tmp_path / "a", [2.0], log_every=1000)  # its last step is 100
    panel, _ = figures.losses([histories(run)])
    assert panel.curves == [[{100: 2.0}]]
    both, _ = figures.losses([histories(run), histories(make_run(tmp_path / "b", [1.0] * 20))])
    assert both.curves[0] == [{100: 2.0}]


@pytest.mark.parametrize("name", ["losses", "fcd"])
def test_a_run_without_a_point_is_named_and_nothing_is_written(name, tmp_path, monkeypatch, capsys):
    whole = make_run(tmp_path / "whole", [1.0, 2.0], [3.0, 2.0])
    empty = make_run(tmp_path / "empty", [None, None], [None, None], seed=1)
    out = tmp_path / "figure.pdf"
    for runs in ((whole, empty), (empty,)):
        assert call(monkeypatch, *runs, f"--figure={name}", f"--out={out}") == 2
        shown = "loss of D" if name == "losses" else "FCD of 2,000 samples"
        assert capsys.readouterr().err == f"error: --runs={empty}: has no {shown} to show\n"
    assert not out.exists()
    assert call(monkeypatch, whole, f"--figure={name}", f"--out={out}") == 0


def test_levels_are_those_of_the_losses_at_logits_of_0(tmp_path):
    zero = tf.zeros([4, 1])
    for name, loss in LOSSES.items():
        run = make_run(tmp_path / name, [1.0], loss=name)
        d, g = figures.losses([histories(run)])
        if loss.log_odds:
            assert d.level == pytest.approx(float(tf.reduce_mean(loss.discriminator(zero, zero))))
            assert g.level == pytest.approx(float(tf.reduce_mean(loss.generator(zero, zero))))
        else:
            assert (d.level, g.level) == (None, None)
    pair = [histories(tmp_path / "non_saturating"), histories(tmp_path / "minimax")]
    d, g = figures.losses(pair)
    assert (d.level, g.level) == (pytest.approx(2 * np.log(2)), None)
