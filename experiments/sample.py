"""Draws a grid of images: ``python -m experiments.sample --run_dir=runs/mlp``."""

from absl import flags

from experiments import cli
from gan.config import UserError


def define(values: flags.FlagValues) -> None:
    """Defines the flags."""
    flags.DEFINE_string("run_dir", "runs/mlp", "a run", flag_values=values)
    flags.DEFINE_integer("side", 10, "images a row and a column", 1, flag_values=values)
    flags.DEFINE_string(
        "out", "", "PNG file (default: RUN_DIR/samples/grid.png)", flag_values=values
    )


def main(values: flags.FlagValues) -> int:
    """Writes the grid and returns the exit status."""
    with cli.silenced():
        from pathlib import Path

        from gan import devices, logs, pictures, runs, samples
    run_dir, side = Path(values["run_dir"].value), values["side"].value
    config = runs.read_config(run_dir)
    devices.prepare()
    generator = samples.load_saved_generator(run_dir)
    images = pictures.sample_images(config, generator, side * side)
    out = Path(values["out"].value or run_dir / runs.SAMPLES_DIR / "grid.png")
    try:
        logs.write_png(out, logs.image_grid(images, side))
    except OSError as error:
        raise UserError(f"--out={out}: cannot be written ({error.strerror})") from None
    print(out)
    return cli.DONE


if __name__ == "__main__":
    cli.run("Draws a square grid of images from a run's generator.", define, main)
