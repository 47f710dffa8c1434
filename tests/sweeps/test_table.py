"""Tables of runs: groups, means beside literal values, and numbers that must not be mixed."""

import csv
import json
import re
import shutil

import pytest

from gan.errors import UserError
from gan.run.jsonl import append_record
from gan.run.presets import from_preset
from gan.run.saved_config import write_config
from gan.sweeps import formats
from gan.sweeps.groups import find_runs, group_runs, kinds_of
from support import COMMANDS, status_of

CNN = {"name": "cnn-a", "sha256": "0123456789abcdef"}
TEST = {"dataset": "mnist", "split": "test", "num_images": 10_000}
USUAL = {
    "step": 9, "weights": "ema", "seed": 0, "num_images": 10_000, "reference": TEST,
    "features": CNN,
}  # fmt: skip
TITLE = "cnn-a (01234567), 10000 samples, against 10000 of mnist test, ema weights, noise of seed 0"


def make(place, fcd=None, status="completed", **changes):
    """Writes what a run of nine steps leaves behind, with one evaluation."""
    config = from_preset("mlp", {"steps": 9, **changes})
    write_config(place, config, {}, {})
    if status:
        summary = {"step": 9, "status": status, "reason": "loss/d is not finite"}
        (place / "summary.json").write_text(json.dumps(summary))
    if fcd is not None:
        evaluated(place, {"fcd": fcd})
    return place


def evaluated(place, metrics, **about):
    append_record(place / "evaluations.jsonl", {**USUAL, **about, "metrics": metrics})


@pytest.fixture
def runs(tmp_path, monkeypatch):
    """Two rates with three seeds each, one of which failed."""
    monkeypatch.chdir(tmp_path)
    place = tmp_path / "runs"
    for rate, values in ((2e-4, (1.0, 2.0, 4.5)), (1e-3, (0.5, 0.6, None))):
        for seed, fcd in enumerate(values):
            status = "completed" if fcd else "stopped"
            make(place / f"{rate}-{seed}", fcd, status, d_learning_rate=rate, seed=seed)
    return place


def table(monkeypatch, capsys, *arguments, status=0):
    assert status_of(monkeypatch, COMMANDS["table"], *arguments) == status
    return capsys.readouterr()


def test_groups_differ_in_their_seed_only(runs, monkeypatch, capsys):
    lines = table(monkeypatch, capsys, "runs").out.splitlines()
    assert lines[0] == TITLE
    assert [re.split("  +", line) for line in lines[1:5]] == [
        ["d_learning_rate", "runs", "fcd ↓"],
        ["-" * 15, "-" * 16, "-" * 11],
        # Mean 2.5, sd 1.803, t(2) = 4.303: 4.303 * 1.803 / sqrt(3) = 4.48.
        ["0.0002", "3 of 3", "2.5 ± 4.5"],
        # Sd 0.0707, t(1) = 12.706: 12.706 * 0.0707 / sqrt(2) = 0.635.
        ["0.001", "2 of 3, 1 failed", "0.55 ± 0.64"],
    ]
    assert lines[6].startswith("Mean over seeds ± half of the 95 % t-interval, of a single run")


def test_the_best_is_marked_where_its_interval_overlaps_no_other(runs, monkeypatch, capsys):
    assert "*" not in table(monkeypatch, capsys, "runs").out.split("Mean over")[0]
    for seed, fcd in enumerate((0.1, 0.11, 0.12)):
        make(runs / f"best-{seed}", fcd, loss="hinge", seed=seed)
    (line,) = [one for one in table(monkeypatch, capsys, "runs").out.splitlines() if "0.11" in one]
    assert "*" not in line  # 0.55 ± 0.64 reaches it
    shutil.rmtree(runs / "0.001-1")
    shutil.rmtree(runs / "0.001-0")
    shutil.rmtree(runs / "0.0002-2")
    for seed, fcd in ((0, 7.0), (1, 7.1)):
        evaluated(runs / f"0.0002-{seed}", {"fcd": fcd})
    (line,) = [one for one in table(monkeypatch, capsys, "runs").out.splitlines() if "0.11" in one]
    assert line.endswith("0.110 ± 0.025 *")
    assert "7.05 ± 0.64" in table(monkeypatch, capsys, "runs").out  # the newest of each run


