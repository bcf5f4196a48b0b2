"""The shape of the code: which package may import which, how long a function may be, what imports cost."""

import ast
import re
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
MODULES = sorted(path for package in ("latentlab", "stylegan2") for path in (ROOT / package).rglob("*.py"))

# From the top down: a module imports from lower levels, and from its own.
LEVELS = (
    {"cli", "__main__"},
    {"distributed"},
    {"studio"},
    {"pipelines", "tasks"},
    {"comparison", "datasets", "plots", "generators"},
    {"editing", "dragging", "translation", "projection", "metrics"},
    {"samples", "directions", "training"},
    {"scorers", "faces"},
    {
        "images",
        "video",
        "weights",
        "registry",
        "rendering",
        "mapping",
        "perceptual",
        "devices",
        "cards",
        "files",
        "csv_files",
        "filling",
        "archives",
        "progress",
        "arrays",
        "background",
        "batching",
        "precision",
        "latents",
        "work",
        "places",
        "mirroring",
    },
    {"resuming", "reprs", "intervals", "schemas", "markdown"},
    {"errors", "versions"},
)
LEVEL = {name: len(LEVELS) - k for k, names in enumerate(LEVELS) for name in names}
# The front door imports by name, at run time; its type hints name everything.
FRONT_DOOR = ROOT / "latentlab" / "__init__.py"


def part_of(module: str) -> str:
    return module.split(".")[1]


def name_of(path: Path) -> str:
    return ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")


@cache
def tree_of(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


@cache
def imports_of(path: Path) -> set[str]:
    """Modules of the two packages that a module imports, anywhere in it, type hints included."""
    found = set()
    for node in ast.walk(tree_of(path)):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found |= {node.module} if node.module != "latentlab" else {f"latentlab.{a.name}" for a in node.names}
    return {name for name in found if name.split(".")[0] in ("latentlab", "stylegan2")}


def edges() -> dict[str, set[str]]:
    """What each part of latentlab imports of the others."""
    found: dict[str, set[str]] = {}
    for path in MODULES:
        if path.is_relative_to(ROOT / "latentlab") and path != FRONT_DOOR:
            own = part_of(name_of(path))
            wanted = {part_of(name) for name in imports_of(path) if name.startswith("latentlab.")}
            found.setdefault(own, set()).update(wanted - {own})
    return found


def test_every_part_of_latentlab_has_its_level():
    assert set(edges()) == set(LEVEL)


def test_imports_point_down():
    upward = [(own, other) for own, others in edges().items() for other in others if LEVEL[other] > LEVEL[own]]
    assert upward == []


def test_no_imports_go_in_a_circle():
    left = edges()
    while left:
        free = {name for name, others in left.items() if not others & set(left)}
        assert free, f"a circle among {sorted(left)}"
        left = {name: others for name, others in left.items() if name not in free}


def test_stylegan2_knows_nothing_of_latentlab():
    for path in MODULES:
        if path.is_relative_to(ROOT / "stylegan2"):
            assert not [name for name in imports_of(path) if name.startswith("latentlab")], path


def test_translation_is_a_leaf():
    helpers = {
        "images",
        "files",
        "csv_files",
        "filling",
        "cards",
        "progress",
        "resuming",
        "reprs",
        "errors",
        "schemas",
        "markdown",
        "registry",
        "weights",
        "devices",
        "perceptual",
        "training",
    }
    assert edges()["translation"] <= helpers


def functions():
    """Path, node, lines of code without the docstring, arguments without self."""
    for path in MODULES:
        for node in ast.walk(tree_of(path)):
            if isinstance(node, ast.FunctionDef):
                documented = ast.get_docstring(node) is not None
                docstring = node.body[0].end_lineno - node.body[0].lineno + 1 if documented else 0
                arguments = [*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs]
                count = sum(argument.arg not in ("self", "cls") for argument in arguments)
                yield path, node, node.end_lineno - node.lineno + 1 - docstring, count


def test_functions_are_short_and_take_few_arguments():
    """Commands are left out: each option of theirs is an argument."""
    long = [
        f"{path.relative_to(ROOT)}:{node.lineno} {node.name}: {lines} lines, {arguments} arguments"
        for path, node, lines, arguments in functions()
        if (lines > 40 or arguments > 8) and path.parent.name != "cli"
    ]
    assert long == []


def test_docstrings_are_sentences():
    pattern = re.compile(r"^\s*(Of |The same\b)")
    for path in MODULES:
        for node in ast.walk(tree_of(path)):
            if isinstance(node, ast.FunctionDef | ast.ClassDef | ast.Module):
                bad = [line for line in (ast.get_docstring(node) or "").splitlines() if pattern.match(line)]
                assert bad == [], path


def imported_by(code: str) -> set[str]:
    """The top-level packages that are loaded after running `code` in a fresh interpreter."""
    program = f"import sys; {code}; print(*{{name.split('.')[0] for name in sys.modules}})"
    done = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True)
    return set(done.stdout.split())


SLOW = {"torch", "numpy", "scipy", "sklearn", "matplotlib", "pandas", "lpips", "torchvision", "dlib", "pyarrow", "PIL"}


@pytest.mark.parametrize("code", ["import latentlab; dir(latentlab)", "import stylegan2", "import latentlab.cli"])
def test_imports_that_are_quick(code):
    assert imported_by(code) & SLOW == set()
