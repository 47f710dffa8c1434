"""Which runs a sweep has, what they are called, and what another sweep leaves alone."""

import json
import re
from pathlib import Path

import pytest
from absl.flags import FlagValues

from gan.cli import sweep
from gan.errors import UserError
from gan.run.presets import from_preset
from gan.run.saved_config import write_config
from gan.sweeps.runs import combinations, other_runs, refuse_another_run, state_of
from gan.sweeps.training import Ended
from support import COMMANDS, status_of


def planned(*arguments, out="out"):
    values = FlagValues()
    sweep.define(values)
    values(["sweep", *arguments])
    return sweep.runs_of(values, Path(out))


def test_every_combination_is_a_run_with_a_name_of_what_differs():
    runs = planned("--preset=mlp_r3", "--d_learning_rate=2e-4,1e-3", "--steps=7", "--seeds=0-2")
    assert [run.directory.as_posix() for run in runs] == [
        f"out/d_learning_rate={rate}-seed={seed}"
        for seed in (0, 1, 2)
        for rate in ("0.0002", "0.001")
    ]
    assert runs[3].config == from_preset(
        "mlp_r3", {"d_learning_rate": 1e-3, "steps": 7, "seed": 1}
    )  # fmt: skip
    assert runs[3].flags == [
        "--preset=mlp_r3", "--steps=7", "--d_learning_rate=0.001", "--seed=1",
        "--run_dir=out/d_learning_rate=0.001-seed=1",
    ]  # fmt: skip


def test_presets_switches_and_single_seeds():
    runs = planned("--preset=mlp,dcgan", "--conditional=true,false", "--noflip", "--seed=5,9")
    assert len(runs) == 8
    assert [run.directory.name for run in runs[:3]] == [
        "mlp-conditional=True-seed=5", "mlp-conditional=False-seed=5",
        "dcgan-conditional=True-seed=5",
    ]  # fmt: skip
    assert {(r.config.generator, r.config.conditional, r.config.seed) for r in runs} == {
        (network, conditional, seed)
        for network in ("mlp", "dcgan")
        for conditional in (True, False)
        for seed in (5, 9)
    }
    assert [run.directory.name for run in planned()] == ["seed=0"]


def test_commas_in_brackets_and_after_a_backslash_belong_to_a_value():
    runs = planned(
        r"--dataset=image_folder:a\,b,image_folder:x/c", "--background=rgb(1,2,3),white",
        "--data_cache=/x,y", "--image_size=64",
    )  # fmt: skip
    configs = [run.config for run in runs]
    assert [config.dataset for config in configs] == ["image_folder:a,b"] * 2 + [
        "image_folder:x/c"
    ] * 2
    assert [config.background for config in configs] == ["rgb(1,2,3)", "white"] * 2
    assert {config.data_cache for config in configs} == {"/x,y"}
    assert {run.preset for run in runs} == {"images64"}  # as train chooses it
    names = [run.directory.name for run in runs]
    assert len(set(names)) == 4
    assert all(re.fullmatch(r"[\w.=+-]+", name) for name in names)
    assert re.fullmatch(r"dataset=c_\w{6}-background=white-seed=0", names[3])


