"""Portraits edited along a direction, and pasted back into their photos."""

from __future__ import annotations

import io
import itertools
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor

from latentlab.directions import Direction
from latentlab.directions.edits import Edits, as_edits
from latentlab.directions.teaching import teacher_of
from latentlab.editing import move
from latentlab.errors import UserError
from latentlab.faces.cropping import cut
from latentlab.faces.identity import similarity, why_undescribed
from latentlab.files import strength_names
from latentlab.images import to_pil
from latentlab.pipelines.checks import QualityCheck, check_mesh
from latentlab.pipelines.components import Components
from latentlab.pipelines.edits import EDITED, gone
from latentlab.pipelines.measuring.settings import name_of, same_attribute
from latentlab.pipelines.photos.pasting import paste
from latentlab.pipelines.photos.portraits import Portrait
from latentlab.pipelines.photos.settings import Pasting, photo_search
from latentlab.pipelines.photos.verdicts import check_edit, check_edits, check_strength
from latentlab.pipelines.scoring import scored_by
from latentlab.pipelines.strengths import FaceStrengths, StrengthSettings, is_known_probability, strength_for
from latentlab.pipelines.targets import ScoreTarget
from latentlab.rendering import Renderer, ws_in
from latentlab.reprs import ShortRepr
from latentlab.scorers import Scorer, score_column, score_images


@dataclass(frozen=True, eq=False, repr=False)
class PhotoEdit(ShortRepr):
    """A portrait at one strength.

    Attributes
    ----------
    strength
        Strength in the direction's units; 1 for an edit along several directions.
    crop
        `(1, 3, r, r)`: the edited face as the generator renders it.
    photo
        `(1, 3, h, w)`: the photo with that face pasted back.
    score, identity
        Score of the face in that photo, cut out as the original was, and its similarity to the original (see
        `latentlab.faces.identity`); NaN where it is unknown.
    why_unknown
        Why scores or identity are unknown, in sentences; empty where both are known.
    search
        How the strength was found, and whether the face as the generator renders it got to the target; None where the
        strength was given.
    own_scores
        Scores of the photo's own face, and of its projection; NaN where unknown.
    checks
        Checks of the edit, see `latentlab.pipelines.photos.verdicts`.
    ws
        `(1, num_ws, w_dim)`: the edited latent; None in space s, where no latent has these styles.
    edits
        The directions that it went along at once, and their strengths; None for a single one.
    attribute
        Name of the score.
    """

    strength: float
    crop: Tensor = field(repr=False)
    photo: Tensor = field(repr=False)
    score: float
    identity: float
    why_unknown: tuple[str, ...] = ()
    search: FaceStrengths | None = None
    own_scores: tuple[float, float] = (math.nan, math.nan)
    checks: tuple[QualityCheck, ...] = ()
    ws: Tensor | None = field(default=None, repr=False)
    edits: Edits | None = None
    attribute: str = "score"

    def values(self) -> str:
        """Score and identity in words, such as 'happy 0.93, identity 0.71', or 'unknown' where they are."""
        return f"{self.attribute} {or_unknown(self.score)}, identity {or_unknown(self.identity)}"

    def _repr_png_(self) -> bytes:
        """The edited photo, for a notebook."""
        png = io.BytesIO()
        to_pil(self.photo).save(png, "PNG")
        return png.getvalue()


