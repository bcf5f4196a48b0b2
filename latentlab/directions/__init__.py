"""Directions in latent space: finding them, judging them, keeping them."""

from .direction import Direction, Space, cosine
from .finders import Finder, LinearSVM, MeanDifference, RidgeOnLogit
from .statistics import DirectionStatistics, evaluate

__all__ = [
    "Direction",
    "DirectionStatistics",
    "Finder",
    "LinearSVM",
    "MeanDifference",
    "RidgeOnLogit",
    "Space",
    "cosine",
    "evaluate",
]
