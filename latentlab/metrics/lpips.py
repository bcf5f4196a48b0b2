"""Perceptual distance of edited images."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from latentlab.metrics.base import RegionMetric, as_array
from latentlab.perceptual import PerceptualDistance, load_perceptual


class LPIPS(RegionMetric):
    """LPIPS between the images before and after, optionally outside a region only.

    Parameters
    ----------
    perceptual
        The distance; None for LPIPS with VGG16.
    batch_size
        Images compared at once.
    """

    title = "LPIPS"
    higher_is_better = False

    def __init__(self, perceptual: PerceptualDistance | None = None, batch_size: int = 16) -> None:
        super().__init__()
        self.perceptual = load_perceptual("vgg") if perceptual is None else perceptual
        self.batch_size = batch_size

    @torch.no_grad()
    def per_image(self, before: Tensor, after: Tensor, region: Tensor | None = None) -> NDArray[np.float64]:
        """Return the distance of each pair, `(n,)`; see `update`."""
        device = next(self.perceptual.parameters()).device
        distances = []
        for start in range(0, len(before), self.batch_size):
            rows = slice(start, start + self.batch_size)
            mask = None
            if region is not None:
                mask = 1 - (region[rows] if len(region) > 1 else region).to(device)
            distances.append(self.perceptual(after[rows].to(device), before[rows].to(device), mask).cpu())
        return as_array(torch.cat(distances))
