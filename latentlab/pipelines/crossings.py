"""The first strength at which each of several responses reaches a target, found in a few calls for all at once."""

from __future__ import annotations

import math
from collections.abc import Callable, Generator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from latentlab.reprs import ShortRepr

Floats = NDArray[np.float64]
Rows = NDArray[np.intp]
Respond = Callable[[Rows, Floats], NDArray[np.floating]]
"""Gives the responses `(m,)` of the rows with these indices `(m,)`, each at its own strength `(m,)`."""

# Shares of its limit by which a search moves on: at first and at most, so as not to pass over a crossing; and at least.
_LEAP, _STEP = 1 / 3, 1 / 8
# Share of a step's width that a guess within it keeps from both of its ends, and share of the limit at which a step is
# too narrow for another guess: there the response jumps.
_MARGIN, _NARROW = 0.05, 1e-3


@dataclass(frozen=True, eq=False, repr=False)
class Crossings(ShortRepr):
    """Where responses first reach their target.

    Attributes
    ----------
    strengths
        `(n,)`: the first strength that was found to reach the target; for a row that does not reach it, the strength
        with the highest response among those that were tried.
    after
        Responses `(n,)` at `strengths`.
    reached
        `(n,)`: whether `after` is at or above the target.
    calls
        `(n,)`: how often each row's response was asked for.
    """

    strengths: Floats
    after: Floats
    reached: NDArray[np.bool_]
    calls: NDArray[np.int64]


def first_crossings(
    respond: Respond,
    before: NDArray[np.floating],
    target: float,
    limits: NDArray[np.floating],
    tolerances: NDArray[np.floating],
    most_calls: int = 7,
) -> Crossings:
    """Find the first strength from 0 to a limit at which each of n responses reaches a target.

    The search moves outwards, to where the line through the last two responses reaches the target, but at most a third
    of the limit at once. It then narrows down the step that reached it by regula falsi (the Illinois form: Dowell and
    Jarratt 1971), until a response lies between the target and the target plus its tolerance. A response that reaches
    the target and falls below it again within one step of the search goes unnoticed. Where a response is NaN, the
    search of its row ends.

    Parameters
    ----------
    respond
        Gives the responses of some rows, each at a strength of its own.
    before
        Responses `(n,)` at strength 0.
    target
        Response to reach.
    limits
        `(n,)`: the largest strength of each row, at least 0. No response is asked for beyond it.
    tolerances
        `(n,)`: by how much a response may exceed the target, above 0; where the calls are used up it may be more.
    most_calls
        How often each row's response is asked for at most, 2 or more.

    Returns
    -------
    Crossings
        The strengths. A row that is there at strength 0 gets 0.
    """
    trails = [[(0.0, float(response))] for response in before]
    excess = np.asarray(before, dtype=np.float64) - target
    searches = [_search(*of, most_calls) for of in zip(excess, limits, tolerances, strict=True)]
    wanted = {row: strength for row, search in enumerate(searches) if (strength := next(search, None)) is not None}
    while wanted:
        rows, strengths = np.array(list(wanted), dtype=np.intp), np.array(list(wanted.values()))
        for row, strength, response in zip(rows.tolist(), strengths.tolist(), respond(rows, strengths), strict=True):
            trails[row].append((strength, float(response)))
            try:
                wanted[row] = searches[row].send(float(response) - target)
            except StopIteration:
                del wanted[row]
    ends = np.array([_end(trail, target) for trail in trails]).reshape(-1, 2)
    calls = np.array([len(trail) - 1 for trail in trails], dtype=np.int64)
    return Crossings(ends[:, 0], ends[:, 1], ends[:, 1] >= target, calls)


def _end(trail: list[tuple[float, float]], target: float) -> tuple[float, float]:
    """The first strength of a trail that reaches the target, or that with the highest response, and its response."""
    reached = [point for point in trail if point[1] >= target]
    return min(reached) if reached else max(trail, key=lambda point: -math.inf if math.isnan(point[1]) else point[1])


def _search(excess: float, limit: float, tolerance: float, left: int) -> Generator[float, float, None]:
    """Search for one crossing: yields strengths, and is sent by how much the response there exceeds the target.

    `excess` is that at strength 0, and `left` the number of strengths that may be asked for.
    """
    low = high = 0.0
    below = above = float(excess)
    step = _LEAP * limit
    while above < 0:  # outwards
        if high >= limit or not left:
            return
        low, below, high = high, above, min(high + max(step, (limit - high) / left), limit)
        above, left = (yield high), left - 1
        if math.isnan(above):
            return
        rise = (above - below) / (high - low)
        step = float(np.clip((tolerance / 2 - above) / rise, _STEP * limit, _LEAP * limit)) if rise > 0 else step
    # Between the two ends, towards the middle of what is tolerated. An end that stays twice counts half.
    under, over, moved = below - tolerance / 2, above - tolerance / 2, ""
    while above > tolerance and high - low > _NARROW * limit and left:
        share = float(np.clip(under / (under - over), _MARGIN, 1 - _MARGIN))
        middle = low + share * (high - low)
        excess, left = (yield middle), left - 1
        if math.isnan(excess):
            return
        if excess >= 0:
            under = under / 2 if moved == "high" else under
            high, above, over, moved = middle, excess, excess - tolerance / 2, "high"
        else:
            over = over / 2 if moved == "low" else over
            low, under, moved = middle, excess - tolerance / 2, "low"
