"""The rows of the page's tables about classes."""

from collections.abc import Mapping, Sequence
from typing import Any

from gan.reports.tables import REAL, Rows
from gan.run.reader import Record


def alignment_table(names: Sequence[str], newest: Sequence[Record]) -> Rows:
    """Returns how many samples of each class are what was asked, beside real images; [] of none."""
    given = [
        (name, record["condition_alignment"])
        for name, record in zip(names, newest, strict=True)
        if "condition_alignment" in record
    ]
    heads: list[Any] = ["class"]
    for name, _ in given:
        heads += [name, "real images"]
    of_runs = [by_name(alignment["classes"]) for _, alignment in given]
    classes = list(dict.fromkeys(name for rows in of_runs for name in rows))
    rows: Rows = [heads, ["all", *(cell for _, whole in given for cell in shares_of(whole))]]
    for name in classes:
        rows.append([name, *(cell for of in of_runs for cell in shares_of(of.get(name, {})))])
    return rows if given else []


def diversity_table(names: Sequence[str], newest: Sequence[Record]) -> Rows:
    """Returns how samples of each class differ from each other; real images have 1; [] of none."""
    given = [
        (name, by_name(record["class_diversity"]))
        for name, record in zip(names, newest, strict=True)
        if record.get("class_diversity")
    ]
    heads: list[Any] = ["class"]
    for name, _ in given:
        heads += [name, REAL]
    classes = list(dict.fromkeys(name for _, rows in given for name in rows))
    table: Rows = [heads]
    for name in classes:
        found = [rows.get(name) for _, rows in given]
        cells = [
            [f"{row['samples']:.2f}", f"1 ({row['sd']:.2f})"] if row else ["", ""] for row in found
        ]
        table.append([name, *(cell for pair in cells for cell in pair)])
    return table if given else []


def by_name(rows: Sequence[Mapping[str, Any]]) -> dict[str, Mapping[str, Any]]:
    """Returns rows of classes by their names, with a number where several classes have one name."""
    found: dict[str, Mapping[str, Any]] = {}
    for row in rows:
        name, count = str(row["name"]), 1
        while name in found:
            count += 1
            name = f"{row['name']} ({count})"
        found[name] = row
    return found


def shares_of(row: Mapping[str, Any]) -> list[str]:
    """Returns the shares of samples and of real images in percent, "" for what is not known."""
    values = [row.get(name) for name in ("samples", "real")]
    return ["" if value is None else f"{value:.2%}" for value in values]
