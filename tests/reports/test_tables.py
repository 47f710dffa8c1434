"""The rows of the page's tables, and verdicts."""

import json

import pytest

from gan.reports import tables, verdicts
from gan.run.reader import read_history
from pages import page_of, write_run


def evaluation(fcd, floor=None, **more):
    """A whole evaluation at the end."""
    usual = {"step": 30_000, "source": "evaluate", "weights": "ema", "num_images": 100,
             "features": {"name": "mnist-cnn-a-v1"}}  # fmt: skip
    floors = {"floors": {"fcd": {"mean": floor, "sd": 0.5}}} if floor is not None else {}
    return {**usual, "metrics": {"fcd": fcd}, **floors, **more}


def metrics_of(*run_dirs):
    """[(title, rows)] of several runs."""
    runs = [read_history(run_dir) for run_dir in run_dirs]
    shown = [tables.shown_evaluations(run) for run in runs]
    kinds = tables.kinds_of(shown, [run.config.steps for run in runs])
    names, groups = tables.names_of(runs), tables.groups_of(runs)
    return [(kind.title, tables.metrics_of_several(names, groups, kind)) for kind in kinds]


@pytest.fixture
def three(tmp_path):
    """Two seeds of one configuration, and one of another."""
    return [
        write_run(tmp_path / "one", evaluations=[evaluation(2.0, 1.0)], seed=0),
        write_run(tmp_path / "low", evaluations=[evaluation(9.0, 1.0)], g_learning_rate=1e-5),
        write_run(tmp_path / "two", evaluations=[evaluation(4.0, 1.0)], seed=1),
    ]


def test_runs_are_rows_grouped_by_seed(three):
    ((title, rows),) = metrics_of(*three)
    assert title == "weights ema, num_images 100, features mnist-cnn-a-v1"
    assert rows == [
        ["run", "step", "source", "fcd ↓"],
        ["real images (sd)", "", "", "1 (0.5)"],
        ["g_learning_rate=0.0002"],
        ["one", "30,000", "evaluate", "2"],
        ["two", "30,000", "evaluate", "4"],
        ["mean of 2 (sd)", "", "", "3 (1.414)"],
        ["g_learning_rate=1e-05"],
        ["low", "30,000", "evaluate", "9"],
    ]
    text = page_of(*three)
    assert "<td><b>2</b></td>" in text
    assert text.count("<td><b>") == 1
    overview = text.split('id="runs"')[1].split("</table>")[0]
    order = [overview.index(f"<th>{name}</th>") for name in ("one", "two", "low")]
    assert order == sorted(order)
    assert '<th colspan="9"><span>g_learning_rate=1e-05</span>' in overview


@pytest.mark.parametrize(
    ("metric", "values", "best"),
    [
        ("fcd", [3.0, 2.0, None], 2.0),
        ("coverage", [0.3, 0.2], 0.3),
        ("sd_ratio", [0.7, 1.2], 1.2),  # nearest to real images
        ("fcd", [3.0, None], None),
        ("fcd", [3.0, 3.0], None),
        ("of somebody", [3.0, 2.0], None),
    ],
)
def test_the_best_value(metric, values, best):
    floors = {"sd_ratio": {"mean": 1.0, "sd": 0.1}}
    assert tables.best_of(metric, values, floors) == best
    assert tables.best_of("sd_ratio", [0.7, 1.2], {}) is None


def test_what_cannot_be_compared_stands_apart(three, tmp_path):
    """Another number of images, and floors that differ."""
    fewer = write_run(tmp_path / "fewer", evaluations=[evaluation(1.0, 3.0, num_images=50)])
    other = write_run(tmp_path / "other", evaluations=[evaluation(1.0, 2.0)])
    without = write_run(tmp_path / "without", evaluations=[evaluation(1.0)], seed=9)
    found = metrics_of(three[0], fewer, other, without)
    assert [[row[0] for row in rows[2:]] for _, rows in found] == [
        ["one", "without", "mean of 2 (sd)"], ["other"], ["fewer"],
    ]  # fmt: skip


