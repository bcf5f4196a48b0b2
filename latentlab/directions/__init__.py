"""Directions in latent space: find them, judge them, save and load them."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from latentlab.directions.conditional import conditional  # at once: later its module would take the name's place
from latentlab.directions.direction import Direction, Space, Statistic, cosine, directions_of

if TYPE_CHECKING:
    from latentlab.directions.finders import Finder, LinearSVM, MeanDifference, RidgeOnLogit, Target
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
    "Statistic",
    "Target",
    "card_figures",
    "conditional",
    "cosine",
    "directions_of",
    "evaluate",
    "fit",
    "load_direction",
]

# Finders import scikit-learn, which takes a second or two; editing along a known direction does without it.
_MODULES = {
    "finders": ("Finder", "LinearSVM", "MeanDifference", "RidgeOnLogit", "Target"),
    "fitting": ("Fit", "fit"),
    "shipped": ("load_direction",),
    "statistics": ("DirectionStatistics", "card_figures", "evaluate"),
}
_LATER = {name: module for module, names in _MODULES.items() for name in names}

if not TYPE_CHECKING:  # where a type checker sees it, it takes any name for an attribute

    def __getattr__(name: str) -> Any:
        if name not in _LATER:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        return getattr(import_module(f"{__name__}.{_LATER[name]}"), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
