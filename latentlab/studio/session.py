"""What one session holds: a face, how it is edited, and the way back. It is small, and never changed in place."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from latentlab.directions import Direction
from latentlab.errors import UserError
from latentlab.studio.faces import Face

GESTURE_SECONDS = 1.5
"""Moves of one slider with shorter pauses between them are one step of the history."""
_LONGEST = 200  # steps of the history


@dataclass(frozen=True)
class Edit:
    """Strengths of directions, and the rows of ws that those of W move.

    Attributes
    ----------
    strengths
        Pairs of a direction's name and its strength, which is not 0, sorted by name.
    layers
        First and last row that directions of w and w+ move; None for all of theirs.
    """

    strengths: tuple[tuple[str, float], ...] = ()
    layers: tuple[int, int] | None = None

    @classmethod
    def of(cls, strengths: Mapping[str, float], layers: tuple[int, int] | None = None) -> Edit:
        """Make an edit of strengths by name; those that are 0 are left out.

        Raises
        ------
        UserError
            If a strength is not a finite number, or the rows go downwards.
        """
        for name, strength in strengths.items():
            if not math.isfinite(strength):
                raise UserError(f"the strength of {name} must be a finite number, not {strength}")
        if layers is not None and not 0 <= layers[0] <= layers[1]:
            raise UserError(f"the layers go from the first to the last, not from {layers[0]} to {layers[1]}")
        return cls(tuple(sorted((name, float(s)) for name, s in strengths.items() if s)), layers)

    def strength(self, name: str) -> float:
        """The strength of a direction; 0 where it is not moved."""
        return dict(self.strengths).get(name, 0.0)

    def differs_in(self, other: Edit) -> tuple[str, ...]:
        """Names of what is different in another edit; 'layers' for the rows."""
        names = {name for name, _ in self.strengths + other.strengths}
        moved = sorted(name for name in names if self.strength(name) != other.strength(name))
        return (*moved, *(("layers",) if self.layers != other.layers else ()))


@dataclass(frozen=True)
class History:
    """An edit, and those before it.

    Attributes
    ----------
    present
        The edit.
    past
        Earlier ones, the latest last.
    moved, at
        What the last step moved, and when, in seconds: a slider on its way gives many edits but is one step.
    """

    present: Edit = Edit()
    past: tuple[Edit, ...] = ()
    moved: tuple[str, ...] = ()
    at: float = -math.inf

    def to(self, edit: Edit, now: float) -> History:
        """Go on to another edit, at a time in seconds."""
        moved = self.present.differs_in(edit)
        if not moved:
            return self
        same = moved == self.moved and now - self.at < GESTURE_SECONDS
        past = self.past if same else (*self.past, self.present)[-_LONGEST:]
        return History(edit, past, moved, now)

    def undone(self) -> History:
        """Go back one step; the same where there is none."""
        return History(self.past[-1], self.past[:-1]) if self.past else self


@dataclass(frozen=True)
class Session:
    """What one page has open.

    Attributes
    ----------
    face
        The face that is edited; None before one is picked.
    history
        How it is edited.
    own
        The visitor's own directions, by name.
    """

    face: Face | None = None
    history: History = History()
    own: Mapping[str, Direction] = field(default_factory=dict)

    @property
    def edit(self) -> Edit:
        """The present edit."""
        return self.history.present

    def pick(self, face: Face) -> Session:
        """Open another face, unedited."""
        return replace(self, face=face, history=History())

    def picked(self) -> Face:
        """The face; UserError before one is picked."""
        if self.face is None:
            raise UserError("pick a face first, under Sample, or project one under Photo")
        return self.face

    def to(self, edit: Edit, now: float) -> Session:
        """Go on to another edit."""
        return replace(self, history=self.history.to(edit, now))

    def undone(self) -> Session:
        """Go back one step."""
        return replace(self, history=self.history.undone())

    def with_direction(self, name: str, direction: Direction, most: int) -> Session:
        """Add a direction of the visitor's own, or replace the one of that name.

        Raises
        ------
        UserError
            If there are `most` already.
        """
        if name not in self.own and len(self.own) >= most:
            raise UserError(f"{most} directions of your own are the most; load the page anew to start afresh")
        return replace(self, own={**self.own, name: direction})
