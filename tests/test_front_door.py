"""`import latentlab`: what a researcher finds there."""

import ast
import inspect
from pathlib import Path

import pytest

import latentlab

SOURCE = ast.parse(Path(latentlab.__file__).read_text(encoding="utf-8"))


def test_every_name_is_there_and_explains_itself():
    for name in latentlab.__all__:
        found = getattr(latentlab, name)
        if name != "__version__":
            assert len(inspect.getdoc(found) or "") > 30, name


def test_names_show_in_completion():
    assert set(latentlab.__all__) <= set(dir(latentlab))


def test_type_checkers_see_the_same_names():
    guarded = next(node for node in SOURCE.body if isinstance(node, ast.If))
    imports = [node for node in guarded.body if isinstance(node, ast.ImportFrom)]
    names = {alias.asname or alias.name for node in imports for alias in node.names}
    assert names == set(latentlab.__all__) - {"__version__"}


def test_an_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="no attribute 'smle'"):
        _ = latentlab.smle


def test_submodules_are_attributes():
    assert latentlab.editing.edit is latentlab.edit
