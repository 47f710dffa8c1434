"""The study command on a study of two tiny variants, one of which fails."""

import csv
import dataclasses
import signal
import subprocess
import sys

import platformdirs
import pytest
import tensorflow as tf

import gan
from experiments import study as study_command
from experiments.studies import evaluation, report, table
from gan.cli import command
from gan.data.datasets import load_dataset
from gan.data.images import write_png
from gan.errors import UserError
from gan.evaluation import own_features, reference
from gan.evaluation.metrics.table import METRICS
from gan.evaluation.reference import RealFeatures
from gan.run import jsonl
from gan.run.config import Config
from gan.run.presets import from_preset
from gan.run.records import read_evaluations
from gan.run.saved_config import write_config
from gan.sweeps.runs import Run, refuse_another_run, state_of
from gan.training.trainer import train
from support import ROOT


@pytest.mark.parametrize("name", table.STUDIES)
def test_every_run_of_every_study_is_a_valid_configuration(name, tmp_path):
    study = table.STUDIES[name]
    runs = table.runs_of(study, tmp_path)
    assert len(runs) == len({run.directory for run in runs})
    assert len(runs) == len(study.seeds) * len(study.variants)
    data = from_preset(study.preset, study.common).dataset  # what all of them are judged by
    for run in runs:
        config = from_preset(study.preset, run.changes)
        assert (config.seed, config.dataset) == (run.changes["seed"], data)
        assert all(step % config.checkpoint_every == 0 for step in study.curve)
        if study.curve:
            assert config.keep_checkpoints * config.checkpoint_every >= config.steps
            assert max(study.curve) == config.steps


def test_the_mlp_study_is_the_one_that_the_documentation_reports(tmp_path):
    runs = table.runs_of(table.STUDIES["mlp"], tmp_path)
    configs = [from_preset("mlp", run.changes) for run in runs]
    assert {(c.schedule, c.seed) for c in configs} == {
        (schedule, seed)
        for schedule in ("classic", "alternating", "simultaneous")
        for seed in (0, 1, 2)
    }
    assert {c.steps for c in configs} == {30_000}
    assert evaluation.WEIGHTS == ("raw", "ema")


def test_the_study_of_few_images_compares_augmentations_at_both_sizes(tmp_path):
    runs = table.runs_of(table.STUDIES["few_images"], tmp_path)
    configs = [from_preset("mlp", run.changes) for run in runs]
    assert {(c.train_images, c.augment, c.ada_target, c.seed) for c in configs} == {
        (count, augment, target, seed)
        for count in (1000, 5000)
        for augment, target in (("none", 0.0), ("translation_cutout", 0.0),
                                ("translation_cutout", 0.6))
        for seed in (0, 1, 2)
    }  # fmt: skip


@pytest.mark.slow
def test_runs_that_learned_few_images_are_judged_by_these(tmp_path, monkeypatch):
    """Copies are looked for among them; the feature network and the floors are the usual ones."""
    changes = {"steps": 2, "evaluate_every": 0, "jit_compile": False, "precision": "float32"}
    labels = {"conditional": True}
    variants = {"few": {"train_images": 1000, **labels}, "all": labels}
    study = table.Study("tiny", (0,), variants, changes, num_images=2000)
    monkeypatch.setattr(evaluation, "METRICS", ("fcd", "kid", "memorised_pixels"))
    monkeypatch.setattr(evaluation, "WEIGHTS", ("raw",))
    runs = table.runs_of(study, tmp_path)
    for run in runs:
        train(from_preset("tiny", run.changes), run.directory, quiet=True)
    rows, floors = evaluation.evaluate_all(study, runs)
    assert [row["train_images"] for row in rows] == [1000, 0]
    assert floors["full"]["fcd"]["mean"] < 5
    # With labels also how diverse each class is, which `report` has a column for.
    assert floors["full"]["class_diversity"] == {"mean": 1.0, "sd": 0.0}
    assert all(0 <= row["class_diversity"] < 1 for row in rows)
    found = [read_evaluations(run.directory / "evaluations.jsonl") for run in runs]
    assert [[r["reference"].get("learned") for r in records] for records in found] == [
        [1000, 1000], [None, None],
    ]  # fmt: skip


