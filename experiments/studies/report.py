"""Table, plot and CSV of a study's rows, each a run and a kind of weights."""

import csv
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from gan.sweeps.formats import Table
from gan.sweeps.formats import markdown as lines_of
from gan.sweeps.intervals import in_words, mean_of

Row = dict[str, Any]

Column = tuple[str, str, float, int]  # metric, heading, factor, decimals

TABLE: tuple[Column, ...] = (
    ("fcd", "FCD ↓", 1, 2),
    ("kid", "KID·10³ ↓", 1000, 1),
    ("precision", "precision ↑", 1, 3),
    ("recall", "recall ↑", 1, 3),
    ("density", "density ↑", 1, 3),
    ("coverage", "coverage ↑", 1, 3),
    ("classifier_score", "score ↑", 1, 2),
    ("classes", "classes ↑", 1, 0),
)
INCEPTION: tuple[Column, ...] = (
    ("fid_inception", "FID (Inception) ↓", 1, 1),
    ("kid_inception", "KID (Inception)·10³ ↓", 1000, 2),
)
MODES_TABLE: tuple[Column, ...] = (
    ("modes", "modes ↑", 1, 0),
    ("high_quality", "high quality % ↑", 100, 2),
    ("reverse_kl", "reverse KL ↓", 1, 4),
    ("sd_ratio", "sd ratio", 1, 3),
)
MORE: tuple[Column, ...] = (
    ("fcd_infinity", "FCD∞ ↓", 1, 2),
    ("fcd_b", "FCD, net b ↓", 1, 2),
    ("one_nn_accuracy", "1-NN ↓", 1, 3),
    ("class_kl", "class KL·10³ ↓", 1000, 1),
    ("memorised_features", "copies, features %", 100, 2),
    ("memorised_pixels", "copies, pixels %", 100, 2),
    ("dcr_share", "nearer to training images %", 100, 1),
    ("class_diversity", "diversity", 1, 2),
)


def write_csv(path: Path, rows: list[Row]) -> None:
    """Writes every configuration value and every metric, one line a row."""
    names = [name for name in dict.fromkeys(key for row in rows for key in row) if name != "curve"]
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, names, extrasaction="ignore")
        writer.writeheader()
        writer.writerows(rows)


def markdown(variants: list[str], seeds: int, rows: list[Row], floors: dict[str, Any]) -> str:
    """Returns two tables of means over seeds with 95 % t-intervals, and how the networks agree.

    Args:
        variants: Names, in the order of the tables.
        seeds: Runs that each variant should have; what is missing failed.
        rows: Of all completed runs.
        floors: metric -> {"mean", "sd"} of real images.
    """
    groups = {
        (variant, weights): [r for r in rows if (r["variant"], r["weights"]) == (variant, weights)]
        for variant in variants
        for weights in ("raw", "ema")
    }
    complete = [group for group in groups.values() if group]
    means = [[float(np.mean([r[name] for r in g])) for g in complete] for name in ("fcd", "fcd_b")]
    single = [[row[name] for row in rows] for name in ("fcd", "fcd_b")]
    lines = [
        *table(TABLE, groups, seeds, floors),
        "",
        "Mean over seeds ± half of the 95 % t-interval; real images: mean (sd) of 20 draws, and of "
        "copies 1 % by definition.",
        "",
        *table((*MORE, *INCEPTION), groups, seeds, floors),
        "",
        "The two feature networks rank by FCD: "
        f"Spearman {spearman(*means)} over the {len(complete)} lines of the table, "
        f"{spearman(*single)} over the {len(rows)} single runs and kinds of weights.",
        "",
        "Devices: " + "; ".join(sorted({row["device"] for row in rows})) + ".",
    ]
    return "\n".join(lines)


