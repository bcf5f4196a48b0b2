"""Portraits edited along a direction, and pasted back into their photos."""

from __future__ import annotations

import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor

from latentlab.directions import Direction
from latentlab.editing import edit
from latentlab.errors import UserError
from latentlab.faces import paste_back
from latentlab.faces.cropping import cut
from latentlab.faces.identity import similarity
from latentlab.images import to_pil
from latentlab.pipelines.components import Components
from latentlab.pipelines.photos.portraits import Portrait
from latentlab.pipelines.photos.settings import Mask
from latentlab.scorers import score_column, score_images


@dataclass(frozen=True, eq=False)
class PhotoEdit:
    """A portrait at one strength.

    Attributes
    ----------
    strength
        Strength in units of w.
    crop
        `(1, 3, r, r)`: the edited face as the generator renders it.
    photo
        `(1, 3, h, w)`: the photo with that face pasted back.
    score, identity
        Score of the face in that photo, cut out as the original was, and its similarity to the original (see
        `latentlab.faces.identity`).
    """

    strength: float
    crop: Tensor = field(repr=False)
    photo: Tensor = field(repr=False)
    score: float
    identity: float

    def _repr_png_(self) -> bytes:
        """The edited photo, for a notebook."""
        png = io.BytesIO()
        to_pil(self.photo).save(png, "PNG")
        return png.getvalue()


@torch.no_grad()
def edit_portrait(
    portrait: Portrait,
    direction: Direction,
    strengths: Sequence[float],
    components: Components,
    attribute: str = "happy",
    mask: Mask = "feather",
) -> Iterator[PhotoEdit]:
    """Edit a portrait at each strength, and paste it back into its photo.

    Parameters
    ----------
    portrait
        The portrait.
    direction, strengths
        Direction of the edits, and their strengths in units of w.
    components
        Networks; the scorer and the descriptor are used.
    attribute
        Score that is reported.
    mask
        Part of the crop that is pasted back, see `latentlab.faces.paste_back`.

    Raises
    ------
    UserError
        If the portrait has no ws (space s), the direction does not fit, or the scorer has no such attribute.
    """
    if portrait.ws is None:
        raise UserError("directions move latents of w and w+; project the photo into one of these")
    ws, scorer, descriptor = portrait.ws, components.scorer, components.descriptor
    descriptor_before = descriptor(portrait.face.image)
    landmarks = portrait.face.face.landmarks if mask == "hull" else None
    for strength in strengths:
        crop = portrait.render(edit(ws, direction, strength)).cpu()
        photo = paste_back(crop, portrait.face.geometry, portrait.photo, mask, landmarks)
        seen = cut(photo, portrait.face.geometry)
        score = score_column(score_images(scorer, seen.to(ws.device)), scorer.names, attribute)[0]
        identity = similarity(descriptor_before, descriptor(seen))[0]
        yield PhotoEdit(strength, crop, photo, float(score), float(identity))
