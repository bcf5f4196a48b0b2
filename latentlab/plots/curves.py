"""Figures of scores: the response to the strength, gain against loss, and intervals of all metrics."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator, NullLocator
from numpy.typing import NDArray

from latentlab.plots.style import COLOURS, INK, PALE, new_figure

_COLUMNS = 3  # panels of intervals side by side


def response_figure(
    curves: Mapping[str, tuple[Sequence[float] | NDArray[Any], NDArray[Any]]],
    score_name: str = "score",
    dpi: int = 150,
) -> Figure:
    """Draw how the score moves with the strength: a line for the median face, a band for the quartiles.

    Parameters
    ----------
    curves
        By label, such as a direction's method: strengths `(s,)` in its units, and scores `(faces, s)`.
    score_name
        Name of the score.
    dpi
        Pixels per inch; the figure is 4.5 by 3 inches.

    Raises
    ------
    ValueError
        If scores do not fit their strengths.
    """
    for label, (strengths, scores) in curves.items():
        if np.ndim(scores) != 2 or np.shape(scores)[1] != len(strengths):
            raise ValueError(f"scores of {label} must be (faces, {len(strengths)}), not {np.shape(scores)}")
    figure = new_figure(4.5, 3.0, dpi, layout="constrained")
    axes = figure.add_subplot()
    axes.axvline(0, color=PALE, linewidth=0.8, linestyle=(0, (4, 3)))
    for i, (label, (strengths, scores)) in enumerate(curves.items()):
        _draw_response(axes, label, np.asarray(strengths), np.asarray(scores), COLOURS[i % len(COLOURS)])
    axes.set_xlabel("strength (0 is unedited)", fontsize=9)
    axes.set_ylabel(f"{score_name} (median, quartiles)", fontsize=9)
    axes.tick_params(labelsize=8)
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(axis="y", color="#E3E3E3", linewidth=0.6)
    axes.set_axisbelow(True)
    if curves:
        axes.legend(frameon=False, fontsize=8)
    return figure


def _draw_response(axes: Axes, label: str, strengths: NDArray[Any], scores: NDArray[Any], colour: str) -> None:
    low, median, high = np.quantile(scores, [0.25, 0.5, 0.75], axis=0)  # (s,) each
    order = np.argsort(strengths)
    x = strengths[order]
    axes.fill_between(x, low[order], high[order], color=colour, alpha=0.18, linewidth=0)
    axes.plot(x, median[order], color=colour, linewidth=1.6, marker="o", markersize=3.5, label=label)


def tradeoff_figure(
    curves: Mapping[str, Sequence[tuple[float, float]]],
    points: Mapping[str, tuple[float, float]],
    labels: tuple[str, str],
    dpi: int = 150,
) -> Figure:
    """Draw what an edit gains against what it keeps: a line for methods with a strength, a point for those without.

    Parameters
    ----------
    curves, points
        (gained, kept) by method; a curve goes from weak to strong. What is NaN is left out, and so is a method of
        which nothing is left.
    labels
        Labels of the horizontal and the vertical axis.
    dpi
        Pixels per inch; the figure is 6.4 by 3.6 inches.
    """
    figure = new_figure(6.4, 3.6, dpi, layout="constrained")
    axes = figure.add_subplot()
    for k, (name, line) in enumerate(curves.items()):
        known = [point for point in line if np.isfinite(point).all()]
        if known:
            gained, kept = zip(*known, strict=True)
            axes.plot(gained, kept, "o-", color=COLOURS[k % len(COLOURS)], markersize=3.5, linewidth=1.2, label=name)
    for k, (name, point) in enumerate(points.items()):
        if np.isfinite(point).all():
            axes.plot(*point, "sD^vP*X"[k % 7], color=INK, markersize=5, linestyle="none", label=name)
    axes.set_xlabel(labels[0], fontsize=9)
    axes.set_ylabel(labels[1], fontsize=9)
    axes.tick_params(labelsize=8)
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(color="#EEEEEE", linewidth=0.5)
    axes.set_axisbelow(True)
    if axes.lines:
        figure.legend(loc="outside right upper", frameon=False, fontsize=8)
    return figure


def interval_figure(panels: Mapping[str, Mapping[str, tuple[float, float, float]]], dpi: int = 150) -> Figure:
    """Draw a panel per metric: a line per method from end to end of its interval, with a dot at the mean.

    Parameters
    ----------
    panels
        By title, and in each by method: (mean, low, high). A method whose mean is NaN is marked unknown.
    dpi
        Pixels per inch; the figure is 9 inches wide.
    """
    rows = -(-len(panels) // _COLUMNS)
    names = list(dict.fromkeys(name for panel in panels.values() for name in panel))
    figure = new_figure(9.0, rows * (0.5 + 0.2 * len(names)), dpi, layout="constrained")
    grid = figure.subplots(rows, _COLUMNS, squeeze=False, sharey=True)
    for axes, (title, panel) in zip(grid.flat, panels.items(), strict=False):
        _draw_intervals(axes, title, panel, names)
    for axes in grid.flat[len(panels) :]:
        axes.set_visible(False)
    return figure


def _draw_intervals(
    axes: Axes, title: str, panel: Mapping[str, tuple[float, float, float]], names: Sequence[str]
) -> None:
    for name, (mean, low, high) in panel.items():
        place = len(names) - 1 - names.index(name)
        if np.isfinite(mean):
            axes.plot([low, high], [place, place], color=COLOURS[0], linewidth=1.5, solid_capstyle="butt")
            axes.plot(mean, place, "o", color=COLOURS[0], markersize=3.5)
        else:
            across = axes.get_yaxis_transform()
            axes.text(0.02, place, "unknown", transform=across, fontsize=6, color=PALE, va="center")
    axes.set_ylim(-0.6, len(names) - 0.4)
    axes.xaxis.set_major_locator(MaxNLocator(5) if axes.lines else NullLocator())
    axes.set_title(textwrap.fill(title, 44), fontsize=7, color=INK)
    axes.set_yticks(range(len(names)), list(reversed(names)), fontsize=7)
    axes.tick_params(axis="x", labelsize=6)
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(axis="y", color="#EEEEEE", linewidth=0.5)
