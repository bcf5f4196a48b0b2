"""What metrics of two sets of images share."""

from __future__ import annotations

from abc import abstractmethod

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from latentlab.metrics.base import LastResult, Metric
from latentlab.metrics.features import FeatureExtractor, VGG16Features
from latentlab.metrics.intervals import Interval, statistic_interval, unknown_because


class FeatureSets(Metric):
    """A metric of the features of images and of those of a reference set, such as real images.

    Parameters
    ----------
    features
        Feature extractor; None for `VGG16Features`.

    Attributes
    ----------
    least_images
        Fewest images in either set from which the metric is known.
    note
        What readers have to know besides the value; empty for nothing.
    """

    least_images: int = 2
    note: str = ""

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
        self.update_features(
            None if before is None else self._reference_features(before),
            None if after is None else self.features(after),
        )

    def update_features(self, before: NDArray[np.float64] | None, after: NDArray[np.float64] | None) -> None:
        """Add images whose features `(m, d)` and `(n, d)` are known; None adds none."""
        if before is not None:
            self._reference.append(before)
        if after is not None:
            self._made.append(after)

    def compute(self) -> Interval:
        """Return the value with its interval; unknown with fewer than `least_images` images in a set."""
        made, reference = (np.concatenate(rows) if rows else np.zeros((0, 1)) for rows in (self._made, self._reference))
        if min(len(made), len(reference)) < self.least_images:
            few = "two" if self.least_images == 2 else str(self.least_images)
            return unknown_because(f"a set of fewer than {few} images has no distribution")
        return self.interval(made, reference)

    @abstractmethod
    def interval(self, made: NDArray[np.float64], reference: NDArray[np.float64]) -> Interval:
        """Return the value of features `(n, d)` and `(m, d)` with its interval."""


class SetDistance(FeatureSets):
    """A distance between the features of images and those of a reference set.

    Parameters
    ----------
    features
        Feature extractor; None for `VGG16Features`.
    resamples
        How often rows are drawn for the interval; fewer for sets of thousands, where a distance takes seconds.

    Attributes
    ----------
    least
        Least possible distance.
    """

    least: float = 0.0
    higher_is_better = False

    def __init__(self, features: FeatureExtractor | None = None, resamples: int = 200) -> None:
        super().__init__(features)
        self.resamples = resamples

    def interval(self, made: NDArray[np.float64], reference: NDArray[np.float64]) -> Interval:
        """Return the distance with its normal bootstrap interval."""
        return statistic_interval(self.distance, made, reference, resamples=self.resamples, least=self.least)

    @abstractmethod
    def distance(self, made: NDArray[np.float64], reference: NDArray[np.float64]) -> float:
        """Return the distance between features `(n, d)` and `(m, d)`."""
