"""Figures, drawn by matplotlib's objects: no window, no state that other code could meet."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from matplotlib.figure import Figure
from numpy.typing import NDArray
from torch import Tensor

from latentlab.errors import UserError
from latentlab.files import atomic_path

# Colour-blind safe (Okabe & Ito 2008): blue, vermilion, green, purple.
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7")
INK = "#222222"
PALE = "#6E6E6E"

# Lengths of the walk figure in inches.
_CELL = 1.2
_GAP = 0.05
_SCORE = 0.2  # the line of numbers under each row
_TITLE = 0.3  # the column of row titles
_HEADER = 0.42  # strengths and the arrow above them
_MARGIN = 0.06


def walk_figure(
    pictures: Tensor,
    scores: NDArray[Any],
    strengths: Sequence[float],
    row_titles: Sequence[str],
    path: str | Path,
    score_name: str = "score",
    dpi: int = 150,
) -> None:
    """Draw a row a face, a column a strength, and the score under each picture.

    The column of strength 0 is framed and called unedited.

    Parameters
    ----------
    pictures
        `(faces, strengths, 3, h, w)` in [-1, 1].
    scores
        `(faces, strengths)`.
    strengths
        `(strengths,)`, in units of w.
    row_titles
        `(faces,)`.
    path
        The file; its suffix chooses the format (.png, .pdf, .svg).
    score_name
        What the numbers are.
    dpi
        Pixels an inch; a picture is 1.2 inches wide.

    Raises
    ------
    UserError
        If the format is unknown or the file cannot be written.
    """
    faces, columns = pictures.shape[:2]
    scores = np.asarray(scores)
    if scores.shape != (faces, columns) or (len(row_titles), len(strengths)) != (faces, columns):
        raise ValueError(
            f"{faces} × {columns} pictures need as many scores (got {scores.shape}), "
            f"{columns} strengths (got {len(strengths)}) and {faces} titles (got {len(row_titles)})"
        )
    width = _MARGIN + _TITLE + columns * (_CELL + _GAP) - _GAP + _MARGIN
    height = _HEADER + faces * (_CELL + _SCORE + _GAP) + _MARGIN
    figure = Figure(figsize=(width, height), dpi=dpi, facecolor="white")
    thumbnails = _thumbnails(pictures, round(_CELL * dpi))
    for row in range(faces):
        bottom = height - _HEADER - row * (_CELL + _SCORE + _GAP) - _CELL
        figure.text(
            (_MARGIN + _TITLE / 2) / width, (bottom + _CELL / 2) / height, row_titles[row],
            rotation=90, ha="center", va="center", fontsize=8, color=PALE,
        )  # fmt: skip
        for column in range(columns):
            left = _MARGIN + _TITLE + column * (_CELL + _GAP)
            axes = figure.add_axes((left / width, bottom / height, _CELL / width, _CELL / height))
            axes.imshow(thumbnails[row, column], aspect="auto", interpolation="antialiased")
            _frame(axes, unedited=strengths[column] == 0)
            figure.text(
                (left + _CELL / 2) / width, (bottom - _SCORE / 2) / height, _number(scores[row, column]),
                ha="center", va="center", fontsize=8, color=INK,
            )  # fmt: skip
    _header(figure, strengths, score_name, width, height)
    _save(figure, path, dpi)


def _thumbnails(pictures: Tensor, side: int) -> NDArray[np.float32]:
    """Pictures as matplotlib takes them, shrunk to `side`: `(faces, strengths, h, w, 3)` in [0, 1]."""
    faces, columns = pictures.shape[:2]
    flat = pictures.detach().float().cpu().flatten(0, 1)  # (faces · strengths, 3, h, w)
    if min(flat.shape[-2:]) > side:
        flat = torch.nn.functional.interpolate(flat, size=(side, side), mode="bicubic", antialias=True)
    flat = (flat / 2 + 0.5).clamp(0, 1).permute(0, 2, 3, 1)
    return flat.unflatten(0, (faces, columns)).numpy()


def _frame(axes: Any, unedited: bool) -> None:
    """No axes; a frame around the unedited picture."""
    axes.set_xticks([])
    axes.set_yticks([])
    for spine in axes.spines.values():
        spine.set_visible(unedited)
        spine.set_linewidth(2)
        spine.set_edgecolor(COLOURS[0])  # black would be lost on dark hair


def _header(figure: Figure, strengths: Sequence[float], score_name: str, width: float, height: float) -> None:
    """Strengths over the columns, and over them a line that says what the numbers are."""
    for column, strength in enumerate(strengths):
        middle = _MARGIN + _TITLE + column * (_CELL + _GAP) + _CELL / 2
        unedited = strength == 0
        figure.text(
            middle / width, (height - _HEADER + 0.09) / height,
            "unedited" if unedited else _signed(strength),
            ha="center", va="center", fontsize=9, color=INK, weight="bold" if unedited else "normal",
        )  # fmt: skip
    figure.text(
        (_MARGIN + _TITLE) / width, (height - 0.12) / height,
        f"Above: strength in units of w.  Below: {score_name}.",
        ha="left", va="center", fontsize=7, color=PALE,
    )  # fmt: skip


def _number(value: float) -> str:
    """Two digits behind the point, with a true minus sign."""
    return f"{value:.2f}".replace("-", "\N{MINUS SIGN}")


def _signed(value: float) -> str:
    """A strength with its sign: two digits behind the point, or of a small one its first two."""
    text = f"{value:+.2f}" if abs(value) >= 0.1 else f"{value:+.2g}"
    return text.replace("-", "\N{MINUS SIGN}")


def response_figure(
    curves: Mapping[str, tuple[Sequence[float] | NDArray[Any], NDArray[Any]]],
    path: str | Path,
    score_name: str = "score",
    dpi: int = 150,
) -> None:
    """Draw how the score moves with the strength: a line for the median face, a band for the quartiles.

    Parameters
    ----------
    curves
        By label, such as a direction's method: strengths `(s,)` in units of w, and scores `(faces, s)`.
    path
        The file; its suffix chooses the format (.png, .pdf, .svg).
    score_name
        What the scores are.
    dpi
        Pixels an inch; the figure is 4.5 by 3 inches.

    Raises
    ------
    UserError
        If the format is unknown or the file cannot be written.
    """
    figure = Figure(figsize=(4.5, 3.0), dpi=dpi, layout="constrained", facecolor="white")
    axes = figure.add_subplot()
    axes.axvline(0, color=PALE, linewidth=0.8, linestyle=(0, (4, 3)))
    for i, (label, (strengths, scores)) in enumerate(curves.items()):
        colour = COLOURS[i % len(COLOURS)]
        low, median, high = np.quantile(np.asarray(scores), [0.25, 0.5, 0.75], axis=0)  # (s,) each
        order = np.argsort(strengths)
        x = np.asarray(strengths)[order]
        axes.fill_between(x, low[order], high[order], color=colour, alpha=0.18, linewidth=0)
        axes.plot(x, median[order], color=colour, linewidth=1.6, marker="o", markersize=3.5, label=label)
    axes.set_xlabel("strength (units of w; 0 is unedited)", fontsize=9)
    axes.set_ylabel(f"{score_name} (median, quartiles)", fontsize=9)
    axes.tick_params(labelsize=8)
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(axis="y", color="#E3E3E3", linewidth=0.6)
    axes.set_axisbelow(True)
    if curves:
        axes.legend(frameon=False, fontsize=8)
    _save(figure, path, dpi)


def portrait_figure(
    titles: Sequence[str],
    crops: Tensor,
    photos: Sequence[Tensor | None],
    captions: Sequence[str],
    path: str | Path,
    dpi: int = 150,
) -> None:
    """Draw faces side by side, and under each the photo that it is in.

    Parameters
    ----------
    titles, captions
        Over each face, and under it.
    crops
        `(n, 3, r, r)` in [-1, 1].
    photos
        n of `(1, 3, h, w)` in [-1, 1], all of one shape; None leaves a place empty.
    path
        The file; its suffix chooses the format (.png, .pdf, .svg).
    dpi
        Pixels an inch; a face is 2.2 inches wide.

    Raises
    ------
    UserError
        If the format is unknown or the file cannot be written.
    """
    n, cell, line = len(crops), 2.2, 0.28
    height, width = next(photo.shape[2:] for photo in photos if photo is not None)
    tall = cell * min(height / width, 1.5)
    size = (n * (cell + _GAP) + _MARGIN, 2 * line + cell + tall + 2 * _MARGIN)
    figure = Figure(figsize=size, dpi=dpi, facecolor="white")
    for k in range(n):
        left = _MARGIN + k * (cell + _GAP)
        upper, photo = tall + line + _MARGIN, photos[k]
        for bottom, tallness, picture in ((upper, cell, crops[k : k + 1]), (_MARGIN, tall, photo)):
            if picture is not None:
                axes = figure.add_axes((left / size[0], bottom / size[1], cell / size[0], tallness / size[1]))
                axes.imshow((picture[0].float() / 2 + 0.5).clamp(0, 1).permute(1, 2, 0).numpy())
                axes.set_axis_off()
        for text, middle, colour in (
            (titles[k], upper + cell + line / 2, INK),
            (captions[k], upper - line / 2, PALE),
        ):
            place = ((left + cell / 2) / size[0], middle / size[1])
            figure.text(*place, text, ha="center", va="center", fontsize=9, color=colour)
    _save(figure, path, dpi)


def grid_figure(
    pictures: Tensor, columns: Sequence[str], rows: Sequence[str], path: str | Path, dpi: int = 150
) -> None:
    """Draw pictures `(rows, columns, 3, h, w)` in [-1, 1], with a title over each column and beside each row.

    A picture is 1.1 inches high. Several lines are a title's own matter.

    Raises
    ------
    UserError
        If the format is unknown or the file cannot be written.
    """
    count, width = pictures.shape[:2]
    high, left, top = 1.1, 0.12 + 0.075 * max(len(line) for row in rows for line in row.split("\n")), _TITLE
    wide = high * pictures.shape[4] / pictures.shape[3]
    size = (left + width * (wide + _GAP) + _MARGIN, top + count * (high + _GAP) + _MARGIN)
    figure = Figure(figsize=size, dpi=dpi, facecolor="white")
    for i in range(count):
        bottom = size[1] - top - (i + 1) * (high + _GAP)
        for j in range(width):
            x = left + j * (wide + _GAP)
            axes = figure.add_axes((x / size[0], bottom / size[1], wide / size[0], high / size[1]))
            axes.imshow((pictures[i, j].float() / 2 + 0.5).clamp(0, 1).permute(1, 2, 0).numpy())
            axes.set_axis_off()
            if i == 0:
                place = ((x + wide / 2) / size[0], 1 - top / 2 / size[1])
                figure.text(*place, columns[j], ha="center", va="center", fontsize=7, color=INK)
        middle = (bottom + high / 2) / size[1]
        figure.text(0.06 / size[0], middle, rows[i], ha="left", va="center", fontsize=7, color=PALE)
    _save(figure, path, dpi)


def tradeoff_figure(
    curves: Mapping[str, Sequence[tuple[float, float]]],
    points: Mapping[str, tuple[float, float]],
    labels: tuple[str, str],
    path: str | Path,
    dpi: int = 150,
) -> None:
    """Draw what is gained against what is kept: a line for what has a strength, a point for what has none.

    Parameters
    ----------
    curves, points
        (gained, kept) by name; a curve goes from weak to strong.
    labels
        Of the two axes.
    path, dpi
        As everywhere.

    Raises
    ------
    UserError
        If the format is unknown or the file cannot be written.
    """
    figure = Figure(figsize=(5.2, 3.6), dpi=dpi, facecolor="white", layout="constrained")
    axes = figure.subplots()
    for k, (name, line) in enumerate(curves.items()):
        axes.plot(
            *zip(*line, strict=True), "o-", color=COLOURS[k % len(COLOURS)], markersize=3, linewidth=1, label=name
        )
    for k, (name, point) in enumerate(points.items()):
        axes.plot(*point, "sD^vP*X"[k % 7], color=INK, markersize=5, linestyle="none", label=name)
    axes.set_xlabel(labels[0])
    axes.set_ylabel(labels[1])
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(frameon=False, fontsize=7)
    _save(figure, path, dpi)


def interval_figure(
    panels: Mapping[str, Mapping[str, tuple[float, float, float]]], path: str | Path, dpi: int = 150
) -> None:
    """Draw a panel a figure: a line a method, from the low to the high end of its interval, with a dot at the mean.

    Parameters
    ----------
    panels
        By title, and in it by method: (mean, low, high); one that is NaN is left out.
    path, dpi
        As everywhere.

    Raises
    ------
    UserError
        If the format is unknown or the file cannot be written.
    """
    columns = 3
    rows = -(-len(panels) // columns)
    names = list(dict.fromkeys(name for panel in panels.values() for name in panel))
    height = 0.5 + 0.2 * len(names)
    figure = Figure(figsize=(9.0, rows * height), dpi=dpi, facecolor="white", layout="constrained")
    grid = figure.subplots(rows, columns, squeeze=False, sharey=True)
    for axes, (title, panel) in zip(grid.flat, panels.items(), strict=False):
        for name, (mean, low, high) in panel.items():
            if np.isfinite(mean):
                place = len(names) - 1 - names.index(name)
                axes.plot([low, high], [place, place], color=COLOURS[0], linewidth=1.5, solid_capstyle="butt")
                axes.plot(mean, place, "o", color=COLOURS[0], markersize=3.5)
        axes.set_title(textwrap.fill(title, 40), fontsize=7, color=INK)
        axes.set_yticks(range(len(names)), reversed(names), fontsize=7)
        axes.tick_params(axis="x", labelsize=6)
        axes.spines[["top", "right"]].set_visible(False)
        axes.grid(axis="y", color="#EEEEEE", linewidth=0.5)
    for axes in grid.flat[len(panels) :]:
        axes.set_visible(False)
    _save(figure, path, dpi)


def _save(figure: Figure, path: str | Path, dpi: int) -> None:
    known = figure.canvas.get_supported_filetypes()
    suffix = Path(path).suffix.lower().lstrip(".")
    if suffix not in known:
        raise UserError(f"cannot draw {path}: a figure's name ends in one of {', '.join(sorted(known))}")
    with atomic_path(path) as temporary:
        figure.savefig(temporary, dpi=dpi)
