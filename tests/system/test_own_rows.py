"""Rows of one's own reach every command by ``--import``, and no run directory runs code."""

import hashlib
import json
import re
import sys

import pytest

import gan
from gan.algorithm.auxiliary import AUXILIARIES
from gan.cli import evaluate, export, main, report, sample, sweep, train
from gan.run import imports
from gan.run.presets import PRESETS
from gan.run.saved_config import read_values
from gan.sweeps import training
from gan.training import own_rows
from gan.training.checks import TABLES
from support import COMMANDS, run_module, status_of

MINE = """
import gan
import tensorflow as tf

gan.LOSSES["margin"] = gan.Loss(
    discriminator=lambda real, fake: tf.nn.relu(2.0 + fake - real),
    generator=lambda real, fake: real - fake,
)
tiny = gan.GENERATORS["tiny"]
gan.GENERATORS["narrow"] = gan.Network(lambda spec: tiny.build(spec, widths=(16,)))
gan.PRESETS["mine"] = {
    "generator": "narrow", "discriminator": "tiny", "loss": "margin", "steps": 2,
    "evaluate_every": 0,
}
"""


@pytest.fixture(autouse=True)
def tables_as_before():
    """Takes off the rows that a test adds."""
    tables = [*TABLES.values(), PRESETS]
    before = [dict(table) for table in tables]
    yield
    for table, rows in zip(tables, before, strict=True):
        table.clear()
        table.update(rows)
    imports.IMPORTED.clear()


POINTS = """
import gan
from gan.data.datasets import Dataset, draw_mixture, ring

def load(data_dir, print_fn):
    mixture = ring(4, 1.0, 0.05)
    return Dataset(*draw_mixture(mixture, 500, 0), mixture=mixture)

gan.DATASETS["mine"] = gan.DataSource(load)
"""


def test_what_a_row_of_data_does_not_say_the_data_say(tmp_path, monkeypatch, capsys):
    """That they are points, with modes; also of a run whose row is not here."""
    (tmp_path / "mine.py").write_text(POINTS)
    monkeypatch.chdir(tmp_path)
    usual = ("--import=mine.py", "--preset=ring", "--dataset=mine", "--steps=2", "--nojit_compile",
             "--steps_per_call=2")  # fmt: skip
    for flags, message in (
        (("--auxiliary=infogan", "--generator=toy"), "--auxiliary=infogan: is not for mine"),
        (("--augment=translation",), "--augment=translation: is for images, valid is none"),
        (("--flip",), "--flip=True: is for images, valid is false"),
    ):
        assert status_of(monkeypatch, train, *usual, *flags, "--run_dir=bad") == 2
        assert capsys.readouterr().err.splitlines()[-1].startswith(f"error: {message}")
    assert not (tmp_path / "bad").exists()
    assert status_of(monkeypatch, train, *usual, "--run_dir=run") == 0
    assert status_of(monkeypatch, sample, "run", "--import=mine.py") == 0
    assert status_of(monkeypatch, export, "run", "--formats=onnx", "--out=out") == 0
    capsys.readouterr()
    imports.IMPORTED.clear()
    del gan.DATASETS["mine"]
    assert status_of(monkeypatch, export, "run", "--formats=onnx", "--out=again") == 0
    assert status_of(monkeypatch, sample, "run") == 2
    assert "--import" in capsys.readouterr().err


@pytest.fixture
def forget():
    """Returns what makes this process one that has run no file."""

    def forget():
        imports.IMPORTED.clear()
        for table in (gan.LOSSES, gan.GENERATORS, gan.PRESETS):
            for name in ("margin", "narrow", "mine"):
                table.pop(name, None)

    return forget


@pytest.fixture
def mine(tmp_path):
    (tmp_path / "mine.py").write_text(MINE)
    return tmp_path / "mine.py"


