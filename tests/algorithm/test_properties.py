"""What holds for any configuration, any pixel and any data set, not for some examples only."""

import dataclasses
import json
import math
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
from absl.flags import FlagValues
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from gan.cli import flags
from gan.data.datasets import Dataset
from gan.data.images import to_float, to_uint8
from gan.data.input_pipeline import block_dataset
from gan.errors import UserError
from gan.rng import shuffled_indices
from gan.run import config, fields, jsonl, saved_config
from gan.run.config import Config
from gan.run.fields import INT32
from gan.training.checks import TABLES

FIELDS = {field.name: field for field in dataclasses.fields(Config)}
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=10,
)


def some(count):
    """Settings of a property: the same examples on every machine, and no clock."""
    return settings(max_examples=count, deadline=None, derandomize=True, database=None)


TEXTS = st.characters(codec="utf-8", exclude_characters="\0")  # of fields
TEXT = st.text(TEXTS)


def values_of(field):
    """Valid values of a field."""
    kind, meta = fields.kind_of(field), field.metadata
    if kind is bool:
        return st.booleans()
    if kind is str:
        choices = TABLES.get(field.name) or meta["choices"]
        if not choices:
            return TEXT
        folders = st.text(TEXTS, min_size=1).map(config.FOLDER.__add__)
        names = st.sampled_from(list(choices))
        return names | folders if field.name == "dataset" else names
    low = meta["low"] if meta["above"] is None else meta["above"]
    if kind is int:
        return st.integers(low, meta["below"] - 1)
    high = meta["below"] if meta["most"] is None else meta["most"]
    return st.floats(
        low, high, exclude_min=meta["above"] is not None,
        exclude_max=meta["below"] is not None, allow_nan=False, allow_infinity=False,
    )  # fmt: skip


def outcome(error, function, *arguments):
    """Returns what a function returns, and the message if it refuses; other errors are failures."""
    try:
        return function(*arguments), ""
    except error as refusal:
        return None, str(refusal)


@st.composite
def configs(draw):
    """Valid configurations, and what each changes."""
    changes = {}
    for name in draw(st.lists(st.sampled_from(list(FIELDS)), unique=True)):
        more = {**changes, name: draw(values_of(FIELDS[name]))}
        try:
            Config(**more)
        except UserError:  # does not go with another change
            continue
        changes = more
    return Config(**changes), changes


@some(100)
@given(configs())
def test_a_configuration_comes_back_from_json(made):
    whole, _ = made
    text = json.dumps(dataclasses.asdict(whole), allow_nan=False)
    assert config.from_dict(json.loads(text)) == whole


@some(100)
@given(configs())
def test_a_configuration_comes_back_from_flags(made):
    whole, changes = made
    assume(whole.keep_best == "none" or whole.evaluate_every <= whole.steps)  # else refused
    assume(whole.d_warmup_steps < whole.steps)
    values = FlagValues()
    flags.define_config_flags(values)
    named = {"preset": "mlp", **changes}  # a folder alone would choose another
    values(["train", *(f"--{name}={value}" for name, value in named.items())])
    assert flags.config_from_flags(values) == whole


@pytest.mark.parametrize("name", FIELDS)
def test_every_field_comes_back_from_its_flag(name):
    @some(20)
    @given(values_of(FIELDS[name]))
    def check(value):
        found = fields.parse(FIELDS[name], str(value))
        assert (type(found), found) == (type(value), value)

    check()


@pytest.mark.parametrize("name", FIELDS)
def test_any_text_is_a_valid_value_or_says_what_is(name):
    field = FIELDS[name]

    @some(30)
    @given(st.text() | st.integers().map(str) | st.floats().map(str))
    def check(text):
        value, refusal = outcome(ValueError, fields.parse, field, text)
        assert refusal in ("", fields.valid_values(field))
        assert refusal or value in (True, False) or isinstance(value, str) or math.isfinite(value)

    check()


@some(200)
@given(st.dictionaries(st.sampled_from([*FIELDS, "stepz"]), JSON | st.integers(0, 9), max_size=4))
def test_any_json_is_a_configuration_or_refused_in_a_line(values):
    made, refusal = outcome(UserError, config.from_dict, values)
    assert refusal.startswith("--") or all(getattr(made, n) == v for n, v in values.items())


@some(100)
@given(st.binary() | st.builds(lambda v: json.dumps({"config": v}).encode(), JSON))
def test_any_file_is_a_configuration_or_refused(content):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(saved_config, "read_text", lambda path: content.decode())
        made, refusal = outcome(UserError, saved_config.read_config, Path("run"))
    assert "config.json: is not a configuration" in refusal or isinstance(made, Config)


