"""config.json of a run: what it says, how it is written and read, also that of older versions."""

import dataclasses
import os
import platform
import shlex
import sys
from collections.abc import Mapping
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from gan.errors import UserError
from gan.run import config as config_module
from gan.run import imports
from gan.run.atomic_files import write_json
from gan.run.config import Config
from gan.run.fields import RENAMED
from gan.run.files import read_text
from gan.run.jsonl import parse
from gan.run.layout import CONFIG_FILE, DIRECTORIES, FILES, SAMPLES_DIR
from gan.run.sides import halvings_of
from gan.run.streams import printable

# What a configuration leaves to the machine, and how it says so.
AUTOMATIC: dict[str, Any] = {"precision": "auto", "jit_compile": None, "halvings": 0}
PACKAGED = ("fashion_mnist", "mnist")  # generators that are no runs, see gan/sampling/packaged.py
HALVINGS_BEFORE = 2  # of images, by the networks of versions that did not look at their side
HALVED = ("dcgan", "sndcgan", "resnet")  # what the names of these networks begin with


def with_saved_choices(run_dir: Path, config: Config) -> Config:
    """Returns `config`, with what it leaves to the machine as the run in `run_dir` has it, if any.

    So a run goes on with the precision that it began with, also on a machine that would choose
    another one.
    """
    if not (run_dir / CONFIG_FILE).exists():
        return config
    saved = read_config(run_dir)
    chosen = {
        name: getattr(saved, name)
        for name, automatic in AUTOMATIC.items()
        if getattr(config, name) == automatic
    }
    is_folder = config.dataset.startswith(config_module.FOLDER)
    if is_folder and not saved.test_share and config.test_share == Config.test_share:
        chosen["test_share"] = 0.0  # of a run that an older version began
    return dataclasses.replace(config, **chosen)


def read_config(run_dir: Path) -> Config:
    """Returns the configuration of a run.

    Raises:
        UserError: There is none, or it cannot be read.
    """
    return config_of(read_values(run_dir), run_dir / CONFIG_FILE)


def config_of(values: Mapping[str, Any], path: Path) -> Config:
    """Returns the configuration in what `path`, a config.json, holds."""
    saved = values["config"]
    if str(saved.get("dataset")).startswith(config_module.FOLDER):
        saved = {"test_share": 0.0, **saved}  # older versions held out nothing
    try:
        saved = with_old_halvings(with_new_names(saved), values.get("data"))
        return config_module.from_dict(saved)
    except UserError as error:
        raise UserError(f"{path}: is not a configuration ({error})") from None


def with_new_names(config: Mapping[str, Any]) -> Mapping[str, Any]:
    """Returns a saved configuration, with today's names of networks that older versions renamed.

    Not of a younger version, where such a name is that of a row that the user added.
    """
    if "auxiliary" in config:
        return config
    networks = {n: config[n] for n in ("generator", "discriminator") if n in config}
    renamed = {n: RENAMED[v] for n, v in networks.items() if isinstance(v, str) and v in RENAMED}
    return {**config, **renamed}


def with_old_halvings(config: Mapping[str, Any], data: Any) -> Mapping[str, Any]:
    """Returns a saved configuration, with the depth that networks had before --halvings.

    They halved twice, whatever the side; dense ones do not. `data` is what config.json says of it,
    if it does.
    """
    if "halvings" in config:
        return config
    names = (
        str(config.get(name, getattr(Config, name))) for name in ("generator", "discriminator")
    )
    if not any(name.startswith(HALVED) for name in names):
        return {**config, "halvings": 0}
    match data:
        case {"shape": [int(height), int(width), int()]}:
            same = halvings_of(height, width) == HALVINGS_BEFORE
        case {"shape": [int()]}:  # points
            same = True
        case _:
            same = False
    return {**config, "halvings": 0 if same else HALVINGS_BEFORE}


def own_networks(run_dir: Path) -> list[str]:
    """Returns which networks of a run Python code gave, instead of those that its config names."""
    return list(read_values(run_dir)["own_networks"])


def read_values(run_dir: Path) -> dict[str, Any]:
    """Returns what config.json of a run holds, after a look at the kinds of the run's files."""
    try:
        values = values_in(run_dir / CONFIG_FILE)
    except (FileNotFoundError, NotADirectoryError):
        raise UserError(
            f"--run_dir={run_dir}: is not a run, it has no {CONFIG_FILE}{what_is_there(run_dir)}"
        ) from None
    for names, is_right, kind in (
        (FILES, Path.is_file, "file"),
        (DIRECTORIES, Path.is_dir, "directory"),
    ):
        for path in (run_dir / name for name in names):
            if path.exists() and not is_right(path):
                raise UserError(f"{path}: must be a {kind}, as training makes it")
    return values


