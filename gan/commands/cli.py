"""What every command line shares: flags made from `Config`, one-line errors, exit statuses."""

import contextlib
import dataclasses
import errno
import os
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NoReturn

from absl import flags

from gan import knobs, presets
from gan.config import Config
from gan.knobs import UserError, knob

DONE, FAILED, BAD_INPUT, PREEMPTED, INTERRUPTED = 0, 1, 2, 75, 130

# Whether the user asked for TensorFlow's chatter; `gan` sets the variable if it is not there.
CHATTER = os.environ.get("TF_CPP_MIN_LOG_LEVEL", "3") < "3"


class FieldParser(flags.ArgumentParser):
    """Parses a flag as a field that ``knobs.knob`` made; its errors say what is valid."""

    def __init__(self, field: "dataclasses.Field[Any]") -> None:
        self._field = field

    def parse(self, argument: Any) -> Any:
        """Returns the field's value for text, and values of the right type as they are."""
        if isinstance(argument, str):
            return knobs.parse(self._field, argument)
        return knobs.check(self._field, argument)

    def flag_type(self) -> str:
        """Returns the type's name."""
        return knobs.kind_of(self._field).__name__


def define_config_flags(values: flags.FlagValues) -> None:
    """Defines --preset and a flag for each field of `Config`."""
    define(values, preset=knob("mlp", f"what the other flags change: {', '.join(presets.PRESETS)}"))
    define(values, **{field.name: field for field in dataclasses.fields(Config)})


def define(values: flags.FlagValues, **fields: Any) -> None:
    """Defines a flag for each field that ``knobs.knob`` made."""
    for name, field in fields.items():
        field.name = name
        parser = FieldParser(field)
        text = f"{field.metadata['help']} ({knobs.valid_values(field)})"
        flag: flags.Flag
        if knobs.kind_of(field) is bool:
            flag = flags.BooleanFlag(name, field.default, text)
            flag.parser = parser
        else:
            flag = flags.Flag(parser, None, name, field.default, text)
        flags.DEFINE_flag(flag, flag_values=values, module_name="config")


def config_from_flags(values: flags.FlagValues) -> Config:
    """Returns the preset with the flags that were given.

    Raises:
        UserError: Names the flag and the valid values.
    """
    fields = [field.name for field in dataclasses.fields(Config)]
    given = {name: values[name].value for name in fields if values[name].present}
    return presets.from_preset(values["preset"].value, given)


def run(
    usage: str,
    define_flags: Callable[[flags.FlagValues], None],
    main: Callable[[flags.FlagValues], int],
    positional: str = "",
) -> NoReturn:
    """Parses the command line, runs `main`, and exits with its status.

    Ends with 2 and one line on bad flags or input, with 1 and one line when training fails.

    Args:
        usage: One line about the command, for --help.
        define_flags: Defines the flags.
        main: Gets the parsed flags, returns the exit status.
        positional: A flag of text that arguments without a name are for: `runs` becomes their list,
            any other takes one.
    """
    os.environ["MPLBACKEND"] = "agg"  # we draw to files; Keras imports Matplotlib, which may refuse
    values = flags.FlagValues()
    define_flags(values)
    flags.DEFINE_boolean("help", False, "show this", short_name="h", flag_values=values)
    try:
        extra = values(sys.argv)[1:]
        if values["help"].value:
            print(f"{usage}\n\n{help_text(values)}")
            sys.exit(DONE)
        if os.environ["KERAS_BACKEND"] != "tensorflow":  # importing another one could fail anyhow
            raise UserError(
                f"KERAS_BACKEND={os.environ['KERAS_BACKEND']}: must be tensorflow, or not set"
            )
        if extra and (not positional or values[positional].present):
            raise UserError(f"{extra[0]}: is not a flag, flags are --name=value")
        if len(extra) > 1 and positional != "runs":
            raise UserError(f"{extra[1]}: is one too many, {extra[0]} is --{positional} already")
        if extra:
            values[positional].value = extra if positional == "runs" else extra[0]
        sys.exit(main(values))
    except (flags.Error, UserError) as error:
        sys.exit(complain(error, BAD_INPUT))
    except BrokenPipeError:  # the reader of a pipe went away
        sys.stderr.close()
        sys.exit(FAILED)
    except OSError as error:
        # Neither has a path but the user's: writing says so itself.
        if error.errno not in (errno.ENAMETOOLONG, errno.EACCES):
            raise
        sys.exit(complain(UserError(f"{error.filename}: {error.strerror}"), BAD_INPUT))
    except KeyboardInterrupt:  # before training catches Ctrl-C, or the second one
        sys.exit(INTERRUPTED)


def define_generator(values: flags.FlagValues) -> None:
    """Defines the flags that say which generator a command is about."""
    define(
        values,
        run_dir=knob("runs/mlp", "a run, or a generator.keras of anywhere; also as an argument"),
        checkpoint=knob(
            "",
            "of a run: latest, best, or a step; empty: generator.keras, which it has when it ended",
        ),
        weights=knob("", "of the checkpoint: ema or raw; empty: what the run itself draws from"),
    )


def paths(values: flags.FlagValues, name: str) -> list[Path]:
    """Returns the paths of a flag, separated by commas, or of plain arguments.

    Raises:
        UserError: There are none.
    """
    given = values[name].value
    found = [Path(one) for one in (given.split(",") if isinstance(given, str) else given) if one]
    if not found:
        raise UserError(f"--{name}=: must be a run, or several separated by commas")
    return found


def complain(error: Exception, status: int) -> int:
    """Prints an error as one line on stderr and returns `status`."""
    text = " ".join(str(error).split())
    if isinstance(error, flags.IllegalFlagValueError):  # absl: "flag --name=value: what is valid"
        text = text.removeprefix("flag ")
    elif isinstance(error, flags.UnrecognizedFlagError):
        text = f"{text.rstrip('.')} (--help lists all flags)"
    print(f"error: {text}", file=sys.stderr)
    return status


def help_text(values: flags.FlagValues) -> str:
    """Returns a line or two a flag, with its default."""
    lines = []
    for name in values:
        flag = values[name]
        default = "" if flag.default in (None, "") else f"={flag.default}"
        lines.append(f"  --{name}{default}\n      {flag.help}")
    return "\n".join(lines)


@contextlib.contextmanager
def silenced() -> Iterator[None]:
    """Keeps what TensorFlow's libraries print to file descriptor 2 while they load.

    They do so before any log level is read. It is shown after all if the block fails, and
    TF_CPP_MIN_LOG_LEVEL=0 asks for it.
    """
    if CHATTER:
        yield
        return
    sys.stderr.flush()
    saved = os.dup(2)
    with tempfile.TemporaryFile() as kept:
        os.dup2(kept.fileno(), 2)
        try:
            yield
        except BaseException as error:
            if not isinstance(error, UserError):  # whose line says all
                kept.seek(0)
                os.write(saved, kept.read())
            raise
        finally:
            os.dup2(saved, 2)
            os.close(saved)
