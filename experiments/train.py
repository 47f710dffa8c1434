"""``python -m experiments.train``: the command ``tapegan train``, from a checkout."""

from gan.cli import train

if __name__ == "__main__":
    train.run()
