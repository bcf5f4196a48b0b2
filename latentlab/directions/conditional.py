"""Conditional directions, which change one attribute and spare others.

Shen et al. 2020, "Interpreting the Latent Space of GANs for Semantic Face Editing", section 3.3 and its extension to
several conditions.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from latentlab.directions.direction import Direction, longest_row
from latentlab.errors import UserError

# Below this share of its length, a direction consists of the conditions and nothing else.
_LEAST = 0.05


def conditional(direction: Direction, conditions: Sequence[Direction]) -> Direction:
    r"""Make a direction orthogonal to all `conditions`, so that moving along it changes them less.

    .. math:: n' = n - C^\top (C\,C^\top)^{-1} C\,n

    with the conditions as rows of C, scaled to unit length; conditions may be linearly dependent. A direction with a
    row a layer counts as one long vector. What was known of the direction before, sigma, intercept, strength range and
    statistics, is dropped, and the share of its length that is left is kept as the statistic `left`.

    Parameters
    ----------
    direction
        Direction to change.
    conditions
        Directions of one space, set of layers and generator with it. Without any, the direction is returned as it is.

    Raises
    ------
    UserError
        If a condition is of another generator, space, set of layers or length, or nothing is left of the direction.
    """
    for condition in conditions:
        for what in ("space", "layers", "generator"):
            own, other = getattr(direction, what), getattr(condition, what)
            if own != other:
                raise UserError(
                    f"{condition.attribute} is no condition for {direction.attribute}: its {what} is {other}, not {own}"
                )
        if condition.vector.shape != direction.vector.shape:
            sizes = f"{_size(condition)}, not {_size(direction)}"
            raise UserError(f"{condition.attribute} is no condition for {direction.attribute}: its length is {sizes}")
    if not conditions:
        return direction
    rows = np.stack([condition.vector.ravel() for condition in conditions]).astype(np.float64)
    vector = direction.vector.astype(np.float64)
    weights, *_ = np.linalg.lstsq(rows.T, vector.ravel(), rcond=None)
    rest = (vector.ravel() - rows.T @ weights).reshape(vector.shape)
    # A single vector has length 1 by definition; rows have it by the longest of them alone.
    left = float(np.linalg.norm(rest)) / (1.0 if vector.ndim == 1 else float(np.linalg.norm(vector)))
    names = ", ".join(condition.attribute for condition in conditions)
    if left < _LEAST:
        raise UserError(f"nothing is left of {direction.attribute} across {names}: it is made of them")
    return replace(
        direction,
        vector=(rest / longest_row(rest)).astype(np.float32),
        method=f"{direction.method} across {names}",
        sigma=None,
        intercept=None,
        strength_range=None,
        statistics={"left": left},
    )


def _size(direction: Direction) -> str:
    return "x".join(str(size) for size in direction.vector.shape)
