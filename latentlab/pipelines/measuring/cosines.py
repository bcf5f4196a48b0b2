"""Angles between directions of any spaces, by what they do to the styles."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from latentlab.directions import Direction, cosine
from latentlab.directions.describing import card_entries
from latentlab.directions.explaining import explain
from latentlab.errors import UserError
from latentlab.markdown import table
from stylegan2.protocol import Generator


def cosines_between(directions: Sequence[Direction], generator: Generator) -> NDArray[np.float64]:
    """Cosines of the angles between directions, `(n, n)`, in standardised styles.

    Directions of different spaces meet in S: each is traced to what strength 1 adds to the styles, in standard
    deviations of each channel, as `Direction.explain` does. Where the generator has no styles, directions of one space
    are compared there, and those of different spaces cannot be: NaN.
    """
    if hasattr(generator.synthesis, "from_styles"):
        moves = [explain(direction, generator).channels for direction in directions]
        return np.array([[_cosine(one, other) for other in moves] for one in moves]).reshape(len(moves), -1)
    return np.array([[_own_cosine(one, other) for other in directions] for one in directions])


def _cosine(one: dict[str, float], other: dict[str, float]) -> float:
    lengths = [math.sqrt(sum(value**2 for value in move.values())) for move in (one, other)]
    if not all(lengths):
        return math.nan
    return sum(value * other.get(name, 0.0) for name, value in one.items()) / (lengths[0] * lengths[1])


def _own_cosine(one: Direction, other: Direction) -> float:
    try:
        return cosine(one, other)
    except UserError:
        return math.nan


def cosine_table(directions: Mapping[str, Direction], generator: Generator) -> str:
    """Cosines, and angles in degrees, of all pairs of directions as a table in Markdown; see `cosines_between`."""
    names = list(directions)
    cosines = cosines_between(list(directions.values()), generator)
    rows = []
    for i, name in enumerate(names[:-1]):
        cells = [_angle(cosines[i, j]) if j > i else "" for j in range(1, len(names))]
        rows.append([name, *cells])
    return table(["cosine (angle)", *names[1:]], rows)


def _angle(value: float) -> str:
    if math.isnan(value):
        return "unknown"
    degrees = math.degrees(math.acos(min(1.0, max(-1.0, value))))
    return f"{value:.3f} ({degrees:.0f}°)"


def card_differences(directions: Mapping[str, Direction]) -> str:
    """Differences between the cards of directions, as a table in Markdown."""
    cards = {name: _entries(direction) for name, direction in directions.items()}
    keys = dict.fromkeys(key for card in cards.values() for key in card)
    rows = []
    for key in keys:
        values = [card.get(key, "-") for card in cards.values()]
        if len(set(values)) > 1:
            rows.append([key, *values])
    return table(["card", *cards], rows, numbers=()) if rows else "The cards are equal."


def _entries(direction: Direction) -> dict[str, str]:
    """Entries of a card by name."""
    return {"attribute": direction.attribute, **dict(card_entries(direction))}


def digest(direction: Direction) -> str:
    """Hash of what a direction does, whatever its card says."""
    parts = [direction.space, str(direction.layers), str(direction.vector.shape)]
    content = direction.vector.tobytes()
    if direction.channels is not None:
        parts += direction.channels.names
        content += direction.channels.scales.tobytes()
    return hashlib.sha256("\0".join(parts).encode() + content).hexdigest()
