"""Scorers: images to named scores. Expressions, attributes, the mouth's shape, and the protocol for one's own."""

from __future__ import annotations

from typing import TYPE_CHECKING

from stylegan2.lazy import lazy_names

if TYPE_CHECKING:
    from latentlab.scorers.attributes.scorer import AttributeScorer, load_attributes
    from latentlab.scorers.base import AttributeSet, FunctionScorer, Scorer
    from latentlab.scorers.crop import FFHQ_FACE, FaceCrop
    from latentlab.scorers.expression import EXPRESSIONS, ExpressionScorer
    from latentlab.scorers.loading import default_scorer, load_scorer
    from latentlab.scorers.logits import all_logits, logits_of
    from latentlab.scorers.mouth import MouthGeometry
    from latentlab.scorers.scorer_set import ScorerSet
    from latentlab.scorers.scores import (
        check_classes,
        check_score,
        is_positive,
        label_scores,
        score_column,
        score_images,
        scored_channels,
        threshold_of,
    )
    from latentlab.scorers.threshold import LabelCounts, Threshold, count_labels

__all__ = [
    "EXPRESSIONS",
    "FFHQ_FACE",
    "AttributeScorer",
    "AttributeSet",
    "ExpressionScorer",
    "FaceCrop",
    "FunctionScorer",
    "LabelCounts",
    "MouthGeometry",
    "Scorer",
    "ScorerSet",
    "Threshold",
    "all_logits",
    "check_classes",
    "check_score",
    "count_labels",
    "default_scorer",
    "is_positive",
    "label_scores",
    "load_attributes",
    "load_scorer",
    "logits_of",
    "score_column",
    "score_images",
    "scored_channels",
    "threshold_of",
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
            "loading": ("default_scorer", "load_scorer"),
            "logits": ("all_logits", "logits_of"),
            "mouth": ("MouthGeometry",),
            "scorer_set": ("ScorerSet",),
            "scores": (
                "check_classes",
                "check_score",
                "is_positive",
                "label_scores",
                "score_column",
                "score_images",
                "scored_channels",
                "threshold_of",
            ),
            "threshold": ("LabelCounts", "Threshold", "count_labels"),
        },
    )
