import atexit
import errno
import fcntl
import os
import tempfile
import threading
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from gan.data.folders import image_cache
from gan.data.folders.image_cache import FACTS_FILE, PIXELS_FILE, Settings, cached_pixels
from gan.data.folders.image_reader import read_image
from gan.errors import UserError
from gan.run import cache

SETTINGS = Settings(8, 1, "white")


def write(path, level, size=(8, 8)):
    """An image that has the same grey level everywhere."""
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("L", size, level).save(path)
    return str(path)


@pytest.fixture
def many(tmp_path):
    """60 images of very different sizes, so that they are not read in the time of one another.

    Image i has the grey level i everywhere.
    """
    return [
        write(tmp_path / f"many/{i:02} ü.png", i, (8, 8) if i % 3 else (900, 500))
        for i in range(60)
    ]


@pytest.fixture
def reads(monkeypatch):
    """The paths that are read, in the order in which that begins."""
    found = []
    monkeypatch.setattr(
        image_cache, "read_image", lambda path, *how: found.append(path) or read_image(path, *how)
    )
    return found


def cached(paths, tmp_path, settings=SETTINGS, skip_bad=False, say=lambda line: None):
    return cached_pixels(paths, settings, str(tmp_path / "cache"), skip_bad, say)


def levels(found):
    return found.images[:, 0, 0, 0].tolist()


def test_images_are_read_once(many, tmp_path, reads):
    found = cached(many, tmp_path)
    assert (found.images.dtype, found.images.shape) == (np.uint8, (60, 8, 8, 1))
    assert np.array_equal(found.images, np.broadcast_to(np.arange(60)[:, None, None, None],
                                                        (60, 8, 8, 1)))  # fmt: skip
    assert found.kept.tolist() == list(range(60))
    assert found.sizes.tolist() == [os.path.getsize(path) for path in many]
    assert found.facts["width"].tolist() == [8 if i % 3 else 900 for i in range(60)]
    assert found.facts["height"].tolist() == [8 if i % 3 else 500 for i in range(60)]
    assert found.facts["darkest"][:, 0].tolist() == list(range(60))
    assert sorted(reads) == many
    again = cached(many, tmp_path)
    assert len(reads) == 60
    assert np.array_equal(again.images, found.images)
    assert np.array_equal(again.facts, found.facts)
    assert not found.images.flags.writeable
    assert isinstance(found.images, np.memmap)  # nothing is in memory


def test_what_pixels_depend_on_is_read_anew(many, tmp_path, reads):
    cached(many, tmp_path)

    def anew(paths=many, settings=SETTINGS):
        before = len(reads)
        found = cached(paths, tmp_path, settings)
        return len(reads) - before, found

    assert anew()[0] == 0
    assert anew(settings=Settings(9, 1, "white"))[1].images.shape == (60, 9, 9, 1)
    assert anew(settings=Settings(8, 3, "white"))[1].images.shape == (60, 8, 8, 3)
    assert anew(settings=Settings(8, 1, "black"))[0] == 60
    assert anew(many[::-1])[1].images[0, 0, 0, 0] == 59
    write(Path(many[5]), 200)
    assert levels(anew()[1])[4:7] == [4, 200, 6]
    status = os.stat(many[5])
    os.utime(many[5], ns=(status.st_atime_ns, status.st_mtime_ns + 1))
    assert anew()[0] == 60
    assert anew()[0] == 0


@pytest.mark.parametrize("torn", [False, True])
def test_an_interrupted_reading_is_gone_on_with(torn, many, tmp_path, reads, monkeypatch):
    monkeypatch.setattr(image_cache, "WINDOW", 10)
    monkeypatch.setattr(image_cache, "SAFE_SECONDS", -1.0)

    class Interrupted(BaseException):
        pass

    def until_25(path, *how):
        if path == many[25]:
            raise Interrupted
        return read_image(path, *how)

    with monkeypatch.context() as patched:
        patched.setattr(image_cache, "read_image", until_25)
        with pytest.raises(Interrupted):
            cached(many, tmp_path)
    (place,) = (tmp_path / "cache").iterdir()
    assert len(image_cache.facts_left(place, 60)) == 20
    if torn:  # more than facts speak of, and a fact that was half written
        for name in (PIXELS_FILE, FACTS_FILE):
            with open(place / name, "ab") as file:
                file.write(b"\xff" * 7)
    assert levels(cached(many, tmp_path)) == list(range(60))
    assert sorted(reads) == many[20:]


