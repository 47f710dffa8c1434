"""``gan.load``, ``gan.sample``, ``gan.evaluate`` and ``gan.train``, as users call them."""

import json
import os
import signal
import subprocess
import sys
import weakref

import keras
import numpy as np
import pytest

import gan
from gan.errors import UserError
from gan.evaluation import evaluate as evaluation
from gan.results import Summary
from gan.run import forks
from gan.run.saved_config import read_config
from gan.training import devices, loop, setup, trainer
from gan.training.state import build_state
from support import ROOT


@pytest.fixture(scope="module")
def run_dir(tmp_path_factory):
    """Trained with networks of the caller's."""
    generator = keras.Sequential(
        [keras.Input((100,)), keras.layers.Dense(784, activation="tanh"),
         keras.layers.Reshape((28, 28, 1))]
    )  # fmt: skip
    discriminator = keras.Sequential(
        [keras.Input((28, 28, 1)), keras.layers.Flatten(), keras.layers.Dense(1)]
    )
    run_dir = tmp_path_factory.mktemp("api") / "run"
    settings = {"steps": 4, "evaluate_every": 2, "steps_per_call": 2, "jit_compile": False}
    summary = gan.train(run_dir, generator=generator, discriminator=discriminator, **settings)
    assert (summary["status"], summary["step"]) == ("completed", 4)
    start = f"Summary(completed at step 4 after {summary['seconds']:.0f} s, loss/d "
    assert repr(summary).startswith(start)
    assert f"loss/g {summary['loss/g']:.3f}; keys: status, " in repr(summary)
    assert json.loads(json.dumps(summary)) == summary
    return run_dir


def test_a_summary_of_an_older_version_is_shown_too():
    assert repr(Summary(status="completed", step=30000)) == (
        "Summary(completed at step 30,000; keys: status, step)"
    )
    stopped = Summary({"status": "stopped", "step": 9, "loss/d": None, "loss/g": 0.0})
    assert repr(stopped).startswith("Summary(stopped at step 9, loss/g 0.000; keys: ")


def test_training_evaluates(run_dir):
    assert len((run_dir / "evaluations.jsonl").read_text().splitlines()) == 2


def test_a_run_and_its_file_are_the_same_generator(run_dir):
    images = gan.sample(gan.load(run_dir), seeds=range(64))
    assert (images.shape, images.dtype) == ((64, 28, 28, 1), np.uint8)
    again = gan.sample(gan.load(run_dir / "generator.keras"), seeds=[3, 0])
    assert np.array_equal(again, images[[3, 0]])
    last = read_config(run_dir).steps
    for checkpoint in (last, str(last), "latest"):
        drawn = gan.sample(gan.load(run_dir, checkpoint), seeds=[3, 0])
        assert np.array_equal(drawn, images[[3, 0]])
    likelier = gan.sample(gan.load(str(run_dir)), seeds=range(64), truncation=0.1)
    assert likelier.astype(float).var(0).mean() < 0.1 * images.astype(float).var(0).mean()


def test_images_and_generators_are_evaluated(run_dir):
    generator = gan.load(run_dir)
    record = gan.evaluate(generator, num_images=2000, names=("fcd", "classes"))
    assert set(record["metrics"]) == set(record["floors"]) == {"fcd", "classes"}
    assert record["num_images"] == 2000  # whose floors come with the package
    assert record["metrics"]["fcd"] > 100 * record["floors"]["fcd"]["mean"]
    value, floor = record["metrics"]["fcd"], record["floors"]["fcd"]["mean"]
    assert f"fcd {value:.4g} (real images: {floor:.4g}), classes " in repr(record)
    same = gan.evaluate(gan.sample(generator, range(2000)), names=("fcd",))
    assert same["metrics"]["fcd"] == pytest.approx(record["metrics"]["fcd"])


def test_samples_are_compared_with_as_many_real_images(monkeypatch):
    generator = keras.Sequential(
        [keras.Input((3,)), keras.layers.Dense(784, activation="tanh"),
         keras.layers.Reshape((28, 28, 1))]
    )  # fmt: skip
    judged = []

    def stop(images, against, names):
        judged.append((len(images), against.count, against.split))
        raise UserError("enough")

    monkeypatch.setattr(evaluation, "evaluate", stop)
    for images in (generator, NOISE):
        with pytest.raises(UserError, match="enough"):
            gan.evaluate(images, num_images=1200)
    assert judged == [(1200, 1200, "test"), (1000, 1000, "test")]


