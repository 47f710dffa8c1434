"""Files and directories that users give by mistake, for tests/test_bad_input.py."""

import base64
import dataclasses
import gzip
import io
import os
import shutil
import tarfile

import keras
import numpy as np
from PIL import Image

from gan.run.atomic_files import write_json
from gan.run.presets import from_preset
from gan.training.trainer import train

PIXEL = base64.b64decode(  # a grey PNG file of 1x1
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAAAAAA6fptVAAAACklEQVR4nGNgAAAAAgABSK+kcQAAAABJRU5ErkJggg=="
)
PIXELS = base64.b64decode(  # two black and two white ones
    "iVBORw0KGgoAAAANSUhEUgAAAAIAAAACCAAAAABX3VL4AAAADklEQVR4nGNg+M/wnwEABgAB/4/x/JoAAAAASUVORK5CYII="
)
SAMPLES = np.zeros((1000, 28, 28), np.uint8)
DIGITS = {  # in the shapes of MNIST, but blank
    "x_train": np.zeros((60000, 28, 28), np.uint8),
    "y_train": np.zeros(60000, np.uint8),
    "x_test": np.zeros((10000, 28, 28), np.uint8),
    "y_test": np.zeros(10000, np.uint8),
}
IDX = ("train-images-idx3-ubyte", "train-labels-idx1-ubyte", "t10k-images-idx3-ubyte",
       "t10k-labels-idx1-ubyte")  # fmt: skip

TINY = {
    "steps": 2, "steps_per_call": 2, "latent_dim": 8, "evaluate_every": 0, "precision": "float32",
    "jit_compile": False,
}  # fmt: skip
CONFIGS = {  # runs/bad_KEY has this config.json
    "empty": b"",
    "text": b"my notes",
    "torn": b'{"config": {"dataset": "mnist", "steps',
    "list": b"[1, 2]",
    "null": b"null",
    "binary": bytes(range(256)),
    "deep": b"[" * 100_000,
    "other": b'{"name": "somebody else\'s"}',
    "config_list": b'{"config": ["mnist"]}',
    "config_text": b'{"config": "mnist"}',
    "unknown": b'{"config": {"learning_rate": 0.1}}',
    "type": b'{"config": {"steps": "many"}}',
    "float": b'{"config": {"batch_size": 64.5}}',
    "range": b'{"config": {"beta_1": 7}}',
    "nan": b'{"config": {"beta_1": NaN}}',
    "none": b'{"config": {"dataset": null}}',
    "huge": b'{"config": {"seed": 1' + b"0" * 5000 + b"}}",
    "clash": b'{"config": {"schedule": "classic", "loss": "hinge"}}',
}


def build(root):
    """Fills a directory with mistakes, and one run without any, at `root`/run."""
    (root / "file").write_text("mine")
    (root / "binary").write_bytes(bytes(range(256)))
    (root / "dangling").symlink_to(root / "nowhere")
    (root / "loop").symlink_to(root / "loop")
    (root / "empty").mkdir()
    (root / "full").mkdir()
    (root / "full" / "thesis.txt").write_text("mine")
    build_runs(root)
    build_samples(root / "samples")
    build_data(root / "data")
    build_folders(root / "folders")
    (root / "keras").mkdir()
    (root / "keras" / "keras.json").write_text('{"image_data_format": "channels_first"}')
    (root / "features").mkdir()
    (root / "features" / "mnist-cnn-a-v1.npz").write_bytes(b"torn")
    (root / "studies" / "tiny").mkdir(parents=True)
    (root / "studies" / "tiny" / "alternating-0").write_text("mine")
    for name in ("grid-0", "ring-0"):
        (root / "studies" / "ring" / name).mkdir(parents=True)
        write_config(root / "studies" / "ring" / name, from_preset("mlp"))
    (root / "studies" / "grid" / "grid-0").mkdir(parents=True)
    (root / "studies" / "grid" / "grid-0" / "config.json").write_bytes(b"torn")


def write_config(path, config, own_networks=()):
    """Writes what versions before data and networks were described there wrote."""
    values = {"config": dataclasses.asdict(config), "own_networks": own_networks, "environment": {}}
    write_json(path / "config.json", values)


