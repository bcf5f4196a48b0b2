"""Changes of resolution by 2 along a side, as matrices.

The filter has twelve taps each way: a depthwise convolution by its 144 products was a fifth of a training step at 64
pixels on a CPU. Matrix products are far quicker, and differentiable any number of times.
"""

from __future__ import annotations

from functools import cache

import torch
import torch.nn.functional as F
from torch import Tensor

from stylegan2.ops import down_padding, up_padding
from stylegan2.training.augmentation.padding import reflect
from stylegan2.training.augmentation.wavelets import low_pass

MARGIN = 6
"""Pixels around an image that the filters reach."""


def enlarge(images: Tensor) -> Tensor:
    """Enlarge images `(b, c, h, w)`, mirrored at their borders, to `(b, c, 2h, 2w)`."""
    return _along(images, _enlarging(images.shape[2]), _enlarging(images.shape[3]))


def reduce(images: Tensor) -> Tensor:
    """Reduce images `(b, c, 2h + 24, 2w + 24)` to `(b, c, h, w)`, without 12 pixels at each border."""
    return _along(images, _reducing(images.shape[2]), _reducing(images.shape[3]))


def _along(images: Tensor, rows: Tensor, columns: Tensor) -> Tensor:
    wide: Tensor = images @ columns.to(images).mT
    return rows.to(images) @ wide


@cache
def _enlarging(side: int) -> Tensor:
    """Matrix `(2 side, side)` from a side's pixels to twice as many."""
    with torch.inference_mode(False), torch.no_grad():
        taps = 2 * low_pass().double()
        lines = reflect(torch.eye(side, dtype=torch.float64)[None, None], 0, MARGIN)[0].transpose(0, 1)
        before, _ = up_padding(len(taps), 2)
        first = len(taps) - 1 - before + 2 * MARGIN
        enlarged = F.conv_transpose1d(lines, taps[None, None], stride=2)  # (side, 1, …)
        return enlarged[:, 0, first : first + 2 * side].mT.float().contiguous()


@cache
def _reducing(side: int) -> Tensor:
    """Matrix `(side / 2 - 12, side)` from a side's pixels to half as many, without 6 of them at both ends."""
    with torch.inference_mode(False), torch.no_grad():
        taps = low_pass().double()
        before, after = down_padding(len(taps), 2)
        lines = F.pad(torch.eye(side, dtype=torch.float64)[:, None], (before, after))
        reduced = F.conv1d(lines, taps[None, None], stride=2)  # correlated: the enlarging filter, reversed
        return reduced[:, 0, MARGIN:-MARGIN].mT.float().contiguous()