def test_a_direction_is_that_of_the_metric(runs):
    for seed in range(2):
        for rate, of_rate in ((2e-4, (0.9, 0.011)), (1e-3, (0.5, 0.05))):
            metrics = dict(zip(("recall", "memorised_pixels"), of_rate, strict=True))
            floors = {"memorised_pixels": {"mean": 0.01, "sd": 0.001}}
            values = {name: value + seed * 1e-4 for name, value in metrics.items()}
            evaluated(runs / f"{rate}-{seed}", values, floors=floors)
    groups = group_runs(find_runs([runs]))
    (kind,) = kinds_of(groups)
    assert [group.values["d_learning_rate"] for group in groups] == [2e-4, 1e-3]
    assert (kind.best("recall"), kind.best("memorised_pixels")) == (0, 0)
    assert kind.best("fcd") is None


def test_light_evaluations_are_beside_real_images_too(runs, monkeypatch, capsys):
    """Their floors come with the package; diversity within classes is 1 by definition."""
    digest = "558764ea985b459e0141afd046fdae88096fb4023c7f6f9b6dd9e4f3fce20191"
    about = {
        "num_images": 2000, "reference": {**TEST, "num_images": 2000},
        "features": {"name": "mnist-cnn-a-v1", "sha256": digest}, "source": "training",
    }  # fmt: skip
    for seed in range(3):
        for rate, diversity in ((2e-4, 1.4), (1e-3, 0.8)):
            (runs / f"{rate}-{seed}/summary.json").write_text('{"step": 9, "status": "completed"}')
            metrics = {"fcd": 0.5, "class_diversity": diversity + seed * 1e-3, "head_accuracy": 0.9}
            evaluated(runs / f"{rate}-{seed}", metrics, **about)
    kind = next(k for k in kinds_of(group_runs(find_runs([runs]))) if "2000" in k.title)
    assert kind.floors["fcd"] == pytest.approx({"mean": 0.4115, "sd": 0.0710}, abs=1e-4)
    assert kind.floors["class_diversity"] == {"mean": 1.0, "sd": 0.0}
    assert "head_accuracy" not in kind.floors
    assert kind.best("class_diversity") == 1  # above 1 is no merit
    lines = table(monkeypatch, capsys, "runs", "--metrics=class_diversity,head_accuracy").out
    assert "class_diversity" in lines
    assert "head_accuracy ↑" in lines
    assert re.search(r"(?m)^real images +1 \(0\)", lines)


def test_values_on_both_sides_of_the_floor_are_as_good_if_they_are_as_far(runs):
    for seed, away in enumerate((-2e-5, 0, 2e-5)):
        for rate, value in ((2e-4, 0.0080), (1e-3, 0.01209)):
            floors = {"memorised_pixels": {"mean": 0.01, "sd": 0.001}}
            (runs / f"{rate}-{seed}/summary.json").write_text('{"step": 9, "status": "completed"}')
            evaluated(runs / f"{rate}-{seed}", {"memorised_pixels": value + away}, floors=floors)
    (kind,) = kinds_of(group_runs(find_runs([runs])))
    # Half of each interval is 4.303 * 2e-5 / sqrt(3) = 5e-5; the distances are 0.0020 and 0.00209.
    assert kind.best("memorised_pixels") is None
    for seed in range(3):
        evaluated(runs / f"0.001-{seed}", {"memorised_pixels": 0.0122})
    (kind,) = kinds_of(group_runs(find_runs([runs])))
    assert kind.best("memorised_pixels") == 0


