"""``python -m experiments.evaluate``: the command ``tapegan evaluate``, from a checkout."""

from gan.commands import evaluate

if __name__ == "__main__":
    evaluate.run()
