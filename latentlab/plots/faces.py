"""Figures of faces: walks along a direction, photos and their edits, grids."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray
from torch import Tensor

from latentlab.plots.style import COLOURS, GAP, INK, MARGIN, PALE, draw_image, new_figure, signed

# Lengths of the walk figure in inches.
_CELL = 1.2
_SCORE = 0.2  # the line of numbers under each row
_TITLE = 0.3  # the column of row titles
_HEADER = 0.42  # strengths and the line above them


def walk_figure(
    images: Tensor,
    scores: NDArray[Any],
    strengths: Sequence[float],
    row_titles: Sequence[str],
    score_name: str = "score",
    dpi: int = 150,
) -> Figure:
    """Draw a walk: a row per face, a column per strength, and the score under each image.

    The column of strength 0 is framed and labelled as unedited.

    Parameters
    ----------
    images
        `(faces, strengths, 3, h, w)` in [-1, 1].
    scores
        `(faces, strengths)`.
    strengths
        `(strengths,)`, in the direction's units.
    row_titles
        `(faces,)`.
    score_name
        Name of the score.
    dpi
        Pixels per inch; an image is 1.2 inches wide, and its height follows from its shape.

    Raises
    ------
    ValueError
        If images, scores, strengths and titles do not fit each other.
    """
    faces, columns = images.shape[:2]
    scores = np.asarray(scores)
    if scores.shape != (faces, columns) or (len(row_titles), len(strengths)) != (faces, columns):
        raise ValueError(
            f"{faces} × {columns} images need as many scores (got {scores.shape}), "
            f"{columns} strengths (got {len(strengths)}) and {faces} titles (got {len(row_titles)})"
        )
    tall = _CELL * (images.shape[3] / images.shape[4])
    width = MARGIN + _TITLE + columns * (_CELL + GAP) - GAP + MARGIN
    height = _HEADER + faces * (tall + _SCORE + GAP) + MARGIN
    figure = new_figure(width, height, dpi)
    thumbnails = _thumbnails(images, round(tall * dpi), round(_CELL * dpi))
    for row in range(faces):
        bottom = height - _HEADER - row * (tall + _SCORE + GAP) - tall
        figure.text(
            (MARGIN + _TITLE / 2) / width, (bottom + tall / 2) / height, row_titles[row],
            rotation=90, ha="center", va="center", fontsize=8, color=PALE,
        )  # fmt: skip
        _draw_row(figure, (bottom, tall), thumbnails[row], scores[row], strengths)
    _draw_header(figure, strengths, score_name)
    return figure


def _thumbnails(images: Tensor, height: int, width: int) -> NDArray[np.float32]:
    """Images as matplotlib takes them, shrunk to `height` and `width`: `(faces, strengths, h, w, 3)` in [0, 1]."""
    faces, columns = images.shape[:2]
    flat = images.detach().float().cpu().flatten(0, 1).expand(-1, 3, -1, -1)  # (faces · strengths, 3, h, w)
    if flat.shape[3] > width:
        flat = torch.nn.functional.interpolate(flat, size=(height, width), mode="bicubic", antialias=True)
    array: NDArray[np.float32] = (flat / 2 + 0.5).clamp(0, 1).permute(0, 2, 3, 1).numpy()
    return array.reshape(faces, columns, *array.shape[1:])


def _draw_row(
    figure: Figure,
    place: tuple[float, float],
    thumbnails: NDArray[Any],
    scores: NDArray[Any],
    strengths: Sequence[float],
) -> None:
    """Draw the images of one face, and their scores below them; `place` is the images' bottom and height in inches."""
    (bottom, tall), (width, height) = place, figure.get_size_inches()
    for column, strength in enumerate(strengths):
        left = MARGIN + _TITLE + column * (_CELL + GAP)
        axes = figure.add_axes((left / width, bottom / height, _CELL / width, tall / height))
        axes.imshow(thumbnails[column], aspect="auto", interpolation="antialiased")
        _frame(axes, unedited=strength == 0)
        figure.text(
            (left + _CELL / 2) / width, (bottom - _SCORE / 2) / height,
            f"{scores[column]:.2f}".replace("-", "\N{MINUS SIGN}"),
            ha="center", va="center", fontsize=8, color=INK,
        )  # fmt: skip


def _frame(axes: Axes, unedited: bool) -> None:
    """Hide the axes; frame the unedited image."""
    axes.set_xticks([])
    axes.set_yticks([])
    for spine in axes.spines.values():
        spine.set_visible(unedited)
        spine.set_linewidth(2)
        spine.set_edgecolor(COLOURS[0])  # black would be lost on dark hair