def test_runs_that_learned_other_numbers_of_images_are_compared(tmp_path, monkeypatch, capsys):
    """With the same real images; a title names those."""
    monkeypatch.chdir(tmp_path)
    for images in (500, 1000):
        for seed in range(2):
            run = make(tmp_path / f"runs/{images}-{seed}", train_images=images, seed=seed)
            floors = {
                "fcd": {"mean": 1.0, "sd": 0.1},
                "dcr_share": {"mean": images / 2e4, "sd": 0.1},
            }
            values = {"fcd": images + seed, "dcr_share": 0.5}
            evaluated(run, values, reference={**TEST, "learned": images}, floors=floors)
    lines = table(monkeypatch, capsys, "runs").out.splitlines()
    assert lines[0] == TITLE
    assert [re.split("  +", line) for line in lines[3:6]] == [
        ["real images", "1 (0.1)"],  # each has its own floor of dcr_share
        ["1000", "2 of 2", "1000.5 ± 6.4", "0.5000 ± 0.0000"],
        ["500", "2 of 2", "500.5 ± 6.4 *", "0.5000 ± 0.0000"],
    ]
    groups = group_runs(find_runs([tmp_path / "runs/500-0", tmp_path / "runs/500-1"]))
    (kind,) = kinds_of(groups)
    assert kind.floors["dcr_share"] == {"mean": 0.025, "sd": 0.1}


def test_a_title_says_which_average_of_the_weights_it_was(runs, monkeypatch, capsys):
    evaluated(runs / "0.0002-0", {"fcd": 7.0}, weights="posthoc", ema_sigma=0.05)
    out = table(monkeypatch, capsys, "runs").out
    assert "of mnist test, posthoc sigma 0.05 weights, noise of seed 0\n" in out


