import subprocess

import numpy as np
import pytest
from PIL import Image

from experiments import folder_sets
from gan.errors import UserError
from support import status_of


@pytest.fixture
def debian(monkeypatch):
    """Plays apt-get and dpkg-deb, with a package of two pictures; returns what was run."""
    asked = []

    def run(arguments, cwd, **options):
        asked.append(list(arguments))
        if arguments[0] == "apt-get":
            (cwd / f"{arguments[2]}_1.0_all.deb").write_text("package")
        else:
            place = cwd / arguments[3] / "usr/share/openclipart/png"
            for name, grey in (("animals", 10), ("food", 20)):
                (place / name).mkdir(parents=True)
                Image.new("L", (8, 8), grey).save(place / name / "a.png")
        return subprocess.CompletedProcess(arguments, 0, "", "")

    monkeypatch.setattr(subprocess, "run", run)
    return asked


def test_a_set_is_made_once(debian, tmp_path, monkeypatch, capsys):
    out = tmp_path / "new/clips"
    for _ in range(2):
        assert status_of(monkeypatch, folder_sets, "--set=clip_art", f"--out={out}") == 0
        assert capsys.readouterr().out == f"{out}: 2 images\n"
    assert len(debian) == 2
    assert debian[0] == ["apt-get", "download", "openclipart-png"]
    assert debian[1][:2] == ["dpkg-deb", "-x"]
    assert debian[1][2].endswith("/openclipart-png_1.0_all.deb")
    assert sorted(str(p.relative_to(out)) for p in out.rglob("*.png")) == [
        "animals/a.png", "food/a.png",
    ]  # fmt: skip
    assert np.asarray(Image.open(out / "food/a.png")).tolist() == [[20] * 8] * 8


def test_a_package_that_does_not_come_leaves_nothing(tmp_path, monkeypatch):
    def fails(arguments, **options):
        return subprocess.CompletedProcess(arguments, 100, "", "E: no\nsuch package\n")

    def is_missing(arguments, **options):
        raise FileNotFoundError(arguments[0])

    for run, message in (
        (fails, r"apt-get download openclipart-png: failed \(E: no such package\)"),
        (is_missing, r"apt-get: not found, must be there \(Debian, Ubuntu\)"),
    ):
        monkeypatch.setattr(subprocess, "run", run)
        with pytest.raises(UserError, match=message):
            folder_sets.make("clip_art", tmp_path / "new/clips")
    assert list(tmp_path.iterdir()) == []


def test_a_copy_that_fails_leaves_no_set(debian, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match=r"--out=.*/file/clips: cannot be made"):
        folder_sets.make("clip_art", tmp_path / "file/clips")
