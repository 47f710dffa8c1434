import base64
import json
import re
import subprocess
import sys

import pytest

from conftest import ROOT, command
from experiments import cli, train
from gan import devices
from gan.config import Config
from gan.runs import write_config

BAD = [
    ("--preset=foo", "--preset=foo: must be one of mlp, classic, dcgan"),
    ("--stepz=3", "Unknown command line flag 'stepz'. Did you mean: steps"),
    ("--steps=-1", "--steps=-1: must be an integer at least 1"),
    ("--steps=0", "--steps=0: must be an integer at least 1"),
    ("--steps=1e3", "--steps=1e3: must be an integer at least 1"),
    ("--steps=", "--steps=: must be an integer at least 1"),
    ("--steps", "Missing value for flag --steps"),
    ("--batch_size=0", "--batch_size=0: must be an integer at least 1"),
    ("--beta_1=1", "--beta_1=1: must be a number at least 0 and below 1"),
    ("--g_learning_rate=inf", "--g_learning_rate=inf: must be a number above 0"),
    ("--precision=half", "--precision=half: must be one of auto, float32, mixed_bfloat16"),
    ("--d_weight_clip=0.1 --schedule=classic", "--d_weight_clip=0.1: --schedule=classic has none"),
    ("--augment=flip", "--augment=flip: must be one of none, translation, translation_cutout"),
    ("--augment=translation --schedule=classic", "--augment=translation: --schedule=classic has n"),
    ("--g_learning_rate_decay=a", "--g_learning_rate_decay=a: must be one of constant, linear"),
    ("--penalty=gp", "--penalty=gp: must be one of none, wgan_gp, r1, r2, r1_r2, dragan"),
    ("--penalty=r1 --schedule=classic", "--penalty=r1: --schedule=classic has none"),
    ("--fake_label=1", "--fake_label=1.0: must be below --real_label"),
    ("--loss=hinge --real_label=0.9", "--real_label=0.9 --fake_label=0.0: only the losses non_sat"),
    ("--schedule=classic --fake_label=0.1", "--real_label=1.0 --fake_label=0.1: only the losses"),
    ("--schedule=", "--schedule=: must be one of alternating, simultaneous, classic"),
    ("--dataset=cifar", "--dataset=cifar: must be one of mnist, fashion_mnist, kmnist, cifar10"),
    ("--dataset=image_folder:", "--dataset=image_folder:: must be one of mnist"),
    ("--dataset=image_folder:NOWHERE", "--dataset=image_folder:NOWHERE: not a directory"),
    ("--dry_run --dataset=image_folder:EMPTY", "--dataset=image_folder:EMPTY: holds no images"),
    ("--image_size=64", "--image_size=64: is for --dataset=image_folder:PATH only"),
    ("--skip_bad_images", "--skip_bad_images=True: is for --dataset=image_folder:PATH only"),
    ("--dataset=image_folder:EMPTY --image_channels=2", "--image_channels=2: must be 1 or 3"),
    ("--pack=3", "--pack=3: must divide --batch_size=256"),
    ("--pack=2 --conditional", "--pack=2: must be 1 with --conditional"),
    ("--pack=2 --schedule=classic", "--pack=2: --schedule=classic has none, valid is 1"),
    ("--g_norm=layer", "--g_norm=layer: must be one of default, none, batch, spectral"),
    ("--d_norm=batch --penalty=r1", "--penalty=r1: needs a discriminator without BatchNorm"),
    ("--generator=resnet --g_norm=batch", "--generator=resnet: norm=batch: must be one of default"),
    ("--dataset=gaussian_ring --generator=dcgan", "--generator=dcgan: needs images [H, W, C]"),
    ("--dataset=gaussian_ring --augment=translation", "--augment=translation: is for images"),
    ("--generator=toy", "--generator=toy: toy: makes points [D], the data has the shape"),
    ("--conditional --dataset=image_folder:FLAT", "--conditional: needs a data set with labels"),
    ("--jit_compile=maybe", "--jit_compile=maybe: must be true or false"),
    ("--evaluate_every=-1", "--evaluate_every=-1: must be an integer at least 0"),
    ("--keep_best=kid", "--keep_best=kid: must be one of none, fcd"),
    ("--keep_best=fcd --evaluate_every=0", "--keep_best=fcd: --evaluate_every=0 gives it nothing"),
    ("--on_collapse=pray", "--on_collapse=pray: must be one of warn, stop"),
    ("--run_dir=", "--run_dir=: must be a directory"),
    ("steps=3", "steps=3: is not a flag, flags are --name=value"),
    ("--run_dir=FILE", "--run_dir=FILE: is a file, must be a new directory"),
    ("--run_dir=FILE/run", "--run_dir=FILE/run: cannot be written (FILE is not a directory)"),
    ("--dry_run --data_dir=NOWHERE", "--data_dir=NOWHERE: not a directory; must hold mnist.npz"),
    ("--dry_run --run_dir=FILE/a", "--run_dir=FILE/a: cannot be written (FILE is not a dir"),
    ("--run_dir=FULL", "--run_dir=FULL: holds other files and no config.json"),
    ("--run_dir=/proc/none/run", "--run_dir=/proc/none/run: cannot be written"),
    ("--data_dir=EMPTY", "--data_dir=EMPTY: no train-images-idx3-ubyte; must hold mnist.npz"),
    ("--data_dir=NOWHERE", "--data_dir=NOWHERE: not a directory; must hold mnist.npz"),
]


