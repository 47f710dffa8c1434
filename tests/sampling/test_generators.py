"""Which checkpoint of a run is taken, and what is not loaded."""

import os
import shutil
import zipfile
from pathlib import Path

import numpy as np
import pytest

from gan.data.datasets import Dataset
from gan.errors import UserError
from gan.run import files, run_directory
from gan.sampling import generators
from gan.training.trainer import train
from support import checkpoint

DATA = Dataset(np.zeros((1, 28, 28, 1), np.uint8))


@pytest.fixture(scope="module")
def original(tmp_path_factory):
    return tmp_path_factory.mktemp("trained") / "run"


@pytest.fixture
def run_dir(original, tiny_config, tmp_path):
    """A run with checkpoints of the steps 4, 8 and 12."""
    if not original.exists():
        train(tiny_config(checkpoint_every=4), original, quiet=True)
    return Path(shutil.copytree(original, tmp_path / "run"))


def part(run_dir, step, name="index"):
    (found,) = (run_dir / "checkpoints").glob(f"step-{step}.{name}*")
    return found


def truncate(path):
    path.write_bytes(path.read_bytes()[:9])


def pipe(path):
    path.unlink()
    os.mkfifo(path)


DAMAGE = {
    "its index is not written yet": lambda run_dir: part(run_dir, 12).unlink(),
    "its index is half-written": lambda run_dir: truncate(part(run_dir, 12)),
    "its data are gone": lambda run_dir: part(run_dir, 12, "data").unlink(),
    "its index is a pipe": lambda run_dir: pipe(part(run_dir, 12)),
    "its data are a pipe": lambda run_dir: pipe(part(run_dir, 12, "data")),
}


@pytest.mark.parametrize("damage", DAMAGE)
def test_latest_is_the_newest_whole_checkpoint(damage, run_dir, capsys):
    DAMAGE[damage](run_dir)
    generator, step = generators.restore_generator(run_dir, DATA)
    assert step == 8
    saved = checkpoint(run_dir, 8)
    kernel = saved["ema_generator/_operations/1/_kernel/.ATTRIBUTES/VARIABLE_VALUE"]
    np.testing.assert_array_equal(generator.layers[1].kernel.numpy(), kernel)
    out = capsys.readouterr().err
    assert out.startswith(f"warning: {run_dir}/checkpoints/step-12: cannot be restored into the g")
    assert out.endswith(f"; {run_dir}/checkpoints/step-8 is taken\n")
    with pytest.raises(UserError, match=r"step-12: cannot be restored into the generator"):
        generators.restore_generator(run_dir, DATA, "ema", "12")


def test_the_newest_is_taken_without_a_word(run_dir, capsys):
    assert generators.restore_generator(run_dir, DATA)[1] == 12
    assert capsys.readouterr().err == ""


def test_checkpoints_may_be_replaced_while_they_are_read(run_dir, monkeypatch, capsys):
    """All that were listed are gone when the first is read, and there is a newer one."""
    check = run_directory.check_checkpoint

    def train_on(path):
        monkeypatch.setattr(run_directory, "check_checkpoint", check)
        for step in (4, 8, 12):
            for one in (part(run_dir, step), part(run_dir, step, "data")):
                number = one.name.replace(f"step-{step}.", "step-16.")
                one.rename(one.with_name(number)) if step == 12 else one.unlink()

    monkeypatch.setattr(run_directory, "check_checkpoint", train_on)
    assert generators.restore_generator(run_dir, DATA)[1] == 16
    assert "step-16 is taken" in capsys.readouterr().err


def test_where_none_is_whole_there_is_one_line(run_dir):
    for step in (4, 8, 12):
        truncate(part(run_dir, step))
    with pytest.raises(UserError, match=r"step-12: cannot be .*\), nor can the 2 before it$"):
        generators.restore_generator(run_dir, DATA)


def test_a_file_of_networks_that_unpacks_to_too_much_is_not_unpacked(run_dir, monkeypatch):
    path = run_dir / "generator.keras"
    with zipfile.ZipFile(path) as archive:
        size = sum(member.file_size for member in archive.infolist())
    assert generators.read_generator(path).input_shape == (None, 8)
    monkeypatch.setattr(generators, "MOST_BYTES", size - 1)
    with pytest.raises(UserError, match=rf"keras: cannot be loaded \(it unpacks to {size:,} bytes"):
        generators.read_generator(path)
    assert 100 * size < files.MOST_BYTES
    pipe(path)
    with pytest.raises(UserError, match=r"keras: cannot be loaded \(Is a pipe, must be a file\)"):
        generators.read_generator(path)


def test_a_run_whose_name_tensorflow_cannot_read_is_refused_in_words(run_dir):
    other = run_dir.with_name(os.fsdecode(b"caf\xe9"))
    run_dir.rename(other)
    with pytest.raises(UserError, match=r"caf\udce9: must be UTF-8, TensorFlow takes no other nam"):
        generators.find_checkpoint(other, "latest")
    assert generators.load_generator(other).input_shape == (None, 8)
