"""Scorers: images to named scores. Expressions, attributes, the mouth's shape, and the protocol for one's own."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from latentlab.scorers.attributes.scorer import AttributeScorer, load_attributes
    from latentlab.scorers.base import AttributeSet, FunctionScorer, Scorer
    from latentlab.scorers.crop import FFHQ_FACE, FaceCrop
    from latentlab.scorers.expression import EXPRESSIONS, ExpressionScorer
    from latentlab.scorers.loading import load_scorer
    from latentlab.scorers.mouth import MouthGeometry
    from latentlab.scorers.scores import is_positive, score_column, score_images

__all__ = [
    "EXPRESSIONS",
    "FFHQ_FACE",
    "AttributeScorer",
    "AttributeSet",
    "ExpressionScorer",
    "FaceCrop",
    "FunctionScorer",
    "MouthGeometry",
    "Scorer",
    "is_positive",
    "load_attributes",
    "load_scorer",
    "score_column",
    "score_images",
]

# Most of them import torch, and whoever only reads scores does without it.
_MODULES = {
    "attributes.scorer": ("AttributeScorer", "load_attributes"),
    "base": ("AttributeSet", "FunctionScorer", "Scorer"),
    "crop": ("FFHQ_FACE", "FaceCrop"),
    "expression": ("EXPRESSIONS", "ExpressionScorer"),
    "loading": ("load_scorer",),
    "mouth": ("MouthGeometry",),
    "scores": ("is_positive", "score_column", "score_images", "score_images"),
}
_LATER = {name: module for module, names in _MODULES.items() for name in names}

if not TYPE_CHECKING:  # where a type checker sees it, it takes any name for an attribute

    def __getattr__(name: str) -> Any:
        if name not in _LATER:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        return getattr(import_module(f"{__name__}.{_LATER[name]}"), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
