"""``python -m experiments.evaluate``: the command ``tapegan evaluate``, from a checkout."""

from gan.cli import evaluate

if __name__ == "__main__":
    evaluate.run()
