import json
from pathlib import Path

import pytest

from gan.cli import flags
from gan.errors import UserError
from gan.run import paths
from gan.run.config import Config
from gan.run.paths import expand_home, plain_path, user_path
from gan.run.run_directory import check_run_dir
from gan.run.saved_config import write_config


@pytest.fixture
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    return tmp_path


@pytest.mark.parametrize(
    ("given", "expected"),
    [("~", "{home}"), ("~/runs/x", "{home}/runs/x"), (Path("~/a b"), "{home}/a b"),
     ("runs/~", "runs/~"), ("./~x", "./~x"), ("runs/lr~1", "runs/lr~1"), ("", "")],
)  # fmt: skip
def test_a_leading_tilde_is_the_home_directory(given, expected, home):
    assert expand_home(given) == expected.format(home=home)


def test_a_home_that_nobody_has_is_refused(home):
    with pytest.raises(UserError, match=r"^run_dir=~nobody-here/x: there is no home .*\./~nobody"):
        user_path("~nobody-here/x", "run_dir")
    with pytest.raises(UserError, match="run_dir=7: is int, must be a path"):
        user_path(7, "run_dir")


def test_every_path_of_a_configuration_is_expanded(home):
    config = Config(dataset="image_folder:~/pictures", data_dir="~/data")
    assert config.dataset == f"image_folder:{home}/pictures"
    assert config.data_dir == f"{home}/data"
    with pytest.raises(UserError, match=r"--dataset=image_folder:~nobody-here/x: there is no home"):
        Config(dataset="image_folder:~nobody-here/x")


PATHS = {
    "train": ["run_dir", "data_dir", "data_cache"], "data": ["folder", "data_cache", "out"],
    "evaluate": ["run_dir", "samples", "data", "data_dir", "out"],
    "sample": ["run_dir", "data", "out"], "export": ["run_dir", "out"],
    "project": ["run_dir", "image", "data", "out"],
    "report": ["out", "explorer"], "compare": ["out"],
}  # fmt: skip


@pytest.mark.parametrize(("command", "name"), [(c, n) for c in PATHS for n in PATHS[c]])
def test_every_path_of_a_command_is_expanded(command, name, home):
    from absl.flags import FlagValues

    from support import COMMANDS

    values = FlagValues()
    COMMANDS[command].define(values)
    values(["command", f"--{name}=~/here"])
    assert values[name].value == f"{home}/here"


@pytest.mark.parametrize("command", ["report", "compare"])
def test_runs_are_expanded_one_by_one(command, home):
    from absl.flags import FlagValues

    from support import COMMANDS

    values = FlagValues()
    COMMANDS[command].define(values)
    values(["command", "--runs=~/a,b,~/c"])
    assert flags.paths(values, "runs") == [home / "a", Path("b"), home / "c"]


NAMES = ["lr[1e-4]", "what?", "st*r", "back\\slash", "a[b/run", "a*/b?/run"]


@pytest.mark.parametrize("name", NAMES)
def test_what_tensorflow_takes_for_a_pattern_gets_another_name(name, tmp_path):
    run_dir = tmp_path / name
    run_dir.mkdir(parents=True)
    plain = plain_path(run_dir / "checkpoints" / "step-20")
    assert not set(plain) & set("*?[\\")
    Path(plain).parent.mkdir()
    Path(plain).write_text("here")
    assert (run_dir / "checkpoints/step-20").read_text() == "here"


def test_a_directory_that_was_made_again_is_another_one(tmp_path):
    for content in ("first", "second"):
        (tmp_path / "a[1]").mkdir()
        Path(plain_path(tmp_path / "a[1]/file")).write_text(content)
        assert (tmp_path / "a[1]/file").read_text() == content
        (tmp_path / "a[1]").rename(tmp_path / content)


