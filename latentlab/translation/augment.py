"""Differentiable augmentation of what a discriminator sees.

Zhao et al. 2020, "Differentiable Augmentation for Data-Efficient GAN Training": colour, translation by up to an eighth
and cutout of a half, applied to real and generated images alike; the generator learns through them.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

_SHIFT, _CUT = 1 / 8, 1 / 2


def augment(images: Tensor, beside: Tensor, fill: float, rng: torch.Generator) -> tuple[Tensor, Tensor]:
    """Augment images at random, differentiably.

    Parameters
    ----------
    images
        `(b, c, h, w)` in [-1, 1], augmented in colour and position.
    beside
        `(b, k, h, w)`: what belongs to them, such as their masks; augmented in position like them. k may be 0.
    fill
        Value of `beside` where nothing is left; images become 0 there.
    rng
        Random generator on the CPU.

    Returns
    -------
    tuple of Tensor
        Images and what belongs to them.
    """
    shifts, keep = _places(images, rng)
    return _placed(_recoloured(images, rng), shifts, keep, 0.0), _placed(beside, shifts, keep, fill)


def _recoloured(images: Tensor, rng: torch.Generator) -> Tensor:
    """Change brightness by up to a half, saturation from 0 to 2, contrast from 0.5 to 1.5, in this order."""
    brightness, saturation, contrast = torch.rand(3, len(images), 1, 1, 1, generator=rng).to(images)
    images = images + brightness - 0.5
    grey = images.mean(dim=1, keepdim=True)
    images = grey + 2 * saturation * (images - grey)
    mean = images.mean(dim=(1, 2, 3), keepdim=True)
    recoloured: Tensor = mean + (0.5 + contrast) * (images - mean)
    return recoloured


def _places(images: Tensor, rng: torch.Generator) -> tuple[Tensor, Tensor]:
    """Draw shifts `(b, 2)` in rows and columns, and what a cutout leaves, `(b, 1, h, w)` of 0 and 1."""
    count, (height, width) = len(images), images.shape[2:]
    sides = torch.tensor([height, width])
    most = (sides * _SHIFT + 0.5).floor()
    shifts = ((2 * most + 1) * torch.rand(count, 2, generator=rng)).floor() - most
    cut = (sides * _CUT + 0.5).floor()
    # The cutout's centre lies anywhere, so that the cutout may extend beyond the border.
    start = (torch.rand(count, 2, generator=rng) * (sides + 1 - cut % 2)).floor() - (cut / 2).floor()
    inside = [
        (start[:, k, None] <= torch.arange(side)) & (torch.arange(side) < start[:, k, None] + cut[k])
        for k, side in enumerate((height, width))
    ]
    kept = ~(inside[0][:, None, :, None] & inside[1][:, None, None, :])
    return shifts.long(), kept.to(images)


def _placed(x: Tensor, shifts: Tensor, keep: Tensor, fill: float) -> Tensor:
    """Shift and cut out; where nothing is left, `fill`."""
    if not x.shape[1]:
        return x
    height, width = x.shape[2:]
    room = int(max(height, width) * _SHIFT) + 1
    padded = F.pad(x - fill, (room, room, room, room))
    moved = torch.stack(
        [
            one[:, room + down : room + down + height, room + right : room + right + width]
            for one, (down, right) in zip(padded, shifts.tolist(), strict=True)
        ]
    )
    return moved * keep + fill
