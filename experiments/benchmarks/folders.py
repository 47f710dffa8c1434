"""The benchmark's table of folders: how long reading takes, first and again, and how much memory.

Each reading is a process of its own, which says when it is done and its peak of memory.
"""

import io
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from PIL import Image

from gan.run.streams import tell

SIDE, CLASSES, KINDS = 64, 10, 200  # pixels of a file; of so many pictures each is a copy

READ = """
import json, re, sys, time
from gan.data.datasets import load_dataset
started = time.perf_counter()
data = load_dataset("image_folder:" + sys.argv[1], "", lambda line: None, data_cache=sys.argv[2])
with open("/proc/self/status") as file:  # getrusage counts what the parent had before exec
    peak = int(re.search(r"VmHWM:\\s+(\\d+)", file.read())[1]) * 1024 / 1e6
count = len(data.train_images) + (0 if data.test_images is None else len(data.test_images))
print(json.dumps([count, time.perf_counter() - started, peak]))
"""


def measure(count: int) -> dict[str, list[float]]:
    """Returns seconds and peak MB of reading so many made JPEG files, by what was done."""
    with tempfile.TemporaryDirectory() as directory:
        folder, cache = Path(directory, "images"), Path(directory, "cache")
        started = time.perf_counter()
        write_images(folder, count)
        tell(f"made {count:,} images in {time.perf_counter() - started:.0f} s")
        found = {}
        for name in ("read", "from the cache"):
            done = subprocess.run(
                [sys.executable, "-c", READ, folder, cache], capture_output=True, check=True
            )
            images, seconds, peak = json.loads(done.stdout)
            if images != count:
                raise RuntimeError(f"{images} images were read, must be {count}")
            found[name] = [seconds, peak]
            tell(f"{name}: {seconds:.1f} s")
    return found


def write_images(folder: Path, count: int) -> None:
    """Writes JPEG files [SIDE, SIDE, 3] of smooth colours, equally many a class."""
    rng = np.random.default_rng(0)
    pictures = []
    for _ in range(KINDS):
        small = Image.fromarray(rng.integers(0, 256, (6, 6, 3), np.uint8))
        file = io.BytesIO()
        small.resize((SIDE, SIDE), Image.Resampling.BICUBIC).save(file, "JPEG", quality=90)
        pictures.append(file.getvalue())
    for number in range(CLASSES):
        (folder / f"class{number}").mkdir(parents=True)
    for number in range(count):
        path = folder / f"class{number % CLASSES}" / f"{number:07}.jpg"
        path.write_bytes(pictures[number % KINDS])


def table(found: dict[str, list[float]], count: int) -> str:
    """Returns the findings as a Markdown table."""
    lines = [
        f"| {count:,} JPEG files of {SIDE} pixels | seconds | images/s | peak memory, MB |",
        "| --- | --- | --- | --- |",
    ]
    for name, (seconds, peak) in found.items():
        lines.append(f"| {name} | {seconds:.1f} | {count / seconds:,.0f} | {peak:,.0f} |")
    return "\n".join(lines)
