"""Sets of directions, each with a strength, that are applied at once."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from latentlab.directions.direction import Direction
from latentlab.errors import UserError

if TYPE_CHECKING:
    from stylegan2.protocol import Generator


@dataclass(frozen=True)
class Edits:
    """Directions and the strength of each: `2 * smile - age` moves along one by 2 and along the other by −1.

    `latentlab.editing.move` applies them to latents.

    Attributes
    ----------
    steps
        Pairs of a direction and a strength. Directions may be of several spaces.
    """

    steps: tuple[tuple[Direction, float], ...]

    def __iter__(self) -> Iterator[tuple[Direction, float]]:
        return iter(self.steps)

    def __len__(self) -> int:
        return len(self.steps)

    def __mul__(self, factor: float) -> Edits:
        """Multiply all strengths."""
        return Edits(tuple((direction, strength * factor) for direction, strength in self.steps))

    __rmul__ = __mul__

    def __neg__(self) -> Edits:
        return self * -1.0

    def __add__(self, other: Edits | Direction) -> Edits:
        return Edits(self.steps + as_edits(other).steps)

    __radd__ = __add__

    def __sub__(self, other: Edits | Direction) -> Edits:
        return self + as_edits(other) * -1.0

    def check(self, generator: Generator, force: bool = False) -> None:
        """Check that there are directions, and that all fit a generator; UserError, see `Direction.check`."""
        if not self.steps:
            raise UserError("edits go along one direction or several; these go along none")
        for direction, _ in self.steps:
            direction.check(generator, force)

    def __str__(self) -> str:
        return " ".join(f"{strength:+g} {direction.attribute}" for direction, strength in self.steps)


def as_edits(value: Edits | Direction) -> Edits:
    """Edits as they are; a direction as an edit with strength 1."""
    return value if isinstance(value, Edits) else value * 1.0
