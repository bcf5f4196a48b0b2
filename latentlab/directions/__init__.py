"""Directions in latent space: finding them, judging them, keeping them."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from latentlab.directions.conditional import conditional
from latentlab.directions.direction import Direction, Space, cosine

if TYPE_CHECKING:
    from latentlab.directions.finders import Finder, LinearSVM, MeanDifference, RidgeOnLogit
    from latentlab.directions.fitting import Fit, fit
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
    "card_figures",
    "conditional",
    "cosine",
    "evaluate",
    "fit",
    "load_direction",
]

# They import scikit-learn, which takes a second or two, and whoever edits along a known direction does without it.
_LATER = {
    **dict.fromkeys(("Finder", "LinearSVM", "MeanDifference", "RidgeOnLogit"), "finders"),
    **dict.fromkeys(("Fit", "fit"), "fitting"),
    "load_direction": "shipped",
    **dict.fromkeys(("DirectionStatistics", "card_figures", "evaluate"), "statistics"),
}


def __getattr__(name: str) -> Any:
    if name not in _LATER:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_LATER[name]}"), name)
