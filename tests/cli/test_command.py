import contextlib
import errno
import io
import json
import os
import re
import subprocess
import sys
import tempfile
from importlib import metadata

import pytest
from absl.flags import FlagValues
from PIL import Image

from gan.cli import command, flags, help, project, sample, train
from gan.errors import UserError
from gan.run import cache
from gan.run.config import Config
from gan.run.presets import ABOUT, PRESETS
from gan.run.records import read_summary
from gan.run.saved_config import read_config, write_config
from gan.training import devices
from gan.training.console import Console
from support import COMMANDS, ROOT, call, run_module, status_of


def test_a_dry_run_prints_the_resolved_configuration_and_writes_nothing(
    tmp_path, monkeypatch, capsys
):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(devices, "compute_capability", lambda: None)
    flags = ("--preset=classic", "--steps=7", "--nojit_compile", "--dry_run")
    assert call(monkeypatch, *flags) == 0
    printed = json.loads(capsys.readouterr().out)
    assert printed["run_dir"] == "runs/classic"
    changed = {k: v for k, v in printed["config"].items() if v != getattr(Config(), k)}
    assert changed == {
        "schedule": "classic", "steps": 7, "jit_compile": False, "precision": "float32",
        "strategy": "none", "sample_weights": "raw",
    }  # fmt: skip
    assert list(tmp_path.iterdir()) == []
    # A run that exists has made its choice.
    write_config(tmp_path / "runs/classic", Config(**printed["config"]), {}, [])
    monkeypatch.setattr(devices, "compute_capability", lambda: (8, 0))
    assert call(monkeypatch, *flags) == 0
    assert json.loads(capsys.readouterr().out) == printed


def parsed(*arguments):
    values = FlagValues()
    train.define(values)
    values(["train", *arguments])
    return values


@pytest.mark.parametrize(
    ("arguments", "preset", "changes"),
    [
        ([], "images32", {"generator": "dcgan_dense", "image_size": 32}),
        (["--image_size=28", "--steps=9"], "images32", {"image_size": 28, "steps": 9}),
        (["--image_size=40", "--loss=hinge"], "images32", {"image_size": 40, "loss": "hinge"}),
        (["--image_size=48"], "images64", {"generator": "dcgan_dense", "image_size": 48}),
        (["--image_size=64", "--flip"], "images64", {"image_size": 64, "flip": True}),
        (["--image_size=128"], "images64", {"image_size": 128}),
        (["--preset=mlp"], "mlp", {"generator": "mlp"}),
        (["--preset=images32", "--image_size=64"], "images32", {"image_size": 64}),
        (["--generator=dcgan"], "mlp", {"generator": "dcgan", "discriminator": "mlp"}),
        (["--discriminator=mlp"], "mlp", {"discriminator": "mlp", "penalty": "none"}),
    ],
)
def test_a_folder_gets_a_preset_for_its_size_unless_one_is_named(arguments, preset, changes):
    values = parsed("--dataset=image_folder:here", *arguments)
    assert flags.preset_of(values) == preset
    config = flags.config_from_flags(values)
    assert {name: getattr(config, name) for name in changes} == changes
    assert flags.preset_of(parsed("--dataset=cifar10")) == "mlp"


