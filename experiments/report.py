"""``python -m experiments.report``: the command ``tapegan report``, from a checkout."""

from gan.cli import report

if __name__ == "__main__":
    report.run()
