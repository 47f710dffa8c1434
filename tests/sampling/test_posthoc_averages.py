"""Post-hoc averages of real runs: what is stored, what is made of it, what is refused."""

import dataclasses
import shutil

import keras
import numpy as np
import pytest
import tensorflow as tf

import gan
from gan.algorithm import batch_norm_statistics
from gan.algorithm.power_averages import WIDTHS, exponent_of
from gan.cli import evaluate, export, sample
from gan.errors import UserError
from gan.evaluation import samples
from gan.models.registry import GENERATORS, Network
from gan.run import jsonl
from gan.run.data_facts import read_data_facts
from gan.run.saved_config import read_config
from gan.sampling import generators, posthoc_averages
from gan.training.trainer import train
from support import same, status_of, weights_of

STEPS = 12
RUNS = {}


@pytest.fixture
def config(tiny_config):
    return tiny_config(
        posthoc_averages=True, checkpoint_every=1, keep_checkpoints=99, steps_per_call=4,
        steps=STEPS, g_learning_rate=0.01, sample_every=100,
    )  # fmt: skip


@pytest.fixture
def run_dir(config, tmp_path, tmp_path_factory):
    """A run whose checkpoints are the trajectory of G, step by step; trained once."""
    if "run" not in RUNS:
        RUNS["run"] = tmp_path_factory.mktemp("posthoc") / "run"
        train(config, RUNS["run"], quiet=True)
    return shutil.copytree(RUNS["run"], tmp_path / "run")


def trajectory(run_dir):
    """[steps] lists of G's trainable weights."""
    facts = read_data_facts(run_dir)
    found = []
    for step in range(1, STEPS + 1):
        generator, _ = generators.restore_generator(run_dir, facts, "raw", str(step))
        found.append([v.numpy().astype(np.float64) for v in generator.trainable_variables])
    return found


def averaged(steps, width):
    """The average of a trajectory by a sum over all steps."""
    t = np.arange(len(steps)) + 1.0
    shares = np.diff(np.concatenate([[0.0], (t / len(t)) ** (exponent_of(width) + 1)]))
    return [sum(s * w for s, w in zip(shares, of, strict=True)) for of in zip(*steps, strict=True)]


def test_snapshots_hold_the_averages_and_any_other_is_made_of_them(run_dir):
    steps = trajectory(run_dir)
    found = posthoc_averages.snapshots(run_dir)
    assert list(found) == list(range(1, STEPS + 1))
    for end in (1, 5, STEPS):
        with np.load(found[end]) as file:
            for number, width in enumerate(WIDTHS):
                for place, expected in enumerate(averaged(steps[:end], width)):
                    got = file[posthoc_averages.name_of(number, place)]
                    assert (got.dtype, got.shape) == (np.float32, expected.shape)
                    assert got == pytest.approx(expected, abs=1e-5)
    for width in (0.1, 0.15, 0.2):
        generator = gan.load(run_dir, ema_sigma=width)
        expected = averaged(steps, width)
        moved = max(float(np.abs(a - b).max()) for a, b in zip(steps[0], steps[-1], strict=True))
        assert moved > 0.05
        for variable, right in zip(generator.trainable_variables, expected, strict=True):
            assert variable.numpy() == pytest.approx(right, abs=0.01 * moved)
    early = gan.load(run_dir, "5", ema_sigma=0.15)
    for variable, right in zip(early.trainable_variables, averaged(steps[:5], 0.15), strict=True):
        assert variable.numpy() == pytest.approx(right, abs=0.03 * moved)


def test_its_batch_norm_has_statistics_of_its_own(run_dir, monkeypatch):
    """As the average of a run has: of what it computes itself."""
    monkeypatch.setattr(batch_norm_statistics, "BATCHES", 16)  # as outside of tests
    generator = gan.load(run_dir, ema_sigma=0.15)
    norm = next(x for x in generator.layers if isinstance(x, keras.layers.BatchNormalization))
    before = keras.Model(generator.inputs, norm.input)
    seen = before(tf.random.stateless_normal([20_000, 8], [0, 1])).numpy()
    assert norm.moving_mean.numpy() == pytest.approx(seen.mean(0), abs=0.1 * float(seen.std()))
    assert norm.moving_variance.numpy() == pytest.approx(seen.var(0), rel=0.1)