def test_a_folder_alone_says_what_was_chosen_trains_and_goes_on(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mine").mkdir()
    for i in range(8):
        Image.new("RGB", (8, 8), (30 * i, 200, 10)).save(tmp_path / f"mine/{i}.png")
    folder = ["--dataset=image_folder:mine", "--image_size=8"]
    cheap = [
        "--batch_size=4", "--steps_per_call=1", "--checkpoint_every=1", "--sample_every=2",
        "--nojit_compile", "--precision=float32",
    ]  # fmt: skip
    line = "--preset=images32: chosen for a folder at 8 pixels; --preset, or --generator and --"
    assert call(monkeypatch, *folder, *cheap, "--dry_run") == 0
    said = capsys.readouterr()
    assert said.err.startswith(line)
    assert "\nparameters: generator 394,371, discriminator 347,313\n" in said.err
    assert json.loads(said.out)["config"]["image_size"] == 8
    for steps in (1, 2):
        assert call(monkeypatch, *folder, *cheap, f"--steps={steps}") == 0
        assert capsys.readouterr().err.startswith(line)
    saved = read_config(tmp_path / "runs/images32")
    assert (saved.generator, saved.augment, saved.steps) == (
        "dcgan_dense", "brightness_translation_cutout", 2
    )  # fmt: skip
    assert read_summary(tmp_path / "runs/images32/summary.json")["step"] == 2


def test_a_run_of_a_folder_from_before_there_was_a_choice_goes_on(tmp_path):
    old = Config(dataset="image_folder:here", steps=7)
    write_config(tmp_path / "run", old, {}, {})
    arguments = ["--dataset=image_folder:here", f"--run_dir={tmp_path / 'run'}", "--steps=7"]
    assert flags.config_from_flags(parsed(*arguments)) == old


def test_help_names_every_flag_with_default_and_meaning(monkeypatch, capsys):
    assert call(monkeypatch, "--help") == 0
    out = capsys.readouterr().out
    assert "--batch_size=256\n      real images, and fake images, an update" in out
    for name in [*Config.__dataclass_fields__, "preset", "run_dir", "dry_run", "help"]:
        assert re.search(rf"^  --(\[no\])?{name}\b", out, re.MULTILINE), name
    assert max(map(len, out.splitlines())) <= 110


def test_help_says_where_the_docs_are_that_messages_name(tmp_path, monkeypatch):
    (line,) = help.where_docs_are()
    assert line == f"README and docs are in {ROOT}"
    # Of a wheel, pip has put them elsewhere.
    monkeypatch.setattr(help.version, "__file__", str(tmp_path / "lib/gan/version.py"))
    (tmp_path / "lib/docs").mkdir(parents=True)  # of somebody else
    file = metadata.PackagePath("../share/doc/tapegan/README.md")
    file.dist = metadata.PathDistribution(tmp_path / "lib/tapegan.dist-info")
    monkeypatch.setattr(metadata, "files", lambda name: [metadata.PackagePath("a.py"), file])
    assert help.where_docs_are() == [f"README and docs are in {tmp_path}/share/doc/tapegan"]
    monkeypatch.setattr(metadata, "files", lambda name: None)
    assert help.where_docs_are() == []


def test_every_flag_and_preset_of_training_has_a_place_in_its_help():
    """A new one fails here until somebody says which subject it belongs to."""
    names = [name for group in help.GROUPS.values() for name in group]
    assert len(names) == len(set(names))
    assert set(names) == {*Config.__dataclass_fields__, "preset", "config", "run_dir", "dry_run",
                          "import"}  # fmt: skip
    assert len(help.GROUPS["Most used"]) == 12
    assert list(ABOUT) == list(PRESETS)


@pytest.mark.parametrize(
    ("command", "flag", "meant"),
    [
        (train, "--lr=1e-4", "--d_learning_rate or --g_learning_rate"),
        (train, "--epochs=3", "--steps"),
        (train, "--outdir=x", "--run_dir"),
        (train, "--batch=64", "--batch_size"),
        (train, "--batch-size=64", "--batch_size"),
        (train, "--class=3", "--conditional"),
        (sample, "--class=3", "--labels"),
        (sample, "--outdir=x", "--run_dir or --out"),
        (project, "--class=3", "--label"),
        (train, "--Loss=hinge", "--loss"),
        (train, "--qqqq", ""),
    ],
)
def test_what_other_programs_call_it_is_understood(command, flag, meant, monkeypatch, capsys):
    assert status_of(monkeypatch, command, flag) == 2
    name = flag.partition("=")[0]
    question = f", did you mean {meant}?" if meant else ","
    expected = f"error: {name}: is not a flag of this command{question} --help lists all\n"
    assert capsys.readouterr().err == expected


def test_training_that_fails_ends_with_1_and_one_line(tmp_path, monkeypatch, capsys):
    rate = "--d_learning_rate=1e38"
    where = f"--run_dir={tmp_path / 'run'}"
    assert call(monkeypatch, "--preset=tiny", "--nojit_compile", "--steps=20", rate, where) == 1
    err = capsys.readouterr().err.splitlines()[-1]
    assert re.match(r"error: [a-z/_, ]+ not finite at step \d+, in the call of steps ", err)
    assert "newest checkpoint: none yet; what usually helps: --on_nan=rollback, or lower" in err
    assert err.endswith('(README, "When something is wrong", row "Not finite")')


def test_help_and_flag_errors_come_without_loading_tensorflow():
    code = (
        "import sys, runpy; sys.argv = ['train', {!r}]\n"
        "try: runpy.run_module('experiments.train', run_name='__main__')\n"
        "except SystemExit: print(*[m for m in ('tensorflow', 'keras') if m in sys.modules], '.')"
    )
    for argument in ("--help", "--steps=0", "--nonsense"):
        done = subprocess.run(
            [sys.executable, "-c", code.format(argument)], cwd=ROOT, capture_output=True, text=True
        )
        assert done.stdout.splitlines()[-1] == "."


def test_starting_up_prints_nothing_but_what_the_command_says(tmp_path):
    done = run_module("experiments.train", "--dry_run", f"--run_dir={tmp_path / 'run'}")
    assert (done.returncode, done.stderr) == (0, "")
    json.loads(done.stdout)


def test_the_chatter_can_be_asked_for(tmp_path, monkeypatch):
    monkeypatch.setenv("TF_CPP_MIN_LOG_LEVEL", "0")
    done = run_module("experiments.train", "--dry_run", f"--run_dir={tmp_path / 'run'}")
    assert done.returncode == 0
    # Which lines TensorFlow prints depends on the processor.
    assert any(name in done.stderr for name in ("oneDNN", "cpu_feature_guard", "cudart_stub"))


def test_another_keras_backend_is_refused(monkeypatch, tmp_path):
    monkeypatch.setenv("KERAS_BACKEND", "numpy")
    done = run_module("experiments.train", f"--run_dir={tmp_path / 'run'}")
    assert done.returncode == 2
    assert done.stderr == "error: KERAS_BACKEND=numpy: must be tensorflow, or not set\n"


@pytest.mark.parametrize("number", [errno.EACCES, errno.ENAMETOOLONG])
def test_a_path_that_may_not_be_looked_at_is_named_in_one_line(number, monkeypatch, capsys):
    def look(values):
        raise OSError(number, os.strerror(number), "/private/run")

    monkeypatch.setattr(sys, "argv", ["train"])
    with pytest.raises(SystemExit) as end:
        command.run("usage", train.define, look)
    assert end.value.code == 2
    assert capsys.readouterr().err == f"error: /private/run: {os.strerror(number)}\n"


def test_what_libraries_say_is_shown_when_something_breaks_and_not_beside_our_own_line(capfd):
    def talk(error):
        with command.silenced():
            os.write(2, b"chatter")
            raise error

    for error, shown in ((ValueError("x"), "chatter"), (UserError("x"), "")):
        with pytest.raises(type(error)):
            talk(error)
        assert capfd.readouterr().err == shown


def test_a_full_disk_under_a_file_is_not_blamed_on_stdout(monkeypatch, capsys):
    error = OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), "/full/records.jsonl")

    def write(values):
        raise error

    monkeypatch.setattr(sys, "argv", ["train"])
    with pytest.raises(OSError, match=r"records\.jsonl") as end:
        command.run("usage", train.define, write)
    assert end.value is error
    assert capsys.readouterr().err == ""