def test_a_study_that_counts_modes_has_the_worst_seed_and_the_failed_ones(tmp_path, capsys):
    """One of two seeds was trained; what was evaluated once is not evaluated again."""
    study = table.STUDIES["tiny_modes"]
    runs = [run for run in table.runs_of(study, tmp_path) if run.variant == "short"]
    config = from_preset(study.preset, {**runs[0].changes, "precision": "float32"})
    train(config, runs[0].directory, quiet=True)
    rows, floors = evaluation.evaluate_all(study, runs)
    assert [(row["run"], row["weights"]) for row in rows] == [
        ("short-0", "raw"),
        ("short-0", "ema"),
    ]
    assert all(0 <= row["high_quality"] <= 1 and row["modes"] <= 8 for row in rows)
    assert capsys.readouterr().err.count("counting the modes of short-0") == 2
    assert evaluation.evaluate_all(study, runs) == (rows, floors)
    assert "counting" not in capsys.readouterr().err
    best, worst = ({**rows[1], "modes": m, "high_quality": q} for m, q in ((8.0, 0.98), (7.0, 0.5)))
    text = report.modes_markdown(["short"], 3, [best, worst], floors["full"])
    assert "| short | ema | 2 of 3 | 1 of 3 | 8 (7 to 8) | 74.00 (50.00 to 98.00) |" in text
    assert "| short | raw | 0 of 3 | 0 of 3 | failed |" in text
    assert "| *real data* | | | | 8 (0) | 98.8" in text


def call(monkeypatch, *arguments):
    monkeypatch.setattr(sys, "argv", ["study", *arguments])
    with pytest.raises(SystemExit) as end:
        command.run("usage", study_command.define, study_command.main)
    return end.value.code


