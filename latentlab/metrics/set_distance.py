"""The half that distances between sets of images share."""

from __future__ import annotations

from abc import abstractmethod

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from latentlab.metrics.base import LastResult, Metric
from latentlab.metrics.features import FeatureExtractor, VGG16Features
from latentlab.metrics.intervals import Interval, statistic_interval, unknown_because

_LEAST_IMAGES = 2


class SetDistance(Metric):
    """A distance between the features of images and those of a reference set.

    Parameters
    ----------
    features
        Feature extractor; None for `VGG16Features`.

    Attributes
    ----------
    least
        Least possible distance.
    """

    least: float = 0.0
    higher_is_better = False

    def __init__(self, features: FeatureExtractor | None = None) -> None:
        self.features: FeatureExtractor = VGG16Features() if features is None else features
        # The reference set is the same for many methods.
        self._reference_features = LastResult(self.features)
        self.reset()

    def reset(self) -> None:
        """Forget all images."""
        self._reference: list[NDArray[np.float64]] = []
        self._made: list[NDArray[np.float64]] = []

    def update(self, before: Tensor | None, after: Tensor | None) -> None:
        """Add images to the two sets, which may differ in size.

        Parameters
        ----------
        before
            Images of the reference set, `(m, 3, h, w)` in [-1, 1]; None adds none.
        after
            Images that were made, `(n, 3, h, w)` in [-1, 1]; None adds none.
        """
        if before is not None:
            self._reference.append(self._reference_features(before))
        if after is not None:
            self._made.append(self.features(after))

    def compute(self) -> Interval:
        """Return the distance with its normal bootstrap interval; unknown with fewer than two images in a set."""
        made, reference = (np.concatenate(rows) if rows else np.zeros((0, 1)) for rows in (self._made, self._reference))
        if min(len(made), len(reference)) < _LEAST_IMAGES:
            return unknown_because("a set of fewer than two images has no distribution")
        return statistic_interval(self.distance, made, reference, least=self.least)

    @abstractmethod
    def distance(self, made: NDArray[np.float64], reference: NDArray[np.float64]) -> float:
        """Return the distance between features `(n, d)` and `(m, d)`."""