@some(100)
@given(st.lists(JSON.map(json.dumps) | st.text()))
def test_any_lines_are_records_or_refused(tmp_path_factory, lines):
    path = tmp_path_factory.getbasetemp() / "metrics.jsonl"
    path.write_bytes("\n".join(lines).encode())
    records, refusal = outcome(UserError, jsonl.read_records, path)
    assert f"{path}: line " in refusal or all(isinstance(record, dict) for record in records)


# Pixels.


def test_every_pixel_value_comes_back():
    pixels = np.arange(256, dtype=np.uint8)
    floats = to_float(tf.constant(pixels)).numpy()
    assert (floats[0], floats[255], floats.dtype) == (-1.0, 1.0, np.float32)
    assert (np.diff(floats) > 0).all()
    assert np.array_equal(to_uint8(tf.constant(floats)), pixels)


@some(200)
@given(st.lists(st.floats(width=32, allow_nan=False), min_size=1))
def test_any_float_becomes_the_nearest_pixel_value(numbers):
    floats = np.sort(np.array(numbers, np.float32))
    pixels = to_uint8(tf.constant(floats)).numpy()
    assert pixels.dtype == np.uint8
    assert (np.diff(pixels.astype(int)) >= 0).all()
    clipped = np.clip(floats.astype(np.float64), -1, 1)
    assert np.abs((clipped + 1) * 127.5 - pixels).max() <= 0.5 + 1e-4


# Order.


@some(100)
@given(
    size=st.integers(1, 2000), seed=st.integers(0, INT32 - 1), epoch=st.integers(0, 10**6),
    channel=st.integers(0, 7), data=st.data(),
)  # fmt: skip
def test_each_epoch_is_a_permutation_addressed_by_position(size, seed, epoch, channel, data):
    positions = epoch * size + np.arange(size)
    order = shuffled_indices(tf.constant(positions), size, seed, channel).numpy()
    assert np.array_equal(np.sort(order), np.arange(size))
    some_of_them = np.array(data.draw(st.lists(st.integers(0, size - 1), min_size=1)))
    alone = shuffled_indices(tf.constant(positions[some_of_them]), size, seed, channel)
    assert np.array_equal(alone, order[some_of_them])


@some(50)
@given(size=st.integers(50, 500), seed=st.integers(0, INT32 - 2), epoch=st.integers(0, 10**6))
def test_epochs_channels_and_seeds_have_orders_of_their_own(size, seed, epoch):
    positions = tf.range(epoch * size, (epoch + 1) * size, dtype=tf.int64)
    orders = [
        shuffled_indices(positions, size, seed), shuffled_indices(positions + size, size, seed),
        shuffled_indices(positions, size, seed, 1), shuffled_indices(positions, size, seed + 1),
    ]  # fmt: skip
    assert len({tuple(order.numpy()) for order in orders}) == 4


def steps(size, seed, batch_size, d_steps, per_call, first, count):
    """What steps `first` to `first + count` get: images, labels and latents of each."""
    numbers = np.arange(size)
    data = Dataset(numbers.astype(np.uint8).reshape(-1, 1, 1, 1), numbers % 10)
    blocks = block_dataset(
        data, steps_per_call=per_call, d_steps=d_steps, batch_size=batch_size, latent_dim=2,
        seed=seed, first_step=first,
    )  # fmt: skip
    found = list(blocks.take(-(-count // per_call)).as_numpy_iterator())
    return [np.concatenate([block[part] for block in found])[:count] for part in range(3)]


@some(15)
@given(
    size=st.integers(1, 60), seed=st.integers(0, INT32 - 1), batch_size=st.integers(1, 9),
    d_steps=st.integers(1, 3), per_call=st.integers(1, 5), skipped=st.integers(0, 9),
)  # fmt: skip
def test_the_pipeline_goes_through_whole_epochs_from_anywhere(
    size, seed, batch_size, d_steps, per_call, skipped
):
    count = skipped + 1 + 2 * size // (d_steps * batch_size)
    images, labels, latents = steps(size, seed, batch_size, d_steps, per_call, 0, count)
    stream = images.ravel()
    for start in range(0, len(stream) - size + 1, size):
        assert np.array_equal(np.sort(stream[start : start + size]), np.arange(size))
    assert np.array_equal(labels.ravel(), stream % 10)
    later = steps(size, seed, batch_size, d_steps, 3, skipped, count - skipped)
    for whole, part in zip((images, labels, latents), later, strict=True):
        assert np.array_equal(whole[skipped:], part)
