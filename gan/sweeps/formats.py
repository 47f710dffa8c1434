"""Tables as text, CSV, Markdown and LaTeX."""

import csv
import io
from collections.abc import Callable, Container, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from gan.evaluation.better import ARROWS, better
from gan.sweeps.groups import Group, Kind, differing
from gan.sweeps.intervals import Mean, in_words

ABOUT = (
    "Mean over seeds ± half of the 95 % t-interval, of a single run its value; real images: mean "
    "(sd). {mark} best, and its interval overlaps no other's."
)
MARKS = {".txt": "*", ".md": "Bold:", ".tex": "Bold:"}


class Table(NamedTuple):
    """A table of text."""

    title: str
    headings: Sequence[str]
    rows: Sequence[Sequence[str]]
    best: frozenset[tuple[int, int]] = frozenset()  # (row, column) of cells to mark


def tables_of(
    groups: Sequence[Group], kinds: Sequence[Kind], metrics: Sequence[str]
) -> list[Table]:
    """Returns a table for each kind of evaluation, with the metrics that it has of some, or all."""
    varied = differing(groups)
    if not kinds:
        rows = [[*labels(group, varied), runs_in_words(group)] for group in groups]
        return [Table("no evaluations at the end of these runs", [*varied, "runs"], rows)]
    tables = []
    for kind in kinds:
        names = [name for name in kind.metrics if not metrics or name in metrics]
        if not names:
            continue
        means = {name: kind.means(name) for name in names}
        rows, best = [], set()
        if kind.floors:
            first = [*["real images"] * bool(varied), *[""] * (len(varied) - 1)]
            rows.append([*first, "" if varied else "real images", *(floor(kind, n) for n in names)])
        for i, group in enumerate(groups):
            start = [*labels(group, varied), runs_in_words(group, kind.evaluated[i])]
            cells = [in_cell(means[name][i], len(kind.evaluated[i])) for name in names]
            best |= {(len(rows), len(start) + j) for j, n in enumerate(names) if kind.best(n) == i}
            rows.append([*start, *cells])
        headings = [*varied, "runs", *(f"{name} {ARROWS[better(name)]}".strip() for name in names)]
        tables.append(Table(kind.title, headings, rows, frozenset(best)))
    return tables


def labels(group: Group, varied: Sequence[str]) -> list[str]:
    """Returns the values of a group that are not the same in all."""
    return [str(group.values.get(name, "")) for name in varied]


def in_cell(mean: Mean | None, evaluated: int) -> str:
    """Returns a mean, and of how many runs it is if that is not of all that were evaluated."""
    if mean is None:
        return "-"
    return in_words(mean) + (f" of {mean.size}" if mean.size < evaluated else "")


def runs_in_words(group: Group, evaluated: Container[Path] = ()) -> str:
    """Returns how many runs a mean is of, and why it is not of the others."""
    others = [run.status for run in group.runs if run.path not in evaluated]
    whys = {"failed": "failed", "unfinished": "unfinished", "completed": "not evaluated"}
    missing = [f"{others.count(one)} {why}" for one, why in whys.items() if one in others]
    return ", ".join([f"{len(group.runs) - len(others)} of {len(group.runs)}", *missing])


def floor(kind: Kind, name: str) -> str:
    """Returns what real images get."""
    if name not in kind.floors:
        return ""
    return f"{kind.floors[name]['mean']:.4g} ({kind.floors[name]['sd']:.2g})"


def text(table: Table) -> list[str]:
    """Returns the lines of a table in columns."""
    rows = [list(table.headings), *marked(table, lambda cell: f"{cell} *")]
    widths = [max(len(row[i]) for row in rows) for i in range(len(table.headings))]
    lines = ["  ".join(c.ljust(w) for c, w in zip(r, widths, strict=True)).rstrip() for r in rows]
    return [table.title, lines[0], "  ".join("-" * width for width in widths), *lines[1:]]


def markdown(table: Table) -> list[str]:
    """Returns the lines of a table in Markdown."""
    # By hand: pandas with tabulate saves five lines, needs two more packages and pads every cell.
    rows = [[cell.replace("|", "\\|") for cell in row]
            for row in (table.headings, *marked(table, lambda cell: f"**{cell}**"))]  # fmt: skip
    lines = ["".join(f"| {cell} " if cell else "| " for cell in row) + "|" for row in rows]
    title = [table.title, ""] if table.title else []
    return [*title, lines[0], f"|{' --- |' * len(table.headings)}", *lines[1:]]


