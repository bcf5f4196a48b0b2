"""Directions for generators with another number of layers, and for some of the layers only."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from latentlab.directions.direction import Direction, longest_row
from latentlab.errors import UserError
from latentlab.latents import match_rows


def match_layers(direction: Direction, num_ws: int, layers: Sequence[int] | None = None) -> Direction:
    """Match a direction's rows to those of another generator, and choose the layers that it moves.

    Rows stand for the same resolutions in all StyleGAN2 generators: finer rows than the generator has are left out, and
    where it has finer ones the last row is repeated (`latentlab.latents.match_rows`).

    Parameters
    ----------
    direction
        Direction of space w or w+.
    num_ws
        Rows of the generator's ws.
    layers
        Rows of these that move; None for all that it moved.

    Returns
    -------
    Direction
        The direction for ws of `num_ws` rows. If the rows of a direction with one row per layer change, the longest of
        the new ones has length 1: `length` and `strength_range` follow, while sigma and intercept, which hold for all
        the old rows together, are dropped.

    Raises
    ------
    UserError
        If a layer is not among 0 … num_ws − 1, nothing is left to move, or layers are chosen for a direction of another
        space.
    """
    if layers is not None and direction.space in ("z", "s"):
        raise UserError(
            f"the {direction.attribute} direction is of space {direction.space} and moves no layers of ws: leave "
            "--layers out, or take a direction of w, such as smile-w"
        )
    outside = [layer for layer in layers or () if not 0 <= layer < num_ws]
    if outside:
        raise UserError(f"the generator's ws have the layers 0 to {num_ws - 1}, not {outside[0]}")
    if direction.vector.ndim == 2:
        rows = match_rows(direction.vector, num_ws)
        if layers is not None:
            rows[[row for row in range(num_ws) if row not in layers]] = 0
        return direction if np.array_equal(rows, direction.vector) else _with_rows(direction, rows)
    own = range(num_ws) if direction.layers is None else direction.layers
    kept = tuple(layer for layer in own if layer < num_ws and (layers is None or layer in layers))
    if not kept:
        raise _none_left(direction)
    return replace(direction, layers=None if len(kept) == num_ws else kept)


def _with_rows(direction: Direction, rows: NDArray[np.float32]) -> Direction:
    """The direction with other rows, scaled to length 1, and what of its card still holds."""
    left = longest_row(rows)
    if left == 0:
        raise _none_left(direction)
    length, away_towards = direction.length, direction.strength_range
    return replace(
        direction,
        vector=(rows / left).astype(np.float32),
        sigma=None,
        intercept=None,
        strength_range=None if away_towards is None else (left * away_towards[0], left * away_towards[1]),
        response=None,
        statistics=direction.statistics if length is None else {**direction.statistics, "length": length * left},
    )


def _none_left(direction: Direction) -> UserError:
    return UserError(f"the {direction.attribute} direction moves none of these layers")
