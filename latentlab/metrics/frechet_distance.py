"""Fréchet distance between two sets of images."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from latentlab.metrics import functional
from latentlab.metrics.features import FeatureExtractor, title_of
from latentlab.metrics.set_distance import SetDistance


class FrechetDistance(SetDistance):
    """Fréchet distance of Gaussians fitted to features; see `functional.frechet_distance`.

    With Inception's features it would be FID; with any other it is not comparable to published FID values.

    Parameters
    ----------
    features
        Feature extractor; None for `VGG16Features`.
    resamples
        How often rows are drawn for the interval.
    """

    def __init__(self, features: FeatureExtractor | None = None, resamples: int = 200) -> None:
        super().__init__(features, resamples)
        self.title = f"Fréchet distance ({title_of(self.features)})"

    def distance(self, made: NDArray[np.float64], reference: NDArray[np.float64]) -> float:
        """Return the distance between features `(n, d)` and `(m, d)`."""
        return functional.frechet_distance(made, reference)
