"""Edited faces back into their photos."""

from __future__ import annotations

from torch import Tensor

from latentlab.faces import paste_back
from latentlab.faces.keeping import before_edit
from latentlab.faces.tone import tone_of
from latentlab.pipelines.photos.portraits import Portrait
from latentlab.pipelines.photos.settings import Pasting


def paste(portrait: Portrait, edited: Tensor, pasting: Pasting, photo: Tensor | None = None) -> Tensor:
    """Put an edited face `(1, 3, r, r)` back into a portrait's photo, `(1, 3, h, w)`.

    Parameters
    ----------
    portrait
        The portrait, whose geometry says where.
    edited, pasting
        The face, and how it is put back.
    photo
        `(1, 3, h, w)`: its photo as other edits left it; None for the photo as it was.

    Raises
    ------
    UserError
        The mask is the hull, and the face has no 68 landmarks.
    """
    face, rendered = portrait.face, portrait.rendered.to(edited)
    crop = face.image.to(edited)
    tone = tone_of(crop) if pasting.keep_tone else None
    if tone is not None:
        edited, rendered = tone.apply(edited), tone.apply(rendered)
    original = before_edit(rendered, edited, crop) if pasting.keep_detail else None
    landmarks = face.face.landmarks if pasting.mask == "hull" else None
    onto = portrait.photo if photo is None else photo
    return paste_back(edited, face.geometry, onto, pasting.mask, landmarks, original=original)
