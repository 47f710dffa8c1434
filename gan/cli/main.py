"""``tapegan COMMAND --flags``: the commands of an installed package."""

import difflib
import sys
from collections.abc import Callable
from typing import NoReturn

from gan.cli import (
    command,
    compare,
    data,
    evaluate,
    export,
    ls,
    project,
    report,
    sample,
    sweep,
    table,
    tensorboard,
    train,
)
from gan.errors import UserError
from gan.run import streams
from gan.version import __version__

COMMANDS: dict[str, tuple[str, Callable[[], NoReturn]]] = {
    "data": (data.USAGE, data.run),
    "train": (train.USAGE, train.run),
    "evaluate": (evaluate.USAGE, evaluate.run),
    "sample": (sample.USAGE, sample.run),
    "project": (project.USAGE, project.run),
    "export": (export.USAGE, export.run),
    "report": (report.USAGE, report.run),
    "compare": (compare.USAGE, compare.run),
    "ls": (ls.USAGE, ls.run),
    "tensorboard": (tensorboard.USAGE, tensorboard.run),
    "sweep": (sweep.USAGE, sweep.run),
    "table": (table.USAGE, table.run),
}


VERSION = f"tapegan {__version__}"


def about_commands() -> list[str]:
    """Returns which commands there are, in lines."""
    lines = [f"  {name:11} {usage}" for name, (usage, _) in COMMANDS.items()]
    return ["tapegan COMMAND --flag=value ...; --help after a command.", "", *lines]


def main() -> NoReturn:
    """Runs a command, or says which there are; a mistake ends with status 2 and one line."""
    streams.occupy()
    name, *arguments = sys.argv[1:] or ["--help"]
    about = dict.fromkeys(("--help", "-h", "help"), about_commands()) | {"--version": [VERSION]}
    if name in about:
        try:
            command.say(*about[name])
        except OSError:  # nobody reads, or there is no room
            streams.drop("stdout")
            sys.exit(command.FAILED)
        sys.exit(command.DONE)
    if name not in COMMANDS:
        meant = difflib.get_close_matches(name, COMMANDS, 1)
        question = f"; did you mean {meant[0]}?" if meant else ""
        known = ", ".join([*COMMANDS, "--help", "--version"])
        wrong = UserError(f"{name}: must be one of {known}{question}")
        sys.exit(command.complain(wrong, command.BAD_INPUT))
    sys.argv = [f"tapegan {name}", *arguments]
    _, run = COMMANDS[name]
    run()
