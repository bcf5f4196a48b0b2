"""Noise, and a square that is cut out."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from stylegan2.training.augmentation.chances import Chances

_CUT = 0.5  # share of a side


def noisy(images: Tensor, chances: Chances, rngs: Sequence[torch.Generator]) -> Tensor:
    """Add noise to `images (b, c, h, w)`, drawn from each image's generator."""
    noise = torch.stack([torch.randn(images.shape[1:], generator=one) for one in rngs]).to(images)
    strength = chances.chosen(chances.normal(0.1).abs(), 0)
    return images + noise * strength.to(images.dtype)[:, None, None, None]


def cut_out(images: Tensor, chances: Chances) -> Tensor:
    """Set a part of `images (b, c, h, w)` with half of their sides to 0."""
    size = chances.chosen(torch.full_like(chances.uniform(), _CUT), 0)[:, None]
    inside = []
    for side in images.shape[2:]:
        centre = chances.uniform()[:, None]
        places = (torch.arange(side, device=images.device) + 0.5) / side
        inside.append((places - centre).abs() < size / 2)  # (b, side)
    return torch.where(inside[0][:, None, :, None] & inside[1][:, None, None, :], 0, images)
