"""Writes a generator for other programs: ``tapegan export --run_dir=runs/mlp``."""

from functools import partial
from pathlib import Path

from absl.flags import FlagValues

from gan.cli import command, flags
from gan.errors import UserError
from gan.run.fields import option
from gan.sampling import packaged
from gan.sampling.export import (
    COMPARED,
    FORMATS,
    ExportFailed,
    all_facts,
    check_modules,
    check_place,
    export,
)
from gan.sampling.export_facts import Facts, facts_of_run, output_name

USAGE = "Writes a generator for other programs, and checks what it wrote in their runtimes."


def define(values: FlagValues) -> None:
    """Defines the flags."""
    flags.define_generator(values)
    flags.define(
        values,
        formats=option(
            "", f"separated by commas: {', '.join(FORMATS)}; empty: all that can be made"
        ),
        out=option(
            "", "directory (default: RUN_DIR/export, or export beside the generator)", path_after=""
        ),
    )


def main(values: FlagValues) -> int:
    """Writes the files, prints a line about each, and returns the exit status."""
    asked = [name for name in values["formats"].value.split(",") if name]
    for name in asked:
        if name not in FORMATS:
            raise UserError(f"--formats={name}: must be among {', '.join(FORMATS)}")
    run_dir = Path(values["run_dir"].value)
    with command.importing():
        from gan.reports import card
        from gan.run import run_directory
        from gan.sampling import posthoc_averages
        from gan.training import devices
    devices.prepare()
    which = [values[name].value for name in ("checkpoint", "weights", "ema_sigma")]
    generator, step = posthoc_averages.load_any_with_step(run_dir, *which)
    of_run = facts_of_run(run_dir, step, *which)
    home = packaged.home_of(run_dir)
    out = Path(values["out"].value or home / "export")
    if out.is_symlink() and not values["out"].value:  # of a run that may come from anybody
        raise UserError(f"{out}: is a link, --out says where to write")
    if out.resolve() == home.resolve():
        raise UserError(f"--out={out}: holds the generator itself, must be another directory")
    for name in asked or FORMATS:
        check_place(name, out)
    for name in asked:
        check_modules(name)
    run_directory.check_output(out / card.CARD)
    facts = all_facts(generator, of_run)
    card.check_records(run_dir, facts)

    status, written, images = command.DONE, 0, output_name(generator) == "images"
    for name in asked or FORMATS:
        try:
            with command.working(f"writing and checking {name}"), command.silenced():
                path, difference = export(generator, name, out, of_run)
        except ExportFailed as error:
            status = command.complain(error, command.FAILED)
        except UserError as error:  # a module that is not there, where all were asked for
            command.tell(str(error))
        except OSError as error:
            raise UserError(f"--out={out}: cannot be written ({error.strerror})") from None
        else:
            written += 1
            levels = f" ({difference * 127.5:.1g} of 255 grey levels)" if images else ""
            command.say(
                f"{path}: {size(path):,} bytes, differs from Keras by at most {difference:.1g}"
                f"{levels} over {COMPARED} seeds"
            )
    if written:
        command.say(card_line(out, run_dir, facts))
    return status


def card_line(out: Path, run_dir: Path, facts: Facts) -> str:
    """Writes the model card and returns what to say of it."""
    from gan.reports import card

    try:
        with command.silenced():
            path, written = card.write_card(out, run_dir, facts)
    except OSError as error:
        raise UserError(f"--out={out}: cannot be written ({error.strerror})") from None
    return f"{path}: " + ("the model card" if written else "is not as export wrote it, and stays")


def size(path: Path) -> int:
    """Returns the bytes of a file, or of all files in a directory."""
    files = [path] if path.is_file() else [file for file in path.rglob("*") if file.is_file()]
    return sum(file.stat().st_size for file in files)


run = partial(command.run, USAGE, define, main, positional="run_dir")
