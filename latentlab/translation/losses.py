"""Losses that translators minimise beside the adversarial objective."""

from __future__ import annotations

import torch
from torch import Tensor


def l1(one: Tensor, other: Tensor) -> Tensor:
    """Mean absolute difference of two tensors of equal shape."""
    return (one - other).abs().mean()


def context_weight(source: Tensor, translated: Tensor) -> Tensor:
    """Weight that is 1 outside of all instances, before and after: 1 − union of the masks.

    Mo et al. 2019, section 2.2. The union of soft masks is their sum in units of 0 … 1, clamped at 1, as in the
    published code.

    Parameters
    ----------
    source, translated
        Masks `(b, n, h, w)` in [-1, 1]; a mask of −1 everywhere has no effect.

    Returns
    -------
    Tensor
        `(b, 1, h, w)` in 0 … 1.
    """
    inside = (torch.cat([source, translated], dim=1) + 1) / 2
    return 1 - inside.sum(dim=1, keepdim=True).clamp(max=1)


def context_loss(source: Tensor, translated: Tensor, weight: Tensor) -> Tensor:
    """Mean absolute difference of images `(b, 3, h, w)`, weighted by `weight (b, 1, h, w)`.

    The mean is over all pixels, including those of weight 0, like the paper's norm.
    """
    return (weight * (source - translated).abs()).mean()
