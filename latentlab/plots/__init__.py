"""Figures: each function returns a `matplotlib.figure.Figure`, which a notebook displays and `save_figure` writes.

They are drawn by matplotlib's objects: no window, and no state that other code could meet.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from latentlab.plots.curves import interval_figure, response_figure, tradeoff_figure
    from latentlab.plots.faces import grid_figure, portrait_figure, walk_figure
    from latentlab.plots.saving import FORMATS, check_format, save_figure

__all__ = [
    "FORMATS",
    "check_format",
    "grid_figure",
    "interval_figure",
    "portrait_figure",
    "response_figure",
    "save_figure",
    "tradeoff_figure",
    "walk_figure",
]

# matplotlib takes half a second to import.
_LATER = {
    **dict.fromkeys(("interval_figure", "response_figure", "tradeoff_figure"), "curves"),
    **dict.fromkeys(("grid_figure", "portrait_figure", "walk_figure"), "faces"),
    **dict.fromkeys(("FORMATS", "check_format", "save_figure"), "saving"),
}


def __getattr__(name: str) -> Any:
    if name not in _LATER:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_LATER[name]}"), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