def _draw_header(figure: Figure, strengths: Sequence[float], score_name: str) -> None:
    """Write the strengths over the columns, and over them a line that says what the numbers are."""
    width, height = figure.get_size_inches()
    for column, strength in enumerate(strengths):
        middle = MARGIN + _TITLE + column * (_CELL + GAP) + _CELL / 2
        unedited = strength == 0
        figure.text(
            middle / width, (height - _HEADER + 0.09) / height,
            "unedited" if unedited else signed(strength),
            ha="center", va="center", fontsize=9, color=INK, weight="bold" if unedited else "normal",
        )  # fmt: skip
    figure.text(
        (MARGIN + _TITLE) / width, (height - 0.12) / height,
        f"Above: strength.  Below: {score_name}.",
        ha="left", va="center", fontsize=7, color=PALE,
    )  # fmt: skip


def portrait_figure(
    titles: Sequence[str],
    crops: Tensor,
    photos: Sequence[Tensor | None],
    captions: Sequence[str],
    dpi: int = 150,
) -> Figure:
    """Draw faces side by side, and under each the photo that it is in.

    Parameters
    ----------
    titles, captions
        `n` texts over the faces, and `n` under them.
    crops
        `(n, 3, r, r)` in [-1, 1].
    photos
        `n` photos `(1, 3, h, w)` in [-1, 1], all of one shape; None leaves a place empty.
    dpi
        Pixels per inch; a face is 2.2 inches wide.

    Raises
    ------
    ValueError
        If the numbers differ, or there is no photo at all.
    """
    n, cell, line = len(crops), 2.2, 0.28
    if not len(titles) == len(photos) == len(captions) == n:
        raise ValueError(f"{n} faces need {n} titles, photos and captions")
    shapes = [photo.shape[2:] for photo in photos if photo is not None]
    if not shapes:
        raise ValueError("a figure of photos needs one photo at least")
    tall = cell * min(shapes[0][0] / shapes[0][1], 1.5)
    upper = tall + line + MARGIN
    figure = new_figure(n * (cell + GAP) + MARGIN, 2 * line + cell + tall + 2 * MARGIN, dpi)
    width, height = figure.get_size_inches()
    for k, photo in enumerate(photos):
        left = MARGIN + k * (cell + GAP)
        draw_image(figure, crops[k], (left, upper, cell, cell))
        if photo is not None:
            draw_image(figure, photo[0], (left, MARGIN, cell, tall))
        middle = (left + cell / 2) / width
        for text, y, colour in ((titles[k], upper + cell + line / 2, INK), (captions[k], upper - line / 2, PALE)):
            figure.text(middle, y / height, text, ha="center", va="center", fontsize=9, color=colour)
    return figure


def grid_figure(images: Tensor, columns: Sequence[str], rows: Sequence[str], dpi: int = 150) -> Figure:
    """Draw a grid of images with a title over each column and beside each row.

    Parameters
    ----------
    images
        `(rows, columns, 3, h, w)` in [-1, 1].
    columns, rows
        Titles; one of several lines contains its own line breaks.
    dpi
        Pixels per inch; an image is 1.1 inches high.

    Raises
    ------
    ValueError
        If the titles do not fit the images.
    """
    if images.shape[:2] != (len(rows), len(columns)):
        raise ValueError(f"{len(rows)} × {len(columns)} titles do not fit images {tuple(images.shape)}")
    high, left, top = 1.1, 0.12 + 0.062 * max(len(line) for row in rows for line in row.split("\n")), _TITLE
    wide = high * images.shape[4] / images.shape[3]
    size = (left + len(columns) * (wide + GAP) + MARGIN, top + len(rows) * (high + GAP) + MARGIN)
    figure = new_figure(*size, dpi)
    for i, row in enumerate(rows):
        bottom = size[1] - top - (i + 1) * (high + GAP)
        for j, column in enumerate(columns):
            x = left + j * (wide + GAP)
            draw_image(figure, images[i, j], (x, bottom, wide, high))
            if i == 0:
                place = ((x + wide / 2) / size[0], 1 - top / 2 / size[1])
                figure.text(*place, column, ha="center", va="center", fontsize=7, color=INK)
        middle = (bottom + high / 2) / size[1]
        figure.text(0.06 / size[0], middle, row, ha="left", va="center", fontsize=7, color=PALE)
    return figure
