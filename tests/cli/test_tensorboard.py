"""What TensorBoard shows of runs: over HTTP, and in headless Chromium."""

import contextlib
import json
import re
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.request
from pathlib import Path

import pytest

from browser import browser, complaints, wait
from gan.cli import tensorboard
from gan.errors import UserError
from gan.run.presets import from_preset
from gan.run.saved_config import write_config
from gan.training.metrics_log import MetricsLog
from gan.training.trainer import train
from support import ROOT, status_of

# All text of a page, inside of the components too.
TEXT = """
(function text(node) {
  if (node.nodeType === Node.TEXT_NODE) return node.textContent + " ";
  if (node.nodeName === "STYLE" || node.nodeName === "SCRIPT") return "";
  const inside = [...(node.shadowRoot ? node.shadowRoot.childNodes : []), ...node.childNodes];
  return inside.map(text).join("");
})(document.body).replace(/\\s+/g, "")
""".strip()


def write_run(place, rate):
    """What training writes of a run, as far as TensorBoard and this command read it."""
    write_config(place, from_preset("tiny", {"d_learning_rate": rate}), {}, {})
    log = MetricsLog(place, 0)
    log.hyper_parameters({"d_learning_rate": rate, "batch_size": 256, "loss": "hinge"})
    log.scalars(2, 0.5, 1.0, {"loss/d": 1.25, "time/steps_per_second": 20.0})
    log.evaluation(2, 0.5, 1.0, "light", {"metrics": {"fcd": 9.0, "mine": 1.0}})
    log.close()


@contextlib.contextmanager
def board(*command):
    """A command that starts TensorBoard: its process, address, and a list for what else it says."""
    process = subprocess.Popen(
        command, cwd=ROOT, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    )
    try:
        for line in process.stdout:
            if found := re.search(r"at (http://localhost:\d+/)", line):
                break
        else:
            pytest.fail("TensorBoard ended without an address")
        rest = []
        reader = threading.Thread(target=lambda: rest.append(process.stdout.read()), daemon=True)
        reader.start()  # or it would block
        yield process, found[1], rest
        process.terminate()
        reader.join()
    finally:
        process.terminate()
        process.wait()


def get(address, path, data=None):
    """What TensorBoard answers to a request of its page."""
    body = None if data is None else json.dumps(data).encode()
    request = urllib.request.Request(address + path, body, {"Content-Type": "application/json"})
    with urllib.request.urlopen(request) as answer:
        return json.load(answer)


def get_when(accept, address, path, data=None):
    """The first answer that is accepted: TensorBoard reads files while it serves."""
    for _ in range(600):
        if accept(answer := get(address, path, data)):
            return answer
        time.sleep(0.05)
    pytest.fail(f"{path}: {answer}")


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    place = tmp_path_factory.mktemp("board")
    write_run(place / "slow", 1e-4)
    write_run(place / "deep/fast", 3e-4)
    return place


@pytest.fixture(scope="module")
def address(runs):
    with board(sys.executable, "-m", "gan", "tensorboard", runs, "--port=0") as (_, address, _):
        yield address


TAGS = {"loss/d", "time/steps_per_second", "eval/light_fcd", "eval/light_mine"}


def test_runs_have_their_own_names_and_each_scalar_says_what_it_is(address):
    def whole(tags):
        return set(tags) == {"slow", "deep/fast"} and all(set(of) == TAGS for of in tags.values())

    tags = get_when(whole, address, "data/plugin/scalars/tags")
    assert sorted(get(address, "data/runs")) == ["deep/fast", "slow"]
    for of_run in tags.values():
        about = {tag: row["description"] for tag, row in of_run.items()}
        assert "its real and its fake part added, without the penalty" in about["loss/d"]
        assert "steps per second since the last record" in about["time/steps_per_second"]
        assert "Fréchet distance of classifier features" in about["eval/light_fcd"]
        assert about["eval/light_mine"] == ""  # of an evaluator from Python code


