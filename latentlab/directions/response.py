"""How a population responds to edits along a direction."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from latentlab.errors import UserError


@dataclass(frozen=True)
class Response:
    """Response of a population to a series of strengths, such as the share of faces that changed; linear in between.

    Attributes
    ----------
    strengths
        Different strengths, kept in ascending order: negative ones are edits away from the attribute.
    values
        Response at each strength.

    Raises
    ------
    UserError
        If there are no strengths, one occurs twice or is not finite, or the number of responses differs.
    """

    strengths: tuple[float, ...]
    values: tuple[float, ...]

    def __post_init__(self) -> None:
        given = {float(s): float(v) for s, v in zip(self.strengths, self.values, strict=False)}
        if not given or not len(given) == len(self.strengths) == len(self.values):
            raise UserError(
                "a response is a value at each of several different strengths, not "
                f"{len(self.values)} values at {list(self.strengths)}"
            )
        if not all(map(math.isfinite, (*given, *given.values()))):
            raise UserError("the strengths and values of a response are finite numbers")
        object.__setattr__(self, "strengths", tuple(sorted(given)))
        object.__setattr__(self, "values", tuple(given[strength] for strength in self.strengths))

    def to_dict(self) -> dict[str, list[float]]:
        """Return the lists that JSON holds."""
        return {"strengths": list(self.strengths), "values": list(self.values)}

    def in_words(self) -> str:
        """Write the responses as shares, such as '25% at +1, 100% at +2'."""
        return ", ".join(f"{v:.0%} at {s:+.3g}" for s, v in zip(self.strengths, self.values, strict=True) if s)

    def __neg__(self) -> Response:
        """Response to the reversed direction."""
        return Response(tuple(-strength for strength in self.strengths), self.values)

    def __call__(self, strength: float) -> float:
        """Interpolate the response at a strength; beyond the series, that at its nearest end."""
        return float(np.interp(strength, self.strengths, self.values))

    def strongest(self, sign: int = 1) -> float:
        """Return the strength of this sign, or 0, with the highest response; the nearest to 0 of several."""
        return max(self._outwards(sign), key=lambda point: (point[1], -abs(point[0])))[0]

    def first_reaching(self, target: float, sign: int = 1) -> float | None:
        """Interpolate the first strength of this sign, from 0 outwards, at which the response reaches a target.

        None if there is none.
        """
        last: tuple[float, float] | None = None
        for strength, value in self._outwards(sign):
            if value >= target:
                if last is None:
                    return strength
                return last[0] + (target - last[1]) / (value - last[1]) * (strength - last[0])
            last = strength, value
        return None

    def _outwards(self, sign: int) -> list[tuple[float, float]]:
        points = [point for point in zip(self.strengths, self.values, strict=True) if sign * point[0] >= 0]
        if not points:
            raise UserError(f"the response has no {'negative' if sign < 0 else 'positive'} strength")
        return sorted(points, key=lambda point: abs(point[0]))
