"""Flags made from `Config` and from the fields of commands."""

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from absl import flags

from gan.errors import UserError
from gan.run import presets
from gan.run.config import FOLDER, Config
from gan.run.fields import check, kind_of, option, parse, valid_values
from gan.run.layout import CONFIG_FILE
from gan.run.paths import user_path
from gan.run.saved_config import config_to_begin_from, read_config
from gan.training.checks import TABLES

DEFAULT_PRESET = "mlp"


class FieldParser(flags.ArgumentParser):
    """Parses a flag as a field that ``fields.option`` made; its errors say what is valid."""

    def __init__(self, field: "dataclasses.Field[Any]") -> None:
        self._field = field

    def parse(self, argument: Any) -> Any:
        """Returns the field's value for text, and values of the right type as they are."""
        if isinstance(argument, str):
            return parse(self._field, argument)
        return check(self._field, argument)

    def flag_type(self) -> str:
        """Returns the type's name."""
        return kind_of(self._field).__name__


def define_config_flags(values: flags.FlagValues) -> None:
    """Defines --preset and a flag for each field of `Config`."""
    define(
        values,
        preset=option(DEFAULT_PRESET, f"what the other flags change: {', '.join(presets.PRESETS)}"),
    )
    fields = {field.name: field for field in dataclasses.fields(Config)}
    for name, table in TABLES.items():
        names = (*table, f"{FOLDER}PATH") if name == "dataset" else tuple(table)
        default, text = fields[name].default, fields[name].metadata["help"]
        fields[name] = option(default, text, choices=names, own_rows=True)
    define(values, **fields)


def define(values: flags.FlagValues, **fields: Any) -> None:
    """Defines a flag for each field that ``fields.option`` made."""
    for name, field in fields.items():
        field.name = name
        parser = FieldParser(field)
        text = field.metadata["help"]
        if kind_of(field) is not bool and (valid := valid_values(field)) != "must be text":
            text += f" ({valid})"
        flag: flags.Flag
        if kind_of(field) is bool:
            flag = flags.BooleanFlag(name, field.default, text)
            flag.parser = parser
        else:
            flag = flags.Flag(parser, None, name, field.default, text)
        flags.DEFINE_flag(flag, flag_values=values, module_name="config")


def define_import(values: flags.FlagValues) -> None:
    """Defines --import, which was read before any other flag was defined."""
    text = (
        "Python file that is run first and adds rows to the tables, or several separated by "
        "commas; see docs/algorithm.md"
    )
    define(values, **{"import": option("", text, path_after="")})


def config_from_flags(values: flags.FlagValues) -> Config:
    """Returns the preset, or the saved configuration, with the flags that were given."""
    fields = [field.name for field in dataclasses.fields(Config)]
    given = {name: values[name].value for name in fields if values[name].present}
    if saved := saved_config_of(values):
        return presets.changed(saved, given)
    return presets.from_preset(preset_of(values), given)


def saved_config_of(values: flags.FlagValues) -> Config | None:
    """Returns the configuration of --config, or of the run that is in --run_dir already.

    None if there is neither, or a preset is named.
    """
    preset, path, run_dir = (
        values[name].value if name in values and values[name].present else ""
        for name in ("preset", "config", "run_dir")
    )
    if path and preset:
        raise UserError(f"--config={path}: is instead of --preset={preset}")
    if path and not run_dir:
        raise UserError(f"--config={path}: needs --run_dir, where the new run is stored")
    if path:
        return config_to_begin_from(Path(path))
    if preset or not run_dir or not (Path(run_dir) / CONFIG_FILE).exists():
        return None
    return read_config(Path(run_dir))


def preset_of(values: flags.FlagValues) -> str:
    """Returns the preset that was named, or else what fits the data, see `preset_for`."""
    names = ("preset", "generator", "discriminator", "dataset", "image_size")
    return preset_for({name: values[name].value for name in names if values[name].present})


def preset_for(given: Mapping[str, Any]) -> str:
    """Returns the preset of flags that were given, by name, or else what fits the data.

    That is another one than the default where a folder of images is trained on, and neither preset
    nor networks are named.
    """
    named = any(name in given for name in ("preset", "generator", "discriminator"))
    if named or not str(given.get("dataset", "")).startswith(FOLDER):
        return str(given.get("preset", DEFAULT_PRESET))
    return presets.of_folder(given.get("image_size", Config.image_size))


RUNS = option(
    "runs",
    "runs, directories of runs, or patterns, separated by commas; also as plain arguments",
)

EMA_SIGMA = option(
    0.0,
    "of a run with --posthoc_averages: the average of G over this share of the steps (standard "
    "deviation of its profile), such as 0.05, instead of --weights; 0: none",
    low=0,
    below=0.28,
)


def define_generator(values: flags.FlagValues) -> None:
    """Defines the flags that say which generator a command is about."""
    define(
        values,
        run_dir=option(
            "runs/mlp",
            "a run, or a generator.keras from any source; also as an argument",
            path_after="",
        ),
        checkpoint=option(
            "",
            "of a run: latest, best, or a step; empty: generator.keras, which it has when it ended",
        ),
        weights=option("", "of the checkpoint: ema or raw; empty: what the run itself draws from"),
        ema_sigma=EMA_SIGMA,
    )


def paths(values: flags.FlagValues, name: str) -> list[Path]:
    """Returns the paths of a flag, separated by commas, or of plain arguments."""
    given = values[name].value
    run_dirs = [
        user_path(text, f"--{name}")
        for text in (given.split(",") if isinstance(given, str) else given)
        if text
    ]
    if not run_dirs:
        raise UserError(f"--{name}=: must be a run, or several separated by commas")
    return run_dirs
