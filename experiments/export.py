"""``python -m experiments.export``: the command ``tapegan export``, from a checkout."""

from gan.cli import export

if __name__ == "__main__":
    export.run()
