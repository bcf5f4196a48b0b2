"""Octaves of an image made stronger or weaker."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from stylegan2.training.augmentation.chances import Chances
from stylegan2.training.augmentation.padding import reflect
from stylegan2.training.augmentation.wavelets import BANDS, band_filters

_POWER = (10 / 13, 1 / 13, 1 / 13, 1 / 13)  # expected of an image in each octave, the lowest first


def filtered(images: Tensor, chances: Chances) -> Tensor:
    """Amplify octaves of `images (b, c, h, w)`, so that their expected power stays the same."""
    gains = torch.ones(len(images), BANDS, device=images.device)
    power = torch.tensor(_POWER, device=images.device)
    for band in range(BANDS):
        one = torch.ones_like(gains)
        one[:, band] = chances.chosen(chances.factor(1.0), 1)
        gains = gains * one / (one.square() @ power).sqrt()[:, None]
    taps = gains @ band_filters().to(images.device)  # (b, 43)
    changed = (gains != 1).any(dim=1)
    return torch.where(changed[:, None, None, None], _convolved(images, taps), images)


def _convolved(images: Tensor, taps: Tensor) -> Tensor:
    """Convolve each image `(b, c, h, w)` with taps of its own `(b, n)`, along rows and along columns."""
    b, c, h, w = images.shape
    half = taps.shape[1] // 2
    kernels = taps.to(images.dtype).repeat_interleave(c, dim=0)  # (b c, n)
    x = reflect(images, half, half).reshape(1, b * c, h + 2 * half, w + 2 * half)
    x = F.conv2d(x, kernels[:, None, None, :], groups=b * c)
    x = F.conv2d(x, kernels[:, None, :, None], groups=b * c)
    return x.reshape(b, c, h, w)