NOISE = np.random.default_rng(0).integers(0, 256, (1000, 28, 28, 1), np.uint8)
SIGMOID = keras.Sequential(
    [keras.Input((3,)), keras.layers.Dense(784, activation="sigmoid"),
     keras.layers.Reshape((28, 28, 1))]
)  # fmt: skip
CRITIC = keras.Sequential([keras.Input((28, 28, 1)), keras.layers.Flatten(), keras.layers.Dense(1)])


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda g: gan.load("nowhere"), "nowhere"),
        (lambda g: gan.sample(g, [-1]), "seeds: must be a list of whole numbers from 0 on"),
        (lambda g: gan.sample(g, [0.5]), "seeds: must be a list of whole numbers from 0 on"),
        (lambda g: gan.sample(g, []), "seeds: must be a list of whole numbers from 0 on"),
        (lambda g: gan.sample(g, 64), "seeds: must be a list of whole numbers"),
        (lambda g: gan.sample(g, [[1]]), "seeds: must be a list of whole numbers"),
        (lambda g: gan.sample(SIGMOID, [1]), "^generator: ends in sigmoid, its images lie in 0..1"),
        (lambda g: gan.sample("runs/mlp", [1]), "generator: is str, must be a Keras model, as gan"),
        (lambda g: gan.sample(g, [1], truncation="0.7"), "truncation='0.7': must be a number at "),
        (lambda g: gan.evaluate(g, names="fcd"), "names: are 'fcd', must be a list such as ..fcd"),
        (lambda g: gan.sample(g, [1], truncation=-0.5), "truncation=-0.5: must be a number at le"),
        (lambda g: gan.sample(g, [1], truncation=float("nan")), "truncation=nan: must be a number"),
        (lambda g: gan.evaluate([1, 2]), "images: are list, must be an array or a generator"),
        (lambda g: gan.sample(g, [1], labels=[2]), "labels: are for conditional generators only"),
        (lambda g: gan.load("no--where"), r"^path=no--where: is not a run, it has no config"),
        (lambda g: gan.evaluate(g, names=("fid",)), "names: have 'fid', must be among fcd"),
        (lambda g: gan.evaluate(g, names=[["fcd"]]), "names: have ..fcd.., must be among fcd"),
        (lambda g: gan.evaluate(g, names=()), "names: are none, must be among fcd"),
        (lambda g: gan.evaluate(g, names=None), "names: are None, must be a list such as"),
        (lambda g: gan.evaluate(g, "nothing"), "nothing"),
        (lambda g: gan.evaluate(g, None), "dataset: is NoneType, must be the name of a data set"),
        (lambda g: gan.evaluate(g, "gaussian_ring"), "has modes to count"),
        (lambda g: gan.evaluate(g, num_images=999), "num_images=999: must be an integer at least "),
        (lambda g: gan.evaluate(g, num_images=1e4), "num_images=10000.0: must be an integer at l"),
        (lambda g: gan.evaluate(g, num_images="1000"), "num_images='1000': must be an integer at"),
        (lambda g: gan.evaluate(x for x in "ab"), "images: are generator, must be an array or a"),
        (
            lambda g: gan.evaluate(NOISE[..., 0]),
            "28., must be uint8 .* .without the axis of channel",
        ),
        (lambda g: gan.evaluate(NOISE.transpose(0, 3, 1, 2)), "channels first: images.transpose.0"),
        (lambda g: gan.evaluate(NOISE / 255), "are float64 .* .in 0..1: np.round.images . 255..as"),
        (lambda g: gan.evaluate(NOISE[:, 4:]), "are uint8 .1000, 24, 28, 1., must be uint8 .N, 28"),
        (lambda g: gan.evaluate(NOISE[:9]), "images: are 9, must be at least 1000"),
        (lambda g: gan.evaluate(NOISE % 2), "images are nearly black, no value is above 1 of 255"),
        (
            lambda g: gan.evaluate(NOISE * 0 + 99),
            "images are all of one colour .99. and show nothi",
        ),
        (lambda g: gan.evaluate(CRITIC), "images: maps .None, 28, 28, 1. to .None, 1., must map"),
        (lambda g: gan.train("x", stepps=3), "^stepps: unknown, valid are dataset"),
        (lambda g: gan.train("x", "mpl"), "^preset=mpl: must be one of mlp"),
        (lambda g: gan.train("x", steps=0), "^steps=0: must be an integer at least 1"),
        (lambda g: gan.train("x", pack=2, conditional=True), "^pack=2: must be 1 with conditional"),
        (lambda g: gan.train("x", generator=[g]), "generator: is list, must be a Keras model or a"),
        (lambda g: gan.train("x", discriminator="vgg"), "^discriminator=vgg: must be one of mlp"),
    ],
)
def test_mistakes_are_named(call, message, run_dir, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UserError, match=message):
        call(gan.load(run_dir))
    assert not list(tmp_path.iterdir())


def test_what_is_no_run_directory_is_refused_before_data_are_loaded(tmp_path, monkeypatch):
    monkeypatch.setattr(setup, "dataset_from_config", None)
    (tmp_path / "file").touch()
    with pytest.raises(UserError, match="file"):
        gan.train(tmp_path / "file")


def test_importing_the_package_is_quick_and_misspelt_names_are_named():
    code = "import sys, gan; assert 'tensorflow' not in sys.modules; print(gan.__version__)"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (0, f"{gan.__version__}\n"), done.stderr
    with pytest.raises(AttributeError, match="no attribute 'smaple'"):
        _ = gan.smaple