def test_runs_that_learned_other_numbers_of_images_are_one_table(tmp_path):
    """Beside the same real images, but each with a floor of `dcr_share` of its own."""

    def few(name, learned, floor):
        copies = {"dcr_share": {"mean": floor, "sd": 0.01}}
        one = evaluation(2.0, 1.0, reference={"split": "test", "learned": learned})
        one = {
            **one,
            "metrics": {"fcd": 2.0, "dcr_share": 0.5},
            "floors": {**one["floors"], **copies},
        }
        return write_run(tmp_path / name, evaluations=[one], train_images=learned)

    one, other = few("a", 1000, 0.1), few("b", 5000, 0.3)
    ((_, rows),) = metrics_of(one, other)
    assert [row[0] for row in rows[2:]] == ["a", "b"]
    assert rows[1][0] == "real images (sd)"
    assert rows[1][-2:] == ["1 (0.5)", ""]
    ((_, rows),) = metrics_of(one, one)
    assert rows[1][-2:] == ["1 (0.5)", "0.1 (0.01)"]


def test_only_ends_are_compared_with_one_another_and_steps_with_the_same(tmp_path):
    """Whatever the number of steps at the end; a title names a step before it."""
    runs = [
        write_run(tmp_path / name, evaluations=[evaluation(fcd, step=step)], steps=steps, seed=seed)
        for seed, (name, fcd, step, steps) in enumerate(
            [("end", 1.0, 6, 6), ("long", 2.0, 9, 9), ("early", 9.0, 3, 6), ("late", 8.0, 3, 9)]
        )
    ]
    (title, rows), (early, of_early) = metrics_of(*runs)
    assert [row[0] for row in rows] == ["run", "steps=6", "end", "steps=9", "long"]
    assert [row[0] for row in of_early] == ["run", "steps=6", "early", "steps=9", "late"]
    assert "step" not in title
    assert early == f"step 3, {title}"


def test_a_mean_says_of_how_many_values_it_is(three, tmp_path):
    third = evaluation(6.0, 1.0)
    del third["metrics"]["fcd"]
    third["metrics"]["recall"] = 0.5
    more = write_run(tmp_path / "more", evaluations=[third], seed=2)
    ((_, rows),) = metrics_of(three[0], three[2], more)
    assert rows[-1] == ["mean of 3 (sd)", "", "", "3 (1.414) of 2", ""]


def test_the_usual_evaluation_is_shown(tmp_path):
    rows = [
        evaluation(3.0, 1.0, source="study"),
        evaluation(4.0, 2.0, weights="raw"),
        evaluation(5.0, 2.0, features={"name": "mnist-cnn-b-v1"}),
    ]
    run = read_history(write_run(tmp_path / "run", evaluations=rows))
    shown = tables.shown_evaluations(run)
    assert tables.metrics_of_one("run", shown) == [
        ["metric", "run", "real images (sd)"], ["fcd ↓", "3", "1 (0.5)"],
    ]  # fmt: skip


def test_evaluations_of_one_kind_are_shown_as_one(tmp_path):
    """What --metrics asked for one after the other; a number of another step or kind is not it."""
    rows = [
        evaluation(9.0, 8.0, step=10),
        {**evaluation(0.0), "metrics": {"recall": 0.25}, "step": 10},
        evaluation(3.0, 1.0),
        {**evaluation(0.0), "metrics": {"recall": 0.5}, "num_images": 200},
        {**evaluation(0.0), "metrics": {"coverage": 0.75}},
        {**evaluation(0.0), "metrics": {"coverage": 0.875}},
    ]
    run_dir = write_run(tmp_path / "run", evaluations=rows)
    (shown,) = tables.shown_evaluations(read_history(run_dir))
    assert shown["metrics"] == {"fcd": 3.0, "coverage": 0.875}
    assert shown["floors"] == {"fcd": {"mean": 1.0, "sd": 0.5}}
    text = page_of(run_dir)
    assert "<th>fcd ↓</th><td>3</td><td>1 (0.5)</td>" in text
    assert "<th>coverage ↑</th><td>0.875</td>" in text