def test_folders_of_the_same_name_are_two_runs():
    found = combinations({"dataset": ["image_folder:a/x", "image_folder:b/x"]}, [0], Path())
    assert len({directory for directory, _ in found}) == 2


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        ("--d_learning_rate=2e-4,x", "--d_learning_rate=2e-4,x: 'x' must be a number above 0\n"),
        ("--loss=hinge,foo", "--loss=hinge,foo: 'foo' must be one of non_saturating, minimax"),
        ("--loss=foo", "--loss=foo: must be one of non_saturating, minimax"),
        ("--steps=5,6,5", "--steps=5,6,5: has 5 twice, must have each value once"),
        ("--d_learning_rate=2e-4,0.0002", "--d_learning_rate=2e-4,0.0002: has 0.0002 twice"),
        ("--preset=mlp,foo", "--preset=foo: must be one of mlp, classic"),
        ("--fake_label=0.0,1.0", "--fake_label=1.0: must be below --real_label"),
        ("--loss=hinge,non_saturating --real_label=0.9", "--real_label=0.9 --fake_label=0.0: onl"),
        ("--pack=1,3", "--pack=3: must divide --batch_size=256"),
        ("--seeds=2-1", "--seeds=2-1: must be numbers and ranges, such as 0-99"),
        ("--seeds=0,0-2", "--seeds=0,0-2: must have each seed once"),
        ("--seeds=0-2 --seed=1", "--seeds=0-2: is for --seed, must be without it"),
        ("--seeds=0-99999", "--seeds: are 100,000 runs, must be at most 10,000"),
        ("--run_dir=x", "--run_dir: is not a flag of this command"),
        ("--out=run", "--out=run: is a run itself, must be a directory for runs"),
        ("--out=file", "--out=file: is a file, must be a directory for runs"),
        ("--init_from=nothing,run", "--init_from=nothing: is not a run, it has no config.json"),
        ("--latent_dim=8,2147483647", "--latent_dim=2147483647: is too much with "),
        ("--dataset=image_folder:x --image_size=33", "--image_size=33: --generator=dcgan_dense"),
        ("--out=mixed --steps=9 --batch_size=7", "--run_dir=mixed/seed=0: holds a run of another "
         "configuration (batch_size: 256 -> 7)"),
    ],
)  # fmt: skip
def test_mistakes_are_found_before_anything_starts(arguments, line, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    write_config(tmp_path / "run", from_preset("mlp"), {}, {})
    write_config(tmp_path / "mixed/seed=0", from_preset("mlp", {"steps": 9}), {}, {})
    (tmp_path / "file").write_text("mine")
    before = sorted(tmp_path.rglob("*"))
    monkeypatch.setattr(sweep, "train_all", None)
    assert status_of(monkeypatch, COMMANDS["sweep"], *arguments.split()) == 2
    error = capsys.readouterr().err
    assert error.startswith(f"error: {line}")
    assert error.count("\n") == 1
    assert sorted(tmp_path.rglob("*")) == before


def test_a_sweep_that_was_interrupted_says_what_to_do_next(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    ended = Ended(130, ["seed=0"], {}, {})
    monkeypatch.setattr(sweep, "train_all", lambda runs, jobs, tell: ended)
    assert status_of(monkeypatch, COMMANDS["sweep"], "--seeds=0-2") == 130
    assert capsys.readouterr().out.splitlines() == [
        "runs/sweep: 3 runs, 1 done, 0 failed; tapegan table runs/sweep has the means",
        "next: the same command goes on",
    ]


def test_a_dry_run_lists_the_runs_and_writes_nothing(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    other = from_preset("mlp", {"loss": "hinge"})
    write_config(tmp_path / "runs/sweep/loss=hinge-seed=0", other, {}, {})
    before = sorted(tmp_path.rglob("*"))
    monkeypatch.setattr(sweep, "train_all", None)
    assert status_of(monkeypatch, COMMANDS["sweep"], "--steps=5,6", "--dry_run") == 0
    said = capsys.readouterr()
    assert said.out.splitlines() == [
        "new: tapegan train --preset=mlp --steps=5 --seed=0 --run_dir=runs/sweep/steps=5-seed=0",
        "new: tapegan train --preset=mlp --steps=6 --seed=0 --run_dir=runs/sweep/steps=6-seed=0",
        "runs/sweep: 2 runs, 2 new",
    ]
    assert said.err == (
        "warning: runs/sweep has 1 other runs, which stay as they are: loss=hinge-seed=0\n"
    )
    assert sorted(tmp_path.rglob("*")) == before
    assert other_runs(tmp_path, []) == []


def test_the_same_run_is_let_in_and_one_of_another_configuration_is_not(tmp_path):
    (run,) = planned("--steps=9", out=tmp_path)
    refuse_another_run(run)  # a new one
    write_config(run.directory, run.config, {}, {})
    refuse_another_run(run)
    (longer,) = planned("--steps=10", out=tmp_path)
    assert longer.directory == run.directory
    refuse_another_run(longer)  # goes on
    for status in ("completed", "preempted"):
        summary = {"step": 10, "status": status}
        (run.directory / "summary.json").write_text(json.dumps(summary))
        refuse_another_run(longer)
        with pytest.raises(UserError, match=rf"^--steps=9: {run.directory} has 10 already, must"):
            refuse_another_run(run)
    (changed,) = planned("--steps=9", "--loss=hinge", out=tmp_path)
    with pytest.raises(UserError, match=r"another configuration \(loss: non_saturating -> hinge\)"):
        refuse_another_run(changed)
    (run.directory / "summary.json").write_text("[]")
    assert state_of(run.directory, 9) == "open"


def test_a_run_that_a_smaller_sweep_named_otherwise_is_not_trained_again(
    tmp_path, monkeypatch, capsys
):
    monkeypatch.chdir(tmp_path)
    few = planned("--preset=mlp_r3", "--d_learning_rate=1e-3", "--steps=9", "--seeds=0-1")
    assert [run.directory.name for run in few] == ["seed=0", "seed=1"]
    for run in few:
        place = tmp_path / "runs/sweep" / run.directory.name
        write_config(place, run.config, {}, {})
        (place / "summary.json").write_text(json.dumps({"step": 9, "status": "completed"}))
    damaged = tmp_path / "runs/sweep/damaged"
    damaged.mkdir()
    (damaged / "config.json").write_text("[]")
    arguments = ["--preset=mlp_r3", "--d_learning_rate=1e-3,2e-4", "--steps=9", "--seeds=0-1"]
    monkeypatch.setattr(sweep, "train_all", None)
    assert status_of(monkeypatch, COMMANDS["sweep"], *arguments, "--dry_run") == 0
    rows = capsys.readouterr().out.splitlines()
    assert [(row.split(":")[0], row.rpartition("/")[2]) for row in rows[:4]] == [
        ("done", "seed=0"), ("new", "d_learning_rate=0.0002-seed=0"),
        ("done", "seed=1"), ("new", "d_learning_rate=0.0002-seed=1"),
    ]  # fmt: skip
    assert rows[4] == "runs/sweep: 4 runs, 2 new, 2 done"
    longer = [argument for argument in arguments if "steps" not in argument]
    assert status_of(monkeypatch, COMMANDS["sweep"], *longer, "--dry_run") == 0
    assert capsys.readouterr().out.splitlines()[-1] == "runs/sweep: 4 runs, 4 new"
    # Nor one whose networks Python code gave.
    place = tmp_path / "runs/sweep/seed=1"
    write_config(place, few[1].config, {}, {"generator": "0" * 64})
    assert status_of(monkeypatch, COMMANDS["sweep"], *arguments, "--dry_run") == 0
    assert capsys.readouterr().out.splitlines()[-1] == "runs/sweep: 4 runs, 3 new, 1 done"
    write_config(place, few[1].config, {}, {})
    # Neither are these: other steps, another loss.
    for other in ("--steps=9,10", "--loss=hinge,least_squares"):
        replaced = [a for a in arguments if a.split("=")[0] != other.split("=")[0]]
        assert status_of(monkeypatch, COMMANDS["sweep"], *replaced, other, "--dry_run") == 0
        rows = capsys.readouterr().out.splitlines()
        names = [row.rpartition("/")[2] for row in rows[:-1]]
        assert len(set(names)) == len(names) == 8
        done = [n for n, row in zip(names, rows, strict=False) if row.startswith("done")]
        assert done == (["seed=0", "seed=1"] if "steps" in other else [])
