"""Scorers: images to named scores. Expressions, attributes, the mouth's shape, and the protocol for your own."""

from __future__ import annotations

from typing import TYPE_CHECKING

from stylegan2.lazy import lazy_names

if TYPE_CHECKING:
    from latentlab.scorers.attributes.scorer import AttributeScorer, load_attributes
    from latentlab.scorers.base import AttributeSet, FunctionScorer, Scorer
    from latentlab.scorers.crop import FFHQ_FACE, FaceCrop
    from latentlab.scorers.expression import EXPRESSIONS, ExpressionScorer
    from latentlab.scorers.geometry import FaceGeometry
    from latentlab.scorers.lighting import Lighting
    from latentlab.scorers.loading import default_scorer, load_scorer
    from latentlab.scorers.logits import all_logits, is_probability, logits_of, scores_and_logits
    from latentlab.scorers.mouth import MouthGeometry
    from latentlab.scorers.relations import check_related, load_related, related
    from latentlab.scorers.scorer_set import ScorerSet
    from latentlab.scorers.scores import (
        check_classes,
        check_score,
        is_positive,
        label_scores,
        score_column,
        score_images,
        scored_channels,
        takes_square,
        threshold_of,
    )
    from latentlab.scorers.threshold import (
        AnyThreshold,
        LabelCounts,
        Threshold,
        ThresholdLike,
        Thresholds,
        count_labels,
        parse_threshold,
    )

__all__ = [
    "EXPRESSIONS",
    "FFHQ_FACE",
    "AnyThreshold",
    "AttributeScorer",
    "AttributeSet",
    "ExpressionScorer",
    "FaceCrop",
    "FaceGeometry",
    "FunctionScorer",
    "LabelCounts",
    "Lighting",
    "MouthGeometry",
    "Scorer",
    "ScorerSet",
    "Threshold",
    "ThresholdLike",
    "Thresholds",
    "all_logits",
    "check_classes",
    "check_related",
    "check_score",
    "count_labels",
    "default_scorer",
    "is_positive",
    "is_probability",
    "scores_and_logits",
    "label_scores",
    "load_attributes",
    "load_related",
    "load_scorer",
    "logits_of",
    "parse_threshold",
    "related",
    "score_column",
    "score_images",
    "scored_channels",
    "takes_square",
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
            "geometry": ("FaceGeometry",),
            "lighting": ("Lighting",),
            "loading": ("default_scorer", "load_scorer"),
            "logits": ("all_logits", "is_probability", "scores_and_logits", "logits_of"),
            "mouth": ("MouthGeometry",),
            "scorer_set": ("ScorerSet",),
            "relations": ("check_related", "load_related", "related"),
            "scores": (
                "check_classes",
                "check_score",
                "is_positive",
                "label_scores",
                "score_column",
                "score_images",
                "scored_channels",
                "takes_square",
                "threshold_of",
            ),
            "threshold": (
                "AnyThreshold",
                "LabelCounts",
                "Threshold",
                "ThresholdLike",
                "Thresholds",
                "count_labels",
                "parse_threshold",
            ),
        },
    )
