"""Photos with the faces that were found in them."""

from __future__ import annotations

from collections.abc import Sequence

from PIL import ImageDraw, ImageFont
from torch import Tensor

from latentlab.faces import AlignedFace
from latentlab.images import from_pil, reduce, resize, to_pil

_SHORTEST, _LONGEST = 640, 1600
_CROP, _POINTS = (255, 190, 0), (0, 230, 120)


def draw_faces(photo: Tensor, faces: Sequence[AlignedFace], first: int = 1) -> Tensor:
    """Draw crops, numbers and landmarks of faces into a photo.

    Parameters
    ----------
    photo
        `(1, 3, h, w)` in [-1, 1].
    faces
        Its faces.
    first
        Number of the first of them.

    Returns
    -------
    Tensor
        `(1, 3, h, w)`, of 640 to 1600 pixels on the longer side.
    """
    height, width = photo.shape[2:]
    factor = max(_SHORTEST / max(height, width), 1)
    image = to_pil(reduce(resize(photo, round(height * factor), round(width * factor)), _LONGEST))
    scale, pen, line = image.width / width, ImageDraw.Draw(image), max(round(max(image.size) / 400), 1)
    for number, face in enumerate(faces, first):
        corners = [tuple(corner) for corner in (face.geometry.quad * scale).tolist()]
        pen.line([*corners, corners[0]], fill=_CROP, width=line)
        left, top = (max(value, 0.0) for value in corners[0])
        pen.text((left + 2 * line, top + line), str(number), fill=_CROP, font=ImageFont.load_default(12 * line))
        for x, y in (face.face.landmarks * scale).tolist():
            pen.ellipse([x - line, y - line, x + line, y + line], fill=_POINTS)
    return from_pil(image)