@pytest.mark.parametrize("name", NAMES)
def test_where_there_are_no_other_names_it_is_refused(name, monkeypatch):
    monkeypatch.setattr(paths, "OPEN_FILES", Path("/nowhere"))
    with pytest.raises(UserError, match=r"--run_dir=.*must have none of \* \? \[ \\ "):
        check_run_dir(Path(name), Config())


@pytest.mark.parametrize("name", ["a{b,c}", "a]b", "50%", "#1 'x' \"y\"", "naïve", "(1)", "$HOME"])
def test_other_names_stay(name, tmp_path, monkeypatch):
    assert plain_path(Path(name, "step-1")) == f"{name}/step-1"
    monkeypatch.setattr(paths, "OPEN_FILES", Path("/nowhere"))
    check_run_dir(tmp_path / name, Config())


def test_a_run_prunes_its_own_checkpoints_only_and_goes_on(tiny_config, tmp_path):
    """Its name is a pattern that matches another run."""
    from gan.training.trainer import train

    def checkpoints(name):
        return sorted(path.name for path in (tmp_path / name / "checkpoints").glob("*.index"))

    train(tiny_config(), tmp_path / "lr1")
    for steps in (12, 20):
        assert train(tiny_config(steps=steps, keep_checkpoints=1), tmp_path / "lr[12]")
    assert checkpoints("lr[12]") == ["step-20.index"]
    assert checkpoints("lr1") == ["step-12.index", "step-6.index"]
    record = json.loads((tmp_path / "lr[12]/metrics.jsonl").read_text().splitlines()[-1])
    assert record["step"] == 20


@pytest.mark.parametrize("name", ["checkpoints", "checkpoints/best", "samples", "metrics.jsonl"])
def test_links_into_another_run_are_refused(name, tmp_path):
    for run in ("a", "b"):
        write_config(tmp_path / run, Config(), {}, {}, {})
        (tmp_path / run / "checkpoints").mkdir()
    check_run_dir(tmp_path / "b", Config())
    theirs, ours = tmp_path / "a" / name, tmp_path / "b" / name
    theirs.touch() if "." in name else theirs.mkdir(exist_ok=True)
    if ours.exists():
        ours.rmdir()
    ours.symlink_to(theirs)
    with pytest.raises(UserError, match=f"b/{name}: leads into the run .*/a, must be its own"):
        check_run_dir(tmp_path / "b", Config())


def test_links_into_a_run_inside_of_it_are_refused_too(tmp_path):
    for run in (tmp_path, tmp_path / "inner"):
        write_config(run, Config(), {}, {}, {})
    (tmp_path / "inner/checkpoints").mkdir()
    (tmp_path / "checkpoints").symlink_to(tmp_path / "inner/checkpoints")
    with pytest.raises(UserError, match=r"/checkpoints: leads into the run .*/inner, must be its"):
        check_run_dir(tmp_path, Config())


def test_a_damaged_run_inside_of_another_one_has_no_links_into_it(tmp_path):
    for run in (tmp_path, tmp_path / "inner"):
        write_config(run, Config(), {}, {}, {})
    (tmp_path / "inner/config.json").write_text("{")
    with pytest.raises(UserError, match=r"inner/config\.json: is not a configuration"):
        check_run_dir(tmp_path / "inner", Config())


def test_links_to_other_places_are_not(tmp_path):
    write_config(tmp_path / "run", Config(), {}, {}, {})
    (tmp_path / "scratch").mkdir()
    (tmp_path / "run/checkpoints").symlink_to(tmp_path / "scratch")
    (tmp_path / "alias").symlink_to(tmp_path / "run")
    check_run_dir(tmp_path / "run", Config())
    check_run_dir(tmp_path / "alias", Config())
    write_config(tmp_path / "run/inner", Config(), {}, {}, {})
    check_run_dir(tmp_path / "run/inner", Config())


def test_a_new_run_may_lie_inside_of_another_one(tmp_path):
    write_config(tmp_path / "outer", Config(), {}, {}, {})
    check_run_dir(tmp_path / "outer" / "inner", Config())
