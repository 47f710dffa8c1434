from pathlib import Path

import pytest

from gan.cli import flags
from gan.errors import UserError
from gan.run.config import Config
from gan.run.paths import expand_home, refuse_pattern, user_path


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
    "train": ["run_dir", "data_dir"], "evaluate": ["run_dir", "samples", "data_dir", "out"],
    "sample": ["run_dir", "out"], "export": ["run_dir", "out"], "report": ["out", "explorer"],
    "compare": ["out"],
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


@pytest.mark.parametrize("name", ["lr[1e-4]", "what?", "st*r", "back\\slash", "a[b/run", "a*/run"])
def test_what_tensorflow_takes_for_a_pattern_is_refused(name):
    with pytest.raises(UserError, match=r"--run_dir=.*must have none of \* \? \[ \\ "):
        refuse_pattern(name, "run_dir")


@pytest.mark.parametrize("name", ["a{b,c}", "a]b", "50%", "#1 'x' \"y\"", "naïve", "(1)", "$HOME"])
def test_other_names_are_not(name):
    refuse_pattern(name, "run_dir")