def test_a_resumed_run_has_the_same_snapshots_and_loses_none(run_dir, config, tmp_path):
    """Interrupted where none is due, and with one checkpoint that is kept."""
    rare = dataclasses.replace(config, checkpoint_every=4, keep_checkpoints=1, steps=6)
    train(rare, tmp_path / "parts", quiet=True)
    averages = tmp_path / "parts/averages"
    shutil.copy(averages / "step_00000006.npz", averages / "step_00000007.npz")  # of a killed one
    train(dataclasses.replace(rare, steps=STEPS), tmp_path / "parts", quiet=True)
    found = posthoc_averages.snapshots(tmp_path / "parts")
    assert list(found) == [4, 6, 8, 12]
    for step, path in found.items():
        assert path.read_bytes() == (run_dir / "averages" / path.name).read_bytes(), step
    newest = sorted(p.name for p in (tmp_path / "parts/checkpoints").glob("*.index"))
    assert newest == ["step-12.index"]
    size = found[12].stat().st_size
    weights = sum(v.size for v in trajectory(run_dir)[0])
    assert 2 * 4 * weights < size < 2 * 4 * weights + 10_000  # two averages, float32


def test_the_run_itself_is_the_same_without(run_dir, config, tmp_path):
    train(dataclasses.replace(config, posthoc_averages=False), tmp_path / "plain", quiet=True)
    assert not (tmp_path / "plain/averages").exists()
    for weights in ("raw", "ema"):
        with_it, without = (
            weights_of(gan.load(d, "latest", weights)) for d in (run_dir, tmp_path / "plain")
        )
        assert same(with_it, without)
    with pytest.raises(
        UserError, match=r"needs a run with posthoc_averages, .* was trained without"
    ):
        gan.load(tmp_path / "plain", ema_sigma=0.1)


def test_commands_draw_from_it(run_dir, tmp_path, monkeypatch, capsys):
    out = tmp_path / "x.npz"
    flags = (f"--run_dir={run_dir}", "--ema_sigma=0.15")
    assert status_of(monkeypatch, sample, *flags, "--seeds=0-9", f"--out={out}") == 0
    with np.load(out) as file:
        images = file["images"]
    assert np.array_equal(images, gan.sample(gan.load(run_dir, ema_sigma=0.15), range(10)))
    assert not np.array_equal(images, gan.sample(gan.load(run_dir), range(10)))
    to = (f"--out={tmp_path / 'export'}", "--formats=keras")
    assert status_of(monkeypatch, export, *flags, *to) == 0
    exported = gan.load(tmp_path / "export/generator.keras")
    assert same(weights_of(exported), weights_of(gan.load(run_dir, ema_sigma=0.15)))
    capsys.readouterr()
    assert status_of(monkeypatch, evaluate, *flags, "--weights=raw") == 2
    assert "--ema_sigma=0.15: is an average of its own, --weights=raw" in capsys.readouterr().err


def test_evaluations_say_which_average_it_was(run_dir, monkeypatch):
    facts = read_data_facts(run_dir)
    monkeypatch.setattr(samples, "data_of_run", lambda *a: facts)
    monkeypatch.setattr(samples, "usual_images", lambda *a: 10)
    monkeypatch.setattr(type(facts), "has_modes", False, raising=False)
    drawn = samples.draw_from_run(
        run_dir, read_config(run_dir), "ema", "latest", count=10, seed=0, data_dir="",
        print_fn=print, ema_sigma=0.15,
    )  # fmt: skip
    assert drawn.origin["weights"] == "posthoc"
    assert drawn.origin["ema_sigma"] == 0.15
    assert drawn.origin["step"] == STEPS
    expected = gan.sample(gan.load(run_dir, ema_sigma=0.15), range(10))
    assert np.array_equal(drawn.images, expected)


