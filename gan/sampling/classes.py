"""Classes as users name them, and as folders of samples are called."""

import os
import re
import unicodedata
from collections.abc import Sequence

from gan.data.folders.find import PARTS, in_order
from gan.errors import UserError

NAMED = 20  # classes in a message
LONGEST_NAME = 200  # bytes; file systems bear 255


def labels_of(text: str, names: Sequence[str], classes: int, flag: str = "labels") -> list[int]:
    """Returns the labels of "3", "0-9", "cat,dog" or "0-2,dog", in that order, each once.

    Where all names are numbers, as those of the folders 1, 2 and 3, a number is a name.

    Args:
        text: Of the flag --labels, or of another one.
        names: Of the labels 0, 1, ..., or none.
        classes: How many there are.
        flag: Its name in messages.

    Raises:
        UserError: There is no such class, or several that are meant.
    """
    by_number, numeric = {label: label for label in range(classes)}, False
    if names and all(re.fullmatch(r"[0-9]{1,18}", name) for name in names):
        as_numbers = {int(name): label for label, name in enumerate(names)}
        numeric = len(as_numbers) == len(names)  # not if 1 and 01 are among them
        by_number = as_numbers if numeric else by_number
    labels: list[int] = []
    for part in [text] if text in names else text.split(","):
        named = [label for label, name in enumerate(names) if name == part]
        numbered = numbers_of(part, by_number)
        if len(named) > 1:
            raise UserError(f"--{flag}={text}: {part!r} names the classes {joined(named)}")
        if named and numbered not in ([], named):
            raise UserError(
                f"--{flag}={text}: {part!r} is the name of class {named[0]} and stands for "
                f"{joined(numbered)} too, must be {named[0]} or other names"
            )
        if not (named or numbered):
            valid = f"in 0-{classes - 1}"
            if names:
                more = ", ..." if len(names) > NAMED else ""
                valid = "" if numeric else f"in 0-{classes - 1}, or "
                valid += f"among {', '.join(names[:NAMED])}{more}"
            raise UserError(f"--{flag}={text}: {part!r} is no class, must be {valid}")
        labels += named or numbered
    return list(dict.fromkeys(labels))


def numbers_of(part: str, by_number: dict[int, int]) -> list[int]:
    """Returns the labels of "3" or "0-9", none if the ends are no classes."""
    match = re.fullmatch(r"(\d{1,9})(?:-(\d{1,9}))?", part)
    if not match:
        return []
    first, last = int(match[1]), int(match[2] or match[1])
    if first not in by_number or last not in by_number:
        return []
    return [label for number, label in by_number.items() if first <= number <= last]


def joined(labels: Sequence[int]) -> str:
    """Returns the first labels in words."""
    return ", ".join(map(str, labels[:NAMED])) + ", ..." * (len(labels) > NAMED)


def folder_names(names: Sequence[str], classes: int) -> tuple[list[str], str]:
    """Returns the folder of each class, and why they are numbers if they are in spite of names.

    Folders called by the names of the classes are read again as these classes in this order; if
    they would not be, all are numbers.
    """
    if names and not (flaw := flaw_of(names)):
        return list(names), ""
    return [str(label) for label in range(classes)], flaw if names else ""


def flaw_of(names: Sequence[str]) -> str:
    """Returns why names of classes cannot be those of their folders, "" if they can."""
    seen: dict[str, str] = {}
    for name in names:
        hidden = not name or name.startswith(".")
        if hidden or any(c in "/\\" or not c.isprintable() for c in name):
            return f"{name!r} is no name of a folder"
        if len(os.fsencode(name)) > LONGEST_NAME:
            return f"{name[:NAMED]!r}... is too long for the name of a folder"
        folded = unicodedata.normalize("NFC", name).casefold()
        if folded in seen:
            return f"{seen[folded]!r} and {name!r} are the same name to some systems"
        seen[folded] = name
    if in_order(names) != list(names):
        return "folders are read in another order than these classes have"
    if {name.lower() for name in names} <= PARTS:
        return f"{names[0]!r} is a part of a data set to who reads it"
    return ""