def test_a_trial_is_called_as_its_run(address):
    """With the hyper-parameters that differ, and the last value of each scalar."""
    get_when(lambda names: len(names) == 2, address, "data/runs")

    def whole(experiment):
        return len(experiment.get("metricInfos", ())) == len(TAGS)

    experiment = get_when(whole, address, "data/plugin/hparams/experiment", {})
    differs = {one["name"]: one["differs"] for one in experiment["hparamInfos"]}
    assert differs == {"d_learning_rate": True, "batch_size": False, "loss": False}
    assert {one["name"]["tag"] for one in experiment["metricInfos"]} == TAGS
    asked = {
        "startIndex": 0,
        "sliceSize": 10,
        "aggregationType": "AGGREGATION_AVG",
        "allowedStatuses": ["STATUS_UNKNOWN", "STATUS_SUCCESS", "STATUS_RUNNING"],
        "colParams": [{"metric": one["name"]} for one in experiment["metricInfos"]],
    }
    found = get(address, "data/plugin/hparams/session_groups", asked)["sessionGroups"]
    assert {one["name"]: one["hparams"]["d_learning_rate"] for one in found} == {
        "slow": 1e-4,
        "deep/fast": 3e-4,
    }
    for group in found:
        assert {m["name"]["tag"]: m["value"] for m in group["metricValues"]} == {
            "loss/d": 1.25, "time/steps_per_second": 20.0, "eval/light_fcd": 9.0,
            "eval/light_mine": 1.0,
        }  # fmt: skip


@pytest.mark.slow
def test_a_run_that_begins_later_appears_and_one_that_goes_disappears(tmp_path):
    write_run(tmp_path / "runs/first", 1e-4)
    often = "from gan.cli import tensorboard as one; one.LOOK_EVERY = 0.1; one.run()"
    with board(sys.executable, "-c", often, tmp_path / "runs", "--port=0") as (_, address, _):
        get_when(lambda names: names == ["first"], address, "data/runs")
        write_run(tmp_path / "runs/second", 1e-4)
        get_when(lambda names: sorted(names) == ["first", "second"], address, "data/runs")
        (tmp_path / "runs/first").rename(tmp_path / "away")
        get_when(lambda names: names == ["second"], address, "data/runs")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_it_says_nothing_but_its_address_and_a_signal_ends_it(number, runs, tmp_path, monkeypatch):
    """It leaves nothing behind, and is silent where a page was opened: that needs TensorFlow."""
    before = sorted(runs.rglob("*"))
    (tmp_path / "tmp").mkdir()
    monkeypatch.setenv("TMPDIR", str(tmp_path / "tmp"))
    command = (sys.executable, "-m", "gan", "tensorboard", runs / "slow", "--port=0")
    with board(*command) as (process, address, rest):
        if number == signal.SIGTERM:
            assert get(address, "data/plugins_listing")["hparams"]["enabled"]
            get(address, "data/plugin/images/tags")
        (links,) = (tmp_path / "tmp").glob("tapegan-tensorboard-*")
        assert [path.name for path in links.iterdir()] == ["slow"]
        process.send_signal(number)
        assert process.wait() == 0
    assert rest == [""]
    assert list((tmp_path / "tmp").glob("tapegan-*")) == []
    assert sorted(runs.rglob("*")) == before


def test_a_port_that_is_taken_is_named(runs, monkeypatch, capfd):
    with socket.socket() as taken:
        taken.bind(("localhost", 0))
        taken.listen()
        port = taken.getsockname()[1]
        assert status_of(monkeypatch, tensorboard, runs, f"--port={port}") == 2
    out, err = capfd.readouterr()
    assert out == ""
    assert err.startswith(f"error: --port={port}: TensorBoard could not bind to port")
    assert err.count("\n") == 1


