"""``python -m experiments.sample``: the command ``tapegan sample``, from a checkout."""

from gan.commands import sample

if __name__ == "__main__":
    sample.run()
