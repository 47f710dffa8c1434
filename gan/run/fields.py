"""Fields: values with a meaning and a range, from text, JSON or Python."""

import dataclasses
import difflib
import math
import numbers
import os
from collections.abc import Iterable, Mapping
from typing import Any

from gan.errors import UserError
from gan.run.paths import expand_home, is_utf8

INT32 = 2**31  # what a size or a seed must stay below, because TensorFlow counts with 32 bits

# Rows by the names that older versions gave them; config.json of a run may have these.
RENAMED = {"infogan": "dcgan_dense", "infogan_tiny": "dcgan_dense_tiny"}
OWN_ROWS = ", or your own with --import=FILE"  # of tables, see gan/run/imports.py


def option(
    default: Any,
    help: str,
    *,
    choices: tuple[str, ...] = (),
    own_rows: bool = False,
    low: float | None = None,
    above: float | None = None,
    below: float | None = None,
    most: float | None = None,
    resumable: bool = False,
    path_after: str | None = None,
) -> Any:
    """Describes one field of `Config`, or one flag of a command.

    Args:
        default: The value of the `mlp` preset, or of the flag.
        help: What it means, with its unit.
        choices: The valid texts, if not all are; one that ends in PATH stands for any path there.
        own_rows: Whether the choices are a table's, which ``--import`` adds to.
        low: The least valid number.
        above: All valid numbers are greater than this one.
        below: All valid numbers are less than this one.
        most: The greatest valid number.
        resumable: Whether it may differ between a run and its continuation.
        path_after: A text that begins so is a path from there on; "": any text is a path.
    """
    metadata = {k: v for k, v in locals().items() if k != "default"}
    return dataclasses.field(default=default, metadata=metadata)


def check(field: "dataclasses.Field[Any]", value: Any) -> Any:
    """Returns `value` as the field's type.

    Args:
        field: A field of `Config`.
        value: What Python code or JSON gave. Text is not parsed, see `parse`.

    Raises:
        ValueError: Says what is valid.
    """
    # Not pydantic: it would save 7 lines here, and double the time that --help takes.
    valid = ValueError(valid_values(field))
    kind: Any = kind_of(field)
    prefix = field.metadata["path_after"]
    if prefix is not None and isinstance(value, str | os.PathLike):
        value = os.fspath(value)
        if value.startswith(prefix):
            value = prefix + expand_home(value.removeprefix(prefix))
    if value is None:
        if field.default is not None:
            raise valid
        return value
    value = plain(value, kind)
    if type(value) is not kind:
        raise valid
    meta = field.metadata
    if kind is str:
        if "\0" in value or not is_utf8(value):
            raise ValueError("must be UTF-8, without characters 0")
        if meta["choices"] and not any(matches(value, choice) for choice in meta["choices"]):
            raise ValueError(f"{valid}{new_name(value, meta['choices'])}")
    elif kind is not bool and not (
        (kind is int or math.isfinite(value))
        and (meta["low"] is None or value >= meta["low"])
        and (meta["above"] is None or value > meta["above"])
        and (meta["below"] is None or value < meta["below"])
        and (meta["most"] is None or value <= meta["most"])
    ):
        raise valid
    return value


def plain(value: Any, kind: type) -> Any:
    """Returns a number or text of other Python code, such as NumPy's, as one of Python's own.

    It stays as it is if it stands for nothing of this kind: True is no number, and 2.0 no integer.
    """
    if getattr(value, "ndim", None) == 0 and hasattr(value, "item"):
        value = value.item()  # of an array without dimensions, or NumPy's scalar
    if kind is str and isinstance(value, str):
        return str.__str__(value)  # of an enumeration its value, not its name
    if isinstance(value, bool):
        return value
    if kind is int and isinstance(value, numbers.Integral):
        return int(value)
    if kind is float and isinstance(value, numbers.Real):
        try:
            return float(value)
        except OverflowError:  # an integer of 400 digits
            return value
    return value


def parse(field: "dataclasses.Field[Any]", text: str) -> Any:
    """Returns the value that `text` stands for on a command line.

    Raises:
        ValueError: Says what is valid.
    """
    valid = ValueError(valid_values(field))
    kind = kind_of(field)
    value: Any = text
    if kind is bool:
        names = {"true": True, "1": True, "false": False, "0": False}
        if text.lower() not in names:
            raise valid
        value = names[text.lower()]
    elif kind is not str:
        try:
            value = kind(text)
        except ValueError:
            raise valid from None
    return check(field, value)


def matches(text: str, choice: str) -> bool:
    """Returns whether a text is a choice, or what one that ends in PATH stands for."""
    start = choice.removesuffix("PATH")
    return text == choice or (start != choice and text.startswith(start) and text != start)


def kind_of(field: "dataclasses.Field[Any]") -> type:
    """Returns str, int, float or bool. A field whose default is None is a bool."""
    return bool if field.default is None else type(field.default)


def valid_values(field: "dataclasses.Field[Any]") -> str:
    """Returns the valid values of a field in words."""
    kind, meta = kind_of(field), field.metadata
    if kind is bool:
        return "must be true or false"
    if kind is str:
        named, more = ", ".join(meta["choices"]), OWN_ROWS if meta["own_rows"] else ""
        return f"must be one of {named}{more}" if named else "must be text"
    bounds = [
        f"{name} {'2^31' if meta[key] == INT32 else meta[key]}"
        for key, name in (
            ("low", "at least"),
            ("above", "above"),
            ("below", "below"),
            ("most", "at most"),
        )
        if meta[key] is not None
    ]
    return f"must be {'an integer' if kind is int else 'a number'} {' and '.join(bounds)}".rstrip()


def new_name(name: str, valid: Iterable[str]) -> str:
    """Returns what may be meant by a name that no row has, as the end of a sentence, or ""."""
    today = RENAMED.get(name)
    if today and today in valid:
        return f"; what was {name} is {today} now"
    meant = difflib.get_close_matches(name, valid, 1, 0.7)
    return f"; did you mean {meant[0]}?" if meant else ""


def lookup(table: Mapping[str, Any], flag: str, name: str, more: str = "") -> Any:
    """Returns the row of a table; `more` says in messages what else may be named."""
    if name not in table:
        valid = f"must be one of {', '.join(table)}{more}{new_name(name, table)}"
        raise UserError(f"--{flag}={name}: {valid}")
    return table[name]
