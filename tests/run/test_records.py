"""What is read back is data: each record of a run is right, or refused with its file and line."""

import json

import pytest

from gan.errors import UserError
from gan.run import jsonl, reader, records, run_directory, saved_config
from gan.run.config import Config
from gan.run.saved_config import read_config, write_config

GOOD = {"step": 4, "kimg": 1.5, "seconds": 2, "loss/d": -1e308, "grads/d_norm": None}
EVALUATION = {
    "step": 4, "kimg": 1.5, "seconds": 2.5, "source": "training", "class_counts": [3, 4],
    "metrics": {"fcd": 1.5, "kid": None}, "floors": {"fcd": {"mean": 1, "sd": 0.5}},
    "condition_alignment": {
        "samples": 0.5, "real": None, "classes": [{"name": "cat", "samples": 0.5, "real": None}],
    },
    "of_another_version": {"a": [1]},
}  # fmt: skip
DEEP = "[" * 3000 + "]" * 3000


def line(record, **changes):
    """The record as JSON, without the fields that are changed to ... ."""
    changed = {**record, **changes}
    return json.dumps({name: value for name, value in changed.items() if value is not ...})


BAD_JSON = [
    ("[1]", "line 2 is no record, must be an object with a step"),
    ("{", "line 2 is no record, must be an object with a step"),
    ("", "line 2 is no record, must be an object with a step"),
    ('{"kimg": 1}', "line 2 is no record, must be an object with a step"),
    (line(GOOD).replace("1.5", "NaN"), "line 2 has NaN, which JSON lacks"),
    (line(GOOD).replace("1.5", "-Infinity"), "line 2 has -Infinity, which JSON lacks"),
    (line(GOOD).replace("1.5", "1e999"), "line 2 has a number beyond float64"),
    (line(GOOD).replace("1.5", "9" * 400), "line 2 has an integer beyond 64 bits"),
    (line(GOOD).replace("1.5", "9" * 5000), "line 2 has an integer beyond 64 bits"),
    (line(GOOD, step=2**63), "line 2 has an integer beyond 64 bits"),
    (line(GOOD).replace("kimg", "\\ud800"), "line 2 has half a character (a surrogate)"),
    (line(GOOD, x="\udc80"), "line 2 has half a character (a surrogate)"),
    (line(GOOD).replace("1.5", DEEP), "line 2 is nested too deeply"),
    (line(GOOD).replace("1.5", "[" * 20 + "]" * 20), "line 2 is nested too deeply"),
]  # fmt: skip


@pytest.mark.parametrize(("bad", "message"), BAD_JSON)
@pytest.mark.parametrize("read", [records.read_metrics, records.read_evaluations])
def test_what_is_no_json_of_a_record_is_refused(read, bad, message, tmp_path):
    path = tmp_path / "x.jsonl"
    good = {records.read_metrics: GOOD, records.read_evaluations: EVALUATION}[read]
    path.write_text("\n".join([line(good), bad, line(good, step=5), ""]))
    with pytest.raises(UserError) as error:
        read(path)
    assert str(error.value) == f"{path}: {message}"


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"seconds": ...}, "has no seconds, must have step, kimg, seconds"),
        ({"kimg": ...}, "has no kimg, must have step, kimg, seconds"),
        ({"seconds": None}, "has seconds=null, must be a number from 0 to below 2^63"),
        ({"kimg": "x"}, 'has kimg="x", must be a number from 0 to below 2^63'),
        ({"kimg": -0.5}, "has kimg=-0.5, must be a number from 0 to below 2^63"),
        ({"seconds": 1e300}, "has seconds=1e+300, must be a number from 0 to below 2^63"),
        ({"kimg": True}, "has kimg=true, must be a number from 0 to below 2^63"),
        ({"step": 4.0}, "has step=4.0, must be an integer from 0 to below 2^63"),
        ({"step": -1}, "has step=-1, must be an integer from 0 to below 2^63"),
        ({"step": False}, "has step=false, must be an integer from 0 to below 2^63"),
        ({"step": 3}, "has step=3, must be after step 3 before it"),
        ({"step": 2}, "has step=2, must be after step 3 before it"),
        ({"loss/d": [1]}, "has loss/d=[1], must be a number or null"),
        ({"loss/d": "x" * 99}, f'has loss/d="{"x" * 39}..., must be a number or null'),
        ({"loss/d": True}, "has loss/d=true, must be a number or null"),
    ],
)
def test_a_record_of_training_has_numbers_and_steps_that_rise(changes, message, tmp_path):
    path = tmp_path / "metrics.jsonl"
    path.write_text(f"{line(GOOD, step=3)}\n{line(GOOD, **changes)}\n{line(GOOD, step=9)}\n")
    with pytest.raises(UserError) as error:
        records.read_metrics(path)
    assert str(error.value) == f"{path}: line 2 {message}"


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"metrics": ...}, "has no metrics, must have step, metrics"),
        ({"metrics": []}, "has metrics=[], must be an object of numbers or nulls"),
        ({"metrics": {"a": "x"}}, 'has metrics={"a": "x"}, must be an object of numbers or nulls'),
        ({"floors": {"a": 3}}, 'has floors={"a": 3}, must be an object of {mean, sd}'),
        ({"floors": {"a": {"mean": 1}}}, 'has floors={"a": {"mean": 1}}, must be an object of'),
        ({"kimg": None}, "has kimg=null, must be a number from 0 to below 2^63"),
        ({"class_counts": 7}, "has class_counts=7, must be a list"),
        ({"condition_alignment": 1}, "has condition_alignment=1, must be an object of samples, re"),
        ({"condition_alignment": {"classes": [3]}}, 'has condition_alignment={"classes": [3]}, mu'),
        ({"condition_alignment": {"classes": [{"name": 3}]}}, "has condition_alignment="),
        ({"condition_alignment": {"classes": [{"name": "a", "real": "x"}]}}, "has condition_align"),
        ({"condition_alignment": {"samples": "x", "classes": []}}, "has condition_alignment="),
    ],
)
def test_an_evaluation_has_metrics_that_are_numbers(changes, message, tmp_path):
    path = tmp_path / "evaluations.jsonl"
    path.write_text(f"{line(EVALUATION)}\n{line(EVALUATION, **changes)}\n")
    with pytest.raises(UserError) as error:
        records.read_evaluations(path)
    assert str(error.value).startswith(f"{path}: line 2 {message}")


