"""Polygons as pixels: by the even-odd rule, from where their edges cross the middles of the rows.

That visits each row of each edge and each pixel once, where testing each pixel against each edge takes their product.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from latentlab.errors import UserError

_MOST_CROSSINGS = 1 << 22  # of edges with rows: those of any outline drawn by hand are a hundred times fewer


def fill(corners: Sequence[tuple[float, float]], height: int, width: int) -> NDArray[np.bool_]:
    """Fill a polygon: a pixel is inside if its middle is, `(h, w)`.

    Parameters
    ----------
    corners
        x and y of the corners in pixels, in order; the last is joined to the first.
    height, width
        Size of the picture.

    Raises
    ------
    UserError
        If its edges cross the rows of the picture millions of times.
    """
    ends = np.asarray(corners, np.float64).T
    (x, y), (next_x, next_y) = ends, np.roll(ends, -1, axis=1)
    # An edge crosses row r if r + ½ lies between its ends, the upper one included.
    first, last = (
        np.clip(np.ceil(at - 0.5), 0, height).astype(int) for at in (np.minimum(y, next_y), np.maximum(y, next_y))
    )
    crossed = last - first
    if crossed.sum() > _MOST_CROSSINGS:
        raise UserError(f"an outline crosses the rows of the picture {crossed.sum()} times: simplify it")
    edge = np.repeat(np.arange(len(crossed)), crossed)
    row = first[edge] + np.arange(len(edge)) - np.repeat(np.cumsum(crossed) - crossed, crossed)
    slope = (next_x - x)[edge] / (next_y - y)[edge]
    crossing = x[edge] + (row + 0.5 - y[edge]) * slope
    column = np.clip(np.ceil(crossing - 0.5), 0, width).astype(int)
    turns = np.zeros((height, width + 1), np.uint8)  # at each pixel the edges between it and the one before; mod 256
    np.add.at(turns, (row, column), 1)
    return np.bitwise_and(np.add.accumulate(turns[:, :width], axis=1, dtype=np.uint8), 1).astype(bool)
