"""``python -m experiments.train``: the command ``tapegan train``, from a checkout."""

from gan.commands import train

if __name__ == "__main__":
    train.run()
