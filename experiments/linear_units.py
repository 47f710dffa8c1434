"""Counts the hidden units of D that have one sign for all images, where D is linear.

``python -m experiments.linear_units runs/small`` prints a row for each checkpoint, of each hidden
layer how many units have the same sign for 500 training images. Runs keep more checkpoints with
``--checkpoint_every=200 --keep_checkpoints=100``.
"""

from functools import partial

from absl.flags import FlagValues

from gan.cli import command, flags
from gan.run.fields import option


def define(values: FlagValues) -> None:
    """Defines the flags."""
    flags.define(
        values,
        runs=option("runs/mlp", "a run, or several separated by commas; also as plain arguments"),
        data_dir=option("", "where the data lie, if not where the runs had them", path_after=""),
    )


def main(values: FlagValues) -> int:
    """Prints the table and returns the exit status."""
    run_dirs = flags.paths(values, "runs")
    with command.importing():
        from gan.algorithm.linear_units import units_of_one_sign
        from gan.data.identity import data_of_run
        from gan.run import saved_config
        from gan.sampling.discriminators import restore_discriminator
        from gan.sampling.generators import find_checkpoints
    command.say("| run | step | units of one sign, layer by layer |", "| --- | --- | --- |")
    for run_dir in run_dirs:
        config = saved_config.read_config(run_dir)
        paths = find_checkpoints(run_dir, "latest")
        data = data_of_run(run_dir, config, command.tell, values["data_dir"].value)
        for step in sorted(int(path.rpartition("-")[2]) for path in paths):
            discriminator = restore_discriminator(run_dir, config, data, str(step))
            counts = units_of_one_sign(discriminator, config, data)
            layers = ", ".join(f"{count} of {units}" for count, units in counts)
            command.say(f"| {run_dir} | {step:,} | {layers or 'none looked at'} |")
    return command.DONE


run = partial(
    command.run,
    "Counts the hidden units of D that have one sign for all images.",
    define,
    main,
    positional="runs",
)


if __name__ == "__main__":
    run()
