"""Files that stand beside the code agree with it: notices, workflow, linter, citation."""

import configparser
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
SETUP = configparser.ConfigParser()
SETUP.read(ROOT / "setup.cfg", encoding="utf-8")


@pytest.mark.parametrize("folder", ["stylegan2/data", "latentlab/data"])
def test_every_shipped_file_has_its_notice(folder):
    """What was learnt from non-commercial data says so beside it."""
    notice = (ROOT / folder / "NOTICE").read_text("utf-8")
    groups = re.findall(r"((?:^\S+\.\S+\n)+)((?:    .*\n)+)", notice, re.MULTILINE)
    entries = [(name, text) for names, text in groups for name in names.split()]
    shipped = {str(path.relative_to(ROOT / folder)) for path in (ROOT / folder).rglob("*.safetensors")}
    assert shipped and {name for name, _ in entries} == shipped
    for name, text in entries:
        assert re.findall(r"^ {4}(\w+):", text, re.MULTILINE) == ["What", "From", "Made", "Terms"], name


def test_the_workflow_tests_the_versions_of_python_that_the_package_names():
    workflow = (ROOT / ".github/workflows/ci.yml").read_text("utf-8")
    (matrix,) = re.findall(r"^ +python: \[(.*)\]$", workflow, re.MULTILINE)
    named = re.findall(r"Python :: (3\.\d+)", SETUP["metadata"]["classifiers"])
    assert re.findall(r"\d\.\d+", matrix) == named
    assert SETUP["options"]["python_requires"] == f">={named[0]}"


def test_one_version_of_the_linter_everywhere():
    files = (".ci/run", ".github/workflows/ci.yml", "CONTRIBUTING.md")
    pinned = {found for name in files for found in re.findall(r"ruff==(\d+\.\d+)", (ROOT / name).read_text("utf-8"))}
    hooks = (ROOT / ".pre-commit-config.yaml").read_text("utf-8")
    assert pinned == {re.search(r"ruff-pre-commit\n\s+rev: v(\d+\.\d+)", hooks)[1]}


def test_the_citation_leaves_the_version_to_the_package():
    citation = (ROOT / "CITATION.cff").read_text("utf-8")
    found = re.search(r"^version: *(\S+)", citation, re.MULTILINE)
    assert found is None or found[1].strip("'\"") == SETUP["metadata"]["version"]
    assert f"license: {SETUP['metadata']['license']}" in citation
