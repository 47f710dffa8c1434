"""``python -m experiments.sample``: the command ``tapegan sample``, from a checkout."""

from gan.cli import sample

if __name__ == "__main__":
    sample.run()
