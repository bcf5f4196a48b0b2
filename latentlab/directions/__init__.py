"""Directions in latent space: finding them, judging them, keeping them."""

from latentlab.directions.conditional import conditional
from latentlab.directions.direction import Direction, Space, cosine
from latentlab.directions.finders import Finder, LinearSVM, MeanDifference, RidgeOnLogit
from latentlab.directions.statistics import DirectionStatistics, card_figures, evaluate

__all__ = [
    "Direction",
    "DirectionStatistics",
    "Finder",
    "LinearSVM",
    "MeanDifference",
    "RidgeOnLogit",
    "Space",
    "card_figures",
    "conditional",
    "cosine",
    "evaluate",
]