def build_runs(root):
    """Makes a run that was trained, and damaged copies of it."""
    config = from_preset("tiny", TINY)
    train(config, root / "run", quiet=True)
    runs = root / "runs"
    for name, text in CONFIGS.items():
        (runs / f"bad_{name}").mkdir(parents=True)
        (runs / f"bad_{name}" / "config.json").write_bytes(text)
    (runs / "bad_directory" / "config.json").mkdir(parents=True)
    (runs / "bad_link").mkdir()
    (runs / "bad_link" / "config.json").symlink_to("config.json")

    def copied(name):
        shutil.copytree(root / "run", runs / name)
        return runs / name

    def damaged(name, file, content):
        path = copied(name) / file
        if path.is_dir():
            shutil.rmtree(path)
        path.unlink(missing_ok=True)
        if content is None:
            path.mkdir()
        else:
            path.write_bytes(content)

    damaged("torn_weights", "checkpoints/step-2.data-00000-of-00001", b"torn")
    damaged("torn_index", "checkpoints/step-2.index", b"torn")
    damaged("no_state", "checkpoints/checkpoint", b"\xff\x00torn")
    damaged("checkpoints_file", "checkpoints", b"mine")
    damaged("metrics_text", "metrics.jsonl", b"[1]\n")
    damaged("metrics_binary", "metrics.jsonl", bytes(range(256)))
    damaged("metrics_directory", "metrics.jsonl", None)
    damaged("evaluations_text", "evaluations.jsonl", b"7\n")
    damaged("evaluations_binary", "evaluations.jsonl", b"\xff\xfe")
    damaged("evaluations_directory", "evaluations.jsonl", None)
    damaged("summary_directory", "summary.json", None)
    damaged("samples_file", "samples", b"mine")
    damaged("tensorboard_file", "tensorboard", b"mine")
    damaged("keras_text", "generator.keras", b"mine")
    damaged("keras_empty", "generator.keras", b"")
    damaged("keras_directory", "generator.keras", None)
    damaged("keras_torn", "generator.keras", (root / "run/generator.keras").read_bytes()[:5000])
    shutil.rmtree(copied("no_checkpoints") / "checkpoints")
    (copied("no_keras") / "generator.keras").unlink()
    (copied("no_index") / "checkpoints/step-2.index").unlink()

    def configured(name, own_networks=(), **changes):
        path = copied(name)
        write_config(path, from_preset("tiny", {**TINY, **changes}), own_networks)
        return path

    configured("other_networks", generator="mlp")
    configured("conditional", conditional=True)
    configured("points", dataset="gaussian_ring", generator="toy_tiny", discriminator="toy_tiny")
    configured("folder", dataset=f"image_folder:{root / 'folders/flat'}")
    configured("gone", dataset=f"image_folder:{root / 'nowhere'}")
    configured("no_data", data_dir=str(root / "nowhere"))
    configured("table", dataset="celeba")
    configured("conv_on_points", dataset="gaussian_grid", generator="dcgan")
    for name, own in (("own_number", 5), ("own_gone", ["generator"])):
        (configured(name, own) / "generator.keras").unlink()

    latents, labels = keras.Input((8,)), keras.Input((), dtype="int32")
    image = keras.layers.Reshape((28, 28, 1))(keras.layers.Dense(784)(latents))
    shift = keras.layers.Reshape((1, 1, 1))(keras.layers.CategoryEncoding(1)(labels))
    of_five = keras.Input((5,))
    for name, network in {
        "five": keras.Model(of_five, keras.layers.Reshape((1, 5, 1))(of_five)),
        "flat": keras.Model(latents, keras.layers.Dense(784)(latents)),
        "two": keras.Model(latents, [image, latents]),
        "small": keras.Model(latents, image[:, 4:-4, 4:-4]),
        "labels": keras.Model([latents, labels], image + shift),
    }.items():
        network.save(configured(f"keras_{name}", ["generator"]) / "generator.keras")