def latex(table: Table) -> list[str]:
    """Returns the lines of a tabular in LaTeX, which needs no package."""
    escaped = table._replace(
        headings=[in_latex(cell) for cell in table.headings],
        rows=[[in_latex(cell) for cell in row] for row in table.rows],
    )
    rows = [escaped.headings, *marked(escaped, lambda cell: f"\\textbf{{{cell}}}")]
    lines = [f"{' & '.join(row)} \\\\" for row in rows]
    return [
        f"% {table.title}",
        f"\\begin{{tabular}}{{{'l' * len(table.headings)}}}", "\\hline", lines[0], "\\hline",
        *lines[1:], "\\hline", "\\end{tabular}",
    ]  # fmt: skip


def marked(table: Table, mark: Callable[[str], str]) -> list[list[str]]:
    """Returns the rows with a mark at the best cells."""
    return [
        [mark(cell) if (i, j) in table.best else cell for j, cell in enumerate(row)]
        for i, row in enumerate(table.rows)
    ]


LATEX = {
    "\\": r"\textbackslash{}", "±": r"$\pm$", "↓": r"$\downarrow$", "↑": r"$\uparrow$",
    "~": r"\textasciitilde{}", "^": r"\textasciicircum{}", "<": r"\textless{}",
    ">": r"\textgreater{}", "|": r"\textbar{}", **{c: f"\\{c}" for c in "&%$#_{}"},
}  # fmt: skip


def in_latex(cell: str) -> str:
    """Returns a cell as LaTeX prints it."""
    return "".join(LATEX.get(character, character) for character in cell)


def numbers(groups: Sequence[Group], kinds: Sequence[Kind], metrics: Sequence[str]) -> str:
    """Returns CSV with full precision: a line a group and kind of evaluation."""
    varied = differing(groups)
    names = dict.fromkeys(n for kind in kinds for n in kind.metrics if not metrics or n in metrics)
    parts = ("", "_half_width", "_runs", "_best", "_real", "_real_sd")
    counts = ["runs", "evaluated", "failed", "unfinished"]
    of_metrics = [f"{name}{part}" for name in names for part in parts]
    # Precision is a flag and a metric.
    taken = {"evaluation", *counts, *of_metrics}
    flags = [f"flag_{name}" if name in taken else name for name in varied]
    lines: list[dict[str, Any]] = []
    for kind in kinds:
        for i, group in enumerate(groups):
            line: dict[str, Any] = {"evaluation": kind.title}
            line |= dict(zip(flags, labels(group, varied), strict=True))
            line |= {"runs": len(group.runs), "evaluated": len(kind.evaluated[i])}
            line |= {status: group.count(status) for status in ("failed", "unfinished")}
            for name in (name for name in names if name in kind.metrics):
                mean, real = kind.means(name)[i], kind.floors.get(name, {})
                if mean:
                    line |= {name: mean.mean, f"{name}_half_width": mean.half}
                    line |= {f"{name}_runs": mean.size, f"{name}_best": kind.best(name) == i}
                if real:
                    line |= {f"{name}_real": real["mean"], f"{name}_real_sd": real["sd"]}
            lines.append(line)
    columns = ["evaluation", *flags, *counts, *of_metrics]
    file = io.StringIO()
    writer = csv.DictWriter(file, columns, lineterminator="\n")
    writer.writeheader()
    writer.writerows(lines)
    return file.getvalue()


def write(
    suffix: str, groups: Sequence[Group], kinds: Sequence[Kind], metrics: Sequence[str]
) -> str:
    """Returns the tables in the format of a file's suffix, one of `SUFFIXES`."""
    if suffix == ".csv":
        return numbers(groups, kinds, metrics)
    lines_of = {".txt": text, ".md": markdown, ".tex": latex}[suffix]
    blocks = ["\n".join(lines_of(table)) for table in tables_of(groups, kinds, metrics)]
    about = f"{'% ' * (suffix == '.tex')}{ABOUT.format(mark=MARKS[suffix])}"
    return "\n\n".join([*blocks, about]) + "\n"


SUFFIXES = (".txt", ".csv", ".md", ".tex")