NAMES = [  # what was asked for, runs, their names; $ is the whole path of the directory
    (["runs"], ["runs/a", "runs/b/c"], ["a", "b/c"]),
    (["runs/a", "other"], ["runs/a", "other/b"], ["a", "b"]),
    (["runs", "other"], ["runs/a", "other/a", "other/b"], ["$/runs/a", "$/other/a", "b"]),
    (["runs/a", "other"], ["runs/a", "other/a/b"], ["$/runs/a", "$/other/a/b"]),
    (["."], ["runs/a"], ["runs/a"]),
    (["runs/*"], ["runs/a", "runs/b"], ["a", "b"]),
]


@pytest.mark.parametrize(("places", "run_dirs", "names"), NAMES)
def test_names(places, run_dirs, names, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    found = tensorboard.names_of(map(Path, run_dirs), map(Path, places))
    whole = str(tmp_path.resolve()).lstrip("/")
    assert found == {
        name.replace("$", whole): Path(run) for name, run in zip(names, run_dirs, strict=True)
    }


def test_a_run_in_a_run_is_refused():
    """Its link would lie among the other one's files."""
    with pytest.raises(UserError, match=r"--runs=a: lies in another run, or holds one"):
        tensorboard.names_of([Path("a"), Path("a/b")], [Path(), Path("a/b")])


def test_links_follow_the_runs(tmp_path):
    for name in ("a", "b/c", "b/d", "without"):
        (tmp_path / "runs" / name / "tensorboard").mkdir(parents=True)
    (tmp_path / "runs/without/tensorboard").rmdir()
    links = tmp_path / "links"
    links.mkdir()

    def shown(*names):
        tensorboard.link(links, {name: tmp_path / "runs" / name for name in names})
        found = {str(path.relative_to(links)): path for path in links.rglob("*")}
        for name in names[:-1]:
            assert found[name].resolve() == tmp_path.resolve() / "runs" / name / "tensorboard"
        return sorted(found)

    assert shown("a", "b/c", "b/d", "without") == ["a", "b", "b/c", "b/d"]
    assert shown("a", "b/c", "without") == ["a", "b", "b/c"]
    (tmp_path / "runs/b/tensorboard").mkdir()  # a directory of runs is one now
    assert shown("a", "b", "without") == ["a", "b"]
    assert shown("without") == []
    assert (tmp_path / "runs/a/tensorboard").is_dir()


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """`make tensorboard` on two runs that were trained."""
    place = tmp_path_factory.mktemp("board")
    for name, rate in (("slow", 1e-4), ("fast", 3e-4)):
        changes = {"steps": 4, "log_every": 2, "sample_every": 2, "evaluate_every": 0}
        config = from_preset("tiny", {**changes, "d_learning_rate": rate, "jit_compile": False})
        train(config, place / name, quiet=True)
    with board("make", "tensorboard", f"RUN={place}", "ARGS=--port=0") as (_, address, _):
        yield address


@pytest.fixture(scope="module")
def opened(trained):
    with browser() as one:
        yield one


@pytest.mark.slow
@pytest.mark.parametrize(
    ("page", "expected"),
    [
        ("timeseries", ["accuracy/real", "loss3cards", "samples2cards", "slow"]),
        ("images", ["samples", "reals", "slow"]),
        ("text", ["config", "d_learning_rate"]),
        ("hparams", ["d_learning_rate", "0.00010000", "0.00030000", "TABLEVIEW", "slow", "fast"]),
    ],
)
def test_a_page(page, expected, trained, opened):
    opened.get(f"{trained}#{page}")
    opened.refresh()
    for text in expected:
        wait(opened, f"{TEXT}.includes('{text}')")
    assert not opened.execute_script(f"return {TEXT}.includes('slow/tensorboard')")
    assert complaints(opened) == []


@pytest.mark.slow
def test_without_runs_make_says_what_to_do(tmp_path):
    done = subprocess.run(
        ["make", "tensorboard", f"RUN={tmp_path / 'nowhere'}"],
        cwd=ROOT, text=True, capture_output=True,
    )  # fmt: skip
    assert done.returncode == 2
    assert f"error: --runs={tmp_path / 'nowhere'}: is not there, must be runs" in done.stderr