def modes_markdown(variants: list[str], seeds: int, rows: list[Row], floors: dict[str, Any]) -> str:
    """Returns the table of a study that counts modes: the mean over seeds and the worst seed.

    Args:
        variants: Names, in the order of the table.
        seeds: Runs that each variant should have; what is missing failed.
        rows: Of all completed runs.
        floors: metric -> {"mean", "sd"} of real examples.
    """
    columns = [column for column in MODES_TABLE if column[0] in floors]
    headings = ["variant", "weights", "runs", "all modes", *(c[1] for c in columns), "seconds"]
    body = [["*real data*", "", "", "", *real(columns, floors), ""]]
    for variant in variants:
        for weights in ("raw", "ema"):
            group = [r for r in rows if (r["variant"], r["weights"]) == (variant, weights)]
            whole = sum(r["modes"] == round(floors["modes"]["mean"]) for r in group)
            cells = [variant, weights, f"{len(group)} of {seeds}", f"{whole} of {seeds}"]
            cells += [spread([f * r[n] for r in group], d) for n, _, f, d in columns]
            body.append([*cells, interval([r["seconds"] for r in group], 0)])
    devices = "; ".join(sorted({row["device"] for row in rows}))
    about = "Mean over seeds (lowest to highest); real data: mean (sd) of 20 draws. Devices: "
    return "\n".join([*lines_of(Table("", headings, body)), "", f"{about}{devices}."])


def real(columns: Sequence[Column], floors: dict[str, Any]) -> list[str]:
    """Returns what real images get: mean (sd)."""
    return [
        f"{f * floors[n]['mean']:.{d}f} ({f * floors[n]['sd']:.{d}f})" for n, _, f, d in columns
    ]


def spread(values: list[float], decimals: int) -> str:
    """Returns the mean, the lowest and the highest value."""
    if not values:
        return "failed"
    mean, low, high = (f"{f(values):.{decimals}f}" for f in (np.mean, min, max))
    return f"{mean} ({low} to {high})"


def table(
    columns: tuple[Column, ...],
    groups: dict[tuple[str, str], list[Row]],
    seeds: int,
    floors: dict[str, Any],
) -> list[str]:
    """Returns the lines of one table: real images, then each variant and kind of weights."""
    columns = tuple(column for column in columns if column[0] in floors)
    headings = ["variant", "weights", "runs", *(c[1] for c in columns), "seconds", "collapse"]
    body = [["*real images*", "", "", *real(columns, floors), "", ""]]
    for (variant, weights), group in groups.items():
        cells = [variant, weights, f"{len(group)} of {seeds}"]
        cells += [interval([f * row[name] for row in group], d) for name, _, f, d in columns]
        cells.append(interval([row["seconds"] for row in group], 0))
        signs = sorted({sign for row in group for sign in row["collapse"].split()})
        body.append([*cells, " ".join(signs) or ("none" if group else "")])
    return lines_of(Table("", headings, body))


def interval(values: list[float], decimals: int) -> str:
    """Returns mean ± half-width of the 95 % t-interval, the mean alone for one value."""
    return in_words(mean_of(values), decimals)


def spearman(a: list[float], b: list[float]) -> str:
    """Returns the rank correlation with two decimals, "unknown" for fewer than three values."""
    from scipy import stats

    return f"{stats.spearmanr(a, b).statistic:.2f}" if len(a) > 2 else "unknown"


def plot(path: Path, rows: list[Row], floor: float) -> None:
    """Draws FCD against steps and against seconds: a line a run, a colour a variant.

    Args:
        path: PNG file.
        rows: With "curve", the light evaluations of a run's checkpoints.
        floor: The FCD of as many real images.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(10, 4), layout="constrained")
    FigureCanvasAgg(figure)
    colours = {
        variant: f"C{i}" for i, variant in enumerate(dict.fromkeys(r["variant"] for r in rows))
    }
    for axes, against in zip(figure.subplots(1, 2, sharey=True), ("step", "seconds"), strict=True):
        labelled = set()
        for row in rows:
            label = f"{row['variant']}, {row['weights']}"
            axes.plot(
                [point[against] for point in row["curve"]],
                [point["metrics"]["fcd"] for point in row["curve"]],
                color=colours[row["variant"]],
                linestyle="-" if row["weights"] == "ema" else ":",
                linewidth=1,
                label=None if label in labelled else label,
            )
            labelled.add(label)
        axes.axhline(floor, color="grey", linewidth=1, linestyle="--", label="real images")
        axes.set_xlabel(against if against == "seconds" else "steps")
        axes.set_yscale("log")
        axes.grid(alpha=0.3, which="both")
        axes.legend(fontsize="small")
    figure.axes[0].set_ylabel("FCD of 2,000 samples")
    figure.savefig(path, dpi=120)
