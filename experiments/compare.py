"""``python -m experiments.compare``: the command ``tapegan compare``, from a checkout."""

from gan.cli import compare

if __name__ == "__main__":
    compare.run()