@pytest.mark.parametrize(("weights", "fcd"), [("ema", 3.0), ("raw", 4.0)])
def test_the_usual_weights_are_those_that_the_run_draws(weights, fcd, tmp_path):
    rows = [evaluation(4.0, weights="raw"), evaluation(3.0), evaluation(5.0, weights="posthoc")]
    papers = [
        {
            **row,
            "features": {"name": "inception"},
            "metrics": {"fid_inception_2k": row["metrics"]["fcd"]},
        }
        for row in rows
    ]
    run_dir = write_run(tmp_path / "run", evaluations=[*rows, *papers], sample_weights=weights)
    own, of_papers = tables.shown_evaluations(read_history(run_dir))
    assert own["metrics"] == {"fcd": fcd}
    assert of_papers["metrics"] == {"fid_inception_2k": fcd}


def test_names_are_as_short_as_tells_them_apart(tmp_path):
    def names(*run_dirs):
        return tables.names_of([read_history(run_dir) for run_dir in run_dirs])

    a, b = write_run(tmp_path / "x/a"), write_run(tmp_path / "x/y/b")
    assert names(a) == [str(a)]
    assert names(a, b) == ["a", "y/b"]
    assert names(a, a) == [str(a), str(a)]


def test_verdicts_and_why_there_is_none(tmp_path):
    def verdict(name, records, **config):
        return verdicts.verdict_of(read_history(write_run(tmp_path / name, records, **config)))

    low = [{"step": step, "loss/d": 0.1} for step in range(100, 2001, 100)]
    bands = verdicts.load_references()["mlp"].bands["loss/d"]
    median = bands["median"][:2]
    fine = [{"step": step, "loss/d": median[step > 1000]} for step in range(100, 2001, 100)]
    outside, inside = verdict("low", low), verdict("fine", fine)
    assert (outside.short, inside.short) == ("outside", "inside")
    assert outside.line.startswith("beside mlp: outside the band since step 1,000: loss/d is 0.1 ")
    assert inside.line == "beside mlp: inside the band up to step 2,000"
    new = verdict("new", low[:3])
    assert new.short == ""
    assert new.line == "has nothing to compare yet, it needs points at multiples of 1,000 steps"
    other = verdict("other", low, generator="dcgan_dense")
    assert other.line == (
        "no reference runs have these networks (dcgan_dense, mlp), only dcgan, mlp, r3gan"
    )
    letters = verdict("letters", low, dataset="emnist_letters")
    assert letters.line == "no reference runs are of emnist_letters"
    text = page_of(tmp_path / "low", tmp_path / "new")
    assert '<li class="outside"><b>low</b> beside mlp: outside the band' in text
    assert '<li class="unknown"><b>new</b> has nothing to compare yet' in text
    assert "<td>outside</td>" in text
    assert "<td>not compared</td>" in text


def test_bands_are_drawn_where_all_runs_have_the_same(tmp_path):
    one, other = verdicts.Beside("inside", "", "mlp", ["loss/d", "fcd"]), verdicts.Beside("", "")
    fewer = verdicts.Beside("inside", "", "mlp", ["fcd"])
    assert list(verdicts.common_bands([one])) == ["loss/d", "fcd"]
    assert list(verdicts.common_bands([one, fewer])) == ["fcd"]
    assert verdicts.common_bands([one, other]) == {}
    assert verdicts.common_bands([one, one._replace(preset="dcgan")]) == {}
    assert verdicts.common_bands([other]) == {}


def test_json_of_a_record_is_not_the_order_of_its_fields(tmp_path):
    """Two programs may have written the same evaluation in another order."""
    first = evaluation(1.0, features={"name": "x", "sha256": "y"})
    second = evaluation(2.0, features={"sha256": "y", "name": "x"})
    runs = [
        write_run(tmp_path / name, evaluations=[json.loads(json.dumps(record))], seed=seed)
        for seed, (name, record) in enumerate((("a", first), ("b", second)))
    ]
    assert len(metrics_of(*runs)) == 1
