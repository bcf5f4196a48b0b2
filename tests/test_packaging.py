"""What is installed under which name, and what the messages tell to install."""

import ast
import configparser
from pathlib import Path

import pytest

import latentlab
import stylegan2

ROOT = Path(__file__).parents[1]
SOURCES = [path for name in ("latentlab", "stylegan2", "examples", "scripts") for path in (ROOT / name).rglob("*.py")]


@pytest.fixture(scope="module")
def setup() -> configparser.ConfigParser:
    parser = configparser.ConfigParser()
    parser.read(ROOT / "setup.cfg", encoding="utf-8")
    return parser


def test_the_name_on_the_index_is_this_project_s(setup):
    """`latentlab` belongs to somebody else there."""
    assert setup["metadata"]["name"] == "latentlab-gan"
    assert [path for path in SOURCES if "latentlab[" in path.read_text(encoding="utf-8")] == []


def test_the_version_is_read_from_the_installation(setup):
    assert latentlab.__version__ == stylegan2.__version__ in (setup["metadata"]["version"], "0+unknown")


def calls_of(name: str):
    for path in SOURCES:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and getattr(node.func, "id", None) == name:
                yield node


def test_packages_that_messages_name_are_those_of_the_extras(setup):
    extras = {line for value in setup["options.extras_require"].values() for line in value.split()}
    packages = {one.partition(">=")[0] for one in extras} | extras
    named = [ast.literal_eval(word) for call in calls_of("missing_package") for word in call.args[1:]]
    assert len(named) >= 6
    assert set(named) <= packages