def what_is_there(directory: Path) -> str:
    """Returns what helps where there should be a run, "" if nothing does."""
    if not directory.exists():
        return "; nothing is there: tapegan train makes runs, tapegan sample mnist needs none"
    if directory.name in PACKAGED:
        return "; it hides the generator of that name, which comes with the package"
    found = [path.parent for path in sorted(directory.glob(f"*/{CONFIG_FILE}"))]
    run = next((path for path in found if is_run(path)), None)
    return f"; it holds runs, such as {run}" if run else ""


def values_in(path: Path) -> dict[str, Any]:
    """Returns what a config.json holds, wherever it is.

    Raises:
        FileNotFoundError, NotADirectoryError: There is none.
        UserError: It holds something else.
    """
    try:
        values = parse(read_text(path))
    except (FileNotFoundError, NotADirectoryError):
        raise
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        raise UserError(f"{path}: is not a configuration, must be JSON ({reason})") from None
    if not isinstance(values, dict) or not isinstance(values.get("config"), dict):
        raise UserError(f'{path}: is not a configuration, must be an object with one as "config"')
    if not isinstance(values.setdefault("own_networks", []), list):
        raise UserError(f'{path}: is not a configuration, "own_networks" must be a list')
    return values


def config_to_begin_from(path: Path) -> Config:
    """Returns the configuration in a config.json, or in that of a run, to begin another run from.

    Raises:
        UserError: There is none, or Python code gave its networks.
    """
    file = path / CONFIG_FILE if path.is_dir() else path
    try:
        values = values_in(file)
    except (FileNotFoundError, NotADirectoryError):
        raise UserError(f"--config={path}: must be a {CONFIG_FILE}, or a run") from None
    if own := values["own_networks"]:
        raise UserError(
            f"--config={path}: names no {' and no '.join(map(str, own))}, Python code gave it"
        )
    return config_of(values, file)


def write_config(
    run_dir: Path,
    config: Config,
    environment: Mapping[str, Any],
    own_networks: Mapping[str, Any],
    data: Mapping[str, Any] | None = None,
    init_from: Mapping[str, Any] | None = None,
    preset: str = "",
    step: int = 0,
) -> None:
    """Creates the run directory if needed and writes its configuration.

    `own_networks` are those that Python code gave instead of the ones that `config` names, each
    with its architecture. This and `data` are described in gan/training/identity.py, `init_from` in
    gan/training/init_from.py. `preset` is what a new run began with, `step` where it starts now.
    """
    began = read_values(run_dir) if (run_dir / CONFIG_FILE).exists() else {"preset": preset}
    starts: Any = began.get("starts", [])
    try:
        run_dir.mkdir(parents=True, exist_ok=True)
        values = {
            "preset": began.get("preset", ""),
            "starts": [*(starts if isinstance(starts, list) else []), start_at(step)],
            "config": dataclasses.asdict(config),
            "own_networks": list(own_networks),
            "architectures": own_networks,
            **({} if data is None else {"data": data}),
            **({"init_from": init_from} if init_from else {}),
            **(
                {"imports": [one._asdict() for one in imports.IMPORTED]} if imports.IMPORTED else {}
            ),
            "environment": environment,
        }
        write_json(run_dir / CONFIG_FILE, values)  # first: it makes the directory ours
        (run_dir / SAMPLES_DIR).mkdir(exist_ok=True)
    except OSError as error:
        raise UserError(f"--run_dir={run_dir}: cannot be written ({error.strerror})") from None


def start_at(step: int) -> dict[str, Any]:
    """Returns what config.json says of this start of a run: when, where, by which command."""
    program, *arguments = sys.argv or [""]
    return {
        "step": step,
        "date": datetime.now(timezone.utc).isoformat(timespec="seconds"),
        "host": platform.node(),
        "command": printable(" ".join([os.path.basename(program), *map(shlex.quote, arguments)])),
    }


def is_run(directory: Path) -> bool:
    """Returns whether a directory has the configuration of a run; other programs have a config."""
    try:
        values = parse(read_text(directory / CONFIG_FILE))
    except (OSError, ValueError):
        return False
    return isinstance(values, dict) and isinstance(values.get("config"), dict)