def build_samples(directory):
    """Makes npz files and directories of PNG files that nobody can judge."""
    directory.mkdir()

    def npz(name, **arrays):
        np.savez_compressed(directory / name, **arrays)

    npz("good.npz", images=np.full((1000, 28, 28), 9, np.uint8))
    npz("few.npz", images=SAMPLES[:10] + 9)
    npz("none.npz", images=SAMPLES[:0])
    npz("flat.npz", images=SAMPLES.reshape(1000, 784))
    npz("five.npz", images=SAMPLES[:, None, None])
    npz("small.npz", images=SAMPLES[:, :20] + 9)
    npz("colour.npz", images=SAMPLES[..., None].repeat(3, 3) + 9)
    npz("first.npz", images=SAMPLES[:, None] + 9)
    npz("ones.npz", images=SAMPLES + 1)
    npz("int.npz", images=SAMPLES.astype(np.int32))
    npz("bool.npz", images=SAMPLES.astype(bool))
    npz("text.npz", images=np.full((1000, 28, 28), "x"))
    npz("complex.npz", images=SAMPLES.astype(np.complex64))
    npz("nan.npz", images=np.full((1000, 28, 28), np.nan))
    npz("large.npz", images=np.full((1000, 28, 28), 255.0))
    npz("two.npz", a=SAMPLES, b=SAMPLES)
    npz("no_array.npz")
    npz("object.npz", images=np.array([print], object))
    np.save(directory / "single.npy", SAMPLES)
    (directory / "text").write_text("mine")
    (directory / "empty.npz").write_bytes(b"")
    whole = (directory / "good.npz").read_bytes()
    (directory / "torn.npz").write_bytes(whole[: len(whole) // 2])
    for name, first in (("png", PIXEL), ("png_torn", PIXEL[:40])):
        (directory / name).mkdir()
        (directory / name / "0.png").write_bytes(first)
        for number in range(1, 1000):  # links: only the first one is read
            os.link(directory / name / "0.png", directory / name / f"{number}.png")
    (directory / "png_few").mkdir()
    (directory / "png_few" / "0.png").write_bytes(PIXEL)


def build_data(directory):
    """Makes directories that --data_dir cannot be."""

    def place(name, file=None, content=b""):
        (directory / name).mkdir(parents=True, exist_ok=True)
        if file:
            (directory / name / file).write_bytes(content)
        return directory / name

    place("empty", "mnist.npz")
    place("text", "mnist.npz", b"mine")
    np.savez(place("small") / "mnist.npz", **{name: DIGITS[name][:9] for name in DIGITS})
    np.savez_compressed(place("blank") / "mnist.npz", **DIGITS)
    shutil.copy(directory / "blank/mnist.npz", place("blank_fashion") / "fashion_mnist.npz")
    whole = (directory / "blank/mnist.npz").read_bytes()
    place("torn", "mnist.npz", whole[: len(whole) // 2])
    np.savez(place("some") / "mnist.npz", x_train=DIGITS["x_test"])
    np.savez(place("object") / "mnist.npz", **dict.fromkeys(DIGITS, np.array([print], object)))
    np.savez(place("float") / "mnist.npz", **dict.fromkeys(DIGITS, np.zeros((2, 2))))
    (place("directory") / "mnist.npz").mkdir()
    (place("link") / "mnist.npz").symlink_to(directory / "nowhere")
    place("three", IDX[0], b"\x00\x00\x08\x01\x00\x00\x00\x01\x00")
    for file in IDX:
        place("idx_text", file, b"mine")
        place("idx_torn", file, b"\x00\x00\x08\x03\x00\x00\xea\x60\x00\x00\x00\x1c\x00\x00\x00\x1c")
        place("idx_gz", f"{file}.gz", gzip.compress(bytes(9999))[:20])
        place("idx_int", file, b"\x00\x00\x0c\x01\x00\x00\x00\x01\x00\x00\x00\x00")
    place("cifar_text", "cifar-10-binary.tar.gz", b"mine")
    with tarfile.open(place("cifar_empty") / "cifar-10-binary.tar.gz", "w:gz"):
        pass
    for number in range(1, 6):
        place("cifar_odd", f"data_batch_{number}.bin", b"1" * 3074)
    place("cifar_odd", "test_batch.bin", b"1" * 3074)


def build_folders(directory):
    """Makes folders that --dataset=image_folder:PATH cannot be."""
    floats = io.BytesIO()
    Image.new("F", (1, 1)).save(floats, "TIFF")
    for name, file, content in (
        ("flat", "a.png", PIXELS), ("hidden", ".a.png", PIXEL), ("other", "a.txt", b"mine"),
        ("torn", "a.png", PIXEL[:40]), ("empty_image", "a.jpg", b""), ("text", "a.jpeg", b"mine"),
        ("floats", "a.tif", floats.getvalue()),
    ):  # fmt: skip
        (directory / name).mkdir(parents=True)
        (directory / name / file).write_bytes(content)
    (directory / "directory" / "a.png").mkdir(parents=True)
    (directory / "gone").mkdir()
    (directory / "gone" / "a.png").symlink_to("nowhere.png")