@torch.no_grad()
def edit_portrait(
    portrait: Portrait,
    direction: Direction | Edits,
    strengths: Sequence[float],
    components: Components,
    attribute: str | None = None,
    pasting: Pasting | None = None,
    targets: Sequence[float | ScoreTarget] = (),
    search: StrengthSettings | None = None,
) -> Iterator[PhotoEdit]:
    """Edit a portrait at each strength, and at those that bring it to each target, and paste it back into its photo.

    Scores or identities that cannot be measured, such as those of very small faces, are unknown, which is not an error.

    Parameters
    ----------
    portrait
        The portrait.
    direction, strengths
        Direction of the edits, and their strengths in the direction's units; or edits along several directions at once,
        and 1.
    components
        Networks; the scorer and the descriptor are used.
    attribute
        Score that is reported, and that targets refer to; None for the one that taught the direction.
    pasting
        How the edited face is put back into the photo; None for the defaults.
    targets, search
        Scores that the face, as the portrait's generator renders it, is to reach one by one, and how the strengths are
        searched for; see `latentlab.pipelines.strength_for`.

    Raises
    ------
    UserError
        If the direction is of a space above the portrait's, such as w for one projected into s, or does not fit, or the
        scorer has no such attribute.
    """
    components, attribute = scored_by(components, direction, attribute)
    components.check_attribute(attribute)
    describe = Description(portrait.face.image, components)
    unedited = portrait.face.image.to(components.device), portrait.rendered.clamp(-1, 1)
    own, projected = (score_of(image, components.scorer, attribute)[0] for image in unedited)
    scored = [step for step in as_edits(direction) if is_scored(step[0], components, attribute)]
    searches = (_strength(portrait, direction, target, components, attribute, search) for target in targets)
    found = ((float(one.strengths[0]), one) for one in searches)
    for strength, searched in itertools.chain(((strength, None) for strength in strengths), found):
        latents = move(portrait.latents, gone(direction, strength), portrait.generator)
        crop, ws = portrait.render(latents).cpu(), ws_in(latents, portrait.generator.num_ws)
        photo = paste(portrait, crop, pasting or Pasting())
        seen = cut(photo, portrait.face.geometry)
        score, no_score = score_of(seen.to(components.device), components.scorer, attribute)
        identity, no_identity = describe.identity(seen)
        why_unknown = tuple(why for why in (no_score, no_identity) if why)
        if isinstance(direction, Edits):
            several, checks = direction, check_edits(direction, (own, score), identity, scored, attribute)
        else:
            several, moved = None, attribute if scored else None
            checks = check_edit(strength, (own, score), identity, direction, moved, searched)
            checks += check_strength(strength, direction)
        checks += check_mesh(crop)
        known = (own, projected), tuple(checks), ws, several, attribute
        yield PhotoEdit(strength, crop, photo, score, identity, why_unknown, searched, *known)


def is_scored(direction: Direction, components: Components, attribute: str) -> bool:
    """Whether a score is the probability of what a direction moves, and known of the generator's images."""
    teacher = teacher_of(direction)
    names = (direction.attribute, *(() if teacher is None else (teacher.score,)))
    moved, scored = {same_attribute(name_of(name)) for name in names}, same_attribute(name_of(attribute))
    return scored in moved and is_known_probability(components.renderer(), components.scorer, attribute)


def _strength(
    portrait: Portrait,
    direction: Direction | Edits,
    target: float | ScoreTarget,
    components: Components,
    attribute: str,
    search: StrengthSettings | None,
) -> FaceStrengths:
    """Search for the strength that brings a portrait to a target, as its own generator renders it."""
    if isinstance(direction, Edits):
        raise UserError("a target is searched for along one direction, not several")
    renderer = Renderer(portrait.generator, portrait.generator.resolution)
    return strength_for(
        portrait.latents,
        direction,
        target,
        renderer,
        components.scorer,
        attribute,
        search or photo_search(),
        progress=False,
    )


def edit_names(edits: Sequence[PhotoEdit]) -> list[str]:
    """Name edits for lines, by their strengths and, where these were searched for, the targets: '+2 (target 0.9)'.

    An edit along several directions at once is 'edited'.
    """
    if any(edit.edits is not None for edit in edits):
        return [EDITED] * len(edits)  # of which there is one
    given = [edit.strength for edit in edits if edit.search is None]
    names = iter(strength_names(given) if given else ())
    return [
        next(names) if edit.search is None else f"{edit.strength:+.2f} (target {edit.search.target})" for edit in edits
    ]


def or_unknown(value: float) -> str:
    """Format a score or an identity with two decimals, or as 'unknown'."""
    return "unknown" if math.isnan(value) else f"{value:.2f}"


def score_of(image: Tensor, scorer: Scorer, attribute: str) -> tuple[float, str]:
    """A score of an image, or NaN and why: the edit itself is not lost for an image that cannot be scored."""
    try:
        return float(score_column(score_images(scorer, image), scorer.names, attribute)[0]), ""
    except UserError as error:
        return math.nan, f"The score {attribute} is unknown: {error}."


class Description:
    """The face in a photo, to which its edits are compared."""

    def __init__(self, image: Tensor, components: Components) -> None:
        self._too_small = why_undescribed(image.shape[3])
        self._components = components
        self._before = None if self._too_small else components.descriptor(image)

    def identity(self, image: Tensor) -> tuple[float, str]:
        """Similarity of the face in `image (1, 3, r, r)`, or NaN and why."""
        if self._before is None:
            return math.nan, f"Identity is unknown: {self._too_small}."
        found = float(similarity(self._before, self._components.descriptor(image))[0])
        return found, "Identity is unknown: no face is found." if math.isnan(found) else ""