def test_a_study_survives_interruption_skips_what_is_done_and_counts_failures(
    tmp_path, monkeypatch, capsys
):
    """A signal in a process; then to the end in this one. Other signals: sweeps/test_training."""
    out = tmp_path / "studies"
    arguments = ("--study=tiny", f"--out={out}")
    process = subprocess.Popen(
        [sys.executable, "-m", "experiments.study", *arguments], cwd=ROOT, text=True,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        # Jobs in the background of a script ignore Ctrl-C, and so would their children.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )  # fmt: skip
    for line in process.stderr:
        if line.startswith("training"):
            break
    process.send_signal(signal.SIGINT)  # to the study alone: its runs get it from there
    _, error = process.communicate(timeout=120)
    assert process.returncode == 130
    assert error.splitlines()[-2:] == [
        f"{out / 'tiny'}: 0 of 2 runs done",
        "next: the same command goes on",
    ]
    for directory in (out / "tiny").glob("*-?"):
        assert state_of(directory, 0) in ("new", "open")
    assert not (out / "tiny/results.csv").exists()

    few = property(lambda real: real.data.train_images[:1000])  # copies are looked for among these
    monkeypatch.setattr(RealFeatures, "learned", few)
    seen = property(lambda real: real.extractor(real.learned))
    monkeypatch.setattr(RealFeatures, "training_learned", seen)
    assert call(monkeypatch, *arguments, "--jobs=2") == 0
    with (out / "tiny/results.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [(r["run"], r["weights"], r["status"]) for r in rows] == [
        ("alternating-0", "raw", "completed"), ("alternating-0", "ema", "completed"),
        ("diverging-0", "", "failed"),
    ]  # fmt: skip
    assert set(METRICS) | {f.name for f in dataclasses.fields(Config)} <= set(rows[0])
    for row in rows[:2]:
        assert (row["generator"], row["steps"], row["schedule"]) == ("tiny", "100", "alternating")
        assert float(row["fcd"]) > 100
        assert float(row["seconds"]) > 0
    for row in rows[2:]:  # what was tried is known of failed runs too
        assert (row["generator"], row["steps"], float(row["d_learning_rate"])) == (
            "tiny", "100", 1e38,
        )  # fmt: skip
        assert row["fcd"] == ""
    text = (out / "tiny/results.md").read_text()
    assert "| diverging | ema | 0 of 1 | failed |" in text
    assert "| alternating | ema | 1 of 1 | " in text
    assert tf.io.decode_png((out / "tiny/fcd.png").read_bytes()).shape[1] > 800

    capsys.readouterr()
    assert call(monkeypatch, *arguments) == 0
    said = capsys.readouterr().err
    assert "2 runs, 2 of them done" in said
    assert "training" not in said
    assert "evaluating" not in said
    assert (out / "tiny/results.md").read_text() == text


def row(variant, weights, fcd, fcd_b, **more):
    values = {name: 0.5 for name, *_ in (*report.TABLE, *report.MORE)}
    return {
        **values, "variant": variant, "weights": weights, "fcd": fcd, "fcd_b": fcd_b,
        "seconds": 60.0, "device": "a CPU", "collapse": "", "curve": [], **more,
    }  # fmt: skip


def test_the_table_has_means_intervals_floors_and_ranks():
    rows = [row("a", "raw", x, y) for x, y in ((1.0, 5.0), (2.0, 6.0), (4.5, 9.0))]
    rows += [row("a", "ema", 1.0, 30.0, collapse="mode_collapse")]
    rows += [row("b", "raw", 9.0, 31.0), row("b", "raw", 11.0, 32.0)]
    floors = {name: {"mean": 0.25, "sd": 0.125} for name, *_ in (*report.TABLE, *report.MORE)}
    text = report.markdown(["a", "b"], 3, rows, floors)
    lines = [line for line in text.splitlines() if line.startswith("|")]
    head, _, floor, *body = ([cell.strip() for cell in line.split("|")[1:-1]] for line in lines)
    assert head[:5] == ["variant", "weights", "runs", "FCD ↓", "KID·10³ ↓"]
    assert floor[:5] == ["*real images*", "", "", "0.25 (0.12)", "250.0 (125.0)"]
    # Mean 2.5, sd 1.803, t(2) = 4.303: half-width 4.303 * 1.803 / sqrt(3) = 4.48.
    assert body[0][:4] == ["a", "raw", "3 of 3", "2.50 ± 4.48"]
    assert body[0][-2:] == ["60 ± 0", "none"]
    assert body[1][:4] == ["a", "ema", "1 of 3", "1.00"]
    assert body[1][-1] == "mode_collapse"
    assert body[2][:4] == ["b", "raw", "2 of 3", "10.00 ± 12.71"]
    assert body[3][:4] == ["b", "ema", "0 of 3", "failed"]
    assert body[3][-2:] == ["failed", ""]
    # Means 2.5, 1, 10 against 6.67, 30, 31.5: ranks 2, 1, 3 and 1, 2, 3, so 1 - 6 * 2 / 24.
    assert "Spearman 0.50 over the 3 lines" in text


def test_a_run_counts_as_done_only_when_it_did_all_steps(tmp_path):
    (run, *_) = table.runs_of(table.STUDIES["tiny"], tmp_path)
    run.directory.mkdir()
    summary = run.directory / "summary.json"
    assert state_of(run.directory, 100) == "new"
    (run.directory / "config.json").write_text("{}")
    assert state_of(run.directory, 100) == "open"
    for content, state in (
        ('{"status": "completed", "step": 100}', "completed"),
        ('{"status": "completed", "step": 99}', "open"),
        ('{"status": "preempted", "step": 50}', "open"),
        ('{"status": "stopped", "step": 0}', "stopped"),
        ('{"torn', "open"),
    ):
        summary.write_text(content)
        assert state_of(run.directory, 100) == state, content


def test_a_run_of_an_older_table_is_refused_one_of_another_machine_is_not(tmp_path):
    study = table.STUDIES["mlp"]
    (run, *_) = table.runs_of(study, tmp_path)
    refuse_another_run(run)  # a new one
    config = from_preset(study.preset, run.changes)
    on_gpu = dataclasses.replace(config, precision="mixed_bfloat16", jit_compile=True)
    write_config(run.directory, on_gpu, {}, [])
    refuse_another_run(run)
    write_config(run.directory, dataclasses.replace(on_gpu, batch_size=7), {}, [])
    with pytest.raises(UserError, match=r"of another configuration \(batch_size: 7 -> 256\)"):
        refuse_another_run(run)


def test_a_study_of_a_folder_without_classes(tmp_path, monkeypatch, capsys):
    """Numbers of samples that the folder has room for, no metrics of classes, and Inception's."""
    digits = load_dataset("mnist", "", print).train_images[:, ::2, ::2]
    (tmp_path / "digits").mkdir()
    for i in range(480):
        write_png(tmp_path / f"digits/{i}.png", digits[i])
    monkeypatch.setattr(platformdirs, "user_cache_dir", lambda name: str(tmp_path / name))
    monkeypatch.setattr(own_features, "BUDGET", 4000)
    monkeypatch.setattr(reference, "FLOOR_DRAWS", 3)
    asked = []

    class Network:
        provenance = {"name": "inception"}  # noqa: RUF012

    def judge(dataset, data, images, names, split, print_fn):
        asked.append((images.shape, tuple(names), split))
        names = [f"{name}_inception_180" for name in names]
        floors = {names[0]: {"mean": 20.0, "sd": 1.5}}
        return {"features": Network.provenance, "num_images": 180, "floors": floors,
                "tapegan": gan.__version__,
                "metrics": dict(zip(names, (321.0, 0.25), strict=True))}  # fmt: skip

    monkeypatch.setattr(evaluation.inception, "load_extractor", lambda print_fn: Network)
    monkeypatch.setattr(evaluation.inception, "evaluate", judge)
    study = table.Study(
        "tiny", (0,), {"tiny": {}}, folder_set="emoji",
        common={
            "dataset": f"image_folder:{tmp_path / 'digits'}", "image_size": 14, "image_channels": 1,
            "steps": 4, "jit_compile": False, "precision": "float32", "evaluate_every": 0,
        },
    )  # fmt: skip
    (run,) = table.runs_of(study, tmp_path)
    train(from_preset(study.preset, run.changes), run.directory, quiet=True)
    rows, floors = evaluation.evaluate_all(study, [run])
    assert asked == 2 * [((180, 14, 14, 1), ("fid", "kid"), "test")]  # half of 360
    assert [row["weights"] for row in rows] == ["raw", "ema"]
    assert all(row["fid_inception"] == 321 and row["kid_inception"] == 0.25 for row in rows)
    assert all(row["fcd"] > 2 * floors["full"]["fcd"]["mean"] for row in rows)
    assert "classes" not in rows[0]
    text = report.markdown(["tiny"], 1, rows, floors["full"])
    assert "score" not in text
    assert "| FID (Inception) ↓ |" in text
    assert "| 321.0 |" in text
    assert "| 20.0 (1.5) |" in text
    assert "KID (Inception)" not in text  # without a floor nothing says what is good
    assert evaluation.evaluate_all(study, [run]) == (rows, floors)
    assert len(asked) == 2


def test_evaluations_of_another_version_are_repeated(tmp_path):
    run = Run(tmp_path, "tiny", {}, "a")
    about, features = {"source": "study", "step": 1}, {"name": "cnn-a"}
    for version, found in (("0.0.1", False), (gan.__version__, True)):
        record = {**about, "features": features, "num_images": 9, "tapegan": version,
                  "metrics": {"fcd": 1.0}}  # fmt: skip
        jsonl.write_records(tmp_path / "evaluations.jsonl", [record])
        assert (evaluation.found_record(run, about, features, 9, ("fcd",)) is not None) == found


def test_no_rule_is_no_sign(tmp_path):
    """Logits that are no log-odds, and no light evaluations: nothing could be found."""
    changes = {"steps": 100, "evaluate_every": 0}
    records = [{"step": 100, "kimg": 6.4, "seconds": 1.0}]
    for loss, said in (("relativistic", "-"), ("non_saturating", "")):
        run = Run(tmp_path / loss, "tiny", {**changes, "loss": loss}, loss)
        write_config(run.directory, run.config, {}, {})
        assert evaluation.signs_of(run, "ema", records, []) == said
    light = [
        {"step": i, "kimg": i, "seconds": 1, "source": "training", "weights": "ema",
         "metrics": {"fcd": 9.0, "coverage": 0.01}}
        for i in (1, 2, 3)
    ]  # fmt: skip
    run = Run(tmp_path / "relativistic", "tiny", {**changes, "loss": "relativistic"}, "a")
    jsonl.write_records(run.directory / "evaluations.jsonl", light)
    assert (
        evaluation.signs_of(run, "ema", records, []) == "mode_collapse"
    )  # which training has found
    assert evaluation.signs_of(run, "raw", records, []) == "-"
    row = {"variant": "a", "weights": "ema", "seconds": 1.0, "fcd": 1.0, "collapse": "-"}
    lines = report.table(report.TABLE[:1], {("a", "ema"): [row]}, 1, {"fcd": {"mean": 1, "sd": 0}})
    assert lines[-1].endswith("| - |")


def test_the_csv_of_a_study_has_flags_and_metrics_of_one_name(tmp_path):
    done = {
        "run": "a",
        **evaluation.flags_of({"precision": "float32", "seed": 0}),
        "precision": 0.8,
    }
    failed = {
        "run": "b",
        "status": "failed",
        **evaluation.flags_of({"precision": "mixed_bfloat16"}),
    }
    report.write_csv(tmp_path / "r.csv", [failed, done])
    with (tmp_path / "r.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [row["flag_precision"] for row in rows] == ["mixed_bfloat16", "float32"]
    assert [row["precision"] for row in rows] == ["", "0.8"]
