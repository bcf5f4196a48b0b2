"""From fitted finders to directions with a card."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from latentlab.directions.direction import Direction, Space, Statistic, longest_row
from latentlab.directions.styles import StyleSpace
from latentlab.errors import UserError


def directions_of(
    finder: object,
    x: NDArray[Any],
    attribute: str,
    statistics: dict[str, Statistic] | None = None,
    generator: str | None = None,
    scorer: str | None = None,
    styles: StyleSpace | None = None,
) -> tuple[Direction, ...]:
    """Make the directions of a fitted finder: one, or one for each of its components.

    Parameters
    ----------
    finder
        Fitted finder, with `direction_` or `components_`; see `latentlab.directions.Finder`.
    x
        Population from which sigma is computed, in the finder's space: `(n, w_dim)`, `(n, z_dim)`, or standardised
        styles `(n, C)`.
    attribute
        Attribute that grows along it; components are called ATTRIBUTE-0, ATTRIBUTE-1, …
    statistics, generator, scorer
        Entries of the cards.
    styles
        What x was standardised with, for a finder of space s. Channels that the finder leaves at 0 are left out.

    Raises
    ------
    UserError
        If the finder has neither, or vectors of other shapes or lengths than `Direction` takes.
    """
    components = getattr(finder, "components_", None)
    found = [getattr(finder, "direction_", None)] if components is None else list(components)
    vectors = [np.asarray(vector, dtype=np.float64) for vector in found if vector is not None]
    if not vectors:
        raise UserError(f"the finder {type(finder).__name__} has no direction_ and no components_; fit it first")
    intercept = getattr(finder, "intercept_", None)
    intercepts = [None] * len(vectors) if intercept is None else np.broadcast_to(intercept, len(vectors)).tolist()
    names = [attribute] if components is None else [f"{attribute}-{k}" for k in range(len(vectors))]
    card = {"method": type(finder).__name__, "generator": generator, "scorer": scorer}
    space = space_of(finder)
    return tuple(
        _with_space(vector, own, x, space, styles, {"attribute": name, "statistics": dict(statistics or {}), **card})
        for vector, own, name in zip(vectors, intercepts, names, strict=True)
    )


def space_of(finder: object) -> Space:
    """Space whose latents a finder learns from: its attribute `space`, or 'w'."""
    space: Space = getattr(finder, "space", "w")
    return space


def _with_space(
    vector: NDArray[np.float64],
    intercept: float | None,
    x: NDArray[Any],
    space: Space,
    styles: StyleSpace | None,
    card: dict[str, Any],
) -> Direction:
    """The direction of a vector in the coordinates that a finder of the space learns in."""
    if space != "s":
        if vector.ndim == 2:
            space = "w+"
        direction = Direction(vector.astype(np.float32), space=space, intercept=intercept, **card)
        return _with_sigma(direction, direction.coordinates(x))
    if styles is None or vector.shape != (len(styles),):
        wanted = "the style space that it learnt in" if styles is None else f"a vector of {len(styles)} style channels"
        raise UserError(f"the directions of {card['method']} take {wanted}, not {vector.shape}")
    moved = np.flatnonzero(vector * styles.scale)
    if len(moved) == 0 or not 0 < longest_row(vector[moved]) < np.inf:
        raise UserError(f"{card['method']} found no style channel that changes with {card['attribute']}")
    kept = (vector[moved] / np.linalg.norm(vector[moved])).astype(np.float32).astype(np.float64)
    channels = styles.channels(moved)
    if intercept is not None:  # the finder's coordinates are distances from the mean, the direction's are not
        intercept = intercept / float(np.linalg.norm(vector[moved]))
        intercept -= float(kept @ (styles.mean[moved] / channels.scales.astype(np.float64)))
    direction = Direction(kept.astype(np.float32), space="s", intercept=intercept, channels=channels, **card)
    return _with_sigma(direction, np.asarray(x, dtype=np.float64)[:, moved] @ kept)


def _with_sigma(direction: Direction, coordinates: NDArray[np.float64]) -> Direction:
    return replace(direction, sigma=float(np.std(coordinates)))
