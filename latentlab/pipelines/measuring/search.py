"""Edit faces at a series of strengths, and find the strengths of equal effect."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from latentlab.directions import Direction
from latentlab.pipelines.measuring.faces import EditedFaces
from latentlab.pipelines.measuring.settings import MeasureSettings
from latentlab.pipelines.measuring.trails import Floats, Trail, needed, one_strength, strength_per_face
from latentlab.reprs import ShortRepr

_SERIES = (1.5, 3.0, 4.5, 6.0, 8.0, 10.0, 12.0, 16.0, 20.0)  # standard deviations
_FOR_SIGN = 8  # faces that show which way the attribute grows
_TRIES = 5  # renders of all faces for a strength of equal effect, at most
_BEYOND = 0.005  # share by which a guess is exceeded with each further try: where it is too low, it hardly moves again
_TOLERANCE = 0.025  # share of the faces by which an edit may succeed more often than asked


@dataclass(frozen=True, eq=False)
class Walk:
    """Faces at a series of strengths along a direction.

    Attributes
    ----------
    direction
        The direction, reversed if the attribute grows the other way.
    reversed
        Whether it was.
    trail
        All strengths and logits.
    strengths
        Strengths of the series, from 0.
    identities
        Mean identity kept at each.
    """

    direction: Direction
    reversed: bool
    trail: Trail
    strengths: list[float] = field(default_factory=list)
    identities: list[float] = field(default_factory=list)


@dataclass(frozen=True, eq=False, repr=False)
class EqualEffect(ShortRepr):
    """Edited faces at the strengths of equal effect.

    Attributes
    ----------
    strengths
        `(n,)`.
    images, logits
        `(n, 3, r, r)` and `(n, k)`.
    reached
        Whether as many faces as asked for are positive according to the judge.
    """

    strengths: Floats
    images: Tensor
    logits: Floats
    reached: bool


def walk_outwards(
    faces: EditedFaces,
    direction: Direction,
    sigma: float,
    scores: Sequence[int],
    settings: MeasureSettings,
    identity: Callable[[Tensor], NDArray[np.float64]],
) -> Walk:
    """Move all faces further and further, until enough of them have the attribute according to every scorer.

    The sign is that with which the first score's mean logit grows more at the first strength, on a few of the faces.

    Parameters
    ----------
    faces, direction
        What is edited, and along what.
    sigma
        Standard deviation of the population along the direction.
    scores
        Columns of teacher and judge.
    settings
        Share of faces, cap and furthest strength.
    identity
        Identity kept by edited images, `(n,)`.
    """
    count, first = len(faces), _SERIES[0] * sigma
    few = faces.first(_FOR_SIGN)
    forth, back = (few.edit(direction, np.full(len(few), s))[1][:, scores[0]].mean() for s in (first, -first))
    is_reversed = bool(back > forth)
    walk = Walk(-direction if is_reversed else direction, is_reversed, Trail.begin(faces.logits), [0.0], [1.0])
    for strength in (sigmas * sigma for sigmas in _SERIES if sigmas <= settings.furthest):
        images, logits = faces.edit(walk.direction, np.full(count, strength))
        walk.trail.add(np.full(count, strength), logits)
        _note(walk, strength, identity(images))
        if _far_enough(walk.trail, scores, settings):
            break
    return walk


def _note(walk: Walk, strength: float, identities: NDArray[np.float64]) -> None:
    known = identities[~np.isnan(identities)]
    walk.strengths.append(strength)
    walk.identities.append(float(known.mean()) if len(known) else float("nan"))


def _far_enough(trail: Trail, scores: Sequence[int], settings: MeasureSettings) -> bool:
    """Whether the trail holds the strengths of equal effect by every score, up to their cap."""
    least = needed(settings.success, len(trail.strengths)) / len(trail.strengths)
    for score in scores:
        strength = one_strength(trail, score, settings.success)
        if trail.share(strength, score) < least or settings.cap * strength > trail.end:
            return False
    return True


def find_equal_effects(
    faces: EditedFaces, walk: Walk, teacher: int, judge: int, settings: MeasureSettings
) -> dict[str, EqualEffect]:
    """Find the one strength, and the strengths per face, at which a share of the faces gets the attribute.

    Each is rendered and judged; what that adds to the trail makes the next guess better.

    Returns
    -------
    dict
        By the name of a `results.Way`: 'one' and 'each'.
    """
    count, trail = len(faces), walk.trail

    def for_all() -> Floats:
        return np.full(count, one_strength(trail, judge, settings.success))

    one = _refined(faces, walk, for_all, judge, settings.success)
    limit = settings.cap * float(one.strengths[0])

    def for_each() -> Floats:
        return strength_per_face(trail, teacher, judge, settings.success, limit)

    return {"one": one, "each": _refined(faces, walk, for_each, judge, settings.success)}


def _refined(faces: EditedFaces, walk: Walk, propose: Callable[[], Floats], judge: int, success: float) -> EqualEffect:
    least, best = needed(success, len(faces)), None
    few_more = max(1, round(_TOLERANCE * len(faces)))
    for k in range(_TRIES):
        strengths = (1 + k * _BEYOND) * propose()
        images, logits = faces.edit(walk.direction, strengths)
        walk.trail.add(strengths, logits)
        positive = int((logits[:, judge] > 0).sum())
        found = EqualEffect(strengths, images, logits, positive >= least)
        if best is None or _rank(found, judge) < _rank(best, judge):
            best = found
        if least <= positive <= least + few_more:
            break
    assert best is not None
    return best


def _rank(effect: EqualEffect, judge: int) -> tuple[float, ...]:
    """Smaller is better: the fewest faces beyond those asked for, or else the most faces; then the least strength."""
    positive = float((effect.logits[:, judge] > 0).sum())
    return (not effect.reached, positive if effect.reached else -positive, float(np.abs(effect.strengths).mean()))
