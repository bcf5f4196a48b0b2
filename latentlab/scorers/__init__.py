"""Scorers: images to named scores. Expressions, attributes, the mouth's shape, and the protocol for one's own."""

from __future__ import annotations

from typing import TYPE_CHECKING

from stylegan2.lazy import lazy_names

if TYPE_CHECKING:
    from latentlab.scorers.attributes.scorer import AttributeScorer, load_attributes
    from latentlab.scorers.base import AttributeSet, FunctionScorer, Scorer
    from latentlab.scorers.crop import FFHQ_FACE, FaceCrop
    from latentlab.scorers.expression import EXPRESSIONS, ExpressionScorer
    from latentlab.scorers.loading import load_scorer
    from latentlab.scorers.mouth import MouthGeometry
    from latentlab.scorers.scores import check_score, is_positive, score_column, score_images

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
    "check_score",
    "is_positive",
    "load_attributes",
    "load_scorer",
    "score_column",
    "score_images",
]

# Most of them import torch, and whoever only reads scores does without it.
if not TYPE_CHECKING:
    __getattr__, __dir__ = lazy_names(
        __name__,
        {
            "attributes.scorer": ("AttributeScorer", "load_attributes"),
            "base": ("AttributeSet", "FunctionScorer", "Scorer"),
            "crop": ("FFHQ_FACE", "FaceCrop"),
            "expression": ("EXPRESSIONS", "ExpressionScorer"),
            "loading": ("load_scorer",),
            "mouth": ("MouthGeometry",),
            "scores": ("check_score", "is_positive", "score_column", "score_images"),
        },
    )
