import numpy as np
import pytest

from experiments import stacked_channels
from gan.evaluation.mode_coverage import StackModes
from gan.run.presets import from_preset
from support import status_of

TINY = {
    "dataset": "stacked_mnist", "generator": "dcgan_dense_tiny",
    "discriminator": "dcgan_dense_tiny", "steps": 4, "steps_per_call": 2, "jit_compile": False,
    "batch_size": 16, "evaluate_every": 0,
}  # fmt: skip


def test_channels_and_what_is_between_them():
    # Two channels of two digits: each digit half of the time, the channels always alike.
    assert stacked_channels.split_kl(np.array([[0, 1], [0, 1]]), 2) == pytest.approx((0, np.log(2)))
    # All four stacks equally often.
    assert stacked_channels.split_kl(np.array([[0, 0, 1, 1], [0, 1, 0, 1]]), 2) == pytest.approx(
        (0, 0)
    )
    # One channel is always the first of ten digits, the other draws two of them.
    labels = np.array([[0, 0, 0, 0], [3, 3, 7, 7]])
    assert stacked_channels.split_kl(labels, 10) == pytest.approx((np.log(10) + np.log(5), 0))
    # Three channels: shares 3/4 and 1/4 in the last, which says nothing about the others.
    alike = [0, 0, 0, 0, 1, 1, 1, 1]
    labels = np.array([alike, alike, [0, 0, 0, 1, 0, 0, 0, 1]])
    last = 0.75 * np.log(1.5) + 0.25 * np.log(0.5)
    assert stacked_channels.split_kl(labels, 2) == pytest.approx((last, np.log(2)))


def test_a_row_counts_the_unsure_digits():
    labels = np.array([[0, 1], [0, 1]])
    largest = np.array([[0.95, 0.9], [0.5, 0.89]])
    row = stacked_channels.row_of("name", labels, largest, 2)
    assert row == "| name | 0.6931 | 0.0000 | 0.6931 | 50.0 |"


def test_a_row_of_real_stacks_once_and_one_of_each_run(tmp_path, trained_once, monkeypatch, capsys):
    for name in "ab":
        trained_once(from_preset("tiny", TINY), tmp_path / name)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(StackModes, "count", 3000)
    capsys.readouterr()
    assert status_of(monkeypatch, stacked_channels, "a", "b") == 0
    _, _, *rows = capsys.readouterr().out.splitlines()
    cells = [[cell.strip() for cell in row.strip("|").split("|")] for row in rows]
    assert [cell[0] for cell in cells] == ["*real stacks*", "a, step 4", "b, step 4"]
    numbers = np.array([[float(cell) for cell in row[1:]] for row in cells])
    assert numbers[:, 0] == pytest.approx(numbers[:, 1] + numbers[:, 2], abs=2e-4)
    # Of the 10,000 test labels 0.0017 a channel, and what counting 3,000 adds (to first order):
    # 9 / 6000 a channel, and between channels (999 - 27) / 6000. Hardly a digit is unsure.
    assert numbers[0, 1] == pytest.approx(0.0097, abs=0.003)
    assert numbers[0, 2] == pytest.approx(0.17, abs=0.03)
    assert numbers[0, 3] == pytest.approx(0.9, abs=0.4)
    assert all(numbers[1:, 1] > 1)  # four steps draw a grey that the classifier takes for one digit


def test_other_data_are_refused(tmp_path, trained_once, monkeypatch, capsys):
    flat = {**TINY, "dataset": "mnist", "generator": "tiny", "discriminator": "tiny"}
    trained_once(from_preset("tiny", flat), tmp_path / "run")
    trained_once(from_preset("tiny", TINY), tmp_path / "stacks")
    monkeypatch.chdir(tmp_path)
    capsys.readouterr()
    assert status_of(monkeypatch, stacked_channels, "stacks", "run") == 2
    output = capsys.readouterr()
    assert output.out == ""  # all runs are looked at first
    last = output.err.splitlines()[-1]
    assert "--runs=run: draws mnist, must draw stacks" in last
