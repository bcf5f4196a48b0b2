"""Portraits along a direction, and back in their photos."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from latentlab.directions import Direction
from latentlab.editing import edit
from latentlab.errors import UserError
from latentlab.faces import paste_back
from latentlab.faces.cropping import cut
from latentlab.faces.identity import FaceDescriptor, similarity
from latentlab.pipelines.photos.portrait import Portrait
from latentlab.scorers import Scorer, score_column, score_pictures

Mask = Literal["feather", "hull"]


@dataclass(frozen=True, eq=False)
class PhotoEdit:
    """A portrait at one strength.

    Attributes
    ----------
    strength
        In units of w.
    crop
        `(1, 3, r, r)`: as the generator renders it.
    photo
        `(1, 3, h, w)`: back in its photo.
    score, identity
        Of what one gets: the face in that photo, cut out as the original was. Identity is the similarity to
        the original (see `latentlab.faces.identity`).
    """

    strength: float
    crop: Tensor
    photo: Tensor
    score: float
    identity: float


@torch.no_grad()
def edit_portrait(
    portrait: Portrait,
    direction: Direction,
    strengths: Sequence[float],
    scorer: Scorer,
    attribute: str,
    descriptor: FaceDescriptor,
    mask: Mask = "feather",
) -> Iterator[PhotoEdit]:
    """The portrait at each strength, pasted back.

    Raises
    ------
    UserError
        The portrait has no ws (space s), the direction does not fit, or the scorer has no such attribute.
    """
    if portrait.ws is None:
        raise UserError("directions move codes of w and w+; project the photo into one of these")
    ws = portrait.ws
    descriptor_before = descriptor(portrait.face.image)
    landmarks = portrait.face.face.landmarks if mask == "hull" else None
    for strength in strengths:
        crop = portrait.render(edit(ws, direction, strength)).cpu()
        photo = paste_back(crop, portrait.face.geometry, portrait.photo, mask, landmarks)
        seen = cut(photo, portrait.face.geometry)
        score = score_column(score_pictures(scorer, seen.to(ws.device)), scorer.names, attribute)[0]
        identity = similarity(descriptor_before, descriptor(seen))[0]
        yield PhotoEdit(strength, crop, photo, float(score), float(identity))
