"""Directions in latent space: find them, judge them, save and load them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from latentlab.directions.conditional import conditional  # at once: later its module would take the name's place
from latentlab.directions.direction import Direction, Space, Statistic, cosine, directions_of
from stylegan2.lazy import lazy_names

if TYPE_CHECKING:
    from latentlab.directions.finders import Finder, LinearSVM, MeanDifference, RidgeOnLogit, Target
    from latentlab.directions.fitting import Fit, fit
    from latentlab.directions.matching import match_layers
    from latentlab.directions.shipped import load_direction
    from latentlab.directions.statistics import DirectionStatistics, card_figures, evaluate

__all__ = [
    "Direction",
    "DirectionStatistics",
    "Finder",
    "Fit",
    "LinearSVM",
    "MeanDifference",
    "RidgeOnLogit",
    "Space",
    "Statistic",
    "Target",
    "card_figures",
    "conditional",
    "cosine",
    "directions_of",
    "evaluate",
    "fit",
    "load_direction",
    "match_layers",
]

# Finders import scikit-learn, which takes a second or two; editing along a known direction does without it.
if not TYPE_CHECKING:
    __getattr__, __dir__ = lazy_names(
        __name__,
        {
            "finders": ("Finder", "LinearSVM", "MeanDifference", "RidgeOnLogit", "Target"),
            "fitting": ("Fit", "fit"),
            "matching": ("match_layers",),
            "shipped": ("load_direction",),
            "statistics": ("DirectionStatistics", "card_figures", "evaluate"),
        },
    )
