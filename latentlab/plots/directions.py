"""Figures of directions: success against strength, identity against success, and what leaks where."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from latentlab.plots.style import INK, PALE, new_figure

# Colour-blind safe (Okabe & Ito 2008); with a style each they tell 28 lines apart.
_COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#222222")
_STYLES = ("-", "--", ":", "-.")
_MARKERS = "osD^vP*X"

Points = tuple[Sequence[float] | NDArray[Any], Sequence[float] | NDArray[Any]]


def success_figure(curves: Mapping[str, Points], target: float, judge: str, dpi: int = 150) -> Figure:
    """Draw the share of faces that get the attribute against the strength, a line per direction.

    Parameters
    ----------
    curves
        By direction: strengths in standard deviations of the population, and shares from 0 to 1.
    target
        Share at which directions are compared, drawn across.
    judge
        Name of the score that decides.
    dpi
        Pixels per inch; the figure is 8 inches wide.
    """
    figure, axes = _axes(len(curves), dpi)
    axes.axhline(target, color=PALE, linewidth=0.8, linestyle=(0, (4, 3)))
    _draw(axes, curves)
    axes.set_xlabel("strength, in standard deviations of the population along the direction", fontsize=8)
    axes.set_ylabel(f"share of faces, by {judge}", fontsize=8)
    axes.set_ylim(-0.02, 1.02)
    _finish(figure, axes)
    return figure


def identity_figure(curves: Mapping[str, Points], points: Mapping[str, Points], judge: str, dpi: int = 150) -> Figure:
    """Draw the identity that is kept against the share of faces that get the attribute.

    Parameters
    ----------
    curves
        By direction: shares and mean identities at a series of strengths.
    points
        By direction, in the colours of its curve: those at strengths per face.
    judge
        Name of the score that decides.
    dpi
        Pixels per inch; the figure is 8 inches wide.
    """
    figure, axes = _axes(len(curves), dpi)
    _draw(axes, curves)
    for k, (name, (shares, identities)) in enumerate(points.items()):
        axes.plot(
            shares, identities, _MARKERS[k % len(_MARKERS)], color=_COLOURS[k % len(_COLOURS)],
            markersize=7, markeredgecolor="white", label=f"{name}, per face",
        )  # fmt: skip
    axes.set_xlabel(f"share of faces that get the attribute, by {judge}", fontsize=8)
    axes.set_ylabel("identity kept (mean)", fontsize=8)
    _finish(figure, axes)
    return figure


def heat_figure(
    values: NDArray[np.float64], rows: Sequence[str], columns: Sequence[str], title: str, dpi: int = 150
) -> Figure:
    """Draw a matrix as colours, with its numbers.

    Parameters
    ----------
    values
        `(rows, columns)`, from 0 up, or with both signs for a scale around 0; NaN stays empty.
    rows, columns
        Titles.
    title
        What the numbers are.
    dpi
        Pixels per inch.

    Raises
    ------
    ValueError
        If the titles do not fit the values.
    """
    if values.shape != (len(rows), len(columns)):
        raise ValueError(f"{len(rows)} × {len(columns)} titles do not fit values {values.shape}")
    cell, left = 0.3, 0.35 + 0.07 * max(map(len, rows))
    wide = max(left + cell * len(columns) + 0.1, 3.5)
    title = textwrap.fill(title, int(wide / 0.055))
    top = 0.4 + 0.14 * len(title.splitlines()) + 0.065 * max(map(len, columns))
    figure = new_figure(wide, top + cell * len(rows) + 0.1, dpi)
    width, height = figure.get_size_inches()
    axes = figure.add_axes((left / width, 0.1 / height, cell * len(columns) / width, cell * len(rows) / height))
    both = bool(np.nanmin(values, initial=0) < 0)
    most = max(float(np.nanmax(np.abs(values), initial=0)), 1e-9)
    most = most if both else min(most, 2.0)  # so that an attribute that runs away leaves the others their colours
    axes.imshow(values, cmap="RdBu_r" if both else "Blues", vmin=-most if both else 0, vmax=most, aspect="auto")
    for i, j in np.argwhere(np.isfinite(values)):
        dark = abs(values[i, j]) > 0.6 * most
        axes.text(
            j, i, f"{values[i, j]:.2f}".replace("0.", ".").replace("-", "\N{MINUS SIGN}"),
            ha="center", va="center", fontsize=5.5, color="white" if dark else INK,
        )  # fmt: skip
    axes.set_xticks(range(len(columns)), [name.replace("_", " ") for name in columns], rotation=90, fontsize=6.5)
    axes.set_yticks(range(len(rows)), rows, fontsize=6.5)
    axes.xaxis.tick_top()
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)
    figure.text(0.05 / width, 1 - 0.08 / height, title, fontsize=7.5, color=INK, ha="left", va="top")
    return figure


def _axes(lines: int, dpi: int) -> tuple[Figure, Axes]:
    figure = new_figure(8.0, max(3.4, 0.6 + 0.2 * lines), dpi, layout="constrained")
    return figure, figure.add_subplot()


def _draw(axes: Axes, curves: Mapping[str, Points]) -> None:
    for k, (name, (x, y)) in enumerate(curves.items()):
        colour, style = _COLOURS[k % len(_COLOURS)], _STYLES[k // len(_COLOURS) % len(_STYLES)]
        axes.plot(x, y, style, color=colour, marker="o", markersize=3, linewidth=1.3, label=name)


def _finish(figure: Figure, axes: Axes) -> None:
    axes.tick_params(labelsize=7)
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(color="#EEEEEE", linewidth=0.5)
    axes.set_axisbelow(True)
    if axes.lines:
        figure.legend(loc="outside right upper", frameon=False, fontsize=7)
