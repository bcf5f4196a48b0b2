"""Images mirrored beyond their borders, to sizes that a network can halve often enough."""

from __future__ import annotations

import torch
from torch import Tensor


def pad(x: Tensor, multiple: int, least: int) -> Tensor:
    """Mirror `x (b, c, h, w)` beyond its right and lower border, to multiples of `multiple`, and at least `least`."""
    height, width = (max(-(-side // multiple) * multiple, least) for side in x.shape[2:])
    if (height, width) == x.shape[2:]:
        return x
    return x[:, :, _mirrored(x.shape[2], height)][..., _mirrored(x.shape[3], width)]


def _mirrored(side: int, length: int) -> Tensor:
    """Return the indices 0 … side − 1, side − 1 … 0, 0 …, `length` of them."""
    places = torch.arange(length, device="cpu") % (2 * side)
    return torch.minimum(places, 2 * side - 1 - places)