PIXEL = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAAAAAA6fptVAAAACklEQVR4nGNgAAAAAgABSK+kcQAAAABJRU5ErkJggg=="
)


def call(monkeypatch, *arguments):
    """Runs the command in this process and returns its exit status."""
    monkeypatch.setattr(sys, "argv", ["train", *arguments])
    with pytest.raises(SystemExit) as end:
        cli.run("usage", train.define, train.main)
    return end.value.code


@pytest.mark.parametrize(("argument", "message"), BAD, ids=[flag for flag, _ in BAD])
def test_bad_input_ends_with_2_and_one_line(argument, message, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    places = {
        "FILE": "file",
        "FULL": "full",
        "EMPTY": "empty",
        "NOWHERE": "nowhere",
        "FLAT": "flat",
    }
    (tmp_path / "flat").mkdir()
    (tmp_path / "flat" / "pixel.png").write_bytes(PIXEL)
    (tmp_path / "file").write_text("mine")
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "thesis.txt").write_text("mine")
    (tmp_path / "empty").mkdir()
    before = sorted(str(p) for p in tmp_path.rglob("*"))
    for name, place in places.items():
        argument = argument.replace(name, str(tmp_path / place))
        message = message.replace(name, str(tmp_path / place))
    assert call(monkeypatch, *argument.split()) == 2
    out, err = capsys.readouterr()
    assert err.startswith(f"error: {message}")
    assert err.count("\n") == 1
    assert "Traceback" not in out + err
    assert sorted(str(p) for p in tmp_path.rglob("*")) == before
    assert (tmp_path / "file").read_text() == "mine"


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
    }  # fmt: skip
    assert list(tmp_path.iterdir()) == []
    # A run that exists has made its choice.
    write_config(tmp_path / "runs/classic", Config(**printed["config"]), {}, [])
    monkeypatch.setattr(devices, "compute_capability", lambda: (8, 0))
    assert call(monkeypatch, *flags) == 0
    assert json.loads(capsys.readouterr().out) == printed


def test_help_names_every_flag_with_default_and_meaning(monkeypatch, capsys):
    assert call(monkeypatch, "--help") == 0
    out = capsys.readouterr().out
    assert "--batch_size=256\n      real images, and fake images, an update" in out
    for name in [*Config.__dataclass_fields__, "preset", "run_dir", "dry_run", "help"]:
        assert f"  --{name}" in out


def test_training_that_fails_ends_with_1_and_one_line(tmp_path, monkeypatch, capsys):
    rate = "--d_learning_rate=1e38"
    where = f"--run_dir={tmp_path / 'run'}"
    assert call(monkeypatch, "--preset=tiny", "--steps=20", rate, where) == 1
    err = capsys.readouterr().err
    assert re.match(r"error: [a-z/_, ]+ not finite at step \d+, in the call of steps ", err)
    assert err.endswith("newest checkpoint: none yet\n")
    assert err.count("\n") == 1


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
    done = command("experiments.train", "--dry_run", f"--run_dir={tmp_path / 'run'}")
    assert (done.returncode, done.stderr) == (0, "")
    json.loads(done.stdout)


def test_the_chatter_can_be_asked_for(tmp_path, monkeypatch):
    monkeypatch.setenv("TF_CPP_MIN_LOG_LEVEL", "0")
    done = command("experiments.train", "--dry_run", f"--run_dir={tmp_path / 'run'}")
    assert done.returncode == 0
    assert "oneDNN" in done.stderr


def test_another_keras_backend_is_refused(monkeypatch, tmp_path):
    monkeypatch.setenv("KERAS_BACKEND", "numpy")
    done = command("experiments.train", f"--run_dir={tmp_path / 'run'}")
    assert done.returncode == 2
    assert done.stderr == "error: KERAS_BACKEND=numpy: must be tensorflow, or not set\n"