@pytest.fixture
def full():
    with contextlib.suppress(OSError), open("/dev/full", "w") as stream:
        yield stream


def write_and_say(values):
    command.say("done")
    return 0


def test_a_full_disk_under_stdout_is_one_line_and_under_stderr_a_status(full, monkeypatch, capsys):
    monkeypatch.setattr(sys, "stdout", full)
    monkeypatch.setattr(sys, "argv", ["train"])
    with pytest.raises(SystemExit) as end:
        command.run("usage", train.define, write_and_say)
    assert end.value.code == 1
    expected = "error: stdout: cannot be written (No space left on device)\n"
    assert capsys.readouterr().err == expected
    monkeypatch.setattr(sys, "stderr", full)
    assert call(monkeypatch, "--steps=0") == 2


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EPIPE, errno.EIO])
def test_a_run_goes_on_where_nobody_can_read_what_it_says(number, monkeypatch):
    class Gone(io.StringIO):
        def write(self, text):
            raise OSError(number, os.strerror(number))

    for name in ("stdout", "stderr"):
        monkeypatch.setattr(sys, name, Gone())
    console = Console()
    for tell in (console.print, console.result):
        tell("lost")
        tell("and so is this")
    assert sys.stdout.name == sys.stderr.name == os.devnull


def test_names_are_printed_so_that_they_move_nothing(monkeypatch, capsys):
    name = "a\x1b[2J\nb" + os.fsdecode(b"\xe9")
    Console().print(f"left out {name}")
    assert capsys.readouterr().err == "left out a\\x1b[2J\\nb\\xe9\n"
    command.complain(UserError(f"{name}: is bad"), 2)
    assert capsys.readouterr().err == "error: a\\x1b[2J b\\xe9: is bad\n"


