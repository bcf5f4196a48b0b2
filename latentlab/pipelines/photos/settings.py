"""How photos are projected and edited."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal, get_args

from torch import Tensor

from latentlab.errors import UserError
from latentlab.pipelines.strengths import StrengthSettings
from latentlab.pipelines.targets import ScoreTarget
from latentlab.projection import (
    BEFORE_REFINEMENT,
    DEFAULTS,
    FAST,
    FAST_REFINEMENT,
    PUBLISHED,
    REFINEMENT,
    ProjectionSettings,
    Start,
    TuningSettings,
)

Mask = Literal["feather", "hull"]
Face = int | Literal["all"]

PHOTO_TARGETS = (0.1, 0.9)
"""Probabilities that a photo is brought to where neither strengths nor a target are given: without the attribute, and
with it. At most one of them leaves a photo as it is."""

# Projected photos need more than generated faces do; but at twice the range mouths tear, along the style channels of a
# smile as along directions of W: on two of three photos on which this was looked at. On 13 photos of other people it
# brought 8 to 0.9, and all five that did not smile to a smile.
_RANGES = 1.5


@dataclass(frozen=True)
class Pasting:
    """How an edited face is put back into its photo.

    Attributes
    ----------
    mask
        Part of the crop that is pasted: 'feather' for the whole crop, fading towards its border, 'hull' for the face
        alone.
    keep_detail
        Whether the photo keeps its own pixels where the edit shows nothing else, see `latentlab.faces.keeping`.
        Otherwise the whole part is as the generator renders it.
    keep_tone
        Whether a photo without colours, grey or of one tint, stays so, see `latentlab.faces.tone`.

    Raises
    ------
    UserError
        If the mask is unknown.
    """

    mask: Mask = "feather"
    keep_detail: bool = True
    keep_tone: bool = True

    def __post_init__(self) -> None:
        if self.mask not in get_args(Mask):
            raise UserError(f"a mask is {' or '.join(get_args(Mask))}, not {self.mask!r}")


FAST_AGAINST_DEFAULT = "The whole way, without --fast, takes seven times as long and comes much nearer to the person."
"""What the whole way adds to a quick look; the figures are those of benchmarks/projection.py."""


def _but_for_length(recipe: ProjectionSettings) -> ProjectionSettings:
    """The recipe without the number of its steps, and their size, which suits the number."""
    return replace(recipe, phases=tuple(replace(phase, steps=1, learning_rate=1.0) for phase in recipe.phases))


@dataclass(frozen=True)
class PhotoRecipe:
    """How photos are projected, and what is fitted to them afterwards.

    Attributes
    ----------
    projection
        Space and recipe of the projection.
    tuning
        Recipe of what follows; None for nothing.
    """

    projection: ProjectionSettings
    tuning: TuningSettings | None

    def shortened(self, steps: int) -> PhotoRecipe:
        """This recipe with about this many steps of the projection."""
        return replace(self, projection=self.projection.shortened(steps))

    @property
    def is_fast(self) -> bool:
        """Whether it is the quick look."""
        return self.projection in FAST.values() and self.tuning in (FAST_REFINEMENT, None)

    @property
    def steps_left_out(self) -> str:
        """How much shorter it is than the recipe that it was cut from; '' for a whole recipe, or none of these."""
        projection, refined = self.projection, self.tuning is not None and self.tuning.features is not None
        for recipes in (BEFORE_REFINEMENT if refined else DEFAULTS, PUBLISHED):
            recipe = recipes.get(projection.space)
            if recipe is None or projection.steps >= recipe.steps:
                continue
            if _but_for_length(recipe) == _but_for_length(projection):
                return f"only {projection.steps} of the recipe's {recipe.steps} steps were taken"
        return ""


@dataclass(frozen=True)
class PhotoSettings:
    """How photos are projected.

    Attributes
    ----------
    projection
        Space and recipe of the projection.
    tuning
        Recipe by which the generator, or its inner features alone, are fitted to each photo afterwards; None leaves the
        generator as it is. In space s there is nothing to tune around: None then.
    start
        Where the projection starts, see `latentlab.projection.starting_points`.
    strict
        Whether to leave out photos with a poor quality check, without projecting them.
    face
        Which face of each photo: 1 is the largest, 2 the next; 'all' for each of them.
    landmarks
        File of the photos' faces, see `latentlab.faces.given`; None for those that the detector finds.
    batch_size
        Images projected at once.
    class_label
        Class of a conditional generator, from 0, near whose latents to search; None for all of its classes together.

    Raises
    ------
    UserError
        If tuning is asked for in space s, or the face is below 1.
    """

    projection: ProjectionSettings = BEFORE_REFINEMENT["w+"]
    tuning: TuningSettings | None = REFINEMENT
    start: Start = "auto"
    strict: bool = False
    face: Face = 1
    landmarks: Path | None = None
    batch_size: int = 1
    class_label: int | None = None

    def __post_init__(self) -> None:
        if self.face != "all" and (isinstance(self.face, str) or self.face < 1):
            raise UserError(f"a face is all, or counted from 1, the largest, not {self.face!r}")
        if self.tuning is not None and self.projection.space == "s":
            raise UserError("tuning needs latents of w or w+; project into one of these, or do not tune")

    @property
    def recipe(self) -> PhotoRecipe:
        """The recipe of both."""
        return PhotoRecipe(self.projection, self.tuning)


@dataclass(frozen=True)
class PhotoEditSettings(PhotoSettings):
    """How photos are projected, edited and pasted back.

    Attributes
    ----------
    attribute
        Score that is reported for the edited photos, and that targets refer to; None for the one that taught the
        direction, see `latentlab.pipelines.scoring.scored_by`.
    target
        Score to bring each photo to, at a strength of its own. None for the strengths that are given or, without any,
        for both of `PHOTO_TARGETS` where the score is a probability and of the direction's attribute.
    search
        How such strengths are searched for; None for a cap of 1.5 times the end of the direction's range.
    pasting
        How the edited face is put back into the photo.
    force
        Whether to apply a direction to a generator that it was not learnt on.
    command
        How the job was started, for the report.
    codes
        `(photos, num_ws, w_dim)`: latents that take the place of those that the projections found, such as dragged
        ones, one for each photo in their order; each is rendered by the generator that was refined on its photo. None
        for the projections' own.
    """

    attribute: str | None = None
    target: float | ScoreTarget | None = None
    search: StrengthSettings | None = None
    pasting: Pasting = Pasting()
    force: bool = False
    command: str = "latentlab.edit_photos"
    codes: Tensor | None = field(default=None, compare=False, repr=False)


def photo_search() -> StrengthSettings:
    """How the strength that brings a photo to a target is searched for, where nothing else is said."""
    return StrengthSettings(ranges=_RANGES)


def photo_recipe(
    space: str = "w+", steps: int | None = None, published: bool = False, tune: bool = True, fast: bool = False
) -> PhotoRecipe:
    """Choose how photos are projected and refined.

    Parameters
    ----------
    space
        'w', 'w+' or 's'.
    steps
        Number of steps of the projection; None for the recipe's own.
    published
        Whether to take the projection that its authors published, which only w and w+ have.
    tune
        Whether inner features are refined afterwards; never in space s.
    fast
        Whether to take a quick look: a few steps of each, in w and w+.

    Raises
    ------
    UserError
        If there is no such recipe, or it cannot be cut to so few steps.
    """
    refined = tune and space != "s"
    if fast:
        kind, known = "quick look", FAST
    elif published:
        kind, known = "published recipe", PUBLISHED
    else:
        kind, known = "recipe", BEFORE_REFINEMENT if refined else DEFAULTS
    recipes: dict[str, ProjectionSettings] = {str(name): recipe for name, recipe in known.items()}
    if space not in recipes:
        raise UserError(f"there is no {kind} for space {space}; take {' or '.join(recipes)}")
    found = PhotoRecipe(recipes[space], (FAST_REFINEMENT if fast else REFINEMENT) if refined else None)
    return found if steps is None else found.shortened(steps)
