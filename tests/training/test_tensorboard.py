"""What TensorBoard shows of two runs, in headless Chromium."""

import re
import subprocess
import threading

import pytest

from browser import browser, complaints, wait
from gan.run.presets import from_preset
from gan.training.trainer import train
from support import ROOT

# All text of a page, inside of the components too.
TEXT = """
(function text(node) {
  if (node.nodeType === Node.TEXT_NODE) return node.textContent + " ";
  if (node.nodeName === "STYLE" || node.nodeName === "SCRIPT") return "";
  const inside = [...(node.shadowRoot ? node.shadowRoot.childNodes : []), ...node.childNodes];
  return inside.map(text).join("");
})(document.body).replace(/\\s+/g, "")
""".strip()


@pytest.fixture(scope="module")
def address(tmp_path_factory):
    """`make tensorboard` on two runs; its address is what it prints."""
    place = tmp_path_factory.mktemp("board")
    for name, rate in (("slow", 1e-4), ("fast", 3e-4)):
        changes = {"steps": 4, "log_every": 2, "sample_every": 2, "evaluate_every": 0}
        config = from_preset("tiny", {**changes, "d_learning_rate": rate, "jit_compile": False})
        train(config, place / name, quiet=True)
    process = subprocess.Popen(
        ["make", "tensorboard", f"RUN={place}", "ARGS=--port=0"],
        cwd=ROOT, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
    )  # fmt: skip
    for line in process.stdout:
        if found := re.search(r"at (http://localhost:\d+/)", line):
            break
    else:
        pytest.fail("TensorBoard ended without an address")
    threading.Thread(target=process.stdout.read, daemon=True).start()  # or it would block
    yield found[1]
    process.terminate()
    process.wait()


@pytest.fixture(scope="module")
def opened(address):
    with browser() as one:
        yield one


@pytest.mark.slow
@pytest.mark.parametrize(
    ("page", "expected"),
    [
        ("timeseries", ["accuracy/real", "loss3cards", "samples2cards", "slow/tensorboard"]),
        ("images", ["samples", "reals", "slow/tensorboard"]),
        ("text", ["config", "d_learning_rate"]),
        ("hparams", ["d_learning_rate", "0.00010000", "0.00030000", "TABLEVIEW"]),
    ],
)
def test_a_page(page, expected, address, opened):
    opened.get(f"{address}#{page}")
    opened.refresh()
    for text in expected:
        wait(opened, f"{TEXT}.includes('{text}')")
    assert complaints(opened) == []


@pytest.mark.slow
def test_without_runs_make_says_what_to_do(tmp_path):
    done = subprocess.run(
        ["make", "tensorboard", f"RUN={tmp_path / 'nowhere'}"],
        cwd=ROOT, text=True, capture_output=True,
    )  # fmt: skip
    assert done.returncode == 2
    assert "make train makes one" in done.stderr