def test_brackets_in_names_are_no_markup_above_the_progress_bar(monkeypatch, capsys):
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True, raising=False)
    console = Console()
    with console.progress(0, 2):
        console.print("left out [red]/a[/blue].png")
    out = capsys.readouterr().err
    assert "step 0 of 2" in out
    assert "left out [red]/a[/blue].png" in out


def test_without_a_working_directory_there_is_one_line_and_help(tmp_path, monkeypatch, capsys):
    (tmp_path / "gone").mkdir()
    monkeypatch.chdir(tmp_path / "gone")
    (tmp_path / "gone").rmdir()
    for name in ("train", "sample", "evaluate", "report", "compare", "export"):
        assert status_of(monkeypatch, COMMANDS[name]) == 2
        assert capsys.readouterr().err == (
            "error: the working directory: cannot be read (No such file or directory), "
            "cd to one that is there\n"
        )
    assert call(monkeypatch, "--help") == 0


def test_without_a_place_for_temporary_files_there_is_one_line(monkeypatch, capsys):
    def none():
        raise FileNotFoundError(2, "No usable temporary directory found in ['/tmp']")

    monkeypatch.setattr(tempfile, "gettempdir", none)
    assert call(monkeypatch, "--dry_run") == 2
    assert capsys.readouterr().err == (
        "error: TMPDIR: must be a directory that can be written (No usable temporary directory "
        "found in ['/tmp'])\n"
    )


def test_without_a_home_none_is_made_and_matplotlib_has_one_place(tmp_path):
    script = (
        "import os, pwd; pwd.getpwuid = lambda number: (_ for _ in ()).throw(KeyError())\n"
        "import gan; from gan.run import cache; os.access = lambda path, mode: False\n"
        "cache.prepare_matplotlib(); print(cache.cache_directory(), os.environ['MPLCONFIGDIR'])"
    )
    variables = {"PYTHONPATH": str(ROOT), "TMPDIR": str(tmp_path)}
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=tmp_path, env=variables, capture_output=True, text=True
    )
    assert done.stdout.split() == [
        "/.cache/tapegan", f"{tmp_path}/tapegan-matplotlib-{os.getuid()}"
    ], done.stderr  # fmt: skip
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("given", "writable", "expected"),
    [("/mine", False, "/mine"), ("/mine", True, "/mine"), (None, True, None)],
)
def test_matplotlib_keeps_its_place_where_it_has_one(given, writable, expected, monkeypatch):
    """What the user says is the place, else the home if it can be written."""
    monkeypatch.setenv("MPLCONFIGDIR", "")  # so that it is as before after the test
    if given is None:
        monkeypatch.delenv("MPLCONFIGDIR")
    else:
        monkeypatch.setenv("MPLCONFIGDIR", given)
    monkeypatch.setattr(os, "access", lambda path, mode: writable)
    cache.prepare_matplotlib()
    assert os.environ.get("MPLCONFIGDIR") == expected


@pytest.mark.parametrize(
    ("begins", "module"),
    [("tapegan.main()", "gan.cli.main"), ("tapegan.main()", "gan"),
     ("runpy.run_path('gan/__main__.py', run_name='__main__')", "gan.cli.main")],
)  # fmt: skip
def test_ctrl_c_while_the_command_itself_is_imported(begins, module):
    code = f"""
import builtins, runpy, tapegan
imported = builtins.__import__
def interrupted(name, *others):
    if name == "{module}":
        raise KeyboardInterrupt
    return imported(name, *others)
builtins.__import__ = interrupted
{begins}
"""
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert (done.returncode, done.stdout, done.stderr) == (130, "", "")


def test_ctrl_c_is_acknowledged_by_every_command_on_a_terminal():
    """At once, although what is computed ends later; the second one ends the process."""
    code = """
import ctypes, os, signal, threading, time
from gan.cli import command
def main(values):
    def send():  # two that come at once may be one
        while True:
            os.kill(os.getpid(), signal.SIGINT)
            time.sleep(0.1)
    threading.Thread(target=send, daemon=True).start()
    lock, libc = ctypes.create_string_buffer(64), ctypes.CDLL(None)
    libc.pthread_mutex_lock(lock)
    libc.pthread_mutex_lock(lock)  # for ever
command.run("", lambda values: None, main)
"""
    terminal, stderr = os.openpty()
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, timeout=60, stderr=stderr)
    os.close(stderr)
    said = os.read(terminal, 1000).decode().replace("\r", "")
    os.close(terminal)
    assert done.returncode == 130
    assert "SIGINT: ending; once more ends at once\n" in said
    assert "Traceback" not in said