def test_pixels_that_were_lost_are_read_again(many, tmp_path, reads):
    place = Path(cached(many, tmp_path).images.filename).parent
    os.truncate(place / PIXELS_FILE, 100)
    assert levels(cached(many, tmp_path)) == list(range(60))
    assert len(reads) == 120


def test_facts_that_were_lost_are_read_again(many, tmp_path, reads):
    """A disk may leave zeros for what it was about to write."""
    place = Path(cached(many, tmp_path).images.filename).parent
    facts = (place / FACTS_FILE).read_bytes()
    row = len(facts) // 60
    (place / FACTS_FILE).write_bytes(facts[: 20 * row] + bytes(len(facts) - 20 * row))
    assert levels(cached(many, tmp_path)) == list(range(60))
    assert sorted(reads[60:]) == many[20:]


def test_a_cache_that_is_taken_away_meanwhile_is_named(many, tmp_path, monkeypatch):
    def read_all(paths, settings, place, print_fn):
        read(paths, settings, place, print_fn)
        os.truncate(place / FACTS_FILE, 100)

    read = image_cache.read_all
    monkeypatch.setattr(image_cache, "read_all", read_all)
    with pytest.raises(UserError, match=r"something else changed it; repeat the command$"):
        cached(many, tmp_path)


def test_a_file_system_without_locks_is_refused(many, tmp_path, monkeypatch):
    """Two processes that append at once would mix their images."""

    def flock(file, operation):
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(fcntl, "flock", flock)
    with pytest.raises(UserError, match=r"cannot be written \(No locks available\)"):
        cached(many, tmp_path)


def test_a_file_that_may_be_read_later_is_read_later(many, tmp_path, monkeypatch):
    """Its size and time stay the same."""
    real = os.access
    with monkeypatch.context() as patched:
        patched.setattr(os, "access", lambda path, mode: path != many[3] and real(path, mode))
        patched.setattr(image_cache, "read_image", lambda path, *how: (
            read_image(path + "gone" * (path == many[3]), *how)))  # fmt: skip
        assert len(cached(many, tmp_path, skip_bad=True).images) == 59
    assert len(cached(many, tmp_path, skip_bad=True).images) == 60


def test_nobody_who_reads_what_is_said_is_no_error_of_the_cache(many, tmp_path, monkeypatch):
    def say(line):
        raise BrokenPipeError

    monkeypatch.setattr(image_cache, "WINDOW", 25)
    monkeypatch.setattr(image_cache, "PROGRESS_SECONDS", -1.0)
    with pytest.raises(BrokenPipeError):
        cached(many, tmp_path, say=say)


def test_bad_files_are_refused_or_left_out(many, tmp_path):
    for i in (0, 7, 59):
        Path(many[i]).write_bytes(b"no image")
    for _ in range(2):  # read, and from the cache
        with pytest.raises(UserError) as error:
            cached(many, tmp_path)
        assert str(error.value) == (
            f"{many[0]}: is no image, or damaged at its beginning; 3 of 60 images are bad, "
            "--skip_bad_images=true leaves them out"
        )
        said = []
        found = cached(many, tmp_path, skip_bad=True, say=said.append)
        kept = [i for i in range(60) if i not in (0, 7, 59)]
        assert (levels(found), found.kept.tolist()) == (kept, kept)
        assert found.sizes.tolist() == [os.path.getsize(many[i]) for i in kept]
        assert said == [
            *(f"left out {many[i]}: is no image, or damaged at its beginning" for i in (0, 7, 59)),
            "3 of 60 images are bad and left out",
        ]
    with pytest.raises(UserError, match=r"1 of 1 images is bad, there must be good ones$"):
        cached(many[:1], tmp_path, skip_bad=True)


def test_ten_bad_files_are_named(many, tmp_path):
    for path in many[:12]:
        Path(path).write_bytes(b"")
    said = []
    cached(many, tmp_path, skip_bad=True, say=said.append)
    assert len(said) == 11
    assert said[9:] == [f"left out {many[9]}: is empty", "12 of 60 images are bad and left out"]