def test_an_evaluation_needs_no_checkpoint(tiny_config, tmp_path, monkeypatch):
    """Also where D has a head, whose accuracy is no property of an average of G."""
    config = tiny_config(
        dataset="mnist", auxiliary="acgan", conditional=True, posthoc_averages=True,
        checkpoint_every=2, keep_checkpoints=1, steps=4,
    )  # fmt: skip
    train(config, tmp_path / "run", quiet=True)
    assert not list((tmp_path / "run/checkpoints").glob("step-2.*"))
    flags = ("--ema_sigma=0.1", "--checkpoint=2", "--num_images=1000", "--metrics=classes")
    assert status_of(monkeypatch, evaluate, tmp_path / "run", *flags) == 0
    record = jsonl.read_records(tmp_path / "run/evaluations.jsonl")[-1]
    assert (record["step"], record["weights"]) == (2, "posthoc")
    assert set(record["metrics"]) == {"classes", "class_diversity"}


def test_what_there_is_not_is_refused(run_dir):
    load, path = posthoc_averages.load_any, run_dir / "averages/step_00000004.npz"
    for arguments, reason in (
        ((run_dir, "99", "", 0.1), "--checkpoint=99: must be one of latest, 1, 2, "),
        ((run_dir, "best", "", 0.1), "--checkpoint=best: must be one of latest, 1, "),
        ((run_dir, "", "raw", 0.1), "--ema_sigma=0.1: is an average of its own, --weights=raw is"),
        ((run_dir, "", "", 0.3), "--ema_sigma=0.3: must be above 0 and below 0.289, the mean"),
        ((run_dir / "generator.keras", "", "", 0.1), "--ema_sigma=0.1: is for runs, "),
    ):
        with pytest.raises(UserError) as error:
            load(*arguments)
        assert str(error.value).startswith(reason)
    with pytest.raises(UserError, match=r"^ema_sigma=0\.1: a discriminator has no average"):
        gan.load(run_dir, network="discriminator", ema_sigma=0.1)
    whole = path.read_bytes()
    np.savez(path, widths=np.array(WIDTHS), average_0_000=np.zeros(3, np.float32))
    foreign = path.read_bytes()
    for content in (b"torn", whole[: len(whole) // 2], foreign):
        path.write_bytes(content)
        with pytest.raises(UserError, match=r"step_00000004\.npz: must be averages of this run \("):
            load(run_dir, "", "", 0.1)
    for other in (run_dir / "averages").iterdir():
        other.unlink()
    with pytest.raises(UserError, match=r"needs a run with --posthoc_averages, .* has none yet"):
        load(run_dir, "", "", 0.1)


def test_few_snapshots_give_a_warning(run_dir, capsys):
    for path in sorted((run_dir / "averages").iterdir())[:-1]:
        path.unlink()
    gan.load(run_dir, ema_sigma=0.1)
    assert capsys.readouterr().err == ""
    gan.load(run_dir, ema_sigma=0.25)
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("warning: --ema_sigma=0.25: the snapshots of ")
    assert "with an error of " in line


@keras.saving.register_keras_serializable("test_posthoc")
class Counting(keras.layers.Layer):
    """Has a weight that training moves without a gradient."""

    def build(self, shape):
        self.calls = self.add_weight(shape=(), trainable=False, initializer="zeros")

    def call(self, inputs, training=False):
        if training:
            self.calls.assign(self.calls + 1.0)
        return inputs


def test_weights_without_a_gradient_are_those_of_the_step(config, tmp_path, monkeypatch):
    tiny = GENERATORS["tiny"]

    def build(spec):
        network = tiny.build(spec)
        return keras.Model(network.inputs, Counting()(network.outputs[0]))

    monkeypatch.setitem(GENERATORS, "counting", Network(build))
    own = dataclasses.replace(config, generator="counting", ema_half_life=0)
    train(own, tmp_path / "run", quiet=True)
    data = read_data_facts(tmp_path / "run")
    for step in (3, STEPS):
        saved, _ = generators.restore_generator(tmp_path / "run", data, "raw", str(step))
        made, _ = posthoc_averages.averaged_generator(tmp_path / "run", data, 0.1, str(step))
        calls = saved.layers[-1].calls.numpy()
        assert calls == made.layers[-1].calls.numpy() >= step
    # Files of older versions lack it.
    path = posthoc_averages.snapshots(tmp_path / "run")[STEPS]
    with np.load(path) as file:
        arrays = {name: file[name] for name in file.files if not name.startswith("other")}
    assert len(arrays) < len(np.load(path).files)
    np.savez(path, **arrays)
    made, _ = posthoc_averages.averaged_generator(tmp_path / "run", data, 0.1)
    assert made.layers[-1].calls.numpy() == 0
