"""How far each face goes along a direction: until its own score reaches a target."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from latentlab.batching import Batches, BatchSize
from latentlab.directions import Direction
from latentlab.directions.teaching import falls_along
from latentlab.editing import move, strength_range
from latentlab.errors import UserError
from latentlab.mapping import typical_latents
from latentlab.pipelines.crossings import Crossings, first_crossings
from latentlab.pipelines.healthy import HealthyRegion
from latentlab.pipelines.targets import ScoreTarget
from latentlab.progress import Stage, Step, stage_of
from latentlab.rendering import Latents, Renderer, rows_of
from latentlab.reprs import ShortRepr
from latentlab.scorers import Scorer, check_score, score_column, score_images
from latentlab.scorers.threshold import HALF

# Chosen on 153 training faces that did not smile, and their strengths along the shipped smile to a score of 0.9: within
# 1.25 times the range 95 % of them got there, at an identity of 0.63 or more; beyond 1.5 times it fell to 0.5 and 0.1.
# On 95 other faces 93 % got there; the identity of all was 0.87, and 0.69 at the least.
RANGES = 1.25
"""Default cap on the strengths, in multiples of the end of the direction's range on their side."""


@dataclass(frozen=True)
class StrengthSettings:
    """How strengths are searched for.

    Attributes
    ----------
    cap
        The most that a face is moved, above 0, in the direction's units, whichever the sign; None for a multiple of the
        end of the direction's range (see `latentlab.editing.strength_range`).
    ranges
        That multiple.
    healthy
        Region of latents that faces stay in; None for no such bound.
    renders
        Images rendered of each face at most, the unedited one included; 3 or more.
    batch_size
        Images rendered at once, see `latentlab.batching`.

    Raises
    ------
    UserError
        If cap or renders are out of range.
    """

    cap: float | None = None
    ranges: float = RANGES
    healthy: HealthyRegion | None = None
    renders: int = 8
    batch_size: BatchSize = "auto"

    def __post_init__(self) -> None:
        for name, value in (("cap", self.cap), ("ranges", self.ranges)):
            if value is not None and not 0 < value < math.inf:
                raise UserError(f"the {name} of strengths must be a finite number above 0, not {value:g}")
        if self.renders < 3:
            raise UserError(f"a strength is found by 3 renders of each face or more, not {self.renders}")

    def cap_of(self, direction: Direction, target: ScoreTarget) -> float:
        """The largest strength along a direction, without its sign."""
        return self.cap or self.ranges * abs(strength_range(direction)[0 if target.away else 1])