def test_evaluations_by_hand_stay_and_are_none_of_the_run(tmp_path):
    """They neither warn of a collapse nor choose the best checkpoint."""
    path = tmp_path / "evaluations.jsonl"
    rows = [
        EVALUATION, {**EVALUATION, "source": "evaluate"}, {"step": 9, "metrics": {"fcd": 0.0}},
        {**EVALUATION, "step": 5},
    ]  # fmt: skip
    path.write_text("".join(f"{line(row)}\n" for row in rows))
    assert records.drop_evaluations(path, 4) == rows[:1]
    assert records.read_evaluations(path) == rows[:3]


@pytest.mark.parametrize(
    ("things", "most", "chosen"),
    [
        ("abcdefghij", 4, "adgj"), ("abcdefghij", 2, "aj"), ("abcdefghij", 9, "abcdeghij"),
        ("abcd", 4, "abcd"), ("ab", 4, "ab"), ("", 4, ""),
    ],
)  # fmt: skip
def test_of_many_the_first_and_the_last_are_shown_and_some_between(things, most, chosen):
    assert "".join(reader.evenly_spaced(things, most)) == chosen


def test_what_ours_have_written_is_let_in(tmp_path):
    path = tmp_path / "x.jsonl"
    path.write_text(f"{line(GOOD)}\r\n{line(GOOD, step=5)}\n" + '{"step": 6, "kim')  # torn
    assert records.read_metrics(path) == [GOOD, {**GOOD, "step": 5}]
    by_hand = {"step": 4, "metrics": {}}  # earlier than the one before
    path.write_text(line(EVALUATION, step=9) + "\n" + line(by_hand) + "\n")
    assert records.read_evaluations(path) == [{**EVALUATION, "step": 9}, by_hand]
    path.write_text("")
    for read in (records.read_metrics, records.read_evaluations):
        assert read(path) == read(tmp_path / "none") == []
    assert records.read_summary(tmp_path / "none") == {}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "cannot be read, must be JSON (Expecting property name"),
        ('{"step": 1, "x": NaN}', "cannot be read, must be JSON (has NaN, which JSON lacks)"),
        (DEEP, "cannot be read, must be JSON (is nested too deeply)"),
        ("[]", "is no summary, must be an object with a step"),
        ('{"step": 1}', "is no summary, has no status, must have step, status"),
        ('{"step": "x", "status": "stopped"}', 'is no summary, has step="x", must be an integer'),
        ('{"step": 1, "status": "fine"}', 'has status="fine", must be one of completed, preempted'),
        ('{"step": 1, "status": ["x"]}', 'has status=["x"], must be one of completed, preempted'),
        ('{"step": 1, "status": "stopped", "reason": 5}', "has reason=5, must be text"),
        ('{"step": 1, "status": "stopped", "seconds": "x"}', 'has seconds="x", must be a number'),
        ('{"step": 1, "status": "stopped", "collapse": ["x"]}', 'has collapse=["x"], must be an'),
        ('{"step": 1, "status": "stopped", "collapse": {"x": "y"}}', "must be an object of int"),
    ],
)  # fmt: skip
def test_a_summary_is_right_or_refused(text, message, tmp_path):
    path = tmp_path / "summary.json"
    path.write_text(text)
    with pytest.raises(UserError) as error:
        records.read_summary(path)
    assert str(error.value).startswith(f"{path}: ")
    assert message in str(error.value)
    assert run_directory.ended_summary(tmp_path, 1) is None  # training writes it again


