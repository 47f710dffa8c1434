import json
import os
import re
import tempfile

import pytest

from gan.errors import UserError
from gan.run.atomic_files import (
    create_beside,
    remove_leftovers,
    replacing,
    temporary_directory,
    write_json,
)


def test_a_failed_write_leaves_the_old_file_and_no_other(tmp_path):
    path = tmp_path / "a.json"
    write_json(path, {"x": 1})

    def interrupted():
        with replacing(path) as temporary:
            temporary.write_text("half")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    with pytest.raises(ValueError, match="JSON"):
        write_json(path, {"x": float("nan")})
    assert json.loads(path.read_text()) == {"x": 1}
    assert os.listdir(tmp_path) == ["a.json"]


def test_the_old_file_stands_until_the_new_one_is_whole(tmp_path):
    path = tmp_path / "a.txt"
    path.write_text("old")
    with replacing(path) as temporary:
        temporary.write_text("new")
        assert path.read_text() == "old"
        assert temporary.suffix == ".txt"
    assert path.read_text() == "new"


def test_rights_are_those_of_an_ordinary_file(tmp_path):
    (tmp_path / "ordinary").touch()
    write_json(tmp_path / "a.json", {})
    assert (tmp_path / "a.json").stat().st_mode == (tmp_path / "ordinary").stat().st_mode


def left_over(path):
    """What a process that was killed while it wrote `path` leaves."""
    handle, temporary = create_beside(path)
    temporary.write_text("half")
    os.close(handle)
    return temporary


def test_what_a_killed_writer_left_is_taken_away_by_the_next(tmp_path):
    path = tmp_path / "a.json"
    assert re.fullmatch(r"\.[0-9a-f]{8}\.tapegan-tmp\.json", left_over(path).name)
    others = left_over(tmp_path / "b.json")
    write_json(path, {"x": 1})
    assert json.loads(path.read_text()) == {"x": 1}
    assert sorted(os.listdir(tmp_path)) == [others.name, "a.json"]


def test_a_second_writer_leaves_the_first_alone(tmp_path):
    path = tmp_path / "a.txt"
    with replacing(path) as first:
        first.write_text("first")
        remove_leftovers(tmp_path)
        with replacing(path) as second:
            assert second != first
            second.write_text("second")
        assert path.read_text() == "second"
        assert first.read_text() == "first"
    assert path.read_text() == "first"
    assert os.listdir(tmp_path) == ["a.txt"]


def test_only_what_is_ours_and_left_over_is_removed(tmp_path):
    directory = tmp_path / "run"
    directory.mkdir()
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine/thesis.txt").touch()
    dead = left_over(directory / "a.json")
    (directory / ".abc.tapegan-tmp").mkdir()
    (directory / ".abc.tapegan-tmp/half").touch()
    kept = [".x.tmp", "a.tapegan-tmp", ".a b.tapegan-tmp.json", "config.json", ".tapegan-tmp"]
    for name in kept:
        (directory / name).touch()
    (directory / ".link.tapegan-tmp").symlink_to(tmp_path / "mine")
    with replacing(directory / "b.json") as alive:
        assert dead.exists()
        remove_leftovers(directory)
        expected = sorted([*kept, alive.name, ".link.tapegan-tmp"])
        assert sorted(os.listdir(directory)) == expected
    assert (tmp_path / "mine/thesis.txt").exists()


def test_a_link_in_place_of_the_temporary_file_is_not_followed(tmp_path):
    path, mine = tmp_path / "a.txt", tmp_path / "mine"
    mine.write_text("mine")
    temporary = left_over(path)
    temporary.unlink()
    temporary.symlink_to(mine)
    with replacing(path) as other:
        other.write_text("new")
    assert (path.read_text(), mine.read_text()) == ("new", "mine")


def test_temporary_directories_of_the_dead_go_and_those_of_the_living_stay(tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    (tmp_path / ".abc.tapegan-tmp").mkdir()
    (tmp_path / ".abc.tapegan-tmp/half").touch()
    with temporary_directory() as first, temporary_directory() as second:
        assert {first.parent, second.parent} == {tmp_path}
        assert sorted(os.listdir(tmp_path)) == sorted([first.name, second.name])
        (first / "file").touch()
    assert os.listdir(tmp_path) == []


def test_without_a_place_for_temporary_files_there_is_one_line(monkeypatch):
    def none():
        raise FileNotFoundError(2, "No usable temporary directory found in ['/tmp']")

    monkeypatch.setattr(tempfile, "gettempdir", none)
    refused = pytest.raises(UserError, match=r"^TMPDIR: No usable temporary directory")
    with refused, temporary_directory():
        pass
