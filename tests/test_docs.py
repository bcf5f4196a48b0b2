"""The documentation holds: its Python runs, its commands parse, its links lead somewhere, its reference is complete."""

import doctest
import re
import shlex
from pathlib import Path

import pytest
import typer.main

import latentlab
import stylegan2
from latentlab.cli.app import app

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
MADE = {"_build", "gallery"}  # by the build
PAGES = [
    ROOT / "README.md",
    *sorted(path for path in DOCS.rglob("*.md") if path.relative_to(DOCS).parts[0] not in MADE),
]
_FENCE = re.compile(r"^(?P<ticks>`{3,})(?P<language>[^\n`]*)\n(?P<body>.*?)^(?P=ticks)[ ]*$", re.MULTILINE | re.DOTALL)


def blocks(path, *languages):
    return [found["body"] for found in _FENCE.finditer(path.read_text("utf-8")) if found["language"] in languages]


def name_of(path):
    return str(path.relative_to(ROOT))


WITH_PYTHON = [path for path in PAGES if blocks(path, "python")]


@pytest.fixture(scope="module")
def photo():
    """A generated face, which stands in for the photo that blocks speak of."""
    generator = stylegan2.load("mobile-ffhq")
    return latentlab.to_pil(generator(stylegan2.z_from_seeds([641], generator.z_dim), psi=0.7))


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """An empty folder to work in, in a process that keeps its settings; what is timed there is timed once."""
    monkeypatch.setattr(latentlab, "keep_freed_memory", lambda keep=True: True)
    monkeypatch.setattr("stylegan2.memory.keep_freed_memory", lambda: True)
    monkeypatch.setattr("stylegan2.optimization._RUNS", 1)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.weights
@pytest.mark.slow
@pytest.mark.parametrize("path", WITH_PYTHON, ids=name_of)
def test_python_of_a_page_runs_from_top_to_bottom(path, folder, photo):
    photo.save(folder / "photo.jpg", quality=95)
    names = {"__name__": "__main__"}
    for number, block in enumerate(blocks(path, "python"), 1):
        exec(compile(block, f"{name_of(path)}, block {number}", "exec"), names)


@pytest.mark.weights
@pytest.mark.parametrize("module", [latentlab, stylegan2], ids=lambda module: module.__name__)
def test_examples_of_the_packages_run(module, folder):
    (test,) = doctest.DocTestFinder(recurse=False).find(module)
    assert test.examples
    assert doctest.DocTestRunner(optionflags=doctest.ELLIPSIS).run(test).failed == 0


def command_lines(path):
    """Every `latentlab …` of a page: in fences for the console, with or without a prompt, and in indented blocks."""
    text = path.read_text("utf-8")
    indented = re.findall(r"^ {4}(?:.* && )?(latentlab .*)$", _FENCE.sub("", text), re.MULTILINE)
    fenced = "\n".join(blocks(path, "console", "bash", "sh")).replace("\\\n", " ")
    return [*indented, *re.findall(r"^(?:\$ )?(latentlab .*)$", fenced, re.MULTILINE)]


def parse(line):
    """Parses a command line as the program does, up to where it would begin to work; the shell's variables are 1."""
    line = re.sub(r"\$\(\(.*?\)\)|\$\w+|\$\{.*?\}", "1", line.split(" && ")[0])
    arguments = shlex.split(line, comments=True)[1:]
    command, context = typer.main.get_command(app), None
    name = "latentlab"
    while True:
        context = command.make_context(name, arguments, parent=context)
        if not hasattr(command, "resolve_command"):
            return
        # Where click keeps what a group leaves to its command: versions differ by the underscore.
        left = vars(context).get("_protected_args", vars(context).get("protected_args", []))
        name, command, arguments = command.resolve_command(context, [*left, *context.args])


@pytest.mark.parametrize("path", [path for path in PAGES if command_lines(path)], ids=name_of)
def test_commands_of_a_page_parse(path):
    for line in command_lines(path):
        try:
            parse(line)
        except Exception as error:
            pytest.fail(f"{line}: {error}")


def headings(path):
    """Anchors of a page's headings, as GitHub and MyST make them."""
    text = _FENCE.sub("", path.read_text("utf-8"))
    for title in re.findall(r"^#+ (.+)$", text, re.MULTILINE):
        plain = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", title).lower()
        yield re.sub(r"[^\w\- ]", "", plain).replace(" ", "-")


def links(path):
    text = re.sub(r"`[^`\n]*`", "", _FENCE.sub("", path.read_text("utf-8")))
    return [
        link for link in re.findall(r"\]\(([^)\s]+)\)", text) if "://" not in link and not link.startswith("mailto:")
    ]


@pytest.mark.parametrize("path", PAGES, ids=name_of)
def test_links_lead_somewhere(path):
    for link in links(path):
        target, _, anchor = link.partition("#")
        found = (path.parent / target).resolve() if target else path
        if found.is_relative_to(DOCS / "gallery"):
            found = ROOT / "examples" / found.with_suffix(".py").name
            if found.name == "index.py":
                continue
        assert found.exists(), f"{link}: there is no {found}"
        if anchor and found.suffix == ".md":
            assert anchor in headings(found), f"{link}: no such heading"


@pytest.mark.parametrize("path", PAGES, ids=name_of)
def test_no_paths_of_one_machine(path):
    assert not re.search(r"(?<![\w.~-])/(work|root|home|tmp)/", path.read_text("utf-8"))


REFERENCE = "\n".join(path.read_text("utf-8") for path in (DOCS / "api").glob("*.rst"))


def test_every_package_and_module_is_in_the_reference():
    own = {"cli", "__main__", "lazy"}  # the commands explain themselves; lazy names are how packages are written
    wanted = set()
    for package in ("latentlab", "stylegan2"):
        for path in (ROOT / package).rglob("*.py"):
            module = path.parent if path.name == "__init__.py" else path.with_suffix("")
            parts = module.relative_to(ROOT).parts
            # Below a package the names it offers stand on its page.
            if len(parts) == 2 and parts[1] not in own:
                wanted.add(".".join(parts))
    assert wanted <= set(re.findall(r"automodule:: (\S+)", REFERENCE))


def test_the_front_door_is_in_the_reference():
    page = (DOCS / "api" / "latentlab.rst").read_text("utf-8")
    listed = re.findall(r"auto(?:function|class):: (\w+)", page)
    assert sorted(listed) == sorted(set(latentlab.__all__) - {"__version__"})
