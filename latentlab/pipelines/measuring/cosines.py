"""Angles between directions of any spaces, by what they do to the styles."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from latentlab.directions import Direction, cosine
from latentlab.directions.explaining import explain
from latentlab.errors import UserError
from stylegan2.protocol import Generator


def cosines_between(directions: Sequence[Direction], generator: Generator) -> NDArray[np.float64]:
    """Cosines of the angles between directions, `(n, n)`, in standardised styles.

    Directions of different spaces meet in S: each is followed to what strength 1 adds to the styles, in standard
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


def digest(direction: Direction) -> str:
    """Hash of what a direction does, whatever its card says."""
    parts = [direction.space, str(direction.layers), str(direction.vector.shape)]
    content = direction.vector.tobytes()
    if direction.channels is not None:
        parts += direction.channels.names
        content += direction.channels.scales.tobytes()
    return hashlib.sha256("\0".join(parts).encode() + content).hexdigest()