def test_a_run_that_stopped_without_a_reason_says_so(tmp_path):
    (tmp_path / "summary.json").write_text('{"step": 1, "status": "stopped"}')
    assert run_directory.ended_summary(tmp_path, 1)["reason"] == "it does not say why"


@pytest.mark.parametrize("value", ["9" * 400, "1e999", "NaN", '"\\ud800"', DEEP])
def test_a_configuration_is_json_of_the_same_kind(value, tmp_path):
    write_config(tmp_path, Config(), {}, [])
    path = tmp_path / "config.json"
    path.write_text(path.read_text().replace("0.999", value))
    with pytest.raises(UserError, match=r"config\.json: is not a configuration, must be JSON \("):
        read_config(tmp_path)
    assert not saved_config.is_run(tmp_path)


def test_a_line_is_appended_whatever_the_one_before_is(tmp_path):
    path = tmp_path / "evaluations.jsonl"
    path.write_text('{"a": ' + DEEP)
    jsonl.append_record(path, {"b": 2})
    assert path.read_text().endswith('{"b": 2}\n')


@pytest.mark.parametrize(
    ("summary", "last", "failure"),
    [
        ({"status": "stopped", "step": 6, "logged_step": 8}, 8, "stopped after step 8: nan"),
        ({"status": "stopped", "step": 8, "logged_step": 8}, 8, "stopped after step 8: nan"),
        ({"status": "stopped", "step": 0}, None, "stopped after step 0: nan"),  # no record yet
        ({"status": "stopped", "step": 6, "logged_step": 8}, 7, ""),  # it goes on
        ({"status": "stopped", "step": 6, "logged_step": 8}, 9, ""),
        ({"status": "completed", "step": 8}, 8, ""),
    ],
)
def test_a_run_tells_why_it_stopped_until_it_goes_on(summary, last, failure, tmp_path):
    write_config(tmp_path, Config(), {}, [])
    (tmp_path / "summary.json").write_text(json.dumps({**summary, "reason": "nan"}))
    if last is not None:
        (tmp_path / "metrics.jsonl").write_text(line(GOOD, step=last) + "\n")
    assert reader.read_history(tmp_path).failure == failure


def test_a_stopped_run_of_before_gets_the_advice_of_now(tmp_path):
    write_config(tmp_path, Config(), {}, [])
    reason = "loss/d is not finite at step 6, in the call of steps 5 to 8"
    summary = {"status": "stopped", "step": 4, "logged_step": 4, "reason": reason}
    (tmp_path / "summary.json").write_text(json.dumps(summary))
    assert reader.read_history(tmp_path).failure == (
        f"stopped after step 4: {reason}; what usually helps: --on_nan=rollback, or lower "
        'learning rates (README, "When something is wrong", row "Not finite")'
    )


@pytest.mark.parametrize(
    ("log", "failure"),
    [
        (b"2026-01-02 03:04:05 error: full\n", "ended after step 8: full"),
        (b"x\xff" * 9999 + b"\n2026-01-02 03:04:05 error: full", "ended after step 8: full"),
        (b"2026-01-02 03:04:05 error: full\n2026-01-02 03:04:05 goes on\n", ""),
        (b"2026-01-02 03:04:05 warning: error: x\n", ""),
        (b"", ""),
        (None, ""),
    ],
)
def test_a_run_whose_process_failed_tells_why_until_it_goes_on(log, failure, tmp_path):
    write_config(tmp_path, Config(), {}, [])
    (tmp_path / "metrics.jsonl").write_text(line(GOOD, step=8) + "\n")
    if log is not None:
        (tmp_path / "log.txt").write_bytes(log)
    assert reader.read_history(tmp_path).failure == failure


@pytest.mark.parametrize("end", ["", "\n"])
def test_a_torn_line_is_taken_off_also_where_an_editor_ended_it(end, tmp_path):
    path = tmp_path / "e.jsonl"
    path.write_text('{"step": 1}\n{"step": 2, "me' + end)
    assert jsonl.read_records(path) == [{"step": 1}]
    jsonl.append_record(path, {"step": 3})
    assert path.read_text() == '{"step": 1}\n{"step": 3}\n'


def test_a_mark_of_the_byte_order_is_no_torn_line(tmp_path):
    path = tmp_path / "e.jsonl"
    path.write_bytes(b'\xef\xbb\xbf{"step": 1}\n')
    assert jsonl.read_records(path) == [{"step": 1}]
