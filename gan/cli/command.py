"""What every command line shares: flags made from `Config`, one-line errors, exit statuses."""

import contextlib
import errno
import os
import re
import signal
import sys
import tempfile
from collections.abc import Callable, Iterator
from functools import partial
from typing import NoReturn

from absl import flags

from gan import lazy
from gan.cli.flags import define_import
from gan.cli.help import help_lines, unknown_flag
from gan.errors import UserError
from gan.run import streams
from gan.run.cache import prepare_matplotlib
from gan.run.exit_status import BAD_INPUT as BAD_INPUT
from gan.run.exit_status import DONE as DONE
from gan.run.exit_status import FAILED as FAILED
from gan.run.exit_status import INTERRUPTED as INTERRUPTED
from gan.run.exit_status import PREEMPTED as PREEMPTED
from gan.run.files import BadFile
from gan.run.streams import say as say
from gan.run.streams import tell as tell
from gan.run.working import working as working
from gan.training import signals
from gan.training.own_rows import import_rows

silenced = partial(lazy.silenced, UserError, KeyboardInterrupt, SystemExit)  # which say all


@contextlib.contextmanager
def importing() -> Iterator[None]:
    """Says on a terminal that TensorFlow is imported in the block, which prints nothing itself."""
    with working("importing TensorFlow"), silenced():
        yield


def run(
    usage: str,
    define_flags: Callable[[flags.FlagValues], None],
    main: Callable[[flags.FlagValues], int],
    positional: str = "",
) -> NoReturn:
    """Parses the command line, runs `main`, and exits with the status that it returns.

    Ends with 2 and one line on bad flags or input, with 1 and one line when training fails.
    Arguments without a name are for the flag `positional`: `runs` becomes their list, any other
    takes one.
    """
    streams.occupy()
    listen_as_first()
    os.environ["MPLBACKEND"] = "agg"  # we draw to files; Keras imports Matplotlib, which may refuse
    values = flags.FlagValues()
    try:
        import_rows(values.read_flags_from_files(sys.argv[1:], force_gnu=False))
        define_flags(values)
        define_import(values)
        flags.DEFINE_boolean("help", False, "show this", short_name="h", flag_values=values)
        extra = values(sys.argv)[1:]
        if values["help"].value:
            say(*help_lines(usage, values))
            sys.exit(DONE)
        check_places()
        prepare_matplotlib()
        if os.environ["KERAS_BACKEND"] != "tensorflow":  # importing another one could fail anyhow
            raise UserError(
                f"KERAS_BACKEND={os.environ['KERAS_BACKEND']}: must be tensorflow, or not set"
            )
        if extra and (not positional or values[positional].present):
            raise UserError(f"{extra[0]}: is not a flag, flags are --name=value")
        if len(extra) > 1 and positional != "runs":
            raise UserError(f"{extra[1]}: is one too many, {extra[0]} is --{positional} already")
        if extra:
            flag = values[positional]
            flag.value = extra if positional == "runs" else flag.parser.parse(extra[0])
        with acknowledging():
            status = main(values)
        sys.stdout.flush()
        sys.exit(status)
    except flags.UnrecognizedFlagError as error:
        sys.exit(complain(UserError(unknown_flag(error.flagname, values)), BAD_INPUT))
    except flags.Error as error:
        sys.exit(complain(error, BAD_INPUT))
    except UserError as error:
        text = str(error)
        if "run_dir" not in values and "runs" in values:  # what the command calls it
            text = re.sub(r"^--run_dir=", "--runs=", text)
        sys.exit(complain(UserError(text), BAD_INPUT))
    except BrokenPipeError:  # the reader of a pipe went away
        streams.drop("stdout")
        sys.exit(FAILED)
    except OSError as error:
        if error.filename is None and error.errno in streams.GONE:  # of printing
            streams.drop("stdout")
            sys.exit(complain(OSError(f"stdout: cannot be written ({error.strerror})"), FAILED))
        # None of these has a path but the user's: writing says so itself.
        if not isinstance(error, BadFile) and error.errno not in (
            errno.ENAMETOOLONG,
            errno.EACCES,
        ):
            raise
        sys.exit(complain(UserError(f"{error.filename}: {error.strerror}"), BAD_INPUT))
    except KeyboardInterrupt:  # before training catches Ctrl-C, or the second one
        sys.exit(INTERRUPTED)


def acknowledging() -> contextlib.AbstractContextManager[None]:
    """Says on a terminal that Ctrl-C was understood, though what is computed ends only later."""
    return signals.watching({signal.SIGINT}, signals.StopRequest(), signals.ENDING)


def listen_as_first() -> None:
    """Makes SIGTERM end process 1, that of a container; the kernel spares it what it ignores."""
    if os.getpid() == 1:
        signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(128 + number))


def check_places() -> None:
    """Refuses to work without two places that libraries ask for as they are imported.

    Raises:
        UserError: The working directory is not there any more, or no temporary file can be made.
    """
    try:
        os.getcwd()
    except OSError as error:
        raise UserError(
            f"the working directory: cannot be read ({error.strerror}), cd to one that is there"
        ) from None
    try:
        tempfile.gettempdir()
    except OSError as error:
        raise UserError(
            f"TMPDIR: must be a directory that can be written ({error.strerror})"
        ) from None


def complain(error: Exception, status: int) -> int:
    """Prints an error as one line on stderr and returns `status`."""
    text = " ".join(line.strip() for line in str(error).splitlines())
    if isinstance(error, flags.IllegalFlagValueError):  # absl: "flag --name=value: what is valid"
        text = text.removeprefix("flag ")
    tell(f"error: {text}")
    return status
