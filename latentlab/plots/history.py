"""The course of training: a panel for each of its figures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from numpy.typing import NDArray

from latentlab.plots.style import COLOURS, INK, PALE, new_figure

_COLUMNS = 4
_SMOOTH = 25  # rows that the line over the single values is a mean of


def history_figure(rows: Sequence[Mapping[str, Any]], across: str, dpi: int = 150) -> Figure:
    """Draw the rows of a `history.csv`: each column but those of the progress in a panel of its own.

    Single values are pale, and a running mean over them is dark; where there are few, they are joined.

    Parameters
    ----------
    rows
        Rows by column, at least one, of numbers or their text; a cell may be empty or missing.
    across
        Column of the horizontal axis. It and those before it are not drawn, nor are those that stay the same.
    dpi
        Pixels per inch; the figure is 10 inches wide.
    """
    names = list(dict.fromkeys(name for row in rows for name in row))
    later = names[names.index(across) + 1 :]
    columns = {name: np.array([_number(row.get(name, "")) for row in rows]) for name in (across, *later)}
    shown = [name for name in later if len(np.unique(columns[name][np.isfinite(columns[name])])) > 1]
    height = max(1, -(-len(shown) // _COLUMNS))
    figure = new_figure(10.0, 1.7 * height + 0.3, dpi, layout="constrained")
    panels = figure.subplots(height, _COLUMNS, squeeze=False).flat
    for name, axes in zip(shown, panels, strict=False):
        known = np.isfinite(columns[name])
        _draw(axes, name, columns[across][known], columns[name][known])
    for axes in panels:  # those that are left over: the iterator goes on
        axes.set_visible(False)
    figure.supxlabel(across, fontsize=8)
    return figure


def _number(cell: Any) -> float:
    return float("nan" if cell == "" else cell)


def _draw(axes: Axes, title: str, x: NDArray[np.float64], values: NDArray[np.float64]) -> None:
    if len(values) > 2 * _SMOOTH:
        axes.plot(x, values, color=PALE, linewidth=0.5, alpha=0.5)
        kernel = np.full(_SMOOTH, 1 / _SMOOTH)
        middle = slice(_SMOOTH // 2, len(x) - _SMOOTH + 1 + _SMOOTH // 2)
        axes.plot(x[middle], np.convolve(values, kernel, "valid"), color=COLOURS[0], linewidth=1.2)
    else:
        axes.plot(x, values, "o-", color=COLOURS[0], markersize=2.5, linewidth=1.2)
    axes.set_title(title, fontsize=8, color=INK)
    axes.tick_params(labelsize=6)
    axes.xaxis.set_major_locator(MaxNLocator(4))
    axes.yaxis.set_major_locator(MaxNLocator(4))
    axes.spines[["top", "right"]].set_visible(False)
