"""``python -m experiments.project``: the command ``tapegan project``, from a checkout."""

from gan.cli import project

if __name__ == "__main__":
    project.run()
