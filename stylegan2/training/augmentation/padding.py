"""Reflection at the borders of images, however small they are."""

from __future__ import annotations

import torch
from torch import Tensor


def reflect(x: Tensor, rows: int, columns: int) -> Tensor:
    """Extend `x (b, c, h, w)` by so many rows and columns on each side, mirrored at its outermost pixels."""
    return x.index_select(2, _mirrored(x.shape[2], rows, x.device)).index_select(
        3, _mirrored(x.shape[3], columns, x.device)
    )


def _mirrored(size: int, more: int, device: torch.device) -> Tensor:
    """Indices of a side of `size` pixels with `more` before and behind."""
    places = torch.arange(-more, size + more, device=device)
    if size == 1:
        return torch.zeros_like(places)
    places = places % (2 * (size - 1))
    return torch.minimum(places, 2 * (size - 1) - places)
