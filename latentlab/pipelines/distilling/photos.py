"""Edit photos by a distilled editor: align, edit in one pass, paste back what the edit changed."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from latentlab.errors import UserError
from latentlab.faces import FaceDetector, align, paste_back
from latentlab.images import as_batch
from latentlab.translation.translator import Translator


def is_face_editor(translator: Translator) -> bool:
    """Whether a translator edits faces in FFHQ's framing by strengths."""
    return translator.card.get("framing") == "ffhq"


@torch.no_grad()
def edit_faces(
    photo: Tensor,
    editor: Translator,
    detector: FaceDetector,
    strengths: Mapping[str, float] | None = None,
    name: str = "photo",
) -> Tensor:
    """Edit all faces of a photo.

    Parameters
    ----------
    photo
        `(1, 3, h, w)` or `(3, h, w)` in [-1, 1].
    editor
        A translator that `distil` made.
    detector
        Detector of faces and landmarks.
    strengths
        From -1 to 1 by attribute; by default 1 of the editor's first attribute.
    name
        Name of the photo in messages.

    Returns
    -------
    Tensor
        `(1, 3, h, w)`: the photo, to the bit where nothing was edited.

    Raises
    ------
    UserError
        No face was found, or the translator edits no faces in this framing.
    """
    if not is_face_editor(editor):
        raise UserError("this translator was not distilled from edits of faces; `latentlab translate apply` takes it")
    made = as_batch(photo, "a photo")
    for face in align(made, detector, int(editor.card["resolution"]), "all", name):
        edited, _ = editor(face.image, strengths=strengths)
        made = paste_back(edited, face.geometry, made, original=face.image)
    return made
