"""Directions in latent space: find them, judge them, save and load them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from latentlab.directions.direction import Direction, Space, Statistic, cosine
from stylegan2.lazy import lazy_names

if TYPE_CHECKING:
    from latentlab.directions.confidence import (
        Comparison,
        CurvePoint,
        bootstrap_cosine,
        compare_decisions,
        learning_curve,
    )
    from latentlab.directions.edits import Edits
    from latentlab.directions.explaining import Explanation, explain
    from latentlab.directions.exporting import export_direction
    from latentlab.directions.finders import (
        LDA,
        Classifier,
        Conditional,
        Finder,
        GANSpace,
        InterFaceGAN,
        LinearSVM,
        Logistic,
        MeanDifference,
        RidgeOnLogit,
        Target,
    )
    from latentlab.directions.fitting import Fit, fit, fit_many
    from latentlab.directions.matching import match_layers
    from latentlab.directions.naming import Association, NamedComponent, name_components
    from latentlab.directions.needs import Needs
    from latentlab.directions.of_finders import directions_of
    from latentlab.directions.optimised import Optimised
    from latentlab.directions.response import Response
    from latentlab.directions.sefa import SeFa
    from latentlab.directions.shipped import load_direction, shipped_directions
    from latentlab.directions.statistics import DirectionStatistics, card_figures, evaluate
    from latentlab.directions.style_channels import StyleCorrelation, StyleZScore
    from latentlab.directions.style_svm import StyleSVM
    from latentlab.directions.styles import StyleChannels, StyleSpace
    from latentlab.directions.through_generator import MeanGradient, StyleGradient, face_direction
    from latentlab.directions.typicality import Typicality

__all__ = [
    "Association",
    "Classifier",
    "Comparison",
    "Conditional",
    "CurvePoint",
    "Direction",
    "DirectionStatistics",
    "Edits",
    "Explanation",
    "Finder",
    "Fit",
    "GANSpace",
    "InterFaceGAN",
    "LDA",
    "LinearSVM",
    "Logistic",
    "MeanDifference",
    "MeanGradient",
    "NamedComponent",
    "Needs",
    "Optimised",
    "Response",
    "RidgeOnLogit",
    "SeFa",
    "Space",
    "Statistic",
    "StyleChannels",
    "StyleCorrelation",
    "StyleGradient",
    "StyleSVM",
    "StyleSpace",
    "StyleZScore",
    "Target",
    "Typicality",
    "bootstrap_cosine",
    "card_figures",
    "compare_decisions",
    "cosine",
    "directions_of",
    "evaluate",
    "explain",
    "export_direction",
    "face_direction",
    "fit",
    "fit_many",
    "learning_curve",
    "load_direction",
    "match_layers",
    "name_components",
    "shipped_directions",
]

# Finders import scikit-learn, which takes a second or two; editing along a known direction does without it.
if not TYPE_CHECKING:
    __getattr__, __dir__ = lazy_names(
        __name__,
        {
            "finders": (
                "Classifier",
                "Conditional",
                "Finder",
                "GANSpace",
                "InterFaceGAN",
                "LDA",
                "LinearSVM",
                "Logistic",
                "MeanDifference",
                "RidgeOnLogit",
                "Target",
            ),
            "confidence": (
                "Comparison",
                "CurvePoint",
                "bootstrap_cosine",
                "compare_decisions",
                "learning_curve",
            ),
            "edits": ("Edits",),
            "exporting": ("export_direction",),
            "explaining": ("Explanation", "explain"),
            "fitting": ("Fit", "fit", "fit_many"),
            "naming": ("Association", "NamedComponent", "name_components"),
            "needs": ("Needs",),
            "matching": ("match_layers",),
            "of_finders": ("directions_of",),
            "optimised": ("Optimised",),
            "sefa": ("SeFa",),
            "response": ("Response",),
            "shipped": ("load_direction", "shipped_directions"),
            "statistics": ("DirectionStatistics", "card_figures", "evaluate"),
            "style_channels": ("StyleCorrelation", "StyleZScore"),
            "style_svm": ("StyleSVM",),
            "styles": ("StyleChannels", "StyleSpace"),
            "typicality": ("Typicality",),
            "through_generator": ("MeanGradient", "StyleGradient", "face_direction"),
        },
    )