def test_a_run_of_own_rows_is_trained_sampled_evaluated_and_never_runs_code_by_itself(
    mine, tmp_path, monkeypatch, capsys, forget
):
    run_dir, flag = tmp_path / "run", f"--import={mine}"
    small = ["--preset=mine", "--nojit_compile", "--precision=float32", f"--run_dir={run_dir}"]
    assert status_of(monkeypatch, train, flag, *small) == 0
    digest = hashlib.sha256(MINE.encode()).hexdigest()
    assert read_values(run_dir)["imports"] == [{"path": str(mine), "sha256": digest}]
    assert read_values(run_dir)["config"]["generator"] == "narrow"

    # A generator in a file needs no row, nor do pages; one from a checkpoint does.
    forget()
    assert status_of(monkeypatch, sample, str(run_dir)) == 0
    assert status_of(monkeypatch, report, str(run_dir)) == 0
    capsys.readouterr()
    given_again = (
        f"error: --run_dir={run_dir}: the run was trained with --import={mine}, must be given "
        "again (--generator=narrow: must be one of mlp"
    )
    for command, flags in ((sample, ()), (export, ("--formats=keras",)), (evaluate, ())):
        latest = (f"--run_dir={run_dir}", "--checkpoint=latest", *flags)
        assert status_of(monkeypatch, command, *latest) == 2
        assert capsys.readouterr().err.startswith(given_again)
        assert "narrow" not in gan.GENERATORS
    latest = (f"--run_dir={run_dir}", "--checkpoint=latest")
    assert status_of(monkeypatch, sample, *latest, flag) == 0
    assert capsys.readouterr().err == ""
    (tmp_path / "out").mkdir()
    keras_only = ("--formats=keras", f"--out={tmp_path / 'out'}")
    assert status_of(monkeypatch, export, *latest, *keras_only, flag) == 0

    # Going on needs the very file.
    forget()
    assert status_of(monkeypatch, train, *small) == 2
    refused = capsys.readouterr().err
    assert refused.startswith("error: --preset=mine: must be one of mlp")
    assert refused.endswith(", tiny, or your own with --import=FILE\n")
    assert status_of(monkeypatch, train, *small[1:], "--generator=narrow") == 2
    assert capsys.readouterr().err.endswith(", or your own with --import=FILE\n")
    (other := tmp_path / "there/mine.py").parent.mkdir()
    other.write_text(MINE)
    assert status_of(monkeypatch, train, f"--import={other}", *small, "--steps=3") == 0
    forget()
    mine.write_text(MINE + "# changed\n")
    capsys.readouterr()
    assert status_of(monkeypatch, train, flag, *small, "--steps=4") == 2
    changed = "is another file than the run was trained with (SHA-256 "
    assert capsys.readouterr().err.startswith(
        f"error: --run_dir={run_dir}: {flag}: {changed}"
    )  # fmt: skip
    assert status_of(monkeypatch, sample, *latest, flag) == 0
    assert f"warning: {flag}: {changed}" in capsys.readouterr().err


def test_a_run_from_elsewhere_runs_no_code(mine, tmp_path, monkeypatch, capsys, forget):
    """Its config.json names a file that is there."""
    run_dir = tmp_path / "run"
    small = ["--preset=tiny", "--steps=2", "--evaluate_every=0", "--nojit_compile"]
    assert status_of(monkeypatch, train, *small, f"--run_dir={run_dir}") == 0
    mine.write_text(f"open({str(tmp_path / 'was here')!r}, 'w')")
    values = json.loads((run_dir / "config.json").read_text())
    digest = hashlib.sha256(mine.read_bytes()).hexdigest()
    values["imports"] = [{"path": str(mine), "sha256": digest}]
    (run_dir / "config.json").write_text(json.dumps(values))
    assert status_of(monkeypatch, sample, str(run_dir), "--checkpoint=latest") == 0
    assert status_of(monkeypatch, report, str(run_dir)) == 0
    capsys.readouterr()
    assert status_of(monkeypatch, train, *small, f"--run_dir={run_dir}") == 2
    assert capsys.readouterr().err == (
        f"error: --run_dir={run_dir}: the run was trained with --import={mine}, must be given "
        "again\n"
    )
    assert not (tmp_path / "was here").exists()


