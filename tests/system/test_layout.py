"""Packages stand in the order in which they import; nothing runs back up, and in no circle."""

import ast
import re

import pytest

from support import ROOT

# Each package uses its own files and packages of lower levels; none of the same level.
LEVELS = {
    "version": 0, "errors": 0, "results": 0, "lazy": 0, "rng": 1, "run": 2, "data": 3, "models": 4,
    "algorithm": 4, "sampling": 5, "training": 6, "evaluation": 6, "reports": 7, "sweeps": 7,
    "api": 7, "after_training": 8, "cli": 9, "__main__": 10,
}  # fmt: skip


def imports(path):
    """All modules that a file imports, also inside of functions, as dotted names."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (one.name for one in node.names)
        if isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            yield from (f"{node.module}.{one.name}" for one in node.names)


def modules(*folders):
    """{dotted name: path} of all files in folders of the repository."""
    paths = [path for folder in folders for path in sorted((ROOT / folder).rglob("*.py"))]
    names = [path.relative_to(ROOT).with_suffix("").as_posix().replace("/", ".") for path in paths]
    return {name.removesuffix(".__init__"): path for name, path in zip(names, paths, strict=True)}


def imported_modules(name, known):
    """The names in `known` that the module imports."""
    found = set()
    for target in imports(known[name]):
        while target and target not in known:  # a name in a module
            target = target.rpartition(".")[0]
        found |= {target} - {"", name}
    return found


def test_every_package_has_a_level():
    children = {path.stem for path in (ROOT / "gan").iterdir() if path.suffix == ".py"}
    children |= {path.parent.name for path in (ROOT / "gan").glob("*/__init__.py")}
    assert children - {"__init__"} == set(LEVELS)


@pytest.mark.parametrize("name", sorted(set(modules("gan")) - {"gan"}))
def test_imports_go_to_lower_levels_only(name):
    """`gan` itself imports the public names when they are asked for, and nothing imports it."""
    own = name.split(".")[1]
    for other in imported_modules(name, modules("gan")):
        assert other != "gan", f"{name} imports the package itself"
        package = other.split(".")[1]
        assert package == own or LEVELS[package] < LEVELS[own], f"{name} imports {other}"


def test_no_imports_go_in_circles():
    known = modules("gan", "experiments")
    arrows = {name: imported_modules(name, known) - {"gan"} for name in known if name != "gan"}
    while arrows:
        leaves = {name for name, others in arrows.items() if not others & set(arrows)}
        assert leaves, f"a circle among {sorted(arrows)}"
        arrows = {name: others for name, others in arrows.items() if name not in leaves}


def test_what_a_run_is_needs_no_tensorflow():
    for name in modules("gan/run"):
        heavy = {one.split(".")[0] for one in imports(modules("gan/run")[name])}
        assert not heavy & {"tensorflow", "keras", "numpy"}, name


def test_the_readme_lists_the_packages_in_this_order():
    rows = re.findall(r"^\| \[gan/(\w+)\]", (ROOT / "README.md").read_text(), re.MULTILINE)
    packages = [path.parent.name for path in (ROOT / "gan").glob("*/__init__.py")]
    assert sorted(rows) == sorted(packages)
    assert [LEVELS[name] for name in rows] == sorted(LEVELS[name] for name in rows)
