"""A file that a user names may be a pipe or have no end: `gan.run.files` looks before it opens."""

import ast

from support import ROOT

# What reads a file by its name without it, and whose file that is.
OTHERS = {
    ("gan/data/downloads.py", "wheel.read_bytes"): "just fetched into a directory of its own",
    ("gan/data/formats.py", "zipfile.ZipFile(wheel)"): "the same",
    ("gan/evaluation/inception/features.py", "download_wheel.read_bytes"): "the same",
    ("gan/models/keras_files.py", "zipfile.ZipFile(path)"): "just written",
    ("gan/sampling/export_facts.py", "zipfile.ZipFile(path)"): "just written",
    ("gan/reports/explorer.py", "path.read_bytes"): "just written",
    ("gan/reports/reference_curves.py", "file.read_text"): "comes with the package",
    ("gan/sampling/packaged.py", "DIRECTORY.read_text"): "comes with the package",
    ("gan/sweeps/training.py", "log_of.read_text"): "written by the process itself",
    ("gan/training/devices.py", "Path.read_text"): "of the system",
    ("gan/training/memory.py", "Path.read_text"): "of the system",
}
OPEN_ALREADY = {"file", "whole"}  # what an open file is called


def name_of(node):
    """The name that an expression begins with, "" for none."""
    while node and not isinstance(node, ast.Name):
        parts = (getattr(node, part, None) for part in ("left", "func", "value"))
        node = next((part for part in parts if isinstance(part, ast.AST)), None)
    return node.id if node else ""


def reads(path):
    """What a file of the package reads by name, as `OTHERS` has it."""
    for node in ast.walk(ast.parse(path.read_text())):
        if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Attribute):
            continue
        owner, method = node.func.value, node.func.attr
        if method in ("read_text", "read_bytes") and name_of(owner) not in ("files", "jsonl"):
            yield f"{name_of(owner)}.{method}"
        if (name_of(owner), method) in (("zipfile", "ZipFile"), ("np", "load"), ("h5py", "File")):
            argument = node.args[0]
            if isinstance(argument, ast.Name) and argument.id not in OPEN_ALREADY:
                yield f"{name_of(owner)}.{method}({argument.id})"


def test_the_package_reads_files_of_others_through_one_door():
    found = {
        (path.relative_to(ROOT).as_posix(), call)
        for path in (ROOT / "gan").rglob("*.py")
        for call in reads(path)
    }
    assert found == set(OTHERS)
