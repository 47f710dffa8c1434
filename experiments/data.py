"""``python -m experiments.data``: the command ``tapegan data``, from a checkout."""

from gan.cli import data

if __name__ == "__main__":
    data.run()