@pytest.mark.parametrize("damaged", [7, "mine.py", [7], [{"path": 7}], {"path": "x"}])
def test_damaged_records_of_files_are_none(damaged):
    assert imports.saved({"imports": damaged}) == []


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("import gan\n1 / 0\n", "line 2: ZeroDivisionError: division by zero"),
        ("x = \n", "line 1: SyntaxError: invalid syntax"),
        ("import gan\ngan.LOSSES['hinge'] = gan.LOSSES['minimax']\n",
         "changes the row hinge of --loss, must add rows of other names"),
        ("import gan\ndel gan.PRESETS['tiny']\n", "changes the row tiny of --preset, must add"),
    ],
)  # fmt: skip
def test_a_file_that_fails_or_changes_a_row_is_one_line(text, line, tmp_path, monkeypatch, capsys):
    before = gan.LOSSES["hinge"], gan.PRESETS["tiny"]
    (tmp_path / "bad.py").write_text(text)
    flag = f"--import={tmp_path / 'bad.py'}"
    assert status_of(monkeypatch, train, flag, f"--run_dir={tmp_path / 'run'}") == 2
    error = capsys.readouterr().err
    assert error.startswith(f"error: {flag}: {line}")
    assert error.count("\n") == 1
    assert (gan.LOSSES["hinge"], gan.PRESETS["tiny"]) == before
    assert not (tmp_path / "run").exists()


def test_a_file_of_flags_may_name_it(mine, tmp_path, monkeypatch, capsys):
    flags, run_dir = tmp_path / "flags", f"--run_dir={tmp_path / 'run'}"
    flags.write_text(f"--import={mine}\n--loss=margin\n--preset=tiny\n")
    assert status_of(monkeypatch, train, f"--flagfile={flags}", run_dir, "--dry_run") == 0
    assert '"loss": "margin"' in capsys.readouterr().out
    flags.write_text("--import=nothing.py\n--preset=tiny\n")
    assert status_of(monkeypatch, train, f"--flagfile={flags}", run_dir, "--dry_run") == 2
    assert capsys.readouterr().err.startswith("error: --import=nothing.py: cannot be read (")


def test_which_files_a_command_line_names():
    files = own_rows.files_in
    assert files(["--steps=3", "--import=a.py,b.py", "-import", "c.py"]) == ["a.py", "b.py", "c.py"]
    assert files(["--", "--import=a.py"]) == []
    assert files(["--import"]) == []


def test_a_sweep_knows_the_rows_and_hands_the_file_on(mine, tmp_path, monkeypatch, capsys):
    flags = (
        f"--import={mine}",
        "--loss=margin,hinge",
        "--preset=mine",
        f"--out={tmp_path / 'all'}",
    )
    assert status_of(monkeypatch, sweep, *flags, "--dry_run") == 0
    lines = capsys.readouterr().out.splitlines()
    assert re.fullmatch(rf"new: .* --loss=margin --seed=0 --run_dir=\S+ --import={mine}", lines[0])
    monkeypatch.setattr(training, "TAPEGAN", ("import sys; print('got', *sys.argv[1:])",))
    assert status_of(monkeypatch, sweep, *flags) == 0
    log = (tmp_path / "all/loss=margin-seed=0.log").read_text()
    assert log.startswith("got train --preset=mine --loss=margin --seed=0 --run_dir=")
    assert log.endswith(f"--import={mine}\n")


def test_a_module_of_this_process_is_found_by_its_classes(mine, monkeypatch):
    monkeypatch.chdir(mine.parent)
    own_rows.import_rows(["--import=mine.py"])
    own_rows.import_rows([f"--import={mine}"])  # once
    assert [one.path for one in imports.IMPORTED] == [str(mine)]  # from whatever directory
    assert [name for name in sys.modules if name.endswith("_mine")]


def test_several_workers_get_the_file(mine, tmp_path):
    flags = ("--preset=mine", "--dry_run", f"--run_dir={tmp_path / 'run'}")
    done = run_module("experiments.launch", "--workers=1", "--", f"--import={mine}", *flags)
    assert done.returncode == 0, done.stderr
    assert '"loss": "margin"' in done.stdout


@pytest.mark.parametrize("name", main.COMMANDS)
def test_help_says_it(name, monkeypatch, capsys):
    assert status_of(monkeypatch, COMMANDS[name], "--help") == 0
    assert "  --import (default: empty)\n" in capsys.readouterr().out