def test_a_long_reading_tells_how_far_it_is(many, tmp_path, monkeypatch):
    said = []
    cached(many, tmp_path, say=said.append)
    assert said == []
    monkeypatch.setattr(image_cache, "WINDOW", 25)
    monkeypatch.setattr(image_cache, "PROGRESS_SECONDS", -1.0)
    cached(many[::-1], tmp_path, say=said.append)
    assert [line.rpartition(",")[0] for line in said] == [
        f"reading images: {count} of 60" for count in (25, 50)
    ]
    assert said[-1].endswith(", 0 s left")


def test_a_process_waits_for_one_that_reads_the_same(many, tmp_path):
    place = Path(cached(many, tmp_path).images.filename).parent
    other = open(place / image_cache.LOCK_FILE)  # noqa: SIM115
    fcntl.flock(other, fcntl.LOCK_EX)
    said, waiting = [], threading.Event()

    def say(line):
        said.append(line)
        waiting.set()

    thread = threading.Thread(target=cached, args=(many, tmp_path), kwargs={"say": say})
    thread.start()
    assert waiting.wait(60)
    assert thread.is_alive()
    other.close()
    thread.join(60)
    assert not thread.is_alive()
    assert said == ["another process reads these images; waiting for it"]


def test_a_cache_that_cannot_be_written_is_named(many, tmp_path):
    (tmp_path / "cache").write_text("a file")
    with pytest.raises(
        UserError, match=r"/cache/\w+: cannot be written \(.*--data_cache=DIR names"
    ):
        cached(many, tmp_path)


def test_where_the_users_cache_cannot_be_written_one_process_has_its_own(
    many, tmp_path, monkeypatch, reads
):
    (tmp_path / "file").write_text("mine")
    said, at_end = [], []
    monkeypatch.setattr(image_cache, "cache_directory", lambda: tmp_path / "file")
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    monkeypatch.setattr(atexit, "register", at_end.append)
    image_cache.own_directory.cache_clear()
    found = cached_pixels(many, SETTINGS, "", False, said.append)
    assert levels(found) == levels(cached(many, tmp_path))
    place = Path(found.images.filename).parent.parent
    assert place.parent == tmp_path
    before = len(reads)
    cached_pixels(many, SETTINGS, "", False, said.append)  # in the same place
    assert len(reads) == before
    (end,), (warning, _) = at_end, said
    end()
    assert not place.exists()
    image_cache.own_directory.cache_clear()
    assert warning == (
        f"warning: {tmp_path}/file/folders: cannot be written (Not a directory), so images are "
        "read again in each process; --data_cache=DIR names a place that keeps them"
    )


def test_the_cache_is_the_users(many, tmp_path, monkeypatch):
    monkeypatch.setattr(image_cache, "cache_directory", cache.cache_directory)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "home"))
    found = cached_pixels(many, SETTINGS, "", False, print)
    assert Path(found.images.filename).parent.parent == tmp_path / "home/tapegan/folders"


def test_names_that_are_not_unicode(tmp_path):
    name = os.fsencode(tmp_path) + b"/\xff.png"
    Image.new("L", (8, 8), 7).save(tmp_path / "a.png")
    os.rename(tmp_path / "a.png", name)
    assert levels(cached([os.fsdecode(name)], tmp_path)) == [7]


def test_what_pillow_can_read_is_part_of_the_key(many, monkeypatch):
    def key():
        return image_cache.key_of(many, [(1, 2)] * len(many), SETTINGS)

    usual = key()
    assert key() == usual
    monkeypatch.setattr(image_cache.ImageFile, "LOAD_TRUNCATED_IMAGES", True)
    lenient = key()
    monkeypatch.setattr(image_cache, "readable", lambda: ["PNG"])
    assert len({usual, lenient, key()}) == 3


def test_a_bad_file_that_is_right_by_now_is_named_with_a_reason(monkeypatch):
    monkeypatch.setattr(image_cache, "flaw_of", lambda path: "")
    with pytest.raises(UserError, match=r"^a\.png: could not be read when the folder was; touch"):
        image_cache.tell_bad(["a.png"], 1, 3, False, print)
