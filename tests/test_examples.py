"""The scripts in examples/: the documentation's gallery executes them; here is what is quick to tell without it."""

import ast
import runpy
from pathlib import Path

import pytest
import torch
from PIL import Image

from tests.processes import run_code

ROOT = Path(__file__).parents[1]
EXAMPLES = sorted((ROOT / "examples").glob("*.py"))


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_script_is_one_for_the_gallery(path):
    """A title, text in cells, and nothing of `main`: the page and the notebook read from top to bottom."""
    text = path.read_text("utf-8")
    title, underline, *_ = ast.get_docstring(ast.parse(text)).splitlines()
    assert set(underline) == {"="} and len(underline) == len(title)
    assert "\n# %%\n" in text
    assert "__main__" not in text


def test_every_example_has_its_place_in_the_gallery():
    settings = runpy.run_path(str(ROOT / "docs" / "_ext" / "example_gallery.py"))
    assert sorted(settings["READING_ORDER"]) == [path.stem for path in EXAMPLES]


@pytest.mark.weights
def test_a_script_runs_as_it_stands(tmp_path):
    program = "import runpy, sys; runpy.run_path(sys.argv[1], run_name='__main__')"
    done = run_code(program, ROOT / "examples" / "style_mixing.py", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    for name in ("colours", "shape"):
        with Image.open(tmp_path / "style_mixing" / f"{name}.png") as image:
            assert len(image.convert("RGB").getcolors(1 << 24)) > 1000


def test_own_attribute_measures_what_it_says():
    source = (ROOT / "examples" / "own_attribute.py").read_text("utf-8")
    (function,) = (node for node in ast.parse(source).body if isinstance(node, ast.FunctionDef))
    names = {"torch": torch}
    exec(ast.unparse(function), names)
    pictures = torch.zeros(2, 3, 64, 64)  # the first is middle grey all over
    pictures[1, :, :16] = 1.0  # light above
    assert names["lightness"](pictures).tolist() == [0.0, 1.0]
