"""Settings of a drag: how far a step goes, and how points are supervised and tracked."""

from __future__ import annotations

import math
from dataclasses import dataclass, fields

from latentlab.errors import UserError

UNITS = 256
"""Lengths in the settings are in units of this part of the image's width, whatever its resolution: pixels at 256."""


@dataclass(frozen=True)
class DragSettings:
    """How points are dragged. Lengths are in 1/256 of the image's width.

    Attributes
    ----------
    steps
        Largest number of steps.
    rows
        The first rows of ws, which alone move: they place what the image shows, the others colour it.
    step_size
        Length of a step of ws, in standard deviations of w over all images.
    slow_within
        Distance to the target within which steps become smaller, in proportion to what is left.
    arrived
        Distance to the target at which a point has arrived; the drag ends when all have.
    feature_resolution
        Resolution of the features that points are supervised and tracked in; the finest one below it, where the
        network has none at it.
    pull
        How far a step asks the features around a point to move.
    supervised
        Radius of the disc around a point that is pulled.
    patch
        Half the side of the square patch of features by which a point is found again.
    search
        Half the side of the square in which it is looked for, around where it was.
    near_weight
        Penalty on a place far from where the point was: the square of the distance times this, beside the
        relative difference of the patches.
    line_weight, line_width
        Penalty on a place beside the line from the point's start to its target: the square of the distance
        beyond the width times this. Within the width, patches alone decide.
    mask_weight
        Weight of the features that are to stay, where a mask says so.
    """

    steps: int = 60
    rows: int = 8
    step_size: float = 0.3
    slow_within: float = 4.0
    arrived: float = 0.5
    feature_resolution: int = 64
    pull: float = 2.0
    supervised: float = 3.0
    patch: int = 6
    search: int = 6
    near_weight: float = 0.003
    line_weight: float = 0.05
    line_width: float = 4.0
    mask_weight: float = 20.0

    def __post_init__(self) -> None:
        least = {"steps": 1, "rows": 1, "feature_resolution": 4, "patch": 0, "search": 1}
        for field in fields(self):
            value, bound = getattr(self, field.name), least.get(field.name)
            if bound is not None:
                if isinstance(value, bool) or not isinstance(value, int) or value < bound:
                    raise UserError(f"{field.name} of a drag must be a whole number of {bound} or more, not {value!r}")
            elif isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value) or value < 0:
                raise UserError(f"{field.name} of a drag must be a finite number of 0 or more, not {value!r}")
        for name in ("step_size", "slow_within", "pull"):
            if not getattr(self, name):
                raise UserError(f"{name} of a drag must be more than 0: nothing would move")
