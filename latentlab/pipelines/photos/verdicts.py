"""What an edit did to a photo: how far the score moved, whose face it still is, and how hard the face was pushed."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import replace

from latentlab.directions import Direction
from latentlab.directions.edits import Edits
from latentlab.directions.teaching import falls_along
from latentlab.editing import strength_range
from latentlab.pipelines.checks import LIMITS, Limits, QualityCheck
from latentlab.pipelines.strengths import FaceStrengths

# In logits: what moves a probability of one half to three quarters shows, and a quarter of that does not.
_EFFECT = Limits(math.log(3), math.log(3) / 4)
# Ends of the direction's calibrated range. On 22 photos that were edited to the same scores, the mouths that tore were
# nearly all at the cap of 1.5; at twice the range two of three tore.
_PUSHED = Limits(1.0, 1.5)
# A score that is already this near its end has nowhere to go.
_THERE = 0.03


def check_edit(
    strength: float,
    scores: tuple[float, float],
    identity: float,
    direction: Direction,
    attribute: str | None,
    search: FaceStrengths | None = None,
) -> list[QualityCheck]:
    """Check an edit of a photo by what is known about it.

    - effect: change of the score in logits, the way that the edit was to move it; only for a score of what the
      direction moves. Good where the score was there before, or the target of a search was reached;
    - identity: similarity to the photo, see `latentlab.faces.identity`.

    Parameters
    ----------
    strength, direction
        Strength of the edit in the direction's units.
    scores
        Score of the photo, and of the edited photo; NaN where unknown.
    identity
        Similarity of the edited face to that of the photo; NaN where unknown.
    attribute
        Name of the score, a probability of what the direction moves; None for any other.
    search
        How the strength was found, if it was searched for.
    """
    found = [] if attribute is None else list(_effect(strength, scores, direction, attribute, search))
    if not math.isnan(identity):
        limits = LIMITS["identity"]
        looks = "may look" if limits.verdict(identity) == "fair" else "looks"
        found.append(
            _check("identity", identity, "", limits, f"it {looks} like another person", "edit by less strength")
        )
    return found


def check_edits(
    edits: Edits,
    scores: tuple[float, float],
    identity: float,
    scored: Sequence[tuple[Direction, float]],
    attribute: str,
) -> list[QualityCheck]:
    """Check an edit of a photo along several directions at once, see `check_edit` and `check_strength`.

    The effect is checked where the score is of exactly one of them: of two, nobody knows which way it is to go.

    Parameters
    ----------
    edits
        Directions, and strengths in their units.
    scores, identity
        See `check_edit`.
    scored
        Those of them that move what the score is a probability of.
    attribute
        Name of the score.
    """
    (moving, strength), *others = scored or edits
    found = check_edit(strength, scores, identity, moving, attribute if scored and not others else None)
    found = [replace(check, advice=check.advice.removesuffix(", or --target")) for check in found]
    for direction, far in edits:
        found += (replace(one, name=f"{direction.attribute} strength") for one in check_strength(far, direction))
    return found


def _effect(
    strength: float, scores: tuple[float, float], direction: Direction, attribute: str, search: FaceStrengths | None
) -> Iterator[QualityCheck]:
    """How far the score moved, the way that was wanted."""
    if not strength or any(map(math.isnan, scores)):
        return
    upwards = (strength > 0) != falls_along(direction, attribute)
    before, after = scores if upwards else (1 - scores[0], 1 - scores[1])
    moved = _logit(after) - _logit(before)
    told = f"{attribute} went from {scores[0]:.2f} to {scores[1]:.2f}"
    if before > 1 - _THERE or (search is not None and moved > 0 and _reached(scores[1], search)):
        yield QualityCheck("effect", moved, "logits", "good", "")
    elif search is not None:
        cause, advice = f"{told}, short of {search.target}", "give a larger --cap, at a risk for the likeness"
        yield _check("effect", moved, "logits", Limits(math.inf, _EFFECT.good), cause, advice)
    else:
        yield _check("effect", moved, "logits", _EFFECT, told, "give a larger strength, or --target")


def _reached(score: float, search: FaceStrengths) -> bool:
    """Whether the face as it was rendered reached the target, or the one in the finished photo did."""
    return bool(search.reached[0]) or search.target.sign * (score - search.target.value) >= 0


def check_strength(strength: float, direction: Direction) -> Iterator[QualityCheck]:
    """Check how hard an edit along a direction pushes: its strength in ends of the direction's range."""
    low, high = strength_range(direction)
    end = high if strength > 0 else low
    if strength and end * strength > 0:
        yield _check(
            "strength",
            strength / end,
            "ranges",
            _PUSHED,
            f"beyond {end:+.3g}, where the direction's range ends, mouths may tear and contours double",
            "look at it at full size, and edit by less strength where they do",
        )


def _check(name: str, value: float, unit: str, limits: Limits, cause: str, advice: str) -> QualityCheck:
    verdict = limits.verdict(value)
    told = ("", "") if verdict == "good" else (cause, advice)
    return QualityCheck(name, value, unit, verdict, *told)


def _logit(probability: float) -> float:
    bounded = min(max(probability, 1e-4), 1 - 1e-4)
    return math.log(bounded / (1 - bounded))
