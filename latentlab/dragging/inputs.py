"""What is dragged, checked: a latent, points and targets of its image, a mask."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeAlias

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from latentlab.dragging.settings import UNITS
from latentlab.errors import UserError
from latentlab.mapping import check_has_w, check_square
from stylegan2.protocol import Generator

Places: TypeAlias = Tensor | NDArray[np.floating] | Sequence[Sequence[float]]
"""Places in an image, `(n, 2)`: (x, y) in pixels, where pixel (i, j) covers [j, j + 1) × [i, i + 1)."""


def checked_ws(ws: Tensor, generator: Generator) -> Tensor:
    """Return the latent `(1, num_ws, w_dim)` of one image, on the generator's device and in its type.

    Raises
    ------
    UserError
        The generator has no W or no square images, or ws has another shape or numbers that are not finite.
    """
    check_has_w(generator, "dragging")
    check_square(generator, "dragging")
    shape = generator.num_ws, generator.w_dim
    if not isinstance(ws, Tensor) or ws.shape not in ((1, *shape), shape) or not ws.is_floating_point():
        found = tuple(ws.shape) if isinstance(ws, Tensor) else type(ws).__name__
        raise UserError(f"one image is dragged at a time: ws must be float of shape {(1, *shape)}, not {found}")
    if not ws.isfinite().all():
        raise UserError("ws holds numbers that are not finite")
    return ws.detach().reshape(1, *shape).to(generator.w_avg)


def checked_moves(points: Places, targets: Places, generator: Generator) -> tuple[Tensor, Tensor]:
    """Return points and targets `(n, 2)` in units, on the generator's device.

    Raises
    ------
    UserError
        They are not pairs of finite numbers, not as many of the one as of the other, or outside the image.
    """
    found = [_places(places, noun, generator) for places, noun in ((points, "points"), (targets, "targets"))]
    if len(found[0]) != len(found[1]):
        raise UserError(f"every point needs a target: there are {len(found[0])} points and {len(found[1])} targets")
    return found[0], found[1]


def _places(places: Places, noun: str, generator: Generator) -> Tensor:
    try:
        given = places if isinstance(places, Tensor) else torch.from_numpy(np.array(places, dtype=np.float64))
        # torch's default device may be another one: a tensor that is made here says where it is.
        pixels = given.detach().to(generator.w_avg.device, torch.float32)
    except (TypeError, ValueError):
        raise UserError(f"{noun} are pairs (x, y) of numbers, such as [[300, 400]], not {places!r:.100}") from None
    if pixels.ndim != 2 or pixels.shape[1] != 2 or not len(pixels):
        raise UserError(f"{noun} are one or more pairs (x, y), of shape (n, 2), not {tuple(pixels.shape)}")
    side = generator.resolution
    for x, y in pixels.tolist():
        if not (0 <= x <= side and 0 <= y <= side):  # nor where one is not a number
            raise UserError(f"{noun} must lie in the image, 0 … {side} in both directions, unlike ({x:g}, {y:g})")
    return pixels * (UNITS / side)


def checked_mask(mask: Tensor, generator: Generator) -> Tensor:
    """Return a mask `(1, 1, r, r)` on the generator's device.

    Raises
    ------
    UserError
        It has another shape than the image, or values outside 0 … 1, or is 0 everywhere.
    """
    side = generator.resolution
    if not isinstance(mask, Tensor) or mask.shape not in ((side, side), (1, side, side), (1, 1, side, side)):
        found = tuple(mask.shape) if isinstance(mask, Tensor) else type(mask).__name__
        raise UserError(f"the mask must have the image's shape ({side}, {side}), not {found}")
    values = mask.detach().to(generator.w_avg).reshape(1, 1, side, side)
    if not (values.min() >= 0 and values.max() <= 1 and values.any()):
        raise UserError("a mask is 1 where the image may move and 0 where it stays, and not 0 everywhere")
    return values