def test_a_flag_and_a_metric_of_one_name_are_two_columns(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    for precision, value in (("float32", 0.75), ("mixed_float16", 0.5)):
        run = make(tmp_path / "runs" / precision, precision=precision)
        evaluated(run, {"precision": value})
    table(monkeypatch, capsys, "runs", "--out=table.csv")
    rows = list(csv.DictReader((tmp_path / "table.csv").open()))
    assert [(row["flag_precision"], row["precision"]) for row in rows] == [
        ("float32", "0.75"), ("mixed_float16", "0.5"),
    ]  # fmt: skip
    header = (tmp_path / "table.csv").read_text().splitlines()[0].split(",")
    assert len(set(header)) == len(header)


@pytest.mark.parametrize(
    "other",
    [
        {"features": {**CNN, "sha256": "f" * 64}}, {"features": {**CNN, "name": "cnn-b"}},
        {"num_images": 2000}, {"reference": {**TEST, "split": "train"}},
        {"reference": {**TEST, "num_images": 5000}}, {"weights": "raw"}, {"seed": 1},
        {"ema_sigma": 0.05},
    ],
)  # fmt: skip
def test_numbers_that_cannot_be_compared_are_in_tables_of_their_own(
    other, runs, monkeypatch, capsys
):
    evaluated(runs / "0.0002-0", {"fcd": 100.0}, **other)
    titles = re.findall(r"(?m)^cnn-.*", table(monkeypatch, capsys, "runs").out)
    assert len(titles) == 2
    assert titles[0] == TITLE
    assert titles[1] != TITLE
    groups = group_runs(find_runs([runs]))
    first, second = kinds_of(groups)
    assert [mean.mean for mean in first.means("fcd")] == [2.5, 0.55]
    assert [mean and mean.mean for mean in second.means("fcd")] == [100.0, None]


def test_evaluations_of_other_steps_count_only_when_asked_for(runs, monkeypatch, capsys):
    evaluated(runs / "0.0002-0", {"fcd": 50.0}, step=5)
    make(runs / "0.0002-7", None, "", d_learning_rate=2e-4, seed=7)  # at work
    evaluated(runs / "0.0002-7", {"fcd": 70.0}, step=5)
    out = table(monkeypatch, capsys, "runs").out
    assert "3 of 4, 1 unfinished" in out
    assert "50" not in out
    out = table(monkeypatch, capsys, "runs", "--step=5").out
    assert re.search(r"2 of 4, 2 not evaluated +60 ± 127\n", out)
    assert "0 of 3, 1 failed, 2 not evaluated" in out


def test_numbers_of_a_failed_run_are_no_part_of_a_mean(runs, monkeypatch, capsys):
    evaluated(runs / "0.001-2", {"fcd": 900.0})  # at its last step, before it stopped
    assert re.search(r"2 of 3, 1 failed +0.55 ± 0.64\n", table(monkeypatch, capsys, "runs").out)


def test_metrics_of_several_evaluations_of_a_kind_come_together(runs):
    evaluated(runs / "0.0002-0", {"recall": 0.5})
    groups = group_runs(find_runs([runs / "0.0002-0"]))
    (kind,) = kinds_of(groups)
    assert kind.metrics == ["fcd", "recall"]
    assert [kind.means(name)[0].mean for name in kind.metrics] == [1.0, 0.5]


def test_the_end_of_a_run_is_where_it_ended(tmp_path, monkeypatch, capsys):
    """It had done nine steps when --steps=6 made it complete."""
    make(tmp_path / "runs/a", 3.5, steps=6)
    assert re.search(r"1 of 1 +3.5", table(monkeypatch, capsys, tmp_path / "runs").out)


def test_what_is_not_finite_is_left_out(runs, monkeypatch, capsys):
    """The cell says of how many runs it is then, in every format."""
    evaluated(runs / "0.0002-2", {"fcd": None, "recall": 0.5})
    (kind,) = kinds_of(group_runs(find_runs([runs])))
    assert kind.means("fcd")[0].size == 2
    out = table(monkeypatch, capsys, "runs", "--out=table.md").out
    assert re.search(r"3 of 3 +1.5 ± 6.4 of 2 +0.5000 of 1\n", out)
    assert "| 3 of 3 | 1.5 ± 6.4 of 2 | 0.5000 of 1 |" in (runs.parent / "table.md").read_text()


FLOORS = {"fcd": {"mean": 0.125, "sd": 0.01}}


def test_every_format(runs, monkeypatch, capsys):
    evaluated(runs / "0.0002-0", {"fcd": 1.0}, floors=FLOORS)
    for suffix in ("txt", "csv", "md", "tex"):
        out = table(monkeypatch, capsys, "runs", f"--out=table.{suffix}").out
        assert out.endswith(f"table.{suffix}: the table of 6 runs in 2 groups\n")
    here = runs.parent
    assert (here / "table.txt").read_text() in out
    assert (here / "table.md").read_text().splitlines()[:6] == [
        TITLE,
        "",
        "| d_learning_rate | runs | fcd ↓ |",
        "| --- | --- | --- |",
        "| real images | | 0.125 (0.01) |",
        "| 0.0002 | 3 of 3 | 2.5 ± 4.5 |",
    ]
    tex = (here / "table.tex").read_text()
    assert "d\\_learning\\_rate & runs & fcd $\\downarrow$ \\\\\n\\hline\n" in tex
    assert "0.001 & 2 of 3, 1 failed & 0.55 $\\pm$ 0.64 \\\\\n\\hline\n\\end{tabular}" in tex
    assert tex.split("\\end{tabular}")[0].isascii()
    rows = list(csv.DictReader((here / "table.csv").open()))
    assert [float(row["fcd"]) for row in rows] == [2.5, 0.55]
    assert [row["evaluation"] for row in rows] == [TITLE, TITLE]
    assert [(r["runs"], r["evaluated"], r["failed"], r["fcd_runs"]) for r in rows] == [
        ("3", "3", "0", "3"),
        ("3", "2", "1", "2"),
    ]
    assert float(rows[0]["fcd_half_width"]) == pytest.approx(4.4783, abs=1e-4)
    assert (rows[0]["fcd_real"], rows[0]["fcd_real_sd"]) == ("0.125", "0.01")


def test_latex_prints_what_a_name_has():
    """In its usual font `<` alone would be another character."""
    assert formats.in_latex(r"a<b>|c_1\d~^") == (
        r"a\textless{}b\textgreater{}\textbar{}c\_1\textbackslash{}d"
        r"\textasciitilde{}\textasciicircum{}"
    )


def test_what_is_meant_by_runs(runs, monkeypatch, capsys):
    every = [str(path) for path in sorted(runs.iterdir())]
    assert [str(run) for run in find_runs([runs])] == every
    assert len(find_runs([runs / "*-1"])) == 2  # a pattern that no shell has expanded
    assert len(find_runs([runs / "0.001-*", runs / "0.001-0", runs.parent])) == 6  # each once
    odd = make(runs / "[a]-1", 1.0, loss="hinge")
    assert find_runs([odd]) == [odd]
    out = table(monkeypatch, capsys, "runs/0.0002-0", "runs/0.001-0").out
    assert "1 of 1" in out
    (runs.parent / "empty").mkdir()
    for place, what in (
        ("empty", "holds no run"),
        ("gone", "is not there"),
        ("g*", "is not there"),
    ):
        error = table(monkeypatch, capsys, place, status=2).err
        assert error == f"error: --runs={place}: {what}, must be runs, or directories of runs\n"


def test_the_same_run_twice_is_one_observation(runs, monkeypatch, capsys):
    shutil.copytree(runs / "0.001-0", runs / "copy")
    error = table(monkeypatch, capsys, "runs", status=2).err
    assert error.startswith("error: --runs=runs/copy: is the same as runs/0.001-0, its seed too")


def test_networks_from_python_are_groups_of_their_own(runs, tmp_path):
    config = from_preset("mlp", {"steps": 9, "d_learning_rate": 2e-4, "seed": 9})
    own = {"generator": {"layers": [], "weights": [], "digest": "abcdef0123"}}
    write_config(runs / "own", config, {}, own)
    groups = group_runs(find_runs([runs]))
    assert [len(group.runs) for group in groups] == [3, 3, 1]
    assert groups[2].values["generator"] == "own abcdef01"


def test_where_data_lie_is_no_difference(tmp_path):
    """Of runs on several machines; two of them are the same one."""
    for seed, (place, digest) in enumerate((("a", "d1"), ("b", "d1"), ("b", "d2"), ("c", ""))):
        for dataset in ("mnist", f"image_folder:/{place}/faces"):
            changes = {"dataset": dataset, "seed": seed, "data_dir": f"/{place}"}
            where = tmp_path / dataset.split(":")[0] / f"{seed}"
            write_config(where, from_preset("mlp", changes), {}, {}, {"digest": digest})
    of_mnist, folders = (group_runs(find_runs([tmp_path / n])) for n in ("mnist", "image_folder"))
    assert [len(group.runs) for group in of_mnist] == [4]
    assert [len(group.runs) for group in folders] == [2, 1, 1]
    assert folders[0].values["dataset"] == "image_folder:faces"
    assert folders[2].values["dataset"] == "image_folder:/c/faces"  # nobody knows what is in there
    again = from_preset("mlp", {"dataset": "image_folder:/x/faces", "seed": 0})
    write_config(tmp_path / "image_folder/again", again, {}, {}, {"digest": "d1"})
    with pytest.raises(UserError, match="is the same as"):
        group_runs(find_runs([tmp_path / "image_folder"]))


def test_folders_with_other_images_are_groups_of_their_own(tmp_path):
    for seed, digest in enumerate("aab"):
        config = from_preset("mlp", {"dataset": "image_folder:x", "seed": seed})
        write_config(tmp_path / f"{seed}", config, {}, {}, {"digest": digest})
    assert [len(group.runs) for group in group_runs(find_runs([tmp_path]))] == [2, 1]


def test_runs_without_evaluations_are_counted(tmp_path, monkeypatch, capsys):
    for seed, status in enumerate(("completed", "stopped", "")):
        make(tmp_path / f"r{seed}", None, status, seed=seed)
    assert table(monkeypatch, capsys, str(tmp_path)).out.splitlines()[:4] == [
        "no evaluations at the end of these runs", "runs", "-" * 47,
        "0 of 3, 1 failed, 1 unfinished, 1 not evaluated",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        ("runs --metrics=fid", "--metrics=fid: must be among fcd"),
        ("runs --out=table.xlsx", "--out=table.xlsx: must be a file, .txt, .csv, .md, .tex"),
        ("runs --out=runs", "--out=runs: must be a file, .txt"),
        ("runs --out=nowhere/table.md", "--out=nowhere/table.md: cannot be written (No such file"),
        ("runs --step=-1", "--step=-1: must be an integer at least 0"),
    ],
)
def test_mistakes_are_one_line(arguments, line, runs, monkeypatch, capsys):
    before = sorted(runs.parent.rglob("*"))
    error = table(monkeypatch, capsys, *arguments.split(), status=2).err
    assert error.startswith(f"error: {line}")
    assert error.count("\n") == 1
    assert sorted(runs.parent.rglob("*")) == before
