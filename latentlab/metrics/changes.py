"""What an edit changed: beside the region that it was to change, in other attributes, in sharpness."""

from __future__ import annotations

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

# ITU-R BT.601.
_LUMA = (0.299, 0.587, 0.114)


def difference_outside(before: Tensor, after: Tensor, region: Tensor) -> Tensor:
    """Mean absolute difference of pictures outside of a region, in 0 … 1 where 1 is black against white.

    Parameters
    ----------
    before, after
        `(b, 3, h, w)` in [-1, 1].
    region
        `(b or 1, 1, h, w)` in 0 … 1: 1 where the edit may do what it likes.

    Returns
    -------
    Tensor
        `(b,)`; NaN where the region is all of the picture.
    """
    outside = (1 - region).expand(len(before), -1, -1, -1)
    total = outside.sum(dim=(1, 2, 3))
    difference = (outside * (before - after).abs().mean(dim=1, keepdim=True)).sum(dim=(1, 2, 3)) / 2
    return torch.where(total > 0, difference / total.clamp_min(1e-12), torch.nan)


def sharpness(pictures: Tensor) -> Tensor:
    """Variance of the Laplacian of the luma, `(b,)`, of `pictures (b, 3, h, w)`: 0 for a plain one, more for a sharper.

    Pech-Pacheco et al. 2000, "Diatom autofocusing in brightfield microscopy". It depends on the size and on what is
    shown: compare pictures of one size and of the same persons.
    """
    luma = (pictures.float() * pictures.new_tensor(_LUMA).view(1, 3, 1, 1)).sum(dim=1, keepdim=True)
    kernel = pictures.new_tensor([[0.0, 1, 0], [1, -4, 1], [0, 1, 0]]).float().view(1, 1, 3, 3)
    return F.conv2d(luma, kernel).var(dim=(1, 2, 3), unbiased=False)


def leakage(
    before: NDArray[np.float64], after: NDArray[np.float64], deviation: NDArray[np.float64], target: int
) -> NDArray[np.float64]:
    """How far each attribute moves with the target, all in standard deviations of the population.

    |mean change of the attribute's logit / its deviation| over that of the target: 0 for an attribute that stays, 1 for
    one that moves as far as the target does.

    Parameters
    ----------
    before, after
        Logits `(n, k)` of pictures and of their edits.
    deviation
        `(k,)`: of the logits over the population.
    target
        The column of the attribute that was edited.

    Returns
    -------
    NDArray
        `(k,)`, 1 for the target itself; NaN where the target did not move.
    """
    moved = np.abs((after - before).mean(axis=0)) / deviation
    if moved[target] == 0:
        return np.full(len(moved), np.nan)
    return moved / moved[target]
