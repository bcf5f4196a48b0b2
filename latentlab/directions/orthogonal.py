"""Directions that are orthogonal to others, which change one attribute and spare the rest.

Shen et al. 2020, "Interpreting the Latent Space of GANs for Semantic Face Editing", section 3.3 and its extension to
several conditions.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from latentlab.directions.direction import Direction, Statistic, longest_row
from latentlab.errors import UserError

# Below this share of its length, a direction consists of the conditions and nothing else.
_LEAST = 0.05
# Statistics of the old direction's decisions, which say nothing about the new one.
_JUDGED = "held_out_"


def orthogonalise(direction: Direction, conditions: Sequence[Direction], w: NDArray[Any] | None = None) -> Direction:
    r"""Make a direction orthogonal to all `conditions`.

    .. math:: n' = n - C^\top (C\,C^\top)^{-1} C\,n

    with the conditions as rows of C; they may be linearly dependent. A direction with one row per layer counts as one
    long vector. In S only the direction's own channels move, in standardised units; those of a condition that it does
    not move do not matter.

    Its card is kept, except for held-out statistics, and the share of its length that is left is added as the statistic
    `left`. Strengths grow by as much: at the new end of the range the old coordinate has moved as far as before.

    Parameters
    ----------
    direction
        Direction to change.
    conditions
        Directions of the same space, set of layers and generator. Without any, the direction is returned as it is.
    w
        Population `(n, w_dim)` (or z) from which sigma and the intercept are computed anew: the hyperplane is the old
        one where the conditions have their means. Without it, sigma stays, and the hyperplane is the old one where the
        conditions are at their own hyperplanes; it is unknown if one of these is. Not in S.

    Raises
    ------
    UserError
        If a condition is of another generator, space, set of layers or length, or nothing is left of the direction.
    """
    for condition in conditions:
        _check_condition(direction, condition)
    if not conditions:
        return direction
    rows = np.stack([_in_shape_of(direction, condition) for condition in conditions])  # (conditions, numbers)
    vector = direction.vector.astype(np.float64)
    weights, *_ = np.linalg.lstsq(rows.T, vector.ravel(), rcond=None)
    rest = (vector.ravel() - rows.T @ weights).reshape(vector.shape)
    # A single vector has length 1 by definition; rows have it by the longest of them alone.
    left = float(np.linalg.norm(rest)) / float(np.linalg.norm(vector))
    names = ", ".join(condition.attribute for condition in conditions)
    if left < _LEAST:
        raise UserError(f"nothing is left of {direction.attribute} across {names}: it is made of them")
    scale = longest_row(rest)
    found = replace(
        direction,
        vector=(rest / scale).astype(np.float32),
        method=f"{direction.method} across {names}",
        intercept=_intercept(direction, conditions, weights, rest, w),
        strength_range=_widened(direction.strength_range, left),
        statistics=_statistics(direction, left),
        response=None,  # which was measured along the direction as it was
    )
    return found if w is None else replace(found, sigma=float(np.std(found.coordinates(w))))


def _check_condition(direction: Direction, condition: Direction) -> None:
    for what in ("space", "layers", "generator"):
        own, other = getattr(direction, what), getattr(condition, what)
        if own != other:
            raise UserError(
                f"{condition.attribute} is no condition for {direction.attribute}: its {what} is {other}, not {own}"
            )
    if direction.channels is None and condition.vector.shape != direction.vector.shape:
        sizes = f"{_size(condition)}, not {_size(direction)}"
        raise UserError(f"{condition.attribute} is no condition for {direction.attribute}: its length is {sizes}")


def _in_shape_of(direction: Direction, condition: Direction) -> NDArray[np.float64]:
    """The numbers of a condition that stand beside those of the direction, `(numbers,)`."""
    if direction.channels is None or condition.channels is None:
        return condition.vector.astype(np.float64).ravel()
    # Moved by a standard deviation of the direction's population, a channel counts in those of the condition's.
    theirs = dict(zip(condition.channels.names, condition.vector / condition.channels.scales, strict=True))
    own = zip(direction.channels.names, direction.channels.scales, strict=True)
    return np.array([theirs.get(name, 0.0) * scale for name, scale in own], dtype=np.float64)


def _intercept(
    direction: Direction,
    conditions: Sequence[Direction],
    weights: NDArray[np.float64],
    rest: NDArray[np.float64],
    w: NDArray[Any] | None,
) -> float | None:
    r"""Intercept of the direction r = n − Σ a_i c_i, scaled, whose hyperplane is n's where all c_i·w are fixed.

    With raw products, n·w = r·w + Σ a_i (c_i·w); coordinates are raw products over the vector's squared length.
    """
    if direction.intercept is None:
        return None
    offset = direction.intercept * float((direction.vector.astype(np.float64) ** 2).sum())
    for weight, condition in zip(weights.tolist(), conditions, strict=True):
        square = float((condition.vector.astype(np.float64) ** 2).sum())
        if w is not None:
            fixed = float(condition.coordinates(w).mean())
        elif condition.intercept is not None:
            fixed = -condition.intercept
        else:
            return None
        offset += weight * fixed * square
    return offset * longest_row(rest) / float((rest**2).sum())


def _widened(reach: tuple[float, float] | None, left: float) -> tuple[float, float] | None:
    return None if reach is None else (reach[0] / left, reach[1] / left)


def _statistics(direction: Direction, left: float) -> dict[str, Statistic]:
    kept = {name: value for name, value in direction.statistics.items() if not name.startswith(_JUDGED)}
    return {**kept, "left": left}


def _size(direction: Direction) -> str:
    return "x".join(str(size) for size in direction.vector.shape)
