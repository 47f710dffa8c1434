"""Tells where the reverse KL of stacked digits comes from: from each channel, or from between them.

``python -m experiments.stacked_channels runs/stacked`` prints a row of real stacks, of test images,
and one of each run. The KL divergence of all stacks from uniform is the sum of that of each
channel's digits and of the total correlation between channels (Watanabe 1960, IBM J. Res. Dev. 4).
A digit is unsure if the classifier gives no class as much as 0.9.
"""

from functools import partial

import numpy as np
from absl.flags import FlagValues

from gan.cli import command, flags
from gan.errors import UserError
from gan.run.fields import option

SURE = 0.9  # the least probability of a digit that is no mixture of two


def define(values: FlagValues) -> None:
    """Defines the flags."""
    flags.define(
        values,
        runs=option(
            "runs/stacked", "a run, or several separated by commas; also as plain arguments"
        ),
        data_dir=option("", "where the data lie, if not where the runs had them", path_after=""),
    )


def split_kl(labels: np.ndarray, classes: int) -> tuple[float, float]:
    """Returns the KL of each channel's digits from uniform, summed, and the total correlation.

    Args:
        labels: [channels, N] integers, the digits of N stacks.
        classes: How many digits there are.

    Returns:
        Both in nats. Their sum is the reverse KL of the stacks.
    """
    from gan.evaluation.mode_coverage import kl_from_uniform

    channels = sum(kl_from_uniform(np.bincount(digits, minlength=classes)) for digits in labels)
    stacks = np.ravel_multi_index(tuple(labels), (classes,) * len(labels))
    joint = kl_from_uniform(np.bincount(stacks, minlength=classes ** len(labels)))
    return channels, joint - channels


def row_of(name: str, labels: np.ndarray, largest: np.ndarray, classes: int) -> str:
    """Returns a row of the table; `largest` [channels, N] are the largest probabilities."""
    channels, between = split_kl(labels, classes)
    unsure = 100 * float((largest < SURE).mean())
    return f"| {name} | {channels + between:.4f} | {channels:.4f} | {between:.4f} | {unsure:.1f} |"


def main(values: FlagValues) -> int:
    """Prints the table and returns the exit status."""
    run_dirs = flags.paths(values, "runs")
    with command.importing():
        from gan.data.identity import data_of_run
        from gan.evaluation.evaluate import load_modes
        from gan.evaluation.metrics.comparison import known
        from gan.evaluation.mode_coverage import StackModes
        from gan.run import saved_config
        from gan.sampling.drawing import sample_for_evaluation
        from gan.sampling.generators import restore_generator
    runs = []
    for run_dir in run_dirs:  # a run that draws no stacks is found before a minute of drawing
        config = saved_config.read_config(run_dir)
        data = data_of_run(run_dir, config, command.tell, values["data_dir"].value)
        modes = load_modes(config.dataset, data) if data.stack > 1 else None
        if not isinstance(modes, StackModes):
            raise UserError(f"--runs={run_dir}: draws {config.dataset}, must draw stacks")
        runs.append((run_dir, config, data, modes))
    command.say("| | reverse KL ↓ | of channels | between channels | unsure digits % ↓ |")
    command.say("| --- | --- | --- | --- | --- |")
    shown = set[str]()
    for run_dir, config, data, modes in runs:
        classes = len(np.unique(modes.labels))
        if config.dataset not in shown:
            shown.add(config.dataset)
            probabilities = modes.extractor(known(data.test_images)).probabilities
            drawn = np.random.default_rng(0).choice(
                len(probabilities), (data.stack, StackModes.count)
            )
            of_real = probabilities[drawn]
            command.say(row_of("*real stacks*", of_real.argmax(2), of_real.max(2), classes))
        generator, step = restore_generator(run_dir, data, "ema", "latest")
        samples = sample_for_evaluation(generator, data, StackModes.count)
        parts = np.split(samples, data.stack, axis=-1)
        of_samples = np.stack([modes.extractor(part).probabilities for part in parts])
        labels, largest = of_samples.argmax(2), of_samples.max(2)
        command.say(row_of(f"{run_dir}, step {step:,}", labels, largest, classes))
    return command.DONE


run = partial(
    command.run,
    "Tells where the reverse KL of stacked digits comes from.",
    define,
    main,
    positional="runs",
)


if __name__ == "__main__":
    run()
