"""When a call of the compiled step ends, and what happens then, in which order."""

import dataclasses

import numpy as np
import pytest

from gan.data.datasets import Dataset
from gan.errors import UserError
from gan.run.config import Config
from gan.training import loop, trainer
from gan.training.trainer import train
from support import checkpoint


@pytest.mark.parametrize(
    ("step", "due"),
    [(0, 30), (29, 30), (30, 100), (100, 200), (950, 1000), (1000, 1010)],
)
def test_a_call_ends_where_something_is_due(step, due):
    config = Config(
        steps=1010, log_every=100, sample_every=300, checkpoint_every=500, evaluate_every=0,
        d_warmup_steps=30,
    )  # fmt: skip
    assert loop.next_due(config, step) == due


def test_actions_happen_in_the_order_of_the_table(tiny_config, tmp_path, monkeypatch):
    happened = []

    def told(action):
        def do(run):
            happened.append((run.step, action.do.__name__))
            action.do(run)

        return action._replace(do=do)

    monkeypatch.setattr(loop, "ACTIONS", tuple(map(told, loop.ACTIONS)))
    config = tiny_config(steps=7, log_every=2, sample_every=3, checkpoint_every=6, evaluate_every=6)
    evaluators = {"mine": lambda generator, step: {"metrics": {"fcd": 1.0}}}
    train(config, tmp_path, make_evaluators=lambda *_: evaluators, quiet=True)
    log, samples = ["log_metrics", "react_to_collapse"], ["measure_average", "write_samples"]
    end = ["measure_average", *log[:1], "write_samples", *log[1:], "write_averages", "save"]
    assert happened == [
        *[(2, name) for name in log],
        *[(3, name) for name in samples],
        *[(4, name) for name in log],
        *[(6, name) for name in [end[0], "evaluate", *end[1:]]],
        *[(7, name) for name in end],  # an evaluation is not due at the end
    ]


@pytest.mark.parametrize("schedule", ["alternating", "simultaneous"])
def test_the_generator_waits_for_the_warm_up_wherever_it_ends(
    schedule, tiny_config, tmp_path, monkeypatch
):
    """Five steps of D alone end inside of a block of four, and in a run that was interrupted."""
    states, build_state = [], trainer.build_state
    monkeypatch.setattr(
        trainer, "build_state", lambda *a, **k: states.append(build_state(*a, **k)) or states[-1]
    )
    for run_dir, parts in (("whole", (12,)), ("parts", (3, 6, 12))):
        for steps in parts:
            config = tiny_config(schedule=schedule, d_warmup_steps=5, steps=steps)
            summary = train(config, tmp_path / run_dir, quiet=True)
        updates = [int(states[-1][i].iterations.numpy()) for i in (3, 4)]
        assert updates == [7, 12], run_dir  # of G and of D
    assert summary["traces"] == 1  # from step 6 on
    whole, parts = (checkpoint(tmp_path / name, 12) for name in ("whole", "parts"))
    assert whole.keys() == parts.keys()
    assert all((whole[name] == parts[name]).all() for name in whole)


def test_data_and_networks_that_are_given_need_no_row(tiny_config, tmp_path):
    config = tiny_config(steps=2)
    state = trainer.build_state(config, (28, 28, 1))
    own = {"generator": state.generator, "discriminator": state.discriminator}
    data = Dataset(np.random.default_rng(0).integers(0, 256, (20, 28, 28, 1), np.uint8))
    names = {"dataset": "my pictures", "generator": "mine", "discriminator": "mine too"}
    config = dataclasses.replace(config, **names)
    assert train(config, tmp_path / "a", data=data, **own, quiet=True)["step"] == 2
    with pytest.raises(UserError, match="--dataset=my pictures: must be one of mnist"):
        train(config, tmp_path / "b", **own, quiet=True)
    with pytest.raises(UserError, match="--generator=mine: must be one of mlp"):
        train(config, tmp_path / "b", data=data, quiet=True)
