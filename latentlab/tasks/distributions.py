"""Distances between what a method made and a set of real images, which the tasks report."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from latentlab.comparison.protocol import Measure
from latentlab.metrics import FrechetDistance, Interval, KernelDistance, VGG16Features
from latentlab.metrics.base import LastResult
from latentlab.perceptual import PerceptualDistance

MEASURES = (
    Measure("kernel_distance", "Kernel distance × 1000 (VGG16)", "less"),
    Measure("frechet_distance", "Fréchet distance (VGG16)", "less"),
)
LIMITS = (
    "Kernel and Fréchet distance are to images of the target domain. They use spatial means of VGG16's features, not "
    "Inception's as KID and FID do: compare them within a table only. The Fréchet distance of few images is too large; "
    "the kernel distance has no such bias."
)


class DistributionMetrics:
    """Kernel and Fréchet distance to one reference set, on VGG16 features that are computed once.

    Parameters
    ----------
    perceptual
        LPIPS with VGG16, whose backbone is used.
    reference
        Images of the target domain, `(m, 3, h, w)` in [-1, 1].
    """

    def __init__(self, perceptual: PerceptualDistance, reference: Tensor) -> None:
        features: LastResult[NDArray[np.float64]] = LastResult(VGG16Features(perceptual))
        self._metrics = {"kernel_distance": KernelDistance(features), "frechet_distance": FrechetDistance(features)}
        self._reference = reference

    def measure(self, made: Tensor) -> dict[str, Interval]:
        """Return 'kernel_distance', times 1000, and 'frechet_distance' of what a method made, `(n, 3, h, w)`."""
        found = {}
        for name, metric in self._metrics.items():
            metric.reset()
            metric.update(self._reference, made)
            found[name] = metric.compute()
        return found
