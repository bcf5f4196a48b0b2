"""Figures: each function returns a `matplotlib.figure.Figure`, which a notebook displays and `save_figure` writes.

They are drawn with matplotlib's objects: no window, and no state that other code could run into.
"""

from typing import TYPE_CHECKING

from stylegan2.lazy import lazy_names

if TYPE_CHECKING:
    from latentlab.plots.curves import interval_figure, response_figure, tradeoff_figure
    from latentlab.plots.directions import heat_figure, identity_figure, success_figure
    from latentlab.plots.faces import grid_figure, portrait_figure, walk_figure
    from latentlab.plots.history import history_figure
    from latentlab.plots.saving import FORMATS, check_format, save_figure

__all__ = [
    "FORMATS",
    "check_format",
    "grid_figure",
    "heat_figure",
    "history_figure",
    "identity_figure",
    "interval_figure",
    "portrait_figure",
    "response_figure",
    "save_figure",
    "success_figure",
    "tradeoff_figure",
    "walk_figure",
]

# matplotlib takes half a second to import.
if not TYPE_CHECKING:
    __getattr__, __dir__ = lazy_names(
        __name__,
        {
            "curves": ("interval_figure", "response_figure", "tradeoff_figure"),
            "directions": ("heat_figure", "identity_figure", "success_figure"),
            "faces": ("grid_figure", "portrait_figure", "walk_figure"),
            "history": ("history_figure",),
            "saving": ("FORMATS", "check_format", "save_figure"),
        },
    )
