"""``python -m experiments.table``: the command ``tapegan table``, from a checkout."""

from gan.cli import table

if __name__ == "__main__":
    table.run()