@dataclass(frozen=True, eq=False, repr=False)
class FaceStrengths(ShortRepr):
    """The strength at which each face's score reaches a target.

    Attributes
    ----------
    attribute, target
        Name of the score, and what it is to reach.
    strengths
        `(n,)` in the direction's units, with their sign; 0 for a face that is there unedited. For one that does not get
        there, the strength that brought it nearest.
    before, after
        Scores `(n,)` unedited, and at these strengths; NaN for a face that cannot be scored, which is not edited.
        `logits` gives them as they approach the target.
    reached
        `(n,)`: whether the score is at the target or beyond.
    limits
        `(n,)`: the most that each face might be moved, with the sign.
    renders
        `(n,)`: images rendered of each face.
    """

    attribute: str
    target: ScoreTarget
    strengths: NDArray[np.float64]
    before: NDArray[np.float64]
    after: NDArray[np.float64]
    reached: NDArray[np.bool_]
    limits: NDArray[np.float64]
    renders: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.strengths)

    def logits(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Logits `(n,)` before and after; for scores that are not probabilities, the scores."""
        return self.target.to_scale(self.before), self.target.to_scale(self.after)

    def describe(self) -> list[str]:
        """Say what became of each face's score; see `describe_strength`."""
        columns = (self.before, self.after, self.strengths, self.reached)
        found = zip(*(column.tolist() for column in columns), strict=True)
        return [describe_strength(self.attribute, *one) for one in found]


def describe_strength(attribute: str, before: float, after: float, strength: float, reached: bool) -> str:
    """Say what became of a score, such as 'happy 0.05 to 0.90 at +1.03'."""
    if math.isnan(before):
        return f"{attribute} unknown, not edited"
    if reached and not strength:
        return f"{attribute} {before:.2f}, there unedited"
    nearest = "" if reached else ", the nearest within the cap"
    return f"{attribute} {before:.2f} to {after:.2f} at {strength:+.2f}{nearest}"


def strength_for(
    latents: Tensor | Latents,
    direction: Direction,
    target: float | ScoreTarget,
    renderer: Renderer,
    scorer: Scorer,
    attribute: str,
    settings: StrengthSettings | None = None,
    progress: bool | Stage = True,
) -> FaceStrengths:
    """Find the strength at which each face's score reaches a target, with about six renders of each.

    One strength for all changes some faces too little and others more than needed; see `first_crossings` for the
    search. Faces that do not get there within the cap keep the strength that brought them nearest: beyond it, a few
    would go so far that they become other people.

    Parameters
    ----------
    latents
        ws `(n, num_ws, w_dim)`, or latents by name (`latentlab.rendering.Latents`) from which the direction's space
        can be reached.
    direction
        Direction along which the score grows; or falls, if its card says so (see `latentlab.directions.teaching`).
        Faces move the way that brings them to the target.
    target
        Score to reach. Below the scorer's threshold, or one half, faces are to fall to it, otherwise to rise. A
        `ScoreTarget` gives a logit, or says the way.
    renderer, scorer
        Networks that render and score the faces.
    attribute
        Name of the score.
    settings
        Cap, bounds and effort; None for the defaults.
    progress
        True for a progress bar, False for none, or a `Stage` of your own.

    Returns
    -------
    FaceStrengths
        The strengths, and which faces got there. The score of a face that did exceeds the target by at most 0.2 in
        logits, unless its renders were used up.

    Raises
    ------
    UserError
        If the scorer has no such score, knows that of no face, or gives infinite values, the direction does not fit the
        latents, or the target is out of the scores' range.
    """
    if falls_along(direction, attribute):
        forth = strength_for(latents, -direction, target, renderer, scorer, attribute, settings, progress)
        return replace(forth, strengths=0.0 - forth.strengths, limits=-forth.limits)
    settings = StrengthSettings() if settings is None else settings
    check_score(scorer.names, attribute)
    faces = _Faces(latents, direction, renderer, scorer, attribute, settings.batch_size)
    with stage_of(progress)("finding strengths") as step:
        before = faces.unedited()
        goal = target if isinstance(target, ScoreTarget) else ScoreTarget.of(target, scorer, attribute, before)
        limits = _limits(faces, goal, settings)
        found = _search(faces, before, goal, np.abs(limits), settings, step)
    return FaceStrengths(
        attribute=attribute,
        target=goal,
        strengths=goal.sign * found.strengths + 0.0,  # which is never -0
        before=before,
        after=goal.from_scale(goal.sign * found.after),
        reached=found.reached,
        limits=limits,
        renders=found.calls + 1,
    )


def _search(
    faces: _Faces,
    before: NDArray[np.float64],
    goal: ScoreTarget,
    limits: NDArray[np.float64],
    settings: StrengthSettings,
    step: Step,
) -> Crossings:
    """Search on the goal's scale, turned round where scores are to fall."""
    start, total = goal.to_scale(before), len(faces) * settings.renders

    def respond(rows: NDArray[np.intp], strengths: NDArray[np.float64]) -> NDArray[np.float64]:
        scores = faces.score(rows, goal.sign * strengths)
        step(min(faces.renders, total), total)
        return goal.sign * goal.to_scale(scores)

    target, most = goal.sign * goal.on_scale, settings.renders - 1
    found = first_crossings(respond, goal.sign * start, target, limits, goal.tolerances(start), most)
    step(total, total)
    return found


def checked_target(target: float | ScoreTarget, renderer: Renderer, scorer: Scorer, attribute: str) -> ScoreTarget:
    """Take a target, before any long work, as one of a score such as the generator's mean image has.

    Raises
    ------
    UserError
        If it is out of range, or the scorer has no such score.
    """
    check_score(scorer.names, attribute)
    if isinstance(target, ScoreTarget):
        return target
    return ScoreTarget.of(target, scorer, attribute, _score_of_mean(renderer, scorer, attribute))


def is_known_probability(renderer: Renderer, scorer: Scorer, attribute: str) -> bool:
    """Whether a score is a probability that images of the generator have, judging by its mean image."""
    try:
        scores = _score_of_mean(renderer, scorer, attribute)
    except UserError:  # such as images that are too small
        return False
    middle = ScoreTarget.of(HALF.low, scorer, attribute, scores)
    return middle.scale == "probability" and not bool(np.isnan(scores).any())


@torch.inference_mode()
def _score_of_mean(renderer: Renderer, scorer: Scorer, attribute: str) -> NDArray[np.float32]:
    """The score of the generator's mean image, `(1,)`; see `latentlab.mapping.typical_latents`."""
    scores = score_images(scorer, renderer(typical_latents(renderer.generator)))
    return score_column(scores, scorer.names, attribute)


def _limits(faces: _Faces, goal: ScoreTarget, settings: StrengthSettings) -> NDArray[np.float64]:
    """The most that each face may be moved, with the sign."""
    furthest = goal.sign * settings.cap_of(faces.direction, goal)
    if settings.healthy is None:
        return np.full(len(faces), furthest)
    return settings.healthy.limits(faces.latents, faces.direction, furthest, faces.renderer.generator)


class _Faces:
    """Faces that are moved along a direction and scored, each at a strength of its own."""

    def __init__(
        self,
        latents: Tensor | Latents,
        direction: Direction,
        renderer: Renderer,
        scorer: Scorer,
        attribute: str,
        batch_size: BatchSize,
    ) -> None:
        by_name: Latents = {"ws": latents} if isinstance(latents, Tensor) else latents
        device = renderer.generator.w_avg.device
        self.latents = {name: value.to(device) for name, value in by_name.items()}
        self.direction, self.renderer = direction, renderer
        self._scorer, self._attribute, self._batches = scorer, attribute, Batches.of(batch_size, renderer)
        self.renders = 0

    def __len__(self) -> int:
        return len(next(iter(self.latents.values())))

    def unedited(self) -> NDArray[np.float64]:
        """Score all faces unedited: `(n,)`."""
        if not len(self):
            raise UserError("strengths are searched for of one face or more")
        found = self.score(np.arange(len(self)), np.zeros(len(self)))
        if np.isnan(found).all():
            raise UserError(f"{self._attribute} is unknown of every face, so none can be brought to a target")
        return found

    @torch.inference_mode()
    def score(self, rows: NDArray[np.intp], strengths: NDArray[np.float64]) -> NDArray[np.float64]:
        """Score some faces at a strength each: `(m,)`."""

        def some(numbers: range) -> NDArray[np.float32]:
            own = slice(numbers.start, numbers.stop)
            latents = rows_of(self.latents, torch.from_numpy(rows[own]))
            distances = torch.from_numpy(strengths[own]).to(self.renderer.generator.w_avg)
            images = self.renderer(move(latents, [(self.direction, distances)], self.renderer.generator))
            return score_column(score_images(self._scorer, images), self._scorer.names, self._attribute)

        parts = list(self._batches(range(len(rows)), some))
        self.renders += len(rows)
        return np.concatenate(parts).astype(np.float64)
