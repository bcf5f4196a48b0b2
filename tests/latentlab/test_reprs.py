"""Results print themselves in a line or few, without the tensors that they hold."""

import ast
from pathlib import Path

import numpy as np
import pytest
import torch

from latentlab.comparison.run import MethodResult
from latentlab.datasets import Scene
from latentlab.faces import AlignedFace, CropGeometry, FaceFound
from latentlab.pipelines import Walk
from latentlab.projection import DEFAULTS, MaskedImages, Projection
from latentlab.reprs import short
from latentlab.samples import EditTable
from latentlab.translation import Pix2Pix
from latentlab.translation.translator import Translator
from tests.latentlab.directions.made_up import make
from tests.latentlab.test_samples import make_table

ROOT = Path(__file__).parents[2]
IMAGES = torch.zeros(2, 3, 16, 16)
SCORES = np.zeros((1, 2, 3), dtype=np.float32)


def _translator():
    return Translator({"a2b": Pix2Pix.configure(32, 2).build().generator("a2b")}, {"method": "pix2pix", "steps": 8})


def _face():
    corners = np.array([[2.0, 2], [2, 12], [12, 12], [12, 2]])
    face = FaceFound((0.0, 0.0, 9.0, 9.0), np.zeros((68, 2)), 1.0)
    return AlignedFace(IMAGES[:1], CropGeometry.plan(corners, 16, (20, 20)), face, ())


RESULTS = [
    Walk(IMAGES[None], SCORES, tuple(f"seed {k}" for k in range(40)), (-1.0, 1.0), ("happy", "sad", "calm")),
    make_table(range(300), 512),
    EditTable(np.arange(1), np.array([0.0, 1.0]), SCORES, ("happy", "sad", "calm")),
    Scene(IMAGES, IMAGES),
    MaskedImages(IMAGES, IMAGES[:, :1] + 1),
    MethodResult("svm", IMAGES, {"happy": np.zeros(2)}, {}, {"fit_seconds": 1.0}),
    Projection({"ws": torch.zeros(2, 18, 512)}, DEFAULTS["w+"], torch.zeros(2), torch.zeros(2), "f" * 64),
    make(),
    _face(),
    _face().face,
    _translator(),
]


@pytest.mark.parametrize("result", RESULTS, ids=lambda result: type(result).__name__)
def test_a_result_prints_itself_shortly(result):
    text = repr(result)
    assert text.startswith(f"{type(result).__name__}(") and "\n" not in text
    assert len(text) < 350
    assert "tensor(" not in text and "array(" not in text


def test_shapes_are_shown():
    assert repr(RESULTS[3]) == "Scene(image=<2×3×16×16 float32>, masks=<2×3×16×16 float32>)"
    assert "titles=<40 entries>, strengths=(-1.0, 1.0)" in repr(RESULTS[0])
    assert repr(RESULTS[-1]) == "Translator(pix2pix, a2b, 8 steps)"
    assert short(("bright",)) == "('bright',)"


def test_no_dataclass_prints_its_tensors():
    """Every one that holds tensors or arrays has a representation of its own."""
    printing = []
    for path in sorted((ROOT / "latentlab").rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if not isinstance(node, ast.ClassDef) or node.name.startswith("_"):
                continue
            if not any("dataclass" in ast.unparse(decorator) for decorator in node.decorator_list):
                continue
            own = any(isinstance(one, ast.FunctionDef) and one.name == "__repr__" for one in node.body)
            short = "ShortRepr" in [ast.unparse(base) for base in node.bases]
            fields = [one for one in node.body if isinstance(one, ast.AnnAssign)]
            kinds = [ast.unparse(one.annotation) for one in fields if "repr=False" not in ast.unparse(one)]
            holds = any(("Tensor" in kind or "NDArray" in kind) and "Callable" not in kind for kind in kinds)
            learner = "ThroughGenerator" in [ast.unparse(base) for base in node.bases]  # scikit-learn's own
            if holds and not own and not short and not learner and node.name != "Objective":
                printing.append(node.name)
    assert printing == []