def test_an_own_head_needs_its_row_too(mine, tmp_path):
    """Which networks are made by; with both it trains."""
    acgan = AUXILIARIES["acgan"]
    TABLES["auxiliary"]["mine"] = acgan
    with pytest.raises(gan.errors.UserError) as error:
        gan.train(tmp_path / "run", "tiny", auxiliary="mine", conditional=True)
    assert str(error.value) == (
        "auxiliary=mine: its head must be the row mine of gan.run.heads.HEADS"
    )
    assert not (tmp_path / "run").exists()
    for line in (
        "from gan.algorithm.auxiliary import AUXILIARIES",
        "from gan.run.heads import HEADS",
        "HEADS['ours'] = HEADS['acgan']._replace(few_labels=True)",
        "AUXILIARIES['ours'] = AUXILIARIES['acgan']._replace(head=HEADS['ours'])",
    ):
        mine.write_text(f"{mine.read_text()}\n{line}")
    flags = ("--preset=mine", "--auxiliary=ours", "--conditional", f"--run_dir={tmp_path / 'run'}")
    done = run_module("experiments.train", f"--import={mine}", *flags)
    assert done.returncode == 0, done.stderr


def test_a_run_that_starts_from_one_with_own_rows_says_which_file(mine, tmp_path):
    for flags in (
        (f"--import={mine}", "--preset=mine", f"--run_dir={tmp_path / 'source'}"),
        ("--preset=tiny", f"--run_dir={tmp_path / 'new'}", f"--init_from={tmp_path / 'source'}"),
    ):
        done = run_module("experiments.train", *flags, "--steps=2", "--nojit_compile")
    assert done.returncode == 2
    assert done.stderr.startswith(
        f"error: --init_from={tmp_path / 'source'}: the run was trained with --import={mine}, must "
        "be given again (--generator=narrow: must be one of "
    )
    assert not (tmp_path / "new").exists()


@pytest.mark.parametrize(
    ("flag", "row", "message"),
    [
        ("dataset", lambda data_dir, print_fn: None, "function, must be of type DataSource"),
        ("generator", lambda spec: None, "function, must be of type Network"),
        ("loss", (abs, abs), "tuple, must be of type Loss"),
        ("penalty", 3, "int, must be a function"),
        ("augment", abs, "builtin_function_or_method, must be of type tuple"),
        ("optimizer", "adam", "str, must be of type Optimizer"),
        ("auxiliary", abs, "builtin_function_or_method, must be of type Auxiliary"),
        ("g_learning_rate_decay", None, "NoneType, must be a function"),
    ],
)
def test_a_row_of_another_kind_is_refused(flag, row, message, tmp_path):
    TABLES[flag]["mine"] = row
    with pytest.raises(gan.errors.UserError, match=f"^{flag}=mine: its row is {message}$"):
        gan.train(tmp_path / "run", "tiny", **{flag: "mine"})
    assert not (tmp_path / "run").exists()
    if flag == "dataset":
        with pytest.raises(gan.errors.UserError, match="its row is function, must be of type"):
            gan.load_dataset("mine", "", print)


CHANGED = "another file than the run was trained with"


def test_whatever_is_made_of_own_rows_says_that_their_file_is_another_one(
    mine, tmp_path, monkeypatch, capsys
):
    monkeypatch.chdir(tmp_path)
    usual = (f"--import={mine}", "--preset=mine", "--steps=4", "--checkpoint_every=2",
             "--posthoc_averages", "--run_dir=run")  # fmt: skip
    assert status_of(monkeypatch, train, *usual) == 0
    mine.write_text(MINE + "\n# changed\n")
    for flags in (["--checkpoint=latest"], ["--ema_sigma=0.1"]):
        capsys.readouterr()
        imports.IMPORTED.clear()
        for table in (gan.LOSSES, gan.GENERATORS, gan.PRESETS):
            table.pop("margin", None), table.pop("narrow", None), table.pop("mine", None)
        assert status_of(monkeypatch, sample, "run", *flags) == 2
        assert f"the run was trained with --import={mine}" in capsys.readouterr().err
        assert status_of(monkeypatch, sample, "run", f"--import={mine}", *flags) == 0
        assert CHANGED in capsys.readouterr().err
