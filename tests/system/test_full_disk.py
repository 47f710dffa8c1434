"""Disks that fill or become read-only while a run writes, and memory that is exhausted."""

import os
import resource
import subprocess

import numpy as np
import pytest
import tensorflow as tf

from gan.errors import CannotWrite, OutOfMemory
from gan.run.atomic_files import replacing
from gan.training import loop, sample_grids
from gan.training.metrics_log import MetricsLog
from gan.training.trainer import train
from support import checkpoint, once_more

NOBODY = 65534  # a user without rights


@pytest.fixture
def disk(tmp_path):
    """A file system of 8 MB in memory."""
    place = tmp_path / "disk"
    place.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=8m", "tmpfs", str(place)]
    if subprocess.run(mount, capture_output=True).returncode:
        pytest.skip("needs the right to mount a file system")
    yield place
    subprocess.run(["umount", "-l", str(place)], check=True)


def fill(disk):
    """Leaves no room at all."""
    with (disk / "filler").open("wb", buffering=0) as file:
        try:
            while file.write(bytes(2**16)):
                pass
        except OSError:
            pass


@pytest.fixture(scope="module")
def unbroken(tmp_path_factory):
    """The place of the unbroken run, which the first test that needs it trains for all."""
    return tmp_path_factory.mktemp("unbroken") / "run"


def assert_goes_on(run_dir, config, unbroken):
    """Trains on in `run_dir`, to the bits of the unbroken run."""
    for place in (run_dir, unbroken):
        if place == run_dir or not place.exists():
            summary = train(config, place, run_eagerly=True, quiet=True)
            assert (summary["status"], summary["step"]) == ("completed", 12)
    ours, theirs = (checkpoint(place, 12) for place in (run_dir, unbroken))
    assert all(np.array_equal(ours[name], theirs[name]) for name in ours)


def check(patch, place, name, before, run_dir, config, mend, unbroken):
    """Trains until `before` happens in the second call of the function that is patched."""
    with patch.context() as one:
        one.setattr(place, name, once_more(getattr(place, name), before))
        with pytest.raises(CannotWrite) as error:
            train(config, run_dir, run_eagerly=True, quiet=True)
    text = str(error.value)
    assert "\n" not in text
    assert text.startswith(str(run_dir))
    assert text.endswith(
        "make room or mend it, the same command goes on from the newest checkpoint"
    )
    mend()
    assert_goes_on(run_dir, config, unbroken)
    return text


WRITERS = {
    "checkpoint": (loop, "save"),
    "record": (MetricsLog, "scalars"),
    "picture": (loop.Run, "write_samples"),
}


@pytest.mark.parametrize("writer", WRITERS)
def test_a_full_disk_ends_the_run_in_one_line_and_costs_nothing(
    writer, disk, tiny_config, unbroken, monkeypatch
):
    config = tiny_config(checkpoint_every=4)
    check(
        monkeypatch, *WRITERS[writer], lambda: fill(disk), disk / "run", config,
        (disk / "filler").unlink, unbroken,
    )  # fmt: skip


def test_lost_permissions(tiny_config, unbroken, tmp_path, monkeypatch):
    is_root = os.geteuid() == 0

    def lose():
        os.seteuid(NOBODY) if is_root else (tmp_path / "run/samples").chmod(0o500)

    def get_back():
        os.seteuid(0) if is_root else (tmp_path / "run/samples").chmod(0o700)

    config = tiny_config(checkpoint_every=4)
    try:
        text = check(
            monkeypatch, *WRITERS["picture"], lose, tmp_path / "run", config, get_back, unbroken
        )
    finally:
        get_back()
    assert "Permission denied" in text


def test_a_limit_on_the_size_of_files(tmp_path, tiny_config, unbroken, monkeypatch):
    """As a quota; needs no rights."""
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)

    def limit():
        resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, limits[1]))

    try:
        text = check(
            monkeypatch, loop, "save", limit, tmp_path / "run", tiny_config(checkpoint_every=4),
            lambda: resource.setrlimit(resource.RLIMIT_FSIZE, limits), unbroken,
        )  # fmt: skip
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert "File too large" in text


@pytest.mark.parametrize(
    "error", [tf.errors.ResourceExhaustedError(None, None, "OOM"), MemoryError()]
)
def test_out_of_memory_is_no_full_disk(error, tmp_path, tiny_config, unbroken, monkeypatch):
    """In a picture, which is drawn and then written. The run goes on to the same bits."""

    def exhaust():
        raise error

    with monkeypatch.context() as patch:
        drawing = once_more(sample_grids.sample_picture, exhaust)  # the second one, at step 6
        patch.setattr(sample_grids, "sample_picture", drawing)
        with pytest.raises(OutOfMemory, match="out of memory at step 6, with --batch_size=16; "):
            train(tiny_config(checkpoint_every=4), tmp_path / "run", run_eagerly=True, quiet=True)
    assert not (tmp_path / "run/summary.json").exists()
    assert_goes_on(tmp_path / "run", tiny_config(checkpoint_every=4), unbroken)


def test_a_file_is_replaced_whole_or_not_at_all(disk):
    path = disk / "file.txt"
    path.write_text("old")
    fill(disk)
    with pytest.raises(OSError, match="No space"), replacing(path) as temporary:
        temporary.write_text("new" * 100)
    assert path.read_text() == "old"
    assert sorted(p.name for p in disk.iterdir()) == ["file.txt", "filler"]