def test_public_names_are_listed_and_tables_come_without_tensorflow():
    code = """
import sys, gan
names = ("LOSSES", "PENALTIES", "AUGMENTATIONS", "GENERATORS", "DISCRIMINATORS", "DATASETS",
         "PRESETS", "Config", "Loss", "Network", "NetworkSpec", "DataSource", "Dataset",
         "TrainingFailed", "UserError", "OPTIMIZERS", "Optimizer")
assert set(names) < set(gan.__all__)
assert set(dir(gan)) == {*gan.__all__, "__version__", "__doc__"}
rows = [getattr(gan, name) for name in names]
assert "relativistic" in rows[0] and "dcgan" in rows[3] and "mnist" in rows[5]
print(*[name for name in ("tensorflow", "keras", "numpy") if name in sys.modules], ".")
assert all(getattr(gan, name) is not None for name in gan.__all__)
"""
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    # TensorFlow is there at the end, and its libraries are as silent as in a command.
    assert (done.returncode, done.stdout, done.stderr) == (0, ".\n", "")


FEW = {
    "dataset": "synthetic", "latent_dim": 8, "batch_size": 16, "steps": 6, "steps_per_call": 2,
    "evaluate_every": 0, "jit_compile": False,
}  # fmt: skip


@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM"])
def test_a_signal_saves_and_ends_the_code_around(name, synthetic, tmp_path, monkeypatch):
    def signalled(*arguments):
        call(*arguments)
        signal.raise_signal(getattr(signal, name))

    call, seeds = loop.call, []
    with monkeypatch.context() as patch:
        patch.setattr(loop, "call", signalled)
        try:
            for seed in range(3):
                seeds.append(seed)
                gan.train(tmp_path / f"{seed}", "tiny", seed=seed, **FEW)
        except KeyboardInterrupt:
            pass
    assert seeds == [0]
    assert (tmp_path / "0/checkpoints/step-2.index").exists()
    assert gan.train(tmp_path / "0", "tiny", **FEW)["status"] == "completed"


def test_a_handler_of_the_caller_gets_the_signal_and_training_returns(
    synthetic, tmp_path, monkeypatch
):
    def signalled(*arguments):
        call(*arguments)
        signal.raise_signal(signal.SIGTERM)

    call, heard = loop.call, []
    monkeypatch.setattr(loop, "call", signalled)
    before = signal.signal(signal.SIGTERM, lambda number, frame: heard.append(number))
    try:
        summary = gan.train(tmp_path, "tiny", **FEW)
    finally:
        signal.signal(signal.SIGTERM, before)
    assert (summary["status"], summary["step"], heard) == ("preempted", 2, [signal.SIGTERM])


def test_numbers_of_numpy_and_paths_are_stored_as_plain_values(synthetic, tmp_path):
    settings = {**FEW, "steps": np.int64(2), "g_learning_rate": np.logspace(-4, -3, 3)[0]}
    gan.train(tmp_path / "run", "tiny", data_dir=tmp_path, **settings)
    saved = read_config(tmp_path / "run")
    assert (saved.steps, saved.g_learning_rate, saved.data_dir) == (2, 1e-4, str(tmp_path))
    with pytest.raises(UserError, match=r"^run_dir=.*: holds a run of another configuration"):
        gan.train(tmp_path / "run", "tiny", **{**settings, "seed": np.int64(1)})


def test_a_fork_after_tensorflow_has_started_is_refused(run_dir):
    """Its threads are not in the child, which would wait for them."""
    gan.load(run_dir)
    forks.refuse_fork()  # not here
    source, sink = os.pipe()
    child = os.fork()
    if not child:
        try:
            said = []
            for call in (devices.prepare, lambda: gan.sample(None, [0])):
                with pytest.raises(UserError) as error:
                    call()
                said.append(str(error.value))
            os.write(sink, said[0].encode() if said[0] == said[1] else b"two")
        finally:
            os._exit(0)
    os.close(sink)
    os.waitpid(child, 0)
    said = os.read(source, 1000).decode()
    os.close(source)
    assert said.startswith("this process was forked after TensorFlow had started")
    assert 'multiprocessing.get_context("spawn")' in said


def test_before_tensorflow_has_started_a_fork_may_use_it():
    """Settings such as a number of threads do not start it."""
    code = """
import os, sys
import gan, tensorflow
from gan.run import forks
tensorflow.config.threading.set_intra_op_parallelism_threads(1)
assert not forks.started()
if child := os.fork():
    sys.exit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
forks.refuse_fork()
tensorflow.constant(1)
assert forks.started()
"""
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_a_run_that_has_ended_holds_no_memory(synthetic, tmp_path, monkeypatch):
    networks = []

    def built(*arguments, **options):
        state = build_state(*arguments, **options)
        networks.extend(map(weakref.ref, (state.generator, state.d_optimizer)))
        return state

    monkeypatch.setattr(trainer, "build_state", built)
    gan.train(tmp_path, "tiny", **FEW)
    assert [network() for network in networks] == [None, None]
