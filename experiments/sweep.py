"""``python -m experiments.sweep``: the command ``tapegan sweep``, from a checkout."""

from gan.cli import sweep

if __name__ == "__main__":
    sweep.run()
