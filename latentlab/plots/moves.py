"""Images with the points that are moved in them."""

from __future__ import annotations

import torch
from PIL import ImageDraw
from torch import Tensor

from latentlab.images import from_pil, to_pil

_POINT, _TARGET = (230, 40, 40), (40, 110, 240)


def draw_moves(image: Tensor, points: Tensor, targets: Tensor) -> Tensor:
    """Draw points red, their targets blue, and a white line from each to its own.

    Parameters
    ----------
    image
        `(1, 3, h, w)`, or `(1, 1, h, w)` of grey, in [-1, 1].
    points, targets
        `(n, 2)` each: (x, y) in pixels.

    Returns
    -------
    Tensor
        `(1, 3, h, w)`.
    """
    drawn = to_pil(image).convert("RGB")
    pen, size = ImageDraw.Draw(drawn), max(round(max(drawn.size) / 170), 1)
    for (x, y), (to_x, to_y) in zip(points.tolist(), targets.tolist(), strict=True):
        pen.line([x, y, to_x, to_y], fill=(255, 255, 255), width=max(size // 2, 1))
        for at_x, at_y, colour in ((to_x, to_y, _TARGET), (x, y, _POINT)):
            pen.ellipse([at_x - size, at_y - size, at_x + size, at_y + size], fill=colour)
    return from_pil(drawn)


def moves_strip(before: Tensor, after: Tensor, points: Tensor, reached: Tensor, targets: Tensor) -> Tensor:
    """Put the image before and after a drag side by side, each with its points, `(1, 3, h, 2 w)`."""
    return torch.cat([draw_moves(before, points, targets), draw_moves(after, reached, targets)], dim=3)
