"""From arrays to pictures: grids, scattered points, loss curves; PNG and GIF files."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf
from PIL import Image, ImageDraw, ImageFont

from gan.files import replacing
from gan.knobs import UserError

GRID_SIDE = 5  # sample grids are 5 x 5, as the original script's
GRID_GAP = 2  # pixels between images, before scaling
GRID_SCALE = 3  # screen pixels a pixel
LONGEST = 1_000_000  # most pixels of a side that TensorFlow's encoder takes
CAPTION_HEIGHT = 20  # screen pixels


def image_grid(images: np.ndarray, columns: int = GRID_SIDE) -> np.ndarray:
    """Returns images in rows, with white gaps, enlarged without smoothing.

    Args:
        images: [rows * columns, H, W, C] uint8.
        columns: Images a row.

    Returns:
        [height, width, C] uint8.
    """
    count, height, width, channels = images.shape
    if count % columns:
        raise ValueError(f"{count} images do not fill rows of {columns}")
    gap, rows = GRID_GAP, count // columns
    grid = np.full(
        (rows * (height + gap) + gap, columns * (width + gap) + gap, channels), 255, np.uint8
    )
    for i, image in enumerate(images):
        top = gap + (i // columns) * (height + gap)
        left = gap + (i % columns) * (width + gap)
        grid[top : top + height, left : left + width] = image
    return grid.repeat(GRID_SCALE, axis=0).repeat(GRID_SCALE, axis=1)


def place_of(pixels: int) -> int:
    """Returns how many screen pixels a grid gives to so many pixels of an image."""
    return (pixels + GRID_GAP) * GRID_SCALE


def scatter(*clouds: np.ndarray) -> np.ndarray:
    """Returns a picture of points [N, 2], each cloud in a colour of its own, the last on top."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(5, 5), dpi=100, layout="constrained")
    canvas = FigureCanvasAgg(figure)
    axes = figure.subplots()
    reach = 1.25 * float(np.abs(clouds[0]).max())
    for colour, cloud in zip(("0.6", "C3"), clouds, strict=False):
        axes.plot(*cloud.T, ".", markersize=2, color=colour)
    axes.set(xlim=(-reach, reach), ylim=(-reach, reach), aspect="equal")
    canvas.draw()
    return np.asarray(canvas.buffer_rgba())[..., :3].copy()


def write_png(path: Path, image: np.ndarray) -> None:
    """Writes [H, W, C] uint8, grey or colour, as PNG."""
    with replacing(path) as temporary:
        temporary.write_bytes(tf.io.encode_png(image).numpy())


def read_png(path: Path) -> np.ndarray:
    """Returns a PNG file as [height, width, 3] uint8.

    Raises:
        UserError: It cannot be read.
    """
    try:
        image: np.ndarray = tf.io.decode_png(path.read_bytes(), 3).numpy()
    except (OSError, tf.errors.OpError) as error:
        raise UserError(f"{path}: cannot be read ({type(error).__name__})") from None
    return image


def captioned(image: np.ndarray, text: str) -> np.ndarray:
    """Returns a picture [H, W, C] uint8 with a line of text above it, [more, W, 3]."""
    height, width = image.shape[:2]
    page = Image.new("RGB", (width, height + CAPTION_HEIGHT), "white")
    page.paste(Image.fromarray(image.squeeze()), (0, CAPTION_HEIGHT))
    font = ImageFont.load_default(CAPTION_HEIGHT - 6)
    ImageDraw.Draw(page).text((4, 2), text, "black", font)
    return np.asarray(page)


def write_gif(path: Path, frames: Sequence[np.ndarray], seconds: float) -> None:
    """Writes pictures [H, W, C] uint8 of one size as an endless animation.

    Args:
        path: The file.
        frames: At least one.
        seconds: Of each frame; the last one stays ten times as long.
    """
    first, *others = (Image.fromarray(frame.squeeze()) for frame in frames)
    milliseconds = [round(1000 * seconds)] * len(frames)
    milliseconds[-1] *= 10
    with replacing(path) as temporary:
        first.save(
            temporary, "GIF", save_all=True, append_images=others, duration=milliseconds, loop=0
        )


def write_bands(
    path: Path,
    bands: Mapping[str, Mapping[str, Sequence[float]]],
    limits: Mapping[str, tuple[Sequence[float], Sequence[float]]],
    runs: Mapping[str, Mapping[str, Mapping[int, float]]],
) -> None:
    """Draws the curves of runs over the bands of usual ones, see gan/reference.py.

    Shown are the steps that both a run and the band have.

    Args:
        path: A PNG file.
        bands: metric -> {"steps", "median", "low", "high"}.
        limits: metric -> the lowest and the highest usual values.
        runs: name -> metric -> step -> value.
    """
    import matplotlib
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    shown = [name for name, band in bands.items() if band["steps"]]
    rows = len(shown) // 2 + 1  # one place is left for the legend
    figure = Figure(figsize=(10, 2.4 * rows), layout="constrained")
    FigureCanvasAgg(figure)
    lines: list[Any] = []
    for place, name in enumerate(shown, 1):
        axes, band = figure.add_subplot(rows, 2, place), bands[name]
        reached = max(
            (step for curves in runs.values() for step in curves.get(name, {})), default=0
        )
        count = max(2, sum(step <= reached for step in band["steps"]))  # one point is no area
        steps, low, high, median = (band[key][:count] for key in ("steps", "low", "high", "median"))
        lowest, highest = (limit[:count] for limit in limits[name])
        lines = [
            axes.fill_between(steps, lowest, highest, color="0.92"),
            axes.fill_between(steps, low, high, color="0.8"),
            *axes.plot(steps, median, color="0.5", linewidth=1),
        ]
        for curves in runs.values():
            points = sorted(one for one in curves.get(name, {}).items() if one[0] <= steps[-1])
            marker = "o" if len(points) == 1 else ""
            lines += axes.plot(*zip(*points, strict=True) if points else ([], []), marker=marker)
        if name == "fcd":
            axes.set_yscale("log")  # it falls by orders of magnitude
        axes.set_title(name, fontsize=9)
        axes.grid(alpha=0.3)
    with matplotlib.rc_context({"text.parse_math": False}):  # a name may have a $
        names = ["usual", "range of the seeds", "their median", *runs]
        figure.add_subplot(rows, 2, 2 * rows).axis("off")
        figure.axes[-1].legend(lines, names, loc="center", fontsize=9)
        figure.supxlabel("step", fontsize=9)
    with replacing(path) as temporary:
        figure.savefig(temporary, dpi=100)


def write_loss_plot(path: Path, records: list[dict[str, Any]]) -> None:
    """Draws D's and G's loss over the steps."""
    # Not pyplot: it would open a window system and keep the figure alive.
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7, 3.2), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots()
    steps = [record["step"] for record in records]
    for name, label in (("loss/d", "D loss (real + fake)"), ("loss/g", "G loss")):
        axes.plot(steps, [record[name] for record in records], label=label, linewidth=1)
    axes.set_xlabel("step")
    axes.set_ylabel("loss")
    axes.grid(alpha=0.3)
    axes.legend()
    with replacing(path) as temporary:
        figure.savefig(temporary, dpi=120)
