"""Kernel distance between two sets of images."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from latentlab.metrics import functional
from latentlab.metrics.features import FeatureExtractor, title_of
from latentlab.metrics.set_distance import SetDistance


class KernelDistance(SetDistance):
    """Unbiased squared maximum mean discrepancy of features, times `scale`; see `functional.kernel_distance`.

    With Inception's features it would be KID; with any other it is not comparable to published KID values.

    Parameters
    ----------
    features
        Feature extractor; None for `VGG16Features`.
    scale
        Factor that makes the numbers readable.
    resamples
        How often rows are drawn for the interval.
    """

    least = -math.inf  # unbiased: for two sets from one distribution it lies on either side of 0

    def __init__(self, features: FeatureExtractor | None = None, scale: float = 1000.0, resamples: int = 200) -> None:
        super().__init__(features, resamples)
        self.scale = scale
        self.title = f"Kernel distance × {scale:g} ({title_of(self.features)})"

    def distance(self, made: NDArray[np.float64], reference: NDArray[np.float64]) -> float:
        """Return the distance between features `(n, d)` and `(m, d)`."""
        return self.scale * functional.kernel_distance(made, reference)
